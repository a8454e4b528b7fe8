//! Maps without a bound: the floor, and what rows without eviction are compared with besides.
//!
//! # Idea         none of them has anything to forget or an order to keep, so a cache that is as quick gives those away
//! # Costs        none
//! # Invariants   none
//! # Not here     caches

use ahash::RandomState;
use hashbrown::HashTable;
use parking_lot::RwLock;

use super::{Contender, hasher};
use crate::kind::Kind;

/// A map that one thread has for itself: what no cache can be expected to beat, with neither bound nor order.
#[derive(Debug)]
pub struct Floor<T: Kind>(hashbrown::HashMap<T::Owned, T::Value, RandomState>);

impl<T: Kind> Floor<T> {
    /// An empty map, with random keys of the hash.
    pub fn new() -> Self {
        Self(hashbrown::HashMap::with_hasher(hasher()))
    }
}

impl<T: Kind> Default for Floor<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Kind> Contender<T> for &mut Floor<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        self.0
            .get(T::asked(key))
            .cloned()
            .map(|value| T::glance(&value))
    }

    #[inline]
    fn read(&mut self, key: &T::Key) -> Option<u8> {
        self.0.get(T::asked(key)).map(T::glance)
    }

    #[inline]
    fn insert(&mut self, key: &T::Key, value: &T::Given) {
        self.0.insert(T::own(key), T::value(value));
    }

    #[inline]
    fn remove(&mut self, key: &T::Key) {
        self.0.remove(T::asked(key));
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}

/// scc's map.
#[derive(Debug)]
pub struct SccMap<T: Kind>(scc::HashMap<T::Owned, T::Value, RandomState>);

impl<T: Kind> SccMap<T> {
    /// A map with room for this many entries.
    pub fn new(n_entries: usize) -> Self {
        Self(scc::HashMap::with_capacity_and_hasher(n_entries, hasher()))
    }
}

impl<T: Kind> Contender<T> for &SccMap<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        self.0
            .read_sync(T::asked(key), |_, value| value.clone())
            .map(|value| T::glance(&value))
    }

    #[inline]
    fn read(&mut self, key: &T::Key) -> Option<u8> {
        self.0.read_sync(T::asked(key), |_, value| T::glance(value))
    }

    #[inline]
    fn insert(&mut self, key: &T::Key, value: &T::Given) {
        self.0.upsert_sync(T::own(key), T::value(value));
    }

    #[inline]
    fn remove(&mut self, key: &T::Key) {
        self.0.remove_sync(T::asked(key));
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}

/// dashmap.
#[derive(Debug)]
pub struct DashMap<T: Kind>(dashmap::DashMap<T::Owned, T::Value, RandomState>);

impl<T: Kind> DashMap<T> {
    /// A map with room for this many entries.
    pub fn new(n_entries: usize) -> Self {
        Self(dashmap::DashMap::with_capacity_and_hasher(
            n_entries,
            hasher(),
        ))
    }
}

impl<T: Kind> Contender<T> for &DashMap<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        self.0
            .get(T::asked(key))
            .map(|entry| entry.value().clone())
            .map(|value| T::glance(&value))
    }

    #[inline]
    fn read(&mut self, key: &T::Key) -> Option<u8> {
        self.0
            .get(T::asked(key))
            .map(|entry| T::glance(entry.value()))
    }

    #[inline]
    fn insert(&mut self, key: &T::Key, value: &T::Given) {
        self.0.insert(T::own(key), T::value(value));
    }

    #[inline]
    fn remove(&mut self, key: &T::Key) {
        self.0.remove(T::asked(key));
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}

/// papaya, with a guard for each operation.
#[derive(Debug)]
pub struct Papaya<T: Kind>(papaya::HashMap<T::Owned, T::Value, RandomState>);

impl<T: Kind> Papaya<T> {
    /// A map with room for this many entries.
    pub fn new(n_entries: usize) -> Self {
        Self(papaya::HashMap::with_capacity_and_hasher(
            n_entries,
            hasher(),
        ))
    }
}

