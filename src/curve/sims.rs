//! The small caches of one curve, side by side, fed with the same sampled references.
//!
//! # Idea         miniature simulation (Waldspurger, Saemundsson, Ahmad, Park, ATC 2017): of a cache of size M, one at rate R of the keys and of
//!   size R M behaves alike. The rate is lowered as they fill, as in the fixed-size form of SHARDS (Waldspurger, Park, Garthwaite,
//!   Ahmad, FAST 2015): a key is sampled while its hash lies below a threshold, so those of a lower rate were sampled before.
//!   Misses count 1/R each; hits aren't looked at, so that a key which takes a tenth of all references and always hits changes
//!   nothing, whether it is sampled or not
//! # Costs        a reference: seven looks, and what a store costs in those that missed. Lowering the rate visits all residents; it happens
//!   `log(1/R)/log(4/3)` times, and a few times more where threads refer to sampled keys faster than these can be simulated
//! # Invariants   C1 all residents' keys lie below the threshold; C2 residents together are at most `residents_max` after each reference;
//!   C3 the threshold falls only, but where the caches have become far too small for the entries of these days, and begin anew
//! # Not here     threads, and how many references there are in all

use super::mini::{Mini, Size};
use super::{FACTORS, N_POINTS, NEVER, Seen};

/// Sampled references from one look at whether the caches are too small to the next.
const LOOK_EVERY: u64 = 1 << 12;
/// The same for lost references, of which one for so many is borne.
const LOSSES_EVERY: u64 = 256;
const LOST_SHARE: u64 = 2;
/// A cache of the present size that is full with fewer entries than this isn't made smaller on account of losses.
const ENTRIES_FLOOR: usize = 128;

/// See the module.
#[derive(Debug)]
pub(super) struct Sims {
    max: Size,
    /// Residents that the one of the present size is to have.
    n_entries: usize,
    minis: [Mini; N_POINTS],
    /// Keys are sampled whose upper half lies below; 2^32 for all.
    threshold: u64,
    /// Misses of each, of all references.
    misses: [f64; N_POINTS],
    /// Sampled references.
    n_sampled: u64,
    /// Evictions of the one of the present size, and references lost, when that was looked at last.
    n_evicted: u64,
    n_lost: u64,
    /// Whether the rate is lower than the caches' sizes ask for, since too many references were lost.
    is_held_down: bool,
}

impl Sims {
    pub(super) fn new(max: Size, n_entries: usize) -> Sims {
        let threshold = threshold_of(max, n_entries);
        Sims {
            max,
            n_entries,
            minis: FACTORS.map(|factor| {
                let size = max.scaled(factor * rate_of(threshold));
                Mini::new(factor.to_bits(), size)
            }),
            threshold,
            misses: [0.0; N_POINTS],
            n_sampled: 0,
            n_evicted: 0,
            n_lost: 0,
            is_held_down: false,
        }
    }

    pub(super) fn threshold(&self) -> u64 {
        self.threshold
    }

    pub(super) fn rate(&self) -> f64 {
        rate_of(self.threshold)
    }

    pub(super) fn misses(&self) -> [f64; N_POINTS] {
        self.misses
    }

    pub(super) fn n_sampled(&self) -> u64 {
        self.n_sampled
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.minis.iter().map(Mini::memory_bytes).sum()
    }

    /// Residents of all caches while that of the present size has `n_entries`; a sixteenth more is borne.
    fn residents_max(&self) -> usize {
        let all = FACTORS.iter().sum::<f64>() * self.n_entries as f64;
        (all * 17.0 / 16.0) as usize
    }

    /// Sees a reference to a key. `n_lost` others were lost so far.
    pub(super) fn see(&mut self, key: u64, seen: Seen, now: u32, n_lost: u64) {
        if key >> 32 >= self.threshold {
            return;
        }
        match seen {
            Seen::Hit { bytes, due } => {
                let known = Some((bytes, due));
                self.count(key, known, now, |mini| mini.store(key, bytes, due, now));
            }
            // Its size is told when it is stored.
            Seen::Miss => self.count(key, None, now, |_| ()),
            Seen::Stored { bytes, due } => {
                for mini in &mut self.minis {
                    mini.store(key, bytes, due, now);
                }
            }
            Seen::Gone => {
                for mini in &mut self.minis {
                    mini.remove(key);
                }
            }
        }
        if self.minis.iter().map(Mini::len).sum::<usize>() > self.residents_max() {
            self.lower(0.75);
        } else if self.n_sampled % LOOK_EVERY == LOOK_EVERY - 1 {
            self.look();
        }
        if self.n_sampled % LOSSES_EVERY == LOSSES_EVERY - 1 {
            self.look_for_losses(n_lost);
        }
    }

