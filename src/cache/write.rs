//! Operations that change the cache.

use std::time::{Duration, SystemTime};

use super::how::keyed;
use super::iter::Iter;
use super::view::{View, at};
use crate::entry::{Block, Entry, Source, Value};
use crate::error::{InsertError, Refusal, TtlError};
use crate::key::{Key, KeyRef, with_key};
use crate::lineage::PlaceWord;
use crate::stats::RemovalCause;
use crate::stripe::{NewTtl, Stay, TtlChange};
use crate::sync::time::wall;
use crate::terms::WriteOptions;

/// How often a predicate is asked about one entry after the other of the same key.
const REMOVE_IF_TRIES: usize = 64;

impl<V: Value + ?Sized> View<'_, V> {
    #[inline(always)]
    pub(crate) fn insert<K, S>(
        self,
        key: &K,
        value: S,
        options: Option<&WriteOptions>,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        let stay = match options {
            None => Some(self.inner.plain),
            Some(options) => options.span_alone().map(Stay::of),
        };
        keyed(key, value, |key, value| {
            self.insert_encoded(key, value, options, stay)
        })
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
            Ok(ttl) if !ttl.is_zero() => self.insert(key, value, Some(&ttl.into())),
            _ => match self.refusal_of(key) {
                Some(refusal) => Err(InsertError { refusal, value }),
                None => Ok(self.remove(key)),
            },
        }
    }

    /// Why nothing could be stored under a key, whatever the value.
    fn refusal_of<K: Key + ?Sized>(self, key: &K) -> Option<Refusal> {
        match with_key(key, |_| ()) {
            Err(error) => Some(Refusal::Key(error)),
            Ok(()) => self.is_closed().then_some(Refusal::Closed),
        }
    }

    pub(crate) fn remove<K: Key + ?Sized>(self, key: &K) -> Option<Entry<V>> {
        with_key(key, |key| self.remove_encoded(key)).ok().flatten()
    }

    /// The same for a key as it is stored. Bytes that are no key's are found nowhere.
    pub(crate) fn remove_encoded(self, key: KeyRef<'_>) -> Option<Entry<V>> {
        let store = &self.inner.store;
        let probe = at(self.place(), key);
        let hash = probe.hash(store.hasher());
        self.note_gone(hash);
        let (block, now) = store.remove(hash, &probe)?;
        let entry = self.untimed(block);
        let left = store.left_at(entry.block(), || now);
        Some(entry.with_left(left))
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
                self.note_block_gone(entry.block());
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
        let ttl = self.checked_ttl(ttl)?;
        Ok(self.change_ttl(key, NewTtl::To(ttl)) == TtlChange::Set)
    }

    pub(crate) fn increase_ttl<K: Key + ?Sized>(
        self,
        key: &K,
        ttl: Duration,
    ) -> Result<TtlChange, TtlError> {
        let ttl = self.checked_ttl(Some(ttl))?.unwrap_or(Duration::MAX);
        Ok(self.change_ttl(key, NewTtl::Longer(ttl)))
    }

    pub(crate) fn decrease_ttl<K: Key + ?Sized>(
        self,
        key: &K,
        ttl: Duration,
    ) -> Result<TtlChange, TtlError> {
        let ttl = self.checked_ttl(Some(ttl))?.unwrap_or(Duration::MAX);
        Ok(self.change_ttl(key, NewTtl::Shorter(ttl)))
    }

    /// What a call asks for, in the terms of who the scope belongs to.
    fn checked_ttl(self, ttl: Option<Duration>) -> Result<Option<Duration>, TtlError> {
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(TtlError::Zero);
        }
        match self.charter() {
            None => Ok(ttl),
            Some(charter) => charter.bound_ttl(ttl, ttl.is_some()),
        }
    }

    fn change_ttl<K: Key + ?Sized>(self, key: &K, ttl: NewTtl) -> TtlChange {
        let store = &self.inner.store;
        let place = self.place();
        let done = with_key(key, |key| {
            let probe = at(place, key);
            store.set_ttl(probe.hash(store.hasher()), &probe, ttl)
        });
        done.unwrap_or(TtlChange::Absent)
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
                self.note_block_gone(entry.block());
                n_removed += usize::from(gone);
            }
        }
        n_removed
    }

    pub(crate) fn clear(self) {
        let store = &self.inner.store;
        store.note_clear(self.place().map(PlaceWord::bits));
        let mut walk = self.walk();
        while let Some(blocks) = walk.next_blocks(self) {
            let mut counted = Counted { view: self, blocks };
            while let Some(block) = counted.blocks.last() {
                store.remove_block(block.as_ref(), RemovalCause::Invalidated);
                self.note_block_gone(block.as_ref());
                counted.end_last();
            }
        }
    }
}

/// Counts that a walk took. They end with this at the latest: when the clock panics, too.
struct Counted<'a, V: Value + ?Sized> {
    view: View<'a, V>,
    blocks: Vec<Block>,
}

impl<V: Value + ?Sized> Counted<'_, V> {
    fn end_last(&mut self) {
        if let Some(block) = self.blocks.pop() {
            drop(self.view.inner.store.release_quietly(block));
        }
    }
}

impl<V: Value + ?Sized> Drop for Counted<'_, V> {
    fn drop(&mut self) {
        while !self.blocks.is_empty() {
            self.end_last();
        }
    }
}
