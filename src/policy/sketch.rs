//! How often a key was used of late, about: a blocked count-min sketch that forgets as it goes.
//!
//! # Idea         a key has a few 4-bit counters, all in one word; its count is the least of them, and only the least are raised.
//!   A cursor halves one word now and then, so no call halves them all
//! # Costs        one line for each call; half a byte a counter
//! # Invariants   K1 no counter overflows into its neighbour
//! # Not here     what a count means

use super::meta::Key;
use super::tuning::{SKETCH_AGE, SKETCH_NIBBLES, SKETCH_PROBES};
use crate::sync::prefetch;

const COUNT_MAX: u64 = 15;

#[derive(Debug, Default)]
pub(super) struct Sketch {
    words: Vec<u64>,
    cursor: usize,
    /// Increments until the next word is halved, in 1/256.
    wait: u32,
    interval: u32,
}

impl Sketch {
    pub(super) fn for_entries(entries: usize) -> Sketch {
        let words = (entries as f64 * f64::from(SKETCH_NIBBLES) / 16.0).ceil() as usize;
        let interval =
            (entries as f64 * f64::from(SKETCH_AGE) * 256.0 / words.max(1) as f64) as u32;
        Sketch {
            words: vec![0; words],
            cursor: 0,
            wait: interval,
            interval,
        }
    }
    pub(super) fn memory_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
    /// Asks the processor for the word of a key.
    pub(super) fn prefetch(&self, key: Key) {
        prefetch(self.words.as_ptr().wrapping_add(self.word(key).0));
    }
    fn word(&self, key: Key) -> (usize, u64) {
        let spread = key.bits().wrapping_mul(0xA24B_AED4_963E_E407);
        let idx = (((spread >> 32) * self.words.len() as u64) >> 32) as usize;
        (idx, spread >> 4 ^ key.bits())
    }
    fn shift(probes: u64, i: u32) -> u32 {
        // Each probe has a quarter of the word to itself, so that the counters of one key differ.
        let lane = 16 / SKETCH_PROBES;
        ((probes >> (i * 5)) as u32 % lane + i * lane) * 4
    }
    /// About how often the key was counted.
    pub(super) fn count(&self, key: Key) -> u32 {
        let (idx, probes) = self.word(key);
        let Some(&word) = self.words.get(idx) else {
            return 0;
        };
        (0..SKETCH_PROBES)
            .map(|i| (word >> Self::shift(probes, i) & COUNT_MAX) as u32)
            .min()
            .unwrap_or(0)
    }
    /// Counts the key once more; about how often it was counted before.
    pub(super) fn add(&mut self, key: Key) -> u32 {
        let count = self.count(key);
        let least = u64::from(count);
        let (idx, probes) = self.word(key);
        let Some(word) = self.words.get_mut(idx) else {
            return 0;
        };
        if least < COUNT_MAX {
            for i in 0..SKETCH_PROBES {
                let shift = Self::shift(probes, i);
                // K1: only counters equal to the least, below the top, are raised.
                *word += u64::from(*word >> shift & COUNT_MAX == least) << shift;
            }
        }
        self.age();
        count
    }
    fn age(&mut self) {
        if self.wait >= 256 {
            self.wait -= 256;
            return;
        }
        self.wait += self.interval;
        self.words[self.cursor] = self.words[self.cursor] >> 1 & 0x7777_7777_7777_7777;
        self.cursor += 1;
        if self.cursor == self.words.len() {
            self.cursor = 0;
        }
    }
}
