//! The one way by which an entry comes in: from a key and a value to a write of the store.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use super::view::{View, at};
use crate::charter::Charter;
use crate::entry::{Block, Draft, Entry, Parts, Plan, Source, Stored, Value};
use crate::error::{InsertError, Refusal, TtlError};
use crate::hash::KeyHash;
use crate::key::{Key, KeyRef, with_key};
use crate::lineage::PlaceWord;
use crate::store::Placed;
use crate::stripe::{Condition, Lifetime, Write};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::terms::{Span, Tag, Ttl, WriteOptions};

/// What a write is to do, but for key and value.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    pub(super) write: Write<'a>,
    pub(super) tag: Tag,
    /// Whether the caller wants a handle to what is stored.
    pub(super) wants: bool,
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
        let block = self.draft.into_block();
        let left = view.inner.store.last_left(block.as_ref());
        view.entry(block, left)
    }
}

impl<'a, V: Value + ?Sized> View<'a, V> {
    /// What a write with these options is to do, without a condition.
    pub(super) fn how(self, options: WriteOptions) -> Result<How<'a>, TtlError> {
        let write = Write {
            lifetime: self.lifetime(options.ttl)?,
            home: self.home(),
            condition: Condition::Always,
            is_alone: false,
        };
        Ok(How {
            write,
            tag: options.tag,
            wants: false,
        })
    }

    /// The spans of an entry, in the cache's own terms and those of who the scope belongs to.
    #[inline]
    pub(super) fn lifetime(self, ttl: Ttl) -> Result<Lifetime, TtlError> {
        let own = self.inner.store.lifetime();
        let charter = self.charter();
        match ttl.span {
            Span::Default if charter.is_none() && !ttl.is_refreshed() && ttl.jitter == 0.0 => {
                Ok(own)
            }
            _ => self.lifetime_of(ttl, own, charter),
        }
    }

    fn lifetime_of(
        self,
        ttl: Ttl,
        own: Lifetime,
        charter: Option<&Charter>,
    ) -> Result<Lifetime, TtlError> {
        let (asked, default) = match ttl.span {
            Span::After(Duration::ZERO) => return Err(TtlError::Zero),
            Span::After(ttl) => (Some(ttl), None),
            Span::Default | Span::Keep => {
                let default = charter.and_then(Charter::default_ttl);
                (None, default.or(own.ttl()))
            }
            Span::Never => (None, None),
        };
        // What has no end of its own is never stale either.
        let fresh = asked.or(default).map(|span| self.shorten(span, ttl.jitter));
        let wanted = fresh.map(|fresh| fresh.saturating_add(ttl.stale));
        let hard = match charter {
            None => wanted,
            Some(charter) => charter.bound_ttl(wanted, asked.is_some())?,
        };
        let mut lifetime = own.lasting(hard);
        if let Some(fresh) = fresh.filter(|_| ttl.is_refreshed()) {
            let stale = hard.map_or(fresh, |hard| hard.min(fresh));
            let due = share_of(stale, ttl.ahead);
            lifetime = lifetime.refreshed(due, stale);
        }
        Ok(match ttl.span {
            Span::Keep => lifetime.keeping(),
            _ => lifetime,
        })
    }

    /// A span that is shorter by up to a share of it, and longer than nothing.
    fn shorten(self, span: Duration, share: f64) -> Duration {
        if share <= 0.0 {
            return span;
        }
        let cut = self.inner.jitter.next() * share.min(1.0);
        share_of(span, 1.0 - cut).max(Duration::from_nanos(1))
    }

    /// The terms of the tenant or named cache that the scope belongs to.
    pub(super) fn charter(self) -> Option<&'a Charter> {
        Charter::of(self.local()?.owner()?)
    }

    /// Stores a value under a key. The key is encoded, and handed on once.
    #[inline]
    pub(super) fn write<K, S>(
        self,
        key: &K,
        value: S,
        how: &How<'_>,
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
        let mut reservation = match store.reserve(hash, &parts.probe, plan.charge_bytes()) {
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
        let stored = how.wants.then(|| draft.as_ref().acquire());
        let placed = store.insert(hash, draft, &how.write, reservation);
        let stored = match (&placed, stored) {
            (Placed::Done(_), Some(count)) => Some(self.last(count)),
            (_, Some(count)) => {
                // The draft is the only owner again.
                store.release(count);
                None
            }
            (_, None) => None,
        };
        match placed {
            Placed::Done(replaced) => Ok(Wrote::Stored {
                replaced: replaced.map(|block| self.last(block)),
                stored,
            }),
            Placed::Unmet { draft, present } => Ok(Wrote::Unmet {
                unstored: Unstored { draft, kept },
                present: present.map(|block| self.last(block)),
            }),
            Placed::Refused { draft, refusal } => {
                let value = draft.undo::<V, S>(kept);
                let refusal = self.or_closed(refusal);
                Err(InsertError { refusal, value })
            }
        }
    }

    /// Stores under a key that there is no value.
    pub(super) fn write_absent(self, key: KeyRef<'_>, how: &How<'_>) -> Result<(), Refusal> {
        let store = &self.inner.store;
        let Ready { parts, hash } = self.ready(key, 0, how)?;
        let too_large = store.too_large(u64::MAX);
        let plan = Plan::<V>::new(parts, 0).ok_or(too_large)?;
        let mut reservation = store.reserve(hash, &parts.probe, plan.charge_bytes())?;
        let husk = reservation.take_husk();
        let draft = Draft::absent::<V>(plan, husk).ok_or(Refusal::OutOfMemory)?;
        match store.insert(hash, draft, &how.write, reservation) {
            Placed::Done(replaced) => {
                // What was there is the caller's now, who doesn't ask for it.
                drop(replaced.map(|block| self.last(block)));
                Ok(())
            }
            Placed::Unmet { draft, present } => {
                draft.discard::<V>();
                drop(present.map(|block| self.last(block)));
                Ok(())
            }
            Placed::Refused { draft, refusal } => {
                draft.discard::<V>();
                Err(self.or_closed(refusal))
            }
        }
    }

    /// What every write asks before it builds its entry.
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
        store.prefetch_write(hash);
        let parts = Parts {
            probe,
            idle: self.inner.has_tti,
            refreshed: how.write.lifetime.is_refreshed(),
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
        let left = self.inner.store.last_left(block.as_ref());
        self.entry(block, left)
    }
}

/// A share of a span, of all of it at most; the longest spans are beyond what a product of floats can be turned back into.
fn share_of(span: Duration, share: f64) -> Duration {
    if share >= 1.0 {
        return span;
    }
    let secs = span.as_secs_f64() * share.max(0.0);
    Duration::try_from_secs_f64(secs).map_or(span, |part| part.min(span))
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
}

/// Where jitter comes from: numbers that look random, and need not be.
#[derive(Debug)]
pub(crate) struct Jitter(AtomicU64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// From 0 to 1.
    fn next(&self) -> f64 {
        // Splitmix64 (Steele, Lea, Flood, OOPSLA 2014); Relaxed: two threads may share a number.
        let mut word = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word >> 11) as f64 / (1_u64 << 53) as f64
    }
}
