//! The commands behind the figures of docs/evidence.md that are too long for CI, or need a tool that CI doesn't have.
//!
//! # Idea         as in `commands`: the lines that a person would type, so that anyone can reproduce a figure
//! # Invariants   V1 each kind of build has a target folder of its own below `target/`, since its flags are part of every crate's
//! # Not here     what CI runs

use std::env;

use crate::run::{Failure, Step, root};

/// What runs a suite under a tool that slows each instruction down: with all debug assertions, and fewer instructions.
const OPT_LEVEL: &str = "1";

/// The sanitizers' triple: they want one that is named, so that build scripts stay as they are.
fn triple() -> String {
    format!("{}-unknown-linux-gnu", env::consts::ARCH)
}

/// The first word as a number, or what there is without one.
fn number(rest: &[String], default: &str) -> Result<String, Failure> {
    let word = rest.first().map_or(default, String::as_str);
    match word.parse::<f64>() {
        Ok(number) if number > 0.0 => Ok(word.to_owned()),
        _ => Err(Failure::new(format!("a number is wanted, not {word:?}"))),
    }
}

/// The whole suite and the stress program under AddressSanitizer, which looks for leaks at the end.
pub(crate) fn asan(rest: &[String]) -> Result<(), Failure> {
    let seconds = number(rest, "60")?;
    let step = |arguments: &[&str]| {
        Step::nightly_cargo()
            .args(arguments.iter().copied())
            .args(["--target", &triple(), "--target-dir", "target/asan"])
            .env_flags("RUSTFLAGS", "-Zsanitizer=address")
            .env("ASAN_OPTIONS", "detect_leaks=1")
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", OPT_LEVEL)
            // Each case takes several times as long; tests/alloc has an allocator of its own, which refuses.
            .env("LARDER_CASES", "64")
    };
    step(&[
        "test", "-p", "larder", "--lib", "--test", "it", "--test", "alloc",
    ])
    // This twin leaks, and is there to show that its scenario sees it.
    .args(["--", "--skip", "f26_twin"])
    .run()?;
    step(&["run", "--release", "-p", "larder", "--example", "stress"])
        .args(["--", &seconds])
        .run()
}

/// The stress program under ThreadSanitizer. The swap form of the barrier: it knows no fences, and no system calls.
pub(crate) fn tsan(rest: &[String]) -> Result<(), Failure> {
    let seconds = number(rest, "60")?;
    Step::nightly_cargo()
        .args(["run", "--release", "-p", "larder", "--example", "stress"])
        .args(["--target", &triple(), "--target-dir", "target/tsan"])
        .args(["--", &seconds])
        .env_flags(
            "RUSTFLAGS",
            "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg engine_barrier=\"swap\"",
        )
        .env(
            "TSAN_OPTIONS",
            &format!("halt_on_error=1:suppressions={}", root().join("xtask/tsan.supp").display()),
        )
        .run()
}

/// The unit tests under valgrind's memcheck. The litmus of the barrier is left out: valgrind runs one thread at a time.
pub(crate) fn memcheck(rest: &[String]) -> Result<(), Failure> {
    if !Step::new("valgrind").args(["--version"]).succeeds() {
        return Err(Failure::new("valgrind is not installed"));
    }
    let runner = format!(
        "CARGO_TARGET_{}_RUNNER",
        triple().to_uppercase().replace('-', "_")
    );
    Step::cargo()
        .args(["test", "-p", "larder", "--lib"])
        .args(["--target-dir", "target/memcheck", "--"])
        .args(["--test-threads", "1", "--skip", "barrier"])
        // valgrind takes its time for each instruction; lines are all that its reports need.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "3")
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .args(rest)
        .env(
            &runner,
            "valgrind --quiet --max-threads=2000 --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite",
        )
        .env("LARDER_CASES", "2")
        .env("PROPTEST_CASES", "2")
        .run()
}