impl<T: Kind> Contender<T> for &Papaya<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        let value = self.0.pin().get(T::asked(key)).cloned();
        value.map(|value| T::glance(&value))
    }

    #[inline]
    fn read(&mut self, key: &T::Key) -> Option<u8> {
        self.0.pin().get(T::asked(key)).map(T::glance)
    }

    #[inline]
    fn insert(&mut self, key: &T::Key, value: &T::Given) {
        self.0.pin().insert(T::own(key), T::value(value));
    }

    #[inline]
    fn remove(&mut self, key: &T::Key) {
        self.0.pin().remove(T::asked(key));
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}

/// Hash tables behind readers' locks, picked by the hash's top bits: what one writes by hand.
#[derive(Debug)]
pub struct Locked<T: Kind> {
    hasher: RandomState,
    shards: Vec<Shard<T>>,
}

type Table<T> = HashTable<(<T as Kind>::Owned, <T as Kind>::Value)>;

/// Two cache lines for each, as the prefetcher takes them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<T: Kind>(RwLock<Table<T>>);

const SHARDS_LOG2: u32 = 6;

impl<T: Kind> Locked<T> {
    /// Tables with room for this many entries in all.
    pub fn new(n_entries: usize) -> Self {
        let shard = || {
            Shard(RwLock::new(Table::<T>::with_capacity(
                n_entries >> SHARDS_LOG2,
            )))
        };
        Self {
            hasher: hasher(),
            shards: (0..1 << SHARDS_LOG2).map(|_| shard()).collect(),
        }
    }

    #[inline]
    fn shard(&self, hash: u64) -> &RwLock<Table<T>> {
        &self.shards[(hash >> (64 - SHARDS_LOG2)) as usize].0
    }

    #[inline]
    fn find<R>(&self, key: &T::Key, f: impl FnOnce(&T::Value) -> R) -> Option<R> {
        let asked = T::asked(key);
        let hash = self.hasher.hash_one(asked);
        let table = self.shard(hash).read();
        let found = table.find(low(hash), |entry| entry.0.borrow_as(asked));
        found.map(|entry| f(&entry.1))
    }
}

/// hashbrown tells entries of a group apart by the hash's top bits, which are alike in a shard.
#[inline]
fn low(hash: u64) -> u64 {
    hash.rotate_left(SHARDS_LOG2)
}

/// Whether an owned key is the one that is asked for.
trait BorrowAs<Q: ?Sized> {
    fn borrow_as(&self, asked: &Q) -> bool;
}

impl<Q: Eq + ?Sized, K: std::borrow::Borrow<Q>> BorrowAs<Q> for K {
    #[inline]
    fn borrow_as(&self, asked: &Q) -> bool {
        self.borrow() == asked
    }
}

impl<T: Kind> Contender<T> for &Locked<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        self.find(key, T::Value::clone)
            .map(|value| T::glance(&value))
    }

    #[inline]
    fn read(&mut self, key: &T::Key) -> Option<u8> {
        self.find(key, T::glance)
    }

    #[inline]
    fn insert(&mut self, key: &T::Key, value: &T::Given) {
        let (asked, owned, value) = (T::asked(key), T::own(key), T::value(value));
        let hash = self.hasher.hash_one(asked);
        let mut table = self.shard(hash).write();
        let old = match table.find_mut(low(hash), |entry| entry.0.borrow_as(asked)) {
            Some(entry) => Some(std::mem::replace(&mut entry.1, value)),
            None => {
                let rehash = |entry: &(T::Owned, T::Value)| {
                    low(self
                        .hasher
                        .hash_one(std::borrow::Borrow::<T::Asked>::borrow(&entry.0)))
                };
                table.insert_unique(low(hash), (owned, value), rehash);
                None
            }
        };
        drop(table);
        drop(old);
    }

    #[inline]
    fn remove(&mut self, key: &T::Key) {
        let asked = T::asked(key);
        let hash = self.hasher.hash_one(asked);
        let mut table = self.shard(hash).write();
        let found = table.find_entry(low(hash), |entry| entry.0.borrow_as(asked));
        let removed = found.ok().map(|entry| entry.remove().0);
        drop(table);
        drop(removed);
    }

    fn settled_len(&mut self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().len()).sum()
    }
}
