//! Which thread waits for which flight, so that a circle of them is seen before it closes.
//!
//! # Idea
//! A flight knows the thread that loads for it, and here stands what a loading thread waits for. Who is about to wait
//! follows flight, thread, flight and so on; if that leads to itself, nobody of them would ever go on.
//!
//! # Costs
//! A thread that loads nothing itself can't close a circle, and doesn't come here: one thread-local load. Others take one lock
//! of the process, twice a wait, and walk: O(length of the chain).
//!
//! # Invariants
//! - C1 The walk and the writing down are one hold of the lock, so that of those who close a circle the last one sees it.
//! - C2 Who stands here waits still, or has its answer: it is struck off before it gives up, and before it leads.
//! - C3 No circle is told that isn't one: by C2 the last thread of the walk waits for a flight of the walker's own,
//!   which stays as it is, since the walker is here; the one before waits for that thread, and so on.
//! - C4 A thread stands here once at most: no user code runs while it waits.
//!
//! # Not here
//! Tasks: who runs one may run others, so a task's flights are no thread's. Circles among tasks aren't seen.

#[cfg(not(engine_loom))]
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::marker::PhantomData;

use super::Flight;
use crate::sync::{Arc, Mutex, ThreadId, model_has_failed, thread_id};

/// Why a thread must not wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    Cycle,
    OutOfMemory,
}

type ByThread = HashMap<ThreadId, Arc<Flight>, BuildHasherDefault<DefaultHasher>>;

/// The threads that load and wait at once.
#[derive(Debug)]
pub(crate) struct Waits(Mutex<ByThread>);

#[cfg(not(engine_loom))]
pub(super) static WAITS: Waits = Waits(Mutex::new(HashMap::with_hasher(BuildHasherDefault::new())));

impl Waits {
    /// A table apart from the process's own.
    #[cfg(any(test, engine_loom))]
    pub(crate) fn new() -> Self {
        Self(Mutex::new(ByThread::default()))
    }

    /// Writes down that the calling thread waits for the flight, until what this gives is dropped. `None`: it loads
    /// nothing itself, and nothing is written.
    ///
    /// # Errors
    /// The flight waits for this thread, perhaps through others; or there is no memory to write it down.
    pub(super) fn enter(&self, flight: &Arc<Flight>) -> Result<Option<Waiting<'_>>, Refused> {
        if !loads_here() {
            return Ok(None);
        }
        let thread = thread_id();
        let mut by_thread = self.0.lock();
        if leads_back(&by_thread, flight, thread) {
            return Err(Refused::Cycle);
        }
        by_thread.try_reserve(1).map_err(|_| Refused::OutOfMemory)?;
        by_thread.insert(thread, Arc::clone(flight));
        Ok(Some(Waiting {
            waits: self,
            thread,
        }))
    }

    /// As `enter`, but walks in one hold and writes in another: what the models' failing twin does.
    #[cfg(engine_loom)]
    pub(super) fn enter_in_two_holds(&self, flight: &Arc<Flight>) -> Result<Waiting<'_>, Refused> {
        let thread = thread_id();
        if leads_back(&self.0.lock(), flight, thread) {
            return Err(Refused::Cycle);
        }
        self.0.lock().insert(thread, Arc::clone(flight));
        Ok(Waiting {
            waits: self,
            thread,
        })
    }
}

/// Whether the chain of waits that begins at the flight ends at the thread.
fn leads_back(by_thread: &ByThread, flight: &Arc<Flight>, thread: ThreadId) -> bool {
    let mut at = flight;
    // More steps than threads would be a circle without this one, which none of them has let close.
    for _ in 0..=by_thread.len() {
        let Some(loader) = at.loader.thread() else {
            return false;
        };
        if loader == thread {
            return true;
        }
        let Some(next) = by_thread.get(&loader) else {
            return false;
        };
        at = next;
    }
    false
}

/// Strikes the thread off when dropped.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    waits: &'a Waits,
    thread: ThreadId,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !model_has_failed() {
            // The flight outlives this: the ticket that waits holds it as well, so no flight ends under the lock.
            self.waits.0.lock().remove(&self.thread);
        }
    }
}

/// While it lives, the calling thread loads for the flight, or for one that whoever comes to wait makes, and in which it stands then.
#[derive(Debug)]
pub(crate) struct Loading<'a> {
    flight: Option<(&'a Flight, ThreadId)>,
    /// It must end in its thread.
    _here: PhantomData<*const ()>,
}

impl<'a> Loading<'a> {
    /// Tells that the calling thread runs the loader, until what this gives is dropped. A task's leader calls it for each
    /// poll, or not at all: then a wait inside its loader isn't seen to be a circle. A thread has no flight, if nobody had come to
    /// wait when it began.
    #[inline]
    pub(crate) fn begin(flight: Option<&'a Flight>) -> Self {
        count(1);
        Self {
            flight: flight.map(|flight| {
                let thread = thread_id();
                flight.loader.enter(thread);
                (flight, thread)
            }),
            _here: PhantomData,
        }
    }
}

impl Drop for Loading<'_> {
    #[inline]
    fn drop(&mut self) {
        count(-1);
        if let Some((flight, thread)) = self.flight
            && !model_has_failed()
        {
            flight.loader.leave_if(thread);
        }
    }
}

#[cfg(not(engine_loom))]
thread_local! {
    // Without a destructor, so that it stands until the thread is gone.
    static LOADS: Cell<i32> = const { Cell::new(0) };
}

/// Whether the calling thread loads for any flight.
#[cfg(not(engine_loom))]
pub(super) fn loads_here() -> bool {
    LOADS.try_with(|loads| loads.get() > 0).unwrap_or(true)
}

#[cfg(not(engine_loom))]
fn count(change: i32) {
    // It has no destructor, so it is never gone.
    let _ = LOADS.try_with(|loads| loads.set(loads.get() + change));
}

/// A model's threads are one thread of the machine: each of them may load.
#[cfg(engine_loom)]
pub(super) fn loads_here() -> bool {
    true
}

#[cfg(engine_loom)]
fn count(_change: i32) {}
