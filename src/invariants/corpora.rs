//! What the fuzzer has kept, run through as a regression test: each input of `fuzz/corpus`, whatever once failed included.

use std::fs;
use std::path::Path;

use super::{Config, Inside, Machine, Op};
use crate::cache::Cache;
use crate::{entry, wheel};

#[path = "../../tests/it/inputs/keys.rs"]
mod keys;
#[path = "../../tests/it/inputs/snapshot.rs"]
mod snapshot;

/// Runs every input of a target that has a name; none where the repository isn't around the crate. What a fuzzer found on this machine is
/// named by its hash, and would take minutes.
fn each(target: &str, run: fn(&[u8])) {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    if !corpora.is_dir() {
        return;
    }
    let mut n = 0;
    for file in fs::read_dir(corpora.join(target)).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if name.len() < 40 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            run(&fs::read(file.path()).unwrap());
            n += 1;
        }
    }
    assert!(n >= 5, "the corpus of {target} has {n} inputs");
}

#[test]
fn operations_that_were_kept() {
    each("operations", |input| {
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
    each("keys", keys::run);
}

#[test]
fn f14_deadlines_that_were_kept() {
    each("wheel", wheel::fuzz::run);
}

#[test]
fn entries_that_were_kept() {
    each("entry", entry::fuzz::run);
}

#[test]
fn snapshots_that_were_kept() {
    each("snapshot", snapshot::run);
}
