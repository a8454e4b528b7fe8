//! One point: a trace and a capacity, what a tracked cache says of other sizes, and what is true of them.
//!
//! # Invariants   O1 every request is a `get`, and on a miss an `insert`; time stands still; O2 the truth is that of one thread

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use larder::{BuildError, Cache, CurvePoint, ManualClock};

use crate::{hrt, lru};

/// A trace at a capacity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    trace: String,
    /// Objects, or bytes.
    capacity: u64,
    by_bytes: bool,
}

/// What came of a point.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) trace: String,
    pub(crate) capacity: u64,
    /// The share of the keys that was simulated in the end.
    pub(crate) rate: f64,
    pub(crate) sizes: Vec<SizeAnswer>,
}

/// Hit ratios of one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SizeAnswer {
    pub(crate) factor: f64,
    pub(crate) truth: f64,
    pub(crate) tracked: f64,
    /// Of an exact stack; none by bytes.
    pub(crate) lru: Option<f64>,
}

impl Point {
    pub(crate) fn run(
        &self,
        columns: &hrt::Columns,
        n_entries: usize,
        n_threads: usize,
    ) -> Result<Answer, BuildError> {
        let n_requests = columns.ids.len() as f64;
        let tracked = self.cache(self.capacity, Some(n_entries))?;
        replay(&tracked, columns, n_threads);
        let curve = tracked.curve().expect("it is tracked");
        let capacity_at = |point: &CurvePoint| (point.factor * self.capacity as f64).round() as u64;
        let capacities: Vec<u64> = curve.points.iter().map(capacity_at).collect();
        let lru = match self.by_bytes {
            true => Vec::new(),
            false => lru::hits(&columns.ids, &capacities),
        };
        let mut sizes = Vec::new();
        for (at, point) in curve.points.iter().enumerate() {
            let n_hits = replay(&self.cache(capacities[at], None)?, columns, 1);
            sizes.push(SizeAnswer {
                factor: point.factor,
                truth: n_hits as f64 / n_requests,
                tracked: point.hit_ratio,
                lru: lru.get(at).map(|n_hits| *n_hits as f64 / n_requests),
            });
        }
        Ok(Answer {
            trace: self.trace.clone(),
            capacity: self.capacity,
            rate: curve.rate,
            sizes,
        })
    }

    fn cache(&self, capacity: u64, track: Option<usize>) -> Result<Cache<u32>, BuildError> {
        let builder = Cache::builder().stripes(1).clock(ManualClock::new());
        let builder = match self.by_bytes {
            false => builder.max_entries(capacity),
            true => builder
                .max_bytes(capacity)
                .weigher(|_, size_bytes: &u32| u64::from(*size_bytes)),
        };
        match track {
            Some(n_entries) => builder.track_curve(n_entries).build(),
            None => builder.build(),
        }
    }
}

/// The points of a trace; none by bytes if it has no sizes.
pub(crate) fn points(trace: &str, columns: &hrt::Columns, by_bytes: bool) -> Vec<Point> {
    let mut firsts: Vec<(u32, usize)> = columns.ids.iter().copied().zip(0..).collect();
    firsts.sort_unstable();
    firsts.dedup_by_key(|(id, _)| *id);
    let n_objects = firsts.len() as u64;
    if by_bytes && columns.sizes_bytes.is_empty() {
        return Vec::new();
    }
    let whole = match by_bytes {
        false => n_objects,
        true => firsts
            .iter()
            .map(|(_, idx)| u64::from(columns.sizes_bytes[*idx]))
            .sum(),
    };
    PER_MILLE
        .iter()
        .filter(|per_mille| n_objects * **per_mille / 1000 >= OBJECTS_MIN)
        .map(|per_mille| Point {
            trace: trace.to_owned(),
            capacity: whole * per_mille / 1000,
            by_bytes,
        })
        .collect()
}

/// The number of hits. Threads take one request each in turn.
fn replay(cache: &Cache<u32>, columns: &hrt::Columns, n_threads: usize) -> u64 {
    let cursor = AtomicUsize::new(0);
    let one_thread = || {
        let mut n_hits = 0;
        loop {
            let idx = cursor.fetch_add(1, Ordering::Relaxed);
            let Some(id) = columns.ids.get(idx) else {
                return n_hits;
            };
            let key = hrt::key(*id);
            if cache.get(key).is_some() {
                n_hits += 1;
            } else {
                let size_bytes = columns.sizes_bytes.get(idx).copied().unwrap_or(0);
                // A refusal is a miss at the next request, which is what is counted.
                let _ = cache.insert(key, size_bytes);
            }
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..n_threads).map(|_| scope.spawn(one_thread)).collect();
        let own = one_thread();
        let join = |worker: thread::ScopedJoinHandle<'_, u64>| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        own + others.into_iter().map(join).sum::<u64>()
    })
}

/// As `hitratio` has them: .1, 1, 5, 10 and 25 per cent.
const PER_MILLE: [u64; 5] = [1, 10, 50, 100, 250];
/// Points with room for fewer objects than this are left out.
const OBJECTS_MIN: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_answered_as_it_is() {
        let columns = hrt::Columns {
            ids: (0..30_000).map(|n| n % 1_000).collect(),
            sizes_bytes: vec![100; 30_000],
            times_s: Vec::new(),
        };
        assert_eq!(points("loop", &columns, false).len(), 2);
        assert_eq!(points("loop", &columns, true).len(), 2);
        let point = Point {
            capacity: 500,
            ..points("loop", &columns, false)[0].clone()
        };
        let answer = point.run(&columns, 256, 1).unwrap();
        let truths: Vec<f64> = answer.sizes.iter().map(|size| size.truth).collect();
        let all = 1.0 - 1.0 / 30.0;
        assert!(truths.is_sorted() && truths[2] > 0.3 && truths[2] < 0.6);
        assert_eq!(truths[4..], [all, all, all]);
        for size in &answer.sizes {
            // Of so few objects chance moves the truth as well.
            assert!((size.truth - size.tracked).abs() < 0.2, "{size:?}");
            // An LRU cache of less than a loop hits nothing of it.
            let lru = if size.factor < 2.0 { 0.0 } else { all };
            assert_eq!(size.lru, Some(lru));
        }
    }
}
