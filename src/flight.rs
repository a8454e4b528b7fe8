//! Who loads a key at the moment, and who waits for it.
//!
//! # Idea
//! A key that is being loaded has one flight, which a stripe keeps under its lock. One thread or task leads it: it runs the
//! user's loader. Others enlist and wait. When the flight lands, all look the key up again; when its leader fails,
//! the one who has waited longest leads, and the rest go on waiting. No value travels through a flight, so nobody is
//! given what a look-up doesn't find. Where a thread leads, the flight is made by the first who comes to wait: most loads have none.
//!
//! ```text
//!             lead                pass_on, somebody waits            wait, poll -> Leads
//!   (none) ---------> Led ---------------------------------> Chosen ---------------------> Led
//!                      |  \                                    |
//!                 land |   \ pass_on, nobody waits             | the chosen leaves, nobody waits
//!                      v    v                                  v                 enlist -> Leads
//!                     Over  Over                           Abandoned --------------------------> Led
//! ```
//!
//! # Costs
//! A flight: one allocation of some 80 bytes, and none where nobody waits for a thread. Enlisting: no allocation but the growth of the
//! queue, 32 bytes a waiter. Waiting: a thread parks; a task leaves its waker. Passing on wakes one. What a thread that loads pays
//! for waiting stands in `waits`.
//!
//! # Invariants
//! - F1 Leadership is held by one at a time: by who was answered `Leads` (or called `lead`, or was leading when `led_by` was), or by
//!   the place of `Chosen`, or by nobody in `Abandoned` and `Over`. It is never lost: the chosen one takes it or hands it on.
//! - F2 A place of the queue is answered once. Who gives up looks for an answer in the same hold of the lock.
//! - F3 The flight's lock is the last: under it no other is taken and no user code runs; wakers are cloned, woken and
//!   dropped without it. It is held for O(1), and the growth of the queue.
//! - F4 Who enlists does so under the stripe's lock, and who takes the flight out of the map does, too. So nobody enlists
//!   once it is out.
//!
//! # Not here
//! Keys, values, and the map (module `stripe`). Circles of waits among tasks: their time-outs end them. A chosen task that
//! is neither polled nor dropped keeps the others waiting.

use std::mem;

use self::loader::Loader;
use self::queue::{Place, Queue, Who};
pub(crate) use self::ticket::Ticket;
pub(crate) use self::waits::Loading;
#[cfg(engine_loom)]
pub(crate) use self::waits::Waits;
use crate::contain::contain;
use crate::sync::{Arc, Mutex, ThreadId, thread_id};

mod loader;
mod queue;
mod ticket;
mod waits;

/// The loading of one key, by one leader after another.
#[derive(Debug)]
pub(crate) struct Flight {
    core: Mutex<Core>,
    loader: Loader,
}

#[derive(Debug)]
struct Core {
    state: State,
    queue: Queue,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Somebody leads.
    Led,
    /// The ticket of this place leads, and doesn't know yet. The place is off the list.
    Chosen(Place),
    /// Nobody leads, and nobody waits.
    Abandoned,
    /// It has landed, or its last leader failed and nobody waited. The queue is empty, and places mean nothing.
    Over,
}

/// What came of enlisting.
#[derive(Debug)]
#[must_use]
pub(crate) enum Enlisted {
    /// Another one leads.
    Waits(Ticket),
    /// The flight was abandoned: the caller leads, as if it had been answered [`Waited::Leads`].
    Leads,
    /// There is no memory for one more waiter.
    OutOfMemory,
}

/// What came of waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Waited {
    /// The flight is over: look the key up.
    Landed,
    /// The caller leads: it ends with [`Flight::land`] or [`Flight::pass_on`], whatever happens.
    Leads,
    /// The time is up.
    TimedOut,
    /// The leader waits for the caller, or is the caller.
    Cycle,
    /// There is no memory to see whether the leader waits for the caller.
    OutOfMemory,
}

/// What came of failing.
#[derive(Debug)]
#[must_use]
pub(crate) enum Passed {
    /// A waiter leads. It is woken when this is dropped, which is to happen after the stripe's lock is gone.
    On(Wake),
    /// Nobody waits: the flight is over, and leaves the map in the same hold of the stripe's lock.
    Nobody,
}

