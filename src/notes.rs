//! What readers tell the policy: small lossy rings from many readers to the writer that holds the stripe.
//!
//! # Idea         a hit that moved its entry's tick leaves one word behind; losing some is fine, reading one twice isn't
//! # Costs        a note: two stores to a line that mostly one reader writes; reading: one load a ring while nothing came
//! # Invariants   N1 a word is taken out by the writer once: it stores zero over what it loaded
//! # Not here     what a word means (module `policy`), which hits leave one (module `store`)

use crate::sync::CachePadded;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Words in a ring.
const WORDS: usize = 64;

/// One ring. Readers whose threads share a ring may overwrite each other's words.
#[derive(Debug)]
struct Ring {
    head: AtomicU32,
    words: [AtomicU64; WORDS],
}

/// The rings of one stripe.
#[derive(Debug)]
pub(crate) struct Notes {
    rings: Box<[CachePadded<Ring>]>,
}

/// How far each ring was read, under the stripe's lock.
#[derive(Debug)]
pub(crate) struct Tails(Box<[u32]>);

impl Notes {
    /// `n_rings` is a power of two.
    pub(crate) fn new(n_rings: usize) -> (Notes, Tails) {
        debug_assert!(n_rings.is_power_of_two());
        let ring = || {
            CachePadded::new(Ring {
                head: AtomicU32::new(0),
                words: std::array::from_fn(|_| AtomicU64::new(0)),
            })
        };
        let rings = (0..n_rings).map(|_| ring()).collect();
        (Notes { rings }, Tails(vec![0; n_rings].into()))
    }

    /// Leaves a word that isn't zero.
    #[inline]
    pub(crate) fn leave(&self, thread: u32, word: u64) {
        let ring = &self.rings[thread as usize & (self.rings.len() - 1)];
        let head = ring.head.load(Ordering::Relaxed);
        ring.words[head as usize % WORDS].store(word, Ordering::Relaxed);
        // Relaxed: a word that is read too early is zero or an older one that was not taken yet; both are fine.
        ring.head.store(head.wrapping_add(1), Ordering::Relaxed);
    }

    /// Takes what was left since the last call, at most a ring's worth from each.
    pub(crate) fn take(&self, tails: &mut Tails, mut see: impl FnMut(u64)) {
        for (ring, tail) in self.rings.iter().zip(&mut tails.0) {
            let head = ring.head.load(Ordering::Relaxed);
            if head == *tail {
                continue;
            }
            let n = head.wrapping_sub(*tail).min(WORDS as u32);
            for at in 0..n {
                let word = &ring.words[head.wrapping_sub(n - at) as usize % WORDS];
                let bits = word.load(Ordering::Relaxed);
                if bits != 0 {
                    word.store(0, Ordering::Relaxed);
                    see(bits);
                }
            }
            *tail = head;
        }
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
