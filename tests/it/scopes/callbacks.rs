//! User code that ends scopes from wherever the cache calls it, and what the listener is told of what has ended.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use larder::{Cache, Entry, Key, KeyWriter, RemovalCause, Source};

use crate::tools::{SetAtEnd, ends, maintain_fully};

/// A cache that its own callbacks know, until the test ends.
pub(super) struct Known<V: larder::Value>(Arc<Mutex<Option<Cache<V>>>>);

impl<V: larder::Value> Known<V> {
    pub(super) fn get(&self) -> Option<Cache<V>> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn set(&self, cache: Option<&Cache<V>>) {
        // The one before is dropped unlocked.
        let _before = std::mem::replace(&mut *self.0.lock().unwrap(), cache.cloned());
    }
}

impl<V: larder::Value> Default for Known<V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<V: larder::Value> Clone for Known<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What user code does: ends scopes, the one that is being worked on as well, and looks around in them.
fn meddle<V: larder::Value, S: Source<V>>(cache: &Cache<V>, make: impl Fn() -> S) {
    let scope = cache.scope("s").unwrap();
    let nested = scope.scope("nested").unwrap();
    nested.insert("by meddling", make()).unwrap();
    assert!(nested.contains_key("by meddling"));
    scope.invalidate();
    assert!(nested.is_empty() && nested.iter().next().is_none());
    scope.insert("by meddling", make()).unwrap();
    cache.scope("s").unwrap().invalidate();
    assert!(scope.get("by meddling").is_none());
    cache.maintain(3);
}

/// A key, or a name, whose encoding ends scopes.
struct Nosy<'a>(&'a Cache<u64>);

impl Key for Nosy<'_> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        meddle(self.0, || 1);
        out.uint(77);
    }
}

#[test]
fn f31_closures_keys_and_names_may_end_the_scope_that_they_are_called_for() {
    ends("user code that ends scopes", || {
        let cache: Cache<u64> = Cache::builder()
            .max_entries(1000)
            .stripes(1)
            .build()
            .unwrap();
        let scope = cache.scope("s").unwrap();
        for n in 0..200 {
            scope.insert("k", n).unwrap();
            let read = scope.read("k", |value| {
                meddle(&cache, || 1);
                *value
            });
            assert_eq!(read, Some(n), "what is read stays readable");
            assert!(scope.get("k").is_none());

            scope.insert(Nosy(&cache), n).unwrap();
            assert!(
                scope.get(Nosy(&cache)).is_none(),
                "the look ends what it looks for"
            );
            assert!(scope.scope(Nosy(&cache)).unwrap().is_empty());
            assert!(cache.scope(Nosy(&cache)).unwrap().is_empty());

            for key in 0..20_u64 {
                scope.insert(key, n).unwrap();
            }
            let mut n_asked = 0;
            scope.retain(|_| {
                meddle(&cache, || 1);
                n_asked += 1;
                true
            });
            assert!((1..=20).contains(&n_asked) && scope.is_empty());
            scope.insert("k", n).unwrap();
            scope.remove_if("k", |_| {
                meddle(&cache, || 1);
                n % 2 == 0
            });
            assert!(scope.is_empty());
        }
        maintain_fully(&cache);
        assert_eq!(cache.stats().unreachable_bytes, 0);
    });
}

