//! The rows of deadlines on every entry against none.
//!
//! # Idea         as in module `groups`; each contender is there twice
//! # Costs        none until a group is run
//! # Invariants   none
//! # Not here     how a row is run; the wheel; expiry

use std::time::Duration;

use super::fields::{entrant, filled};
use super::groups::{lane, question};
use super::race::{Draw, Entrant, Figure, Group, RowPlan};
use super::{Scale, Wish, ratio_max};
use crate::contender::{Larder, MiniMoka, Moka, QuickCache, QuickTtl, STRETTO_EVICTS, Stretto};
use crate::judge::{Goal, Row};
use crate::keys::VALUE;
use crate::kind::Bytes;
use crate::measure::{Job, Shared};

/// Longer than any run.
const TTL: Duration = Duration::from_secs(3600);

pub(super) fn run(wish: &Wish) -> Vec<Row> {
    let group = |field, row| Group::<Bytes> {
        field,
        value: &VALUE,
        n_keys: wish.scale.n_timed,
        absent: |name| {
            if name.starts_with("stretto") {
                STRETTO_EVICTS
            } else {
                "has no time to live"
            }
        },
        rows: vec![row],
    };
    let get = row(
        "ttl get zipf, to none",
        Draw::Zipf,
        Job::Get,
        ratio_max(1.03),
    );
    let insert = row(
        "ttl churn, to none",
        Draw::Fresh,
        Job::Insert,
        ratio_max(1.10),
    );
    let mut rows = group(resident, get).run(wish);
    rows.extend(group(churning, insert).run(wish));
    rows
}

/// What was filled in stays.
fn resident(scale: &Scale) -> Vec<Entrant<Bytes>> {
    filled(
        with_and_without(scale.n_timed * 5 / 4),
        scale.n_timed,
        &VALUE,
    )
}

/// Full from the start.
fn churning(scale: &Scale) -> Vec<Entrant<Bytes>> {
    let n_entries = scale.n_evicting;
    let mut field = with_and_without(n_entries);
    field.retain(|entrant| !entrant.name.starts_with("stretto"));
    filled(field, n_entries * 3 / 2, &VALUE)
}

const NAMES: [&str; 10] = [
    "larder ttl",
    "larder",
    "moka ttl",
    "moka",
    "mini-moka ttl",
    "mini-moka",
    "stretto ttl",
    "stretto",
    "quick_cache ttl by hand",
    "quick_cache",
];

/// Without a lane for them: foyer, TinyUFO, scc and the maps know no deadlines.
const WITHOUT: [&str; 3] = ["foyer ttl", "TinyUFO ttl", "scc ttl"];

fn row(name: &str, draw: Draw, job: Job, goal: Option<Goal>) -> RowPlan {
    let names = NAMES.iter().chain(&WITHOUT);
    RowPlan {
        section: "deadlines",
        questions: vec![question(name, Figure::Mean, goal)],
        draw,
        lanes: names.map(|name| lane(name, name, job, 1)).collect(),
        base: "larder",
    }
}

fn with_and_without(n_entries: usize) -> Vec<Entrant<Bytes>> {
    vec![
        entrant(
            "larder ttl",
            Shared(Larder::<[u8]>::with_ttl(n_entries, TTL)),
        ),
        entrant("larder", Shared(Larder::<[u8]>::new(n_entries))),
        entrant("moka ttl", Shared(Moka::<Bytes>::with_ttl(n_entries, TTL))),
        entrant("moka", Shared(Moka::<Bytes>::new(n_entries))),
        entrant(
            "mini-moka ttl",
            Shared(MiniMoka::<Bytes>::with_ttl(n_entries, TTL)),
        ),
        entrant("mini-moka", Shared(MiniMoka::<Bytes>::new(n_entries))),
        entrant(
            "stretto ttl",
            Shared(Stretto::<Bytes>::with_ttl(n_entries, TTL)),
        ),
        entrant("stretto", Shared(Stretto::<Bytes>::new(n_entries))),
        entrant(
            "quick_cache ttl by hand",
            Shared(QuickTtl::<Bytes>::new(n_entries, TTL)),
        ),
        entrant("quick_cache", Shared(QuickCache::<Bytes>::new(n_entries))),
    ]
}
