//! Keys, caches and streams that the questions share; all seeds are fixed.

use larder::Cache;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};

/// Entries of a cache, unless a question says otherwise.
pub(crate) const N_ENTRIES: usize = 100_000;

/// Keys of a stream: enough that walking it again doesn't find it in the processor's caches.
pub(crate) const N_STREAM: usize = 1 << 18;

/// The value of 64 bytes.
pub(crate) const VALUE: [u8; 64] = [7; 64];

pub(crate) type Key = [u8; 32];

/// The key of an index: a prefix and the scrambled index in hexadecimal.
pub(crate) fn key(idx: u64) -> Key {
    let mut key = *b"catalogue/items/________________";
    let mixed = idx.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for (at, byte) in key[16..].iter_mut().enumerate() {
        *byte = b"0123456789abcdef"[(mixed >> (4 * at) & 15) as usize];
    }
    key
}

/// A stream over the keys below `n_keys`, skewed by 0.99.
pub(crate) fn zipf(n_keys: usize) -> Vec<Key> {
    let mut random = SmallRng::seed_from_u64(1);
    let zipf = Zipf::new(n_keys as f64, 0.99).expect("a skew above zero over at least one key");
    (0..N_STREAM)
        .map(|_| key(zipf.sample(&mut random) as u64 - 1))
        .collect()
}

/// A stream over the keys below `n_keys`, all equally often.
pub(crate) fn uniform(n_keys: usize) -> Vec<Key> {
    let mut random = SmallRng::seed_from_u64(2);
    (0..N_STREAM)
        .map(|_| key(random.random_range(0..n_keys as u64)))
        .collect()
}

/// A cache for this many entries, with fixed seeds.
pub(crate) fn cache(max_entries: usize) -> Cache<[u8]> {
    let built = Cache::builder()
        .max_entries(max_entries as u64)
        .hash_seeds(SEEDS)
        .build();
    built.expect("a bound alone is a valid configuration")
}

/// A cache that holds the keys below `N_ENTRIES`, with room to spare.
pub(crate) fn resident() -> Cache<[u8]> {
    let cache = cache(N_ENTRIES * 5 / 4);
    fill(&cache, 0, N_ENTRIES);
    cache
}

/// A cache that is full, and has evicted half of its bound.
pub(crate) fn full() -> Cache<[u8]> {
    let cache = cache(N_ENTRIES);
    fill(&cache, 0, N_ENTRIES * 3 / 2);
    cache
}

/// Stores the keys of `n_keys` indices.
pub(crate) fn fill(cache: &Cache<[u8]>, first: u64, n_keys: usize) {
    (first..first + n_keys as u64).for_each(|idx| put(cache, &key(idx)));
}

/// Stores the value under the key.
#[inline]
pub(crate) fn put(cache: &Cache<[u8]>, key: &Key) {
    let answer = cache.insert(&key[..], &VALUE[..]);
    assert!(answer.is_ok(), "an entry this small is never refused");
}

/// Walks a stream round and round.
#[derive(Debug)]
pub(crate) struct Walk {
    keys: Vec<Key>,
    at: usize,
}

impl Walk {
    pub(crate) fn over(keys: Vec<Key>) -> Self {
        Self { keys, at: 0 }
    }

    #[inline]
    pub(crate) fn step(&mut self) -> &Key {
        self.at = if self.at + 1 >= self.keys.len() {
            0
        } else {
            self.at + 1
        };
        &self.keys[self.at]
    }

    /// The next `n_keys` in one slice.
    #[inline]
    pub(crate) fn run(&mut self, n_keys: usize) -> &[Key] {
        let begin = if self.at + n_keys > self.keys.len() {
            0
        } else {
            self.at
        };
        self.at = begin + n_keys;
        &self.keys[begin..self.at]
    }
}

/// Fresh keys, which no stream has.
#[derive(Debug)]
pub(crate) struct Fresh(u64);

impl Fresh {
    pub(crate) fn new() -> Self {
        Self(1 << 40)
    }

    /// The next `n_keys` of them.
    pub(crate) fn run(&mut self, n_keys: usize) -> Vec<Key> {
        let first = self.0;
        self.0 += n_keys as u64;
        (first..self.0).map(key).collect()
    }
}

/// So that a bench sees the same collisions in every run.
const SEEDS: [u64; 4] = [11, 12, 13, 14];
