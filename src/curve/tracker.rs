//! The way from the references of many threads to the small caches of one curve.
//!
//! # Idea         who comes with a sampled reference leaves it in a short queue, and takes a few from there if nobody else does. Who stores
//!   a value waits for its turn, and takes all: that slows those down who refer faster than can be simulated
//! # Costs        a reference that isn't sampled: a count on the thread's own line, and a comparison. A sampled one: two locks, which
//!   a look-up tries and never waits for, and at most [`AT_ONCE`] references for the small caches. Memory: 700 bytes for each entry that was
//!   asked for, and 200 KiB, at most
//! # Invariants   T1 no more than `QUEUE` references wait; what comes then is counted as lost, and the misses stand for it as well
//! # Not here     which operations are references: module `cache`

use std::collections::VecDeque;
use std::hint;

use super::mini::Size;
use super::sims::Sims;
use super::{Curve, CurvePoint, FACTORS, N_POINTS, NEVER};
use crate::clock::{Nanos, TimeSource};
use crate::hash::KeyHash;
use crate::lanes::Lanes;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// References that may wait.
const QUEUE: usize = 64;
/// Of which one thread takes so many in a row.
const AT_ONCE: usize = 4;
/// How often the queue's lock is tried: it is held for some ten instructions.
const TRIES: usize = 32;
/// The fewest entries that stand for a cache, and the most.
const ENTRIES_MIN: usize = 256;
const ENTRIES_MAX: usize = 1 << 16;
/// A tick of deadlines: 16.8 ms, so that 32 bits reach two years.
const DUE_SHIFT: u32 = 24;

/// What a reference was, as the cache that is tracked saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// A look-up that found an entry of so many charged bytes, with that time left to live.
    Hit { bytes: u64, left: Nanos },
    /// A look-up that found none.
    Miss,
    /// A value was stored.
    Stored { bytes: u64, left: Nanos },
    /// An entry was taken out by its user.
    Gone,
}

/// The same for the small caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Hit { bytes: u32, due: u32 },
    Miss,
    Stored { bytes: u32, due: u32 },
    Gone,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Tracker {
    n_references: Lanes,
    /// That of `sims`.
    threshold: AtomicU64,
    n_lost: AtomicU64,
    queue: Mutex<VecDeque<Waiting>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    sims: Sims,
    /// Of the lanes and of the lost ones, when counting began anew.
    n_before: u64,
    n_lost_before: u64,
    epoch: u64,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    key: u64,
    seen: Seen,
    now: u32,
}

impl Tracker {
    /// For a cache of that size, of which about `n_entries` are simulated.
    pub(crate) fn new(max: Size, n_entries: usize) -> Tracker {
        let sims = Sims::new(max, n_entries.clamp(ENTRIES_MIN, ENTRIES_MAX));
        Tracker {
            n_references: Lanes::new(),
            threshold: AtomicU64::new(sims.threshold()),
            n_lost: AtomicU64::new(0),
            queue: Mutex::new(VecDeque::with_capacity(QUEUE)),
            state: Mutex::new(State {
                sims,
                n_before: 0,
                n_lost_before: 0,
                epoch: 0,
            }),
        }
    }

    /// Notes a reference. Waits for nobody.
    #[inline]
    pub(crate) fn note(&self, hash: KeyHash, note: Note, time: &TimeSource) {
        if matches!(note, Note::Hit { .. } | Note::Miss) {
            self.n_references.add_one();
        }
        let key = key_of(hash);
        if key >> 32 < self.threshold.load(Ordering::Relaxed) {
            self.note_sampled(key, note, time);
        }
    }

