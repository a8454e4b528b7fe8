//! The groups that are raced: the caches they fill, and their rows with their goals.
//!
//! # Idea         a table in code; a row has a lane for every contender, also for those that can't run it
//! # Costs        none until a group is run
//! # Invariants   G1 goals of the design's table are for values of 64 bytes, at one thread and two; what else is raced is shown
//! # Not here     how a row is run

use super::fields::{self, LARGE};
use super::race::{Draw, Entrant, Figure, Group, LanePlan, Question, RowPlan};
use super::{Scale, Wish, loading, ratio_max, timed};
use crate::contender::STRETTO_EVICTS;
use crate::judge::{FLOOR, Goal, Row};
use crate::keys::VALUE;
use crate::kind::Kind;
use crate::measure::Job;

/// Everyone who is raced: caches first, then what never evicts.
pub(super) const EVERYONE: [&str; 12] = [
    "larder",
    "quick_cache",
    "moka",
    "mini-moka",
    "foyer",
    "TinyUFO",
    "scc",
    "stretto",
    "dashmap",
    "papaya",
    "RwLock<HashMap>",
    FLOOR,
];

pub(super) const UNIT: &str = "quick_cache";

/// Threads of the rows that show how an operation scales.
const THREADS: [usize; 4] = [1, 2, 4, 8];

const FEW: Job = Job::Mix { insert_each: 20 };
const HALF: Job = Job::Mix { insert_each: 2 };

pub(super) fn run(wish: &Wish) -> Vec<Row> {
    let scale = &wish.scale;
    let mut rows = Vec::new();
    rows.extend(group(fields::resident, &VALUE[..], scale.n_keys, resident_rows()).run(wish));
    rows.extend(group(fields::evicting, &VALUE[..], scale.n_keys, evicting_rows()).run(wish));
    rows.extend(group(fields::churning, &VALUE[..], scale.n_keys, churn_rows()).run(wish));
    rows.extend(timed::run(wish));
    rows.extend(loading::run(wish));
    let large = || sized_rows("1 KiB");
    rows.extend(group(fields::large_resident, &LARGE[..], scale.n_large, large().0).run(wish));
    rows.extend(group(fields::large_evicting, &LARGE[..], scale.n_large, large().1).run(wish));
    let words = || sized_rows("u64 to u64");
    rows.extend(group(fields::words_resident, &1, scale.n_keys, words().0).run(wish));
    rows.extend(group(fields::words_evicting, &1, scale.n_keys, words().1).run(wish));
    rows
}

fn group<T: Kind>(
    field: fn(&Scale) -> Vec<Entrant<T>>,
    value: &'static T::Given,
    n_keys: usize,
    rows: Vec<RowPlan>,
) -> Group<T> {
    Group {
        field,
        value,
        n_keys,
        absent: without_bound,
        rows,
    }
}

/// Why a contender isn't in a field that evicts; in the others is everyone.
fn without_bound(name: &str) -> &'static str {
    if name == "stretto" {
        STRETTO_EVICTS
    } else {
        "has no bound"
    }
}

fn resident_rows() -> Vec<RowPlan> {
    let hottest = |n_threads, base, max| {
        let name = "get hottest key";
        RowPlan {
            base,
            ..row(name, HOTTEST, Draw::Hottest, Job::Get, n_threads, max)
        }
    };
    let mut rows = by_threads("get zipf", GET, Draw::Zipf, Job::Get, [0.70, 0.55]);
    rows.push(hottest(1, UNIT, ratio_max(0.65)));
    rows.push(hottest(2, "papaya", ratio_max(1.0)));
    rows.push(row(
        "get and read hottest key in turn",
        HOTTEST,
        Draw::Hottest,
        Job::GetAndRead,
        2,
        None,
    ));
    rows.push(RowPlan {
        section: HOTTEST,
        questions: vec![question(
            "read hottest key, 2 threads, to its own 1 thread",
            Figure::Mean,
            ratio_max(1.3),
        )],
        draw: Draw::Hottest,
        lanes: [
            ("larder", "larder read, 2 threads", 2),
            ("larder", "larder read, 1 thread", 1),
            ("papaya", "papaya read, 2 threads", 2),
            ("papaya", "papaya read, 1 thread", 1),
            ("scc", "scc read, 2 threads", 2),
            ("scc", "scc read, 1 thread", 1),
            (FLOOR, "floor read, 2 threads", 2),
            (UNIT, "quick_cache get, 2 threads", 2),
        ]
        .map(|(entrant, label, n_threads)| lane(entrant, label, Job::Read, n_threads))
        .into(),
        base: "larder read, 1 thread",
    });
    rows.push(row("read zipf", GET, Draw::Zipf, Job::Read, 1, None));
    rows.push(row(
        "get_many of 32 uniform",
        GET,
        Draw::Uniform,
        Job::GetMany,
        1,
        ratio_max(0.35),
    ));
    rows.extend(by_threads(
        "remove + insert uniform",
        WRITE,
        Draw::Uniform,
        Job::RemoveInsert,
        [0.60, 0.45],
    ));
    rows
}

