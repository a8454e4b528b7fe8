//! foyer, TinyUFO, scc's cache and stretto as contenders.
//!
//! # Idea         each as its own documentation sets it up for a bound on entries; where a choice is open, the faster one
//! # Costs        none
//! # Invariants   none
//! # Not here     larder; maps without a bound

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::time::Duration;

use ahash::RandomState;

use super::{Contender, hasher};
use crate::kind::Kind;

/// foyer's memory cache, with the S3-FIFO that its documentation recommends for concurrency.
pub struct Foyer<T: Kind>(foyer_memory::Cache<T::Owned, T::Value, RandomState>);

impl<T: Kind> Foyer<T> {
    /// A cache of at most this many entries.
    pub fn new(n_entries: usize) -> Self {
        let cache = foyer_memory::CacheBuilder::new(n_entries)
            .with_eviction_config(foyer_memory::S3FifoConfig::default())
            .with_hash_builder(hasher());
        Self(cache.build())
    }
}

impl<T: Kind> Contender<T> for &Foyer<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
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
        self.0.entries()
    }
}

/// TinyUFO. It keeps hashes instead of keys, so a look-up compares none; it has its own ahash.
pub struct TinyUfo<T: Kind> {
    cache: tinyufo::TinyUfo<T::Key, T::Value>,
    len_max: usize,
}

impl<T: Kind> TinyUfo<T> {
    /// A cache of at most this many entries, each of weight one.
    pub fn new(n_entries: usize) -> Self {
        Self {
            cache: tinyufo::TinyUfo::new(n_entries, n_entries),
            len_max: n_entries,
        }
    }
}

impl<T: Kind> Contender<T> for &TinyUfo<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        self.cache.get(key).map(|value| T::glance(&value))
    }

    #[inline]
    fn insert(&mut self, key: &T::Key, value: &T::Given) {
        drop(self.cache.put(*key, T::value(value), 1));
    }

    #[inline]
    fn remove(&mut self, key: &T::Key) {
        self.cache.remove(key);
    }

    /// It doesn't tell how many it has; a full one has as many as its bound.
    fn settled_len(&mut self) -> usize {
        self.len_max
    }
}

/// scc's bounded cache. Its bound is the next power of two.
#[derive(Debug)]
pub struct SccCache<T: Kind>(scc::HashCache<T::Owned, T::Value, RandomState>);

impl<T: Kind> SccCache<T> {
    /// A cache of at least this many entries.
    pub fn new(n_entries: usize) -> Self {
        Self(scc::HashCache::with_capacity_and_hasher(
            0,
            n_entries,
            hasher(),
        ))
    }
}

impl<T: Kind> Contender<T> for &SccCache<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        self.0
            .get_sync(T::asked(key))
            .map(|entry| entry.get().clone())
            .map(|value| T::glance(&value))
    }

    #[inline]
    fn insert(&mut self, key: &T::Key, value: &T::Given) {
        match self.0.entry_sync(T::own(key)) {
            scc::hash_cache::Entry::Occupied(mut entry) => drop(entry.put(T::value(value))),
            scc::hash_cache::Entry::Vacant(entry) => drop(entry.put_entry(T::value(value))),
        }
    }

    #[inline]
    fn remove(&mut self, key: &T::Key) {
        self.0.remove_sync(T::asked(key));
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}

/// stretto. Its inserts go through a queue to a thread of its own, and may be refused: what it holds shows in its hits. An eviction
/// walks over all entries (version 0.9.0) on that thread, which would run beside whoever is measured next: it takes no part in
/// rows that evict.
pub struct Stretto<T: Kind> {
    cache: StrettoCache<T::Owned, T::Value>,
    /// Zero is none, for it as well.
    ttl: Duration,
}

type StrettoCache<K, V> = stretto::Cache<
    K,
    V,
    Hashed<K>,
    stretto::DefaultCoster<V>,
    stretto::DefaultUpdateValidator<V>,
    stretto::DefaultCacheCallback<V>,
    RandomState,
>;

impl<T: Kind> Stretto<T> {
    /// A cache of at most this many entries, each of cost one.
    pub fn new(n_entries: usize) -> Self {
        Self::with_ttl(n_entries, Duration::ZERO)
    }

    /// The same, and every entry has a deadline.
    pub fn with_ttl(n_entries: usize, ttl: Duration) -> Self {
        // Ten counters an entry are what its documentation asks for.
        let cache = stretto::CacheBuilder::new_with_key_builder(
            10 * n_entries,
            n_entries as i64,
            Hashed(hasher(), PhantomData),
        )
        .set_hasher(hasher())
        .set_ignore_internal_cost(true)
        .finalize();
        Self {
            cache: cache.expect("bounds above zero are a valid configuration"),
            ttl,
        }
    }

    /// Stores an entry that lives this long.
    pub fn insert_for(&self, key: &T::Key, value: &T::Given, ttl: Duration) {
        self.cache
            .insert_with_ttl(T::own(key), T::value(value), 1, ttl);
    }
}

impl<T: Kind> Contender<T> for &Stretto<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        self.cache
            .get(T::asked(key))
            .map(|value| value.value().clone())
            .map(|value| T::glance(&value))
    }

    #[inline]
    fn insert(&mut self, key: &T::Key, value: &T::Given) {
        self.insert_for(key, value, self.ttl);
    }

    #[inline]
    fn remove(&mut self, key: &T::Key) {
        self.cache.remove(&T::own(key));
    }

    fn settled_len(&mut self) -> usize {
        let waited = self.cache.wait();
        assert!(waited.is_ok(), "the cache's own thread is there");
        self.cache.len()
    }
}

/// ahash for stretto, which keeps hashes instead of keys.
struct Hashed<K>(RandomState, PhantomData<fn(K)>);

impl<K: Hash + Eq> stretto::KeyBuilder for Hashed<K> {
    type Key = K;

    fn hash_index<Q>(&self, key: &Q) -> u64
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.hash_one(key)
    }
}

macro_rules! opaque {
    ($($name:ident),+) => {$(
        impl<T: Kind> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

opaque!(Foyer, TinyUfo, Stretto);
