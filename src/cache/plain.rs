//! The straight way of most inserts, and of what most loads bring, from key and value to the stripe's lock.
//!
//! # Idea         what a plain insert lacks (a scope, a weigher, who watches, options but a time to live) isn't asked for
//! # Costs        one hash, one allocation or none, one hold of the lock; of a load two holds, one before the loader and one after it
//! # Invariants   none of its own
//! # Not here     all other writes: `put`

use std::hint::cold_path;

use super::how::How;
use super::lead::{At, Lead};
use super::load::LoadAnswer;
use super::loading::{LoadOptions, Loaded};
use super::put::log_refusal;
use super::settle::run;
use super::view::{View, at};
use super::wrote::{Unstored, Wrote};
use crate::entry::{Draft, Entry, Left, Parts, Plan, Source, Value};
use crate::error::{InsertError, LoadError, Refusal};
use crate::key::{KeyRef, Shape};
use crate::store::Placed;
use crate::stripe::{Begun, ENTRY_SHARE, Plain, Stay, Task, Write};
use crate::sync::thread_id;
use crate::terms::WriteOptions;

impl<V: Value + ?Sized> View<'_, V> {
    /// An insert, without options if there are none. If they say at most how long the entry stays, that is `stay`.
    #[inline(always)]
    pub(super) fn insert_encoded<S>(
        self,
        key: KeyRef<'_>,
        value: S,
        options: Option<&WriteOptions>,
        stay: Option<Stay>,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        S: Source<V>,
    {
        match stay {
            Some(stay) if self.local().is_none() && self.inner.writes_plainly() => {
                self.insert_plain(key, value, stay)
            }
            _ => self.insert_on(key, value, options),
        }
    }

    /// The most frequent of them: into the cache itself, with a time to live at most, where no entry carries more than key and value. The
    /// whole way in one piece, for all types of keys.
    #[inline(never)]
    fn insert_plain<S>(
        self,
        key: KeyRef<'_>,
        value: S,
        stay: Stay,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        S: Source<V>,
    {
        let store = &self.inner.store;
        let probe = at(None, key);
        let hash = probe.hash(store.hasher());
        let Some(plan) = Plan::<V>::new(Parts::plain(probe), value.n_elements()) else {
            let refusal = store.too_large(u64::MAX);
            return Err(refused(refusal, value));
        };
        let cost = plan.charge_bytes() + ENTRY_SHARE;
        if !store.takes_small(cost) {
            return self.insert_how(key, value, &How::plain(stay.into()));
        }
        let mut reservation = store.reservation(hash);
        let husk = reservation.reserve_small();
        let (draft, kept) = Draft::new::<V, S>(plan, husk, value)
            .map_err(|value| refused(Refusal::OutOfMemory, value))?;
        let Err((put, slot)) = store.put_plain(hash, draft, cost, stay, &mut reservation) else {
            return Ok(None);
        };
        match store.place(hash, slot, &Write::plain(stay), put) {
            Placed::Done(replaced) => Ok(replaced.map(|block| self.last(block))),
            Placed::Refused { draft, refusal } => {
                let value = draft.undo::<V, S>(kept);
                Err(refused(refusal, value))
            }
            Placed::Unmet { .. } | Placed::Ended { .. } => {
                unreachable!("there is no condition, and no life to end")
            }
        }
    }
}

impl<'a, V: Value + ?Sized> View<'a, V> {
    /// How long an entry is to stay, if that is all there is to say of it.
    #[inline]
    pub(super) fn plain_stay(self, options: &WriteOptions) -> Option<Stay> {
        if self.local().is_some() || !self.inner.writes_plainly() {
            None
        } else if options.say_nothing() {
            Some(self.inner.plain)
        } else {
            options.span_alone().map(Stay::of)
        }
    }

    /// Loads what is absent. Most often nobody else is at it: then nothing but the loader stands between two holds of the lock.
    #[inline(always)]
    pub(super) fn load_plain<S, E>(
        self,
        key: KeyRef<'_>,
        stay: Stay,
        options: LoadOptions,
        task: Task,
        load: impl FnOnce() -> Result<Loaded<S>, E>,
    ) -> LoadAnswer<V, S, E>
    where
        S: Source<V>,
    {
        let at = self.at(None, key);
        let thread = Some(thread_id());
        let work = match self
            .inner
            .store
            .begin_work(at.hash, &at.probe, task, thread)
        {
            Begun::Leads(work) => work,
            begun => return self.load_at(key, options, task, Some((begun, at)), load),
        };
        let lead = Lead::new(self, at.hash, work, false);
        run(lead, load, |lead, loaded| match loaded {
            Loaded::Value(value) if !self.inner.watch.is_on() => {
                self.settle_plain(at, lead, stay, value)
            }
            loaded => self.settle(key, lead, How::plain(stay.into()), loaded),
        })
    }

    /// Stores what was loaded.
    #[inline(never)]
    fn settle_plain<S, E>(
        self,
        at: At<'_>,
        lead: Lead<'_, V>,
        stay: Stay,
        value: S,
    ) -> LoadAnswer<V, S, E>
    where
        S: Source<V>,
    {
        let (store, At { hash, probe }) = (&self.inner.store, at);
        let Some(plan) = Plan::<V>::new(Parts::plain(probe), value.n_elements()) else {
            let refusal = store.too_large(u64::MAX);
            return Err(LoadError::Refused(refused(refusal, value)));
        };
        let cost = plan.charge_bytes() + ENTRY_SHARE;
        if !store.takes_small(cost) {
            let key = KeyRef::from_stored(Shape::from_bits(probe.shape()), probe.key());
            return self.settle(key, lead, How::plain(stay.into()), Loaded::Value(value));
        }
        let mut reservation = store.reservation(hash);
        let husk = reservation.reserve_small();
        let (mut draft, kept) = match Draft::new::<V, S>(plan, husk, value) {
            Ok(drafted) => drafted,
            Err(value) => return Err(LoadError::Refused(refused(Refusal::OutOfMemory, value))),
        };
        let stored = self.entry(draft.share(), Left::NEVER);
        let load = Some(lead.work.id);
        let plain = Plain { stay, load };
        let put = store.put_loaded(hash, draft, cost, plain, &mut reservation);
        let Err((put, slot)) = put else {
            lead.land_written();
            return Ok(Some(match stay.ends() {
                false => stored,
                true => self.timed(stored),
            }));
        };
        cold_path();
        let wrote = match store.place(hash, slot, &Write::of(plain), put) {
            Placed::Done(replaced) => Ok(Wrote::Stored {
                replaced: replaced.map(|block| self.last(block)),
                stored: Some(self.timed(stored)),
            }),
            placed => {
                // A draft that comes back has one owner again.
                drop(stored);
                match placed {
                    Placed::Unmet { draft, present } => Ok(Wrote::Unmet {
                        unstored: Unstored { draft, kept },
                        present: present.map(|block| self.last(block)),
                    }),
                    Placed::Refused { draft, refusal } => {
                        Err(refused(refusal, draft.undo::<V, S>(kept)))
                    }
                    Placed::Ended { .. } | Placed::Done(_) => {
                        unreachable!("there is no life to end")
                    }
                }
            }
        };
        self.landed(lead, wrote)
    }
}

/// A refusal, which is told to the log.
#[cold]
fn refused<S>(refusal: Refusal, value: S) -> InsertError<S> {
    let error = InsertError { refusal, value };
    log_refusal(&error);
    error
}
