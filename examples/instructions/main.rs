//! Instructions an operation, for `cargo xtask instructions`, which compares them with the committed ones.
//!
//! # Idea         this program runs itself under callgrind, each case with N operations and with 2N; the difference is N operations,
//!   free of start, preparation and end
//! # Costs        two runs under valgrind a case, a second or two each
//! # Invariants   I1 both runs of a case prepare the same things and differ in the number of operations alone; I2 nothing is drawn at
//!   random: seeds, order, number of stripes and, where it decides anything, the time are fixed
//! # Not here     baselines and tolerance; time: instructions say nothing of waits for memory

mod cases;

use std::error::Error;
use std::process::{Command, ExitCode};

use cases::CASES;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match &arguments[..] {
        [] => report(),
        [name, n_ops] => work(name, n_ops),
        _ => Err("usage: instructions [CASE OPERATIONS]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A line for each case: its name, and what one operation takes.
fn report() -> Result<(), Box<dyn Error>> {
    for (name, _) in CASES {
        let short = count_run(name, cases::N_OPS)?;
        let long = count_run(name, 2 * cases::N_OPS)?;
        let count = long.saturating_sub(short) as f64 / cases::N_OPS as f64;
        println!("{name:<16} {count:>8.1}");
    }
    Ok(())
}

fn work(name: &str, n_ops: &str) -> Result<(), Box<dyn Error>> {
    let n_ops: usize = n_ops.parse()?;
    let case = CASES.iter().find(|(case, _)| *case == name);
    let (_, case) = case.ok_or_else(|| format!("there is no case {name:?}"))?;
    if n_ops > 2 * cases::N_OPS {
        return Err(format!("at most {} operations are prepared", 2 * cases::N_OPS).into());
    }
    case(n_ops)
}

/// Instructions of a whole run, as callgrind sums them up on its error output.
fn count_run(name: &str, n_ops: usize) -> Result<u64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args([name, &n_ops.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    collected(&text)
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("callgrind gave no count of {name:?}: {text}").into())
}

fn collected(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("Collected : ")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_found_among_other_lines() {
        let text = "==1== Events    : Ir\n==1== Collected : 12345\n==1== \n";
        assert_eq!(collected(text), Some(12345));
        assert_eq!(collected("valgrind: no such file"), None);
    }

    #[test]
    fn every_case_runs_and_does_what_it_counts() {
        for (name, case) in CASES {
            case(100).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}
