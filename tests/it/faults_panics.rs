//! Faults 24, 29, 32 and 34, of `docs/faults.md`: user code panics at its n-th call, for each n; then the cache goes on as if nothing was.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder::{Cache, Condition, LoadError, ManualClock, Ttl};

use crate::tools::{ends, maintain_fully, panics};

/// Where user code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Weigher,
    Loader,
    Listener,
    Drop,
    Eq,
}

thread_local! {
    /// Calls that are left until one panics, and where; none outside a run.
    static FUSE: Cell<Option<(Place, usize)>> = const { Cell::new(None) };
}

/// Called by the user's code at a place.
fn pass(place: Place) {
    match FUSE.get() {
        Some((at, 0)) if at == place => {
            FUSE.set(None);
            panic!("{place:?}");
        }
        Some((at, n)) if at == place => FUSE.set(Some((at, n - 1))),
        _ => {}
    }
}

/// A value that runs code when it ends and when it is compared, and is counted.
#[derive(Debug)]
struct Fused(u64, Arc<AtomicUsize>);

impl Fused {
    fn new(number: u64, alive: &Arc<AtomicUsize>) -> Fused {
        alive.fetch_add(1, Ordering::Relaxed);
        Fused(number, Arc::clone(alive))
    }
}

impl PartialEq for Fused {
    fn eq(&self, other: &Fused) -> bool {
        pass(Place::Eq);
        self.0 == other.0
    }
}

impl Drop for Fused {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
        if !std::thread::panicking() {
            pass(Place::Drop);
        }
    }
}

/// One run: writes, loads, removals and expiry at a small bound. A panic in it is its caller's; the next step is taken all the same.
fn run(place: Place, n: usize) -> bool {
    let alive = Arc::new(AtomicUsize::new(0));
    let told = Arc::new(AtomicUsize::new(0));
    let ear = Arc::clone(&told);
    let clock = ManualClock::new();
    let cache: Cache<Fused> = Cache::builder()
        .max_bytes(40_000)
        .stripes(1)
        .clock(clock.clone())
        .weigher(|_, _| {
            pass(Place::Weigher);
            1000
        })
        .listener(move |_, _, _| {
            ear.fetch_add(1, Ordering::Relaxed);
            pass(Place::Listener);
        })
        .build()
        .unwrap();
    FUSE.set(Some((place, n)));
    let mut n_panics = 0;
    for i in 0..120_u64 {
        let step = || match i % 6 {
            0 | 1 => drop(cache.insert(i % 50, Fused::new(i, &alive))),
            2 => {
                let load = || {
                    pass(Place::Loader);
                    Ok::<_, ()>(Fused::new(i, &alive))
                };
                match cache.try_get_or_insert_with(i % 50, Ttl::DEFAULT, load) {
                    Ok(entry) => assert!(entry.0 <= i),
                    Err(LoadError::Refused(_)) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
            3 => {
                let known = Fused::new(i - 3, &alive);
                let new = Fused::new(i, &alive);
                drop(cache.put_if((i - 3) % 50, new, Ttl::DEFAULT, Condition::equal(&known)));
            }
            4 => {
                drop(cache.remove((i + 7) % 50));
                let ttl = Duration::from_millis(5);
                drop(cache.insert_with_ttl(i % 50, Fused::new(i, &alive), ttl));
            }
            _ => {
                clock.advance(Duration::from_millis(3));
                cache.maintain(10);
            }
        };
        n_panics += usize::from(panics(step));
    }
    let has_burnt = FUSE.replace(None).is_none();
    let contained = cache.stats().panics as usize;
    assert_eq!(
        n_panics + contained,
        usize::from(has_burnt),
        "{place:?} at {n}: a panic reaches its caller, or is contained and counted"
    );
    check_whole(&cache, &alive, &told, (place, n));
    has_burnt
}

/// Nothing was lost, kept, or left locked.
fn check_whole(
    cache: &Cache<Fused>,
    alive: &Arc<AtomicUsize>,
    told: &AtomicUsize,
    at: (Place, usize),
) {
    for key in 0..50 {
        cache.insert(key, Fused::new(key, alive)).unwrap();
        assert_eq!(cache.get(key).unwrap().0, key, "{at:?}");
    }
    cache.clear();
    maintain_fully(cache);
    let stats = cache.stats();
    assert_eq!(
        (cache.len(), stats.live_bytes, alive.load(Ordering::Relaxed)),
        (0, 0, 0),
        "{at:?}"
    );
    let left = stats.inserted;
    assert_eq!(told.load(Ordering::Relaxed) as u64, left, "{at:?}");
}

/// Every n at which there is a call, for one place.
fn each_call(place: Place) {
    ends("a run", move || {
        let mut n = 0;
        while run(place, n) {
            n += 1;
        }
        assert!(n >= 5, "{place:?} is called {n} times");
    });
}

#[test]
fn f24_a_weigher_that_panics_at_any_call_leaves_the_cache_whole() {
    each_call(Place::Weigher);
}

#[test]
fn f29_a_loader_that_panics_at_any_call_leaves_the_key_free() {
    each_call(Place::Loader);
}

#[test]
fn f32_a_listener_that_panics_at_any_call_is_contained() {
    each_call(Place::Listener);
}

#[test]
fn f34_a_drop_or_comparison_that_panics_at_any_call_leaves_the_cache_whole() {
    each_call(Place::Drop);
    each_call(Place::Eq);
}
