//! Loading from asynchronous code: the same loads, waited for without a thread.
//!
//! # Idea         hits and writes block nobody, so only the waits for a loader and for another caller's load are asynchronous; both kinds
//!   of callers share one load of a key
//! # Costs        as for loads by threads; nothing is spawned, and no timer is needed
//! # Invariants   a future that is dropped ends as a failed load does: who has waited longest goes on
//! # Not here     time-outs: dropping the future is one, so each runtime's own serves, and one in the options is refused

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};

use super::how::How;
use super::lead::{Stopwatch, Turn};
use super::load::{LoadAnswer, Met, look_again};
use super::loading::{LoadOptions, Loaded};
use super::view::View;
use crate::entry::{Entry, Source, Value};
use crate::error::{LoadError, Refusal};
use crate::flight::{Flight, Loading, Ticket, Waited};
use crate::hash::KeyHash;
use crate::key::{Key, KeyRef, with_key};
use crate::stripe::{Begun, Task};
use crate::sync::Arc;

impl<'a, V: Value + ?Sized> View<'a, V> {
    pub(crate) async fn try_get_or_insert_with_async<K, S, E>(
        self,
        key: &K,
        options: LoadOptions,
        load: Pin<&mut impl Future<Output = Result<S, E>>>,
    ) -> Result<Entry<V>, LoadError<S, E>>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        let load = pin!(async { load.await.map(Loaded::Value) });
        let answer = self.get_or_load_async(key, options, false, load).await?;
        Ok(answer.expect("neither the loader nor the task answers that there is no value"))
    }

    /// `accepts_absent`: an entry that says that there is no value is an answer.
    pub(crate) async fn get_or_load_async<K, S, E>(
        self,
        key: &K,
        options: LoadOptions,
        accepts_absent: bool,
        load: Pin<&mut impl Future<Output = Result<Loaded<S>, E>>>,
    ) -> LoadAnswer<V, S, E>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        let Some(entry) = self.get(key, true) else {
            if accepts_absent && self.knows_absence(key) {
                return Ok(None);
            }
            let how = self.how_of_task(options)?;
            let task = Task::Load { accepts_absent };
            return self.fly(key, how, task, None, load).await;
        };
        let Some(turn) = self.turn_of(&entry, options.back_off) else {
            return Ok(Some(entry));
        };
        let how = self.how_of_task(options)?;
        let task = Task::Reload {
            version: entry.version(),
        };
        let answer = self.fly(key, how, task, Some(turn), load).await;
        Ok(answer.unwrap_or(Some(entry)))
    }

    /// What is to be written. No timer is here, so a time-out is refused, lest it be waited for in vain.
    fn how_of_task<S, E>(self, options: LoadOptions) -> Result<How<'a>, LoadError<S, E>> {
        if options.timeout.is_some() {
            return Err(LoadError::TaskTimeout);
        }
        let how = self.how(options.write);
        how.map_err(|error| LoadError::Invalid(error.into()))
    }

    /// Loads, or waits for who does; with `turn` it is that of the entry that is loaded anew. The loader is the caller's, so that it ends after
    /// any lead: an end that asks for this very key would wait for itself.
    async fn fly<K, S, E>(
        self,
        key: &K,
        mut how: How<'a>,
        task: Task,
        mut turn: Option<Turn<'a, V>>,
        mut load: Pin<&mut impl Future<Output = Result<Loaded<S>, E>>>,
    ) -> LoadAnswer<V, S, E>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        let (shape, bytes) = with_key(key, |key| (key.shape(), key.bytes().to_vec()))
            .map_err(|error| LoadError::Invalid(Refusal::Key(error)))?;
        let key = KeyRef::from_stored(shape, &bytes);
        loop {
            how.write.home = self.home();
            let (begun, at) = self.begin(key, &how, task, None)?;
            let begun = match begun {
                Begun::Waits(ticket) => {
                    let waiting = Waiting {
                        view: self,
                        hash: at.hash,
                        ticket,
                    };
                    if matches!(task, Task::Reload { .. }) {
                        if let Some(turn) = &mut turn {
                            turn.meet();
                        }
                        return Err(LoadError::TimedOut);
                    }
                    match waiting.wait().await {
                        (Waited::Leads, flight) => {
                            let store = &self.inner.store;
                            match store.resume_work(at.hash, &at.probe, task, &flight) {
                                Some(begun) => begun,
                                None => continue,
                            }
                        }
                        (waited, _) => {
                            look_again(waited)?;
                            continue;
                        }
                    }
                }
                begun => begun,
            };
            let lead = match self.meet(begun, at, &how)? {
                Met::Answer(answer) => return Ok(answer),
                Met::Leads(lead) => lead,
                Met::Again => continue,
            };
            if let Some(turn) = &mut turn {
                turn.begin();
            }
            let stopwatch = Stopwatch::start(self.tally());
            let loaded = poll_fn(|context| {
                // Who asks for its own key from inside is told so.
                let _here = Loading::begin(lead.work.flight.as_deref());
                load.as_mut().poll(context)
            });
            let loaded = loaded.await;
            stopwatch.stop(loaded.is_ok());
            let loaded = loaded.map_err(LoadError::Loader)?;
            let flight = lead.work.flight.clone();
            let _here = Loading::begin(flight.as_deref());
            return self.settle(key, lead, how, loaded);
        }
    }
}

/// A place among those who wait. Where the last of them gives up a flight that nobody leads, it is forgotten.
struct Waiting<'a, V: Value + ?Sized> {
    view: View<'a, V>,
    hash: KeyHash,
    ticket: Ticket,
}

impl<V: Value + ?Sized> Waiting<'_, V> {
    async fn wait(mut self) -> (Waited, Arc<Flight>) {
        let waited = poll_fn(|context| self.ticket.poll(context)).await;
        (waited, Arc::clone(self.ticket.flight()))
    }
}

impl<V: Value + ?Sized> Drop for Waiting<'_, V> {
    fn drop(&mut self) {
        if self.ticket.leave() {
            let store = &self.view.inner.store;
            store.forget_flight(self.hash, self.ticket.flight());
        }
    }
}
