//! Names of scopes: which life of which path a view stands for, and what an entry carries of it.
//!
//! # Idea
//! A scope is a path of names. Each life of it is a [`Generation`] with an id that is never used again; entries carry
//! the id (in a [`PlaceWord`]), never the path. To invalidate is to end that life: whoever asks for the path
//! afterwards gets the next one, and nothing that carries the old id can be found. The [`Registry`] finds the living
//! by name, and counts every ending in one word, the epoch. A view ([`Local`]) remembers the word that it had at some
//! epoch; while the epoch stands, that word is good, and nothing else is looked at.
//!
//! ```text
//! view: epoch seen, word --stale?--> Generation --parent--> Generation --parent--> ... (root: none)
//!                                        ^ weak, by (word of the parent, name)
//! registry: epoch | 16 locked tables of names
//! ```
//!
//! # Costs
//! A view's word: three loads and a comparison. After an ending anywhere in the cache, once a view: a walk up its path
//! (at most [`DEPTH_MAX`]). Ending a life: O(1), whatever it holds. A name that the calling thread has asked for
//! lately: a probe of a table of its own; otherwise a lock of one of the tables of names, and for a new life about
//! 130 bytes and the name.
//!
//! # Invariants
//! - L1 Two lives never have the same id, and ids grow in the order of making.
//! - L2 While a life is named by anybody and hasn't ended, its path leads to it, and to no other.
//! - L3 A life of a name is handed out only after the epoch has counted the ending of the one before. So a thread that
//!   has used the new one can't be followed by a thread that uses the old one.
//! - L4 What a view answers had not ended when it was asked; and it never comes back to a life that it has left.
//! - L5 A name takes room while its life is named: by a view, a child, an entry, a thread's table; not longer.
//! - L6 Locks: a stripe's at most, or the directory of tenants and then that of a tenant's caches; then a view's, then one table of names
//!   or the gate of closings. No other lock is taken under the last three, and no life is dropped under a table's lock.
//! - L7 An ending is in force with its count. Marked and not counted, it comes after whoever asks: a word that was read since the last
//!   count is written to, and nothing of the life is swept.
//!
//! # Not here
//! Entries and how they are swept; who may make a tenant or a named cache; how keys become bytes.

mod error;
mod generation;
mod local;
mod names;
mod registry;
mod roll;
#[cfg(not(engine_loom))]
mod threads;

pub use self::error::ScopeError;
pub(crate) use self::generation::{Generation, Owner};
pub(crate) use self::local::Local;
#[cfg(not(engine_loom))]
pub(crate) use self::names::Names;
pub(crate) use self::registry::{Epoch, Registry};
pub(crate) use self::roll::{VERSIONS_LOG2, floor_of};
use crate::error::MAX_KEY_BYTES;

/// The deepest nesting of views, tenant and named cache included.
pub(crate) const DEPTH_MAX: u8 = 16;

/// What an entry carries of the scope that it was written in.
///
/// | bits | what |
/// |---|---|
/// | 43 .. 0 | the id of the scope's life: 0 the root, all ones nowhere |
/// | 63 .. 44 | the pool that the entry's bytes are charged to; 0 nobody's |
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct PlaceWord(u64);

impl PlaceWord {
    /// The cache itself.
    pub(crate) const ROOT: Self = Self(0);
    /// Where nothing can be: the word of a view whose tenant or named cache is closed. No entry ever carries it.
    pub(crate) const NOWHERE: Self = Self(ID_NOWHERE);

    #[inline]
    pub(crate) const fn new(id: u64, pool: u32) -> Self {
        debug_assert!(id <= ID_NOWHERE);
        debug_assert!(pool <= POOL_MAX);
        Self((pool as u64) << ID_BITS | id)
    }

    /// Takes a word back from where its bits were stored.
    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Tells lives apart, in the order of making.
    #[inline]
    pub(crate) const fn id(self) -> u64 {
        self.0 & ID_NOWHERE
    }

    /// Who is charged.
    #[inline]
    pub(crate) const fn pool(self) -> u32 {
        (self.0 >> ID_BITS) as u32
    }
}

const ID_BITS: u32 = 44;
/// The largest id is never given to a life.
const ID_NOWHERE: u64 = (1 << ID_BITS) - 1;
/// The largest number of a pool.
pub(crate) const POOL_MAX: u32 = (1 << (64 - ID_BITS)) - 1;

/// What a name is the name of. Levels and snapshots store the numbers: they don't change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A list of parts that says where the caller stands.
    Scope = 0,
    /// One part that a user gave.
    Prefix = 1,
    /// An isolated user of the cache.
    Tenant = 2,
    /// A named space of a tenant.
    Cache = 3,
}

/// One step of a path: a list of parts, encoded as a key is, and what it names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Name<'a> {
    pub(crate) kind: Kind,
    /// How the bytes are to be read; see `key`.
    pub(crate) shape: u8,
    pub(crate) bytes: &'a [u8],
}

impl Name<'_> {
    fn check(self) -> Result<(), ScopeError> {
        match self.bytes.len() {
            0 => Err(ScopeError::Empty),
            1..=MAX_KEY_BYTES => Ok(()),
            len_bytes => Err(ScopeError::TooLong {
                len_bytes,
                max_bytes: MAX_KEY_BYTES,
            }),
        }
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
