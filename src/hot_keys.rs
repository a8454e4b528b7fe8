//! The heaviest keys: which ones take how large a share of the look-ups.
//!
//! # Idea         a sample of the references, by count and not by key, goes to a sketch of fixed size
//! # Costs        off: one branch a look-up. On: a count on the thread's own line; one reference in [`SAMPLED`] tries a lock and then
//!   searches the sketch. Memory: that of the sketch
//! # Invariants   H1 a reference waits for nobody: where the lock is taken it isn't counted, whatever its key
//! # Not here     which look-ups count: module `cache`

mod sketch;

use std::fmt;

use self::sketch::{Heavy, Sketch};
use crate::hash::KeyHash;
use crate::key::{KeyParts, KeyRef, Shape};
use crate::lanes::Lanes;
use crate::sync::Mutex;

/// One reference in so many is counted, a power of two.
const SAMPLED: u64 = 32;
/// The fewest counters, and the most: what one search of them may cost.
const COUNTERS_MIN: usize = 16;
const COUNTERS_MAX: usize = 1024;

/// A key that takes many of the look-ups.
///
/// Shares are of a sample of the recent look-ups; of `n` that were counted, chance moves a share `p` by some `sqrt(p / n)`.
#[derive(Clone, PartialEq)]
pub struct HotKey {
    /// Its share of the look-ups, at most.
    pub share: f64,
    /// How much less it may be.
    pub share_error: f64,
    shape: Shape,
    key: Box<[u8]>,
}

impl HotKey {
    /// The parts of the key, relative to the scope that it was looked up in.
    pub fn key(&self) -> KeyParts<'_> {
        self.key_ref().parts()
    }

    fn key_ref(&self) -> KeyRef<'_> {
        KeyRef::from_stored(self.shape, &self.key)
    }
}

impl fmt::Debug for HotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotKey")
            .field("key", &self.key())
            .field("share", &self.share)
            .field("share_error", &self.share_error)
            .finish()
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct HotKeys {
    n_references: Lanes,
    sketch: Mutex<Sketch>,
}

impl HotKeys {
    /// With that many counters, or the nearest number that is allowed.
    pub(crate) fn new(n_counters: usize) -> HotKeys {
        HotKeys {
            n_references: Lanes::new(),
            sketch: Mutex::new(Sketch::new(n_counters.clamp(COUNTERS_MIN, COUNTERS_MAX))),
        }
    }

    /// Notes a reference, by chance.
    #[inline]
    pub(crate) fn note(&self, hash: KeyHash, key: KeyRef<'_>) {
        // Multiples of the golden ratio fall evenly for every n-th of them too, so that a loop over a few keys doesn't keep step.
        let chance = self
            .n_references
            .add_one()
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        if chance >> (64 - SAMPLED.trailing_zeros()) == 0 {
            self.note_sampled(hash, key);
        }
    }

    #[cold]
    fn note_sampled(&self, hash: KeyHash, key: KeyRef<'_>) {
        if let Some(mut sketch) = self.sketch.try_lock() {
            sketch.see(hash.bits(), key);
        }
    }

    /// The heaviest `n` at most, those first.
    pub(crate) fn heaviest(&self, n: usize) -> Vec<HotKey> {
        let sketch = self.sketch.lock();
        let hot = |heavy: Heavy<'_>| HotKey {
            share: heavy.share,
            share_error: heavy.share_error,
            shape: heavy.key.shape(),
            key: heavy.key.bytes().into(),
        };
        sketch.heaviest(n).into_iter().map(hot).collect()
    }
}

#[cfg(test)]
mod tests;
