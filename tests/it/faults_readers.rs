//! Faults 1 to 8, of `docs/faults.md`: what a reader may be told.
//!
//! Fault 9 (values that are not `Send`, not `Sync` or borrowed must not compile) is tested by the `compile_fail`
//! examples at `larder::Value`. Fault 4 with a loader is in `loads/overtaken`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::scope;

use larder::Cache;

use crate::tools::{Census, SEEDS, SetAtEnd, keys_with, maintain_fully};

/// Long enough for thousands of meetings, short enough for every run.
const ROUNDS: u64 = 20_000;

fn roomy() -> Cache<[u8]> {
    Cache::builder()
        .max_bytes(1 << 28)
        .stripes(1)
        .build()
        .unwrap()
}

#[test]
fn f01_a_reader_that_races_a_writer_gets_a_whole_value_and_never_an_older_one() {
    let cache = roomy();
    let (settled, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let value = |n: u64| n.to_le_bytes().repeat(1 + (n % 40) as usize);
    cache.insert("k", value(0)).unwrap();
    let check = |bytes: &[u8], floor: u64| {
        let n = u64::from_le_bytes(*bytes.first_chunk().unwrap());
        assert_eq!(bytes, value(n), "torn");
        assert!(n >= floor, "{n} after {floor}");
        // Whoever reads after this moment must see no less.
        settled.fetch_max(n, Ordering::SeqCst);
    };
    scope(|scope| {
        let _done = SetAtEnd(&done);
        for way in 0..2 {
            let (cache, settled, done, check) = (&cache, &settled, &done, &check);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let floor = settled.load(Ordering::SeqCst);
                    if way == 0 {
                        cache
                            .read("k", |bytes| check(bytes, floor))
                            .expect("present throughout");
                    } else {
                        check(&cache.get("k").expect("present throughout"), floor);
                    }
                }
            });
        }
        for n in 1..ROUNDS {
            cache.insert("k", value(n)).unwrap();
            settled.fetch_max(n, Ordering::SeqCst);
        }
    });
}

#[test]
fn f02_writers_of_one_key_replace_each_other_in_one_order() {
    let cache: Cache<u64> = Cache::builder().max_entries(8).build().unwrap();
    let mut replaced: Vec<(u64, u64)> = scope(|scope| {
        let writers = [0, ROUNDS].map(|first| {
            let cache = &cache;
            scope.spawn(move || {
                let old = |n| {
                    cache
                        .insert("k", n)
                        .unwrap()
                        .map(|old| (old.version(), *old))
                };
                (first..first + ROUNDS).filter_map(old).collect::<Vec<_>>()
            })
        });
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect()
    });
    let last = cache.get("k").unwrap();
    replaced.push((last.version(), *last));
    // Each write came out once: as replaced by another, or as the one that is there.
    replaced.sort_unstable();
    assert!(
        replaced.is_sorted_by(|a, b| a.0 < b.0),
        "two values of one version"
    );
    let mut values: Vec<u64> = replaced.iter().map(|&(_, value)| value).collect();
    values.sort_unstable();
    assert_eq!(
        values,
        (0..2 * ROUNDS).collect::<Vec<_>>(),
        "lost or doubled updates"
    );
}

#[test]
fn f03_after_remove_or_clear_has_returned_nobody_gets_the_value() {
    let cache: Cache<u64> = Cache::builder()
        .max_entries(100)
        .stripes(1)
        .build()
        .unwrap();
    let (removed, done) = (AtomicU64::new(0), AtomicBool::new(false));
    scope(|scope| {
        let _done = SetAtEnd(&done);
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let floor = removed.load(Ordering::SeqCst);
                    if let Some(value) = cache.get("k") {
                        assert!(*value > floor, "{} was removed, as was {floor}", *value);
                    }
                }
            });
        }
        for n in 1..ROUNDS {
            cache.insert("k", n).unwrap();
            if n % 3 == 0 {
                cache.clear();
            } else {
                assert_eq!(cache.remove("k").as_deref(), Some(&n));
            }
            assert!(cache.get("k").is_none());
            removed.store(n, Ordering::SeqCst);
        }
    });
}

#[test]
fn f04_a_removal_that_was_decided_on_an_older_value_leaves_the_newer_one() {
    let cache: Cache<u64> = Cache::builder().max_entries(100).build().unwrap();
    cache.insert("k", 1).unwrap();
    let mut asked = Vec::new();
    let removed = cache.remove_if("k", |entry| {
        asked.push(**entry);
        if **entry == 1 {
            cache.insert("k", 2).unwrap();
        }
        **entry == 1
    });
    assert!(removed.is_none());
    assert_eq!(
        asked,
        [1, 2],
        "the predicate is asked about the entry that it would remove"
    );
    assert_eq!(cache.get("k").as_deref(), Some(&2));
}

