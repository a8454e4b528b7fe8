//! The rows of loads: what is there, and what is missing.
//!
//! # Idea         as in module `groups`
//! # Costs        none until a group is run
//! # Invariants   none
//! # Not here     how a row is run

use super::fields::{entrant, filled};
use super::groups::{lane, question};
use super::race::{Draw, Entrant, Figure, Group, RowPlan};
use super::{Scale, Wish};
use crate::contender::{Larder, LarderLoads, Moka, MokaLoads, QuickCache, QuickLoads};
use crate::judge::{Goal, Limit, Row};
use crate::keys::VALUE;
use crate::kind::Bytes;
use crate::measure::{Job, Shared};

pub(super) fn run(wish: &Wish) -> Vec<Row> {
    let group = |field, rows| Group::<Bytes> {
        field,
        value: &VALUE,
        n_keys: wish.scale.n_keys,
        absent: |_| "loads nothing",
        rows,
    };
    let mut rows = group(resident, resident_rows()).run(wish);
    rows.extend(group(full, full_rows()).run(wish));
    rows
}

/// Everything fits, and is there.
fn resident(scale: &Scale) -> Vec<Entrant<Bytes>> {
    filled(loaders(scale.n_keys * 5 / 4), scale.n_keys, &VALUE)
}

fn resident_rows() -> Vec<RowPlan> {
    let names = [
        "larder load",
        "larder",
        "quick_cache load",
        "quick_cache",
        "moka load",
        "moka",
    ];
    vec![RowPlan {
        section: SECTION,
        questions: vec![question(
            "load of what is there, zipf, to get",
            Figure::Mean,
            Some(Goal::promise(Limit::RatioMax(1.10))),
        )],
        draw: Draw::Zipf,
        lanes: names.map(|name| lane(name, name, Job::Get, 1)).into(),
        base: "larder",
    }]
}

/// Full from the start: each load evicts.
fn full(scale: &Scale) -> Vec<Entrant<Bytes>> {
    let n_entries = scale.n_evicting;
    filled(loaders(n_entries), n_entries * 3 / 2, &VALUE)
}

fn full_rows() -> Vec<RowPlan> {
    let names = ["larder load", "quick_cache load", "moka load"];
    [
        (1, "load of new keys, 1 thread"),
        (2, "load of new keys, 2 threads"),
    ]
    .map(|(n_threads, name)| RowPlan {
        section: SECTION,
        questions: vec![question(
            name,
            Figure::Mean,
            Some(Goal::promise(Limit::RatioMax(1.0))),
        )],
        draw: Draw::Fresh,
        lanes: names
            .map(|name| lane(name, name, Job::Get, n_threads))
            .into(),
        base: "quick_cache load",
    })
    .into()
}

fn loaders(n_entries: usize) -> Vec<Entrant<Bytes>> {
    vec![
        entrant(
            "larder load",
            Shared(LarderLoads(Larder::<[u8]>::new(n_entries))),
        ),
        entrant("larder", Shared(Larder::<[u8]>::new(n_entries))),
        entrant("quick_cache load", Shared(QuickLoads::new(n_entries))),
        entrant("quick_cache", Shared(QuickCache::<Bytes>::new(n_entries))),
        entrant("moka load", Shared(MokaLoads::new(n_entries))),
        entrant("moka", Shared(Moka::<Bytes>::new(n_entries))),
    ]
}

const SECTION: &str = "loads";
