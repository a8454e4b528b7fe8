//! Names: the tests of a source file, and the numbers that a name names.
//!
//! # Idea         a scan for functions under `#[test]` or an attribute whose path ends in `test` (`#[tokio::test]`), in macros
//!   as well (`proptest!`); each part of the path `file::module::function` is read for itself
//! # Invariants   N1 a test under `#[ignore]` is none; N2 the numbers come first in a part, written `e_10`, `e_010` or `e10`, or, if
//!   a word stands before them, only as `e10`; a step of a scenario is `s_1_2`
//! # Not here     names that a macro makes up: those aren't in the source

use std::collections::BTreeSet;
use std::ops::Range;

use super::ids::{Id, Kind};
use crate::scan;

/// A test, and what it names.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) path: String,
    /// The modules inside the file, and the function.
    pub(crate) name: String,
    pub(crate) ids: BTreeSet<Id>,
}

/// The tests of one file.
pub(crate) fn of_source(path: &str, text: &[u8]) -> Vec<Named> {
    let code = scan::code(text);
    let modules = modules(&code);
    let outer = path.trim_end_matches(".rs").split('/');
    let outer: BTreeSet<Id> = outer.flat_map(of_part).collect();
    functions(&code)
        .map(|(at, function)| {
            let inside = modules.iter().filter(|(_, body)| body.contains(&at));
            let parts: Vec<&str> = inside.map(|(name, _)| *name).chain([function]).collect();
            let mut ids = outer.clone();
            ids.extend(parts.iter().flat_map(|part| of_part(part)));
            Named {
                path: path.to_owned(),
                name: parts.join("::"),
                ids,
            }
        })
        .collect()
}

/// The numbers that one part of a test's path names.
fn of_part(part: &str) -> Vec<Id> {
    let words: Vec<&str> = part.split('_').collect();
    let mut found = Vec::new();
    let mut leading = true;
    let mut at = 0;
    while at < words.len() {
        let letters = words[at].trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = &words[at][letters.len()..];
        let number = |word: Option<&&str>| word.and_then(|word| word.parse::<u32>().ok());
        let read = match (Kind::of(letters), number(Some(&digits))) {
            (Some(kind), Some(n)) => Some((kind, n, at + 1)),
            (Some(kind), None) if leading && digits.is_empty() => {
                number(words.get(at + 1)).map(|n| (kind, n, at + 2))
            }
            _ => None,
        };
        match read {
            Some((Kind::S, n, next)) => {
                // A scenario is covered step by step, so its bare number names nothing.
                let step = number(words.get(next));
                found.extend(step.map(|step| Id::step(Kind::S, n, step)));
                at = next + usize::from(step.is_some());
            }
            Some((kind, n, next)) => {
                found.push(Id::new(kind, n));
                at = next;
            }
            None => {
                leading = false;
                at += 1;
            }
        }
    }
    found
}

/// The modules that `code` holds in braces, outer ones first.
fn modules(code: &[u8]) -> Vec<(&str, Range<usize>)> {
    let mut found = Vec::new();
    for body in scan::inline_modules(code) {
        let name = scan::words(&code[..body.start]).last();
        found.extend(name.map(|(_, name)| (name, body)));
    }
    found
}

/// The test functions of `code`, each with where its name begins.
fn functions(code: &[u8]) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (mut is_test, mut is_ignored) = (false, false);
        loop {
            let attribute = scan::find(code, b"#[", at)?;
            let end = scan::closing(code, attribute + 1, b'[', b']');
            match attribute_path(&code[attribute..end]).as_str() {
                "test" => is_test = true,
                "ignore" => is_ignored = true,
                _ => {}
            }
            at = end;
            let next = end + spaces(&code[end..]);
            if code[next..].starts_with(b"#[") {
                continue;
            }
            if is_test && !is_ignored {
                let mut words = scan::words(&code[end..]).skip_while(|(_, word)| *word != "fn");
                let (offset, name) = words.nth(1)?;
                return Some((end + offset, name));
            }
            (is_test, is_ignored) = (false, false);
        }
    })
}

/// The last name of an attribute's path: `test` of `#[tokio::test(start_paused = true)]`.
fn attribute_path(attribute: &[u8]) -> String {
    let len = attribute
        .iter()
        .position(|byte| matches!(byte, b'(' | b'=' | b']'))
        .unwrap_or(attribute.len());
    let last = scan::words(&attribute[..len]).last();
    last.map_or(String::new(), |(_, word)| word.to_owned())
}

fn spaces(code: &[u8]) -> usize {
    code.iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count()
}
