//! Tenants, named caches, their limits and shares of memory, through the public API. By file:
//! - `caches`: names, listings, deletion and what is left of it (E-1 to E-7, E-92);
//! - `endings`: views held over a deletion, and deletions that race with everything else;
//! - `sizes`: sizes and times to live (E-19, E-24 to E-30);
//! - `memory`: maxima and guarantees, by example (E-70 to E-75);
//! - `machine`: the same by operations drawn at random, and with threads;
//! - `rates`: admission (E-80 to E-83, E-88), and its windows with threads;
//! - `texts`: keys that are rendered text (E-16, E-17);
//! - `faults`: faults 38 to 40.

mod both;
mod caches;
mod counts;
mod endings;
mod faults;
mod machine;
mod memory;
mod rates;
mod sizes;
mod texts;

use larder::{Cache, Limits, ManualClock};

use crate::tools::SEEDS;

/// A cache of so many bytes, under a clock that is moved by hand; its hashes are the same each time.
fn by_hand(max_bytes: u64, stripes: usize) -> (Cache<[u8]>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_bytes(max_bytes).stripes(stripes);
    let builder = builder.clock(clock.clone()).hash_seeds(SEEDS);
    (builder.build().unwrap(), clock)
}

/// No limit but on memory.
fn bytes(guaranteed_bytes: u64, max_bytes: u64) -> Limits {
    Limits {
        guaranteed_bytes,
        max_bytes: Some(max_bytes),
        ..Limits::default()
    }
}

/// The same without a maximum.
fn guaranteed(guaranteed_bytes: u64) -> Limits {
    Limits {
        guaranteed_bytes,
        ..Limits::default()
    }
}