fn evicting_rows() -> Vec<RowPlan> {
    let mut rows = by_threads("mix 95/5 evicting", MIX, Draw::Zipf, FEW, [0.90, 0.75]);
    rows.extend(by_threads(
        "mix 50/50 evicting",
        MIX,
        Draw::Zipf,
        HALF,
        [0.90, 0.80],
    ));
    let tails = [
        ("get p99", Figure::Get(0.99), 0.9),
        ("get p99.99", Figure::Get(0.9999), 0.9),
        ("insert p99.9", Figure::Insert(0.999), 0.6),
    ];
    rows.push(RowPlan {
        questions: tails
            .map(|(name, figure, max)| {
                let name = format!("latency {name}, 90/10 evicting, 2 threads");
                question(&name, figure, ratio_max(max))
            })
            .into(),
        ..row(
            "latency",
            LATENCY,
            Draw::Zipf,
            Job::TimedMix { insert_each: 10 },
            2,
            None,
        )
    });
    rows.push(RowPlan {
        questions: vec![question(
            "latency get p99.9, 1 thread, another churns",
            Figure::Get(0.999),
            // The quicker the other thread churns, the less is found.
            ratio_max(0.9).map(Goal::at_any_hits),
        )],
        ..row(
            "latency",
            LATENCY,
            Draw::Zipf,
            Job::TimedGetBesideChurn,
            2,
            None,
        )
    });
    rows
}

fn churn_rows() -> Vec<RowPlan> {
    by_threads("churn", WRITE, Draw::Fresh, Job::Insert, [0.80, 0.70])
}

/// What is shown for other keys and values: without eviction, and with.
fn sized_rows(what: &'static str) -> (Vec<RowPlan>, Vec<RowPlan>) {
    let at = |name: &str, draw, job| {
        [1, 2].map(|n_threads| {
            row(
                &format!("{name}, {what}"),
                SIZES,
                draw,
                job,
                n_threads,
                None,
            )
        })
    };
    let mut resident: Vec<RowPlan> = at("get zipf", Draw::Zipf, Job::Get).into();
    resident.extend(at(
        "remove + insert uniform",
        Draw::Uniform,
        Job::RemoveInsert,
    ));
    let mut evicting: Vec<RowPlan> = at("mix 95/5 evicting", Draw::Zipf, FEW).into();
    evicting.extend(at("churn", Draw::Fresh, Job::Insert));
    (resident, evicting)
}

// Rows.

const GET: &str = "get";
const HOTTEST: &str = "hottest key";
const MIX: &str = "mix";
const WRITE: &str = "write";
const LATENCY: &str = "latency";
const SIZES: &str = "other sizes";

pub(super) fn lane(
    entrant: &'static str,
    label: &'static str,
    job: Job,
    n_threads: usize,
) -> LanePlan {
    LanePlan {
        entrant,
        label,
        job,
        n_threads,
    }
}

pub(super) fn question(name: &str, figure: Figure, goal: Option<Goal>) -> Question {
    Question {
        name: name.to_owned(),
        figure,
        goal,
    }
}

/// The same job for everyone, in ratios to quick_cache.
fn row(
    name: &str,
    section: &'static str,
    draw: Draw,
    job: Job,
    n_threads: usize,
    goal: Option<Goal>,
) -> RowPlan {
    let threads = if n_threads == 1 { "thread" } else { "threads" };
    RowPlan {
        section,
        questions: vec![question(
            &format!("{name}, {n_threads} {threads}"),
            Figure::Mean,
            goal,
        )],
        draw,
        lanes: EVERYONE
            .iter()
            .map(|name| lane(name, name, job, n_threads))
            .collect(),
        base: UNIT,
    }
}

/// A row for each number of threads; the goals are those of one thread and of two.
fn by_threads(
    name: &str,
    section: &'static str,
    draw: Draw,
    job: Job,
    goals: [f64; 2],
) -> Vec<RowPlan> {
    let goal = |idx: usize| goals.get(idx).copied().and_then(ratio_max);
    let plans = THREADS.iter().enumerate();
    plans
        .map(|(idx, &n_threads)| row(name, section, draw, job, n_threads, goal(idx)))
        .collect()
}
