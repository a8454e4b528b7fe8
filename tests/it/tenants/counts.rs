//! Maxima of entries.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use larder::{Cache, Limits, ManualClock, NamedCache, Refusal};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::tools::maintain_fully;

fn at_most(max_entries: u64) -> Limits {
    Limits {
        max_entries: Some(max_entries),
        ..Limits::default()
    }
}

fn cache() -> (Cache<[u8]>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_bytes(16 << 20).stripes(4);
    (builder.clock(clock.clone()).build().unwrap(), clock)
}

fn n_present(cache: &NamedCache<'_, [u8]>, keys: std::ops::Range<u64>) -> u64 {
    keys.filter(|&key| cache.peek(key).is_some()).count() as u64
}

#[test]
fn e75_a_named_cache_never_has_more_entries_than_it_may_and_evicts_its_own() {
    let (cache, _) = cache();
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    let other = tenant.create_cache("other", Limits::default()).unwrap();
    for key in 0..100u64 {
        other.insert(key, [1; 10]).unwrap();
    }
    let ten = tenant.create_cache("ten", at_most(10)).unwrap();
    for key in 0..1000u64 {
        ten.insert(key, [1; 10]).unwrap();
        assert_eq!(ten.usage().entries, 10.min(key + 1));
        assert!(ten.peek(key).is_some(), "who came last is there");
    }
    assert_eq!(n_present(&ten, 0..1000), 10);
    assert_eq!(ten.stats().evicted, 990);
    assert_eq!(n_present(&other, 0..100), 100);
    assert_eq!(tenant.usage().entries, 110);
    // What replaces an entry needs no room.
    let last = ten.peek(999u64).unwrap();
    ten.insert(999u64, [2; 10]).unwrap();
    assert_ne!(ten.peek(999u64).unwrap().version(), last.version());
    assert_eq!((ten.stats().evicted, ten.usage().entries), (990, 10));
}

#[test]
fn e75_a_tenants_maximum_is_for_all_its_caches_together() {
    let (cache, _) = cache();
    let tenant = cache.create_tenant("acme", at_most(20)).unwrap();
    let named = tenant.create_cache("named", Limits::default()).unwrap();
    for key in 0..50u64 {
        named.insert(key, [1; 10]).unwrap();
    }
    assert_eq!((named.usage().entries, tenant.usage().entries), (20, 20));
    // Who has nothing to give takes from the others.
    let own = tenant.default_cache().unwrap();
    own.insert("first", [1; 10]).unwrap();
    assert!(own.peek("first").is_some());
    assert_eq!((named.usage().entries, tenant.usage().entries), (19, 20));
    // From then on it gives its own.
    own.insert("second", [1; 10]).unwrap();
    assert!(own.peek("second").is_some() && own.peek("first").is_none());
    assert_eq!((named.usage().entries, tenant.usage().entries), (19, 20));
}

#[test]
fn e75_what_is_due_or_ended_goes_first() {
    let (cache, clock) = cache();
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    let named = tenant.create_cache("named", at_most(64)).unwrap();
    for key in 0..32u64 {
        named.insert(key, [1; 10]).unwrap();
        let ttl = Duration::from_secs(1);
        named.insert_with_ttl(1000 + key, [1; 10], ttl).unwrap();
    }
    clock.advance(Duration::from_secs(2));
    maintain_fully(&cache);
    assert_eq!(named.usage().entries, 32, "what is due takes no place");
    for key in 32..64u64 {
        named.insert(key, [1; 10]).unwrap();
    }
    assert_eq!((n_present(&named, 0..64), named.stats().evicted), (64, 0));
    named.flush();
    maintain_fully(&cache);
    for key in 0..64u64 {
        named.insert(key, [1; 10]).unwrap();
    }
    assert_eq!((n_present(&named, 0..64), named.stats().evicted), (64, 0));
}

