//! The replay itself: each request is a `get`, and on a miss an `insert`.
//!
//! # Idea         threads take runs of neighbouring requests off a shared cursor; what they count goes into the window that the
//!   request's place belongs to
//! # Costs        one shared addition a run of 256 requests
//! # Invariants   P1 every request is replayed once; P2 the clock shows the latest time that a replayed request bears, and never
//!   goes back
//! # Not here     reading traces, printing

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use larder::{Cache, ManualClock};

use crate::trace::{Request, Trace};

/// How to replay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) n_threads: usize,
    /// Requests a window of the picture.
    pub(crate) every: usize,
    /// Objects above this are never offered to the cache.
    pub(crate) value_bytes_max: u64,
}

/// What a part of a replay came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) n_requests: u64,
    pub(crate) n_hits: u64,
    pub(crate) bytes_asked: u64,
    pub(crate) bytes_hit: u64,
    /// Inserts that the cache answered with an error.
    pub(crate) n_refused: u64,
    /// Misses of objects that were not offered.
    pub(crate) n_oversize: u64,
}

impl Tally {
    pub(crate) fn hit_pct(&self) -> f64 {
        percent(self.n_hits, self.n_requests)
    }

    pub(crate) fn byte_hit_pct(&self) -> f64 {
        percent(self.bytes_hit, self.bytes_asked)
    }

    fn add(&mut self, other: Tally) {
        self.n_requests += other.n_requests;
        self.n_hits += other.n_hits;
        self.bytes_asked = self.bytes_asked.saturating_add(other.bytes_asked);
        self.bytes_hit = self.bytes_hit.saturating_add(other.bytes_hit);
        self.n_refused += other.n_refused;
        self.n_oversize += other.n_oversize;
    }
}

/// A stretch of the trace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    pub(crate) tally: Tally,
    /// Bytes charged when its last request was done.
    pub(crate) resident_bytes: u64,
}

/// What a replay came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) total: Tally,
    pub(crate) windows: Vec<Window>,
    pub(crate) elapsed: Duration,
    /// The most bytes charged after any run of requests.
    pub(crate) highest_bytes: u64,
}

/// Replays `trace` through `cache`; `clock` is the cache's.
pub(crate) fn replay(
    cache: &Cache<[u8]>,
    clock: &ManualClock,
    trace: &Trace,
    settings: Settings,
    bar: &ProgressBar,
) -> Outcome {
    // Zeroed pages that nobody writes take no memory of their own, however large the largest object is.
    let value_bytes = trace.largest_bytes().min(settings.value_bytes_max);
    let job = Job {
        cache,
        trace,
        settings,
        bar,
        pace: Pace {
            clock,
            shown_ns: AtomicU64::new(0),
        },
        cursor: AtomicUsize::new(0),
        value: vec![0; value_bytes as usize],
    };
    let begun = now();
    let parts: Vec<Part> = thread::scope(|scope| {
        let workers: Vec<_> = (0..settings.n_threads)
            .map(|_| scope.spawn(|| job.work()))
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let elapsed = begun.elapsed();
    gather(parts, elapsed)
}

fn gather(parts: Vec<Part>, elapsed: Duration) -> Outcome {
    let n_windows = parts
        .iter()
        .map(|part| part.windows.len())
        .max()
        .unwrap_or(0);
    let mut windows = vec![Window::default(); n_windows];
    let mut total = Tally::default();
    for part in &parts {
        for (window, of_part) in windows.iter_mut().zip(&part.windows) {
            window.tally.add(of_part.tally);
            // One thread alone replays a window's last request.
            window.resident_bytes = window.resident_bytes.max(of_part.resident_bytes);
            total.add(of_part.tally);
        }
    }
    Outcome {
        total,
        windows,
        elapsed,
        highest_bytes: parts
            .iter()
            .map(|part| part.highest_bytes)
            .max()
            .unwrap_or(0),
    }
}

/// What the threads of a replay share.
struct Job<'a> {
    cache: &'a Cache<[u8]>,
    trace: &'a Trace,
    settings: Settings,
    bar: &'a ProgressBar,
    pace: Pace<'a>,
    cursor: AtomicUsize,
    value: Vec<u8>,
}

/// What one thread counted.
#[derive(Default)]
struct Part {
    windows: Vec<Window>,
    highest_bytes: u64,
}

impl Job<'_> {
    fn work(&self) -> Part {
        let requests = &self.trace.requests;
        let every = self.settings.every;
        let mut part = Part::default();
        part.windows
            .resize(requests.len().div_ceil(every), Window::default());
        loop {
            let mut at = self.cursor.fetch_add(RUN_REQUESTS, Ordering::Relaxed);
            if at >= requests.len() {
                return part;
            }
            let run_end = (at + RUN_REQUESTS).min(requests.len());
            self.bar.inc((run_end - at) as u64);
            while at < run_end {
                let window_idx = at / every;
                let window_end = ((window_idx + 1) * every).min(requests.len());
                let end = window_end.min(run_end);
                let window = &mut part.windows[window_idx];
                for request in &requests[at..end] {
                    self.one(request, &mut window.tally);
                }
                let resident_bytes = self.cache.weight();
                part.highest_bytes = part.highest_bytes.max(resident_bytes);
                if end == window_end {
                    window.resident_bytes = resident_bytes;
                }
                at = end;
            }
        }
    }

    fn one(&self, request: &Request, tally: &mut Tally) {
        self.pace.reach(request.at);
        let mut scratch = [0; 8];
        let key = self.trace.keys.bytes(request.id, &mut scratch);
        tally.n_requests += 1;
        tally.bytes_asked = tally.bytes_asked.saturating_add(request.size_bytes);
        if self.cache.get(key).is_some() {
            tally.n_hits += 1;
            tally.bytes_hit = tally.bytes_hit.saturating_add(request.size_bytes);
            return;
        }
        if request.size_bytes > self.value.len() as u64 {
            tally.n_oversize += 1;
            return;
        }
        let value = &self.value[..request.size_bytes as usize];
        let inserted = match request.ttl {
            Some(ttl) => self.cache.insert_with_ttl(key, value, ttl).is_ok(),
            None => self.cache.insert(key, value).is_ok(),
        };
        tally.n_refused += u64::from(!inserted);
    }
}

