//! The peers and the floor as contenders.
//!
//! # Idea         each as its own documentation sets it up for a bound on entries; where a choice is open, the faster one
//! # Costs        none
//! # Invariants   none
//! # Not here     larder

use std::sync::Arc;
use std::time::{Duration, Instant};

use ahash::RandomState;
use quick_cache::sync::DefaultLifecycle;
use quick_cache::{OptionsBuilder, UnitWeighter};

use super::Contender;
use crate::time::now;

type OwnedKey = Box<[u8]>;
type Value = Arc<[u8]>;

/// A map that one thread has for itself: what no cache can be expected to beat, with neither bound nor order.
#[derive(Debug, Default)]
pub struct Floor(hashbrown::HashMap<OwnedKey, Value, RandomState>);

impl Contender for &mut Floor {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0.get(key).map(|value| Arc::clone(value)[0])
    }

    #[inline]
    fn read(&mut self, key: &[u8]) -> Option<u8> {
        self.0.get(key).map(|value| value[0])
    }

    #[inline]
    fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}

type Quick<V> = quick_cache::sync::Cache<OwnedKey, V, UnitWeighter, RandomState>;

fn quick<V: Clone>(n_entries: usize) -> Quick<V> {
    let options = OptionsBuilder::new()
        .estimated_items_capacity(n_entries)
        .weight_capacity(n_entries as u64)
        .build()
        .expect("both capacities are set");
    Quick::with_options(
        options,
        UnitWeighter,
        RandomState::new(),
        DefaultLifecycle::default(),
    )
}

/// quick_cache, every entry of weight one.
#[derive(Debug)]
pub struct QuickCache(Quick<Value>);

impl QuickCache {
    /// A cache of at most this many entries.
    pub fn new(n_entries: usize) -> Self {
        Self(quick(n_entries))
    }
}

impl Contender for &QuickCache {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0.get(key).map(|value| value[0])
    }

    #[inline]
    fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}

/// quick_cache with a deadline beside each value, checked by hand: what its users write who need a time to live.
#[derive(Debug)]
pub struct QuickTtl {
    cache: Quick<(Instant, Value)>,
    ttl: Duration,
}

impl QuickTtl {
    /// A cache of at most this many entries, each of which lives this long.
    pub fn new(n_entries: usize, ttl: Duration) -> Self {
        Self {
            cache: quick(n_entries),
            ttl,
        }
    }
}

impl Contender for &QuickTtl {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u8> {
        let (deadline, value) = self.cache.get(key)?;
        (now() < deadline).then(|| value[0])
    }

    #[inline]
    fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.cache
            .insert(key.into(), (now() + self.ttl, value.into()));
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) {
        self.cache.remove(key);
    }

    fn settled_len(&mut self) -> usize {
        self.cache.len()
    }
}

/// moka's synchronous cache.
#[derive(Debug)]
pub struct Moka(moka::sync::Cache<OwnedKey, Value, RandomState>);

impl Moka {
    /// A cache of at most this many entries.
    pub fn new(n_entries: usize) -> Self {
        let cache = moka::sync::Cache::builder().max_capacity(n_entries as u64);
        Self(cache.build_with_hasher(RandomState::new()))
    }

    /// The same, and every entry has a deadline.
    pub fn with_ttl(n_entries: usize, ttl: Duration) -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(n_entries as u64)
            .time_to_live(ttl);
        Self(cache.build_with_hasher(RandomState::new()))
    }
}

impl Contender for &Moka {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0.get(key).map(|value| value[0])
    }

    #[inline]
    fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) {
        self.0.invalidate(key);
    }

    fn settled_len(&mut self) -> usize {
        self.0.run_pending_tasks();
        self.0.entry_count() as usize
    }
}

/// foyer's memory cache, with the S3-FIFO that its documentation recommends for concurrency.
pub struct Foyer(foyer_memory::Cache<OwnedKey, Value, RandomState>);

impl Foyer {
    /// A cache of at most this many entries.
    pub fn new(n_entries: usize) -> Self {
        let cache = foyer_memory::CacheBuilder::new(n_entries)
            .with_eviction_config(foyer_memory::S3FifoConfig::default())
            .with_hash_builder(RandomState::new());
        Self(cache.build())
    }
}

impl Contender for &Foyer {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0.get(key).map(|entry| entry.value()[0])
    }

    #[inline]
    fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }

    fn settled_len(&mut self) -> usize {
        self.0.entries()
    }
}

impl std::fmt::Debug for Foyer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Foyer").finish_non_exhaustive()
    }
}

/// scc's unbounded map, for rows in which nothing has to leave.
#[derive(Debug)]
pub struct SccMap(scc::HashMap<OwnedKey, Value, RandomState>);

impl SccMap {
    /// A map with room for this many entries.
    pub fn new(n_entries: usize) -> Self {
        Self(scc::HashMap::with_capacity_and_hasher(
            n_entries,
            RandomState::new(),
        ))
    }
}

impl Contender for &SccMap {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0
            .read_sync(key, |_, value| Arc::clone(value))
            .map(|value| value[0])
    }

    #[inline]
    fn read(&mut self, key: &[u8]) -> Option<u8> {
        self.0.read_sync(key, |_, value| value[0])
    }

    #[inline]
    fn insert(&mut self, key: &[u8], value: &[u8]) {
        self.0.upsert_sync(key.into(), value.into());
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) {
        self.0.remove_sync(key);
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}

/// scc's bounded cache, for rows that evict. Its bound is the next power of two.
#[derive(Debug)]
pub struct SccCache(scc::HashCache<OwnedKey, Value, RandomState>);

impl SccCache {
    /// A cache of at least this many entries.
    pub fn new(n_entries: usize) -> Self {
        Self(scc::HashCache::with_capacity_and_hasher(
            0,
            n_entries,
            RandomState::new(),
        ))
    }
}

impl Contender for &SccCache {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0
            .get_sync(key)
            .map(|entry| Arc::clone(entry.get()))
            .map(|value| value[0])
    }

    #[inline]
    fn insert(&mut self, key: &[u8], value: &[u8]) {
        match self.0.entry_sync(key.into()) {
            scc::hash_cache::Entry::Occupied(mut entry) => drop(entry.put(value.into())),
            scc::hash_cache::Entry::Vacant(entry) => drop(entry.put_entry(value.into())),
        }
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) {
        self.0.remove_sync(key);
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}
