//! Keys and streams of keys.
//!
//! # Idea         a key is 32 bytes that look like a path; streams are drawn before anything is timed, from fixed seeds
//! # Costs        at most 32 bytes a key of a stream, read in order, so that the prefetcher hides it
//! # Invariants   KS1 `key(i)` and `key(j)` differ if `i` and `j` do
//! # Not here     what is done with them

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};

/// The bytes of one key.
pub type Key = [u8; KEY_BYTES];

/// Length of every key.
pub const KEY_BYTES: usize = 32;

/// Length of every value.
pub const VALUE_BYTES: usize = 64;

/// The value that is stored under every key; what is read of it is its first byte.
pub const VALUE: [u8; VALUE_BYTES] = [1; VALUE_BYTES];

/// Fresh keys have indices from here on, which no other stream has.
pub const FRESH_FIRST: u64 = 1 << 40;

/// The skew of the streams that are skewed.
const ZIPF_EXPONENT: f64 = 0.99;

/// The key of an index: a fixed prefix and sixteen hexadecimal digits of the scrambled index.
pub fn key(idx: u64) -> Key {
    let mut key = *b"catalogue/items/________________";
    let mixed = mix(idx);
    for (at, byte) in key[KEY_BYTES - 16..].iter_mut().enumerate() {
        *byte = b"0123456789abcdef"[(mixed >> (4 * at) & 15) as usize];
    }
    key
}

/// Indices below `n_keys` with a skew; the low ones are the frequent ones.
pub fn zipf(n_keys: usize, len: usize, seed: u64) -> Vec<u64> {
    let mut random = SmallRng::seed_from_u64(seed);
    let zipf =
        Zipf::new(n_keys as f64, ZIPF_EXPONENT).expect("a skew above zero over at least one key");
    (0..len)
        .map(|_| zipf.sample(&mut random) as u64 - 1)
        .collect()
}

/// Indices below `n_keys`, all of them equally often.
pub fn uniform(n_keys: usize, len: usize, seed: u64) -> Vec<u64> {
    let mut random = SmallRng::seed_from_u64(seed);
    (0..len)
        .map(|_| random.random_range(0..n_keys as u64))
        .collect()
}

/// The finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection of 64 bits.
pub fn mix(idx: u64) -> u64 {
    let mut bits = idx.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
