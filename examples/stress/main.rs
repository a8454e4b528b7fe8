//! Threads that do everything at once to a small cache, for some seconds, and check what they see.
//!
//! `cargo run --release --example stress -- [SECONDS] [THREADS]`. It ends with a panic if a value is torn, stale, of
//! another key, used after its drop, dropped twice or not at all. Made to be run under the address and the thread
//! sanitizer:
//!
//! ```text
//! RUSTFLAGS=-Zsanitizer=address cargo +nightly run --release --example stress --target x86_64-unknown-linux-gnu
//! RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg engine_barrier=\"swap\"" ...
//! ```

mod values;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use larder::{Cache, Capacity, Clock, Janitor, Nanos, SystemClock};
use values::{Alive, LIVE};

const KEYS: u64 = 3000;
const BYTES_MAX: u64 = 600 << 10;

/// What all threads work on.
#[derive(Clone)]
struct Bench {
    bytes: Cache<[u8]>,
    alive: Cache<Alive>,
    told: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

/// One thread's view: what it saw of each key, and how often each thing happened.
struct Hand {
    bench: Bench,
    random: u64,
    versions: HashMap<u64, u64>,
    counts: HashMap<&'static str, u64>,
}

impl Hand {
    fn next(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % below
    }

    /// A few keys are hot.
    fn key(&mut self) -> u64 {
        let below = if self.next(2) == 0 { 16 } else { KEYS };
        self.next(below)
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Versions of a key never go back in the eyes of one thread.
    fn saw(&mut self, key: u64, version: u64) {
        let before = self.versions.insert(key, version).unwrap_or(0);
        assert!(
            before <= version,
            "key {key} was seen at version {before}, then at {version}"
        );
    }

    fn work(&mut self) {
        while !self.bench.is_over.load(Ordering::Relaxed) {
            for _ in 0..256 {
                let key = self.key();
                match self.next(100) {
                    0..30 => self.get(key),
                    30..50 => self.read(key),
                    50..80 => self.insert(key),
                    80..86 => self.remove(key),
                    86..90 => self.set_ttl(key),
                    90..94 => self.get_many(),
                    94..98 => self.sized(key),
                    _ => {}
                }
            }
            self.rarely();
        }
    }

    fn get(&mut self, key: u64) {
        if let Some(entry) = self.bench.bytes.get(key) {
            values::check(key, &entry);
            assert_eq!(entry.key().to_string(), key.to_string());
            self.saw(key, entry.version());
            self.count("hits");
            // A handle outlives its entry.
            if self.next(64) == 0 {
                self.insert(key);
                values::check(key, &entry);
            }
        }
    }

    fn read(&mut self, key: u64) {
        let cache = self.bench.bytes.clone();
        let depth = self.next(7);
        if cache
            .read(key, |value| nested(&cache, key, value, depth))
            .is_some()
        {
            self.count("reads");
        }
    }

    fn insert(&mut self, key: u64) {
        let len = if self.next(100) == 0 {
            self.next(20_000)
        } else {
            self.next(600)
        };
        let value = values::make(key, self.random, len as usize);
        let ttl = Duration::from_micros(1 + self.next(30_000));
        let answer = match self.next(3) {
            0 => self.bench.bytes.insert_with_ttl(key, value, ttl),
            _ => self.bench.bytes.insert(key, value),
        };
        match answer {
            Ok(Some(old)) => {
                values::check(key, &old);
                self.count("replaced");
            }
            Ok(None) => self.count("inserted"),
            Err(_) => self.count("refused"),
        }
    }

    fn remove(&mut self, key: u64) {
        if let Some(old) = self.bench.bytes.remove(key) {
            values::check(key, &old);
            self.saw(key, old.version());
            self.count("removed");
        }
    }

    fn set_ttl(&mut self, key: u64) {
        let ttl = (self.next(2) == 0).then(|| Duration::from_micros(self.next(2000) + 1));
        if self.bench.bytes.set_ttl(key, ttl).expect("it isn't zero") {
            self.count("ttl set");
        }
    }

    fn get_many(&mut self) {
        let keys: [u64; 8] = std::array::from_fn(|_| self.key());
        for (&key, entry) in keys.iter().zip(self.bench.bytes.get_many(&keys)) {
            if let Some(entry) = entry {
                values::check(key, &entry);
                self.saw(key, entry.version());
                self.count("hits of many");
            }
        }
    }

    fn sized(&mut self, key: u64) {
        let cache = self.bench.alive.clone();
        match self.next(4) {
            0 => drop(cache.remove(key)),
            1 => drop(cache.get(key).map(|entry| entry.check(key))),
            2 => drop(cache.read(key, |value| value.check(key))),
            _ => drop(cache.insert(key, Alive::new(key))),
        }
    }

    fn rarely(&mut self) {
        match self.next(40) {
            0 => {
                let n = self
                    .bench
                    .bytes
                    .iter()
                    .inspect(|entry| assert!(entry.len() >= values::HEAD))
                    .count();
                assert!(n <= KEYS as usize);
                self.count("walks");
            }
            1 if self.next(8) == 0 => self.bench.bytes.clear(),
            2 => drop(self.bench.bytes.retain(|entry| entry.version() % 8 != 0)),
            3 => {
                let bytes = BYTES_MAX / (1 + self.next(3));
                self.bench
                    .bytes
                    .set_capacity(Capacity::bytes(bytes))
                    .expect("the same kind of bound");
            }
            4..10 => drop(self.bench.bytes.maintain(1000)),
            // A thread that ends gives its record back.
            10 => {
                let cache = self.bench.bytes.clone();
                thread::spawn(move || drop(cache.get(1_u64)))
                    .join()
                    .expect("it only reads");
            }
            _ => {}
        }
    }
}

/// Reads within reads, with the writes of a neighbour in between.
fn nested(cache: &Cache<[u8]>, key: u64, value: &[u8], depth: u64) {
    values::check(key, value);
    if depth > 0 {
        if depth == 3 {
            drop(cache.remove(key));
        }
        let next = (key + depth) % KEYS;
        cache.read(next, |value| nested(cache, next, value, depth - 1));
        values::check(key, value);
    }
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|word| word.parse::<u64>().expect("a number"));
    let seconds = arguments.next().unwrap_or(10);
    let n_threads = arguments.next().unwrap_or(4);
    let told = Arc::new(AtomicU64::new(0));
    let heard = Arc::clone(&told);
    let bytes = Cache::builder()
        .max_bytes(BYTES_MAX)
        .stripes(4)
        .time_to_idle(Duration::from_millis(200));
    let alive = Cache::builder()
        .max_entries(500)
        .stripes(2)
        .listener(move |_, entry, _| {
            Alive::check_any(&entry);
            heard.fetch_add(1, Ordering::Relaxed);
        });
    let bench = Bench {
        bytes: bytes.build().expect("these bounds make a cache"),
        alive: alive.build().expect("these bounds make a cache"),
        told,
        is_over: Arc::default(),
    };
    let janitor =
        Janitor::start(&bench.bytes, Duration::from_millis(2)).expect("a thread is given");
    let hands: Vec<_> = (1..=n_threads)
        .map(|n| {
            let bench = bench.clone();
            let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut hand = Hand {
                bench,
                random,
                versions: HashMap::new(),
                counts: HashMap::new(),
            };
            thread::spawn(move || {
                hand.work();
                hand.counts
            })
        })
        .collect();
    let clock = SystemClock::new();
    let mut most = 0;
    let end = Nanos::from_duration(Duration::from_secs(seconds));
    while clock.now() < end && !hands.iter().any(|hand| hand.is_finished()) {
        // The janitor and the threads work meanwhile; what is charged is looked at from outside.
        most = most.max(bench.bytes.weight());
        thread::yield_now();
    }
    bench.is_over.store(true, Ordering::Relaxed);
    let mut counts = HashMap::new();
    for hand in hands {
        for (what, n) in hand.join().expect("no thread panics") {
            *counts.entry(what).or_insert(0) += n;
        }
    }
    janitor.stop();
    finish(bench, counts, most);
}

/// Checks that all has left that came, and prints what was done.
fn finish(bench: Bench, counts: HashMap<&str, u64>, most: u64) {
    let stats = bench.alive.stats();
    while bench.alive.maintain(10_000).more {}
    let left = stats.inserted - stats.live_entries;
    assert_eq!(
        bench.told.load(Ordering::Relaxed),
        left,
        "each value that left was told of once"
    );
    assert_eq!((bench.bytes.stats().panics, stats.panics), (0, 0));
    assert!(most <= BYTES_MAX, "{most} bytes were charged at one moment");
    let after = bench.bytes.stats();
    drop(bench);
    assert_eq!(
        LIVE.load(Ordering::Relaxed),
        0,
        "each value was dropped once"
    );
    println!("at most {most} bytes charged of {BYTES_MAX}; {counts:?}\n{after:?}");
}
