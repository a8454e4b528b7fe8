//! What the fuzzer has kept, run through as a regression test: each input of `fuzz/corpus`, whatever once failed included.

use super::{Config, Inside, Machine, Op};
use crate::cache::Cache;
use crate::{entry, wheel};

#[path = "../../tests/it/inputs/kept.rs"]
mod kept;
#[path = "../../tests/it/inputs/keys.rs"]
mod keys;
#[path = "../../tests/it/inputs/snapshot.rs"]
mod snapshot;

#[test]
fn operations_that_were_kept() {
    kept::each("operations", |input| {
        let Some((&config, ops)) = input.split_first_chunk() else {
            return;
        };
        let (ops, _) = ops.as_chunks::<4>();
        let inside = Inside {
            prepare: |builder| builder,
            inspect: Cache::check_invariants,
        };
        Machine::run(
            Config::decode(config),
            ops.iter().map(|&op| Op::decode(op)),
            inside,
        );
    });
}

#[test]
fn f38_keys_that_were_kept() {
    kept::each("keys", keys::run);
}

#[test]
fn f14_deadlines_that_were_kept() {
    kept::each("wheel", wheel::fuzz::run);
}

#[test]
fn entries_that_were_kept() {
    kept::each("entry", entry::fuzz::run);
}

#[test]
fn snapshots_that_were_kept() {
    kept::each("snapshot", snapshot::run);
}
