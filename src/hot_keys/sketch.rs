//! The heaviest of a stream of keys, in bounded memory.
//!
//! # Idea         space-saving (Metwally, Agrawal, El Abbadi, ICDT 2005): `m` counters. A key without a counter takes that of the least, and
//!   its count as the error that it may have. All counts are halved every so often, so that old heaviness fades
//! # Costs        a reference: a search of `m` words, and one more where the key has no counter. Memory: 40 bytes and the longest
//!   key so far, a counter
//! # Invariants   A1 a count is at most its error above what the key was counted for, and never below; A2 no key without a counter was
//!   counted for more than the least count, which is at most `total / m` while all counters are taken
//! # Not here     which references are counted, threads

use crate::key::{KeyRef, Shape};

/// See the module.
#[derive(Debug)]
pub(super) struct Sketch {
    n_max: usize,
    /// Of each counter, side by side, so that a search reads nothing else.
    hashes: Vec<u64>,
    counts: Vec<f64>,
    rest: Vec<Rest>,
    total: f64,
    until_fade: u64,
}

#[derive(Debug)]
struct Rest {
    error: f64,
    shape: Shape,
    key: Vec<u8>,
}

/// One counter, in parts of all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Heavy<'a> {
    pub(super) key: KeyRef<'a>,
    pub(super) share: f64,
    pub(super) share_error: f64,
}

/// References a counter until all counts are halved.
pub(super) const FADE: u64 = 256;

impl Sketch {
    pub(super) fn new(n_max: usize) -> Sketch {
        Sketch {
            n_max,
            hashes: Vec::with_capacity(n_max),
            counts: Vec::with_capacity(n_max),
            rest: Vec::with_capacity(n_max),
            total: 0.0,
            until_fade: FADE * n_max as u64,
        }
    }

    /// Counts a reference. A hash stands for its key.
    pub(super) fn see(&mut self, hash: u64, key: KeyRef<'_>) {
        self.total += 1.0;
        if let Some(at) = self.hashes.iter().position(|known| *known == hash) {
            self.counts[at] += 1.0;
        } else if self.hashes.len() < self.n_max {
            self.hashes.push(hash);
            self.counts.push(1.0);
            self.rest.push(Rest {
                error: 0.0,
                shape: key.shape(),
                key: key.bytes().to_vec(),
            });
        } else if let Some(at) = self.least() {
            let rest = &mut self.rest[at];
            (rest.error, rest.shape) = (self.counts[at], key.shape());
            rest.key.clear();
            rest.key.extend_from_slice(key.bytes());
            self.hashes[at] = hash;
            self.counts[at] += 1.0;
        }
        self.until_fade -= 1;
        if self.until_fade == 0 {
            self.fade();
        }
    }

    /// The heaviest `n`, those first.
    pub(super) fn heaviest(&self, n: usize) -> Vec<Heavy<'_>> {
        let mut order: Vec<usize> = (0..self.counts.len()).collect();
        order.sort_by(|&a, &b| self.counts[b].total_cmp(&self.counts[a]));
        let heavy = |at: usize| Heavy {
            key: KeyRef::from_stored(self.rest[at].shape, &self.rest[at].key),
            share: self.counts[at] / self.total,
            share_error: self.rest[at].error / self.total,
        };
        order.into_iter().take(n).map(heavy).collect()
    }

    fn least(&self) -> Option<usize> {
        let (mut least, mut at) = (f64::INFINITY, None);
        for (idx, &count) in self.counts.iter().enumerate() {
            if count < least {
                (least, at) = (count, Some(idx));
            }
        }
        at
    }

    /// Halving loses nothing: counts are whole numbers times a power of two.
    fn fade(&mut self) {
        self.until_fade = FADE * self.n_max as u64;
        self.total /= 2.0;
        self.counts.iter_mut().for_each(|count| *count /= 2.0);
        self.rest.iter_mut().for_each(|rest| rest.error /= 2.0);
    }
}