#[test]
fn e75_a_maximum_of_entries_changes_at_run_time() {
    let (cache, _) = cache();
    let tenant = cache.create_tenant("acme", at_most(100)).unwrap();
    let own = tenant.default_cache().unwrap();
    for key in 0..200u64 {
        own.insert(key, [1; 10]).unwrap();
    }
    assert_eq!(tenant.usage().entries, 100);
    tenant.set_limits(at_most(60)).unwrap();
    assert_eq!(tenant.limits().unwrap(), at_most(60));
    assert_eq!(tenant.usage().entries, 100, "what is there stays");
    own.insert("next", [1; 10]).unwrap();
    assert_eq!(tenant.usage().entries, 60, "until the next insert");
    assert!(own.peek("next").is_some());
    tenant.set_limits(Limits::default()).unwrap();
    for key in 0..200u64 {
        own.insert(key, [1; 10]).unwrap();
    }
    assert_eq!(tenant.usage().entries, 201);
}

#[test]
fn e75_a_maximum_of_no_entries_refuses_all() {
    let (cache, _) = cache();
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    let none = tenant.create_cache("none", at_most(0)).unwrap();
    let refused = none.insert("key", [1; 10]).unwrap_err();
    assert_eq!(refused.refusal, Refusal::NoCapacity);
    assert_eq!((none.usage().entries, none.usage().bytes), (0, 0));
    assert!(tenant.admit(1).unwrap().insert("key", [1; 10]).is_ok());
}

#[test]
fn e75_a_maximum_of_entries_holds_at_every_moment_with_threads() {
    let cache: Cache<[u8]> = Cache::builder().max_bytes(16 << 20).build().unwrap();
    let tenant = cache.create_tenant("acme", at_most(50)).unwrap();
    let named = tenant.create_cache("named", at_most(30)).unwrap();
    let own = tenant.default_cache().unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|threads| {
        let watcher = threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert!(named.usage().entries <= 30);
                assert!(tenant.usage().entries <= 50);
            }
        });
        let writers = [0, 1, 2u64].map(|thread| {
            let (named, own) = (&named, &own);
            threads.spawn(move || {
                for key in 0..5000 {
                    let cache = if key % 2 == 0 { named } else { own };
                    // Others may take each place that is made.
                    let _ = cache.insert((thread, key), [1; 10]);
                    if key % 7 == 0 {
                        cache.remove((thread, key));
                    }
                }
            })
        });
        for writer in writers {
            writer.join().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
    });
    for cache in [&named, &own] {
        cache.clear();
    }
    maintain_fully(&cache);
    assert_eq!((named.usage().entries, tenant.usage().entries), (0, 0));
}

/// A cache far from full, with what belongs to nobody.
fn with_strangers() -> Cache<[u8]> {
    let builder = Cache::builder().max_bytes(16 << 20).stripes(16);
    let cache = builder.build().unwrap();
    for key in 0..20_000u64 {
        cache.insert(key, [1; 100]).unwrap();
    }
    cache
}

fn n_strangers(cache: &Cache<[u8]>) -> usize {
    let keys = 0..20_000u64;
    keys.filter(|&key| cache.peek(key).is_some()).count()
}

#[test]
fn e75_a_maximum_that_is_met_takes_from_no_stranger_however_many_siblings_are_empty() {
    let by_bytes = Limits {
        max_bytes: Some(4000),
        ..Limits::default()
    };
    for limits in [at_most(10), by_bytes] {
        let cache = with_strangers();
        let tenant = cache.create_tenant("acme", limits).unwrap();
        let first = tenant.create_cache("first", Limits::default()).unwrap();
        for key in 0..100u64 {
            first.insert(key, [1; 100]).unwrap();
        }
        let others: Vec<_> = (0..1000)
            .map(|n| tenant.create_cache(&format!("c{n}"), Limits::default()))
            .collect();
        let last = others.last().unwrap().as_ref().unwrap();
        last.insert("new", [1; 100]).unwrap();
        assert!(last.peek("new").is_some());
        assert_eq!(n_strangers(&cache), 20_000);
    }
}

