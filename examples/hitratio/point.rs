//! One point: a trace, a capacity, and the hits of a cache of that capacity.
//!
//! # Idea         a fresh cache, hand-driven time that stands still, a shared cursor when there are several threads. What is absent is
//!   loaded, as a service would: who finds its key being loaded waits, and has hit, since nothing is fetched for it
//! # Invariants   O1 by count the bound is `max_entries` alone; O2 by bytes it is `max_bytes`, and what the engine charges for an
//!   entry's overhead counts against it, which the references leave out
//! # Not here     which figures it is compared with

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use larder::{Cache, ManualClock, Ttl};

use crate::hrt;

/// What bounds the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Mode {
    Count,
    Bytes,
}

/// How every point is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// As a cache has them by default, if not given.
    pub(crate) n_stripes: Option<usize>,
    pub(crate) n_threads: usize,
}

/// A point, and what came of it once it has run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) mode: Mode,
    pub(crate) trace: String,
    /// The share of the trace's distinct keys, or of their bytes.
    pub(crate) per_mille: u64,
    /// Objects, or units of 64 bytes.
    pub(crate) capacity: u64,
    pub(crate) n_requests: u64,
    pub(crate) n_hits: u64,
    pub(crate) bytes_asked: u64,
    pub(crate) bytes_hit: u64,
}

impl Point {
    pub(crate) fn hit_ratio(&self) -> f64 {
        self.n_hits as f64 / (self.n_requests as f64).max(1.0)
    }

    pub(crate) fn byte_hit_ratio(&self) -> f64 {
        self.bytes_hit as f64 / (self.bytes_asked as f64).max(1.0)
    }

    /// Replays the trace through a fresh cache.
    pub(crate) fn run(
        &self,
        columns: &hrt::Columns,
        settings: Settings,
    ) -> Result<Point, RunError> {
        let mut builder = Cache::<u32>::builder().clock(ManualClock::new());
        if let Some(n_stripes) = settings.n_stripes {
            builder = builder.stripes(n_stripes);
        }
        let builder = match self.mode {
            Mode::Count => builder.max_entries(self.capacity),
            Mode::Bytes => builder
                .max_bytes(self.capacity * UNIT_BYTES)
                // The value stands for an object of as many bytes; its own four are charged besides, as overhead.
                .weigher(|_, size_bytes: &u32| u64::from(*size_bytes)),
        };
        let cache = builder
            .build()
            .map_err(|error| RunError(format!("{}: {error}", self.trace)))?;
        let run = Run {
            cache,
            columns,
            cursor: AtomicUsize::new(0),
            n_hits: AtomicU64::new(0),
            bytes_hit: AtomicU64::new(0),
        };
        if settings.n_threads == 1 {
            run.in_order();
        } else {
            thread::scope(|scope| {
                for _ in 0..settings.n_threads {
                    scope.spawn(|| run.shared());
                }
            });
        }
        let sizes = columns.sizes_bytes.iter();
        Ok(Point {
            n_requests: columns.ids.len() as u64,
            n_hits: run.n_hits.into_inner(),
            bytes_asked: sizes.map(|size| u64::from(*size)).sum(),
            bytes_hit: run.bytes_hit.into_inner(),
            ..self.clone()
        })
    }
}

/// The points of a trace; none by bytes if it has no sizes.
pub(crate) fn points(trace: &str, columns: &hrt::Columns, mode: Mode) -> Vec<Point> {
    if mode == Mode::Bytes && columns.sizes_bytes.is_empty() {
        return Vec::new();
    }
    let n_objects = n_unique(&columns.ids);
    let whole = match mode {
        Mode::Count => n_objects,
        Mode::Bytes => footprint_units(columns),
    };
    PER_MILLE
        .iter()
        // By bytes as well, so that both modes have the same points of a trace.
        .filter(|per_mille| n_objects * **per_mille / 1000 >= OBJECTS_MIN)
        .map(|per_mille| Point {
            mode,
            trace: trace.to_owned(),
            per_mille: *per_mille,
            capacity: whole * per_mille / 1000,
            n_requests: 0,
            n_hits: 0,
            bytes_asked: 0,
            bytes_hit: 0,
        })
        .collect()
}

/// A cache couldn't be built.
#[derive(Debug)]
pub(crate) struct RunError(String);

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for RunError {}

/// A replay under way.
struct Run<'a> {
    cache: Cache<u32>,
    columns: &'a hrt::Columns,
    cursor: AtomicUsize,
    n_hits: AtomicU64,
    bytes_hit: AtomicU64,
}

