//! Replays a request trace through the cache and says how it did.
//!
//! `cargo run --release --example replay` runs a generated mix; `cargo run --release --example replay -- access.log.gz` runs a web
//! server's log. Formats: HRT1, one key a line, CSV (time,key,size,ttl), access logs; each plain, gzip or zstd; from a file, or with `-`
//! from the standard input. Each request is a `get`, and on a miss an `insert` of as many bytes as the trace says. Times in a trace
//! drive the cache's clock, so deadlines mean the trace's time.

mod clf;
mod codec;
mod csv;
mod hrt;
mod input;
mod labels;
mod mix;
mod picture;
mod report;
mod run;
mod trace;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use larder::{Cache, ManualClock};

use crate::csv::Columns;
use crate::input::{Format, Input, Reading};
use crate::run::Settings;
use crate::trace::Trace;

/// Replays a request trace through the cache.
#[derive(Debug, Parser)]
#[command(name = "replay")]
struct Options {
    /// The trace, `-` for the standard input; without it a generated mix runs
    file: Option<PathBuf>,
    /// How the trace is written down; found out by its first lines if not given
    #[arg(long)]
    format: Option<Format>,
    /// The header of a CSV that has none, such as time,key,_,size,_,_,ttl
    #[arg(long, value_parser = columns)]
    columns: Option<Columns>,
    /// What one unit of a CSV's times is worth: s, ms, us, ns
    #[arg(long, value_parser = unit_s, default_value = "s")]
    time_unit: f64,
    /// Bytes the cache may hold, such as 64M; a tenth of the trace's objects if neither bound is given
    #[arg(long, value_parser = size)]
    max_bytes: Option<u64>,
    /// Entries the cache may hold
    #[arg(long)]
    max_entries: Option<u64>,
    /// Stripes, a power of two; the cache's own choice if not given
    #[arg(long)]
    stripes: Option<usize>,
    /// Threads that replay
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
    /// Requests to replay at most; 2,000,000 are generated
    #[arg(long)]
    requests: Option<u64>,
    /// Bytes of an object whose size the trace doesn't say
    #[arg(long, value_parser = size, default_value = "100")]
    value_bytes: u64,
    /// Objects above this are never offered to the cache
    #[arg(long, value_parser = size, default_value = "64M")]
    max_value: u64,
    /// Seconds that an entry lives whose request doesn't say
    #[arg(long, value_parser = seconds)]
    default_ttl: Option<Duration>,
    /// Where the picture goes
    #[arg(long, default_value = "replay.svg")]
    out: PathBuf,
    /// Requests a point of the picture; a two hundredth of the trace if not given
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    every: Option<u64>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("replay: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let (name, input) = load(options)?;
    print!("{}", report::malformed(&input.malformed));
    let trace = input.trace;
    if trace.requests.is_empty() {
        return Err(format!("there is no request in {name}").into());
    }
    let clock = ManualClock::new();
    let cache = build(options, &trace, &clock)?;
    let n_requests = trace.requests.len();
    let settings = Settings {
        n_threads: usize::from(options.threads),
        every: options
            .every
            .map_or(n_requests.div_ceil(PICTURE_POINTS), |every| every as usize),
        value_bytes_max: options.max_value,
    };
    let bar = progress_bar(n_requests as u64);
    let outcome = run::replay(&cache, &clock, &trace, settings, &bar);
    bar.finish_and_clear();
    print!(
        "{}",
        report::text(&name, &trace, &cache, &outcome, settings.n_threads)
    );
    let legend = picture::Legend {
        title: &name,
        max_bytes: cache.capacity().max_bytes,
        has_sizes: trace.has_sizes,
    };
    picture::draw(&options.out, &outcome.windows, settings.every, legend)
        .map_err(|error| format!("can't draw {}: {error}", options.out.display()))?;
    println!("{:<18} {}", "picture", options.out.display());
    Ok(())
}

/// The trace and what it's called.
fn load(options: &Options) -> Result<(String, Input), Box<dyn Error>> {
    let Some(path) = &options.file else {
        let trace = mix::generate(
            options
                .requests
                .unwrap_or(GENERATED_REQUESTS)
                .min(GENERATED_REQUESTS_MAX),
        );
        let input = Input {
            trace,
            format: Format::Hrt,
            codec: codec::Codec::Plain,
            malformed: input::Malformed::default(),
        };
        return Ok((
            "generated mix (zipf, scans, a moving hot set, deadlines)".to_owned(),
            input,
        ));
    };
    let reading = Reading {
        format: options.format,
        columns: options.columns,
        unit_s: options.time_unit,
        size_bytes: options.value_bytes,
        n_max: options.requests.unwrap_or(u64::MAX),
    };
    let input = input::open(path, &reading)
        .map_err(|error| format!("can't read {}: {error}", path.display()))?;
    let file = match path.file_name() {
        Some(name) if path.as_os_str() != "-" => name.to_string_lossy().into_owned(),
        _ => "standard input".to_owned(),
    };
    let name = format!("{file} ({:?}, {})", input.format, input.codec).to_lowercase();
    Ok((name, input))
}

fn build(
    options: &Options,
    trace: &Trace,
    clock: &ManualClock,
) -> Result<Cache<[u8]>, Box<dyn Error>> {
    let mut builder = Cache::builder();
    if let Some(max_entries) = options.max_entries {
        builder = builder.max_entries(max_entries);
    }
    match options.max_bytes {
        Some(max_bytes) => builder = builder.max_bytes(max_bytes),
        None if options.max_entries.is_none() => {
            builder = builder.max_bytes((trace.footprint_bytes() / 10).max(DEFAULT_BYTES_MIN));
        }
        None => {}
    }
    if let Some(stripes) = options.stripes {
        builder = builder.stripes(stripes);
    }
    if let Some(ttl) = options.default_ttl {
        builder = builder.default_ttl(ttl);
    }
    if trace.has_times {
        builder = builder.clock(clock.clone());
    }
    Ok(builder.build()?)
}

/// A bar on the terminal; nothing if standard error is none.
fn progress_bar(n_requests: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:40} {percent:>3} %  {human_pos} of {human_len}  {per_sec}  {eta} left",
    )
    .expect("the template is constant");
    ProgressBar::new(n_requests).with_style(style)
}

