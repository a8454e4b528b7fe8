//! The byte bound under churn.
//!
//! # Idea         four threads churn values of 16 B to 1 MiB while one reader stays inside `read` for the whole time; what the engine
//!   charges is read by each thread after each operation, and every few milliseconds between two operations of all
//!   threads; what the allocator has handed out is never missed, because the allocator itself keeps its peak
//! # Costs        the seconds that were asked for, once a bound
//! # Invariants   B1 nothing but the cache allocates between the first sample and the last, but for the sampler's few bytes
//!   B2 the charge that is judged is read while no operation runs: it is a sum over stripes, and what moves from
//!   one to the other during the sum is counted twice
//! # Not here     speed

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::Duration;

use larder::Cache;
use parking_lot::RwLock;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::Answer;
use crate::counting;
use crate::keys::key;
use crate::time::now;

const N_THREADS: u64 = 4;
const SIZE_MIN_LOG2: f64 = 4.0;
const SIZE_MAX_LOG2: f64 = 20.0;
/// Keys that are drawn from: several times what fits.
const N_KEYS: u64 = 1 << 16;

/// Time between two readings of the charge at rest.
const PAUSE_EACH: Duration = Duration::from_millis(3);

/// What is seen while the threads run.
#[derive(Default)]
struct Seen {
    /// Held for writing while no operation may run.
    pause: RwLock<()>,
    /// Read while operations ran.
    moving_max: AtomicU64,
    /// Read while none did.
    charged_max: AtomicU64,
    n_samples: AtomicU64,
    n_inserts: AtomicU64,
    n_refused: AtomicU64,
    n_hits: AtomicU64,
    stop: AtomicBool,
}

/// Churns a cache of this bound for so long.
pub(super) fn run(bound: u64, seconds: u64) -> Answer {
    let time = Duration::from_secs(seconds);
    let seen = Seen::default();
    let payload = vec![7_u8; 1 << 20];
    // Threads, their stacks' books and the barrier are allocated before the baseline is taken.
    let ready = Barrier::new(N_THREADS as usize + 2);
    let begun = Barrier::new(N_THREADS as usize + 2);
    let cache: OnceLock<Cache<[u8]>> = OnceLock::new();
    let mut baseline = 0;
    thread::scope(|scope| {
        for thread in 0..N_THREADS {
            let (seen, payload, ready, begun, cache) =
                (&seen, &payload[..], &ready, &begun, &cache);
            scope.spawn(move || {
                ready.wait();
                begun.wait();
                work(
                    cache.get().expect("built before it was begun"),
                    thread,
                    payload,
                    seen,
                );
            });
        }
        let (seen_too, ready_too, begun_too, cache_too) = (&seen, &ready, &begun, &cache);
        scope.spawn(move || {
            ready_too.wait();
            begun_too.wait();
            park(
                cache_too.get().expect("built before it was begun"),
                seen_too,
            );
        });
        ready.wait();
        baseline = counting::held();
        counting::reset_peak();
        let built = Cache::builder()
            .max_bytes(bound)
            .build()
            .expect("a bound alone is a valid configuration");
        // What the reader parks in is there before anybody else writes.
        assert!(
            built.insert("parked", &payload[..4096]).is_ok(),
            "an empty cache takes four KiB"
        );
        let built = cache.get_or_init(|| built);
        begun.wait();
        let end = now() + time;
        while now() < end {
            thread::sleep(PAUSE_EACH);
            let _nobody = seen.pause.write();
            seen.charged_max
                .fetch_max(built.weight(), Ordering::Relaxed);
        }
        seen.stop.store(true, Ordering::Relaxed);
    });
    report(bound, counting::peak() - baseline, &seen)
}

/// Draws a key and a size, looks the key up half of the time, stores it else.
fn work(cache: &Cache<[u8]>, thread: u64, payload: &[u8], seen: &Seen) {
    let mut random = SmallRng::seed_from_u64(thread);
    while !seen.stop.load(Ordering::Relaxed) {
        let _running = seen.pause.read();
        let key = key(random.random_range(0..N_KEYS));
        if random.random::<bool>() {
            let found = cache.read(&key[..], |value| value.len()).is_some();
            seen.n_hits.fetch_add(u64::from(found), Ordering::Relaxed);
        } else {
            let len = random.random_range(SIZE_MIN_LOG2..=SIZE_MAX_LOG2).exp2() as usize;
            let is_refused = cache.insert(&key[..], &payload[..len]).is_err();
            seen.n_inserts.fetch_add(1, Ordering::Relaxed);
            seen.n_refused
                .fetch_add(u64::from(is_refused), Ordering::Relaxed);
        }
        seen.moving_max.fetch_max(cache.weight(), Ordering::Relaxed);
        seen.n_samples.fetch_add(1, Ordering::Relaxed);
    }
}

/// Stays inside `read` until the end; the entry is evicted meanwhile.
fn park(cache: &Cache<[u8]>, seen: &Seen) {
    let found = cache.read("parked", |value| {
        let sum: u64 = value.iter().map(|&byte| u64::from(byte)).sum();
        while !seen.stop.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        let sum_after: u64 = value.iter().map(|&byte| u64::from(byte)).sum();
        assert_eq!(sum, sum_after, "what is being read stays as it was");
    });
    if found.is_none() {
        eprintln!("the parked entry was evicted before it was read: the reader did not park");
    }
}

fn report(bound: u64, peak: usize, seen: &Seen) -> Answer {
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let pct = |bytes: u64| 100.0 * bytes as f64 / bound as f64;
    let figures = [
        ("charged, %", pct(load(&seen.charged_max))),
        ("handed out, %", pct(peak as u64)),
        ("summed up in motion, %", pct(load(&seen.moving_max))),
        ("inserts", load(&seen.n_inserts) as f64),
        ("refused", load(&seen.n_refused) as f64),
        ("hits", load(&seen.n_hits) as f64),
        ("samples", load(&seen.n_samples) as f64),
    ];
    figures
        .map(|(name, figure)| (name.to_owned(), figure))
        .into()
}
