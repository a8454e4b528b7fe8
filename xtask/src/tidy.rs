//! Tidy: the rules of the layout that the compiler doesn't hold.
//!
//! # Idea         each source file is scanned once into its code (comments and texts blanked out), and each rule is a walk over that
//! # Costs        one read of every source file; no parser, so a path that a macro builds from pieces isn't seen
//! # Invariants   T1 a rule never fires on a comment or a text, but for the marks that live in comments; T2 a module that
//!   isn't in the table of floors is itself a finding; T3 findings come in the order of files and lines
//! # Not here     formatting and lints: those are rustfmt's and clippy's

mod floors;
mod rules;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rules::Source;

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// What a run saw and found.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) n_files: usize,
    pub(crate) findings: Vec<Finding>,
}

/// Applies every rule to every source file below `root`.
pub(crate) fn run(root: &Path) -> io::Result<Report> {
    let sources: Vec<Source> = sources(root)?
        .iter()
        .map(|(path, text)| Source::new(path, text))
        .collect();
    Ok(Report {
        n_files: sources.len(),
        findings: findings(&sources),
    })
}

/// The project's own sources below `root`: their paths from there, and their bytes, in the order of paths.
pub(crate) fn sources(root: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        let folder = root.join(folder);
        if folder.is_dir() {
            collect(&folder, &mut paths)?;
        }
    }
    paths.sort();
    let mut sources = Vec::with_capacity(paths.len());
    for path in &paths {
        let name = path.strip_prefix(root).unwrap_or(path);
        let name = name.to_string_lossy().replace('\\', "/");
        sources.push((name, fs::read(path)?));
    }
    Ok(sources)
}

fn findings(sources: &[Source]) -> Vec<Finding> {
    let test_files = rules::test_files(sources);
    let mut findings = Vec::new();
    for source in sources {
        let is_test = test_files.contains(source.path());
        rules::check(source, is_test, &mut findings);
    }
    findings.sort();
    findings.dedup();
    findings
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, paths)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

/// Where the project's own sources are. A folder that doesn't exist is passed over.
const FOLDERS: [&str; 11] = [
    "src",
    "tests",
    "benches",
    "examples",
    "fuzz/fuzz_targets",
    "mutants/src",
    "torture/src",
    "xtask/src",
    "rivals",
    "frontends",
    "tiers",
];

#[cfg(test)]
mod tests;
