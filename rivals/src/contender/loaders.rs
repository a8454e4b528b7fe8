//! The contenders that load what is missing, one caller at a time.
//!
//! # Idea         the peers' keys are the streams' own arrays: both take a borrowed key that turns into an owned one, which a slice can't be
//! # Costs        none
//! # Invariants   none
//! # Not here     look-ups and inserts of slices: module `peers`

use std::convert::Infallible;
use std::sync::Arc;

use ahash::RandomState;
use larder::{LoadError, Ttl};
use quick_cache::sync::DefaultLifecycle;
use quick_cache::{OptionsBuilder, UnitWeighter};

use super::{Contender, Larder, hasher};
use crate::keys::{Key, VALUE};
use crate::kind::Bytes;

type Value = Arc<[u8]>;

/// Larder, whose every job but an insert is a load.
#[derive(Debug)]
pub struct LarderLoads(pub Larder<[u8]>);

impl Contender<Bytes> for &LarderLoads {
    #[inline]
    fn get(&mut self, key: &Key) -> Option<u8> {
        let loaded: Result<_, LoadError<_, _>> =
            self.0
                .0
                .get_or_insert_with(&key[..], Ttl::DEFAULT, || VALUE);
        Some(loaded.expect("an entry this small is never refused")[0])
    }

    fn insert(&mut self, key: &Key, value: &[u8]) {
        (&mut &self.0).insert(key, value);
    }

    fn remove(&mut self, key: &Key) {
        (&mut &self.0).remove(key);
    }

    fn settled_len(&mut self) -> usize {
        (&mut &self.0).settled_len()
    }
}

/// quick_cache, likewise.
#[derive(Debug)]
pub struct QuickLoads(quick_cache::sync::Cache<Key, Value, UnitWeighter, RandomState>);

impl QuickLoads {
    /// A cache of at most this many entries.
    pub fn new(n_entries: usize) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(n_entries)
            .weight_capacity(n_entries as u64)
            .build()
            .expect("both capacities are set");
        Self(quick_cache::sync::Cache::with_options(
            options,
            UnitWeighter,
            hasher(),
            DefaultLifecycle::default(),
        ))
    }
}

impl Contender<Bytes> for &QuickLoads {
    #[inline]
    fn get(&mut self, key: &Key) -> Option<u8> {
        let load = || Ok::<Value, Infallible>(VALUE[..].into());
        let Ok(value) = self.0.get_or_insert_with(key, load);
        Some(value[0])
    }

    fn insert(&mut self, key: &Key, value: &[u8]) {
        self.0.insert(*key, value.into());
    }

    fn remove(&mut self, key: &Key) {
        self.0.remove(key);
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}

/// moka, likewise.
#[derive(Debug)]
pub struct MokaLoads(moka::sync::Cache<Key, Value, RandomState>);

impl MokaLoads {
    /// A cache of at most this many entries.
    pub fn new(n_entries: usize) -> Self {
        let cache = moka::sync::Cache::builder().max_capacity(n_entries as u64);
        Self(cache.build_with_hasher(hasher()))
    }
}

impl Contender<Bytes> for &MokaLoads {
    #[inline]
    fn get(&mut self, key: &Key) -> Option<u8> {
        let value = self.0.get_with_by_ref(key, || VALUE[..].into());
        Some(value[0])
    }

    fn insert(&mut self, key: &Key, value: &[u8]) {
        self.0.insert(*key, value.into());
    }

    fn remove(&mut self, key: &Key) {
        self.0.invalidate(key);
    }

    fn settled_len(&mut self) -> usize {
        self.0.run_pending_tasks();
        self.0.entry_count() as usize
    }
}
