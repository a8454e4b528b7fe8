//! The living by name, and the next id.
//!
//! # Idea         names in locked tables, by the hash of name and parent; the name's own hash serves those who list it elsewhere
//! # Costs        a name: a lock of one of the tables
//! # Invariants   L1, L5 and L6 of the module above
//! # Not here     who may make a life, who ends it

use std::ptr;

use super::names::Names;
use super::{Generation, ID_NOWHERE, Name, PlaceWord, ScopeError};
use crate::hash::Hasher64;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{CachePadded, Mutex, MutexGuard, Weak};

/// The living by name, and the next id. Every life holds it, so it lasts as long as there is one to be taken out.
#[derive(Debug)]
pub(super) struct Roll {
    pub(super) shards: [CachePadded<Mutex<Names<Weak<Generation>>>>; N_SHARDS],
    pub(super) next_id: CachePadded<AtomicU64>,
    hasher: Hasher64,
    #[cfg(test)]
    hash_mask: u64,
}

/// Versions of a block, as a power of two.
pub(crate) const VERSIONS_LOG2: u32 = 16;

/// What the versions of a life's entries are above, and those of earlier lives below.
pub(crate) fn floor_of(id: u64) -> u64 {
    id << VERSIONS_LOG2
}

/// Two in models: each lock there costs time.
const N_SHARDS: usize = if cfg!(engine_loom) { 2 } else { 16 };

impl Roll {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| CachePadded::new(Mutex::new(Names::new()))),
            next_id: CachePadded::new(AtomicU64::new(PlaceWord::ROOT.id() + 1)),
            // A model must run alike each time.
            hasher: if cfg!(engine_loom) {
                Hasher64::with_seeds(1, 2, 3, 4)
            } else {
                Hasher64::new()
            },
            #[cfg(test)]
            hash_mask: u64::MAX,
        }
    }

    /// One in which all names agree in their hash.
    #[cfg(test)]
    pub(super) fn of_one_hash() -> Self {
        Self {
            hash_mask: 0,
            ..Self::new()
        }
    }

    /// The hash of a name below whatever `above` stands for.
    pub(super) fn hash(&self, above: u64, name: Name<'_>) -> u64 {
        // The odd factor spreads consecutive ids, and the swap brings the spread to the low bits.
        let mixed = above.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let hash = self.hash_of_name(name) ^ mixed ^ mixed.swap_bytes();
        #[cfg(test)]
        let hash = hash & self.hash_mask;
        hash
    }

    pub(super) fn hash_of_name(&self, name: Name<'_>) -> u64 {
        // Shapes are below 16.
        let own = self
            .hasher
            .hash(0, name.shape | (name.kind as u8) << 4, name.bytes);
        own.bits()
    }

    /// Under which the life of a name in `above` stands here.
    pub(super) fn life_hash(&self, above: PlaceWord, name: Name<'_>) -> u32 {
        (self.hash(above.bits(), name) >> 32) as u32
    }

    /// The names of a shard, under its lock.
    pub(super) fn names(&self, hash: u32) -> MutexGuard<'_, Names<Weak<Generation>>> {
        // The top bits: buckets are told apart by the low ones.
        self.shards[(hash >> 28) as usize % N_SHARDS].lock()
    }

    pub(super) fn draw_id(&self) -> Result<u64, ScopeError> {
        self.next_id
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| {
                (id < ID_NOWHERE).then_some(id + 1)
            })
            .map_err(|_| ScopeError::OutOfIds)
    }

    /// Takes out a life that nobody names any more.
    pub(super) fn forget(&self, life: &Generation) {
        take_out(&mut self.names(life.hash()), life);
    }
}

/// Takes a life out of its names; another one of the same name stays. By address, which is good while it stands there:
/// the weak pointer keeps the memory.
pub(super) fn take_out(names: &mut Names<Weak<Generation>>, life: &Generation) {
    names.remove(u64::from(life.hash()), |other| {
        ptr::eq(other.as_ptr(), life)
    });
}