/// Wakes one waiter when dropped. That runs user code, so no lock may be held then.
#[derive(Debug)]
pub(crate) struct Wake(Who);

impl Flight {
    /// Makes a flight that the caller leads.
    pub(crate) fn lead() -> Arc<Flight> {
        Self::led_by(None)
    }

    /// Makes a flight that somebody leads: that thread, if any, whose load began without one. Called under the stripe's lock.
    pub(crate) fn led_by(thread: Option<ThreadId>) -> Arc<Flight> {
        Arc::new(Flight {
            core: Mutex::new(Core {
                state: State::Led,
                queue: Queue::new(),
            }),
            loader: Loader::new(thread),
        })
    }

    /// As [`Loading::begin`], with this flight.
    #[cfg(any(test, engine_loom))]
    pub(crate) fn load_here(&self) -> Loading<'_> {
        Loading::begin(Some(self))
    }

    /// Takes a place among those who wait. Called under the stripe's lock, while the map holds the flight (F4).
    pub(crate) fn enlist(self: &Arc<Self>) -> Enlisted {
        let mut core = self.core.lock();
        let place = match core.state {
            State::Abandoned => {
                core.state = State::Led;
                return Enlisted::Leads;
            }
            // Nothing to wait for; the ticket says so.
            State::Over => None,
            State::Led | State::Chosen(_) => match core.queue.enlist() {
                None => return Enlisted::OutOfMemory,
                place => place,
            },
        };
        drop(core);
        Enlisted::Waits(Ticket::new(Arc::clone(self), place))
    }

    /// Ends the flight and wakes all. Called by the leader when the map holds the flight no more, and without a lock.
    pub(crate) fn land(&self) {
        for who in self.close().into_all() {
            drop(Wake(who));
        }
    }

    fn close(&self) -> Queue {
        self.loader.leave();
        let mut core = self.core.lock();
        core.state = State::Over;
        mem::replace(&mut core.queue, Queue::new())
    }

    /// Gives the lead to who has waited longest. Called by the leader that failed, under the stripe's lock.
    pub(crate) fn pass_on(&self) -> Passed {
        self.choose_or(State::Over)
    }

    /// Whether nobody leads and nobody waits. Asked under the stripe's lock (F4): if so, the flight may leave the map.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.core.lock().state == State::Abandoned
    }

    /// Takes the lead from its holder, who has failed or gives up, and chooses who has waited longest; if nobody waits, the flight gets
    /// that state.
    fn choose_or(&self, state_alone: State) -> Passed {
        let mut core = self.core.lock();
        if core.state != State::Over {
            self.loader.leave();
        }
        core.choose_or(state_alone)
    }

    fn is_loaded_here(&self) -> bool {
        waits::loads_here() && self.loader.thread() == Some(thread_id())
    }
}

impl Core {
    /// The answer for a place, which ends with it; or the place, if there is none yet.
    fn answer(&mut self, place: &mut Option<Place>) -> Result<Waited, Place> {
        let Some(own) = *place else {
            return Ok(Waited::Landed);
        };
        let answer = match self.state {
            State::Over => Waited::Landed,
            State::Chosen(chosen) if chosen == own => {
                self.queue.vacate(own);
                self.state = State::Led;
                Waited::Leads
            }
            _ => return Err(own),
        };
        *place = None;
        Ok(answer)
    }

    /// Chooses who has waited longest; if nobody waits, the flight gets that state.
    fn choose_or(&mut self, state_alone: State) -> Passed {
        debug_assert_ne!(
            self.state,
            State::Abandoned,
            "F1: nobody can pass on what nobody holds"
        );
        if self.state == State::Over {
            return Passed::Nobody;
        }
        match self.queue.choose() {
            Some((place, who)) => {
                self.state = State::Chosen(place);
                Passed::On(Wake(who))
            }
            None => {
                // What many have waited in is no use to the next one.
                self.queue = Queue::new();
                self.state = state_alone;
                Passed::Nobody
            }
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        match mem::replace(&mut self.0, Who::Awake) {
            Who::Awake => {}
            Who::Thread(sleeper) => sleeper.wake(),
            Who::Task(waker) => {
                // Its panic must keep neither the others asleep nor the caller from its value.
                let _: Option<()> = contain(|| waker.wake());
            }
        }
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
