//! What a model checker can't hold, under schedules drawn at random: a whole cache, and threads that pass the turn to one another
//! wherever they touch what they share. Each scenario has a twin that leaves one thing out, and must fail in one of its schedules.
//!
//! `LARDER_SCHEDULES=10000 cargo test --release --lib scenarios` draws more schedules than CI does.
//!
//! The scenarios: the listener is told of a key's values in their order, once each; what had settled before its scope was ended is found
//! by nobody afterwards; claims stay within a bound that is moved meanwhile; a cache that is dropped while its handles are used
//! by others ends each value once.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::cache::{Cache, Capacity};
use crate::entry::Entry;
use crate::stats::RemovalCause;
use crate::sync::schedule::{self, Fault};

type Actor = Box<dyn FnOnce() + Send>;

/// So that a seed draws the same schedule again.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// Schedules of a scenario; how often the turn passed, in all.
fn each_schedule(scenario: fn(u64, Option<Fault>) -> u64) {
    let n = std::env::var("LARDER_SCHEDULES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(150);
    let n_switches: u64 = (0..n).map(|seed| scenario(seed, None)).sum();
    assert!(n_switches > n, "the turn never passes");
    println!("{n} schedules, {n_switches} switches");
}

/// That the scenario fails in one of some schedules, without what is left out.
fn fails(scenario: fn(u64, Option<Fault>) -> u64, fault: Fault) {
    let failing = (0..2_000)
        .find(|&seed| catch_unwind(AssertUnwindSafe(|| scenario(seed, Some(fault)))).is_err());
    let seed = failing.expect("no schedule shows the fault");
    println!("{fault:?} shows at seed {seed}");
}

/// Maintenance to its end.
fn settle<V: crate::entry::Value + ?Sized>(cache: &Cache<V>) {
    while cache.maintain(1000).more {}
    cache.check_invariants();
}

// The listener.

type Told = Arc<Mutex<Vec<(u64, u64, RemovalCause)>>>;

/// Two threads replace and remove two keys, and a third one makes room: of each key, versions are told in order, once each.
fn listener_order(seed: u64, fault: Option<Fault>) -> u64 {
    let told = Told::default();
    let ear = Arc::clone(&told);
    let cache: Cache<u64> = Cache::builder()
        .max_entries(8)
        .stripes(1)
        .hash_seeds(SEEDS)
        .listener(move |_, entry: Entry<u64>, cause| {
            let heard = (*entry % 2, entry.version(), cause);
            // Between being told and noting it, another may be told.
            schedule::point();
            ear.lock().push(heard);
        })
        .build()
        .unwrap();
    let act = |from: u64| -> Actor {
        let cache = cache.clone();
        Box::new(move || {
            for i in from..from + 6 {
                cache.insert(i % 2, i).unwrap();
                if i % 3 == 0 {
                    drop(cache.remove((i + 1) % 2));
                }
            }
        })
    };
    let third = cache.clone();
    let actors = vec![act(0), act(100), Box::new(move || _ = third.maintain(10))];
    let n_switches = schedule::run(seed, fault, actors);
    cache.clear();
    settle(&cache);
    let told = told.lock();
    assert_eq!(
        told.len() as u64,
        cache.stats().inserted,
        "each is told of once"
    );
    let mut last = BTreeMap::new();
    for &(key, version, cause) in told.iter() {
        let before = last.insert(key, version).unwrap_or(0);
        assert!(
            before < version,
            "{version} ({cause:?}) is told after {before}"
        );
    }
    n_switches
}

#[test]
fn f33_a_listener_is_told_of_a_keys_values_in_their_order() {
    each_schedule(listener_order);
}

#[test]
fn f33_twin_without_a_turn_it_is_not() {
    fails(listener_order, Fault::Turn);
}

// Invalidation.

/// One thread writes in a scope, another ends it, a third reads: nothing that had settled before the end is found after it.
fn invalidation(seed: u64, fault: Option<Fault>) -> u64 {
    let cache: Cache<u64> = Cache::builder()
        .max_entries(100)
        .stripes(1)
        .hash_seeds(SEEDS)
        .build()
        .unwrap();
    let settled = Arc::new(AtomicU64::new(0));
    // All that had settled when the last finished end of the scope began.
    let ended = Arc::new(AtomicU64::new(0));
    let (writes, ends, reads) = (cache.clone(), cache.clone(), cache.clone());
    let (seen, floor, told) = (Arc::clone(&settled), Arc::clone(&ended), Arc::clone(&ended));
    let write = move || {
        for i in 1..=6 {
            writes.scope("s").unwrap().insert("k", i).unwrap();
            settled.store(i, Ordering::SeqCst);
        }
    };
    let end = move || {
        for _ in 0..3 {
            let before = seen.load(Ordering::SeqCst);
            ends.scope("s").unwrap().invalidate();
            told.fetch_max(before, Ordering::SeqCst);
            schedule::point();
        }
    };
    let read = move || {
        let scope = reads.scope("s").unwrap();
        for _ in 0..10 {
            let floor = floor.load(Ordering::SeqCst);
            let found = scope.get("k").map(|entry| *entry);
            assert!(
                found.is_none_or(|found| found > floor),
                "{found:?}, and {floor} was ended"
            );
        }
    };
    let n_switches = schedule::run(
        seed,
        fault,
        vec![Box::new(write), Box::new(end), Box::new(read)],
    );
    settle(&cache);
    n_switches
}

#[test]
fn f03_what_had_settled_before_its_scope_ended_is_found_by_nobody() {
    each_schedule(invalidation);
}

#[test]
fn f03_twin_a_view_that_does_not_look_at_the_epoch_finds_it() {
    fails(invalidation, Fault::Epoch);
}

// A bound that is moved.

/// Two threads insert while a third moves the bound down and up: claims never pass the larger bound, and in the end not the last one.
fn resize(seed: u64, fault: Option<Fault>) -> u64 {
    const LARGE: u64 = 120_000;
    const MANY: u64 = 9;
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(LARGE)
        .max_entries(MANY)
        .stripes(2)
        .hash_seeds(SEEDS)
        .build()
        .unwrap();
    let insert = |from: u64| -> Actor {
        let cache = cache.clone();
        Box::new(move || {
            for i in from..from + 12 {
                // Room may be refused while the bound is low and others hold what would be free.
                drop(cache.insert(i, vec![0; 9000]));
                let (bytes, entries) = cache.claimed();
                assert!(bytes <= LARGE && entries <= MANY, "{bytes}, {entries}");
                if i % 3 == 0 {
                    drop(cache.remove(i));
                }
            }
        })
    };
    let bounds = cache.clone();
    let resize = move || {
        for (bytes, entries) in [(60_000, MANY), (LARGE, 5), (50_000, MANY), (LARGE, MANY)] {
            let capacity = Capacity::bytes(bytes).and_entries(entries);
            bounds.set_capacity(capacity).unwrap();
            bounds.maintain(4);
        }
    };
    let actors = vec![insert(0), insert(100), Box::new(resize)];
    let n_switches = schedule::run(seed, fault, actors);
    settle(&cache);
    assert!(cache.weight() <= LARGE);
    n_switches
}

#[test]
fn f19_claims_stay_within_a_bound_that_is_moved() {
    each_schedule(resize);
}

#[test]
fn f19_twin_claims_in_two_steps_do_not() {
    fails(resize, Fault::Claim);
}

// The end of a cache.

/// A value that is counted.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Counted {
        alive.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(alive))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        schedule::point();
        let before = self.0.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "a value ends twice");
    }
}

