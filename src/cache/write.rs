//! Operations that change the cache.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, SystemTime};

use super::iter::Iter;
use super::view::{View, at};
use crate::charter::Charter;
use crate::entry::{Block, Draft, Entry, Parts, Plan, Source, Stored, Value};
use crate::error::{InsertError, Refusal, TtlError};
use crate::key::{Key, KeyRef, with_key};
use crate::lineage::PlaceWord;
use crate::stats::RemovalCause;
use crate::stripe::Lifetime;
use crate::sync::time::wall;

/// How often a predicate is asked about one entry after the other of the same key.
const REMOVE_IF_TRIES: usize = 64;

impl<'a, V: Value + ?Sized> View<'a, V> {
    /// With the default time to live where none is given.
    pub(crate) fn insert<K, S>(
        self,
        key: &K,
        value: S,
        ttl: Option<Duration>,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(InsertError {
                refusal: Refusal::ZeroTtl,
                value,
            });
        }
        let mut lifetime = self.inner.store.lifetime();
        match self.time_to_live(ttl, lifetime.ttl) {
            Ok(ttl) => lifetime.ttl = ttl,
            Err(error) => {
                let refusal = error.into();
                return Err(InsertError { refusal, value });
            }
        }
        self.insert_for(key, value, lifetime)
    }

    pub(crate) fn insert_until<K, S>(
        self,
        key: &K,
        value: S,
        deadline: SystemTime,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        match deadline.duration_since(wall()) {
            Ok(ttl) if !ttl.is_zero() => self.insert(key, value, Some(ttl)),
            _ => Ok(self.remove(key)),
        }
    }

    pub(crate) fn remove<K: Key + ?Sized>(self, key: &K) -> Option<Entry<V>> {
        let store = &self.inner.store;
        let place = self.place();
        let block = with_key(key, |key| {
            let probe = at(place, key);
            store.remove(probe.hash(store.hasher()), &probe)
        });
        block.ok().flatten().map(|block| self.last(block))
    }

    pub(crate) fn remove_if<K: Key + ?Sized>(
        self,
        key: &K,
        mut predicate: impl FnMut(&Entry<V>) -> bool,
    ) -> Option<Entry<V>> {
        for _ in 0..REMOVE_IF_TRIES {
            let entry = self.get(key, false)?;
            if !predicate(&entry) {
                return None;
            }
            if self
                .inner
                .store
                .remove_block(entry.block(), RemovalCause::Removed)
            {
                return Some(entry);
            }
        }
        None
    }

    pub(crate) fn set_ttl<K: Key + ?Sized>(
        self,
        key: &K,
        ttl: Option<Duration>,
    ) -> Result<bool, TtlError> {
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(TtlError::Zero);
        }
        let ttl = match self.charter() {
            None => ttl,
            Some(charter) => charter.bound_ttl(ttl, ttl.is_some())?,
        };
        let store = &self.inner.store;
        let place = self.place();
        let done = with_key(key, |key| {
            let probe = at(place, key);
            store.set_ttl(probe.hash(store.hasher()), &probe, ttl)
        });
        Ok(done.unwrap_or(false))
    }

    pub(crate) fn retain(
        self,
        entries: Iter<V>,
        mut predicate: impl FnMut(&Entry<V>) -> bool,
    ) -> usize {
        let store = &self.inner.store;
        let mut n_removed = 0;
        for entry in entries {
            if !predicate(&entry) {
                let gone = store.remove_block(entry.block(), RemovalCause::Removed);
                n_removed += usize::from(gone);
            }
        }
        n_removed
    }

    pub(crate) fn clear(self) {
        let mut walk = self.walk();
        while let Some(entries) = walk.next_entries(self) {
            for entry in entries {
                self.inner
                    .store
                    .remove_block(entry.block(), RemovalCause::Invalidated);
            }
        }
    }

    /// The time to live of an entry that asks for `ttl`, in the cache's own terms and those of who the scope belongs to.
    fn time_to_live(
        self,
        ttl: Option<Duration>,
        default: Option<Duration>,
    ) -> Result<Option<Duration>, TtlError> {
        match self.charter() {
            None => Ok(ttl.or(default)),
            Some(charter) => {
                let wanted = ttl.or_else(|| charter.default_ttl()).or(default);
                charter.bound_ttl(wanted, ttl.is_some())
            }
        }
    }

    /// The terms of the tenant or named cache that the scope belongs to.
    fn charter(self) -> Option<&'a Charter> {
        Charter::of(self.local()?.owner()?)
    }

    /// A handle to an entry that has just left.
    fn last(self, block: Block) -> Entry<V> {
        let left = self.inner.store.last_left(block.as_ref());
        self.entry(block, left)
    }

    #[inline]
    fn insert_for<K, S>(
        self,
        key: &K,
        value: S,
        lifetime: Lifetime,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        let mut value = Some(value);
        let answer = with_key(key, |key| {
            let value = value.take().expect("a key is handed over once");
            self.insert_encoded(key, value, lifetime)
        });
        answer.unwrap_or_else(|error| {
            let value = value
                .take()
                .expect("a key that is refused is not handed over");
            Err(InsertError {
                refusal: Refusal::Key(error),
                value,
            })
        })
    }

    fn insert_encoded<S>(
        self,
        key: KeyRef<'_>,
        value: S,
        lifetime: Lifetime,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        S: Source<V>,
    {
        let store = &self.inner.store;
        let home = self.home();
        let place = home.map(|home| home.word);
        if place == Some(PlaceWord::NOWHERE) {
            let refusal = Refusal::Closed;
            return Err(InsertError { refusal, value });
        }
        if let Some(charter) = self.charter() {
            let key_bytes = key.bytes().len() as u64;
            let value_bytes = <V as Stored>::size_bytes(value.n_elements()).unwrap_or(usize::MAX);
            let item_bytes = key_bytes.saturating_add(value_bytes as u64);
            if let Err(refusal) = charter.check_sizes(key_bytes, item_bytes) {
                return Err(InsertError { refusal, value });
            }
        }
        let probe = at(place, key);
        let hash = probe.hash(store.hasher());
        store.prefetch_write(hash);
        let parts = Parts {
            probe,
            idle: self.inner.has_tti,
        };
        let Some(plan) = Plan::<V>::new(parts, value.n_elements()) else {
            return Err(InsertError {
                refusal: store.too_large(u64::MAX),
                value,
            });
        };
        let mut reservation = match store.reserve(hash, &probe, plan.charge_bytes()) {
            Ok(reservation) => reservation,
            Err(refusal) => return Err(InsertError { refusal, value }),
        };
        let husk = reservation.take_husk();
        let (mut draft, kept) =
            Draft::new::<V, S>(plan, husk, value).map_err(|value| InsertError {
                refusal: Refusal::OutOfMemory,
                value,
            })?;
        if let Some(weigher) = &self.inner.weigher {
            let weight = catch_unwind(AssertUnwindSafe(|| {
                weigher(key.parts(), store.draft_value(&draft))
            }));
            match weight {
                Ok(weight) if draft.add_weight(weight) => {}
                Ok(_) => {
                    let value = draft.undo::<V, S>(kept);
                    return Err(InsertError {
                        refusal: store.too_large(u64::MAX),
                        value,
                    });
                }
                Err(panic) => {
                    drop(draft.undo::<V, S>(kept));
                    resume_unwind(panic);
                }
            }
        }
        match store.insert(hash, draft, lifetime, home, reservation) {
            Ok(replaced) => Ok(replaced.map(|block| self.last(block))),
            Err((refusal, draft)) => {
                // Who is deleted meanwhile has no room.
                let is_closed = self.place() == Some(PlaceWord::NOWHERE);
                let refusal = if is_closed { Refusal::Closed } else { refusal };
                let value = draft.undo::<V, S>(kept);
                Err(InsertError { refusal, value })
            }
        }
    }
}
