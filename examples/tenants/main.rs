//! Two tenants in one cache: A floods it with new keys, and B's hit ratio stays where it was.
//!
//! `cargo run --release --example tenants` prints a table and draws a picture. B reads a working set by zipf, and its entries live for a
//! while; what of them is alive fits what B is guaranteed. In phase 1, B is alone; in phase 2, A asks for ten times the capacity of
//! keys that are new; in phase 3, B is alone again. The last line says by how much the flood moved B's hit ratio: in phase 2, against
//! the same requests of B in a run without A.
//!
//! Columns: `B alone` is that run; `B confined` the same, with B held to what it is guaranteed; `with shares` has the flood; `without`
//! has it in a cache where nothing is guaranteed to anybody, and says what shares are good for.
//!
//! A guarantee protects what is guaranteed. What is idle is lent, and a loan ends when its owner wants it back: with `--ttl 0 --once 8` B
//! fills the whole cache with what it won't read again, and falls back to its guarantee when A comes; then `B confined` shows how much
//! of the difference is the loan.

#[path = "../replay/labels.rs"]
mod labels;
mod picture;
mod rates;
mod report;
mod run;
mod traffic;

use std::error::Error;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use larder::Rate;

use crate::report::Runs;
use crate::run::{Settings, Setup};
use crate::traffic::{Plan, Traffic};

