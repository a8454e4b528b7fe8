//! The contenders: every cache behind the few operations that the rows need.
//!
//! # Idea         bytes come in as slices, as from a socket. Peers own their keys as `Box<[u8]>` and their values as `Arc<[u8]>`, the
//!   cheapest that lets a hit outlive its entry; larder copies both into its entry. Peers that can't be asked by a slice own the
//!   32 bytes themselves, which spares them an allocation and a pointer
//! # Costs        none of its own: the loops over these methods are compiled once a contender
//! # Invariants   CO1 ahash everywhere, with the same seeds in every run, so that counts repeat; CO2 what finds a value also reads a byte of it; CO3 bounds are counts of entries for all
//! # Not here     loops, threads, time

mod bounded;
mod engine;
mod loaders;
mod maps;
mod peers;

use ahash::RandomState;

use crate::kind::Kind;

pub use bounded::{Foyer, SccCache, Stretto, TinyUfo};
pub use engine::{Held, Larder};
pub use loaders::{LarderLoads, MokaLoads, QuickLoads};
pub use maps::{DashMap, Floor, Locked, Papaya, SccMap};
pub use peers::{MiniMoka, Moka, QuickCache, QuickTtl};

/// Why stretto isn't in rows that evict.
pub const STRETTO_EVICTS: &str =
    "each of its evictions walks over all entries, on a thread of its own";

/// One thread's access to a cache. The receiver is mutable for the sake of the floor, which no two threads share; the others
/// implement this for a shared reference.
pub trait Contender<T: Kind>: Send {
    /// Takes an owned handle of the value, reads a byte through it, drops it.
    fn get(&mut self, key: &T::Key) -> Option<u8>;

    /// Reads a byte of the value in place, where the cache has that; else as [`get`](Self::get).
    fn read(&mut self, key: &T::Key) -> Option<u8> {
        self.get(key)
    }

    /// Takes handles of many keys; how many were found.
    fn get_many(&mut self, keys: &[T::Key]) -> usize {
        keys.iter().filter(|key| self.get(key).is_some()).count()
    }

    /// Stores a copy of the value under a copy of the key.
    fn insert(&mut self, key: &T::Key, value: &T::Given);

    /// Takes an entry out.
    fn remove(&mut self, key: &T::Key);

    /// Entries that are there, once what was put off has been done.
    fn settled_len(&mut self) -> usize;
}

/// The peers' hash.
fn hasher() -> RandomState {
    let [a, b, c, d] = SEEDS;
    RandomState::with_seeds(a, b, c, d)
}

/// Of the peers' hash, and of larder's. Any will do.
pub const SEEDS: [u64; 4] = [
    0x9E37_79B9_7F4A_7C15,
    0xBF58_476D_1CE4_E5B9,
    0x94D0_49BB_1331_11EB,
    0x2545_F491_4F6C_DD1D,
];