/// Leads the cache's clock along the trace's times.
struct Pace<'a> {
    clock: &'a ManualClock,
    shown_ns: AtomicU64,
}

impl Pace<'_> {
    /// Moves the clock on to `at`. Whoever raises the mark adds the difference that it raised it by, so all differences together are
    /// the highest mark, whichever thread comes first.
    fn reach(&self, at: Duration) {
        let at_ns = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        if at_ns <= self.shown_ns.load(Ordering::Relaxed) {
            return;
        }
        let before_ns = self.shown_ns.fetch_max(at_ns, Ordering::Relaxed);
        if at_ns > before_ns {
            self.clock.advance(Duration::from_nanos(at_ns - before_ns));
        }
    }
}

/// Requests that a thread takes at once.
const RUN_REQUESTS: usize = 256;

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        100.0 * part as f64 / whole as f64
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a tool reads the wall clock; the ban is for the engine"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(test)]
mod tests {
    //! Properties: P1, for any window and any number of threads; P2; what isn't offered isn't refused.

    use super::*;
    use crate::mix;
    use crate::trace::{Record, TraceBuilder};

    fn outcome(
        trace: &Trace,
        n_threads: usize,
        every: usize,
        value_bytes_max: u64,
    ) -> (Outcome, Cache<[u8]>) {
        let clock = ManualClock::new();
        let cache = Cache::builder()
            .max_bytes(8 << 20)
            .clock(clock.clone())
            .build()
            .unwrap();
        let settings = Settings {
            n_threads,
            every,
            value_bytes_max,
        };
        let outcome = replay(&cache, &clock, trace, settings, &ProgressBar::hidden());
        (outcome, cache)
    }

    #[test]
    fn every_request_is_counted_once() {
        let trace = mix::generate(10_001);
        for (n_threads, every) in [(1, 1), (1, 777), (2, 256), (3, 10_000), (2, 1_000_000)] {
            let (outcome, _) = outcome(&trace, n_threads, every, 1 << 20);
            assert_eq!(outcome.total.n_requests, 10_001);
            assert_eq!(outcome.windows.len(), 10_001_usize.div_ceil(every));
            for (idx, window) in outcome.windows.iter().enumerate() {
                let expected = every.min(10_001 - idx * every);
                assert_eq!(window.tally.n_requests, expected as u64);
            }
            assert!(outcome.total.n_hits > 0 && outcome.total.n_refused == 0);
            assert!(
                outcome
                    .windows
                    .iter()
                    .all(|window| window.resident_bytes <= 8 << 20)
            );
        }
    }

    #[test]
    fn deadlines_are_those_of_the_trace() {
        let mut builder = TraceBuilder::default();
        for at_s in [0, 9, 11, 12, 40] {
            let record = Record {
                key: b"a",
                at: Some(Duration::from_secs(at_s)),
                size_bytes: None,
                ttl: Some(Duration::from_secs(10)),
            };
            builder.push(record, 5);
        }
        let trace = builder.finish();
        let (outcome, _) = outcome(&trace, 1, 1, 100);
        let hits: Vec<u64> = outcome
            .windows
            .iter()
            .map(|window| window.tally.n_hits)
            .collect();
        assert_eq!(hits, [0, 1, 0, 1, 0]);
    }

    #[test]
    fn oversize_objects_are_not_offered() {
        let mut builder = TraceBuilder::default();
        for size_bytes in [10, 1 << 40, 10] {
            let key: &[u8] = if size_bytes == 10 { b"small" } else { b"huge" };
            builder.push(
                Record {
                    key,
                    at: None,
                    size_bytes: Some(size_bytes),
                    ttl: None,
                },
                0,
            );
        }
        let (outcome, cache) = outcome(&builder.finish(), 1, 10, 100);
        assert_eq!(
            (
                outcome.total.n_oversize,
                outcome.total.n_refused,
                outcome.total.n_hits
            ),
            (1, 0, 1)
        );
        assert!(cache.contains_key(&b"small"[..]));
    }

    #[test]
    fn an_empty_trace_is_replayed() {
        let (outcome, _) = outcome(&mix::generate(0), 2, 10, 100);
        assert_eq!(
            (outcome.total, outcome.windows.len()),
            (Tally::default(), 0)
        );
    }
}
