//! A warm restart, measured: how long a snapshot takes and comes back in, whom it disturbs, and what of the hit ratio is left.
//!
//! ```text
//! cargo run --release --example warm              # a million entries
//! cargo run --release --example warm -- 100000    # fewer
//! ```
//!
//! # Idea         a cache that is full, under popular keys among keys that come once; a snapshot while another thread goes on; then three caches
//!   take the same requests: the old one, one that restored the snapshot, and one that starts cold

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use larder::Cache;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::Zipf;

const VALUE: [u8; 64] = [7; 64];
/// A pause that a snapshot makes is in each of them; what is in some is the machine's.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let n_entries: u64 = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 1_000_000,
    };
    let old = cache(n_entries)?;
    println!("entries: {n_entries}, values of {} bytes", VALUE.len());
    play(&old, 1, 4 * n_entries);
    let path = std::env::temp_dir().join(format!("larder-warm-{}", std::process::id()));

    let (mut alone, mut during) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let (slowest, snapshot) = beside(&old, || {
            let begun = now();
            old.snapshot(&path)
                .map(|snapshot| (snapshot, begun.elapsed()))
        });
        let (snapshot, took) = snapshot?;
        during.push(slowest);
        alone.push(beside(&old, || std::thread::sleep(took)).0);
        if round == ROUNDS {
            println!(
                "snapshot: {} entries, {:.0} MB, {:.2} s",
                snapshot.entries,
                snapshot.bytes as f64 / 1e6,
                took.as_secs_f64()
            );
        }
    }
    println!("the longest call of another thread, least, median and most of {ROUNDS} rounds:");
    println!("alone {}; during a snapshot {}", told(alone), told(during));

    let new = cache(n_entries)?;
    let begun = now();
    let restored = new.restore(&path)?;
    println!(
        "restore: {} entries, whole: {}, {:.2} s",
        restored.entries,
        restored.is_whole,
        begun.elapsed().as_secs_f64()
    );
    std::fs::remove_file(&path)?;

    let cold = cache(n_entries)?;
    println!(
        "{:>24} {:>10} {:>10} {:>10}",
        "hit ratio over", "went on", "restored", "cold"
    );
    for step in 0..4 {
        let n = n_entries / 4;
        let [old, new, cold] = [&old, &new, &cold].map(|cache| 100.0 * play(cache, 2 + step, n));
        println!("{n:>15} requests {old:>9.2}% {new:>9.2}% {cold:>9.2}%");
    }
    Ok(())
}

fn cache(n_entries: u64) -> Result<Cache<[u8]>, Box<dyn Error>> {
    Ok(Cache::builder()
        .max_entries(n_entries)
        .max_bytes(64 << 30)
        .build()?)
}

/// Two requests in three are for popular keys; the hit ratio.
fn play(cache: &Cache<[u8]>, seed: u64, n: u64) -> f64 {
    let mut requests = Requests::new(seed);
    let n_hits = (0..n).filter(|_| requests.serve(cache)).count();
    n_hits as f64 / n as f64
}

struct Requests {
    draws: SmallRng,
    zipf: Zipf<f64>,
    seed: u64,
    n: u64,
}

impl Requests {
    fn new(seed: u64) -> Self {
        Requests {
            draws: SmallRng::seed_from_u64(seed),
            zipf: Zipf::new(4e6, 0.9).expect("the parameters are good"),
            seed,
            n: 0,
        }
    }

    /// Whether it was a hit.
    fn serve(&mut self, cache: &Cache<[u8]>) -> bool {
        self.n += 1;
        let key = if self.n.is_multiple_of(3) {
            self.seed << 48 | 1 << 47 | self.n
        } else {
            self.draws.sample(self.zipf) as u64
        };
        let is_hit = cache.get(key).is_some();
        if !is_hit {
            // It is made for so many, and none is too large.
            cache.insert(key, VALUE).expect("there is room for it");
        }
        is_hit
    }
}

/// The slowest call that a thread makes while something runs.
fn beside<R: Send>(cache: &Cache<[u8]>, run: impl FnOnce() -> R + Send) -> (Duration, R) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let calls = threads.spawn(|| {
            let mut requests = Requests::new(99);
            let mut slowest = Duration::ZERO;
            while !is_over.load(Ordering::Relaxed) {
                let begun = now();
                requests.serve(cache);
                slowest = slowest.max(begun.elapsed());
            }
            slowest
        });
        let answer = run();
        is_over.store(true, Ordering::Relaxed);
        (calls.join().expect("it only calls the cache"), answer)
    })
}

fn told(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = [0, times.len() / 2, times.len() - 1];
    at.map(|at| format!("{} us", times[at].as_micros()))
        .join(", ")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock; the ban is for the engine"
)]
fn now() -> Instant {
    Instant::now()
}
