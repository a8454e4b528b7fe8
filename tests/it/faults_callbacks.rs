//! Faults 31 to 33, of `docs/faults.md`: user code that the cache calls.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread::{scope, spawn};
use std::time::Duration;

use larder::{Cache, Entry, Key, KeyWriter, RemovalCause, WeakCache};

use crate::tools::{Census, Counted, ends, maintain_fully};

/// A cache that its own callbacks know.
type Known<V> = Arc<OnceLock<WeakCache<V>>>;

/// A key whose encoding calls the cache.
struct Nosy<'a>(&'a Cache<u64>);

impl Key for Nosy<'_> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        self.0.insert("seen while encoding", 1).unwrap();
        assert!(!self.0.is_empty());
        out.uint(77);
    }
}

#[test]
fn f31_user_code_may_call_the_cache_from_wherever_it_is_called() {
    ends("a closure that calls the cache", || {
        // One stripe, so that every key shares the lock.
        let cache: Cache<u64> = Cache::builder().max_entries(4).stripes(1).build().unwrap();
        let all = |number: u64| {
            cache.insert("k", number).unwrap();
            cache.insert(("other", number), number).unwrap();
            cache.remove(("other", number));
            assert!(cache.len() <= 4);
            cache.maintain(10);
            let _ = cache.set_ttl("k", Some(Duration::from_secs(9)));
            assert_eq!(cache.iter().count(), cache.len());
        };
        for i in 0..100 {
            all(i);
            cache.read("k", |_| all(i)).unwrap();
            cache.remove_if("k", |entry| {
                // The one that it stores itself is what it is asked about next.
                let is_old = **entry < 1_000;
                all(1_000 + i);
                is_old
            });
            cache.retain(|_| {
                all(i);
                i % 3 == 0
            });
            cache.insert(Nosy(&cache), i).unwrap();
            assert_eq!(cache.get(Nosy(&cache)).as_deref(), Some(&i));
            cache.clear();
        }
        // Deeper than a thread has places for what it reads.
        fn nested(cache: &Cache<u64>, depth: u64) -> u64 {
            cache.insert("k", depth).unwrap();
            let inner = if depth == 0 {
                0
            } else {
                cache.read("k", |_| nested(cache, depth - 1)).unwrap()
            };
            inner + 1
        }
        assert_eq!(nested(&cache, 12), 13);
    });
}

#[test]
fn f31_a_predicate_that_replaces_what_it_would_remove_does_not_hang() {
    ends("a predicate that always replaces its own entry", || {
        let cache: Cache<u64> = Cache::builder().max_entries(4).build().unwrap();
        cache.insert("k", 0).unwrap();
        let removed = cache.remove_if("k", |entry| cache.insert("k", **entry + 1).is_ok());
        assert!(removed.is_none() && cache.contains_key("k"));
    });
}

#[test]
fn f31_a_weigher_may_call_the_cache() {
    ends("a weigher that calls the cache", || {
        let known = Known::<u64>::default();
        let inside = known.clone();
        let cache: Cache<u64> = Cache::builder()
            .max_bytes(1 << 16)
            .stripes(1)
            .weigher(move |_, number| {
                let cache = inside.get().and_then(WeakCache::upgrade);
                if let Some(cache) = cache.filter(|_| *number < 1_000) {
                    cache.insert("from the weigher", 1_000 + number).unwrap();
                    cache.maintain(10);
                }
                100
            })
            .build()
            .unwrap();
        assert!(known.set(cache.downgrade()).is_ok());
        for i in 0..500 {
            cache.insert("k", i).unwrap();
            assert_eq!(cache.get("from the weigher").as_deref(), Some(&(1_000 + i)));
        }
    });
}

#[test]
fn f32_a_listener_may_call_the_cache_and_what_it_causes_is_told_too() {
    ends("a listener that calls the cache", || {
        let (known, told) = (Known::<u64>::default(), Arc::new(AtomicU64::new(0)));
        let (inside, count) = (known.clone(), told.clone());
        let cache: Cache<u64> = Cache::builder()
            .max_entries(10)
            .stripes(1)
            .listener(move |key, value, _| {
                count.fetch_add(1, Ordering::Relaxed);
                let Some(cache) = inside.get().and_then(WeakCache::upgrade) else {
                    return;
                };
                let _ = cache.get(key);
                // What leaves by this is told as well, but doesn't cause more.
                if *value < 1_000_000 {
                    cache.insert(("again", *value), 1_000_000 + *value).unwrap();
                    cache.remove(("again", *value));
                    cache.maintain(3);
                }
            })
            .build()
            .unwrap();
        assert!(known.set(cache.downgrade()).is_ok());
        for i in 0..2_000 {
            cache.insert(i % 50, i).unwrap();
        }
        cache.clear();
        maintain_fully(&cache);
        let stats = cache.stats();
        assert_eq!(
            told.load(Ordering::Relaxed),
            stats.inserted - stats.live_entries
        );
        assert!(stats.inserted >= 3_900, "{stats:?}");
        assert_eq!(stats.panics, 0);
    });
}

