//! Keys that were chosen to collide: under another instance's hash key, and under this one's.

use std::hash::{BuildHasher, Hasher};

use larder::Cache;

use crate::report::Report;
use crate::value::Random;

const KEYS: usize = 100_000;
/// Stripe (of four), tag and bucket.
const MASK: u64 = 3 << 62 | 0x3fff;
const SEEDS: [u64; 4] = [11, 22, 33, 44];
/// The time that keys which another instance's hash was chosen for may take, in that of random ones.
const RATIO_MAX: f64 = 3.0;
const ROUNDS: usize = 5;

/// Keys whose hashes under `SEEDS` agree in `MASK`.
fn chosen() -> Vec<[u8; 8]> {
    let [a, b, c, d] = SEEDS;
    let state = ahash::RandomState::with_seeds(a, b, c, d);
    (0..u64::MAX)
        .map(u64::to_le_bytes)
        .filter(|key| {
            let mut hasher = state.build_hasher();
            hasher.write(key);
            hasher.finish() & MASK == 0
        })
        .take(KEYS)
        .collect()
}

fn random() -> Vec<[u8; 8]> {
    let mut random = Random::new(5, 5);
    (0..KEYS).map(|_| random.word().to_le_bytes()).collect()
}

/// Processor time of this thread, in nanoseconds.
fn thread_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    #[allow(unsafe_code, reason = "a call of the system's")]
    // SAFETY: the pointer is to a local that outlives the call.
    unsafe {
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time)
    };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Inserts all, and looks all up; the time it took, and the bytes of the structure.
fn cost(keys: &[[u8; 8]], seeds: Option<[u64; 4]>, report: &Report) -> (u64, u64) {
    let builder = Cache::builder().max_entries(2 * KEYS as u64).stripes(4);
    let builder = match seeds {
        Some(seeds) => builder.hash_seeds(seeds),
        None => builder,
    };
    let cache: Cache<u64> = builder.build().expect("these bounds make a cache");
    let begun = thread_ns();
    for (value, key) in (0..).zip(keys) {
        if cache.insert(key, value).is_err() {
            report.violate("a key of a flood is refused");
        }
    }
    let mut n_found = 0;
    for (value, key) in (0..).zip(keys) {
        if let Some(found) = cache.get(key) {
            n_found += 1;
            if *found != value {
                report.violate("a key of a flood gives another's value");
            }
        }
    }
    let time = thread_ns() - begun;
    let stats = cache.stats();
    if n_found + stats.evicted != keys.len() as u64 {
        report.violate("a key of a flood is lost");
    }
    (time, stats.structure_bytes)
}

pub(crate) fn run(report: &Report) {
    let (chosen, random) = (chosen(), random());
    // The least of several, in turns: what else the machine does only adds to it.
    let mut least = [(u64::MAX, u64::MAX); 3];
    for _ in 0..ROUNDS {
        let costs = [
            cost(&random, None, report),
            cost(&chosen, None, report),
            cost(&chosen, Some(SEEDS), report),
        ];
        for (least, cost) in least.iter_mut().zip(costs) {
            *least = (least.0.min(cost.0), least.1.min(cost.1));
        }
    }
    let [by_chance, others, own] = least;
    let ratio = |cost: (u64, u64)| cost.0 as f64 / by_chance.0 as f64;
    println!(
        "torture: flood: {KEYS} keys chosen for another instance take {:.2} of the time of random ones; \
         for this one {:.1}, and {:.2} of the structure",
        ratio(others),
        ratio(own),
        own.1 as f64 / by_chance.1 as f64,
    );
    if ratio(others) > RATIO_MAX {
        report.violate("keys chosen for another instance slow this one down");
    }
    if own.1 > 4 * by_chance.1 {
        report.violate("keys chosen for this instance take memory without bound");
    }
}
