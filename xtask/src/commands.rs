//! The commands, one function each.
//!
//! # Idea         a command is the lines that a person would type, in their order
//! # Invariants   M1 what isn't installed and can be done without is named in a line that says SKIPPED; nothing is left out in silence
//! # Not here     the order of CI; the rules of tidy

use std::env;
use std::fs;
use std::path::Path;

use crate::run::{Failure, Step, is_installed, root};
use crate::tidy;

pub(crate) fn check() -> Result<(), Failure> {
    Step::cargo().args(["fmt", "--all", "--check"]).run()?;
    tidy()?;
    Step::cargo()
        .args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])
        .run()?;
    // As the fuzz targets take them.
    Step::cargo()
        .args(["clippy", "--lib", "--no-default-features"])
        .args(["-p", "larder-http", "-p", "larder-gateway"])
        .args(["--", "-D", "warnings"])
        .run()?;
    Step::cargo()
        .args(["build", "--workspace", "--examples", "--benches"])
        .run()
}

pub(crate) fn tidy() -> Result<(), Failure> {
    let report = tidy::run(&root()).map_err(|error| Failure::new(format!("tidy: {error}")))?;
    for finding in &report.findings {
        eprintln!("{finding}");
    }
    if report.findings.is_empty() {
        println!("tidy: {} files, nothing to mend", report.n_files);
        Ok(())
    } else {
        Err(Failure::new(format!(
            "tidy: {} lines to mend",
            report.findings.len()
        )))
    }
}

pub(crate) fn test(rest: &[String]) -> Result<(), Failure> {
    if !is_installed("redis-server", "redis-server") {
        println!(
            "test: without redis-server, the tests of the second level are SKIPPED one by one"
        );
    }
    let nextest = Step::cargo().args(["nextest", "--version"]).succeeds();
    let tests = if nextest {
        Step::cargo().args(["nextest", "run", "--workspace"])
    } else {
        // Not --all-targets: that would run the benchmarks as well.
        Step::cargo().args([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--examples",
        ])
    };
    let seed = if env::var_os("CI").is_some() {
        // The same cases for each commit; other cases are drawn wherever else the tests are run.
        env::var("PROPTEST_RNG_SEED").unwrap_or("20251122".to_owned())
    } else {
        env::var("PROPTEST_RNG_SEED").unwrap_or_default()
    };
    let tests = if seed.is_empty() {
        tests
    } else {
        tests.env("PROPTEST_RNG_SEED", &seed)
    };
    tests.args(rest).run()?;
    if rest.is_empty() {
        // Nextest leaves doc tests out, so they get a line of their own either way.
        Step::cargo().args(["test", "--workspace", "--doc"]).run()?;
    }
    Ok(())
}

pub(crate) fn loom(rest: &[String]) -> Result<(), Failure> {
    // A target folder of its own: the cfg is part of every crate's flags, so that a shared one would be rebuilt at each switch.
    Step::cargo()
        .args(["test", "-p", "larder", "--release", "--test", "loom"])
        // Each model prints how many executions it explored.
        .args(["--target-dir", "target/loom", "--", "--nocapture"])
        .args(rest)
        .env_flags("RUSTFLAGS", "--cfg engine_loom -C debug-assertions=on")
        .env(
            "LOOM_MAX_PREEMPTIONS",
            &env::var("LOOM_MAX_PREEMPTIONS").unwrap_or("2".to_owned()),
        )
        .run()
}

pub(crate) fn fuzz(rest: &[String]) -> Result<(), Failure> {
    let (options, words): (Vec<&str>, Vec<&str>) = rest
        .iter()
        .map(String::as_str)
        .partition(|word| *word == "--engine");
    let word = words.first().copied().unwrap_or("0.5");
    let minutes = word.parse::<f64>().ok().filter(|minutes| *minutes > 0.0);
    let Some(minutes) = minutes else {
        return Err(Failure::new(format!("fuzz takes minutes, not {word:?}")));
    };
    let seconds = (60.0 * minutes).ceil();
    if !Step::nightly_cargo().args(["--version"]).succeeds() {
        println!(
            "fuzz: SKIPPED, there is no nightly toolchain (`rustup toolchain install nightly` brings one)"
        );
        return Ok(());
    }
    if !cargo_fuzz_is_there() {
        let installed = Step::cargo()
            .args(["install", "cargo-fuzz", "--locked"])
            .run();
        if installed.is_err() || !cargo_fuzz_is_there() {
            println!("fuzz: SKIPPED, cargo-fuzz is not installed and can't be installed here");
            return Ok(());
        }
    }
    let targets = Step::nightly_cargo().args(["fuzz", "list"]).output()?;
    let is_beyond = |target: &str| BEYOND.contains(&target);
    let targets: Vec<&str> = targets
        .split_whitespace()
        .filter(|target| options.is_empty() || !is_beyond(target))
        .collect();
    if targets.is_empty() {
        return Err(Failure::new("`cargo fuzz list` names no target"));
    }
    for target in &targets {
        let features = if is_beyond(target) { "beyond" } else { "" };
        // Without a sanitizer: the rate of inputs is several times higher, and the engine's own checks are what fails.
        Step::nightly_cargo()
            .args(["fuzz", "run", "-s", "none", "--features", features, target])
            .args(["--".to_owned(), format!("-max_total_time={seconds}")])
            .run()?;
    }
    println!(
        "fuzz: {} targets, {seconds} s each, nothing found",
        targets.len()
    );
    Ok(())
}

