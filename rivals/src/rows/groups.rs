//! The groups: the caches they fill, and their rows with their goals.
//!
//! # Idea         a table in code; every ratio is of the first lane
//! # Costs        none until a group is run
//! # Invariants   none
//! # Not here     how a row is run

use std::time::Duration;

use super::loading;
use super::{Draw, Entrant, Group, LanePlan, RowPlan, Scale};
use crate::contender::{Floor, Foyer, Larder, Moka, QuickCache, QuickTtl, SccCache, SccMap};
use crate::keys;
use crate::measure::{Job, Private, Shared, Subject};
use crate::table::Goal;

/// Longer than any run.
const TTL: Duration = Duration::from_secs(3600);

pub(super) fn all() -> Vec<Group> {
    vec![
        Group {
            field: resident,
            rows: resident_rows(),
        },
        Group {
            field: evicting,
            rows: evicting_rows(),
        },
        Group {
            field: churning,
            rows: churn_rows(),
        },
        Group {
            field: loading::resident,
            rows: loading::resident_rows(),
        },
        Group {
            field: loading::full,
            rows: loading::full_rows(),
        },
        Group {
            field: timed,
            rows: timed_rows(),
        },
        Group {
            field: timed_churning,
            rows: timed_churn_rows(),
        },
    ]
}

/// Everything fits: the bound is a quarter above the number of keys, so that no shard of a peer runs over.
fn resident(scale: &Scale) -> Vec<Entrant> {
    let room = scale.n_keys * 5 / 4;
    filled(
        vec![
            entrant("larder", Shared(Larder::new(room))),
            entrant("quick_cache", Shared(QuickCache::new(room))),
            entrant("moka", Shared(Moka::new(room))),
            entrant("foyer", Shared(Foyer::new(room))),
            entrant("scc", Shared(SccMap::new(room))),
            entrant("floor", Private(vec![Floor::default(), Floor::default()])),
        ],
        scale.n_keys,
    )
}

fn resident_rows() -> Vec<RowPlan> {
    let everyone = ["larder", "quick_cache", "moka", "foyer", "scc", "floor"];
    vec![
        row(
            "get zipf, 1 thread",
            Draw::Zipf,
            &everyone,
            Job::Get,
            1,
            goal(0.80, 0.70),
        ),
        row(
            "get zipf, 2 threads",
            Draw::Zipf,
            &everyone,
            Job::Get,
            2,
            goal(1.0, 0.55),
        ),
        row(
            "get hottest key, 1 thread",
            Draw::Hottest,
            &everyone,
            Job::Get,
            1,
            goal(1.0, 0.65),
        ),
        row(
            "get hottest key, 2 threads",
            Draw::Hottest,
            &everyone,
            Job::Get,
            2,
            goal(1.0, 0.42),
        ),
        RowPlan {
            name: "read hottest key, 2 threads, to its own 1 thread",
            draw: Draw::Hottest,
            lanes: vec![
                lane("larder", "larder read, 2 threads", Job::Read, 2),
                lane("larder", "larder read, 1 thread", Job::Read, 1),
                lane("scc", "scc read, 2 threads", Job::Read, 2),
                lane("scc", "scc read, 1 thread", Job::Read, 1),
                lane("floor", "floor read, 2 threads", Job::Read, 2),
                lane("quick_cache", "quick_cache get, 2 threads", Job::Get, 2),
            ],
            unit: "larder read, 1 thread",
            goal: goal(1.5, 1.3),
        },
        RowPlan {
            name: "read zipf, 1 thread",
            draw: Draw::Zipf,
            lanes: vec![
                lane("larder", "larder read", Job::Read, 1),
                lane("larder", "larder get", Job::Get, 1),
                lane("scc", "scc read", Job::Read, 1),
                lane("floor", "floor read", Job::Read, 1),
                lane("quick_cache", "quick_cache", Job::Get, 1),
            ],
            unit: "quick_cache",
            goal: goal(0.80, 0.70),
        },
        RowPlan {
            name: "get_many of 32 uniform, 1 thread",
            draw: Draw::Uniform,
            lanes: vec![
                lane("larder", "larder get_many", Job::GetMany, 1),
                lane("larder", "larder get", Job::Get, 1),
                lane("quick_cache", "quick_cache", Job::Get, 1),
                lane("floor", "floor get", Job::Get, 1),
            ],
            unit: "quick_cache",
            goal: goal(1.0, 0.35),
        },
        row(
            "remove + insert uniform, 1 thread",
            Draw::Uniform,
            &everyone,
            Job::RemoveInsert,
            1,
            goal(1.0, 0.60),
        ),
        row(
            "remove + insert uniform, 2 threads",
            Draw::Uniform,
            &everyone,
            Job::RemoveInsert,
            2,
            goal(1.0, 0.45),
        ),
    ]
}

/// A tenth of the keys fits. Each cache has seen the mix for a while, so that what it holds is its own choice.
fn evicting(scale: &Scale) -> Vec<Entrant> {
    let mut field = bounded(scale.n_evicting);
    let warming = keys::zipf(scale.n_keys, scale.n_evicting * 16, 4);
    for entrant in &mut field {
        entrant
            .subject
            .run(Job::Mix { insert_each: 2 }, &[&warming]);
    }
    field
}

