//! Memory that is kept for the next block: whatever becomes of the insert that holds it, the accounts are right.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use larder::{Cache, Refusal};

use crate::tools::{Census, Counted, maintain_fully, panics};

const MAX_BYTES: u64 = 1 << 20;

/// Nothing is left, and nothing is charged but the structure.
fn check_empty<V: larder::Value + ?Sized>(cache: &Cache<V>) {
    cache.clear();
    maintain_fully(cache);
    let stats = cache.stats();
    assert_eq!(
        (stats.live_entries, stats.live_bytes, stats.garbage_bytes),
        (0, 0, 0)
    );
    assert_eq!(cache.weight(), stats.structure_bytes);
}

/// Bytes that panic when they are asked for again, which is while they are copied.
struct Fragile(std::cell::Cell<u32>, usize);

const BYTES: [u8; 500] = [7; 500];

impl AsRef<[u8]> for Fragile {
    fn as_ref(&self) -> &[u8] {
        self.0.set(self.0.get() + 1);
        assert!(self.0.get() < 2, "provoked");
        &BYTES[..self.1]
    }
}

#[test]
fn a_source_that_panics_with_a_husk_in_hand_leaves_the_accounts_right() {
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(MAX_BYTES)
        .stripes(1)
        .build()
        .unwrap();
    let scope = cache.scope("s").unwrap();
    for n in 0..10_000_u64 {
        cache.insert(n, &BYTES[..100]).unwrap();
        assert!(cache.weight() <= MAX_BYTES);
        let len = [100, 0, 500][n as usize % 3];
        let source = Fragile(std::cell::Cell::new(0), len);
        assert!(panics(|| drop(scope.insert("k", source))), "{n}");
        assert!(!scope.contains_key("k"));
    }
    let stats = cache.stats();
    assert!(
        stats.evicted > 3_000 && stats.garbage_bytes <= MAX_BYTES / 64,
        "{stats:?}"
    );
    check_empty(&cache);
}

#[test]
fn a_weigher_that_panics_or_refuses_with_a_husk_in_hand_loses_no_value() {
    let census = Census::default();
    let is_moody = Arc::new(AtomicBool::new(false));
    let mood = is_moody.clone();
    let cache = Cache::builder()
        .max_bytes(MAX_BYTES)
        .stripes(1)
        .weigher(move |_, value: &Counted| {
            let is_moody = mood.load(Ordering::Relaxed);
            assert!(!is_moody || value.number.is_multiple_of(2), "provoked");
            if is_moody {
                u64::MAX >> (value.number % 3 * 15)
            } else {
                50
            }
        })
        .build()
        .unwrap();
    for n in 0..10_000_u64 {
        cache.insert(n, census.value(n)).unwrap();
        is_moody.store(true, Ordering::Relaxed);
        let alive = census.alive();
        if n % 2 == 1 {
            assert!(panics(|| drop(cache.insert("k", census.value(n)))));
        } else {
            let error = cache.insert("k", census.value(n)).unwrap_err();
            assert!(matches!(error.refusal, Refusal::TooLarge { .. }));
            assert_eq!(error.value.number, n);
        }
        is_moody.store(false, Ordering::Relaxed);
        assert_eq!(census.alive(), alive);
        assert!(!cache.contains_key("k") && cache.weight() <= MAX_BYTES);
    }
    assert!(cache.stats().evicted > 1_000);
    check_empty(&cache);
    assert_eq!(census.alive(), 0);
}

#[test]
fn entries_of_changing_sizes_are_charged_what_they_take() {
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(MAX_BYTES)
        .stripes(2)
        .build()
        .unwrap();
    let scope = cache.scope("s").unwrap();
    let mut held = Vec::new();
    for n in 0..30_000_usize {
        let value = &BYTES[..n * 7 % 500];
        // A key of a scope takes 16 bytes more, so that the sizes of both are mixed.
        let old = if n % 2 == 0 {
            cache.insert(n as u64 % 6_000, value)
        } else {
            scope.insert(n as u64 % 6_000, value)
        };
        held.extend(old.unwrap());
        held.truncate(n % 10);
        if n % 1000 == 0 {
            scope.invalidate();
        }
        assert!(cache.weight() <= MAX_BYTES);
    }
    assert!(held.iter().all(|entry| entry.iter().all(|byte| *byte == 7)));
    drop(held);
    check_empty(&cache);
}

/// What is kept is given back before anything alive has to leave for want of room.
#[test]
fn husks_are_charged_and_freed_when_maintenance_comes() {
    let cache: Cache<[u8]> = Cache::builder()
        .max_bytes(16 * MAX_BYTES)
        .stripes(1)
        .build()
        .unwrap();
    for n in 0..50_000_u64 {
        cache.insert(n, &BYTES[..]).unwrap();
    }
    for n in 0..50_000_u64 {
        cache.remove(n);
    }
    let stats = cache.stats();
    assert!(
        stats.garbage_bytes > 0 && stats.live_bytes == 0,
        "{stats:?}"
    );
    check_empty(&cache);
}

/// As many blocks as are looked at together leave, a few of which are freed at once, or twice as many, so that a look is due when the
/// first are freed; inserts take the memory of those, and the others follow.
#[test]
fn what_left_is_freed_by_inserts_that_ask_for_memory() {
    for n_removed in [512, 1024] {
        let census = Census::default();
        let builder = Cache::<Counted>::builder().max_entries(100_000);
        let cache = builder.stripes(1).build().unwrap();
        for n in 0..2_000 {
            cache.insert(n, census.value(n)).unwrap();
        }
        for n in 0..n_removed {
            cache.remove(n);
        }
        let waiting = || census.alive() - cache.len();
        assert!(waiting() > 400, "{}", waiting());
        for n in 0..n_removed {
            cache.insert(n, census.value(n)).unwrap();
        }
        assert_eq!(waiting(), 0, "of {n_removed}");
    }
}