/// Targets of what is built on the engine, which take its frontends' dependencies to build; without that feature they aren't there.
const BEYOND: [&str; 5] = [
    "envelope",
    "gateway_documents",
    "gateway_evaluation",
    "gateway_expressions",
    "http_request",
];

fn cargo_fuzz_is_there() -> bool {
    Step::cargo().args(["fuzz", "--version"]).succeeds()
}

pub(crate) fn bench(rest: &[String]) -> Result<(), Failure> {
    let step = Step::cargo().args(["bench", "-p", "larder", "--"]);
    if rest.iter().any(|word| word == "--smoke") {
        let filter = rest.iter().filter(|word| *word != "--smoke").cloned();
        step.args(filter).args(["--test"]).run()
    } else {
        step.args(rest).run()
    }
}

pub(crate) fn doc() -> Result<(), Failure> {
    Step::cargo()
        .args(["doc", "--no-deps", "--workspace"])
        .env_flags("RUSTDOCFLAGS", "-D warnings")
        .run()
}

pub(crate) fn deny() -> Result<(), Failure> {
    if !Step::cargo().args(["deny", "--version"]).succeeds() {
        return Err(Failure::new(
            "cargo-deny is not installed: `cargo install cargo-deny --locked`",
        ));
    }
    Step::cargo()
        .args([
            "deny",
            "--workspace",
            "check",
            "licenses",
            "bans",
            "sources",
        ])
        .run()
}

pub(crate) fn api(rest: &[String]) -> Result<(), Failure> {
    let listed = Step::nightly_cargo()
        .args(["public-api", "-p", "larder", "--simplified"])
        .output()
        .map_err(|failure| {
            Failure::new(format!(
                "{failure}; it needs a nightly toolchain and `cargo install cargo-public-api --locked`"
            ))
        })?;
    let path = root().join("api.txt");
    if rest.iter().any(|word| word == "--bless") {
        return fs::write(&path, listed)
            .map_err(|error| Failure::new(format!("can't write api.txt: {error}")));
    }
    let committed = fs::read_to_string(&path).map_err(|error| {
        Failure::new(format!("can't read api.txt: {error}; `--bless` writes it"))
    })?;
    let changed = line_changes(&committed, &listed);
    for line in &changed {
        println!("{line}");
    }
    if changed.is_empty() {
        println!("api: as in api.txt");
        Ok(())
    } else {
        Err(Failure::new(
            "the public interface differs from api.txt: add a line to CHANGELOG.md, then `cargo xtask api --bless`",
        ))
    }
}

/// Lines that only one of the two texts has, each with its sign; order within a text is kept.
fn line_changes(before: &str, after: &str) -> Vec<String> {
    let gone = before
        .lines()
        .filter(|line| !after.lines().any(|other| other == *line))
        .map(|line| format!("-{line}"));
    let new = after
        .lines()
        .filter(|line| !before.lines().any(|other| other == *line))
        .map(|line| format!("+{line}"));
    gone.chain(new).collect()
}

pub(crate) fn hitratio(rest: &[String]) -> Result<(), Failure> {
    over_traces("hitratio", rest)
}

pub(crate) fn curve(rest: &[String]) -> Result<(), Failure> {
    over_traces("curve", rest)
}

/// Runs an example that takes a folder of traces.
fn over_traces(example: &str, rest: &[String]) -> Result<(), Failure> {
    let mut step = Step::cargo()
        .args(["run", "--release", "--quiet", "-p", "larder"])
        .args(["--example", example, "--"]);
    if !rest
        .iter()
        .any(|word| word.split('=').next() == Some("--traces"))
    {
        let folder = env::var("LARDER_TRACES").unwrap_or(TRACES.to_owned());
        if !root().join(Path::new(&folder)).is_dir() {
            return Err(Failure::new(format!(
                "there is no folder {folder}: name one with --traces or LARDER_TRACES (docs/traces.md describes the format)"
            )));
        }
        step = step.args(["--traces".to_owned(), folder]);
    }
    step.args(rest).run()
}

pub(crate) fn histories(rest: &[String]) -> Result<(), Failure> {
    Step::cargo()
        .args(["run", "--release", "--quiet", "-p", "larder"])
        .args(["--example", "histories", "--"])
        .args(rest)
        .run()
}

/// Where the traces are looked for, from the repository's root: beside it, since their licences keep them out of it.
const TRACES: &str = "../shared/traces";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_carry_their_sign() {
        assert_eq!(line_changes("a\nb\n", "b\nc\n"), ["-a", "+c"]);
        assert!(line_changes("a\nb\n", "a\nb\n").is_empty());
    }

    #[test]
    fn fuzz_refuses_what_is_no_number() {
        let failure = fuzz(&["soon".to_owned()]).unwrap_err();
        assert!(failure.to_string().contains("soon"));
    }
}
