//! The rows: which questions are asked of whom.
//!
//! # Idea         a part is what measures a few rows in its own way: caches that are raced here, processes that must be alone, callgrind,
//!   traces. Each part gives rows of one form to the judge
//! # Costs        those of the parts that are wanted
//! # Invariants   RO1 a row that is wanted comes out, be it without figures; RO2 a part does nothing if none of its rows is wanted
//! # Not here     judging, printing

mod alone;
mod fields;
mod groups;
mod hitratio;
mod instructions;
mod limiter;
mod loading;
mod pace;
mod race;
mod timed;
mod timers;
mod wheel;

use crate::judge::{Goal, Limit, Row};

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Keys that are drawn from.
    pub n_keys: usize,
    /// Entries of a cache in rows that evict.
    pub n_evicting: usize,
    /// Entries of a cache in the rows of churn.
    pub n_churn: usize,
    /// Entries of a cache in the row of look-ups with deadlines.
    pub n_timed: usize,
    /// Keys that are drawn from where values are large.
    pub n_large: usize,
    /// Operations a thread and round; above two threads, that of two together.
    pub n_ops: usize,
    /// Rounds that count.
    pub n_rounds: usize,
    /// Maps of the floor: it takes part in rows of at most as many threads.
    pub n_floors: usize,
    /// Timers of the row about the longest tick.
    pub n_timers: usize,
    /// Operations of callgrind's shorter run.
    pub n_counted: usize,
    /// Entries of a cache whose memory is weighed.
    pub n_weighed: usize,
    /// Entries that are due at one moment.
    pub n_due: usize,
    /// Seconds of churn against each byte bound.
    pub bound_s: u64,
    /// Whether the traces are replayed, and callgrind and the allocator are asked about every peer.
    pub is_whole: bool,
}

impl Scale {
    /// What figures are quoted from.
    pub const FULL: Self = Self {
        n_keys: 1_000_000,
        n_evicting: 100_000,
        n_churn: 1_000_000,
        n_timed: 1_000_000,
        n_large: 200_000,
        n_ops: 300_000,
        n_rounds: 9,
        n_floors: 8,
        n_timers: 1_000_000,
        n_counted: 50_000,
        n_weighed: 1_000_000,
        n_due: 1_000_000,
        bound_s: 60,
        is_whole: true,
    };
    /// A first look in less than 90 s.
    pub const QUICK: Self = Self {
        n_keys: 80_000,
        n_evicting: 8_000,
        n_churn: 20_000,
        n_timed: 20_000,
        n_large: 8_000,
        n_ops: 6_000,
        n_rounds: 3,
        n_floors: 2,
        n_timers: 40_000,
        n_counted: 4_000,
        n_weighed: 50_000,
        n_due: 50_000,
        bound_s: 1,
        is_whole: false,
    };
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// How much is done.
    pub scale: Scale,
    /// Only rows whose name contains this.
    pub only: String,
    /// Where the traces are; without a folder, their rows stay without figures.
    pub traces: Option<std::path::PathBuf>,
}

impl Wish {
    /// Whether this row is wanted.
    pub fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }
}

/// Runs every row that is wanted, and tells of each that is done on the error output.
pub fn run(wish: &Wish) -> Vec<Row> {
    let parts = [
        groups::run,
        limiter::run,
        timers::run,
        wheel::run,
        instructions::run,
        alone::run,
        hitratio::run,
    ];
    let mut rows = Vec::new();
    for part in parts {
        rows.extend(part(wish));
    }
    rows
}

/// A row is done: a line for whoever waits.
fn tell(row: &Row) {
    let figure = row
        .figure()
        .map_or(String::new(), |figure| format!(" {figure:.3}"));
    eprintln!("{:<12} {}{figure}", row.verdict().word(), row.name);
}

/// A goal of the design's table, as a ratio.
const fn ratio_max(max: f64) -> Option<Goal> {
    Some(Goal::table(Limit::RatioMax(max)))
}

pub use instructions::{Case, count_case};
pub use timers::{Rounds, time_timers};
pub use wheel::longest_tick;