    fn count(
        &mut self,
        key: u64,
        known: Option<(u32, u32)>,
        now: u32,
        mut missed: impl FnMut(&mut Mini),
    ) {
        self.n_sampled += 1;
        let weight = 1.0 / self.rate();
        for (mini, misses) in self.minis.iter_mut().zip(&mut self.misses) {
            if !mini.look(key, known, now) {
                *misses += weight;
                missed(mini);
            }
        }
    }

    /// Follows another size. What was counted is forgotten, what is resident stays as far as it fits.
    pub(super) fn resize(&mut self, max: Size) {
        self.max = max;
        self.is_held_down = false;
        self.misses = [0.0; N_POINTS];
        self.n_sampled = 0;
        for (mini, factor) in self.minis.iter_mut().zip(FACTORS) {
            mini.set_max(max.scaled(factor * rate_of(self.threshold)));
        }
    }

    fn lower(&mut self, part: f64) {
        self.threshold = ((self.threshold as f64 * part) as u64).max(1);
        let threshold = self.threshold;
        for (mini, factor) in self.minis.iter_mut().zip(FACTORS) {
            let max = self.max.scaled(factor * rate_of(threshold));
            mini.thin(max, |key| key >> 32 < threshold);
        }
    }

    /// Begins anew if the cache of the present size is full with a quarter of its entries: sizes have changed.
    fn look(&mut self) {
        let present = &self.minis[PRESENT];
        let is_full = present.n_evicted() > self.n_evicted;
        self.n_evicted = present.n_evicted();
        let is_small = present.len() < self.n_entries / 4 && !self.is_held_down;
        if is_full && is_small && self.rate() < 1.0 {
            *self = Sims {
                n_lost: self.n_lost,
                ..Sims::new(self.max, self.n_entries)
            };
        }
    }

    /// Lowers the rate by the share of references that were lost, if that is large: fewer keys, each with all its references, tell
    /// more than all keys with some of theirs.
    fn look_for_losses(&mut self, n_lost: u64) {
        let n_lately = n_lost - std::mem::replace(&mut self.n_lost, n_lost);
        let present = &self.minis[PRESENT];
        let has_room = present.len() > ENTRIES_FLOOR || present.n_evicted() == 0;
        if n_lately > LOSSES_EVERY / LOST_SHARE && has_room {
            let kept = LOSSES_EVERY as f64 / (LOSSES_EVERY + n_lately) as f64;
            self.lower(kept.clamp(0.25, 0.75));
            self.is_held_down = true;
        }
    }

    #[cfg(test)]
    pub(super) fn validate(&self) {
        let n_residents: usize = self.minis.iter().map(Mini::len).sum();
        assert!(n_residents <= self.residents_max(), "C2");
        let is_sampled = |key: u64| key >> 32 < self.threshold;
        assert!(
            self.minis.iter().all(|mini| mini.keys().all(is_sampled)),
            "C1"
        );
    }

    #[cfg(test)]
    pub(super) fn residents(&self) -> [usize; N_POINTS] {
        std::array::from_fn(|at| self.minis[at].len())
    }
}

/// The place of factor 1.
const PRESENT: usize = 2;

/// Of entries that are counted, the rate is known; else all keys are sampled at first.
fn threshold_of(max: Size, n_entries: usize) -> u64 {
    let all = 1u64 << 32;
    if max.entries == u64::MAX {
        return all;
    }
    let share = n_entries as f64 / max.entries.max(1) as f64;
    ((all as f64 * share) as u64).clamp(1, all)
}

fn rate_of(threshold: u64) -> f64 {
    threshold as f64 / (1u64 << 32) as f64
}

const _: () = assert!(FACTORS[PRESENT] == 1.0);
const _: () = assert!(NEVER == u32::MAX);
