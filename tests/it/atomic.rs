//! Atomic operations through the public API. By file:
//! - `conditions`: conditional writes (M-140, E-42);
//! - `compute`: computations, alone and against each other (fault 2);
//! - `counters`: numbers and appending (E-41, M-141 to M-146).

mod compute;
mod conditions;
mod counters;

use std::time::Duration;

use larder::{Cache, ManualClock, Value};

const SECOND: Duration = Duration::from_secs(1);

/// A cache of one stripe under a clock that is moved by hand.
fn by_hand<V: Value + ?Sized>() -> (Cache<V>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_entries(1000).stripes(1);
    (builder.clock(clock.clone()).build().unwrap(), clock)
}
