//! The rules, one function each over a scanned file.
//!
//! # Idea         `check` decides which rules a file is under (by its path), each rule walks its code
//! # Invariants   T1 and T2 of the module above
//! # Not here     reading files, the table of floors

use std::collections::HashSet;

use super::Finding;
use super::floors::{self, Verdict};
use crate::scan;

/// A source file, scanned.
#[derive(Debug)]
pub(crate) struct Source {
    path: String,
    text: Vec<u8>,
    /// The text with comments and strings blanked out.
    code: Vec<u8>,
    /// The code with test-only items blanked out as well.
    shipped: Vec<u8>,
    /// Modules in files of their own that only tests compile.
    test_modules: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &[u8]) -> Source {
        let code = scan::code(text);
        let (shipped, test_modules) = scan::without_tests(&code);
        Source {
            path: path.to_owned(),
            text: text.to_vec(),
            code,
            shipped,
            test_modules,
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The module path inside the engine (`wheel`, `level`); none outside `src`.
    fn module_path(&self) -> Option<Vec<&str>> {
        let inside = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        let mut parts: Vec<&str> = inside.split('/').collect();
        if parts.len() > 1 && parts.last() == Some(&"mod") {
            parts.pop();
        }
        Some(parts)
    }
}

/// The files that only tests compile, by their paths.
pub(crate) fn test_files(sources: &[Source]) -> HashSet<String> {
    let mut files = HashSet::new();
    for source in sources {
        let folder = source.path.strip_suffix(".rs").unwrap_or(&source.path);
        let folder = match folder.rsplit_once('/') {
            Some((parent, "mod" | "lib" | "main")) => parent,
            _ => folder,
        };
        for module in &source.test_modules {
            files.insert(format!("{folder}/{module}.rs"));
            files.insert(format!("{folder}/{module}/mod.rs"));
            let inside = format!("{folder}/{module}/");
            let below = sources
                .iter()
                .filter(|other| other.path.starts_with(&inside));
            files.extend(below.map(|other| other.path.clone()));
        }
    }
    files
}

/// Applies every rule that `source` is under.
pub(crate) fn check(source: &Source, is_test: bool, findings: &mut Vec<Finding>) {
    let mut report = |line: usize, message: String| {
        findings.push(Finding {
            path: source.path.clone(),
            line,
            message,
        });
    };
    length(source, &mut report);
    ascii(source, &mut report);
    marks(source, &mut report);
    let Some(module_path) = source.module_path() else {
        return;
    };
    unsafe_words(source, module_path[0], &mut report);
    if !is_test {
        imports(source, &module_path, &mut report);
        doors(source, module_path[0], &mut report);
    }
}

/// At this length a file has two jobs.
const LINES_MAX: usize = 400;

fn length(source: &Source, report: &mut impl FnMut(usize, String)) {
    let n_lines = source.text.split_inclusive(|byte| *byte == b'\n').count();
    if n_lines > LINES_MAX {
        report(
            LINES_MAX + 1,
            format!("{n_lines} lines, above {LINES_MAX}: the file has two jobs"),
        );
    }
}

fn ascii(source: &Source, report: &mut impl FnMut(usize, String)) {
    for (idx, line) in source.text.split(|byte| *byte == b'\n').enumerate() {
        if let Some(byte) = line.iter().find(|byte| !byte.is_ascii()) {
            report(idx + 1, format!("the byte 0x{byte:02X} is not ASCII"));
        }
    }
}

/// Marks of unfinished work, each of which must name its issue: `MARK(#12)`. In pieces, so that this line isn't one.
const MARKS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

fn marks(source: &Source, report: &mut impl FnMut(usize, String)) {
    for (at, word) in scan::words(&source.text) {
        if MARKS.contains(&word) && !names_an_issue(&source.text[at + word.len()..]) {
            report(
                scan::line_of(&source.text, at),
                format!("{word} without an issue: write {word}(#number)"),
            );
        }
    }
}

fn names_an_issue(rest: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(b"(#") else {
        return false;
    };
    let n_digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    n_digits > 0 && rest.get(n_digits) == Some(&b')')
}

fn unsafe_words(source: &Source, module: &str, report: &mut impl FnMut(usize, String)) {
    if floors::may_be_unsafe(module) {
        return;
    }
    for (at, word) in scan::words(&source.code) {
        if word == "unsafe" {
            report(
                scan::line_of(&source.code, at),
                format!("unsafe has no place in `{module}`"),
            );
        }
    }
}

/// Paths that only the door module may name, and what to use instead.
const DOORS: [(&str, &str); 5] = [
    (
        "std::sync",
        "locks, atomics and `Arc` come from crate::sync",
    ),
    (
        "core::sync",
        "locks, atomics and `Arc` come from crate::sync",
    ),
    ("parking_lot", "locks come from crate::sync"),
    ("loom", "loom stands behind crate::sync"),
    ("Instant::now", "time comes from a Clock"),
];

fn doors(source: &Source, module: &str, report: &mut impl FnMut(usize, String)) {
    // The models are loom's own business.
    if module == floors::DOOR || module == "model" {
        return;
    }
    for path in paths(&source.shipped) {
        for (banned, instead) in DOORS {
            if path.contains(banned) {
                report(
                    scan::line_of(&source.code, path.begin),
                    format!("`{banned}` outside `{}`: {instead}", floors::DOOR),
                );
            }
        }
    }
}

fn imports(source: &Source, module_path: &[&str], report: &mut impl FnMut(usize, String)) {
    let module = module_path[0];
    if module != floors::ROOT && floors::floor(module).is_none() {
        report(
            1,
            format!("the module `{module}` is not in the table of floors"),
        );
        return;
    }
    let inline = scan::inline_modules(&source.shipped);
    for path in paths(&source.shipped) {
        let n_inline = inline
            .iter()
            .filter(|module| module.contains(&path.begin))
            .count();
        let Some(target) = path.target_below_root(module_path, n_inline) else {
            continue;
        };
        match floors::judge(module, target) {
            Verdict::Allowed | Verdict::Unlisted => {}
            Verdict::Upward { from, to } => report(
                scan::line_of(&source.code, path.begin),
                format!(
                    "`{module}` (floor {from}) imports from `{target}` (floor {to}): only downward"
                ),
            ),
            Verdict::Root => report(
                scan::line_of(&source.code, path.begin),
                format!(
                    "`{module}` imports `{target}` from the crate's root, which stands above it"
                ),
            ),
        }
    }
}

/// A path of two or more names in code, groups of a `use` already multiplied out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PathUse<'a> {
    /// Where its first own name begins.
    pub(crate) begin: usize,
    pub(crate) names: Vec<&'a str>,
}

