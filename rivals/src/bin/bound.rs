//! The byte bound under churn: `cargo run --release -p rivals --bin bound -- [SECONDS]`.
//!
//! # Idea         four threads churn values of 16 B to 1 MiB while one reader stays inside `read` for the whole time; what the engine
//!   charges is read by each thread after each operation, and every few milliseconds between two operations of all
//!   threads; what the allocator has handed out is never missed, because the allocator itself keeps its peak
//! # Costs        the seconds that were asked for, once a bound
//! # Invariants   B1 nothing but the cache allocates between the first sample and the last, but for the sampler's few bytes
//!   B2 the charge that is judged is read while no operation runs: it is a sum over stripes, and what moves from
//!   one to the other during the sum is counted twice
//! # Not here     speed
#![expect(
    clippy::disallowed_types,
    reason = "the engine's own locks are not public"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use larder::Cache;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rivals::counting::{self, Counting};
use rivals::keys::key;
use rivals::time::now;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const N_THREADS: u64 = 4;
const SIZE_MIN_LOG2: f64 = 4.0;
const SIZE_MAX_LOG2: f64 = 20.0;
/// Keys that are drawn from: several times what fits.
const N_KEYS: u64 = 1 << 16;
/// What the allocator may hand out beyond the bound, of the bound.
const BEYOND_MAX: f64 = 0.02;

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

fn main() {
    let seconds = match std::env::args().nth(1).map(|argument| argument.parse()) {
        None => 60,
        Some(Ok(seconds)) => seconds,
        Some(Err(_)) => {
            eprintln!("usage: bound [SECONDS]");
            return;
        }
    };
    let bounds = [64 << 20, 256 << 20];
    let n_lost: usize = bounds
        .iter()
        .map(|&bound| churn(bound, Duration::from_secs(seconds)))
        .sum();
    println!("rows lost: {n_lost} of {}", 2 * bounds.len());
}

/// One bound; how many of its two rows are lost.
fn churn(bound: u64, time: Duration) -> usize {
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
            let _nobody = seen.pause.write().unwrap_or_else(PoisonError::into_inner);
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
        let _running = seen.pause.read().unwrap_or_else(PoisonError::into_inner);
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
        println!("  the parked entry was evicted before it was read: the reader did not park");
    }
}

fn report(bound: u64, peak: usize, seen: &Seen) -> usize {
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let charged = load(&seen.charged_max);
    let of_bound = |bytes: u64| 100.0 * bytes as f64 / bound as f64;
    println!(
        "bound {} MiB: {} inserts ({} refused), {} hits, {} samples of the charge",
        bound >> 20,
        load(&seen.n_inserts),
        load(&seen.n_refused),
        load(&seen.n_hits),
        load(&seen.n_samples)
    );
    let moving = load(&seen.moving_max);
    println!(
        "  shown: most that was summed up in motion {moving:>12} B, {:>6.2} %",
        of_bound(moving)
    );
    let is_true = charged <= bound;
    println!(
        "  {}: most that was charged      {charged:>12} B, {:>6.2} % of the bound, goal 100 %",
        verdict(is_true),
        of_bound(charged)
    );
    let is_real = of_bound(peak as u64) <= 100.0 * (1.0 + BEYOND_MAX);
    println!(
        "  {}: most that was handed out   {peak:>12} B, {:>6.2} % of the bound, goal 102 %",
        verdict(is_real),
        of_bound(peak as u64)
    );
    usize::from(!is_true) + usize::from(!is_real)
}

fn verdict(is_held: bool) -> &'static str {
    if is_held { "held" } else { "LOST" }
}
