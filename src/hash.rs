//! One keyed 64-bit hash for each key, and who may use which of its bits.
//!
//! # Idea
//! Every cache draws its own random hash key, so nobody outside can choose keys that collide. A key is hashed once,
//! at the door; everything below takes its bits from the result:
//!
//! | bits, from the top | used for | why no other use may share them |
//! |---|---|---|
//! | 63 .. 64 - n | stripe, n = 0 to 16 | constant inside a stripe, so useless there |
//! | the next depth | directory slot | constant inside a segment |
//! | 13 .. 6 | tag | compared among the keys of one bucket |
//! | 5 .. 0 | bucket in a segment | constant inside a bucket, so no part of the tag |
//!
//! An entry keeps a short form of 32 bits: the top 18 and the low 14. It tells stripe, tag and bucket, the directory slot in all but huge
//! tables, and a key from others well enough for the policy, without a look at the key.
//!
//! # Costs
//! One pass over the key; no memory is touched besides the key and the four seeds.
//!
//! # Invariants
//! - H1 Equal place, shape and bytes give equal hashes within one hasher.
//! - H2 Stripe, directory, bucket and tag are disjoint while stripe and depth bits together stay at or below
//!   [`PLACE_BITS_MAX`]: 2^50 segments, more than memory can hold.
//! - H3 A tag is never 0: that byte marks an empty place.
//!
//! # Not here
//! Keys and how they are encoded, tables, the sketch.

use std::fmt;
use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

/// The number of top bits that stripe and directory may use together.
pub(crate) const PLACE_BITS_MAX: u32 = 64 - TAG_SHIFT - 8;

/// The number of buckets that [`KeyHash::bucket`] tells apart.
pub(crate) const N_BUCKETS: usize = 1 << BUCKET_BITS;

const BUCKET_BITS: u32 = 6;
const TAG_SHIFT: u32 = BUCKET_BITS;

/// Of a short hash, the bits from the top that are kept; the others are those of tag and bucket.
pub(crate) const SHORT_TOP_BITS: u32 = 32 - SHORT_LOW_BITS;

const SHORT_LOW_BITS: u32 = TAG_SHIFT + 8;

/// Hashes encoded keys under a secret of its own.
#[derive(Clone)]
pub(crate) struct Hasher64 {
    state: RandomState,
    /// The bits that differ between keys.
    #[cfg(test)]
    mask: u64,
}

impl Hasher64 {
    /// Makes a hasher with a random secret.
    pub(crate) fn new() -> Self {
        Self::of(RandomState::new())
    }

    /// Makes a hasher with a known secret, so that a test can repeat a run.
    pub(crate) fn with_seeds(a: u64, b: u64, c: u64, d: u64) -> Self {
        Self::of(RandomState::with_seeds(a, b, c, d))
    }

    fn of(state: RandomState) -> Self {
        Self {
            state,
            #[cfg(test)]
            mask: u64::MAX,
        }
    }

    /// The same, but hashes agree in all other bits, so that keys collide.
    #[cfg(test)]
    pub(crate) fn masked(self, mask: u64) -> Self {
        Self { mask, ..self }
    }

    /// Hashes a key: the place that it belongs to, the byte that says how it is encoded, and its bytes.
    #[inline(always)]
    pub(crate) fn hash(&self, place: u64, shape: u8, bytes: &[u8]) -> KeyHash {
        let mut hasher = self.state.build_hasher();
        hasher.write(bytes);
        // Keys of equal bytes and different shapes or places must differ somewhere; the product of an odd constant does. A
        // place has 64 bits of its own, and shapes stay above those of most ids.
        let apart = place ^ u64::from(shape) << 36;
        let bits = hasher.finish() ^ apart.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        #[cfg(test)]
        let bits = bits & self.mask;
        KeyHash(bits)
    }
}

impl fmt::Debug for Hasher64 {
    /// Shows nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher64").finish_non_exhaustive()
    }
}

/// The hash of one key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct KeyHash(u64);

impl KeyHash {
    /// Takes a hash back from where its bits were stored.
    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// All 64 bits.
    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// The bits that an entry keeps of its hash: the top ones, and above them the low ones.
    #[inline(always)]
    pub(crate) const fn short(self) -> u32 {
        self.0.rotate_left(SHORT_TOP_BITS) as u32
    }

    /// The hash of which these are kept; its bits between are zero.
    #[inline(always)]
    pub(crate) const fn of_short(short: u32) -> Self {
        Self((short as u64).rotate_right(SHORT_TOP_BITS))
    }

    /// The stripe among so many, a power of two: the top bits, which are what a product carries beyond the word.
    #[inline(always)]
    pub(crate) const fn stripe(self, n_stripes: usize) -> usize {
        debug_assert!(n_stripes.is_power_of_two());
        ((self.0 as u128 * n_stripes as u128) >> 64) as usize
    }

    /// What remains for the stripe's directory: the hash without its stripe bits, left-aligned.
    #[inline]
    pub(crate) const fn position(self, stripe_log2: u32) -> Position {
        debug_assert!(stripe_log2 <= PLACE_BITS_MAX);
        Position(self.0 << stripe_log2)
    }

    /// Of a hash, the bits that a mask names in its position.
    #[inline]
    pub(crate) const fn at_position(self, stripe_log2: u32, mask: u64) -> u64 {
        self.0 & mask >> stripe_log2
    }

    /// The home bucket within a segment, below [`N_BUCKETS`].
    #[inline]
    pub(crate) const fn bucket(self) -> usize {
        (self.0 & (N_BUCKETS as u64 - 1)) as usize
    }

    /// How far it is from one bucket of a key to the next, modulo their number: odd, so that a segment's buckets all come in turn, with
    /// the tag's bits above, so that what full buckets pass on doesn't gather with their neighbours. After F14 (Bronson and Shi, 2019).
    #[inline(always)]
    pub(crate) const fn stride(self) -> usize {
        (self.0 >> (TAG_SHIFT - 1)) as usize | 1
    }

    /// The byte by which a bucket's places are matched, 1 to 255.
    #[inline]
    pub(crate) const fn tag(self) -> u8 {
        let tag = (self.0 >> TAG_SHIFT) as u8;
        // 0 marks an empty place. That tag 1 is twice as likely costs a needless comparison in 256 * 256.
        if tag == 0 { 1 } else { tag }
    }
}

/// A hash without its stripe bits: where a key belongs in its stripe's directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Position(u64);

impl Position {
    /// All 64 bits; the top ones count.
    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
