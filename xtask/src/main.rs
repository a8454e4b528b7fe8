//! The commands of this repository: `cargo xtask <command>`.
//!
//! # Idea         each command is a short list of child processes, the same for a person and for CI
//! # Costs        this package depends on nothing, so that it builds in a second or two
//! # Invariants   X1 a command stops at its first failing step and says which; X2 `ci` runs the commands that a person runs
//! # Not here     anything that links the engine: `hitratio`, `histories` and `instructions` run examples

mod ci;
mod commands;
mod coverage;
mod evidence;
mod instructions;
mod load;
mod run;
mod scan;
mod tidy;

use std::env;
use std::process::ExitCode;

use run::Failure;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    match dispatch(command, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask {command}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &str, rest: &[String]) -> Result<(), Failure> {
    let takes_none = ["check", "tidy", "doc", "deny", "barriers", "ci"].contains(&command);
    if let (true, Some(word)) = (takes_none, rest.first()) {
        return Err(Failure::new(format!("{command} takes no {word:?}")));
    }
    match command {
        "check" => commands::check(),
        "tidy" => commands::tidy(),
        "test" => commands::test(rest),
        "loom" => commands::loom(rest),
        "fuzz" => commands::fuzz(rest),
        "bench" => commands::bench(rest),
        "doc" => commands::doc(),
        "deny" => commands::deny(),
        "api" => commands::api(rest),
        "hitratio" => commands::hitratio(rest),
        "curve" => commands::curve(rest),
        "histories" => commands::histories(rest),
        "instructions" => instructions::instructions(rest),
        "asan" => evidence::asan(rest),
        "tsan" => evidence::tsan(rest),
        "memcheck" => evidence::memcheck(rest),
        "barriers" => evidence::barriers(),
        "states" => evidence::states(rest),
        "torture" => evidence::torture(rest),
        "coverage" => evidence::coverage(rest),
        "mutants" => evidence::mutants(rest),
        "spec" => coverage::spec(rest),
        "faults" => coverage::faults(rest),
        "load" => load::load(rest),
        "ci" => ci::ci(),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(Failure::new(format!(
            "there is no command {other:?}; `cargo xtask help` lists them"
        ))),
    }
}

const HELP: &str = "\
cargo xtask <command>

  check             formatting, clippy, tidy, every example and bench builds
  tidy              the layout's rules: floors, file lengths, where unsafe and std::sync may stand
  test [args]       all tests (nextest when it is installed), then the doc tests
  loom [filter]     the model-checked interleavings of tests/loom.rs
  fuzz [minutes]    each fuzz target for that many minutes (0.5); --engine: not those of frontends and tiers; needs a nightly toolchain
  bench [filter]    the benchmarks of the engine; --smoke runs each once, as a test
  doc               the documentation, warnings denied
  deny              licences, bans and sources of the dependencies; needs cargo-deny
  api [--bless]     the public interface against api.txt; needs a nightly toolchain and cargo-public-api
  hitratio [args]   hit ratios on a folder of traces; --traces DIR, --stripes N, --threads N, --bytes
  histories [args]  concurrent histories, each checked for linearizability; --histories N, --minutes M, --seed S, --plant NAME
  curve [args]      the error of tracked curves on a folder of traces; --traces DIR, --entries N, --bytes
  instructions      instructions an operation against benches/instructions.txt; --bless; needs valgrind
  asan [secs]       the suite, and the stress program for so long (60), under AddressSanitizer and its leak check; needs nightly
  tsan [secs]       the stress program under ThreadSanitizer; needs nightly
  memcheck [filter] the unit tests under valgrind's memcheck
  barriers          the tests with the fence form and the swap form of the readers' barrier
  states [cases]    the state machine with so many cases (20000) of each property
  torture [args]    threads that do everything; --minutes M, --threads N, --seed S, --flood
  coverage [args]   lines of the engine that tests run through; needs cargo-llvm-cov; --html
  mutants [module]  mutants of wheel, key, gcra, budget, table, policy; needs cargo-mutants
  spec [parts]      numbers of docs/spec that no test names; momento, apigee, azure, engine; --check
  faults            faults of docs/faults.md that no test names; --write makes docs/faults-coverage.md, --check compares it
  load [parts]      larder-http beside nginx, redis-server and memcached; hits, idle, slow; --seconds N, --rounds N
  ci                check, faults and spec --check, test, histories, doc, loom, bench --smoke, instructions, fuzz 0.2 --engine
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_a_command_takes_no_account_of_is_refused() {
        let refused = dispatch("tidy", &["--fix".to_owned()]).unwrap_err();
        assert_eq!(refused.to_string(), "tidy takes no \"--fix\"");
    }
}
