//! The instruction gate: what an operation takes, against what was committed.
//!
//! # Idea         an example counts its cases under callgrind and prints a line each; this compares the lines with the baseline
//! # Costs        a build of the example and some twenty short runs under valgrind
//! # Invariants   G1 the same compiler, C library and processor family count the same to a few instructions, so [`TOLERANCE`] holds;
//!   where one of them is another, [`TOLERANCE_ELSEWHERE`] does, and a line says so
//!   G2 in CI a missing valgrind is installed or is a failure; elsewhere it is a line that says SKIPPED
//! # Not here     what is counted: `examples/instructions`

use std::env;
use std::fs;

use crate::run::{Failure, Step, is_installed, root};

/// Where the committed figures are, from the repository's root.
const BASELINE: &str = "benches/instructions.txt";

/// The part of a baseline by which a figure may be off.
const TOLERANCE: f64 = 0.03;

/// The same where another compiler or C library counts: enough to pass over their differences, too little for a lost fast path.
const TOLERANCE_ELSEWHERE: f64 = 0.15;

const HEAD: &str = "\
# Instructions an operation, by callgrind. `cargo xtask instructions` compares, with `--bless` it writes this file.
";

pub(crate) fn instructions(rest: &[String]) -> Result<(), Failure> {
    let blesses = match rest {
        [] => false,
        [word] if word == "--bless" => true,
        _ => return Err(Failure::new("instructions takes nothing but --bless")),
    };
    if !is_installed("valgrind", "valgrind") {
        return if env::var_os("CI").is_some() {
            Err(Failure::new("valgrind is missing and can't be installed"))
        } else {
            println!(
                "instructions: SKIPPED, valgrind is not installed (`apt-get install valgrind`)"
            );
            Ok(())
        };
    }
    let counted = Step::cargo()
        .args(["run", "--release", "--quiet", "-p", "larder"])
        .args(["--example", "instructions"])
        .output()?;
    let counted = Figures::parse(&format!("on {}\n{counted}", machine()?))?;
    let path = root().join(BASELINE);
    if blesses {
        return fs::write(&path, counted.text())
            .map_err(|error| Failure::new(format!("can't write {BASELINE}: {error}")));
    }
    let committed = fs::read_to_string(&path)
        .map_err(|error| Failure::new(format!("can't read {BASELINE}: {error}")))?;
    let verdict = judge(&Figures::parse(&committed)?, &counted);
    for line in &verdict.lines {
        println!("instructions: {line}");
    }
    if verdict.lost.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!(
            "{}; if that is the price of something, `cargo xtask instructions --bless` accepts it",
            verdict.lost.join("; ")
        )))
    }
}

/// What figures depend on besides the sources: the compiler, and the C library with its allocator and copies.
fn machine() -> Result<String, Failure> {
    let rustc = Step::new("rustc").args(["--version"]).output()?;
    let libc = Step::new("getconf").args(["GNU_LIBC_VERSION"]).output();
    let libc = libc.unwrap_or("another C library".to_owned());
    Ok(format!(
        "{}, {}, {}",
        rustc.trim(),
        libc.trim(),
        env::consts::ARCH
    ))
}

/// Figures of one machine, by name.
#[derive(Debug, PartialEq)]
struct Figures {
    machine: String,
    counts: Vec<(String, f64)>,
}

impl Figures {
    fn parse(text: &str) -> Result<Figures, Failure> {
        let mut figures = Figures {
            machine: String::new(),
            counts: Vec::new(),
        };
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(machine) = line.strip_prefix("on ") {
                figures.machine = machine.to_owned();
                continue;
            }
            let figure = line.split_once(' ').and_then(|(name, count)| {
                let count: f64 = count.trim().parse().ok()?;
                (count.is_finite() && count > 0.0).then(|| (name.to_owned(), count))
            });
            let figure = figure
                .ok_or_else(|| Failure::new(format!("{line:?} is no name and instructions")))?;
            figures.counts.push(figure);
        }
        Ok(figures)
    }

    fn text(&self) -> String {
        let mut text = format!("{HEAD}on {}\n", self.machine);
        for (name, count) in &self.counts {
            text += &format!("{name:<16} {count:>8.1}\n");
        }
        text
    }

    fn of(&self, name: &str) -> Option<f64> {
        let found = self.counts.iter().find(|(other, _)| other == name);
        found.map(|(_, count)| *count)
    }
}

/// What came of a comparison.
struct Verdict {
    lines: Vec<String>,
    /// What fails, in words.
    lost: Vec<String>,
}

fn judge(committed: &Figures, counted: &Figures) -> Verdict {
    let mut verdict = Verdict {
        lines: Vec::new(),
        lost: Vec::new(),
    };
    let tolerance = if committed.machine == counted.machine {
        TOLERANCE
    } else {
        verdict.lines.push(format!(
            "counted on {}, the baseline on {}: {:.0} % are tolerated instead of {:.0} %",
            counted.machine,
            committed.machine,
            100.0 * TOLERANCE_ELSEWHERE,
            100.0 * TOLERANCE
        ));
        TOLERANCE_ELSEWHERE
    };
    for (name, count) in &counted.counts {
        let Some(baseline) = committed.of(name) else {
            verdict.lost.push(format!("{name} has no baseline"));
            continue;
        };
        let change = count / baseline - 1.0;
        let figures = format!(
            "{name}: {count:.1}, baseline {baseline:.1}, {:+.1} %",
            100.0 * change
        );
        if change > tolerance {
            verdict.lost.push(figures.clone());
        }
        verdict.lines.push(if change < -tolerance {
            format!("{figures}: less, please --bless")
        } else {
            figures
        });
    }
    for (name, _) in &committed.counts {
        if counted.of(name).is_none() {
            verdict.lost.push(format!("{name} isn't counted any more"));
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(text: &str) -> Figures {
        Figures::parse(text).expect("figures")
    }

    #[test]
    fn more_than_the_tolerance_is_lost_by_name_and_less_asks_for_a_blessing() {
        let committed = figures("# words\non here\nget 200\nread 100.5\n");
        let check = |counted: &str, lost: &[&str], n_blessings: usize| {
            let verdict = judge(&committed, &figures(counted));
            assert_eq!(verdict.lost, lost, "{counted:?}");
            let asks = |line: &&String| line.contains("--bless");
            assert_eq!(verdict.lines.iter().filter(asks).count(), n_blessings);
        };
        check("on here\nget 205.9\nread 98\n", &[], 0);
        check(
            "on here\nget 207\nread 90\n",
            &["get: 207.0, baseline 200.0, +3.5 %"],
            1,
        );
        check("on there\nget 206.1\nread 90\n", &[], 0);
        check(
            "on there\nget 240\nread 80\n",
            &["get: 240.0, baseline 200.0, +20.0 %"],
            1,
        );
        check(
            "on here\nget 200\npeek 1\n",
            &["peek has no baseline", "read isn't counted any more"],
            0,
        );
    }

    #[test]
    fn what_is_blessed_is_read_again() {
        let counted = figures("on here, x86_64\nget    208.4\nadmit-key 1000\n");
        assert_eq!(figures(&counted.text()), counted);
    }

    #[test]
    fn what_is_no_figure_is_refused() {
        for text in ["get", "get many", "get 0", "get -1", "get NaN"] {
            assert!(Figures::parse(text).is_err(), "{text:?}");
        }
    }
}
