//! The one way by which an entry comes in: from a key and a value to a write of the store.

use std::hint::cold_path;

use super::how::{How, keyed};
use super::view::{View, at};
use super::wrote::{Unstored, Wrote};
use crate::charter::Charter;
use crate::entry::{Block, Draft, Entry, Left, Parts, Plan, Source, Stored, Value};
use crate::error::{InsertError, Refusal};
use crate::hash::KeyHash;
use crate::key::{Key, KeyRef};
use crate::lineage::PlaceWord;
use crate::store::Placed;
use crate::stripe::{Condition, ENTRY_SHARE, Put, cost, pool_of};
use crate::terms::WriteOptions;

/// Lives of a scope that a write follows while each ends before it lands.
const LIVES_MAX: usize = 8;

impl<'a, V: Value + ?Sized> View<'a, V> {
    /// The terms of the tenant or named cache that the scope belongs to.
    #[inline]
    pub(super) fn charter(self) -> Option<&'a Charter> {
        Charter::of(self.local()?.owner()?)
    }

    /// Stores a value under a key.
    #[inline]
    pub(super) fn write<K, S>(
        self,
        key: &K,
        value: S,
        how: &How<'a>,
    ) -> Result<Wrote<V, S>, InsertError<S>>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        keyed(key, value, |key, value| self.write_encoded(key, value, how))
    }

    /// An insert, without options if there are none.
    #[inline(never)]
    pub(super) fn insert_on<S>(
        self,
        key: KeyRef<'_>,
        value: S,
        options: Option<&WriteOptions>,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        S: Source<V>,
    {
        match self.how_if(options) {
            Ok(how) => self.insert_how(key, value, &how),
            Err(error) => {
                let refusal = error.into();
                Err(InsertError { refusal, value })
            }
        }
    }

    pub(super) fn insert_how<S>(
        self,
        key: KeyRef<'_>,
        value: S,
        how: &How<'a>,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        S: Source<V>,
    {
        let replaced = self.write_with(
            key,
            value,
            how,
            |replaced, _| replaced,
            |wrote| match self.follow(key, wrote, how)? {
                Wrote::Stored { replaced, .. } => Ok(replaced),
                Wrote::Unmet { .. } | Wrote::Ended { .. } => unreachable!("there is no condition"),
            },
        );
        replaced.inspect_err(log_refusal)
    }

    pub(super) fn write_encoded<S>(
        self,
        key: KeyRef<'_>,
        value: S,
        how: &How<'a>,
    ) -> Result<Wrote<V, S>, InsertError<S>>
    where
        S: Source<V>,
    {
        let wrote = self.write_once(key, value, how);
        let wrote = wrote.and_then(|wrote| self.follow(key, wrote, how));
        wrote.inspect_err(log_refusal)
    }

    /// Goes on to the next life of the scope, if there is no condition.
    #[inline]
    fn follow<S>(
        self,
        key: KeyRef<'_>,
        wrote: Wrote<V, S>,
        how: &How<'a>,
    ) -> Result<Wrote<V, S>, InsertError<S>>
    where
        S: Source<V>,
    {
        match wrote {
            Wrote::Ended { unstored } if how.write.condition == Condition::Always => {
                self.write_anew(key, unstored.undo(), *how)
            }
            wrote => Ok(wrote),
        }
    }

    /// A write without a condition, until it lands in a life of its scope; the last time in one that may have ended.
    #[cold]
    #[inline(never)]
    fn write_anew<S>(
        self,
        key: KeyRef<'_>,
        mut value: S,
        mut how: How<'a>,
    ) -> Result<Wrote<V, S>, InsertError<S>>
    where
        S: Source<V>,
    {
        for life in 1..=LIVES_MAX {
            how.write.home = self.home();
            how.write.is_last = life == LIVES_MAX;
            match self.write_once(key, value, &how)? {
                Wrote::Ended { unstored } => value = unstored.undo(),
                wrote => return Ok(wrote),
            }
        }
        unreachable!("the last one lands")
    }

    /// A write in the life that the scope had when it was planned.
    pub(super) fn write_once<S>(
        self,
        key: KeyRef<'_>,
        value: S,
        how: &How<'_>,
    ) -> Result<Wrote<V, S>, InsertError<S>>
    where
        S: Source<V>,
    {
        let done = |replaced, stored| Wrote::Stored { replaced, stored };
        self.write_with(key, value, how, done, Ok)
    }

    /// The same, with the answer that `done` makes of what was replaced and what is stored, or `undone` of the other outcomes. Each
    /// is called where it is known which it is, so that the most frequent one isn't looked for again.
    #[inline(always)]
    fn write_with<S, R>(
        self,
        key: KeyRef<'_>,
        value: S,
        how: &How<'_>,
        done: impl FnOnce(Option<Entry<V>>, Option<Entry<V>>) -> R,
        undone: impl FnOnce(Wrote<V, S>) -> Result<R, InsertError<S>>,
    ) -> Result<R, InsertError<S>>
    where
        S: Source<V>,
    {
        let store = &self.inner.store;
        let value_bytes = <V as Stored>::size_bytes(value.n_elements()).unwrap_or(usize::MAX);
        let Ready { parts, hash } = match self.ready(key, value_bytes, how) {
            Ok(ready) => ready,
            Err(refusal) => return Err(InsertError { refusal, value }),
        };
        let Some(plan) = Plan::<V>::new(parts, value.n_elements()) else {
            return Err(InsertError {
                refusal: store.too_large(u64::MAX),
                value,
            });
        };
        let mut reservation = store.reservation(hash);
        let needed = plan.charge_bytes() + ENTRY_SHARE;
        let husk = match reservation.reserve(hash, parts.probe, needed, &how.write) {
            Ok(husk) => husk,
            Err(refusal) => return Err(InsertError { refusal, value }),
        };
        let (mut draft, kept) =
            Draft::new::<V, S>(plan, husk, value).map_err(|value| InsertError {
                refusal: Refusal::OutOfMemory,
                value,
            })?;
        if let Some(weigher) = &self.inner.weigher {
            let weight = weigher(key.parts(), store.draft_value(&draft));
            if !draft.add_weight(weight) {
                let value = draft.undo::<V, S>(kept);
                return Err(InsertError {
                    refusal: store.too_large(u64::MAX),
                    value,
                });
            }
        }
        let (cost, pool) = (cost(draft.as_ref()), pool_of(draft.as_ref()));
        if let Some(refusal) = store.refuses(hash, cost, pool) {
            let value = draft.undo::<V, S>(kept);
            let refusal = self.or_closed(refusal);
            return Err(InsertError { refusal, value });
        }
        let stored = how.wants.then(|| self.untimed(draft.as_ref().acquire()));
        let charged = self.inner.watch.is_on().then_some(cost);
        let mut slot = Some(draft);
        let put = store.put(hash, &mut slot, &how.write, &mut reservation);
        let (replaced, stored) = match put {
            Put::Done(replaced) => (replaced, stored),
            put => {
                cold_path();
                match store.place(hash, slot, &how.write, put) {
                    Placed::Done(replaced) => (replaced, stored),
                    // A draft that comes back has one owner again.
                    Placed::Unmet { draft, present } => {
                        drop(stored);
                        return undone(Wrote::Unmet {
                            unstored: Unstored { draft, kept },
                            present: present.map(|block| self.last(block)),
                        });
                    }
                    Placed::Ended { draft } => {
                        drop(stored);
                        return undone(Wrote::Ended {
                            unstored: Unstored { draft, kept },
                        });
                    }
                    Placed::Refused { draft, refusal } => {
                        drop(stored);
                        let value = draft.undo::<V, S>(kept);
                        let refusal = self.or_closed(refusal);
                        return Err(InsertError { refusal, value });
                    }
                }
            }
        };
        let replaced = replaced.map(|block| self.untimed(block));
        if let Some(bytes) = charged {
            self.note_stored(hash, bytes, &how.write.lifetime);
        }
        Ok(done(
            replaced.map(|entry| self.timed(entry)),
            stored.map(|entry| self.timed(entry)),
        ))
    }

    /// Stores under a key that there is no value; false if the condition doesn't hold, or the life of the scope has ended.
    pub(super) fn write_absent(self, key: KeyRef<'_>, how: &How<'_>) -> Result<bool, Refusal> {
        let store = &self.inner.store;
        let Ready { parts, hash } = self.ready(key, 0, how)?;
        let too_large = store.too_large(u64::MAX);
        let plan = Plan::<V>::new(parts, 0).ok_or(too_large)?;
        let mut reservation = store.reservation(hash);
        let needed = plan.charge_bytes() + ENTRY_SHARE;
        let husk = reservation.reserve(hash, parts.probe, needed, &how.write)?;
        let draft = Draft::absent::<V>(plan, husk).ok_or(Refusal::OutOfMemory)?;
        let (cost, pool) = (cost(draft.as_ref()), pool_of(draft.as_ref()));
        if let Some(refusal) = store.refuses(hash, cost, pool) {
            return Err(self.or_closed(refusal));
        }
        let mut slot = Some(draft);
        let put = store.put(hash, &mut slot, &how.write, &mut reservation);
        match store.place(hash, slot, &how.write, put) {
            Placed::Done(replaced) => {
                // What was there is the caller's now, who doesn't ask for it.
                drop(replaced.map(|block| self.untimed(block)));
                Ok(true)
            }
            Placed::Unmet { present, .. } => {
                drop(present.map(|block| self.untimed(block)));
                Ok(false)
            }
            Placed::Ended { .. } => Ok(false),
            Placed::Refused { refusal, .. } => Err(self.or_closed(refusal)),
        }
    }

    /// What every write asks before it builds its entry.
    #[inline(always)]
    fn ready<'k>(
        self,
        key: KeyRef<'k>,
        value_bytes: usize,
        how: &How<'_>,
    ) -> Result<Ready<'k>, Refusal> {
        let store = &self.inner.store;
        let place = how.write.home.map(|home| home.word);
        if place == Some(PlaceWord::NOWHERE) {
            return Err(Refusal::Closed);
        }
        if let Some(charter) = self.charter() {
            let key_bytes = key.bytes().len() as u64;
            charter.check_sizes(key_bytes, key_bytes.saturating_add(value_bytes as u64))?;
        }
        let probe = at(place, key);
        let hash = probe.hash(store.hasher());
        let lifetime = &how.write.lifetime;
        let parts = Parts {
            probe,
            idle: self.inner.has_tti,
            refreshed: lifetime.has_times()
                && (lifetime.is_refreshed() || lifetime.keeps() && !how.replaces_plain),
            tag: how.tag,
            is_copy: how.is_copy,
        };
        Ok(Ready { parts, hash })
    }

    /// Who is deleted meanwhile has no room.
    fn or_closed(self, refusal: Refusal) -> Refusal {
        if self.place() == Some(PlaceWord::NOWHERE) {
            Refusal::Closed
        } else {
            refusal
        }
    }

    /// A handle to an entry that has just left, or has just come.
    pub(super) fn last(self, block: Block) -> Entry<V> {
        self.timed(self.untimed(block))
    }

    /// The same without its time to live: reading that may be a panic of the user's clock, which leaves no count behind.
    pub(super) fn untimed(self, block: Block) -> Entry<V> {
        self.entry(block, Left::NEVER)
    }

    pub(super) fn timed(self, entry: Entry<V>) -> Entry<V> {
        let left = self.inner.store.last_left(entry.block());
        entry.with_left(left)
    }
}

#[cfg_attr(not(feature = "tracing"), expect(unused_variables))]
#[inline(always)]
pub(super) fn log_refusal<S>(error: &InsertError<S>) {
    #[cfg(feature = "tracing")]
    tracing::debug!(refusal = %error.refusal, "a write was refused");
}

struct Ready<'k> {
    parts: Parts<'k>,
    hash: KeyHash,
}
