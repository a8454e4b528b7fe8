//! An entry with a deadline that its readers put off, and its record in the wheel, under the stripe's lock.

use crate::clock::Nanos;
use crate::entry;
use crate::sync::Mutex;
use crate::wheel::{Token, Wheel};

/// What a faulty writer leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// Nothing.
    None,
    /// To file again what fired and was put off meanwhile.
    Refile,
    /// To file again what has another deadline.
    Move,
    /// To take the record of what was removed out of the wheel.
    Cancel,
}

/// The entry and its wheel. Times are ticks of the wheel.
#[allow(missing_debug_implementations)]
pub struct Timed {
    deadline: entry::Deadline,
    stripe: Mutex<Stripe>,
    slip: Slip,
}

struct Stripe {
    wheel: Wheel,
    token: Option<Token>,
    is_linked: bool,
}

fn at(tick: u64) -> Nanos {
    Nanos(tick << 20)
}

impl Timed {
    /// An entry with a deadline.
    pub fn new(deadline: u64, slip: Slip) -> Timed {
        let mut wheel = Wheel::new();
        let token = wheel.schedule(at(deadline), 0);
        let stripe = Stripe {
            wheel,
            token: Some(token),
            is_linked: true,
        };
        Timed {
            deadline: entry::Deadline::new(at(deadline)),
            stripe: Mutex::new(stripe),
            slip,
        }
    }

    /// Puts the deadline off without the lock, as a reader does with an idle one; false if it has passed at `now`.
    pub fn put_off(&self, now: u64, to: u64) -> bool {
        loop {
            let Some(ahead) = self.check(now) else {
                return false;
            };
            if self.deadline.try_move(ahead, at(to)) {
                return true;
            }
        }
    }

    fn check(&self, now: u64) -> Option<entry::Ahead> {
        self.deadline
            .check(|deadline| (deadline <= at(now), at(now)))
            .expect("nobody has claimed it")
    }

    /// Gives it another deadline; false if it is gone.
    pub fn set(&self, now: u64, to: u64) -> bool {
        let mut stripe = self.stripe.lock();
        if !stripe.is_linked || !self.put_off(now, to) {
            return false;
        }
        if self.slip != Slip::Move {
            if let Some(token) = stripe.token.take() {
                stripe.wheel.cancel(token);
            }
            stripe.token = Some(stripe.wheel.schedule(self.deadline.get(), 0));
        }
        true
    }

    /// Takes it out; false if it is gone.
    pub fn remove(&self) -> bool {
        let mut stripe = self.stripe.lock();
        if let Some(token) = stripe.token.take().filter(|_| self.slip != Slip::Cancel) {
            stripe.wheel.cancel(token);
        }
        std::mem::take(&mut stripe.is_linked)
    }

    /// Takes it out if it is due; whether it was.
    pub fn expire(&self, now: u64) -> bool {
        let mut stripe = self.stripe.lock();
        let mut has_fired = false;
        stripe.wheel.advance(
            at(now),
            16,
            |_, _| self.deadline.get(),
            |_, _| has_fired = true,
        );
        if !has_fired {
            return false;
        }
        assert!(stripe.is_linked, "a record of no entry has fired");
        stripe.token = None;
        if self.check(now).is_none() {
            stripe.is_linked = false;
            return true;
        }
        if self.slip != Slip::Refile {
            stripe.token = Some(stripe.wheel.schedule(self.deadline.get(), 0));
        }
        false
    }

    /// The records in the wheel, and whether the entry is linked.
    pub fn state(&self) -> (usize, bool) {
        let stripe = self.stripe.lock();
        (stripe.wheel.len(), stripe.is_linked)
    }
}
