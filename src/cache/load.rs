//! Loading what is missing: one caller loads, the others wait, or get what is stale.
//!
//! # Idea         a hit is a look-up. Who misses locks the stripe, where a load of the key begins or is waited for; the loader runs
//!   without a lock, and its value is stored unless the key was written meanwhile. Who has waited looks the key up again, so that
//!   nobody is given what a look-up doesn't find
//! # Costs        a hit: that of `get`, and a branch; a load: two holds of the stripe's lock, three of one that finds nothing
//! # Invariants   Z1 a load that began is ended or passed on, whatever its loader does
//! # Not here     who waits for whom (module `flight`), which writes overtake a load (`stripe::works`), how it ends (`settle`)

use std::time::Duration;

use super::how::How;
use super::lead::{At, Lead, Turn};
use super::loading::{LoadOptions, Loaded};
use super::settle::run;
use super::view::{View, at};
use crate::clock::Nanos;
use crate::entry::{Entry, Source, Value};
use crate::error::{LoadError, Refusal};
use crate::flight::{Ticket, Waited};
use crate::key::{Key, KeyRef, with_key};
use crate::lineage::PlaceWord;
use crate::store::is_telling;
use crate::stripe::{Begun, Task};
use crate::sync::time::monotonic_ns;
use crate::sync::{Arc, ThreadId, thread_id};
use crate::tally::Event;

pub(super) type LoadAnswer<V, S, E> = Result<Option<Entry<V>>, LoadError<S, E>>;

