//! Numbers: what the documents say there is to show.
//!
//! # Idea         a number is a letter, a hyphen and digits, wherever in the text it stands; what has no number in the text gets one
//!   by its place: a step of a scenario (`S-1.3`), a row of the expiry cases (`expiry-4`), a row of the list of faults (`F-7`)
//! # Invariants   I1 `AES-256` and its like are no numbers: nothing that a word runs into is; I2 a scenario without a table has the
//!   steps that it says it has, or else one for each clause between semicolons
//! # Not here     which tests name a number

use std::collections::BTreeMap;
use std::fmt;

/// Whose number it is: the letter before the hyphen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    M,
    V,
    A,
    Expiry,
    Z,
    S,
    E,
    F,
}

impl Kind {
    /// The kind that a letter or word stands for, in either case.
    pub(crate) fn of(word: &str) -> Option<Kind> {
        let kinds = [
            ("m", Kind::M),
            ("v", Kind::V),
            ("a", Kind::A),
            ("expiry", Kind::Expiry),
            ("z", Kind::Z),
            ("s", Kind::S),
            ("e", Kind::E),
            ("f", Kind::F),
        ];
        let found = kinds
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word));
        found.map(|(_, kind)| *kind)
    }
}

/// One number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) kind: Kind,
    pub(crate) number: u32,
    /// The step of a scenario; 0 elsewhere.
    pub(crate) step: u32,
}

impl Id {
    pub(crate) fn new(kind: Kind, number: u32) -> Id {
        Id::step(kind, number, 0)
    }

    pub(crate) fn step(kind: Kind, number: u32, step: u32) -> Id {
        Id { kind, number, step }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        match self.kind {
            Kind::S => write!(f, "S-{number}.{}", self.step),
            Kind::Expiry => write!(f, "expiry-{number}"),
            kind => write!(f, "{kind:?}-{number}"),
        }
    }
}

/// The numbers in a specification, each with the beginning of the line that it's first in, its own row before any other.
pub(crate) fn of_specification(text: &str) -> BTreeMap<Id, String> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        if let (Some(id), about) = (mentioned(cell(line, 1)).next(), cell(line, 2)) {
            found.entry(id).or_insert(shortened(about));
        }
    }
    for line in text.lines() {
        for id in mentioned(line) {
            found.entry(id).or_insert(shortened(line));
        }
    }
    found.extend(expiry_cases(text));
    found.extend(steps(text));
    found
}

/// The rows of the list of faults, by their first cell.
pub(crate) fn of_faults(text: &str) -> BTreeMap<Id, String> {
    rows(text.lines())
        .map(|(number, line)| (Id::new(Kind::F, number), shortened(cell(line, 2))))
        .collect()
}

/// The numbers of `line` but those of scenarios' steps, in order.
pub(crate) fn mentioned(line: &str) -> impl Iterator<Item = Id> + '_ {
    let bytes = line.as_bytes();
    line.match_indices('-').filter_map(move |(at, _)| {
        let letter = line.get(at.checked_sub(1)?..at)?;
        let kind = Kind::of(letter).filter(|kind| !matches!(kind, Kind::S | Kind::F))?;
        let alone = at < 2 || !is_word(bytes[at - 2]);
        let upper = letter.bytes().all(|byte| byte.is_ascii_uppercase());
        let (number, after) = leading_number(&line[at + 1..])?;
        let ended = !after.bytes().next().is_some_and(is_word);
        (alone && upper && ended).then_some(Id::new(kind, number))
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The number that `text` begins with, and what is behind it.
fn leading_number(text: &str) -> Option<(u32, &str)> {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    Some((text[..len].parse().ok()?, &text[len..]))
}

/// The table behind the line that announces the expiry cases, its rows counted from 1.
fn expiry_cases(text: &str) -> Vec<(Id, String)> {
    let table = text
        .lines()
        .skip_while(|line| !line.starts_with("Expiry-settings cases"))
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'));
    // A heading and a line of dashes come first.
    let rows = table.skip(2).zip(1..);
    rows.map(|(row, number)| (Id::new(Kind::Expiry, number), shortened(cell(row, 1))))
        .collect()
}

/// The steps of all scenarios: `**S-1 name ...**`, and what follows up to the next one or the next heading.
fn steps(text: &str) -> Vec<(Id, String)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (idx, line) in lines.iter().enumerate() {
        let Some((number, _)) = line.strip_prefix("**S-").and_then(leading_number) else {
            continue;
        };
        let end = lines[idx + 1..]
            .iter()
            .position(|line| line.starts_with("**S-") || line.starts_with("## "))
            .map_or(lines.len(), |offset| idx + 1 + offset);
        let body = &lines[idx..end];
        let mut own: Vec<(u32, String)> = rows(body.iter().copied())
            .map(|(step, row)| (step, shortened(cell(row, 2))))
            .collect();
        if own.is_empty() {
            own = told(number, &body.join(" "));
        }
        let own = own.into_iter();
        found.extend(own.map(|(step, about)| (Id::step(Kind::S, number, step), about)));
    }
    found
}

/// The steps of a scenario in running text: those it says it has, `Steps S-3.1 to S-3.5`, or its clauses.
fn told(number: u32, text: &str) -> Vec<(u32, String)> {
    if let Some((_, behind)) = text.split_once(&format!("S-{number}.1 to S-{number}."))
        && let Some((last, _)) = leading_number(behind)
    {
        return (1..=last).map(|step| (step, shortened(text))).collect();
    }
    let clauses = text.split("; ").map(shortened);
    (1..).zip(clauses).collect()
}

/// The rows of tables whose first cell is a bare number.
fn rows<'a>(lines: impl Iterator<Item = &'a str>) -> impl Iterator<Item = (u32, &'a str)> {
    lines
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| Some((cell(line, 1).parse().ok()?, line)))
}

/// The n-th cell of a row, from 1.
fn cell(row: &str, n: usize) -> &str {
    row.split('|').nth(n).unwrap_or("").trim()
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(ABOUT_LEN).collect()
}

/// So that a line of the list of gaps fits a screen.
const ABOUT_LEN: usize = 90;
