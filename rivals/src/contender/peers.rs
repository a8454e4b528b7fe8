//! quick_cache, moka and mini-moka as contenders.
//!
//! # Idea         each as its own documentation sets it up for a bound on entries; where a choice is open, the faster one
//! # Costs        none
//! # Invariants   none
//! # Not here     larder; other bounded peers; maps without a bound

use std::time::{Duration, Instant};

use ahash::RandomState;
use mini_moka::sync::ConcurrentCacheExt;
use quick_cache::sync::DefaultLifecycle;
use quick_cache::{OptionsBuilder, UnitWeighter};

use super::{Contender, hasher};
use crate::kind::Kind;
use crate::time::now;

type Quick<T, V> = quick_cache::sync::Cache<<T as Kind>::Owned, V, UnitWeighter, RandomState>;

fn quick<T: Kind, V: Clone>(n_entries: usize) -> Quick<T, V> {
    let options = OptionsBuilder::new()
        .estimated_items_capacity(n_entries)
        .weight_capacity(n_entries as u64)
        .build()
        .expect("both capacities are set");
    Quick::<T, V>::with_options(options, UnitWeighter, hasher(), DefaultLifecycle::default())
}

/// quick_cache, every entry of weight one.
#[derive(Debug)]
pub struct QuickCache<T: Kind>(Quick<T, T::Value>);

impl<T: Kind> QuickCache<T> {
    /// A cache of at most this many entries.
    pub fn new(n_entries: usize) -> Self {
        Self(quick::<T, T::Value>(n_entries))
    }
}

impl<T: Kind> Contender<T> for &QuickCache<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        self.0.get(T::asked(key)).map(|value| T::glance(&value))
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

/// quick_cache with a deadline beside each value, checked by hand: what its users write who need a time to live.
#[derive(Debug)]
pub struct QuickTtl<T: Kind> {
    cache: Quick<T, (Instant, T::Value)>,
    ttl: Duration,
}

impl<T: Kind> QuickTtl<T> {
    /// A cache of at most this many entries, each of which lives this long.
    pub fn new(n_entries: usize, ttl: Duration) -> Self {
        Self {
            cache: quick::<T, _>(n_entries),
            ttl,
        }
    }
}

impl<T: Kind> Contender<T> for &QuickTtl<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        let (deadline, value) = self.cache.get(T::asked(key))?;
        (now() < deadline).then(|| T::glance(&value))
    }

    #[inline]
    fn insert(&mut self, key: &T::Key, value: &T::Given) {
        self.cache
            .insert(T::own(key), (now() + self.ttl, T::value(value)));
    }

    #[inline]
    fn remove(&mut self, key: &T::Key) {
        self.cache.remove(T::asked(key));
    }

    fn settled_len(&mut self) -> usize {
        self.cache.len()
    }
}

/// moka's synchronous cache.
#[derive(Debug)]
pub struct Moka<T: Kind>(pub moka::sync::Cache<T::Owned, T::Value, RandomState>);

impl<T: Kind> Moka<T> {
    /// A cache of at most this many entries.
    pub fn new(n_entries: usize) -> Self {
        let cache = moka::sync::Cache::builder().max_capacity(n_entries as u64);
        Self(cache.build_with_hasher(hasher()))
    }

    /// The same, and every entry has a deadline.
    pub fn with_ttl(n_entries: usize, ttl: Duration) -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(n_entries as u64)
            .time_to_live(ttl);
        Self(cache.build_with_hasher(hasher()))
    }

    /// The same, and all entries have one deadline.
    pub fn due_at(n_entries: usize, deadline: Instant) -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(n_entries as u64)
            .expire_after(DueAt(deadline));
        Self(cache.build_with_hasher(hasher()))
    }
}

struct DueAt(Instant);

impl<K, V> moka::Expiry<K, V> for DueAt {
    fn expire_after_create(&self, _: &K, _: &V, created_at: Instant) -> Option<Duration> {
        Some(self.0.saturating_duration_since(created_at))
    }
}

impl<T: Kind> Contender<T> for &Moka<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        self.0.get(T::asked(key)).map(|value| T::glance(&value))
    }

    #[inline]
    fn insert(&mut self, key: &T::Key, value: &T::Given) {
        self.0.insert(T::own(key), T::value(value));
    }

    #[inline]
    fn remove(&mut self, key: &T::Key) {
        self.0.invalidate(T::asked(key));
    }

    fn settled_len(&mut self) -> usize {
        self.0.run_pending_tasks();
        self.0.entry_count() as usize
    }
}

/// mini-moka's synchronous cache. It is asked by whole keys, so it owns those of a stream.
pub struct MiniMoka<T: Kind>(mini_moka::sync::Cache<T::Key, T::Value, RandomState>);

impl<T: Kind> MiniMoka<T> {
    /// A cache of at most this many entries.
    pub fn new(n_entries: usize) -> Self {
        let cache = mini_moka::sync::Cache::builder().max_capacity(n_entries as u64);
        Self(cache.build_with_hasher(hasher()))
    }

    /// The same, and every entry has a deadline.
    pub fn with_ttl(n_entries: usize, ttl: Duration) -> Self {
        let cache = mini_moka::sync::Cache::builder()
            .max_capacity(n_entries as u64)
            .time_to_live(ttl);
        Self(cache.build_with_hasher(hasher()))
    }
}

impl<T: Kind> std::fmt::Debug for MiniMoka<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MiniMoka").finish_non_exhaustive()
    }
}

impl<T: Kind> Contender<T> for &MiniMoka<T> {
    #[inline]
    fn get(&mut self, key: &T::Key) -> Option<u8> {
        self.0.get(key).map(|value| T::glance(&value))
    }

    #[inline]
    fn insert(&mut self, key: &T::Key, value: &T::Given) {
        self.0.insert(*key, T::value(value));
    }

    #[inline]
    fn remove(&mut self, key: &T::Key) {
        self.0.invalidate(key);
    }

    fn settled_len(&mut self) -> usize {
        self.0.sync();
        self.0.entry_count() as usize
    }
}
