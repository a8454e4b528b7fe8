//! The table of speed: `cargo run --release -p rivals -- [--quick] [--only PART-OF-A-ROW'S-NAME]`.
//!
//! # Idea         all contenders in one process, turn by turn; see `rows`
//! # Costs        `--quick`: below 90 s; the whole: some minutes, and 3 GiB
//! # Invariants   the last line is `rows lost: N of M`
//! # Not here     memory, instructions, bounds and expiry: binaries `memory`, `count-all`, `bound`, `expiry` of this package

use std::process::ExitCode;

use rivals::rows::{self, Scale};
use rivals::table::print_verdict;

fn main() -> ExitCode {
    let mut scale = Scale::FULL;
    let mut filter = String::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => scale = Scale::QUICK,
            "--only" => filter = arguments.next().unwrap_or_default(),
            _ => {
                eprintln!("usage: rivals [--quick] [--only PART-OF-A-ROW'S-NAME]");
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "32-byte keys, 64-byte values, ahash, {} keys, zipf 0.99; {} rounds of {} operations a thread.\n\
         Bounds are counts of entries (quick_cache: every entry of weight one; scc's cache: the next power of two).\n\
         One thread: processor time. Two: real time, as one thread sees it. Ratios: median of the rounds' ratios.\n\
         Spread: between the quarter points, of the median.",
        scale.n_keys, scale.n_rounds, scale.n_ops
    );
    let rows = rows::run(&scale, &filter);
    print_verdict(&rows);
    ExitCode::SUCCESS
}