#[test]
fn f31_a_weigher_may_end_the_scope_that_is_written_to() {
    ends("a weigher that ends the scope", || {
        let known = Known::<u64>::default();
        let inside = known.clone();
        let n_told = Arc::new(AtomicU64::new(0));
        let count = n_told.clone();
        let cache: Cache<u64> = Cache::builder()
            .max_bytes(1 << 20)
            .stripes(1)
            .weigher(move |_, value| {
                if *value >= 100 {
                    meddle(&inside.get().unwrap(), || 1);
                }
                10
            })
            .listener(move |_, value, cause| {
                assert_eq!(cause, RemovalCause::Invalidated);
                count.fetch_add(u64::from(*value >= 100), Ordering::Relaxed);
            })
            .build()
            .unwrap();
        known.set(Some(&cache));
        let scope = cache.scope("s").unwrap();
        for n in 100..400 {
            // Each time that the value is weighed, the scope ends: the write comes just before the end of the last one.
            assert!(scope.insert("k", n).unwrap().is_none());
            assert!(scope.get("k").is_none());
        }
        maintain_fully(&cache);
        assert_eq!(n_told.load(Ordering::Relaxed), 300);
        assert_eq!((cache.stats().live_entries, cache.stats().panics), (0, 0));
        known.set(None);
    });
}

/// A value whose drop ends scopes.
struct Restless(Known<Restless>, u64);

impl Drop for Restless {
    fn drop(&mut self) {
        if let Some(cache) = self.0.get().filter(|_| self.1 > 0) {
            meddle(&cache, || Restless(Known::default(), 0));
        }
    }
}

#[test]
fn f31_f32_a_drop_and_a_listener_may_end_scopes() {
    ends("a drop that ends scopes", || {
        let known = Known::<Restless>::default();
        let n_told = Arc::new(AtomicU64::new(0));
        let (inside, count) = (known.clone(), n_told.clone());
        let cache: Cache<Restless> = Cache::builder()
            .max_entries(50)
            .stripes(1)
            .listener(move |_, value: Entry<Restless>, _| {
                count.fetch_add(1, Ordering::Relaxed);
                if value.1 > 0 {
                    meddle(&inside.get().unwrap(), || Restless(Known::default(), 0));
                }
            })
            .build()
            .unwrap();
        known.set(Some(&cache));
        for n in 1..2000 {
            let scope = cache.scope("s").unwrap();
            scope.insert(n % 70, Restless(known.clone(), n)).unwrap();
            if n % 10 == 0 {
                scope.invalidate();
            }
        }
        cache.clear();
        maintain_fully(&cache);
        let stats = cache.stats();
        assert_eq!((stats.live_entries, stats.panics), (0, 0));
        assert_eq!(n_told.load(Ordering::Relaxed), stats.inserted);
        known.set(None);
    });
}

#[test]
fn each_value_is_told_of_once_when_writers_race_the_end_of_their_scope() {
    let heard: Arc<Mutex<BTreeMap<u64, RemovalCause>>> = Arc::default();
    let ear = heard.clone();
    let cache: Cache<u64> = Cache::builder()
        .max_entries(1 << 20)
        .stripes(2)
        .listener(move |_, value, cause| {
            let before = ear.lock().unwrap().insert(*value, cause);
            assert!(before.is_none(), "{} was told of twice", *value);
        })
        .build()
        .unwrap();
    let (is_over, n_values) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|threads| {
        let _over = SetAtEnd(&is_over);
        for _ in 0..2 {
            threads.spawn(|| {
                let scope = cache.scope("s").unwrap();
                while !is_over.load(Ordering::Relaxed) {
                    let n = n_values.fetch_add(1, Ordering::Relaxed);
                    scope.insert(n, n).unwrap();
                }
            });
        }
        let scope = cache.scope("s").unwrap();
        while n_values.load(Ordering::Relaxed) < 20_000 {
            scope.invalidate();
        }
    });
    cache.scope("s").unwrap().invalidate();
    maintain_fully(&cache);
    let (heard, n_values) = (heard.lock().unwrap(), n_values.load(Ordering::Relaxed));
    assert!(
        heard
            .values()
            .all(|&cause| cause == RemovalCause::Invalidated)
    );
    assert!(heard.keys().copied().eq(0..n_values), "each value once");
    let stats = cache.stats();
    assert_eq!(
        (stats.inserted, stats.invalidated, stats.panics),
        (n_values, n_values, 0)
    );
}
