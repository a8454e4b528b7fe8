//! The load tools: how each is called, and what its output says.
//!
//! # Idea         one function a tool for the call, one for the reading, so that the reading can be tested on printed output
//! # Not here     servers

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::run::{Failure, Step};

/// What a tool saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) p99_us: f64,
    /// Whether the percentile is only known to be at most this.
    pub(crate) at_most: bool,
}

impl Measured {
    /// A percentile of such rounds, as text.
    pub(crate) fn p99(&self, p99_us: f64) -> String {
        let sign = if self.at_most { "<= " } else { "" };
        format!("{sign}{:.2} ms", p99_us / 1000.0)
    }
}

pub(crate) fn wrk(
    url: &str,
    header: Option<&str>,
    n_connections: usize,
    time: Duration,
) -> Result<Measured, Failure> {
    let mut step = Step::new("wrk").args(["-t1", "--latency"]).args([
        format!("-c{n_connections}"),
        format!("-d{}s", time.as_secs()),
    ]);
    if let Some(header) = header {
        step = step.args(["-H", header]);
    }
    let output = step.args([url]).output()?;
    read_wrk(&output).ok_or_else(|| Failure::new(format!("wrk of {url}:\n{output}")))
}

/// None where the output isn't wrk's, or where some answers weren't good.
pub(crate) fn read_wrk(output: &str) -> Option<Measured> {
    let after = |label: &str| {
        let line = output.lines().find(|line| line.trim().starts_with(label))?;
        line.trim().strip_prefix(label)?.split_whitespace().next()
    };
    if output.contains("Non-2xx") {
        return None;
    }
    let p99 = after("99%")?;
    let split = p99.find(|c: char| c.is_ascii_alphabetic())?;
    let scale = match &p99[split..] {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    Some(Measured {
        per_second: after("Requests/sec:")?.parse().ok()?,
        p99_us: p99[..split].parse::<f64>().ok()? * scale,
        at_most: false,
    })
}

pub(crate) fn redis_benchmark(
    port: u16,
    len: usize,
    n_connections: usize,
    time: Duration,
) -> Result<Measured, Failure> {
    let run = |test: &str, n: usize| -> Result<Measured, Failure> {
        let output = Step::new("redis-benchmark")
            .args(["-p", &port.to_string(), "-t", test, "-d", &len.to_string()])
            .args(["-c", &n_connections.to_string(), "-n", &n.to_string()])
            .args(["--csv"])
            .output()?;
        read_redis_benchmark(&output)
            .ok_or_else(|| Failure::new(format!("redis-benchmark:\n{output}")))
    };
    run("set", n_connections)?;
    // The tool takes a number of requests, and no time: a short run says how many fill it.
    let rate = run("get", 10_000)?.per_second;
    run("get", (rate * time.as_secs_f64()) as usize + 1000)
}

pub(crate) fn read_redis_benchmark(output: &str) -> Option<Measured> {
    let mut lines = output
        .lines()
        .map(|line| line.split(',').map(|cell| cell.trim_matches('"')));
    let names: Vec<&str> = lines.next()?.collect();
    let cells: Vec<&str> = lines.next()?.collect();
    let of = |name: &str| -> Option<f64> {
        let at = names.iter().position(|found| *found == name)?;
        cells.get(at)?.parse().ok()
    };
    Some(Measured {
        per_second: of("rps")?,
        p99_us: of("p99_latency_ms")? * 1e3,
        at_most: false,
    })
}

pub(crate) fn memaslap(
    port: u16,
    configuration: &Path,
    n_connections: usize,
    time: Duration,
) -> Result<Measured, Failure> {
    let seconds = format!("{}s", time.as_secs());
    // A small window: the tool writes it full first, within its time.
    let output = Step::new("memcaslap")
        .args(["-s", &format!("127.0.0.1:{port}"), "-T", "1", "-w", "1k"])
        .args(["-c", &n_connections.to_string(), "-t", &seconds])
        .args(["-S", &seconds])
        .args(["-F".to_owned(), configuration.display().to_string()])
        .output()?;
    read_memaslap(&output).ok_or_else(|| Failure::new(format!("memaslap:\n{output}")))
}

/// Rate and percentile of its GETs. The percentile is the end of a power of two.
pub(crate) fn read_memaslap(output: &str) -> Option<Measured> {
    let global = output.lines().find(|line| line.starts_with("Global"))?;
    let per_second = global.split_whitespace().nth(3)?.parse().ok()?;
    let (_, gets) = output.split_once("Get Statistics (")?;
    let (_, buckets) = gets.split_once("Log2 Dist:")?;
    let mut counts: Vec<(u32, u64)> = Vec::new();
    for line in buckets.lines().skip(1) {
        let Some((first, cells)) = line.split_once(':') else {
            break;
        };
        let first: u32 = first.trim().parse().ok()?;
        let cells = cells
            .split_whitespace()
            .filter_map(|cell| cell.parse().ok());
        counts.extend((first..).zip(cells));
    }
    let total: u64 = counts.iter().map(|(_, n)| n).sum();
    let mut below = 0;
    let (bits, _) = counts.into_iter().find(|(_, n)| {
        below += n;
        below * 100 >= total * 99
    })?;
    Some(Measured {
        per_second,
        p99_us: f64::from(2_u32.checked_pow(bits)?),
        at_most: true,
    })
}

/// How many slow connections the attack opens.
pub(crate) const SLOW_CONNECTIONS: usize = 1000;

/// An attack that runs: headers that never end.
pub(crate) struct Slowloris(Child);

impl Slowloris {
    /// Begins it, and waits until its connections are open.
    pub(crate) fn start(url: &str, time: Duration) -> Result<Slowloris, Failure> {
        let length = time.as_secs() + 10;
        let child = Command::new("slowhttptest")
            .args([
                "-H", "-i", "2", "-r", "500", "-x", "24", "-p", "3", "-t", "GET",
            ])
            .args([
                "-c",
                &SLOW_CONNECTIONS.to_string(),
                "-l",
                &length.to_string(),
            ])
            .args(["-u", url])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Failure::new(format!("slowhttptest: {error}")))?;
        std::thread::sleep(Duration::from_secs(3));
        Ok(Slowloris(child))
    }

    pub(crate) fn stop(mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