fn evicting_rows() -> Vec<RowPlan> {
    let few = Job::Mix { insert_each: 20 };
    let half = Job::Mix { insert_each: 2 };
    vec![
        row(
            "mix 95/5 evicting, 1 thread",
            Draw::Zipf,
            &BOUNDED,
            few,
            1,
            goal(1.0, 0.90),
        ),
        row(
            "mix 95/5 evicting, 2 threads",
            Draw::Zipf,
            &BOUNDED,
            few,
            2,
            goal(1.0, 0.75),
        ),
        row(
            "mix 50/50 evicting, 1 thread",
            Draw::Zipf,
            &BOUNDED,
            half,
            1,
            goal(1.0, 0.90),
        ),
        row(
            "mix 50/50 evicting, 2 threads",
            Draw::Zipf,
            &BOUNDED,
            half,
            2,
            goal(1.0, 0.80),
        ),
    ]
}

/// Full from the start.
fn churning(scale: &Scale) -> Vec<Entrant> {
    filled(bounded(scale.n_churn), scale.n_churn * 3 / 2)
}

fn churn_rows() -> Vec<RowPlan> {
    vec![
        row(
            "churn, 1 thread",
            Draw::Fresh,
            &BOUNDED,
            Job::Insert,
            1,
            goal(1.0, 0.80),
        ),
        row(
            "churn, 2 threads",
            Draw::Fresh,
            &BOUNDED,
            Job::Insert,
            2,
            goal(1.0, 0.70),
        ),
    ]
}

/// Each cache with a deadline on every entry, and without; what was filled in stays. In a quick run the rarest keys are absent.
fn timed(scale: &Scale) -> Vec<Entrant> {
    filled(timed_and_not(scale.n_timed * 5 / 4), scale.n_timed)
}

fn timed_rows() -> Vec<RowPlan> {
    vec![timed_row(
        "ttl get zipf, to none",
        Draw::Zipf,
        Job::Get,
        goal(1.10, 1.03),
    )]
}

/// The same, full.
fn timed_churning(scale: &Scale) -> Vec<Entrant> {
    filled(timed_and_not(scale.n_evicting), scale.n_evicting * 3 / 2)
}

fn timed_churn_rows() -> Vec<RowPlan> {
    vec![timed_row(
        "ttl churn, to none",
        Draw::Fresh,
        Job::Insert,
        goal(1.20, 1.10),
    )]
}

fn timed_row(name: &'static str, draw: Draw, job: Job, goal: Option<Goal>) -> RowPlan {
    let names = [
        "larder ttl",
        "larder",
        "moka ttl",
        "moka",
        "quick_cache ttl by hand",
        "quick_cache",
    ];
    RowPlan {
        name,
        draw,
        lanes: names.iter().map(|name| lane(name, name, job, 1)).collect(),
        unit: "larder",
        goal,
    }
}

fn timed_and_not(n_entries: usize) -> Vec<Entrant> {
    vec![
        entrant("larder ttl", Shared(Larder::with_ttl(n_entries, TTL))),
        entrant("larder", Shared(Larder::new(n_entries))),
        entrant("moka ttl", Shared(Moka::with_ttl(n_entries, TTL))),
        entrant("moka", Shared(Moka::new(n_entries))),
        entrant(
            "quick_cache ttl by hand",
            Shared(QuickTtl::new(n_entries, TTL)),
        ),
        entrant("quick_cache", Shared(QuickCache::new(n_entries))),
    ]
}

const BOUNDED: [&str; 5] = ["larder", "quick_cache", "moka", "foyer", "scc"];

fn bounded(n_entries: usize) -> Vec<Entrant> {
    vec![
        entrant("larder", Shared(Larder::new(n_entries))),
        entrant("quick_cache", Shared(QuickCache::new(n_entries))),
        entrant("moka", Shared(Moka::new(n_entries))),
        entrant("foyer", Shared(Foyer::new(n_entries))),
        entrant("scc", Shared(SccCache::new(n_entries))),
    ]
}

pub(super) fn filled(mut field: Vec<Entrant>, n_keys: usize) -> Vec<Entrant> {
    let keys = keys::run(0, n_keys);
    for entrant in &mut field {
        entrant.subject.fill(&keys);
    }
    field
}

pub(super) fn entrant(name: &'static str, subject: impl Subject + 'static) -> Entrant {
    Entrant {
        name,
        subject: Box::new(subject),
    }
}

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

/// The same job for each entrant, in ratios to quick_cache.
fn row(
    name: &'static str,
    draw: Draw,
    entrants: &[&'static str],
    job: Job,
    n_threads: usize,
    goal: Option<Goal>,
) -> RowPlan {
    let lanes = entrants
        .iter()
        .map(|name| lane(name, name, job, n_threads))
        .collect();
    RowPlan {
        name,
        draw,
        lanes,
        unit: "quick_cache",
        goal,
    }
}

pub(super) fn goal(ratio_max: f64, later: f64) -> Option<Goal> {
    Some(Goal {
        ratio_max,
        later: Some(later),
    })
}
