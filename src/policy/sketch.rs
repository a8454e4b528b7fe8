//! How often a key was used of late, about: a blocked count-min sketch that forgets as it goes.
//!
//! # Idea         a key has a few 2-bit counters, all in one word; its count is the least of them, and only the least are raised.
//!   A cursor halves one word now and then, so no call halves them all
//! # Costs        one line for each call; a quarter of a byte a counter
//! # Invariants   K1 no counter overflows into its neighbour
//! # Not here     what a count means

use super::meta::Key;
use super::tuning::{SKETCH_AGE, SKETCH_COUNTERS, SKETCH_PROBES};
use crate::sync::prefetch;

const COUNT_BITS: u32 = 2;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
/// Counters in a word.
const LANES: u32 = u64::BITS / COUNT_BITS;
/// What halving a word leaves of it once it's shifted: not the lowest bit of a counter's neighbour.
const HALVED: u64 = u64::MAX / COUNT_MAX * (COUNT_MAX >> 1);

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
        let words =
            (entries as f64 * f64::from(SKETCH_COUNTERS) / f64::from(LANES)).ceil() as usize;
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
        // Each probe has a part of the word to itself, so that the counters of one key differ.
        let lanes = LANES / SKETCH_PROBES;
        ((probes >> (i * 5)) as u32 % lanes + i * lanes) * COUNT_BITS
    }
    /// Counts the key once more; about how often it was counted before.
    pub(super) fn add(&mut self, key: Key) -> u32 {
        let (idx, probes) = self.word(key);
        let Some(word) = self.words.get_mut(idx) else {
            return 0;
        };
        let least = least(*word, probes);
        if least < COUNT_MAX {
            for i in 0..SKETCH_PROBES {
                let shift = Self::shift(probes, i);
                // K1: only counters equal to the least, below the top, are raised.
                *word += u64::from(*word >> shift & COUNT_MAX == least) << shift;
            }
        }
        self.age();
        least as u32
    }
    fn age(&mut self) {
        if self.wait >= 256 {
            self.wait -= 256;
            return;
        }
        self.wait += self.interval;
        self.words[self.cursor] = self.words[self.cursor] >> 1 & HALVED;
        self.cursor += 1;
        if self.cursor == self.words.len() {
            self.cursor = 0;
        }
    }
}