/// Shows two tenants in one cache, one of which floods it.
#[derive(Debug, Parser)]
#[command(name = "tenants")]
struct Options {
    /// Bytes of the cache, such as 64M; B is guaranteed a half, A a quarter
    #[arg(long, value_parser = capacity, default_value = "64M")]
    bytes: u64,
    /// Requests of B in each of the three phases; seven for each object of its working set if not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(REQUESTS))]
    requests: Option<u32>,
    /// The exponent of zipf, by which B reads its working set
    #[arg(long, value_parser = exponent, default_value = "0.9")]
    zipf: f64,
    /// B's working set, in percent of what B is guaranteed
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000), default_value_t = 180)]
    working_set: u32,
    /// Percent of B's requests that are for keys which are read once
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=90), default_value_t = 0)]
    once: u32,
    /// Seconds that an entry of B's lives on average, by a clock on which B makes 100,000 requests a second; 0 for as long as the
    /// cache likes; if not given, the time of 3.5 requests for each object
    #[arg(long, value_parser = seconds)]
    ttl: Option<Duration>,
    /// What the requests are drawn by
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// 1: the requests of A are spread among those of B, and every run repeats itself; 2: A and B have a thread each
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2), default_value_t = 1)]
    threads: u8,
    /// Adds a run in which A may do so many operations a second of that clock
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rates: Option<u64>,
    /// Where the picture goes
    #[arg(long, default_value = "tenants.svg", conflicts_with = "no_plot")]
    plot: PathBuf,
    /// Draws no picture
    #[arg(long)]
    no_plot: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("tenants: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is to be printed.
fn run(options: &Options) -> Result<String, Box<dyn Error>> {
    let entry_bytes = run::entry_bytes()?;
    let (settings, plan) = plan(options, entry_bytes);
    let traffic = Traffic::draw(&plan, options.seed).ok_or("zipf doesn't take its exponent")?;
    let bar = progress_bar(options, &plan);
    let runs = runs(options, &settings, &traffic, &bar)?;
    bar.finish_and_clear();
    let mut text = report::opening(&plan, &settings, entry_bytes);
    text.push_str(&report::table(&runs));
    if let (Some(per_second), Some((rate, outcome))) = (options.rates, &runs.limited) {
        text.push_str(&report::admission(*rate, per_second, plan.n_flood, outcome));
    }
    if !options.no_plot {
        let path = &options.plot;
        picture::draw(path, &runs, &settings, plan.n_requests)
            .map_err(|error| format!("can't draw {}: {error}", path.display()))?;
        text.push_str(&format!("\npicture: {}\n", path.display()));
    }
    text.push_str(&format!(
        "B moved: {:.1} points\n",
        runs.moved(&runs.shares)
    ));
    Ok(text)
}

/// What the options come to. Where they say nothing, all follows from the number of objects, so that caches of any size do alike.
fn plan(options: &Options, entry_bytes: u64) -> (Settings, Plan) {
    let guaranteed_b = options.bytes / 2;
    let n_objects = guaranteed_b * u64::from(options.working_set) / 100 / entry_bytes;
    let n_objects = u32::try_from(n_objects).unwrap_or(u32::MAX).max(1);
    let ttl = options.ttl.unwrap_or(run::STEP * n_objects * 7 / 2);
    let settings = Settings {
        max_bytes: options.bytes,
        guaranteed_a: options.bytes / 4,
        guaranteed_b,
        ttl: (!ttl.is_zero()).then_some(ttl),
        n_threads: usize::from(options.threads),
        seed: options.seed,
    };
    let n_requests = options.requests.map_or(7 * i64::from(n_objects), i64::from);
    let plan = Plan {
        n_requests: n_requests.clamp(*REQUESTS.start(), *REQUESTS.end()) as usize,
        n_objects,
        zipf: options.zipf,
        once_pct: options.once,
        n_flood: (FLOOD_TIMES * settings.max_bytes).div_ceil(entry_bytes),
    };
    (settings, plan)
}

fn runs(
    options: &Options,
    settings: &Settings,
    traffic: &Traffic,
    bar: &ProgressBar,
) -> Result<Runs, Box<dyn Error>> {
    let run = |setup| run::run(setup, settings, traffic, bar);
    Ok(Runs {
        alone: run(Setup::Alone)?,
        confined: run(Setup::Confined)?,
        shares: run(Setup::Shares)?,
        shared: run(Setup::Shared)?,
        limited: match options.rates {
            Some(per_second) => {
                let rate = Rate::per_second(per_second).burst((per_second / 10).max(1));
                Some((rate, run(Setup::Limited(rate))?))
            }
            None => None,
        },
    })
}

/// A bar on the terminal; nothing if standard error is none.
fn progress_bar(options: &Options, plan: &Plan) -> ProgressBar {
    let n_floods = 2 + u64::from(options.rates.is_some());
    let of_b = (traffic::N_PHASES * plan.n_requests) as u64;
    let style = ProgressStyle::with_template(
        "{bar:40} {percent:>3} %  {human_pos} of {human_len}  {per_sec}  {eta} left",
    )
    .expect("the template is constant");
    ProgressBar::new((n_floods + 2) * of_b + n_floods * plan.n_flood).with_style(style)
}

/// Bytes, with a suffix K, M or G for powers of 1024.
fn capacity(text: &str) -> Result<u64, &'static str> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let count: u64 = digits
        .parse()
        .map_err(|_| "a size is a number, and perhaps K, M or G")?;
    count
        .checked_mul(1 << shift)
        .filter(|bytes| (BYTES_MIN..=BYTES_MAX).contains(bytes))
        .ok_or("the cache takes 1M to 1G here")
}

fn exponent(text: &str) -> Result<f64, &'static str> {
    let exponent = text.parse().map_err(|_| "the exponent is a number")?;
    let fits = (0.0..=5.0).contains(&exponent);
    fits.then_some(exponent)
        .ok_or("the exponent lies between 0 and 5")
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let count = text.parse().map_err(|_| "a number of seconds is wanted")?;
    let ttl = Duration::try_from_secs_f64(count).ok();
    ttl.filter(|ttl| *ttl <= TTL_MAX)
        .ok_or("the seconds lie between 0 and a million")
}

/// A asks for so many times the capacity.
const FLOOD_TIMES: u64 = 10;
const BYTES_MIN: u64 = 1 << 20;
/// With it, the working set and the keys that are read once stay far below 2^32 objects.
const BYTES_MAX: u64 = 1 << 30;
const TTL_MAX: Duration = Duration::from_secs(1_000_000);
const REQUESTS: RangeInclusive<i64> = 1000..=20_000_000;

#[cfg(test)]
mod tests;
