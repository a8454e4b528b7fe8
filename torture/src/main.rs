//! Threads that do everything to a cache for minutes, and check what they see, hold and leave.
//!
//! `cargo run --release -p torture -- --minutes 10 [--threads N] [--seed S]`. It ends with status 1 and one line a violation if a value is
//! torn, of another key, older than one that had settled, served past its deadline, lost without a reason, dropped twice or not at
//! all, or if more is charged or held than the bound allows, or the resident memory grows (judged of runs of five minutes and more).
//! `--flood` runs the keys that collide alone.

mod alloc;
mod args;
mod churn;
mod flood;
mod register;
mod report;
mod value;
mod watch;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use args::Args;
use churn::Churn;
use register::Registers;
use report::Report;
use watch::Watch;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(message) => {
            eprintln!("torture: {message}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    let report = Arc::new(Report::default());
    flood::run(&report);
    if !args.flood_alone {
        torture(&args, &report);
    }
    report.finish()
}

fn torture(args: &Args, report: &Arc<Report>) {
    let churn = Arc::new(Churn::new(Arc::clone(report)));
    let registers = Arc::new(Registers::new(args.threads, Arc::clone(report)));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut watch = Watch::new(args, Arc::clone(report));
    let threads: Vec<_> = (0..args.threads)
        .map(|at| {
            let (churn, registers) = (Arc::clone(&churn), Arc::clone(&registers));
            let is_over = Arc::clone(&is_over);
            let mut random = value::Random::new(args.seed, at);
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    for _ in 0..64 {
                        registers.step(at, &mut random);
                        churn.step(&mut random);
                    }
                }
            })
        })
        .collect();
    while watch.goes_on() {
        for _ in 0..50 {
            watch.look(&churn, &registers);
            thread::park_timeout(Duration::from_millis(20));
        }
        watch.second();
    }
    is_over.store(true, Ordering::Relaxed);
    for thread in threads {
        if thread.join().is_err() {
            report.violate("a thread has panicked");
        }
    }
    watch.finish();
    registers.finish();
    let churn = Arc::into_inner(churn);
    match churn {
        Some(churn) => churn.finish(),
        None => report.violate("a thread still holds the cache"),
    }
}
