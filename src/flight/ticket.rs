//! One of those who wait: a thread that sleeps, or a task that is polled.
//!
//! # Idea         look for an answer, say who is to be woken, sleep; the first two are one hold of the flight's lock
//! # Costs        a wait: three holds of the flight's lock and a park; a poll: two holds, or one if its waker is known
//! # Invariants   F2 of the module above: whoever leaves looks for an answer in the same hold
//! # Not here     who is chosen, and when

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::queue::{Place, Who};
#[cfg(not(engine_loom))]
use super::waits::WAITS;
use super::waits::{Refused, Waiting, Waits};
use super::{Flight, Passed, State, Waited};
use crate::clock::Nanos;
use crate::sync::time::monotonic_ns;
use crate::sync::{Arc, Sleeper, model_has_failed};

/// A place among those who wait for a flight. It is used by one thread's [`wait`](Self::wait), or by one task's
/// [`poll`](Self::poll)s. Who drops it gives up, and hands on what it was given meanwhile.
#[derive(Debug)]
pub(crate) struct Ticket {
    flight: Arc<Flight>,
    /// None once it is answered.
    place: Option<Place>,
}

impl Ticket {
    /// A ticket for that place; `None` is a place that is answered.
    pub(super) fn new(flight: Arc<Flight>, place: Option<Place>) -> Self {
        Self { flight, place }
    }

    /// What it waits for.
    pub(crate) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// Waits until the flight has landed or the caller leads, at most that long: `None` is forever, and zero not at all. Who was
    /// chosen at the last moment leads, late or not.
    #[cfg(not(engine_loom))]
    pub(crate) fn wait(self, timeout: Option<Duration>) -> Waited {
        self.wait_among(&WAITS, timeout)
    }

    /// As `wait`, with that table of waits.
    pub(crate) fn wait_among(mut self, waits: &Waits, timeout: Option<Duration>) -> Waited {
        let deadline = timeout.map_or(Nanos::MAX, |timeout| now().saturating_add(timeout));
        match waits.enter(&self.flight) {
            Ok(waiting) => self.sleep(deadline, waiting),
            Err(Refused::Cycle) => self.give_up(Waited::Cycle),
            Err(Refused::OutOfMemory) => self.give_up(Waited::OutOfMemory),
        }
    }

    fn sleep(mut self, deadline: Nanos, waiting: Option<Waiting<'_>>) -> Waited {
        let sleeper = Sleeper::here();
        if let Some(answer) = self.stand(Who::Thread(sleeper.clone())) {
            return answer;
        }
        loop {
            let wait_max = match deadline {
                Nanos::MAX => None,
                deadline => Some(deadline.saturating_since(now())),
            };
            if wait_max == Some(Duration::ZERO) {
                // Struck off first: C2 of `waits`.
                drop(waiting);
                return self.give_up(Waited::TimedOut);
            }
            sleeper.sleep(wait_max);
            let answer = self.flight.core.lock().answer(&mut self.place);
            if let Ok(answer) = answer {
                return answer;
            }
        }
    }

    /// As a future's `poll`: the task is woken when there is an answer. Never [`Waited::TimedOut`]; [`Waited::Cycle`] if
    /// the first poll happens inside the loader itself. After an answer it is [`Waited::Landed`].
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Waited> {
        match self.look(context.waker()) {
            Look::Answered(answer) => Poll::Ready(answer),
            Look::Inside => Poll::Ready(self.give_up(Waited::Cycle)),
            Look::Known => Poll::Pending,
            Look::Unknown => match self.stand(Who::Task(context.waker().clone())) {
                Some(answer) => Poll::Ready(answer),
                None => Poll::Pending,
            },
        }
    }

    /// Gives up, as dropping does, and says whether the flight is abandoned by that. The caller may then lock the stripe, and
    /// take the flight out of the map if it [`is_abandoned`](Flight::is_abandoned) still; else the next to enlist leads.
    pub(crate) fn leave(&mut self) -> bool {
        if self.give_up(Waited::TimedOut) != Waited::Leads {
            return false;
        }
        let passed = self.flight.choose_or(State::Abandoned);
        matches!(passed, Passed::Nobody)
    }

    /// Looks for an answer, and whether this task is known to the flight.
    fn look(&mut self, waker: &Waker) -> Look {
        let mut core = self.flight.core.lock();
        let place = match core.answer(&mut self.place) {
            Ok(answer) => return Look::Answered(answer),
            Err(place) => place,
        };
        match core.queue.who(place) {
            Who::Task(known) if known.will_wake(waker) => Look::Known,
            Who::Awake if self.flight.is_loaded_here() => Look::Inside,
            _ => Look::Unknown,
        }
    }

    /// Says who is to be woken, unless there is an answer.
    fn stand(&mut self, who: Who) -> Option<Waited> {
        let mut core = self.flight.core.lock();
        let before = match core.answer(&mut self.place) {
            Ok(answer) => {
                drop(core);
                drop(who);
                return Some(answer);
            }
            Err(place) => core.queue.stand(place, who),
        };
        drop(core);
        drop(before);
        None
    }

    /// Leaves the queue, unless there is an answer, which is given then instead of the reason (F2).
    fn give_up(&mut self, reason: Waited) -> Waited {
        let mut core = self.flight.core.lock();
        let before = match core.answer(&mut self.place) {
            Ok(answer) => return answer,
            Err(place) => core.queue.leave(place),
        };
        self.place = None;
        drop(core);
        drop(before);
        reason
    }
}

/// What the models' failing twins do.
#[cfg(engine_loom)]
impl Ticket {
    /// As `wait_among`, but a circle is looked for before the wait is written down.
    pub(crate) fn wait_after_a_walk(mut self, waits: &Waits) -> Waited {
        match waits.enter_in_two_holds(&self.flight) {
            Ok(waiting) => self.sleep(Nanos::MAX, Some(waiting)),
            Err(_) => self.give_up(Waited::Cycle),
        }
    }

    /// As `wait_among`, but looks for an answer before it says who is to be woken.
    pub(crate) fn wait_after_a_look(mut self) -> Waited {
        let mut place = self.place;
        let answer = self.flight.core.lock().answer(&mut place);
        let Err(place) = answer else {
            return self.give_up(Waited::TimedOut);
        };
        let sleeper = Sleeper::here();
        let mut core = self.flight.core.lock();
        if core.state == State::Led {
            core.queue.stand(place, Who::Thread(sleeper.clone()));
        }
        drop(core);
        sleeper.sleep(None);
        self.give_up(Waited::TimedOut)
    }

    /// Gives up after a look, as if nothing came between the two.
    pub(crate) fn leave_after_a_look(mut self) -> Waited {
        let mut place = self.place;
        let answer = self.flight.core.lock().answer(&mut place);
        let Err(place) = answer else {
            self.place = None;
            return answer.unwrap_or(Waited::Leads);
        };
        self.place = None;
        self.flight.core.lock().queue.leave(place);
        Waited::TimedOut
    }

    /// Gives up, and hands nothing on.
    pub(crate) fn leave_with_the_lead(mut self) {
        let _ = self.give_up(Waited::TimedOut);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !model_has_failed() {
            self.leave();
        }
    }
}

/// What a task finds when it is polled.
enum Look {
    Answered(Waited),
    /// It is polled by the loader that it waits for.
    Inside,
    /// It will be woken.
    Known,
    /// It has to leave its waker.
    Unknown,
}

pub(super) fn now() -> Nanos {
    Nanos(monotonic_ns())
}
