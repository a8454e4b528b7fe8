//! Loads beside ends: of the scope's life while they begin, of the entry that is loaded anew.

use std::sync::atomic::{AtomicU64, Ordering};

use larder::{Key, KeyWriter, Scope, Ttl};

use super::{SECOND, by_hand};

/// A key whose so-manyth encoding ends the scope that it is in.
struct Ending<'a> {
    scope: &'a Scope<'a, u64>,
    calls: AtomicU64,
    ends_at: u64,
}

impl Key for Ending<'_> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        if self.calls.fetch_add(1, Ordering::Relaxed) + 1 == self.ends_at {
            self.scope.invalidate();
        }
        out.uint(7);
    }
}

#[test]
fn e46_a_stale_entry_whose_life_ends_is_not_loaded_anew_for_that_life() {
    let ttl = Ttl::after(10 * SECOND).stale(20 * SECOND);
    for ends_at in 1..=4 {
        let (cache, clock) = by_hand::<u64>();
        let scope = cache.scope("s").unwrap();
        scope.insert_with(7_u64, 1, ttl).unwrap();
        clock.advance(10 * SECOND);
        let key = Ending {
            scope: &scope,
            calls: AtomicU64::new(0),
            ends_at,
        };
        let mut is_called = false;
        let loaded = scope.get_or_insert_with(key, ttl, || {
            is_called = true;
            2
        });
        // What is loaded is there; else the answer is the stale one, which was found before its life ended.
        let there = scope.get(7_u64).as_deref().copied();
        assert_eq!(*loaded.unwrap(), 1 + u64::from(is_called), "{ends_at}");
        assert_eq!(there == Some(2), is_called, "{ends_at}");
    }
}

#[test]
fn e46_a_removal_that_comes_too_late_for_its_entry_overtakes_no_load() {
    let (cache, clock) = by_hand::<u64>();
    let ttl = Ttl::after(10 * SECOND).stale(20 * SECOND);
    cache.insert_with("k", 1, ttl).unwrap();
    clock.advance(10 * SECOND);
    let loaded = cache.get_or_insert_with("k", ttl, || {
        // Its entry is over when it has decided.
        let removed = cache.remove_if("k", |_| {
            clock.advance(20 * SECOND);
            true
        });
        assert!(removed.is_none());
        2
    });
    assert_eq!(*loaded.unwrap(), 2);
    assert_eq!(cache.get("k").as_deref(), Some(&2));
}
