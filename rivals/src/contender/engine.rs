//! Larder as a contender.
//!
//! # Idea         `Cache<[u8]>`, bounded by entries, stripes as they come
//! # Costs        none
//! # Invariants   none
//! # Not here     the peers

use std::time::Duration;

use larder::{Cache, Limits, Scope};

use super::Contender;
use crate::keys::Key;

/// The engine, with values inside the entries.
#[derive(Debug)]
pub struct Larder(pub Cache<[u8]>);

impl Larder {
    /// A cache of at most this many entries.
    pub fn new(n_entries: usize) -> Self {
        let cache = Cache::builder().max_entries(n_entries as u64).build();
        Self(cache.expect("a bound alone is a valid configuration"))
    }

    /// The same, and every entry has a deadline.
    pub fn with_ttl(n_entries: usize, ttl: Duration) -> Self {
        let cache = Cache::builder()
            .max_entries(n_entries as u64)
            .default_ttl(ttl)
            .build();
        Self(cache.expect("a bound and a time to live are a valid configuration"))
    }
}

/// A view of it that is held: the default cache of a tenant without limits.
#[derive(Debug)]
pub struct Held<'c>(Scope<'c, [u8]>);

impl Larder {
    /// The same entries are not there: a tenant has keys of its own.
    pub fn held(&self) -> Held<'_> {
        let tenant = self.0.create_tenant("tenant", Limits::default());
        let tenant = tenant.expect("no other has this name");
        let cache = tenant.default_cache();
        Held(cache.expect("every tenant has one").scope())
    }
}

impl Contender for &Held<'_> {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0.get(key).map(|value| value[0])
    }

    #[inline]
    fn read(&mut self, key: &[u8]) -> Option<u8> {
        self.0.read(key, |value| value[0])
    }

    #[inline]
    fn insert(&mut self, key: &[u8], value: &[u8]) {
        let answer = self.0.insert(key, value);
        assert!(answer.is_ok(), "an entry this small is never refused");
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }

    fn settled_len(&mut self) -> usize {
        self.0.len()
    }
}

impl Contender for &Larder {
    #[inline]
    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0.get(key).map(|value| value[0])
    }

    #[inline]
    fn read(&mut self, key: &[u8]) -> Option<u8> {
        self.0.read(key, |value| value[0])
    }

    #[inline]
    fn get_many(&mut self, keys: &[Key]) -> usize {
        let found = self.0.get_many(keys);
        found
            .iter()
            .flatten()
            .map(|value| usize::from(value[0]))
            .sum()
    }

    #[inline]
    fn insert(&mut self, key: &[u8], value: &[u8]) {
        let answer = self.0.insert(key, value);
        assert!(answer.is_ok(), "an entry this small is never refused");
    }

    #[inline]
    fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }

    fn settled_len(&mut self) -> usize {
        while self.0.maintain(4096).more {}
        self.0.len()
    }
}
