//! How far a cache's tracked curve is from the hit ratios that the cache really has at those sizes, on a folder of traces.
//!
//! # Idea         each point (a trace at a share of its distinct keys) is replayed through a cache that is tracked, and through one of each
//!   size of the curve. Beside it stands what an exact LRU stack says of these sizes
//! # Costs        one trace in memory at a time; eight replays a point; points of a trace run side by side
//! # Invariants   T1 points are those of `hitratio`
//! # Not here     the traces: their licences differ, so they stay out of this repository

#[path = "../replay/codec.rs"]
mod codec;
#[path = "../replay/hrt.rs"]
mod hrt;
mod lru;
mod point;
mod table;
#[path = "../hitratio/traces.rs"]
mod traces;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clap::Parser;

use crate::point::{Answer, Point};
use crate::traces::{REQUESTS_MAX, load, trace_files, trace_name};

/// The error of tracked curves on a folder of traces.
#[derive(Debug, Parser)]
#[command(name = "curve")]
struct Options {
    /// The folder: NAME.hrt, NAME.hrt.zst or NAME.hrt.gz
    #[arg(long)]
    traces: PathBuf,
    /// Entries that are simulated
    #[arg(long, default_value = "2048")]
    entries: usize,
    /// Threads that replay a trace through the tracked cache, request by request
    #[arg(long, default_value = "1")]
    threads: usize,
    /// Bounds by bytes, for traces that have sizes
    #[arg(long)]
    bytes: bool,
    /// Only traces whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Points run side by side
    #[arg(long, default_value = "2")]
    jobs: usize,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("curve: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    println!(
        "{} entries simulated, one stripe, {} threads, first {REQUESTS_MAX} requests a trace",
        options.entries, options.threads
    );
    let mut answers = Vec::new();
    for path in trace_files(&options.traces, options.only.as_deref())? {
        let name = trace_name(&path);
        let columns =
            load(&path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
        let points = point::points(&name, &columns, options.bytes);
        answers.extend(side_by_side(&points, &columns, options)?);
        eprintln!("{name}: {} points", points.len());
    }
    if answers.is_empty() {
        return Err(format!("there is no point in {}", options.traces.display()).into());
    }
    print!("{}", table::table(&answers));
    Ok(())
}

/// Runs the points of one trace, some at a time; they come back in their order.
fn side_by_side(
    points: &[Point],
    columns: &hrt::Columns,
    options: &Options,
) -> Result<Vec<Answer>, larder::BuildError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(point.run(columns, options.entries, options.threads)?);
        }
        Ok(done)
    };
    let parts: Vec<Result<Vec<Answer>, larder::BuildError>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        let join = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().map(join).collect()
    });
    let mut answers = Vec::new();
    for part in parts {
        answers.extend(part?);
    }
    answers.sort_by_key(|answer| answer.capacity);
    Ok(answers)
}