impl Run<'_> {
    fn in_order(&self) {
        let (mut n_hits, mut bytes_hit) = (0, 0);
        for idx in 0..self.columns.ids.len() {
            self.one(idx, &mut n_hits, &mut bytes_hit);
        }
        self.count(n_hits, bytes_hit);
    }

    /// The threads take one request each in turn, so that together they keep the trace's order as well as threads can.
    fn shared(&self) {
        let (mut n_hits, mut bytes_hit) = (0, 0);
        loop {
            let idx = self.cursor.fetch_add(1, Ordering::Relaxed);
            if idx >= self.columns.ids.len() {
                break;
            }
            self.one(idx, &mut n_hits, &mut bytes_hit);
        }
        self.count(n_hits, bytes_hit);
    }

    fn one(&self, idx: usize, n_hits: &mut u64, bytes_hit: &mut u64) {
        let key = hrt::key(self.columns.ids[idx]);
        let size_bytes = self.columns.sizes_bytes.get(idx).copied().unwrap_or(0);
        let mut is_loaded = false;
        // A refusal is a miss at the next request, which is what is counted.
        let _ = self.cache.get_or_insert_with(key, Ttl::DEFAULT, || {
            is_loaded = true;
            size_bytes
        });
        if !is_loaded {
            *n_hits += 1;
            *bytes_hit += u64::from(size_bytes);
        }
    }

    fn count(&self, n_hits: u64, bytes_hit: u64) {
        self.n_hits.fetch_add(n_hits, Ordering::Relaxed);
        self.bytes_hit.fetch_add(bytes_hit, Ordering::Relaxed);
    }
}

fn n_unique(ids: &[u32]) -> u64 {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids.len() as u64
}

/// Units of all distinct objects, each at the size of its first request.
fn footprint_units(columns: &hrt::Columns) -> u64 {
    let mut firsts: Vec<(u32, usize)> = columns.ids.iter().copied().zip(0..).collect();
    firsts.sort_unstable();
    firsts.dedup_by_key(|(id, _)| *id);
    let units = |idx: usize| u64::from(columns.sizes_bytes[idx]).div_ceil(UNIT_BYTES);
    firsts.iter().map(|(_, idx)| units(*idx)).sum()
}

/// .1, 1, 5, 10 and 25 per cent.
const PER_MILLE: [u64; 5] = [1, 10, 50, 100, 250];
/// Points with room for fewer objects than this are left out.
const OBJECTS_MIN: u64 = 64;
/// The unit of capacities by bytes in reference.csv.
const UNIT_BYTES: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn cycle(n_objects: u32, n_requests: u32) -> hrt::Columns {
        hrt::Columns {
            ids: (0..n_requests).map(|idx| idx % n_objects).collect(),
            sizes_bytes: (0..n_requests)
                .map(|idx| 100 + idx % n_objects % 7)
                .collect(),
            times_s: Vec::new(),
        }
    }

    #[test]
    fn points_are_shares_of_the_distinct_keys() {
        let columns = cycle(2_000, 5_000);
        let capacities = |mode| {
            points("a", &columns, mode)
                .iter()
                .map(|point| point.capacity)
                .collect::<Vec<_>>()
        };
        assert_eq!(capacities(Mode::Count), [100, 200, 500]);
        // Every object takes two units of 64 bytes.
        assert_eq!(capacities(Mode::Bytes), [200, 400, 1_000]);
        let without_sizes = hrt::Columns {
            sizes_bytes: Vec::new(),
            ..columns
        };
        assert!(points("a", &without_sizes, Mode::Bytes).is_empty());
    }

    #[test]
    fn hits_are_those_of_the_trace() {
        // All objects fit: each is loaded once, also with several threads.
        let columns = cycle(500, 10_000);
        let point = Point {
            capacity: 2_000,
            ..points("a", &columns, Mode::Count)[0].clone()
        };
        let alone = point
            .run(
                &columns,
                Settings {
                    n_stripes: Some(1),
                    n_threads: 1,
                },
            )
            .unwrap();
        assert_eq!((alone.n_requests, alone.n_hits), (10_000, 9_500));
        assert!(alone.byte_hit_ratio() > 0.94 && alone.byte_hit_ratio() < 0.96);
        let shared = point
            .run(
                &columns,
                Settings {
                    n_stripes: None,
                    n_threads: 3,
                },
            )
            .unwrap();
        assert_eq!((shared.n_requests, shared.n_hits), (10_000, 9_500));
    }

    #[test]
    fn the_bound_is_felt() {
        let columns = cycle(1_000, 10_000);
        for mode in [Mode::Count, Mode::Bytes] {
            let point = points("a", &columns, mode).pop().unwrap();
            let done = point
                .run(
                    &columns,
                    Settings {
                        n_stripes: Some(1),
                        n_threads: 1,
                    },
                )
                .unwrap();
            // A loop of a thousand through a quarter of that: the optimum hits a quarter of the time.
            assert!(done.hit_ratio() < 0.27, "{mode:?} {}", done.hit_ratio());
        }
    }
}