/// Threads that write, load, read and walk each drop their handle, whichever is the last: each value ends once, with the cache.
fn end(seed: u64, fault: Option<Fault>) -> u64 {
    let alive = Arc::new(AtomicUsize::new(0));
    let cache: Cache<Counted> = Cache::builder()
        .max_entries(6)
        .stripes(1)
        .hash_seeds(SEEDS)
        .listener(|_, _, _| schedule::point())
        .build()
        .unwrap();
    let handles = [(); 3].map(|()| cache.clone());
    let [writes, loads, walks] = handles;
    let (one, other) = (Arc::clone(&alive), Arc::clone(&alive));
    let write = move || {
        for i in 0..8_u64 {
            let ttl = Duration::from_secs(1);
            drop(writes.insert_with_ttl(i % 4, Counted::new(&one), ttl));
        }
        drop(writes.remove(1_u64));
    };
    let load = move || {
        for i in 0..4_u64 {
            let load = || Counted::new(&other);
            drop(loads.get_or_insert_with(i, crate::terms::Ttl::DEFAULT, load));
        }
    };
    let walk = move || {
        let held: Vec<_> = walks.iter().take(2).collect();
        walks.read(2_u64, |_| schedule::point());
        drop(walks);
        drop(held);
    };
    let last = move || {
        schedule::point();
        drop(cache);
    };
    let actors: Vec<Actor> = vec![
        Box::new(write),
        Box::new(load),
        Box::new(walk),
        Box::new(last),
    ];
    let n_switches = schedule::run(seed, fault, actors);
    assert_eq!(
        alive.load(Ordering::Relaxed),
        0,
        "values outlive their cache"
    );
    n_switches
}

#[test]
fn f26_a_cache_that_is_dropped_during_everything_ends_each_value_once() {
    each_schedule(end);
}

#[test]
fn f26_twin_what_waits_and_is_not_ended_outlives_it() {
    fails(end, Fault::End);
}
