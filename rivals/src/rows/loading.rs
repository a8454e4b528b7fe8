//! The groups of loads: what is there, and what is missing.
//!
//! # Idea         as in module `groups`
//! # Costs        none until a group is run
//! # Invariants   none
//! # Not here     how a row is run

use super::groups::{entrant, filled, goal, lane};
use super::{Draw, Entrant, RowPlan, Scale};
use crate::contender::{Larder, LarderLoads, Moka, MokaLoads, QuickCache, QuickLoads};
use crate::measure::{Job, Shared};

/// Everything fits, and is there.
pub(super) fn resident(scale: &Scale) -> Vec<Entrant> {
    filled(loaders(scale.n_keys * 5 / 4), scale.n_keys)
}

pub(super) fn resident_rows() -> Vec<RowPlan> {
    let names = [
        "larder load",
        "larder",
        "quick_cache load",
        "quick_cache",
        "moka load",
        "moka",
    ];
    vec![RowPlan {
        name: "load of what is there, zipf, to get",
        draw: Draw::Zipf,
        lanes: names
            .iter()
            .map(|name| lane(name, name, Job::Get, 1))
            .collect(),
        unit: "larder",
        goal: goal(1.10, 1.10),
    }]
}

/// Full from the start: each load evicts.
pub(super) fn full(scale: &Scale) -> Vec<Entrant> {
    filled(loaders(scale.n_evicting), scale.n_evicting * 3 / 2)
}

pub(super) fn full_rows() -> Vec<RowPlan> {
    let names = ["larder load", "quick_cache load", "moka load"];
    [
        (1, "load of new keys, 1 thread"),
        (2, "load of new keys, 2 threads"),
    ]
    .map(|(n_threads, name)| RowPlan {
        name,
        draw: Draw::Fresh,
        lanes: names
            .iter()
            .map(|name| lane(name, name, Job::Get, n_threads))
            .collect(),
        unit: "quick_cache load",
        goal: goal(1.0, 1.0),
    })
    .into()
}

fn loaders(n_entries: usize) -> Vec<Entrant> {
    vec![
        entrant("larder load", Shared(LarderLoads(Larder::new(n_entries)))),
        entrant("larder", Shared(Larder::new(n_entries))),
        entrant("quick_cache load", Shared(QuickLoads::new(n_entries))),
        entrant("quick_cache", Shared(QuickCache::new(n_entries))),
        entrant("moka load", Shared(MokaLoads::new(n_entries))),
        entrant("moka", Shared(Moka::new(n_entries))),
    ]
}