/// The tests of hazards and of the whole cache with each form of the barrier that a build can ask for; the light one is CI's.
pub(crate) fn barriers() -> Result<(), Failure> {
    for form in ["fence", "swap"] {
        Step::cargo()
            .args(["test", "--release", "-p", "larder", "--lib", "--test", "it"])
            .args(["--target-dir", &format!("target/{form}")])
            .env_flags("RUSTFLAGS", &format!("--cfg engine_barrier=\"{form}\""))
            .run()?;
    }
    Ok(())
}

/// The state machine with many cases.
pub(crate) fn states(rest: &[String]) -> Result<(), Failure> {
    let cases = number(rest, "20000")?;
    Step::cargo()
        .args(["test", "--release", "-p", "larder", "--lib", "invariants"])
        .env("LARDER_CASES", &cases)
        .run()
}

pub(crate) fn torture(rest: &[String]) -> Result<(), Failure> {
    Step::cargo()
        .args(["run", "--release", "--quiet", "-p", "torture", "--"])
        .args(rest)
        .run()
}

/// The share of lines that tests run through, of the engine alone.
pub(crate) fn coverage(rest: &[String]) -> Result<(), Failure> {
    if !Step::cargo().args(["llvm-cov", "--version"]).succeeds() {
        return Err(Failure::new(
            "cargo-llvm-cov is not installed: `cargo install cargo-llvm-cov --locked`",
        ));
    }
    let mut step = Step::cargo()
        .args(["llvm-cov", "test", "-p", "larder", "--lib", "--tests"])
        .args(["--summary-only", "--fail-under-lines", "95"])
        // Code of tests isn't what is asked about.
        .args([
            "--ignore-filename-regex",
            "tests|fuzz|invariants|scenarios|scaling|counted|schedule|examples|benches",
        ])
        .args(rest);
    // Debian's tools carry their version; cargo-llvm-cov asks rustup for its own where nothing is said.
    for (name, tool) in [
        ("LLVM_COV", "/usr/bin/llvm-cov-22"),
        ("LLVM_PROFDATA", "/usr/bin/llvm-profdata-22"),
    ] {
        if env::var_os(name).is_none() && std::path::Path::new(tool).exists() {
            step = step.env(name, tool).env("CARGO_LLVM_COV_SETUP", "no");
        }
    }
    step.run()
}

/// What is mutated, by module: its files, and the tests that are asked.
const MUTATED: [(&str, &[&str], &[&str]); 6] = [
    ("wheel", &["src/wheel.rs"], &["wheel::"]),
    ("key", &["src/key.rs", "src/key/*.rs"], &["key::"]),
    (
        "gcra",
        &["src/gcra.rs", "src/gcra/meter.rs"],
        &["gcra::", "limits::", "limiter::"],
    ),
    (
        "budget",
        &["src/budget.rs", "src/budget/*.rs"],
        &["budget::", "invariants"],
    ),
    (
        "table",
        &["src/table.rs", "src/table/*.rs"],
        &["table::", "invariants"],
    ),
    (
        "policy",
        &["src/policy.rs", "src/policy/*.rs"],
        &["policy::", "invariants"],
    ),
];

/// Mutants of the modules that are arithmetic, or of those that are named. What is missed is in `target/mutants/NAME/mutants.out`.
pub(crate) fn mutants(rest: &[String]) -> Result<(), Failure> {
    if !Step::cargo().args(["mutants", "--version"]).succeeds() {
        return Err(Failure::new(
            "cargo-mutants is not installed: `cargo install cargo-mutants --locked`",
        ));
    }
    for (name, files, filters) in MUTATED {
        if !rest.is_empty() && !rest.iter().any(|word| word == name) {
            continue;
        }
        let files = files.iter().flat_map(|file| ["--file", file]);
        Step::cargo()
            .args(["mutants", "-p", "larder", "--no-shuffle"])
            .args([
                "--timeout",
                "60",
                "--output",
                &format!("target/mutants/{name}"),
            ])
            .args(files)
            .args(["--", "--lib", "--"])
            .args(filters.iter().copied())
            // The same cases for each mutant.
            .env("PROPTEST_RNG_SEED", "20251122")
            .run()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(number(&[], "60").unwrap(), "60");
        assert!(number(&["soon".to_owned()], "60").is_err());
        assert!(number(&["0".to_owned()], "60").is_err());
    }
}