/// The least of a key's counters.
fn least(word: u64, probes: u64) -> u64 {
    (0..SKETCH_PROBES)
        .map(|i| word >> Sketch::shift(probes, i) & COUNT_MAX)
        .min()
        .unwrap_or(0)
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests {
    use super::super::tests::hash_of;
    use super::*;
    use crate::sync::counted::asked_by;

    #[test]
    fn counters_keep_to_themselves() {
        // One word for all keys, and so many entries that nothing is halved.
        let mut sketch = Sketch::for_entries(4);
        sketch.interval = u32::MAX;
        sketch.wait = u32::MAX;
        assert_eq!(sketch.words.len(), 2);
        let mut raised = [0u64; 2];
        for n in 1..=64 {
            let key = Key::of_hash(n);
            for uses in 1..=5u64 {
                sketch.add(key);
                let (idx, probes) = sketch.word(key);
                assert!(
                    least(sketch.words[idx], probes) >= uses.min(COUNT_MAX),
                    "{n}"
                );
            }
            let (idx, probes) = sketch.word(key);
            for i in 0..SKETCH_PROBES {
                raised[idx] |= COUNT_MAX << Sketch::shift(probes, i);
            }
            assert_eq!(sketch.words, raised, "K1 after {n}");
        }
    }

    #[test]
    fn halving_leaves_the_neighbours_alone() {
        let mut sketch = Sketch::for_entries(1);
        for counters in [u64::MAX, u64::MAX / COUNT_MAX, u64::MAX / COUNT_MAX * 2] {
            sketch.words = vec![counters];
            sketch.wait = 0;
            sketch.age();
            let halved = (counters & COUNT_MAX) >> 1;
            assert_eq!(sketch.words, [u64::MAX / COUNT_MAX * halved]);
        }
    }

    /// Whether each of so many things came about as often as the others, by chance.
    fn are_even(counts: &[u32], expected: f64) -> bool {
        let far = |n: u32| (f64::from(n) - expected).abs();
        counts.iter().all(|&n| far(n) < 6.0 * expected.sqrt())
    }

    #[test]
    fn keys_are_spread_over_words_and_over_the_counters_of_each() {
        let sketch = Sketch::for_entries(200);
        assert_eq!(sketch.words.len(), 100);
        let (mut words, mut pairs) = (vec![0; 100], vec![0; 256]);
        for n in 0..100_000 {
            let (idx, probes) = sketch.word(Key::of_hash(hash_of(n)));
            words[idx] += 1;
            let [low, high] = [0, 1].map(|i| Sketch::shift(probes, i));
            assert!(low % COUNT_BITS == 0 && high % COUNT_BITS == 0);
            assert!(low < 32 && (32..64).contains(&high));
            pairs[(low / 2 * 16 + (high - 32) / 2) as usize] += 1;
        }
        assert!(are_even(&words, 1000.0));
        assert!(are_even(&pairs, 100_000.0 / 256.0), "each by itself");
    }

    #[test]
    fn keys_that_share_no_counter_are_told_apart() {
        let mut sketch = Sketch::for_entries(10_000);
        sketch.interval = u32::MAX;
        sketch.wait = u32::MAX;
        let key = |n: u64| Key::of_hash(hash_of(n));
        for n in 0..1000 {
            for uses in 0..6 {
                let least = if n % 2 == 0 { uses.min(3) } else { 0 };
                let count = sketch.add(key(if n % 2 == 0 { n } else { 10_000 + n * 6 + uses }));
                // Few share both counters with a key that was counted before.
                assert!(u64::from(count) >= least);
            }
        }
        let n_known = (0..1000)
            .filter(|&n| sketch.add(key(100_000 + n)) > 0)
            .count();
        assert!(n_known < 100, "{n_known} of 1000 that were never there");
    }

    #[test]
    fn all_words_are_halved_in_turn() {
        for (entries, words) in [(1, 1), (2, 1), (3, 2), (1000, 500), (1001, 501)] {
            let mut sketch = Sketch::for_entries(entries);
            assert_eq!(sketch.words.len(), words);
            assert_eq!(sketch.memory_bytes(), 8 * words);
            sketch.words.fill(u64::MAX);
            let calls = sketch.interval / 256 + 1;
            assert_eq!(
                calls,
                if entries == 1 {
                    5
                } else {
                    (entries * 4 / words) as u32 + 1
                }
            );
            for n_halved in 1..=words {
                let turn = |sketch: &mut Sketch, n: u32| (0..n).for_each(|_| sketch.age());
                // A part of an interval is carried over, so a call more or less is told by the words.
                let before = sketch.words.clone();
                turn(&mut sketch, calls - 1);
                assert_eq!(sketch.words, before, "{n_halved} of {entries}");
                turn(&mut sketch, 1);
                if sketch.words == before {
                    turn(&mut sketch, 1);
                }
                let halved = sketch.words.iter().filter(|&&word| word == HALVED).count();
                assert_eq!(halved, n_halved, "of {entries}");
                assert!(sketch.words[..n_halved].iter().all(|&word| word == HALVED));
            }
            assert_eq!(sketch.cursor, 0, "and again");
        }
    }

    #[test]
    fn the_line_that_is_asked_for_is_that_of_the_word() {
        let sketch = Sketch::for_entries(1000);
        for n in 0..100 {
            let key = Key::of_hash(hash_of(n));
            let word = &sketch.words[sketch.word(key).0];
            let asked = asked_by(|| sketch.prefetch(key));
            assert_eq!(asked, [std::ptr::from_ref(word).addr()]);
        }
    }
}
