//! What a further level asks of the engine: the terms of a write before it is made, and entries that no cache holds.
//!
//! # Idea         a value goes to the slower place first; so the write here is planned before that, in the life that the scope has then, and
//!   made afterwards. If the scope has ended meanwhile, so has the write
//! # Costs        as a write's; an entry apart is one allocation, which nobody is charged for
//! # Not here     the level (module `level`)

use std::time::Duration;

use super::how::How;
use super::view::{View, at};
use super::wrote::Wrote;
use crate::clock::Nanos;
use crate::entry::{Draft, Entry, Left, Parts, Plan, RefreshAt, Source, Times, Value};
use crate::error::{InsertError, Refusal};
use crate::key::KeyRef;
use crate::lineage::{Generation, PlaceWord};
use crate::sync::Arc;
use crate::terms::{Tag, WriteOptions};

/// A write that is allowed, and not yet made.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    how: How<'a>,
    /// When they were made: from then on its times run.
    begun: Nanos,
}

impl Terms<'_> {
    /// When its times began to run.
    pub(crate) fn begun(&self) -> Nanos {
        self.begun
    }

    /// How long the entry is to live; `None`: for ever.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        self.how.write.lifetime.ttl()
    }

    /// How long of that it is fresh; `None`: all of it.
    pub(crate) fn fresh(&self) -> Option<Duration> {
        self.how.write.lifetime.stale()
    }

    pub(crate) fn tag(&self) -> Tag {
        self.how.tag
    }
}

impl<'a, V: Value + ?Sized> View<'a, V> {
    pub(crate) fn now(self) -> Nanos {
        self.inner.store.time().now()
    }

    /// A life of the scope, which may have ended: its path is that of all lives. The whole cache has none.
    pub(crate) fn last_life(self) -> Option<Arc<Generation>> {
        self.local().map(|local| local.last_life())
    }

    /// Whether its tenant or named cache was deleted.
    pub(crate) fn is_closed(self) -> bool {
        self.place() == Some(PlaceWord::NOWHERE)
    }

    /// The terms of a write that would come now, or why it would be refused.
    pub(crate) fn terms<S: Source<V>>(
        self,
        key: KeyRef<'_>,
        value: &S,
        options: WriteOptions,
    ) -> Result<Terms<'a>, Refusal> {
        let value_bytes = V::size_bytes(value.n_elements()).unwrap_or(usize::MAX);
        let how = self.how(options)?;
        if how.write.home.map(|home| home.word) == Some(PlaceWord::NOWHERE) {
            return Err(Refusal::Closed);
        }
        if let Some(charter) = self.charter() {
            let key_bytes = key.bytes().len() as u64;
            charter.check_sizes(key_bytes, key_bytes.saturating_add(value_bytes as u64))?;
        }
        Ok(Terms {
            how,
            begun: self.now(),
        })
    }

    /// Makes the write, of a copy, with what is left of its time to live, and `ttl_max` at most; false if nothing is left, or the life of the
    /// scope that it was planned in has ended.
    pub(crate) fn write_on_terms<S: Source<V>>(
        self,
        key: KeyRef<'_>,
        value: S,
        terms: Terms<'_>,
        ttl_max: Option<Duration>,
    ) -> Result<bool, InsertError<S>> {
        let mut how = terms.how;
        how.is_copy = true;
        let Some(lifetime) = how.write.lifetime.since(self.now(), terms.begun) else {
            return Ok(false);
        };
        let ttl = lifetime.ttl().into_iter().chain(ttl_max).min();
        how.write.lifetime = lifetime.lasting(ttl);
        match self.write_once(key, value, &how)? {
            Wrote::Stored { .. } => Ok(true),
            Wrote::Unmet { unstored, .. } | Wrote::Ended { unstored } => {
                drop(unstored.undo());
                Ok(false)
            }
        }
    }

    /// A handle that says that its value is stale, if it was stale when it was stored.
    pub(crate) fn stale_from_birth(self, entry: Entry<V>) -> Entry<V> {
        let block = entry.block();
        // No span of being fresh is shorter than a nanosecond.
        let soon = self.now().saturating_add(Duration::from_nanos(1));
        match block.refresh() {
            Some(refresh) if refresh.stale_from() <= soon => {
                let left = self.inner.store.last_left(block).stale();
                self.entry(block.acquire(), left)
            }
            _ => entry,
        }
    }

    /// An entry that no cache holds, for a value that is to be handed out and not kept.
    pub(crate) fn entry_apart<S: Source<V>>(
        self,
        key: KeyRef<'_>,
        value: S,
        tag: Tag,
        ttl: Option<Duration>,
        is_stale: bool,
    ) -> Result<Entry<V>, InsertError<S>> {
        let parts = Parts {
            probe: at(None, key),
            idle: false,
            refreshed: false,
            tag,
            is_copy: false,
        };
        let Some(plan) = Plan::<V>::new(parts, value.n_elements()) else {
            let refusal = self.inner.store.too_large(u64::MAX);
            return Err(InsertError { refusal, value });
        };
        let (mut draft, _kept) =
            Draft::new::<V, S>(plan, None, value).map_err(|value| InsertError {
                refusal: Refusal::OutOfMemory,
                value,
            })?;
        let now = self.now();
        let hard = ttl.map_or(Nanos::MAX, |ttl| now.saturating_add(ttl));
        let times = Times {
            hard,
            idle: Nanos::MAX,
            refresh: RefreshAt::NEVER,
        };
        draft.seal(parts.probe.hash(self.inner.store.hasher()), 0, 0);
        draft.set_times(times);
        let left = Left::until(hard, now);
        let left = if is_stale { left.stale() } else { left };
        Ok(self.entry(draft.into_block(), left))
    }
}
