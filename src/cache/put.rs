//! The one way by which an entry comes in: from a key and a value to a write of the store.

use super::view::{View, at};
use crate::charter::Charter;
use crate::entry::{Block, Draft, Entry, Left, Parts, Plan, Source, Stored, Value};
use crate::error::{InsertError, Refusal, TtlError};
use crate::hash::KeyHash;
use crate::key::{Key, KeyRef, with_key};
use crate::lineage::PlaceWord;
use crate::store::Placed;
use crate::stripe::{Condition, Write, cost};
use crate::terms::{Tag, WriteOptions};

/// Lives of a scope that a write follows while each ends before it lands.
const LIVES_MAX: usize = 8;

/// What a write is to do, but for key and value.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    pub(super) write: Write<'a>,
    pub(super) tag: Tag,
    /// Whether the caller wants a handle to what is stored.
    pub(super) wants: bool,
    /// Whether what it replaces, if anything, is known never to be loaded anew. If not, who keeps its times has room for these.
    pub(super) replaces_plain: bool,
}

/// What came of it.
pub(super) enum Wrote<V: Value + ?Sized, S: Source<V>> {
    /// It is stored.
    Stored {
        replaced: Option<Entry<V>>,
        stored: Option<Entry<V>>,
    },
    /// The condition doesn't hold.
    Unmet {
        unstored: Unstored<V, S>,
        present: Option<Entry<V>>,
    },
    /// The life of the scope that it was for has ended since the call began. Of a write without a condition this is never the answer: it
    /// goes to the next life.
    Ended { unstored: Unstored<V, S> },
}

/// A value in a block that was not linked.
pub(super) struct Unstored<V: Value + ?Sized, S: Source<V>> {
    draft: Draft,
    kept: S::Kept,
}

impl<V: Value + ?Sized, S: Source<V>> Unstored<V, S> {
    /// The value as it was given.
    pub(super) fn undo(self) -> S {
        self.draft.undo::<V, S>(self.kept)
    }

    /// A handle to it, which is the only one.
    pub(super) fn into_entry(self, view: View<'_, V>) -> Entry<V> {
        view.last(self.draft.into_block())
    }
}

impl<'a, V: Value + ?Sized> View<'a, V> {
    /// What a write with these options is to do, without a condition.
    #[inline]
    pub(super) fn how(self, options: WriteOptions) -> Result<How<'a>, TtlError> {
        let write = Write {
            lifetime: self.lifetime(options.ttl)?,
            home: self.home(),
            condition: Condition::Always,
            is_alone: false,
            is_last: false,
            past: None,
        };
        Ok(How {
            write,
            tag: options.tag,
            wants: false,
            replaces_plain: false,
        })
    }

    /// The terms of the tenant or named cache that the scope belongs to.
    #[inline]
    pub(super) fn charter(self) -> Option<&'a Charter> {
        Charter::of(self.local()?.owner()?)
    }

    /// Stores a value under a key. The key is encoded, and handed on once.
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
        let mut value = Some(value);
        let answer = with_key(key, |key| {
            let value = value.take().expect("a key is handed over once");
            self.write_encoded(key, value, how)
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
        #[cfg(feature = "tracing")]
        if let Err(InsertError { refusal, .. }) = &wrote {
            tracing::debug!(%refusal, "a write was refused");
        }
        match wrote? {
            Wrote::Ended { unstored } if how.write.condition == Condition::Always => {
                self.write_anew(key, unstored.undo(), *how)
            }
            wrote => Ok(wrote),
        }
    }

    /// A write without a condition, until it lands in a life of its scope; the last time in one that may have ended.
    #[cold]
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
    #[inline(always)]
    pub(super) fn write_once<S>(
        self,
        key: KeyRef<'_>,
        value: S,
        how: &How<'_>,
    ) -> Result<Wrote<V, S>, InsertError<S>>
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
        let mut reservation = match store.reserve(
            hash,
            &parts.probe,
            plan.charge_bytes(),
            how.write.may_yield(),
        ) {
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
            let weight = weigher(key.parts(), store.draft_value(&draft));
            if !draft.add_weight(weight) {
                let value = draft.undo::<V, S>(kept);
                return Err(InsertError {
                    refusal: store.too_large(u64::MAX),
                    value,
                });
            }
        }
        let stored = how.wants.then(|| self.untimed(draft.as_ref().acquire()));
        let charged = self.inner.watch.is_on().then(|| cost(draft.as_ref()));
        let placed = store.insert(hash, draft, &how.write, &mut reservation);
        // A draft that comes back has one owner again.
        let stored = stored.filter(|_| matches!(placed, Placed::Done(_)));
        match placed {
            Placed::Done(replaced) => {
                let replaced = replaced.map(|block| self.untimed(block));
                if let Some(bytes) = charged {
                    self.note_stored(hash, bytes, &how.write.lifetime);
                }
                Ok(Wrote::Stored {
                    replaced: replaced.map(|entry| self.timed(entry)),
                    stored: stored.map(|entry| self.timed(entry)),
                })
            }
            Placed::Unmet { draft, present } => Ok(Wrote::Unmet {
                unstored: Unstored { draft, kept },
                present: present.map(|block| self.last(block)),
            }),
            Placed::Ended { draft } => Ok(Wrote::Ended {
                unstored: Unstored { draft, kept },
            }),
            Placed::Refused { draft, refusal } => {
                let value = draft.undo::<V, S>(kept);
                let refusal = self.or_closed(refusal);
                Err(InsertError { refusal, value })
            }
        }
    }

    /// Stores under a key that there is no value; false if the condition doesn't hold, or the life of the scope has ended.
    pub(super) fn write_absent(self, key: KeyRef<'_>, how: &How<'_>) -> Result<bool, Refusal> {
        let store = &self.inner.store;
        let Ready { parts, hash } = self.ready(key, 0, how)?;
        let too_large = store.too_large(u64::MAX);
        let plan = Plan::<V>::new(parts, 0).ok_or(too_large)?;
        let mut reservation = store.reserve(
            hash,
            &parts.probe,
            plan.charge_bytes(),
            how.write.may_yield(),
        )?;
        let husk = reservation.take_husk();
        let draft = Draft::absent::<V>(plan, husk).ok_or(Refusal::OutOfMemory)?;
        match store.insert(hash, draft, &how.write, &mut reservation) {
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
    #[inline]
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
        store.prefetch_bucket(hash);
        let lifetime = &how.write.lifetime;
        let parts = Parts {
            probe,
            idle: self.inner.has_tti,
            refreshed: lifetime.is_refreshed() || lifetime.keeps() && !how.replaces_plain,
            tag: how.tag,
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
    fn untimed(self, block: Block) -> Entry<V> {
        self.entry(block, Left::NEVER)
    }

    fn timed(self, entry: Entry<V>) -> Entry<V> {
        let left = self.inner.store.last_left(entry.block());
        entry.with_left(left)
    }
}

struct Ready<'k> {
    parts: Parts<'k>,
    hash: KeyHash,
}

impl How<'_> {
    pub(super) fn only(mut self, condition: Condition) -> Self {
        self.write.condition = condition;
        self
    }

    /// The same, on condition that this very entry is there, or none.
    pub(super) fn only_over<V: Value + ?Sized>(self, seen: Option<&Entry<V>>) -> Self {
        let condition = seen.map_or(Condition::Absent, |entry| {
            Condition::Version(entry.version())
        });
        Self {
            replaces_plain: seen.is_none_or(|entry| entry.block().refresh().is_none()),
            ..self.only(condition)
        }
    }
}