    #[cold]
    fn note_sampled(&self, key: u64, note: Note, time: &TimeSource) {
        let now = time.coarse_now();
        let waiting = Waiting {
            key,
            seen: seen(note, now),
            now: tick_of(now),
        };
        let is_left = self.try_queue().is_some_and(|mut queue| {
            let has_room = queue.len() < QUEUE;
            if has_room {
                queue.push_back(waiting);
            }
            has_room
        });
        if !is_left && matches!(note, Note::Hit { .. } | Note::Miss) {
            self.n_lost.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(note, Note::Stored { .. }) {
            // Who stores has waited for the value, and can wait for this.
            self.work(&mut self.state.lock(), QUEUE);
        } else if let Some(mut state) = self.state.try_lock() {
            self.work(&mut state, AT_ONCE);
        }
    }

    fn try_queue(&self) -> Option<MutexGuard<'_, VecDeque<Waiting>>> {
        for _ in 0..TRIES {
            let queue = self.queue.try_lock();
            if queue.is_some() {
                return queue;
            }
            hint::spin_loop();
        }
        None
    }

    fn work(&self, state: &mut State, n_max: usize) {
        for _ in 0..n_max {
            let Some(Waiting { key, seen, now }) =
                self.try_queue().and_then(|mut queue| queue.pop_front())
            else {
                return;
            };
            let n_before = state.sims.n_sampled();
            let n_lost = self.n_lost.load(Ordering::Relaxed);
            state.sims.see(key, seen, now, n_lost);
            let threshold = state.sims.threshold();
            if self.threshold.load(Ordering::Relaxed) != threshold {
                self.threshold.store(threshold, Ordering::Relaxed);
            }
            if state.sims.n_sampled() < n_before {
                self.begin_anew(state);
            }
        }
    }

    fn begin_anew(&self, state: &mut State) {
        state.n_before = self.n_references.sum();
        state.n_lost_before = self.n_lost.load(Ordering::Relaxed);
        state.epoch += 1;
    }

    /// Follows another size of the cache, from which on it is counted anew.
    pub(crate) fn set_max(&self, max: Size) {
        let mut state = self.state.lock();
        state.sims.resize(max);
        self.begin_anew(&mut state);
    }

    /// What is known up to here. May be called under no lock.
    pub(crate) fn curve(&self) -> Curve {
        let mut state = self.state.lock();
        self.work(&mut state, QUEUE);
        let n_references = self.n_references.sum().saturating_sub(state.n_before);
        let n_lost = self.n_lost.load(Ordering::Relaxed) - state.n_lost_before;
        let n_sampled = state.sims.n_sampled();
        // Those that were lost would have missed as often as the others.
        let lost = (n_sampled + n_lost) as f64 / n_sampled.max(1) as f64;
        let misses: [f64; N_POINTS] = state.sims.misses().map(|misses| misses * lost);
        Curve {
            points: std::array::from_fn(|at| {
                CurvePoint::new(FACTORS[at], misses[at], n_references)
            }),
            n_references,
            n_sampled,
            rate: state.sims.rate(),
            epoch: state.epoch,
        }
    }

    /// Runs `f` while no reference can be simulated.
    #[cfg(test)]
    pub(super) fn hold(&self, f: impl FnOnce()) {
        let _held = self.state.lock();
        f();
    }

    #[cfg(test)]
    pub(super) fn n_lost(&self) -> u64 {
        self.n_lost.load(Ordering::Relaxed)
    }
}

/// The hash spread anew, since its bits have their uses in stripes and tables: the upper half says whether the key is sampled.
fn key_of(hash: KeyHash) -> u64 {
    // The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) from its second step on.
    let mut word = hash.bits();
    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    (word ^ word >> 31).max(1)
}

fn seen(note: Note, now: Nanos) -> Seen {
    let bytes = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    let due = |left: Nanos| match left {
        Nanos::MAX => NEVER,
        left => tick_of(Nanos(now.0.saturating_add(left.0))),
    };
    match note {
        Note::Hit { bytes: size, left } => Seen::Hit {
            bytes: bytes(size),
            due: due(left),
        },
        Note::Miss => Seen::Miss,
        Note::Stored { bytes: size, left } => Seen::Stored {
            bytes: bytes(size),
            due: due(left),
        },
        Note::Gone => Seen::Gone,
    }
}

fn tick_of(time: Nanos) -> u32 {
    u32::try_from(time.0 >> DUE_SHIFT).map_or(NEVER, |tick| tick.min(NEVER - 1))
}
