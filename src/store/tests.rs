//! What holds for a store between any two operations, for tests of the whole cache.

use std::time::Duration;

use super::*;
use crate::sync::counted;

impl Store {
    /// Checks every stripe, and that the shared counters are the sums of what stripes claim; O(everything). Only while no thread is
    /// inside an operation.
    pub(crate) fn validate(&self) {
        let (mut bytes, mut entries) = (0, 0);
        for cell in &self.cells {
            assert_eq!(cell.in_flight.load(Ordering::Relaxed), 0);
            let env = self.env(cell);
            let mut stripe = cell.back.lock();
            let kept = cell.shelf.bytes() + stripe.husks().bytes();
            let claims = stripe.validate(&env, kept);
            bytes += claims.bytes;
            entries += claims.entries;
        }
        assert_eq!(self.ground.bytes.used(), bytes, "claims of bytes");
        assert_eq!(self.ground.entries.used(), entries, "claims of entries");
    }

    /// All claims of bytes, and of entries, at this moment.
    pub(crate) fn claimed(&self) -> (u64, u64) {
        (self.ground.bytes.used(), self.ground.entries.used())
    }
}

/// Steps of frequency above the third are taken by chance, which is to be each entry's own: also of those whose hashes agree in all bits
/// that stripe and directory look at.
#[test]
fn entries_of_one_segment_are_not_used_more_often_together() {
    let builder = crate::Cache::<u64>::builder().max_entries(1000).stripes(1);
    let builder = builder.hash_seeds([11, 22, 33, 44]).hash_mask(0x3fff);
    let cache = builder.build().expect("a bound");
    for key in 0..200 {
        cache.insert(key, key).expect("there is room");
    }
    for _ in 0..4 {
        // Until the next tick.
        for key in 1000..1100 {
            cache.insert(key, key).expect("there is room");
            cache.remove(key);
        }
        assert!((0..200).all(|key| cache.get(key).is_some()));
    }
    let mut kept = Vec::new();
    let store = &cache.inner().store;
    let next = store.keep_entries(Place::default(), &mut kept);
    assert!(next.is_none() && kept.len() == 200, "one segment");
    let mut n_at = [0; 8];
    for entry in &kept {
        n_at[usize::from(entry.past.bits() & 7)] += 1;
    }
    assert_eq!(n_at[3] + n_at[4], 200, "{n_at:?}");
    assert!(n_at[3] > 50 && n_at[4] > 50, "{n_at:?}");
}

/// The lines of an entry that is taken out are asked for before the lock is taken, also by a thread that has read nothing yet.
#[test]
fn a_removal_asks_for_its_entry() {
    let cache = crate::Cache::<u64>::builder().max_entries(1000).build();
    let cache = cache.expect("a bound");
    cache.insert("key", 7).expect("there is room");
    let value = cache.read("key", |value| std::ptr::from_ref(value).addr());
    let value = value.expect("it is there");
    let remove = || counted::asked_by(|| drop(cache.remove("key")));
    let asked = std::thread::scope(|scope| scope.spawn(remove).join().expect("it ends"));
    // Header and key stand before the value, within a line's length.
    let near = asked.iter().filter(|&&at| at < value && value < at + 64);
    assert_eq!(near.count(), 1, "{asked:x?}");
    assert_eq!(remove(), [], "nothing is there");
}

/// An entry that was extended since the wheel was asked is filed again: by the record that another one, which is over, still names.
#[test]
fn an_entry_that_stays_may_be_filed_by_the_record_of_one_that_goes() {
    let clock = crate::ManualClock::new();
    let builder = crate::Cache::<u64>::builder().max_entries(1000).stripes(1);
    let cache = builder.clock(clock.clone()).build().expect("a bound");
    for (key, seconds) in [("stays", 100), ("goes", 1)] {
        let stored = cache.insert_with_ttl(key, seconds, Duration::from_secs(seconds));
        stored.expect("there is room");
    }
    clock.advance(Duration::from_secs(2));
    let store = &cache.inner().store;
    let cell = &store.cells[0];
    let mut stripe = cell.back.lock();
    stripe.expire_all(&store.env(cell), store.ground.time.now());
    store.finish(cell, stripe);
    store.validate();
    assert_eq!((cache.get("stays").is_some(), cache.len()), (true, 1));
    clock.advance(Duration::from_secs(99));
    while cache.maintain(16).more {}
    assert_eq!(cache.len(), 0, "its record fires");
}
