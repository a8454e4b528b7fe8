//! Why a pool isn't as it was asked for, and why it may not take more.

use std::error::Error;
use std::fmt;

use super::PoolId;

/// Why a pool can't be made or changed as asked. Nothing has changed then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ShareError {
    /// A pool would be guaranteed more than it may take.
    AboveMax {
        /// Bytes to be guaranteed.
        guaranteed: u64,
        /// Bytes that the pool may take.
        max: u64,
    },
    /// All guarantees together would be above the capacity of the cache.
    AboveCapacity {
        /// The sum of guarantees, as it would be.
        guaranteed: u64,
        /// The capacity, as it is or would be.
        capacity: u64,
    },
    /// The guarantees of a pool's children together would be above its own.
    AboveParent {
        /// The sum of the children's guarantees, as it would be.
        guaranteed: u64,
        /// What the parent is guaranteed, or would be.
        parent: u64,
    },
    /// The parent is a child itself; there are two levels.
    TooDeep,
    /// The pool has children that weren't removed before.
    HasChildren,
    /// There's no such pool, or it was removed, or it is the root, which has no limits.
    NoSuchPool,
    /// All numbers are taken: 2^20 - 1 pools are live or still have entries.
    TooMany,
}

impl fmt::Display for ShareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AboveMax { guaranteed, max } => write!(
                f,
                "{guaranteed} bytes can't be guaranteed to who may take {max} at most"
            ),
            Self::AboveCapacity {
                guaranteed,
                capacity,
            } => write!(
                f,
                "{guaranteed} bytes can't be guaranteed in all, in a cache of {capacity}"
            ),
            Self::AboveParent { guaranteed, parent } => write!(
                f,
                "{guaranteed} bytes can't be guaranteed to parts of what is guaranteed {parent}"
            ),
            Self::TooDeep => write!(f, "memory shares nest two levels deep, not three"),
            Self::HasChildren => write!(f, "parts with shares of their own must be removed first"),
            Self::NoSuchPool => write!(f, "there is no such share of memory"),
            Self::TooMany => write!(f, "there are 2^20 - 1 shares of memory already"),
        }
    }
}

impl Error for ShareError {}

/// A claim would lead above a maximum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OverMax {
    /// The pool without room: the one that claims, or its parent.
    pub(crate) pool: PoolId,
    /// The bytes that it had claimed.
    pub(crate) used: u64,
    /// The bytes that it may claim.
    pub(crate) max: u64,
}

impl fmt::Display for OverMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes are taken", self.used, self.max)
    }
}

impl Error for OverMax {}
