//! The wheel by itself, as `rivals` measures it: what a stripe calls, with deadlines in the place of entries.
//!
//! # Idea         the wheel asks for a deadline when its slot has come; an engine's is in the entry, and here it is in a vector, by payload
//! # Costs        those of the wheel, and a look into the vector for each that is due
//! # Invariants   none of its own
//! # Not here     entries, the stripe that they are in, the clock

use super::{Token, Turns, Wheel};
use crate::clock::Nanos;
use crate::sync::prefetch;

/// Names a timer until it has fired or was cancelled.
#[derive(Clone, Copy, Debug)]
pub struct Timer(Token);

/// A wheel, and what its timers are due at.
#[derive(Debug)]
pub struct Timers {
    wheel: Wheel,
    deadlines: Vec<Nanos>,
}

impl Timers {
    /// Makes a wheel that stands at zero. The so-manyth deadline is that of the timer with this payload.
    pub fn new(deadlines: Vec<Nanos>) -> Self {
        Self {
            wheel: Wheel::new(),
            deadlines,
        }
    }

    /// Files the deadline of a payload.
    ///
    /// # Panics
    /// There is no deadline for this payload.
    #[inline]
    pub fn schedule(&mut self, payload: usize) -> Timer {
        let deadline = self.deadlines[payload];
        Timer(self.wheel.schedule(deadline, payload as u64))
    }

    /// Takes a timer out; its payload.
    #[inline]
    pub fn cancel(&mut self, timer: Timer) -> usize {
        self.wheel.cancel(timer.0) as usize
    }

    /// Goes forward as far as the budget lasts, and gives the payloads that are due to `due`. Whether it has come to `now`.
    #[inline]
    pub fn advance(&mut self, now: Nanos, budget: usize, mut due: impl FnMut(usize)) -> bool {
        let Self { wheel, deadlines } = self;
        let ahead = |payload, turns| {
            if turns == Turns::Two {
                prefetch(&raw const deadlines[payload as usize]);
            }
        };
        let deadline_of = |payload, _| (deadlines[payload as usize], ());
        let due = |payload, ()| due(payload as usize);
        wheel
            .advance_with(now, budget, ahead, deadline_of, due)
            .done
    }
}