#[test]
fn f32_a_listener_that_panics_is_contained_and_later_values_are_told() {
    let told = Arc::new(AtomicU64::new(0));
    let count = told.clone();
    let cache: Cache<u64> = Cache::builder()
        .max_entries(5)
        .stripes(1)
        .listener(move |_, value, _| {
            count.fetch_add(1, Ordering::Relaxed);
            assert!(*value % 10 != 0, "provoked");
        })
        .build()
        .unwrap();
    for i in 0..50 {
        cache.insert("k", i).unwrap();
    }
    cache.remove("k");
    maintain_fully(&cache);
    assert_eq!(
        (told.load(Ordering::Relaxed), cache.stats().panics),
        (50, 5)
    );
}

/// A call tells of so many values, and leaves the rest to the next, whatever that does.
#[test]
fn f32_what_a_call_leaves_untold_the_next_insert_tells() {
    let inside = Known::<u64>::default();
    let (known, told) = (inside.clone(), Arc::new(AtomicU64::new(0)));
    let count = told.clone();
    let cache: Cache<u64> = Cache::builder()
        .max_entries(10_000)
        .stripes(1)
        .listener(move |_, value, _| {
            count.fetch_add(1, Ordering::Relaxed);
            // Each that leaves takes the next one with it.
            let cache = known.get().and_then(WeakCache::upgrade);
            drop(cache.and_then(|cache| cache.remove(*value + 1)));
        })
        .build()
        .unwrap();
    inside.set(cache.downgrade()).unwrap();
    for i in 0..200 {
        cache.insert(i, i).unwrap();
    }
    cache.remove(0);
    let first = told.load(Ordering::Relaxed);
    assert!((1..100).contains(&first), "{first}");
    for i in 1000..1004 {
        cache.insert(i, i).unwrap();
    }
    assert_eq!(told.load(Ordering::Relaxed), 200);
}

#[test]
fn f32_a_listener_that_blocks_holds_up_nobody_else() {
    ends("a cache whose listener blocks", || {
        let (entered, is_in) = mpsc::channel();
        let (leave, may_leave) = mpsc::channel::<()>();
        let gate = Mutex::new((entered, may_leave));
        let blocks = Arc::new(AtomicBool::new(true));
        let first = blocks.clone();
        let cache: Cache<u64> = Cache::builder()
            .max_entries(100)
            .stripes(1)
            .listener(move |_, _, _| {
                if first.swap(false, Ordering::Relaxed) {
                    let gate = gate.lock().unwrap();
                    gate.0.send(()).unwrap();
                    gate.1.recv().unwrap();
                }
            })
            .build()
            .unwrap();
        cache.insert("k", 1).unwrap();
        let remover = cache.clone();
        let blocked = spawn(move || drop(remover.remove("k")));
        is_in.recv().unwrap();
        for i in 0..100u64 {
            cache.insert(i, i).unwrap();
            assert!(cache.get(i).is_some());
            cache.remove(i).unwrap();
        }
        leave.send(()).unwrap();
        blocked.join().unwrap();
    });
}

#[test]
fn f32_a_listener_may_drop_the_last_other_handle() {
    ends("a listener that ends the cache", || {
        let census = Census::default();
        let slot: Arc<Mutex<Option<Cache<Counted>>>> = Arc::default();
        let inside = slot.clone();
        let cache: Cache<Counted> = Cache::builder()
            .max_entries(10)
            .listener(move |_, _, _| drop(inside.lock().unwrap().take()))
            .build()
            .unwrap();
        *slot.lock().unwrap() = Some(cache.clone());
        cache.insert("a", census.value(1)).unwrap();
        cache.insert("b", census.value(2)).unwrap();
        drop(cache.remove("a"));
        assert!(slot.lock().unwrap().is_none());
        drop(cache);
        assert_eq!(census.alive(), 0);
    });
}

#[test]
fn f33_writers_of_the_same_keys_are_told_of_in_the_order_of_versions() {
    const KEYS: u64 = 5;
    let heard: Arc<Mutex<Vec<(u64, u64, RemovalCause)>>> = Arc::default();
    let ear = heard.clone();
    let cache: Cache<u64> = Cache::builder()
        .max_entries(4)
        .stripes(2)
        .listener(move |_, value: Entry<u64>, cause| {
            ear.lock()
                .unwrap()
                .push((*value % KEYS, value.version(), cause));
        })
        .build()
        .unwrap();
    scope(|scope| {
        for seed in 0..3u64 {
            let cache = &cache;
            scope.spawn(move || {
                for i in 0..3_000u64 {
                    let key = (i + seed) % KEYS;
                    cache.insert(key, i / KEYS * KEYS + key).unwrap();
                    if i % 7 == seed {
                        cache.remove((i + 3) % KEYS);
                    }
                }
            });
        }
    });
    cache.clear();
    maintain_fully(&cache);
    let stats = cache.stats();
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len() as u64, stats.inserted, "each value once");
    for key in 0..KEYS {
        let versions: Vec<_> = heard
            .iter()
            .filter(|told| told.0 == key)
            .map(|told| told.1)
            .collect();
        assert!(
            versions.is_sorted_by(|a, b| a < b),
            "key {key}: {versions:?}"
        );
    }
    let of = |cause| heard.iter().filter(|told| told.2 == cause).count() as u64;
    assert_eq!(of(RemovalCause::Replaced), stats.replaced);
    assert_eq!(of(RemovalCause::Evicted), stats.evicted);
    assert_eq!(of(RemovalCause::Removed), stats.removed);
    assert_eq!(of(RemovalCause::Invalidated), stats.invalidated);
}