impl<'a, V: Value + ?Sized> View<'a, V> {
    #[inline(always)]
    pub(crate) fn try_get_or_insert_with<K, S, E>(
        self,
        key: &K,
        options: impl Into<LoadOptions>,
        load: impl FnOnce() -> Result<S, E>,
    ) -> Result<Entry<V>, LoadError<S, E>>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        let found = self.get(key, true);
        match found {
            Some(entry) if entry.block().refresh().is_none() => Ok(entry),
            found => {
                let load = || load().map(Loaded::Value);
                let answer = self.load(key, found, options.into(), false, load)?;
                Ok(answer.expect("neither the loader nor the task answers that there is no value"))
            }
        }
    }

    #[inline(always)]
    pub(crate) fn get_or_load<K, S, E>(
        self,
        key: &K,
        options: impl Into<LoadOptions>,
        load: impl FnOnce() -> Result<Loaded<S>, E>,
    ) -> LoadAnswer<V, S, E>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        let found = self.get(key, true);
        match found {
            Some(entry) if entry.block().refresh().is_none() => Ok(Some(entry)),
            found => self.load(key, found, options.into(), true, load),
        }
    }

    /// What a look-up doesn't settle, out of its way: the options alone are longer than it.
    #[cold]
    #[inline(never)]
    fn load<K, S, E>(
        self,
        key: &K,
        found: Option<Entry<V>>,
        options: LoadOptions,
        accepts_absent: bool,
        load: impl FnOnce() -> Result<Loaded<S>, E>,
    ) -> LoadAnswer<V, S, E>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        match found {
            Some(entry) => self.load_if_due(key, options, entry, load),
            None if accepts_absent && self.knows_absence(key) => Ok(None),
            None => self.load_absent(key, options, Task::Load { accepts_absent }, load),
        }
    }

    fn load_absent<K, S, E>(
        self,
        key: &K,
        options: LoadOptions,
        task: Task,
        load: impl FnOnce() -> Result<Loaded<S>, E>,
    ) -> LoadAnswer<V, S, E>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        let answer = with_key(key, |key| match self.plain_stay(&options.write) {
            Some(stay) => self.load_plain(key, stay, options, task, load),
            None => self.load_at(key, options, task, None, load),
        });
        answer.unwrap_or_else(|error| Err(LoadError::Invalid(Refusal::Key(error))))
    }

    /// The same of a key that is encoded, and where a work was perhaps begun.
    #[inline(never)]
    pub(super) fn load_at<S, E>(
        self,
        key: KeyRef<'_>,
        options: LoadOptions,
        task: Task,
        mut first: Option<(Begun, At<'_>)>,
        load: impl FnOnce() -> Result<Loaded<S>, E>,
    ) -> LoadAnswer<V, S, E>
    where
        S: Source<V>,
    {
        let monotonic_now = || Nanos(monotonic_ns());
        let until = options
            .timeout
            .map(|timeout| monotonic_now().saturating_add(timeout));
        let mut how = self
            .how(options.write)
            .map_err(|error| LoadError::Invalid(error.into()))?;
        loop {
            how.write.home = self.home();
            let (begun, at) = match first.take() {
                Some(first) => first,
                None => self.begin(key, &how, task, Some(thread_id()))?,
            };
            let begun = match begun {
                Begun::Waits(ticket) => {
                    let left = |until: Nanos| until.saturating_since(monotonic_now());
                    match self.wait(ticket, at, task, until.map(left)) {
                        Ok(begun) => begun,
                        Err(waited) => {
                            look_again(waited)?;
                            continue;
                        }
                    }
                }
                begun => begun,
            };
            match self.meet(begun, at, &how)? {
                Met::Answer(answer) => return Ok(answer),
                Met::Leads(lead) => {
                    return run(lead, load, |lead, loaded| {
                        self.settle(key, lead, how, loaded)
                    });
                }
                Met::Again => {}
            }
        }
    }

    /// Loads an entry anew if that is due and nobody does it yet. If that fails, the present one is the answer.
    fn load_if_due<K, S, E>(
        self,
        key: &K,
        options: LoadOptions,
        present: Entry<V>,
        load: impl FnOnce() -> Result<Loaded<S>, E>,
    ) -> LoadAnswer<V, S, E>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        let Some(mut turn) = self.turn_of(&present, options.back_off) else {
            return Ok(Some(present));
        };
        let mut how = self
            .how(options.write)
            .map_err(|error| LoadError::Invalid(error.into()))?;
        how.write.home = self.home();
        let task = Task::Reload {
            version: present.version(),
        };
        let answer = with_key(key, |key| {
            let (begun, at) = self.begin::<S, E>(key, &how, task, Some(thread_id()))?;
            let begun = match begun {
                // Somebody loads it already.
                Begun::Waits(ticket) => {
                    turn.meet();
                    self.give_up(ticket, at);
                    return Err(LoadError::TimedOut);
                }
                Begun::Busy => {
                    turn.meet();
                    return Err(LoadError::OutOfMemory);
                }
                Begun::Absent => return Err(LoadError::OutOfMemory),
                begun => begun,
            };
            match self.meet(begun, at, &how)? {
                Met::Answer(answer) => Ok(answer),
                Met::Leads(lead) => {
                    turn.begin();
                    run(lead, load, |lead, loaded| {
                        self.settle(key, lead, how, loaded)
                    })
                }
                // The life that it was found in has ended: nobody wants it anew.
                Met::Again => Err(LoadError::TimedOut),
            }
        });
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            _ => Ok(Some(present.clone())),
        }
    }

    /// Wins the right to load an entry anew that was found, if that is due.
    pub(super) fn turn_of(self, entry: &Entry<V>, back_off: Duration) -> Option<Turn<'a, V>> {
        if entry.is_stale() {
            self.tally().count(Event::Stale, 1);
        }
        Turn::win(self, entry, back_off)
    }

    /// Begins a work in the place of a write, led by that thread, or by a task.
    pub(super) fn begin<'k, S, E>(
        self,
        key: KeyRef<'k>,
        how: &How<'_>,
        task: Task,
        thread: Option<ThreadId>,
    ) -> Result<(Begun, At<'k>), LoadError<S, E>> {
        let place = how.write.home.map(|home| home.word);
        if place == Some(PlaceWord::NOWHERE) {
            return Err(LoadError::Invalid(Refusal::Closed));
        }
        let at = self.at(place, key);
        let begun = self
            .inner
            .store
            .begin_work(at.hash, &at.probe, task, thread);
        Ok((begun, at))
    }

    pub(super) fn at<'k>(self, place: Option<PlaceWord>, key: KeyRef<'k>) -> At<'k> {
        let probe = at(place, key);
        let hash = probe.hash(self.inner.store.hasher());
        At { hash, probe }
    }

    /// What to do with what a caller met who has waited where there was something to wait for.
    pub(super) fn meet<S, E>(
        self,
        begun: Begun,
        at: At<'_>,
        how: &How<'_>,
    ) -> Result<Met<'a, V>, LoadError<S, E>> {
        match begun {
            Begun::Present(block) => Ok(Met::Answer(Some(self.last(block)))),
            Begun::Absent => {
                self.tally().count(Event::Negative, 1);
                Ok(Met::Answer(None))
            }
            Begun::Busy | Begun::OutOfMemory => Err(LoadError::OutOfMemory),
            Begun::Waits(_) => Ok(Met::Again),
            Begun::Leads(work) => {
                let lead = Lead::new(self, at.hash, work, false);
                if self.place() == how.write.home.map(|home| home.word) {
                    Ok(Met::Leads(lead))
                } else {
                    // What it was to load has ended since: those who wait for it see that, one after the other.
                    Ok(Met::Again)
                }
            }
        }
    }

    /// Waits for another caller's work; goes on with it if that failed and the caller was chosen.
    pub(super) fn wait(
        self,
        ticket: Ticket,
        at: At<'_>,
        task: Task,
        timeout: Option<Duration>,
    ) -> Result<Begun, Waited> {
        let flight = Arc::clone(ticket.flight());
        if is_telling() {
            // Whoever loads may be waiting for this listener's turn to end.
            self.give_up(ticket, at);
            return Err(Waited::Cycle);
        }
        match ticket.wait(timeout) {
            Waited::Leads => {
                let store = &self.inner.store;
                let begun = store.resume_work(at.hash, &at.probe, task, &flight);
                begun.ok_or(Waited::Landed)
            }
            waited => Err(waited),
        }
    }

    /// Waits no more. Where nobody leads the flight then, and nobody waits, it is forgotten.
    fn give_up(self, mut ticket: Ticket, at: At<'_>) {
        if ticket.leave() {
            self.inner.store.forget_flight(at.hash, ticket.flight());
        }
    }
}

/// What a caller met.
pub(super) enum Met<'a, V: Value + ?Sized> {
    Answer(Option<Entry<V>>),
    Leads(Lead<'a, V>),
    Again,
}

/// Whether who has waited is to look again, or why not.
pub(super) fn look_again<S, E>(waited: Waited) -> Result<(), LoadError<S, E>> {
    match waited {
        Waited::Landed | Waited::Leads => Ok(()),
        Waited::TimedOut => Err(LoadError::TimedOut),
        Waited::Cycle => Err(LoadError::Reentrant),
        Waited::OutOfMemory => Err(LoadError::OutOfMemory),
    }
}