fn columns(text: &str) -> Result<Columns, &'static str> {
    Columns::from_header(text).ok_or("the columns name no key")
}

fn unit_s(text: &str) -> Result<f64, &'static str> {
    match text {
        "s" => Ok(1.0),
        "ms" => Ok(1e-3),
        "us" => Ok(1e-6),
        "ns" => Ok(1e-9),
        _ => Err("a unit is s, ms, us or ns"),
    }
}

/// Bytes, with a suffix K, M, G or T for powers of 1024.
fn size(text: &str) -> Result<u64, &'static str> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
        Some(b't' | b'T') => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    let count: u64 = digits
        .parse()
        .map_err(|_| "a size is a number, and perhaps K, M, G or T")?;
    count
        .checked_mul(1 << shift)
        .ok_or("the size is above what 64 bits hold")
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let count: f64 = text.parse().map_err(|_| "a number of seconds is wanted")?;
    Duration::try_from_secs_f64(count).map_err(|_| "the seconds are below zero or too many")
}

const GENERATED_REQUESTS: u64 = 2_000_000;
/// Three times as many would not fit in the memory of most machines.
const GENERATED_REQUESTS_MAX: u64 = 100_000_000;
const PICTURE_POINTS: usize = 200;
const DEFAULT_BYTES_MIN: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked() {
        assert_eq!(
            (size("12"), size("3k"), size("2G")),
            (Ok(12), Ok(3 << 10), Ok(2 << 30))
        );
        assert!(
            size("").is_err()
                && size("M").is_err()
                && size("-1").is_err()
                && size("99999999T").is_err()
        );
        assert!(seconds("1.5").is_ok() && seconds("-1").is_err() && seconds("NaN").is_err());
        let parse = |words: &[&str]| Options::try_parse_from(["replay"].iter().chain(words));
        assert!(parse(&["a.csv", "--threads", "2", "--max-bytes", "64M"]).is_ok());
        assert!(parse(&["--threads", "0"]).is_err() && parse(&["--every", "0"]).is_err());
        assert!(parse(&["--time-unit", "days"]).is_err() && parse(&["--format", "xml"]).is_err());
    }

    #[test]
    fn a_generated_mix_is_called_generated() {
        let options = Options::try_parse_from(["replay", "--requests", "500"]).unwrap();
        let (name, input) = load(&options).unwrap();
        assert!(name.contains("generated"));
        assert_eq!(input.trace.requests.len(), 500);
    }

    #[test]
    fn a_replay_draws_its_picture() {
        let trace = mix::generate(3_000);
        let clock = ManualClock::new();
        let options = Options::try_parse_from(["replay", "--max-bytes", "1M"]).unwrap();
        let cache = build(&options, &trace, &clock).unwrap();
        let settings = Settings {
            n_threads: 1,
            every: 100,
            value_bytes_max: 1 << 20,
        };
        let outcome = run::replay(&cache, &clock, &trace, settings, &ProgressBar::hidden());
        let path = std::env::temp_dir().join(format!("larder-replay-{}.svg", std::process::id()));
        let legend = picture::Legend {
            title: "a title",
            max_bytes: Some(1 << 20),
            has_sizes: true,
        };
        picture::draw(&path, &outcome.windows, 100, legend).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        for expected in [
            "<svg",
            "a title",
            "hit ratio",
            "byte hit ratio",
            "bytes charged",
            "bound",
            "requests",
        ] {
            assert!(svg.contains(expected), "{expected}");
        }
        // Two lines of ratios, one of bytes, each with a point a window.
        let longest = svg
            .lines()
            .filter(|line| line.contains("<polyline"))
            .filter(|line| line.split(',').count() > 30);
        assert_eq!(longest.count(), 3);
    }
}
