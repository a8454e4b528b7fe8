//! One load among all processes: who misses in the level takes a lease of the key before loading.
//!
//! # Idea         the lease is the level's; who gets it looks again, since another process may have loaded between the look that missed and
//!   that moment. A process that ends with a lease blocks others for its span at most, and a level that fails blocks nobody
//! # Costs        three calls of the level beside each load, none beside a hit
//! # Not here     loads within a process, of which the engine's flights let one go at a time

use std::time::Duration;

use super::key::LevelKey;
use super::view::LevelView;
use crate::codec::Codec;
use crate::key::{Key, with_key};

/// A lease that was granted by [`Level::lease`](super::Level::lease).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LevelLease {
    /// Tells it from others' leases of the same key.
    pub token: u64,
}

/// A lease, given back when it is dropped.
pub(super) struct Leased<'a, V: Codec + ?Sized> {
    view: &'a LevelView<'a, V>,
    key: &'a LevelKey<'a>,
    lease: LevelLease,
}

impl<V: Codec + ?Sized> LevelView<'_, V> {
    /// Takes the lease of a key, for who loads by other means than [`get_or_load`](Self::get_or_load): between a look-up that misses and
    /// the load, with another look-up once it is granted, since somebody else may have loaded meanwhile. Waits for that one as long as a
    /// lease lasts. `None`: without [`LevelOptions::lease`](super::LevelOptions::lease), or if it isn't granted; who asked loads nevertheless.
    ///
    /// Cost: a call of the level, and those of waiting.
    pub fn lease<K: Key>(&self, key: K) -> Option<LevelLease> {
        self.options.lease?;
        let path = self.path();
        with_key(&key, |key| self.take_lease(&path.key(key))).ok()?
    }

    /// Gives a lease back, when what was loaded is stored.
    ///
    /// Cost: two calls of the level, in 100 ms at most.
    pub fn release<K: Key>(&self, key: K, lease: LevelLease) {
        let path = self.path();
        // What can't be a key has no lease.
        let _ = with_key(&key, |key| self.give_lease_back(&path.key(key), lease));
    }

    /// Takes the lease of a key, if that is asked for and granted.
    pub(super) fn leased<'a>(&'a self, key: &'a LevelKey<'a>) -> Option<Leased<'a, V>> {
        let lease = self.take_lease(key)?;
        Some(Leased {
            view: self,
            key,
            lease,
        })
    }

    fn take_lease(&self, key: &LevelKey<'_>) -> Option<LevelLease> {
        let span = self.options.lease?;
        let within = span.saturating_add(self.options.timeout);
        let until = self.until(within);
        let lease = self.call(until, |level, within| level.lease(key, span, within));
        lease.ok()
    }

    fn give_lease_back(&self, key: &LevelKey<'_>, lease: LevelLease) {
        let until = self.until(self.options.timeout.min(RELEASE_MAX));
        // Its span ends it, if this doesn't.
        let _ = self.call(until, |level, within| {
            level.release(key, lease, within);
            Ok(())
        });
    }
}

impl<V: Codec + ?Sized> Drop for Leased<'_, V> {
    fn drop(&mut self) {
        self.view.give_lease_back(self.key, self.lease);
    }
}

/// Nobody waits longer for a lease to be given back.
const RELEASE_MAX: Duration = Duration::from_millis(100);
