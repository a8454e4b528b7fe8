//! What keys and values are made of: bytes, or one word each.
//!
//! # Idea         a stream holds keys as they are drawn; each cache is asked by what is cheapest for it, and owns what it has to own
//! # Costs        `own` and `value` copy, inside of what is timed: a cache has to own what it keeps
//! # Invariants   K1 the first byte of every stored value is 1, so that a sum of them counts
//! # Not here     which keys are drawn

use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use crate::keys::{self, Key};

/// Keys and values of one kind.
pub trait Kind: Debug + 'static {
    /// As it stands in a stream.
    type Key: Copy + Hash + Eq + Send + Sync + Debug + 'static;
    /// What a peer can look up without owning it.
    type Asked: Hash + Eq + ?Sized;
    /// What a peer keeps of a key.
    type Owned: Borrow<Self::Asked> + Clone + Hash + Eq + Send + Sync + Debug + 'static;
    /// A value as it comes in.
    type Given: Send + Sync + ?Sized;
    /// What a peer keeps of a value, and hands out.
    type Value: Clone + Send + Sync + Debug + 'static;

    /// The key of an index; no two are alike.
    fn key(idx: u64) -> Self::Key;
    /// The key as it is looked up.
    fn asked(key: &Self::Key) -> &Self::Asked;
    /// The key to keep.
    fn own(key: &Self::Key) -> Self::Owned;
    /// The value to keep.
    fn value(given: &Self::Given) -> Self::Value;
    /// The value's first byte.
    fn glance(value: &Self::Value) -> u8;
}

/// Keys of 32 bytes and values of as many as are given: boxed and counted, the cheapest that lets a hit outlive its entry.
#[derive(Debug)]
pub struct Bytes;

impl Kind for Bytes {
    type Key = Key;
    type Asked = [u8];
    type Owned = Box<[u8]>;
    type Given = [u8];
    type Value = Arc<[u8]>;

    fn key(idx: u64) -> Key {
        keys::key(idx)
    }

    #[inline]
    fn asked(key: &Key) -> &[u8] {
        key
    }

    #[inline]
    fn own(key: &Key) -> Box<[u8]> {
        key[..].into()
    }

    #[inline]
    fn value(given: &[u8]) -> Arc<[u8]> {
        given.into()
    }

    #[inline]
    fn glance(value: &Arc<[u8]>) -> u8 {
        value[0]
    }
}

/// A `u64` to a `u64`.
#[derive(Debug)]
pub struct Words;

impl Kind for Words {
    type Key = u64;
    type Asked = u64;
    type Owned = u64;
    type Given = u64;
    type Value = u64;

    fn key(idx: u64) -> u64 {
        keys::mix(idx)
    }

    #[inline]
    fn asked(key: &u64) -> &u64 {
        key
    }

    #[inline]
    fn own(key: &u64) -> u64 {
        *key
    }

    #[inline]
    fn value(given: &u64) -> u64 {
        *given
    }

    #[inline]
    fn glance(value: &u64) -> u8 {
        value.to_le_bytes()[0]
    }
}
