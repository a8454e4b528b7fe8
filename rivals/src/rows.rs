//! The rows: which questions are asked of whom.
//!
//! # Idea         rows that can share filled caches form a group; a group is set up when the first of its rows is wanted, and dropped
//!   before the next group
//! # Costs        filling: a million entries a contender in the first group and the last
//! # Invariants   RO1 a contender never runs twice in a row within a round's order: the order turns by one each round; RO2 the first
//!   round of a row warms up and isn't counted
//! # Not here     judging, printing

mod groups;
mod loading;

use crate::keys::{self, Key};
use crate::measure::{Job, Subject};
use crate::table::{Goal, Lane, Row};

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
    /// Operations a thread and round.
    pub n_ops: usize,
    /// Rounds that count.
    pub n_rounds: usize,
}

impl Scale {
    /// What figures are quoted from.
    pub const FULL: Self = Self {
        n_keys: 1_000_000,
        n_evicting: 100_000,
        n_churn: 1_000_000,
        n_timed: 1_000_000,
        n_ops: 300_000,
        n_rounds: 9,
    };
    /// A first look in less than 90 s.
    pub const QUICK: Self = Self {
        n_keys: 1_000_000,
        n_evicting: 100_000,
        n_churn: 250_000,
        n_timed: 100_000,
        n_ops: 50_000,
        n_rounds: 5,
    };
}

/// Which keys a lane is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Draw {
    Zipf,
    Uniform,
    Hottest,
    Fresh,
}

/// A contender, set up.
struct Entrant {
    name: &'static str,
    subject: Box<dyn Subject>,
}

/// A lane before it has run.
struct LanePlan {
    entrant: &'static str,
    label: &'static str,
    job: Job,
    n_threads: usize,
}

/// A row before it has run.
struct RowPlan {
    name: &'static str,
    draw: Draw,
    lanes: Vec<LanePlan>,
    /// The label of the lane that ratios are to.
    unit: &'static str,
    goal: Option<Goal>,
}

/// Rows over the same filled caches.
struct Group {
    /// Sets the contenders up and fills them.
    field: fn(&Scale) -> Vec<Entrant>,
    rows: Vec<RowPlan>,
}

/// Runs every row whose name contains `filter`, and prints each when it is done.
pub fn run(scale: &Scale, filter: &str) -> Vec<Row> {
    let mut streams = Streams::new(scale);
    let mut rows = Vec::new();
    for mut group in groups::all() {
        group.rows.retain(|row| row.name.contains(filter));
        if group.rows.is_empty() {
            continue;
        }
        let mut field = (group.field)(scale);
        for plan in &group.rows {
            let row = run_row(plan, &mut field, &mut streams, scale);
            row.print();
            rows.push(row);
        }
    }
    rows
}

fn run_row(plan: &RowPlan, field: &mut [Entrant], streams: &mut Streams, scale: &Scale) -> Row {
    let n_lanes = plan.lanes.len();
    let mut lanes: Vec<Lane> = plan
        .lanes
        .iter()
        .map(|lane| Lane {
            name: lane.label.to_owned(),
            outcomes: Vec::new(),
        })
        .collect();
    for round in 0..=scale.n_rounds {
        let most_threads = plan
            .lanes
            .iter()
            .map(|lane| lane.n_threads)
            .max()
            .unwrap_or(1);
        let drawn = streams.draw(plan.draw, most_threads, scale.n_ops);
        let drawn: Vec<&[Key]> = drawn.chunks(scale.n_ops).collect();
        for turn in 0..n_lanes {
            let idx = (turn + round) % n_lanes;
            let lane = &plan.lanes[idx];
            let entrant = field
                .iter_mut()
                .find(|entrant| entrant.name == lane.entrant);
            let entrant = entrant.expect("a group's rows name its entrants");
            let outcome = entrant.subject.run(lane.job, &drawn[..lane.n_threads]);
            if round > 0 {
                lanes[idx].outcomes.push(outcome);
            }
        }
    }
    let unit = plan.lanes.iter().position(|lane| lane.label == plan.unit);
    Row {
        name: plan.name,
        lanes,
        unit: unit.expect("a row's unit is one of its lanes"),
        goal: plan.goal,
    }
}

/// Where keys are drawn from.
struct Streams {
    zipf: Vec<Key>,
    uniform: Vec<Key>,
    /// What is read next of the two.
    at: usize,
    /// The keys of this round, if they are made for it.
    made: Vec<Key>,
    fresh: u64,
}

impl Streams {
    fn new(scale: &Scale) -> Self {
        let len = scale.n_ops * 12;
        Self {
            zipf: keys::zipf(scale.n_keys, len, 1),
            uniform: keys::uniform(scale.n_keys, len, 2),
            at: 0,
            made: Vec::new(),
            fresh: FRESH_FIRST,
        }
    }

    /// The next keys for this many threads, `n_ops` each, in one slice.
    fn draw(&mut self, draw: Draw, n_threads: usize, n_ops: usize) -> &[Key] {
        let n_keys = n_threads * n_ops;
        if self.at + n_keys > self.zipf.len() {
            self.at = 0;
        }
        let begin = self.at;
        self.at += n_keys;
        match draw {
            Draw::Zipf => &self.zipf[begin..begin + n_keys],
            Draw::Uniform => &self.uniform[begin..begin + n_keys],
            Draw::Hottest => {
                self.made = vec![keys::key(0); n_keys];
                &self.made
            }
            Draw::Fresh => {
                self.made = keys::run(self.fresh, n_keys);
                self.fresh += n_keys as u64;
                &self.made
            }
        }
    }
}

/// Fresh keys have indices from here on, which no other stream has.
const FRESH_FIRST: u64 = 1 << 40;
