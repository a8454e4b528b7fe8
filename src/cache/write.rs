//! Operations that change the cache.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use super::Cache;
use crate::clock::Nanos;
use crate::entry::{Block, Draft, Entry, Parts, Plan, Source, Value};
use crate::error::{InsertError, Refusal, TtlError};
use crate::key::{Key, KeyRef, with_key};
use crate::stats::RemovalCause;
use crate::store::FIRST_PLACE;
use crate::stripe::Lifetime;

/// How often a predicate is asked about one entry after the other of the same key.
const REMOVE_IF_TRIES: usize = 64;

impl<V: Value + ?Sized> Cache<V> {
    /// Stores a value under a key, with the cache's default time to live, and gives back what it replaced.
    ///
    /// The value is moved, or copied for `[u8]` and `str`, into the entry before any lock is taken. A newcomer is always
    /// taken in, and stays for a while: the next 1 % of the capacity in further inserts don't evict it.
    ///
    /// # Errors
    /// The value comes back in the error, and an older value of the key stays.
    /// See [`Refusal`] for the reasons: a key that is empty or too long, an entry that is too large for the cache, no
    /// memory, or no room because too much of what was evicted is still being read.
    ///
    /// # Panics
    /// With what a weigher panics with, or `as_ref` of the source; nothing is stored then.
    ///
    /// Cost: one allocation, and the lock of one stripe.
    pub fn insert<K, S>(&self, key: K, value: S) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        K: Key,
        S: Source<V>,
    {
        self.insert_for(&key, value, self.inner.store.lifetime())
    }

    /// As [`insert`](Self::insert), with a time to live of its own. From its end on the entry is absent for every
    /// operation; a time beyond 584 years is for ever.
    ///
    /// # Errors
    /// As `insert`, and [`Refusal::ZeroTtl`].
    pub fn insert_with_ttl<K, S>(
        &self,
        key: K,
        value: S,
        ttl: Duration,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        K: Key,
        S: Source<V>,
    {
        if ttl.is_zero() {
            return Err(InsertError {
                refusal: Refusal::ZeroTtl,
                value,
            });
        }
        let tti = self.inner.store.lifetime().tti;
        self.insert_for(
            &key,
            value,
            Lifetime {
                ttl: Some(ttl),
                tti,
            },
        )
    }

    /// Takes the entry of a key out, and gives it back if it was alive.
    pub fn remove<K: Key>(&self, key: K) -> Option<Entry<V>> {
        let store = &self.inner.store;
        let block = with_key(&key, |key| {
            store.remove(key.hash(store.hasher()), (key.shape().bits(), key.bytes()))
        });
        block.ok().flatten().map(|block| self.last(block))
    }

    /// Takes the entry of a key out if `predicate` says so, and gives it back. The predicate runs without a lock, on the
    /// very entry that is then removed. It is asked again if another one took its place meanwhile, up to 64 times; then,
    /// or if it replaces the entry itself each time, nothing is removed.
    pub fn remove_if<K: Key>(
        &self,
        key: K,
        mut predicate: impl FnMut(&Entry<V>) -> bool,
    ) -> Option<Entry<V>> {
        for _ in 0..REMOVE_IF_TRIES {
            let entry = self.handle(&key, false)?;
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

    /// Gives the entry of a key another time to live, from now on; `None`: it never expires. False if it is absent.
    ///
    /// # Errors
    /// [`TtlError::Zero`]: a time to live of zero; remove the entry instead.
    pub fn set_ttl<K: Key>(&self, key: K, ttl: Option<Duration>) -> Result<bool, TtlError> {
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(TtlError::Zero);
        }
        let store = &self.inner.store;
        let done = with_key(&key, |key| {
            store.set_ttl(
                key.hash(store.hasher()),
                (key.shape().bits(), key.bytes()),
                ttl,
            )
        });
        Ok(done.unwrap_or(false))
    }

    /// Keeps the entries that `predicate` wants, and takes the others out; how many those were. The predicate runs
    /// without a lock.
    ///
    /// Cost: visits every entry; the locks are held for a segment (at most 448 entries) at a time.
    pub fn retain(&self, mut predicate: impl FnMut(&Entry<V>) -> bool) -> usize {
        let mut n_removed = 0;
        for entry in self.iter() {
            let store = &self.inner.store;
            if !predicate(&entry) {
                let gone = store.remove_block(entry.block(), RemovalCause::Removed);
                n_removed += usize::from(gone);
            }
        }
        n_removed
    }

    /// Takes out everything that was there when the call began.
    ///
    /// Cost: visits every entry, as [`retain`](Self::retain).
    pub fn clear(&self) {
        let store = &self.inner.store;
        let mut place = Some(FIRST_PLACE);
        let mut blocks = Vec::new();
        while let Some(at) = place {
            place = store.collect(at, &mut blocks);
            let entries: Vec<_> = blocks
                .drain(..)
                .map(|block| self.entry(block, Nanos::MAX))
                .collect();
            for entry in entries {
                store.remove_block(entry.block(), RemovalCause::Invalidated);
            }
        }
    }

    /// A handle to an entry that has just left.
    fn last(&self, block: Block) -> Entry<V> {
        let left = self.inner.store.last_left(block.as_ref());
        self.entry(block, left)
    }

    #[inline]
    fn insert_for<K, S>(
        &self,
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
        &self,
        key: KeyRef<'_>,
        value: S,
        lifetime: Lifetime,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        S: Source<V>,
    {
        let store = &self.inner.store;
        let hash = key.hash(store.hasher());
        store.prefetch_write(hash);
        let parts = Parts {
            shape: key.shape().bits(),
            key: key.bytes(),
            idle: self.inner.has_tti,
        };
        let Some(plan) = Plan::<V>::new(parts, value.n_elements()) else {
            return Err(InsertError {
                refusal: store.too_large(u64::MAX),
                value,
            });
        };
        let mut reservation =
            match store.reserve(hash, (key.shape().bits(), key.bytes()), plan.charge_bytes()) {
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
        match store.insert(hash, draft, lifetime, reservation) {
            Ok(replaced) => Ok(replaced.map(|block| self.last(block))),
            Err((refusal, draft)) => Err(InsertError {
                refusal,
                value: draft.undo::<V, S>(kept),
            }),
        }
    }
}
