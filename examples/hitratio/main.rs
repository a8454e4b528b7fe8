//! Hit ratios on a folder of traces, beside those of the optimum, of simulators and of other crates.
//!
//! # Idea         each point (a trace at a share of its distinct keys) gets a cache of its own; every request is a `get_or_insert_with`,
//!   and a hit if nothing is loaded for it; the reference figures come out of the folder's reference.csv
//! # Costs        one trace in memory at a time; points of a trace run side by side when each has one thread
//! # Invariants   T1 points are those of reference.csv's definition: shares of the distinct keys among the requests replayed,
//!   none below 64 objects; T2 with one thread requests run in the trace's order
//! # Not here     the traces: their licences differ, so they stay out of this repository

#[path = "../replay/codec.rs"]
mod codec;
#[path = "../replay/hrt.rs"]
mod hrt;
mod point;
mod reference;
mod table;
mod traces;

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use clap::Parser;

use crate::point::{Mode, Point, Settings};
use crate::reference::Reference;
use crate::traces::{REQUESTS_MAX, load, trace_files, trace_name};

/// Hit ratios on a folder of traces.
#[derive(Debug, Parser)]
#[command(name = "hitratio")]
struct Options {
    /// The folder: NAME.hrt, NAME.hrt.zst or NAME.hrt.gz, and reference.csv
    #[arg(long)]
    traces: PathBuf,
    /// Stripes of each cache
    #[arg(long, default_value = "1")]
    stripes: NonZeroUsize,
    /// As many stripes as a cache of its size has if nothing is said
    #[arg(long, conflicts_with = "stripes")]
    default_stripes: bool,
    /// Threads that share a trace, request by request
    #[arg(long, default_value = "1")]
    threads: NonZeroUsize,
    /// Adds the rows bounded by bytes
    #[arg(long)]
    bytes: bool,
    /// Only traces whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Points run side by side; as many as there are cores if not given
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hitratio: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let reference = Reference::read(&options.traces.join("reference.csv"))?;
    let traces = trace_files(&options.traces, options.only.as_deref())?;
    if traces.is_empty() {
        return Err(format!("there is no trace in {}", options.traces.display()).into());
    }
    let settings = Settings {
        n_stripes: (!options.default_stripes).then_some(options.stripes.get()),
        n_threads: options.threads.get(),
    };
    println!(
        "stripes {}, threads {}, first {REQUESTS_MAX} requests a trace",
        settings
            .n_stripes
            .map_or("by default".to_owned(), |n| n.to_string()),
        settings.n_threads
    );
    let mut points = Vec::new();
    for path in &traces {
        let name = trace_name(path);
        let columns =
            load(path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
        let mut wanted = point::points(&name, &columns, Mode::Count);
        if options.bytes {
            wanted.extend(point::points(&name, &columns, Mode::Bytes));
        }
        let n_jobs = options
            .jobs
            .unwrap_or_else(|| cores_for(settings.n_threads));
        points.extend(side_by_side(&wanted, &columns, settings, n_jobs.get())?);
        eprintln!("{name}: {} points", wanted.len());
    }
    let (bytes, count): (Vec<Point>, Vec<Point>) = points
        .into_iter()
        .partition(|point| point.mode == Mode::Bytes);
    if options.bytes {
        print!("{}", table::bytes(&bytes, &reference));
    }
    print!("{}", table::count(&count, &reference));
    Ok(())
}

/// Runs the points of one trace, `n_jobs` at a time; they come back in their order.
fn side_by_side(
    wanted: &[Point],
    columns: &hrt::Columns,
    settings: Settings,
    n_jobs: usize,
) -> Result<Vec<Point>, Box<dyn Error>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(point) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(point.run(columns, settings)?);
        }
        Ok::<_, point::RunError>(done)
    };
    let parts: Vec<Result<Vec<Point>, point::RunError>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..n_jobs).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let mut points = Vec::new();
    for part in parts {
        points.extend(part?);
    }
    points.sort_by_key(|point| (point.mode, point.per_mille));
    Ok(points)
}

fn cores_for(n_threads: usize) -> NonZeroUsize {
    let n_cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(n_cores / n_threads).unwrap_or(NonZeroUsize::MIN)
}
