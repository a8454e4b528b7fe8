//! Mutants of the engine, many in one build: `cargo run --release --manifest-path mutants/Cargo.toml -- [--first] [MODULE...]`, of all modules if
//! none is named; `--first` asks the module's own tests alone.
//!
//! # Idea         `cargo mutants --list` says what is to be changed. Each change goes into a copy of the sources behind a question whether it is
//!   on; what doesn't compile is taken out again; and the tests' binary runs once for each, which a variable turns on. A build a mutant would
//!   take half a minute for each
//! # Invariants   MU1 with none on, the copy's tests pass
//! # Not here     changes of constants, of constant functions, of what only models and tests have, of functions whose type has no name, and
//!   fields left out: they are counted as not tried

mod build;
mod places;
mod run;
mod splice;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A change that is to be seen by a test.
#[derive(Debug, Clone)]
struct Mutant {
    /// What turns it on.
    id: usize,
    module: &'static str,
    name: String,
    file: String,
    genre: String,
    /// Line and column, from one, and what comes there.
    at: (usize, usize),
    replacement: String,
}

/// A module: its files, and the tests that are asked, those first that are quick and likely to see a change.
struct Module {
    name: &'static str,
    files: &'static [&'static str],
    rounds: &'static [&'static [&'static str]],
}

const MODULES: [Module; 6] = [
    Module {
        name: "wheel",
        files: &["src/wheel.rs"],
        rounds: &[&["wheel::"], &["invariants"]],
    },
    Module {
        name: "key",
        files: &["src/key.rs", "src/key/*.rs"],
        rounds: &[&["key::"], &["invariants", "level::", "snapshot::"]],
    },
    Module {
        name: "gcra",
        files: &["src/gcra.rs", "src/gcra/meter.rs"],
        rounds: &[&["gcra::"], &["limits::", "limiter::"]],
    },
    Module {
        name: "budget",
        files: &["src/budget.rs", "src/budget/*.rs"],
        rounds: &[&["budget::"], &["invariants"]],
    },
    Module {
        name: "table",
        files: &["src/table.rs", "src/table/*.rs"],
        rounds: &[&["table::"], &["invariants"], &["scenarios"]],
    },
    Module {
        name: "policy",
        files: &["src/policy.rs", "src/policy/*.rs"],
        rounds: &[&["policy::"], &["invariants"], &["snapshot::"]],
    },
];

fn main() -> ExitCode {
    let (options, words): (Vec<String>, Vec<String>) =
        env::args().skip(1).partition(|word| word == "--first");
    let Some(root) = Path::new(env!("CARGO_MANIFEST_DIR")).parent() else {
        return ExitCode::FAILURE;
    };
    let asked = |module: &&Module| words.is_empty() || words.iter().any(|word| word == module.name);
    let modules: Vec<&Module> = MODULES.iter().filter(asked).collect();
    match judge(root, &modules, options.is_empty()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("mutants: {message}");
            ExitCode::FAILURE
        }
    }
}

fn judge(root: &Path, modules: &[&Module], asks_all: bool) -> Result<(), String> {
    let mut mutants = Vec::new();
    for module in modules {
        mutants.extend(list(root, module, mutants.len() + 1)?);
    }
    let tree = root.join("target/mutants/tree");
    let built = build::build(root, &tree, mutants)?;
    for module in modules {
        let name = module.name;
        let of_it = |mutants: &[Mutant]| -> Vec<Mutant> {
            let of_it = mutants.iter().filter(|mutant| mutant.module == name);
            of_it.cloned().collect()
        };
        let (viable, unviable) = (of_it(&built.viable), of_it(&built.unviable));
        let untried = of_it(&built.untried);
        println!(
            "{name}: {} in constants, fields and models; {} don't compile; {} are run",
            untried.len(),
            unviable.len(),
            viable.len()
        );
        let rounds = if asks_all {
            module.rounds
        } else {
            &module.rounds[..1]
        };
        let judged = run::run(&built.binary, &tree, &viable, rounds)?;
        for mutant in &untried {
            println!("{name}: NOT TRIED: {}", mutant.name);
        }
        for mutant in &judged.missed {
            println!("{name}: MISSED: {}", mutant.name);
        }
        let (n, n_killed) = (viable.len(), viable.len() - judged.missed.len());
        println!(
            "{name}: {n_killed} of {n} killed, {:.1} %: by the rounds {:?}, of which {} by time",
            100.0 * n_killed as f64 / n.max(1) as f64,
            judged.n_seen,
            judged.n_late
        );
    }
    Ok(())
}

/// What cargo-mutants would change.
fn list(root: &Path, module: &Module, first: usize) -> Result<Vec<Mutant>, String> {
    let files = module.files.iter().flat_map(|file| ["--file", file]);
    let output = Command::new("cargo")
        .args(["mutants", "-p", "larder", "--list", "--json"])
        .args(files)
        .current_dir(root)
        .output()
        .map_err(|error| format!("can't run cargo mutants: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let listed: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0) as usize;
    let mutants = listed.as_array().into_iter().flatten().zip(first..);
    Ok(mutants
        .map(|(mutant, id)| {
            let start = &mutant["span"]["start"];
            Mutant {
                id,
                module: module.name,
                name: text(&mutant["name"]),
                file: text(&mutant["file"]),
                genre: text(&mutant["genre"]),
                at: (number(&start["line"]), number(&start["column"])),
                replacement: text(&mutant["replacement"]),
            }
        })
        .collect())
}

/// A build with the mutants in it, and what became of the others.
struct Built {
    binary: PathBuf,
    viable: Vec<Mutant>,
    unviable: Vec<Mutant>,
    untried: Vec<Mutant>,
}
