//! The judge: `cargo run --release -p rivals -- [--quick] [--only TEXT]`.
//!
//! # Idea         every row of the design's table of goals, all contenders in one run; see `rows`
//! # Costs        `--quick`: below 90 s; the whole: some half an hour, and 6 GiB
//! # Invariants   the last line is `rows lost: N of M`
//! # Not here     what a row is

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rivals::report::Report;
use rivals::rows::{self, Case, Scale, Wish};

/// larder and its peers in one run; what is lost is named first, and counted last
#[derive(Debug, Parser)]
#[command(name = "rivals", args_conflicts_with_subcommands = true)]
struct Options {
    /// A first look: smaller caches, fewer rounds, without traces
    #[arg(long)]
    quick: bool,
    /// Only rows whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Writes everything that was measured
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes the tables; in a page with marks, between them
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Draws the pictures
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// The folder of traces; beside the repository if not given
    #[arg(long, value_name = "DIR")]
    traces: Option<PathBuf>,
    #[command(subcommand)]
    child: Option<Child>,
}

#[derive(Debug, Subcommand)]
enum Child {
    /// One case so many times, in a process under callgrind
    #[command(hide = true)]
    Count {
        contender: String,
        case: Case,
        n_ops: usize,
        n_most: usize,
    },
    /// Timers by themselves, in a process without other work
    #[command(hide = true)]
    Timers { n_timers: usize, n_rounds: usize },
    /// The longest tick of a wheel, in a process without other work
    #[command(hide = true)]
    Tick {
        contender: String,
        n_timers: usize,
        n_rounds: usize,
    },
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rivals: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    match &options.child {
        Some(Child::Count {
            contender,
            case,
            n_ops,
            n_most,
        }) => match rows::count_case(contender, *case, *n_ops, *n_most)? {},
        Some(Child::Timers { n_timers, n_rounds }) => {
            let rounds = rows::time_timers(*n_timers, *n_rounds);
            println!("{}", serde_json::to_string(&rounds)?);
            return Ok(());
        }
        Some(Child::Tick {
            contender,
            n_timers,
            n_rounds,
        }) => {
            println!("{}", rows::longest_tick(contender, *n_timers, *n_rounds)?);
            return Ok(());
        }
        None => {}
    }
    let wish = Wish {
        scale: if options.quick {
            Scale::QUICK
        } else {
            Scale::FULL
        },
        only: options.only.clone(),
        traces: options.traces.clone(),
    };
    let rows = rows::run(&wish);
    if rows.is_empty() {
        return Err(format!("no row's name contains {:?}", options.only).into());
    }
    let report = Report::new(command(options), rows);
    if let Some(path) = &options.json {
        report.write_json(path)?;
    }
    if let Some(path) = &options.markdown {
        report.write_markdown(path)?;
    }
    if let Some(folder) = &options.plots {
        report.write_pictures(folder)?;
    }
    // Last, so that its last line is the last of all.
    print!("{}", report.text());
    Ok(())
}

/// What to type for the same rows.
fn command(options: &Options) -> String {
    let mut command = "cargo run --release -p rivals".to_owned();
    if options.quick || !options.only.is_empty() {
        command.push_str(" --");
    }
    if options.quick {
        command.push_str(" --quick");
    }
    if !options.only.is_empty() {
        command.push_str(&format!(" --only {:?}", options.only));
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn options_are_checked() {
        let options = parsed("rivals --quick --only churn --json a.json").unwrap();
        assert_eq!(
            command(&options),
            "cargo run --release -p rivals -- --quick --only \"churn\""
        );
        assert_eq!(options.json, Some(PathBuf::from("a.json")));
        assert_eq!(
            command(&parsed("rivals").unwrap()),
            "cargo run --release -p rivals"
        );
        for line in [
            "rivals --quik",
            "rivals churn",
            "rivals --only",
            "rivals count larder get many 10",
            "rivals count larder nothing 10 20",
            "rivals --quick count larder get 10 20",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_child_of_callgrind_is_understood() {
        let options = parsed("rivals count larder churn 10 20").unwrap();
        assert!(matches!(
            options.child,
            Some(Child::Count {
                case: Case::Churn,
                ..
            })
        ));
    }
}
