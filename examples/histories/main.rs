//! Plays many small histories on a cache, with threads that overlap by force, and checks that each is linearizable.
//!
//! `cargo run --release --example histories` plays two to four threads that do two to five operations each on one to three keys, notes when
//! each operation began and ended and what it answered, and looks for an order of the operations that a map with deadlines would explain
//! the answers by. The clock is moved by operations of the histories alone. The last line says how many histories have no such order.
//!
//! A violation is printed as a time line, with its seed: `--seed` plays the same plan again and again, though threads may meet otherwise.
//! `--plant` puts a fault before the cache, to see that it is found.

mod atoms;
mod call;
mod claims;
mod content;
mod crew;
mod draw;
mod family;
mod history;
mod model;
mod number;
mod pace;
mod plan;
mod plants;
mod run;
mod search;
mod show;
mod subject;
mod tally;
mod task;
mod view;
mod words;

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::family::Family;
use crate::plants::Plant;
use crate::run::{Finding, Order};
use crate::tally::Tally;

/// Checks that concurrent operations on a cache are linearizable.
#[derive(Debug, Parser)]
#[command(name = "histories")]
struct Options {
    /// How many histories are played
    #[arg(long, default_value_t = 200_000)]
    histories: u64,
    /// Plays for so many minutes, however many histories that are
    #[arg(long, conflicts_with = "histories")]
    minutes: Option<f64>,
    /// The seed of the first history; the others have the numbers that follow
    #[arg(long, default_value_t = 64)]
    from: u64,
    /// Plays the plan of this seed each time
    #[arg(long, conflicts_with = "from")]
    seed: Option<u64>,
    /// Plays one family of plans only: plain, time, scopes, atomic, counters, appends, loads, stale, idle, all; with a fault, if not given,
    /// the one where it is likely to show
    #[arg(long, value_parser = family)]
    family: Option<Family>,
    /// Puts a fault before the cache; `--plant list` names them
    #[arg(long)]
    plant: Option<String>,
    /// Stops after so many violations
    #[arg(long, default_value_t = 3)]
    violations: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let plant = match options.plant.as_deref().map(Plant::named) {
        None => None,
        Some(Some(plant)) => Some(plant),
        Some(None) => {
            for plant in Plant::EACH {
                println!("{:<16} {}", plant.name(), plant.what());
            }
            return ExitCode::FAILURE;
        }
    };
    let order = Order {
        n_histories: options.minutes.map_or(options.histories, |_| u64::MAX),
        time: options
            .minutes
            .map(|minutes| Duration::from_secs_f64(60.0 * minutes)),
        seed: options.seed.unwrap_or(options.from),
        repeats: options.seed.is_some(),
        family: options.family.or(plant.map(Plant::family)),
        plant,
    };
    let tell = |finding: &Finding, tally: &Tally| {
        print!("{}", report(finding, tally));
        if tally.n_violations() < options.violations {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    match run::run(&order, tell) {
        Ok(tally) => {
            print!("{tally}");
            println!("violations: {}", tally.n_violations());
            ExitCode::from(u8::from(tally.n_violations() > 0))
        }
        Err((stuck, seed)) => {
            println!("{} at seeds from {seed} on", stuck.what());
            println!("violations: 1");
            ExitCode::FAILURE
        }
    }
}

/// What is printed of a violation.
fn report(finding: &Finding, tally: &Tally) -> String {
    let (history, violation) = show::reduce(&finding.history, &finding.violation);
    let cells: Vec<String> = violation.cells.iter().map(ToString::to_string).collect();
    format!(
        "violation in history {}: seed {}, family {}, keys {}\n{}\n{}\n",
        tally.n_histories(),
        finding.seed,
        finding.family.name(),
        cells.join(" "),
        violation.what,
        show::time_line(&history, &violation),
    )
}

fn family(name: &str) -> Result<Family, &'static str> {
    let found = Family::EACH
        .into_iter()
        .find(|family| family.name() == name);
    found
        .ok_or("the families are plain, time, scopes, atomic, counters, appends, loads, stale, idle and all")
}

#[cfg(test)]
mod tests;
