//! Instructions an operation: `cargo run --release -p rivals --bin count-all`.
//!
//! # Idea         this binary runs itself under callgrind, each case with N operations and with 2N; the difference is N operations,
//!   free of start, filling and end
//! # Costs        a minute or two; needs valgrind
//! # Invariants   both runs of a case differ in the number of operations alone
//! # Not here     time: instructions say nothing of waits for memory

use std::hint::black_box;
use std::io;
use std::process::{Command, ExitCode};

use rivals::contender::{Contender, Larder, Moka, QuickCache};
use rivals::keys::{self, VALUE};

/// Operations of the short run.
const N_OPS: usize = 50_000;
/// Entries that look-ups find.
const N_RESIDENT: usize = 20_000;
/// No case comes near it.
const ROOM: usize = 1_000_000;

/// Larder through a held scope of a tenant without limits.
const SCOPE: &str = "scope";
/// What that may take more than the cache itself.
const SCOPE_SHARE_GOAL: f64 = 0.08;

const CACHES: [&str; 3] = ["larder", "quick_cache", "moka"];

/// What is counted, and what larder may take for it; and what the design asks for in the end.
const CASES: [(&str, f64, f64); 5] = [
    ("get", 220.0, 180.0),
    ("read", 170.0, 140.0),
    ("insert", 850.0, 700.0),
    ("miss", f64::NAN, f64::NAN),
    ("churn", f64::NAN, f64::NAN),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => match report() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("callgrind gave no count: {error}");
                ExitCode::FAILURE
            }
        },
        [cache, case, n_ops] => {
            let n_ops = n_ops.parse().unwrap_or(N_OPS);
            let room = if case == "churn" { N_RESIDENT } else { ROOM };
            match cache.as_str() {
                "larder" => work(&Larder::new(room), case, n_ops),
                SCOPE => work(&Larder::new(room).held(), case, n_ops),
                "quick_cache" => work(&QuickCache::new(room), case, n_ops),
                _ => work(&Moka::new(room), case, n_ops),
            }
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: count-all [CACHE CASE OPERATIONS]");
            ExitCode::FAILURE
        }
    }
}

fn report() -> io::Result<()> {
    println!(
        "{:<14} {:>8} {:>12} {:>8}   {:>6}",
        "instructions", "larder", "quick_cache", "moka", "goal"
    );
    let (mut n_lost, mut n_judged) = (0, 0);
    let mut plain = Vec::new();
    for (case, goal, later) in CASES {
        let mut counts = [0.0; CACHES.len()];
        for (sum, cache) in counts.iter_mut().zip(CACHES) {
            *sum = count(cache, case)?;
        }
        if matches!(case, "get" | "read") {
            plain.push((case, counts[0]));
        }
        let verdict = if goal.is_nan() {
            "shown".to_owned()
        } else {
            n_judged += 1;
            let is_lost = counts[0] > goal;
            n_lost += usize::from(is_lost);
            format!(
                "{goal:>6} {} (design {later})",
                if is_lost { "LOST" } else { "held" }
            )
        };
        println!(
            "{case:<14} {:>8.1} {:>12.1} {:>8.1}   {verdict}",
            counts[0], counts[1], counts[2]
        );
    }
    for (case, plain) in plain {
        let scoped = count(SCOPE, case)?;
        let above = scoped / plain - 1.0;
        let is_lost = above > SCOPE_SHARE_GOAL;
        n_judged += 1;
        n_lost += usize::from(is_lost);
        println!(
            "{case:<14} {scoped:>8.1} through a tenant's held scope: {:+.1} % {} (goal {:+.0} %)",
            100.0 * above,
            if is_lost { "LOST" } else { "held" },
            100.0 * SCOPE_SHARE_GOAL
        );
    }
    println!("rows lost: {n_lost} of {n_judged}");
    Ok(())
}

/// Instructions an operation.
fn count(cache: &str, case: &str) -> io::Result<f64> {
    let short = count_run(cache, case, N_OPS)?;
    let long = count_run(cache, case, 2 * N_OPS)?;
    Ok((long as f64 - short as f64) / N_OPS as f64)
}

/// Instructions of a whole run, as callgrind sums them up on its error output.
fn count_run(cache: &str, case: &str, n_ops: usize) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args([cache, case, &n_ops.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .map(|(_, count)| count.trim().parse());
    count
        .and_then(Result::ok)
        .ok_or_else(|| io::Error::other(text.into_owned()))
}

/// Both runs of a case prepare the same keys, so that preparing cancels out.
fn work<C>(cache: &C, case: &str, n_ops: usize)
where
    for<'a> &'a C: Contender,
{
    let mut cache = cache;
    for key in keys::run(0, N_RESIDENT) {
        cache.insert(&key, &VALUE);
    }
    let fresh = keys::run(N_RESIDENT as u64, 2 * N_OPS);
    let known = keys::uniform(N_RESIDENT, 2 * N_OPS, 3);
    match case {
        "get" => known[..n_ops].iter().for_each(|key| {
            black_box(cache.get(key));
        }),
        "read" => known[..n_ops].iter().for_each(|key| {
            black_box(cache.read(key));
        }),
        "miss" => fresh[..n_ops].iter().for_each(|key| {
            black_box(cache.get(key));
        }),
        _ => fresh[..n_ops]
            .iter()
            .for_each(|key| cache.insert(key, &VALUE)),
    }
    // Both runs end here: to drop what was inserted is no part of an insert.
    std::process::exit(0);
}