#[test]
fn f05_what_has_missed_does_not_come_back() {
    const KEYS: usize = 30_000;
    let cache: Cache<u64> = Cache::builder()
        .max_entries(3_000)
        .stripes(2)
        .build()
        .unwrap();
    let missed: Vec<AtomicBool> = (0..KEYS).map(|_| AtomicBool::new(false)).collect();
    let written = AtomicU64::new(0);
    scope(|scope| {
        for step in [7, 13] {
            let (cache, missed, written) = (&cache, &missed, &written);
            scope.spawn(move || {
                let mut at = 0;
                loop {
                    let written = written.load(Ordering::SeqCst);
                    // The newest few thousand are where entries leave and segments split.
                    at = (at + step) % 6_000;
                    let key = written.saturating_sub(at + 1);
                    let before = missed[key as usize].load(Ordering::SeqCst);
                    match cache.get(key) {
                        Some(_) => assert!(!before, "{key} came back"),
                        None if written > 0 => missed[key as usize].store(true, Ordering::SeqCst),
                        None => {}
                    }
                    if written as usize == KEYS {
                        return;
                    }
                }
            });
        }
        for key in 0..KEYS as u64 {
            cache.insert(key, key).unwrap();
            if key % 5 == 0 {
                cache.remove(key / 2);
            }
            written.store(key + 1, Ordering::SeqCst);
        }
    });
    assert!(
        missed.iter().any(|missed| missed.load(Ordering::Relaxed)),
        "nothing was evicted"
    );
}

#[test]
fn f06_a_present_key_is_found_while_others_come_and_go_and_it_is_replaced() {
    let cache = roomy();
    let done = AtomicBool::new(false);
    let stable = |i: u64| ("stable", i);
    for i in 0..50 {
        cache.insert(stable(i), [0]).unwrap();
    }
    scope(|scope| {
        let _done = SetAtEnd(&done);
        for _ in 0..2 {
            scope.spawn(|| {
                for i in (0..50).cycle() {
                    assert!(cache.get(stable(i)).is_some(), "{i} is missing");
                    assert_eq!(
                        cache.read(stable(i), <[u8]>::len),
                        Some(1),
                        "{i} is missing"
                    );
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        for round in 0..4u8 {
            // The table grows and shrinks again, and every stable entry is replaced again and again.
            for i in 0..4_000u64 {
                cache.insert(i, [round]).unwrap();
                cache.insert(stable(i % 50), [round]).unwrap();
            }
            for i in 0..4_000u64 {
                cache.remove(i).unwrap();
            }
        }
    });
}

#[test]
fn f07_keys_of_like_hash_keep_their_own_values() {
    // Bucket and tag are the lowest 14 bits: no two of these keys differ in what a bucket compares.
    let keys = keys_with(0x3fff, 40);
    let cache: Cache<u64> = Cache::builder()
        .max_entries(1_000)
        .stripes(1)
        .hash_seeds(SEEDS)
        .build()
        .unwrap();
    for (value, key) in (0..).zip(&keys) {
        assert!(cache.insert(key, value).unwrap().is_none());
    }
    for (value, key) in (0..).zip(&keys) {
        assert_eq!(cache.get(key).as_deref(), Some(&value));
        assert_eq!(
            cache.get(key).unwrap().key().to_vec(),
            [larder::Part::Bytes(key)]
        );
    }
    for (value, key) in (0..).zip(&keys).step_by(2) {
        assert_eq!(cache.remove(key).as_deref(), Some(&value));
    }
    for (value, key) in (0..).zip(&keys) {
        assert_eq!(
            cache.get(key).as_deref().copied(),
            (value % 2 == 1).then_some(value)
        );
    }
}

#[test]
fn f08_what_a_reader_looks_at_is_neither_freed_nor_used_again() {
    let census = Census::default();
    let cache: Cache<crate::tools::Counted> =
        Cache::builder().max_entries(16).stripes(1).build().unwrap();
    cache.insert("k", census.value(7)).unwrap();
    let seen = cache.read("k", |value| {
        scope(|scope| {
            scope.spawn(|| {
                drop(cache.remove("k"));
                for i in 0..2_000u64 {
                    cache.insert(i, census.value(i)).unwrap();
                }
                maintain_fully(&cache);
            });
        });
        assert!(cache.peek("k").is_none());
        // The sixteen that are linked, and this one.
        assert_eq!(census.alive(), 17);
        value.number
    });
    assert_eq!(seen, Some(7));
    maintain_fully(&cache);
    assert_eq!(census.alive(), 16, "what no reader names is freed");
}

/// Whether a cache can hold a type, asked of the compiler: the inherent constant hides the trait's where its bound holds.
struct Holds<T: ?Sized>(std::marker::PhantomData<T>);

trait DoesNotHold {
    const ANSWER: bool = false;
}

impl<T: ?Sized> DoesNotHold for Holds<T> {}

impl<T: larder::Value + ?Sized> Holds<T> {
    const ANSWER: bool = true;
}

/// A value that is `Send` alone, one that is `Sync` alone, and one that is neither; what borrows is a test that must not compile, at
/// `larder::Value`.
#[test]
fn f09_a_value_that_threads_may_not_share_or_drop_is_no_value() {
    const {
        assert!(Holds::<[u8]>::ANSWER && Holds::<std::sync::Arc<u32>>::ANSWER);
        assert!(!Holds::<std::cell::Cell<u32>>::ANSWER);
        assert!(!Holds::<std::sync::MutexGuard<'static, u32>>::ANSWER);
        assert!(!Holds::<std::rc::Rc<u32>>::ANSWER);
    }
}
