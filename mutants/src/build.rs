//! A copy of the repository, with mutants, that compiles.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::splice::splice;
use crate::{Built, Mutant};

/// Rounds of leaving out what doesn't compile: types are complained about first, then borrows.
const ROUNDS_MAX: usize = 12;

/// What a mutant changes is to be refused by nothing but the rules of the language.
const ALLOWED: &str = "#![allow(arithmetic_overflow, unconditional_panic, overflowing_literals)]\n";

/// What the copy asks which mutant is on.
const QUESTION: &str = r#"
pub(crate) mod mutation {
    static ON: std::sync::LazyLock<usize> = std::sync::LazyLock::new(|| {
        let on = std::env::var("LARDER_MUTANT").ok();
        on.and_then(|on| on.parse().ok()).unwrap_or(0)
    });

    #[inline]
    pub(crate) fn is_on(mutant: usize) -> bool {
        *ON == mutant
    }
}
"#;

pub(crate) fn build(root: &Path, tree: &Path, mutants: Vec<Mutant>) -> Result<Built, String> {
    copy(root, tree)?;
    let mut unviable = BTreeSet::new();
    let mut untried = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let mut lines = HashMap::new();
        let files: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.file.as_str()).collect();
        for file in files {
            let text = fs::read_to_string(root.join(file)).map_err(|error| error.to_string())?;
            let inside: Vec<&Mutant> = mutants
                .iter()
                .filter(|mutant| mutant.file == file && !unviable.contains(&mutant.id))
                .collect();
            let spliced = splice(&text, &inside).map_err(|error| format!("{file}: {error}"))?;
            untried.extend(spliced.homeless);
            lines.insert(file.to_owned(), spliced.lines);
            fs::write(tree.join(file), spliced.text).map_err(|error| error.to_string())?;
        }
        match compile(tree, &lines)? {
            Compiled::Binary(binary) => {
                let (mut viable, mut others, mut left) = (Vec::new(), Vec::new(), Vec::new());
                for mutant in mutants {
                    if untried.contains(&mutant.id) {
                        left.push(mutant);
                    } else if unviable.contains(&mutant.id) {
                        others.push(mutant);
                    } else {
                        viable.push(mutant);
                    }
                }
                return Ok(Built {
                    binary,
                    viable,
                    unviable: others,
                    untried: left,
                });
            }
            Compiled::Wrong(wrong) => unviable.extend(wrong),
        }
    }
    Err("there is always one more that doesn't compile".to_owned())
}

/// Copies what is committed or changed, but for the sources that are written anew.
fn copy(root: &Path, tree: &Path) -> Result<(), String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .map_err(|error| error.to_string())?;
    for file in String::from_utf8_lossy(&output.stdout).lines() {
        let (from, to) = (root.join(file), tree.join(file));
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        }
        if from.exists() {
            fs::copy(&from, &to).map_err(|error| format!("{file}: {error}"))?;
        }
    }
    let door = tree.join("src/lib.rs");
    let mut text = ALLOWED.to_owned();
    text += &fs::read_to_string(&door).map_err(|error| error.to_string())?;
    text += QUESTION;
    fs::write(door, text).map_err(|error| error.to_string())
}

enum Compiled {
    Binary(PathBuf),
    /// The mutants that the compiler complains about.
    Wrong(Vec<usize>),
}

fn compile(
    tree: &Path,
    lines: &HashMap<String, HashMap<usize, usize>>,
) -> Result<Compiled, String> {
    let output = Command::new("cargo")
        .args(["test", "-p", "larder", "--lib", "--no-run"])
        // With the assertions and the checks of a debug build, in a third of the time for each run of the tests.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .args(["--message-format", "json", "--target-dir"])
        // Of its own: cargo takes the copy's crates for the repository's.
        .arg(tree.with_file_name("target"))
        .current_dir(tree)
        .output()
        .map_err(|error| error.to_string())?;
    let mut wrong = Vec::new();
    let mut other = String::new();
    let mut binary = None;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        if let Some(path) = message["executable"].as_str() {
            binary = Some(PathBuf::from(path));
        }
        let inner = &message["message"];
        if inner["level"] != "error" {
            continue;
        }
        let found: Vec<usize> = inner["spans"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|span| {
                let lines = lines.get(span["file_name"].as_str()?)?;
                lines.get(&(span["line_start"].as_u64()? as usize)).copied()
            })
            .collect();
        if found.is_empty() {
            other += inner["rendered"].as_str().unwrap_or_default();
        }
        wrong.extend(found);
    }
    match binary {
        Some(binary) if output.status.success() => Ok(Compiled::Binary(binary)),
        _ if wrong.is_empty() => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(format!("it doesn't compile: {other}{errors}"))
        }
        _ => Ok(Compiled::Wrong(wrong)),
    }
}
