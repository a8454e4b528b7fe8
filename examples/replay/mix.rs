//! The generated mix: what runs when no trace is given.
//!
//! # Idea         four kinds of traffic, drawn by a fixed seed: zipf; scans of objects seen once; a hot set that moves eight times;
//!   sessions with short deadlines
//! # Costs        a few draws a request
//! # Invariants   G1 the same number of requests gives the same trace; G2 an object keeps its size and its deadline's length
//! # Not here     any claim to be like a real system: it is called generated wherever it shows

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};

use crate::hrt;
use crate::trace::{Keys, Request, Trace};

/// Draws a trace of `n_requests`.
pub(crate) fn generate(n_requests: u64) -> Trace {
    let mut rng = SmallRng::seed_from_u64(SEED);
    let zipf = Zipf::new(f64::from(ZIPF_OBJECTS), 0.99)
        .expect("the constants lie in the distribution's range");
    let mut scans = Scans::new();
    let mut seen = Seen::default();
    let requests = (0..n_requests)
        .map(|idx| {
            let id = match rng.random_range(0..100_u32) {
                // A rank is at least 1.
                0..50 => zipf.sample(&mut rng) as u32 - 1,
                50..70 => hot(idx, n_requests, &mut rng),
                70..85 => scans.next(),
                _ => SESSIONS_AT + rng.random_range(0..SESSIONS),
            };
            seen.note(id);
            Request {
                id,
                size_bytes: size_bytes(id),
                at: STEP.saturating_mul(u32::try_from(idx).unwrap_or(u32::MAX)),
                ttl: ttl(id),
            }
        })
        .collect();
    Trace {
        requests,
        keys: Keys::Numbered {
            n_unique: seen.n_unique,
        },
        has_times: true,
        has_sizes: true,
    }
}

/// One of the objects that are hot in this eighth of the trace; half of them were in the eighth before.
fn hot(idx: u64, n_requests: u64, rng: &mut SmallRng) -> u32 {
    let phase = (idx * HOT_PHASES / n_requests.max(1)) as u32;
    HOT_AT + phase * (HOT_OBJECTS / 2) + rng.random_range(0..HOT_OBJECTS)
}

/// Runs over neighbouring objects, each of them read once.
struct Scans {
    next: u32,
}

impl Scans {
    fn new() -> Scans {
        Scans { next: SCANS_AT }
    }

    fn next(&mut self) -> u32 {
        let id = self.next;
        self.next = id.checked_add(1).unwrap_or(SCANS_AT);
        id
    }
}

/// From 64 bytes to 16 KiB, small ones more often.
fn size_bytes(id: u32) -> u64 {
    let word = mixed(id);
    let octave = (word & 0xFF).min(word >> 8 & 0xFF) / 32;
    let base = 64 << octave;
    base + (word >> 16) % base
}

/// Sessions live from 5 s to 36 s; a third of the zipf objects have a deadline too, of a minute.
fn ttl(id: u32) -> Option<Duration> {
    if (SESSIONS_AT..SESSIONS_AT + SESSIONS).contains(&id) {
        Some(Duration::from_secs(5 + mixed(id) % 32))
    } else if id < ZIPF_OBJECTS && id.is_multiple_of(3) {
        Some(Duration::from_secs(60))
    } else {
        None
    }
}

fn mixed(id: u32) -> u64 {
    u64::from_le_bytes(hrt::key(id)) >> 32
}

/// Counts distinct objects.
#[derive(Default)]
struct Seen {
    bits: Vec<u64>,
    n_unique: usize,
}

impl Seen {
    fn note(&mut self, id: u32) {
        let (word, bit) = ((id / 64) as usize, 1 << (id % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        self.n_unique += usize::from(self.bits[word] & bit == 0);
        self.bits[word] |= bit;
    }
}

const SEED: u64 = 0x1A2D_E200;
/// 20,000 requests a second of the trace's own time.
const STEP: Duration = Duration::from_micros(50);
const ZIPF_OBJECTS: u32 = 200_000;
const HOT_AT: u32 = ZIPF_OBJECTS;
const HOT_OBJECTS: u32 = 4_000;
const HOT_PHASES: u64 = 8;
const SESSIONS_AT: u32 = HOT_AT + HOT_OBJECTS * (HOT_PHASES as u32);
const SESSIONS: u32 = 60_000;
const SCANS_AT: u32 = SESSIONS_AT + SESSIONS;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_same_count_gives_the_same_trace() {
        assert_eq!(generate(5_000).requests, generate(5_000).requests);
        assert!(generate(0).requests.is_empty());
        assert_eq!(generate(1).keys.n_unique(), 1);
    }

    #[test]
    fn every_kind_of_traffic_is_in_it() {
        let trace = generate(100_000);
        let share = |ids: std::ops::Range<u32>| {
            trace
                .requests
                .iter()
                .filter(|request| ids.contains(&request.id))
                .count() as f64
                / 1e5
        };
        assert!((share(0..HOT_AT) - 0.50).abs() < 0.01);
        assert!((share(HOT_AT..SESSIONS_AT) - 0.20).abs() < 0.01);
        assert!((share(SESSIONS_AT..SCANS_AT) - 0.15).abs() < 0.01);
        assert!((share(SCANS_AT..u32::MAX) - 0.15).abs() < 0.01);
        let with_ttl = trace
            .requests
            .iter()
            .filter(|request| request.ttl.is_some())
            .count();
        assert!(with_ttl > 15_000 && with_ttl < 60_000, "{with_ttl}");
        assert!(
            trace
                .requests
                .iter()
                .all(|request| (64..32 << 10).contains(&request.size_bytes))
        );
    }

    #[test]
    fn objects_keep_size_and_ttl_and_are_counted() {
        let trace = generate(50_000);
        let mut known = HashMap::new();
        for request in &trace.requests {
            let what = (request.size_bytes, request.ttl);
            assert_eq!(*known.entry(request.id).or_insert(what), what);
        }
        assert_eq!(known.len(), trace.keys.n_unique());
    }
}