impl PathUse<'_> {
    /// Whether the names of `part` stand in this path, one after the other.
    fn contains(&self, part: &str) -> bool {
        let part: Vec<&str> = part.split("::").collect();
        if part.len() == 1 {
            return self.names.len() > 1 && self.names[0] == part[0];
        }
        self.names.windows(part.len()).any(|names| names == part)
    }

    /// The name just below the crate's root, if the path goes there from within `n_inline` modules of a file at `module_path`.
    fn target_below_root(&self, module_path: &[&str], n_inline: usize) -> Option<&str> {
        let n_supers = self
            .names
            .iter()
            .take_while(|name| **name == "super")
            .count();
        let file_depth = if module_path == [floors::ROOT] {
            0
        } else {
            module_path.len()
        };
        let depth = file_depth + n_inline;
        match self.names[0] {
            "crate" => self.names.get(1).copied(),
            "super" if n_supers == depth => self.names.get(n_supers).copied(),
            _ => None,
        }
    }
}

/// Every path of `code`, in order.
pub(crate) fn paths(code: &[u8]) -> Vec<PathUse<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if scan::is_word(code[at]) {
            let restricts = code[..at].trim_ascii_end().ends_with(b"(in");
            at = path_at(code, at, &[], &mut found);
            if restricts {
                // `pub(in crate::store)` says who may see an item; it imports nothing.
                found.pop();
            }
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path whose first name begins at `at`, below `prefix`; gives where it ends.
fn path_at<'a>(
    code: &'a [u8],
    mut at: usize,
    prefix: &[&'a str],
    found: &mut Vec<PathUse<'a>>,
) -> usize {
    let begin = at;
    let mut names = prefix.to_vec();
    loop {
        let end = at
            + code[at..]
                .iter()
                .take_while(|byte| scan::is_word(**byte))
                .count();
        names.extend(str::from_utf8(&code[at..end]));
        at = end;
        let Some(next) = after_colons(code, at) else {
            break;
        };
        match code.get(next) {
            Some(b'{') => return group_at(code, next + 1, &names, found),
            Some(byte) if scan::is_word(*byte) => at = next,
            // A glob or a turbofish: the path up to here is what counts.
            _ => {
                at = next;
                break;
            }
        }
    }
    if names.len() > 1 {
        found.push(PathUse { begin, names });
    }
    at
}

/// Reads the rest of a group `{a, b::{c}}` below `prefix`; gives where it ends.
fn group_at<'a>(
    code: &'a [u8],
    mut at: usize,
    prefix: &[&'a str],
    found: &mut Vec<PathUse<'a>>,
) -> usize {
    while at < code.len() && code[at] != b'}' {
        at = if scan::is_word(code[at]) {
            path_at(code, at, prefix, found)
        } else {
            at + 1
        };
    }
    (at + 1).min(code.len())
}

/// Where the next name would begin, if `::` follows.
fn after_colons(code: &[u8], at: usize) -> Option<usize> {
    let colons = skip_spaces(code, at);
    code.get(colons..)?
        .starts_with(b"::")
        .then(|| skip_spaces(code, colons + 2))
}

fn skip_spaces(code: &[u8], at: usize) -> usize {
    at + code[at..]
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count()
}
