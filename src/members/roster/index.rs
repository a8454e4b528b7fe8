//! The index of a roster: buckets, one more or less at a time.

use super::{Listed, Slots, grown_capacity, shrink_table, table_growth_bytes};
use crate::rings::Token;

/// The heads of the chains.
#[derive(Debug)]
pub(super) struct Index {
    #[expect(clippy::vec_box, reason = "growth copies pointers, not buckets")]
    chunks: Vec<Box<Buckets>>,
    n_buckets: usize,
    seed: u64,
}

type Buckets = [Option<Token>; CHUNK_LEN];

impl Index {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            chunks: Vec::new(),
            n_buckets: 0,
            seed,
        }
    }

    #[inline]
    pub(super) fn find<T: Listed>(&self, slots: &Slots<T>, key: u64) -> Option<Token> {
        if self.n_buckets == 0 {
            return None;
        }
        let mut at = *self.head(self.bucket_of(key));
        while let Some(token) = at {
            let record = slots.get(token);
            if record.key() == key {
                break;
            }
            at = record.chain();
        }
        at
    }

    /// Chains a record that is in the slots already.
    pub(super) fn insert<T: Listed>(&mut self, slots: &mut Slots<T>, at: Token) {
        if slots.len > self.n_buckets {
            self.split(slots);
        }
        let bucket = self.bucket_of(slots.get(at).key());
        self.push(slots, bucket, at);
    }

    /// Takes a record out of its chain, while it is in the slots still.
    pub(super) fn remove<T: Listed>(&mut self, slots: &mut Slots<T>, at: Token) {
        let record = slots.get(at);
        let (bucket, next) = (self.bucket_of(record.key()), record.chain());
        let mut before = None;
        let mut here = *self.head(bucket);
        while here != Some(at) {
            before = here;
            here = slots
                .get(here.expect("P3: a record is in its chain"))
                .chain();
        }
        match before {
            Some(before) => *slots.get_mut(before).chain_mut() = next,
            None => *self.head_mut(bucket) = next,
        }
        // What is left must be at least half as many as the buckets (P3): two at most are too many.
        let n_left = slots.len - 1;
        while self.n_buckets > 2 * n_left {
            self.merge(slots);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.len() * size_of::<Buckets>()
            + self.chunks.capacity() * size_of::<Box<Buckets>>()
    }

    /// The bytes that one more record takes, beside as many as `n_records`.
    pub(super) fn growth_bytes(&self, n_records: usize) -> usize {
        if n_records < self.n_buckets || self.n_buckets < self.chunks.len() * CHUNK_LEN {
            return 0;
        }
        size_of::<Buckets>() + table_growth_bytes(&self.chunks)
    }

    /// Adds a bucket, and moves to it what belongs there.
    fn split<T: Listed>(&mut self, slots: &mut Slots<T>) {
        let new = self.n_buckets;
        if new == self.chunks.len() * CHUNK_LEN {
            let capacity = grown_capacity(&self.chunks);
            self.chunks.reserve_exact(capacity - self.chunks.len());
            self.chunks.push(Box::new([None; CHUNK_LEN]));
        }
        self.n_buckets += 1;
        if let Some(old) = parent(new) {
            let mut at = self.head_mut(old).take();
            while let Some(token) = at {
                let record = slots.get(token);
                at = record.chain();
                let bucket = self.bucket_of(record.key());
                debug_assert!(bucket == old || bucket == new);
                self.push(slots, bucket, token);
            }
        }
    }

    /// Takes the last bucket away, and moves what is there to the one that it came from.
    fn merge<T: Listed>(&mut self, slots: &mut Slots<T>) {
        let last = self.n_buckets - 1;
        let mut at = self.head_mut(last).take();
        self.n_buckets = last;
        while let Some(token) = at {
            at = slots.get(token).chain();
            let to = parent(last).expect("the first bucket goes when it is empty");
            self.push(slots, to, token);
        }
        if last.is_multiple_of(CHUNK_LEN) {
            self.chunks.pop();
            if last == 0 {
                self.chunks = Vec::new();
            }
            shrink_table(&mut self.chunks);
        }
    }

    fn push<T: Listed>(&mut self, slots: &mut Slots<T>, bucket: usize, at: Token) {
        let next = self.head_mut(bucket).replace(at);
        *slots.get_mut(at).chain_mut() = next;
    }

    /// The bucket of a key: as many low bits of its hash as the last bucket has, one less where that is beyond it.
    #[inline]
    fn bucket_of(&self, key: u64) -> usize {
        let product = u128::from(key ^ self.seed) * u128::from(MULTIPLIER);
        let hash = (product as u64 ^ (product >> 64) as u64) as usize;
        let mask = self.n_buckets.next_power_of_two() - 1;
        let bucket = hash & mask;
        if bucket < self.n_buckets {
            bucket
        } else {
            bucket & (mask >> 1)
        }
    }

    #[inline]
    fn head(&self, bucket: usize) -> &Option<Token> {
        &self.chunks[bucket / CHUNK_LEN][bucket % CHUNK_LEN]
    }

    #[inline]
    fn head_mut(&mut self, bucket: usize) -> &mut Option<Token> {
        &mut self.chunks[bucket / CHUNK_LEN][bucket % CHUNK_LEN]
    }
}

/// The bucket that one splits off: itself without its top bit.
fn parent(bucket: usize) -> Option<usize> {
    Some(bucket ^ (1 << bucket.checked_ilog2()?))
}

const CHUNK_LEN: usize = 64;

/// An odd number with bits all over: the golden ratio's fraction.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
impl Index {
    /// Checks P3; O(records).
    pub(super) fn validate<T: Listed>(&self, slots: &Slots<T>) {
        assert!(
            self.n_buckets >= slots.len && self.n_buckets <= 2 * slots.len,
            "P3"
        );
        assert_eq!(self.chunks.len(), self.n_buckets.div_ceil(CHUNK_LEN));
        let mut n_chained = 0;
        for bucket in 0..self.chunks.len() * CHUNK_LEN {
            let next = |token: &Token| slots.get(*token).chain();
            for token in std::iter::successors(*self.head(bucket), next) {
                assert_eq!(self.bucket_of(slots.get(token).key()), bucket, "P3");
                n_chained += 1;
                assert!(n_chained <= slots.len, "P3: a chain doesn't end");
            }
        }
        assert_eq!(n_chained, slots.len, "P3");
    }
}
