//! The load comparison: larder-http beside servers that people know, on loopback, each under its usual load tool.
//!
//! # Idea         three parts, each a section of the page: throughput of hits, the memory of idle connections, a good client beside a
//!   slow attack; what isn't installed is a line that says SKIPPED, in the page as well
//! # Costs        rounds of some seconds each, one server at a time
//! # Invariants   L1 every server is started here, on a free port of loopback, and ended here; L2 rounds go around the servers, so
//!   that a slow minute slows them all
//! # Not here     what is measured inside the engine: benches and rivals

mod client;
mod page;
mod servers;
mod tools;

use std::time::Duration;

use self::client::{Client, percentile};
use self::page::{Row, Section};
use self::servers::{Installed, Larder};
use crate::run::{Failure, Step};

/// `cargo xtask load [hits] [idle] [slow] [--seconds N] [--rounds N]`.
pub(crate) fn load(rest: &[String]) -> Result<(), Failure> {
    let options = Options::read(rest)?;
    Step::cargo()
        .args(["build", "--release", "-p", "larder-http"])
        .run()?;
    for part in &options.parts {
        let section = match part.as_str() {
            "hits" => hits(&options)?,
            "idle" => idle()?,
            _ => slow(&options)?,
        };
        print!("{}", section.render());
        page::replace(&section)?;
    }
    Ok(())
}

struct Options {
    parts: Vec<String>,
    seconds: u64,
    rounds: usize,
}

const PARTS: [&str; 3] = ["hits", "idle", "slow"];

impl Options {
    fn read(rest: &[String]) -> Result<Options, Failure> {
        let mut options = Options {
            parts: Vec::new(),
            seconds: 4,
            rounds: 3,
        };
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            let number = |value: Option<&String>| {
                let value = value.and_then(|value| value.parse::<u64>().ok());
                value
                    .filter(|n| (1..=60).contains(n))
                    .ok_or_else(|| Failure::new(format!("{word} takes a number from 1 to 60")))
            };
            match word.as_str() {
                "--seconds" => options.seconds = number(words.next())?,
                "--rounds" => options.rounds = number(words.next())? as usize,
                part if PARTS.contains(&part) => options.parts.push(part.to_owned()),
                other => {
                    return Err(Failure::new(format!(
                        "load knows hits, idle, slow, --seconds and --rounds, not {other:?}"
                    )));
                }
            }
        }
        if options.parts.is_empty() {
            options.parts = PARTS.map(str::to_owned).to_vec();
        }
        Ok(options)
    }
}

/// The sizes of values that are asked for.
const SIZES: [(usize, &str); 2] = [(64, "64 B"), (16 << 10, "16 KiB")];

/// Connections that ask at the same time.
const CONNECTIONS: usize = 16;

/// Requests a second and the 99th percentile of hits.
fn hits(options: &Options) -> Result<Section, Failure> {
    let mut section = Section::new(
        "hits",
        "GET of a present key",
        &[
            "value",
            "server",
            "load tool",
            "requests/s",
            "of nginx",
            "p99",
        ],
    );
    let Installed { servers, skipped } = servers::all()?;
    section.skipped = skipped;
    for (len, size) in SIZES {
        let mut seen: Vec<Vec<tools::Measured>> = servers.iter().map(|_| Vec::new()).collect();
        for _ in 0..options.rounds {
            for (server, seen) in servers.iter().zip(&mut seen) {
                let time = Duration::from_secs(options.seconds);
                seen.push(server.measure(len, CONNECTIONS, time)?);
            }
        }
        let rates: Vec<f64> = seen
            .iter()
            .map(|rounds| median(rounds.iter().map(|round| round.per_second)))
            .collect();
        let nginx = servers.iter().position(|server| server.name() == "nginx");
        for (idx, server) in servers.iter().enumerate() {
            let ratio = nginx.map_or("-".to_owned(), |nginx| {
                let ratios = seen[idx]
                    .iter()
                    .zip(&seen[nginx])
                    .map(|(own, other)| own.per_second / other.per_second);
                format!("{:.2}", median(ratios))
            });
            let p99_us = median(seen[idx].iter().map(|round| round.p99_us));
            section.rows.push(Row(vec![
                size.to_owned(),
                server.name().to_owned(),
                server.tool().to_owned(),
                format!("{:.0}", rates[idx]),
                ratio,
                seen[idx][0].p99(p99_us),
            ]));
        }
    }
    section.notes.push(format!(
        "{CONNECTIONS} connections, {} rounds of {} s around the servers, medians; the ratio is that of the rounds.",
        options.rounds, options.seconds
    ));
    Ok(section)
}

/// Connections that are open and say nothing.
const IDLE: usize = 10_000;

fn idle() -> Result<Section, Failure> {
    let mut section = Section::new(
        "idle",
        "Idle connections",
        &["connections", "after", "resident bytes a connection"],
    );
    for (asked, after) in [(false, "being accepted"), (true, "one GET each")] {
        let larder = Larder::start()?;
        larder.put(SIZES[0].0)?;
        let _warm = client::open(
            larder.address(),
            100,
            larder.get_request(SIZES[0].0).as_deref(),
        )?;
        let before = larder.resident_bytes()?;
        let request = larder.get_request(SIZES[0].0).filter(|_| asked);
        let open = client::open(larder.address(), IDLE, request.as_deref())?;
        larder.settle(IDLE)?;
        let grown = larder.resident_bytes()?.saturating_sub(before);
        section.rows.push(Row(vec![
            open.len().to_string(),
            after.to_owned(),
            (grown / open.len() as u64).to_string(),
        ]));
    }
    section
        .notes
        .push("VmRSS of the server, all connections open, less VmRSS with a hundred.".to_owned());
    Ok(section)
}

/// A good client's times before and during a slow attack.
fn slow(options: &Options) -> Result<Section, Failure> {
    let mut section = Section::new(
        "slow",
        "A good client during slowloris",
        &["client", "p99 before", "p99 during", "ratio"],
    );
    if !servers::installed("slowhttptest") {
        section.skipped.push("slowhttptest".to_owned());
        return Ok(section);
    }
    let larder = Larder::start()?;
    larder.put(SIZES[0].0)?;
    let time = Duration::from_secs(options.seconds);
    for (anew, name) in [
        (false, "one connection kept"),
        (true, "a connection a request"),
    ] {
        let client = Client::new(larder.address(), larder.get_request(SIZES[0].0), anew);
        let mut pairs = Vec::new();
        for _ in 0..options.rounds {
            let before = client.times(time)?;
            let attack = tools::Slowloris::start(&larder.url(SIZES[0].0), time)?;
            let during = client.times(time)?;
            attack.stop();
            pairs.push((percentile(&before, 99.0), percentile(&during, 99.0)));
        }
        let shown = |us: f64| format!("{:.2} ms", us / 1000.0);
        section.rows.push(Row(vec![
            name.to_owned(),
            shown(median(pairs.iter().map(|pair| pair.0))),
            shown(median(pairs.iter().map(|pair| pair.1))),
            format!("{:.2}", median(pairs.iter().map(|pair| pair.1 / pair.0))),
        ]));
    }
    section.notes.push(format!(
        "`slowhttptest -H` with {} connections; {} rounds of {} s before and as long during it, medians. The aim: at most 2.",
        tools::SLOW_CONNECTIONS, options.rounds, options.seconds
    ));
    Ok(section)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n == 0 {
        return f64::NAN;
    }
    f64::midpoint(values[(n - 1) / 2], values[n / 2])
}

#[cfg(test)]
mod tests;