#[test]
fn e75_threads_that_meet_a_small_maximum_take_from_no_stranger() {
    for max_entries in [1, 2] {
        let cache = with_strangers();
        let tenant = cache.create_tenant("acme", at_most(max_entries)).unwrap();
        let own = tenant.default_cache().unwrap();
        let n_stored = AtomicU64::new(0);
        thread::scope(|threads| {
            for thread in 0..2u64 {
                let (own, n_stored) = (&own, &n_stored);
                threads.spawn(move || {
                    for key in 0..3000u64 {
                        let stored = own.insert((thread, key), [1; 100]);
                        n_stored.fetch_add(u64::from(stored.is_ok()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(n_strangers(&cache), 20_000);
        assert!(n_stored.load(Ordering::Relaxed) > 5900, "{n_stored:?}");
        assert!(own.usage().entries <= max_entries);
    }
}

#[test]
fn e75_a_much_lower_maximum_is_kept_by_the_next_insert() {
    let cache = with_strangers();
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    let own = tenant.default_cache().unwrap();
    for key in 0..20_000u64 {
        own.insert(key, [1; 10]).unwrap();
    }
    tenant.set_limits(at_most(10)).unwrap();
    own.insert("new", [1; 10]).unwrap();
    assert!(own.peek("new").is_some());
    assert_eq!((own.usage().entries, n_strangers(&cache)), (10, 20_000));
}

#[derive(Debug, Clone)]
enum Op {
    Insert(usize, u64, bool),
    Remove(usize, u64),
    Flush(usize),
    Limit(usize, u64),
    Pass(u64),
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => (0..3usize, 0..40u64, any::<bool>()).prop_map(|(at, key, timed)| Op::Insert(at, key, timed)),
        5 => (0..3usize, 0..40u64).prop_map(|(at, key)| Op::Remove(at, key)),
        1 => (0..3usize).prop_map(Op::Flush),
        2 => (0..4usize, 1..30u64).prop_map(|(at, max)| Op::Limit(at, max)),
        2 => (0..3u64).prop_map(Op::Pass),
    ]
}

proptest! {
    #[test]
    fn e75_counts_of_entries_are_those_of_what_is_there_and_never_above_both_maxima(ops in vec(any_op(), 1..200)) {
        let (cache, clock) = cache();
        let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
        let caches = [
            tenant.default_cache().unwrap(),
            tenant.create_cache("one", Limits::default()).unwrap(),
            tenant.create_cache("two", Limits::default()).unwrap(),
        ];
        let mut maxima = [u64::MAX; 3];
        let mut n_limits = 0;
        let mut max_of_all = u64::MAX;
        for op in ops {
            match op {
                Op::Insert(at, key, timed) => {
                    let ttl = Duration::from_secs(if timed { 1 } else { 1000 });
                    caches[at].insert_with_ttl(key, [1; 10], ttl).unwrap();
                    prop_assert!(caches[at].peek(key).is_some());
                    prop_assert!(at == 0 || caches[at].usage().entries <= maxima[at]);
                    prop_assert!(tenant.usage().entries <= max_of_all);
                }
                Op::Remove(at, key) => {
                    caches[at].remove(key);
                }
                Op::Flush(at) => caches[at].flush(),
                // The default cache's limits are the tenant's.
                Op::Limit(at, max) => {
                    n_limits += 1;
                    let at = at % 3;
                    if at == 0 {
                        max_of_all = max;
                    } else {
                        maxima[at] = max;
                    }
                    caches[at].set_limits(at_most(max)).unwrap();
                    // What is above it goes with the next insert.
                    caches[at].insert(("next", n_limits), [1; 10]).unwrap();
                }
                Op::Pass(seconds) => clock.advance(Duration::from_secs(seconds)),
            }
        }
        // The wheel fires what is due when its tick has ended.
        clock.advance(Duration::from_millis(2));
        maintain_fully(&cache);
        let counted = caches.each_ref().map(|cache| cache.iter().count() as u64);
        prop_assert_eq!(tenant.usage().entries, counted.iter().sum::<u64>());
        prop_assert_eq!([1, 2].map(|at: usize| caches[at].usage().entries), [1, 2].map(|at: usize| counted[at]));
    }
}
