//! Sources with mutants in them, each behind its question, on lines of their own, so that the compiler's messages tell them apart.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::Mutant;
use crate::places::{self, Place};

/// A file with mutants.
pub(crate) struct Spliced {
    pub(crate) text: String,
    /// Which mutant a line belongs to, lines from one.
    pub(crate) lines: HashMap<usize, usize>,
    /// Those that have no place.
    pub(crate) homeless: Vec<usize>,
}

/// What becomes of a range of the file.
#[derive(Default)]
struct Change {
    /// What is there instead, for each mutant that is on.
    instead: Vec<(usize, String)>,
    /// What stands before it in any case, and behind it.
    before: String,
    behind: String,
}

pub(crate) fn splice(text: &str, mutants: &[&Mutant]) -> Result<Spliced, String> {
    let places = places::places(text)?;
    // The widest first of those that begin at one place.
    let mut changes: BTreeMap<(usize, Reverse<usize>), Change> = BTreeMap::new();
    let mut homeless = Vec::new();
    for mutant in mutants {
        let place = places.get(&mutant.at).filter(|place| fits(place, mutant));
        let Some(place) = place else {
            homeless.push(mutant.id);
            continue;
        };
        let key = |range: &Range<usize>| (range.start, Reverse(range.end));
        let id = mutant.id;
        let question = format!("crate::mutation::is_on({id})");
        match place {
            Place::Binary(all, left, right) => {
                let (left, right) = (&text[left.clone()], &text[right.clone()]);
                let sides = if is_assignment(&mutant.replacement) {
                    format!("{left} {} {right}", mutant.replacement)
                } else {
                    format!("({left}) {} ({right})", mutant.replacement)
                };
                changes
                    .entry(key(all))
                    .or_default()
                    .instead
                    .push((id, sides));
            }
            Place::Unary(all, of) => {
                let of = text[of.clone()].to_owned();
                changes.entry(key(all)).or_default().instead.push((id, of));
            }
            Place::Guard(all) => {
                let guard = mutant.replacement.clone();
                changes
                    .entry(key(all))
                    .or_default()
                    .instead
                    .push((id, guard));
            }
            Place::Body(at) => {
                let replacement = &mutant.replacement;
                changes.entry(key(&(*at..*at))).or_default().before +=
                    &format!("\n#{id}#if {question} {{ return {replacement}; }}\n");
            }
            Place::Arm(end, None) => {
                changes.entry(key(&(*end..*end))).or_default().before +=
                    &format!("\n#{id}# if !{question}\n");
            }
            Place::Arm(_, Some(guard)) => {
                let change = changes.entry(key(guard)).or_default();
                change.before += &format!("\n#{id}#!{question} && (\n");
                change.behind += ")";
            }
        }
    }
    let mut out = String::new();
    let mut changes = changes.into_iter().peekable();
    write(text, 0..text.len(), &mut changes, &mut out);
    Ok(numbered(&out, homeless))
}

/// Without the comments that end lines.
fn on_one_line(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(line));
    lines.collect::<Vec<_>>().join(" ")
}

fn is_assignment(operator: &str) -> bool {
    operator.ends_with('=') && !["==", "!=", "<=", ">="].contains(&operator)
}

fn fits(place: &Place, mutant: &Mutant) -> bool {
    match mutant.genre.as_str() {
        "FnValue" => matches!(place, Place::Body(_)),
        "BinaryOperator" => matches!(place, Place::Binary(..)),
        "UnaryOperator" => matches!(place, Place::Unary(..)),
        "MatchArmGuard" => matches!(place, Place::Guard(_)),
        "MatchArm" => matches!(place, Place::Arm(..)),
        _ => false,
    }
}

type Changes =
    std::iter::Peekable<std::collections::btree_map::IntoIter<(usize, Reverse<usize>), Change>>;

/// Writes a range of the file with all changes that begin in it.
fn write(text: &str, range: Range<usize>, changes: &mut Changes, out: &mut String) {
    let mut at = range.start;
    while let Some(((start, Reverse(end)), _)) = changes.peek() {
        let (start, end) = (*start, *end);
        if start >= range.end {
            break;
        }
        let Some((_, change)) = changes.next() else {
            break;
        };
        out.push_str(&text[at..start]);
        out.push_str(&change.before);
        if !change.instead.is_empty() {
            out.push('(');
        }
        for (id, instead) in &change.instead {
            let instead = on_one_line(instead);
            out.push_str(&format!(
                "\n#{id}#if crate::mutation::is_on({id}) {{ {instead} }} else\n"
            ));
        }
        if !change.instead.is_empty() {
            out.push('{');
        }
        write(text, start..end, changes, out);
        if !change.instead.is_empty() {
            out.push_str("})");
        }
        out.push_str(&change.behind);
        at = end;
    }
    out.push_str(&text[at..range.end]);
}

/// Takes the marks of mutants off, and notes their lines.
fn numbered(marked: &str, homeless: Vec<usize>) -> Spliced {
    let mut lines = HashMap::new();
    let mut text = String::new();
    for (line, number) in marked.split('\n').zip(1..) {
        let mark = line.strip_prefix('#').and_then(|rest| rest.split_once('#'));
        let line = match mark.and_then(|(id, rest)| Some((id.parse().ok()?, rest))) {
            Some((id, rest)) => {
                lines.insert(number, id);
                rest
            }
            None => line,
        };
        text.push_str(line);
        text.push('\n');
    }
    Spliced {
        text,
        lines,
        homeless,
    }
}
