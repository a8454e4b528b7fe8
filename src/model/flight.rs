//! Leaders and waiters of one flight, and the table of who waits for whom.

use std::time::Duration;

use crate::flight::{self, Enlisted, Passed, Waited};
use crate::sync::Arc;

/// A flight that somebody leads.
#[derive(Debug, Clone)]
pub struct Flight(Arc<flight::Flight>);

/// A place among those who wait for it.
#[derive(Debug)]
pub struct Ticket(flight::Ticket);

/// The table of who waits for whom.
#[derive(Debug)]
pub struct Waits(flight::Waits);

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The flight is over.
    Landed,
    /// The caller leads.
    Leads,
    /// The time is up.
    TimedOut,
    /// The leader waits for the caller.
    Cycle,
}

impl Flight {
    /// Makes one that the caller leads.
    pub fn lead() -> Flight {
        Flight(flight::Flight::lead())
    }

    /// Takes a place; `None` if the caller leads instead.
    pub fn enlist(&self) -> Option<Ticket> {
        match self.0.enlist() {
            Enlisted::Waits(ticket) => Some(Ticket(ticket)),
            Enlisted::Leads => None,
            Enlisted::OutOfMemory => panic!("a model has memory"),
        }
    }

    /// Ends it, and wakes all.
    pub fn land(&self) {
        self.0.land();
    }

    /// Passes the lead on; false if nobody waits.
    pub fn pass_on(&self) -> bool {
        matches!(self.0.pass_on(), Passed::On(_))
    }

    /// Runs a loader in this thread.
    pub fn load(&self, load: impl FnOnce()) {
        let _loading = self.0.load_here();
        load();
    }
}

impl Ticket {
    /// Waits for an answer.
    pub fn wait(self, waits: &Waits) -> End {
        end(self.0.wait_among(&waits.0, None))
    }

    /// Gives up at once, unless there is an answer.
    pub fn look(self, waits: &Waits) -> End {
        end(self.0.wait_among(&waits.0, Some(Duration::ZERO)))
    }

    /// As `wait`, but looks for a circle before it writes the wait down.
    pub fn wait_after_a_walk(self, waits: &Waits) -> End {
        end(self.0.wait_after_a_walk(&waits.0))
    }

    /// As `wait`, but looks for an answer before it can be woken.
    pub fn wait_after_a_look(self, _waits: &Waits) -> End {
        end(self.0.wait_after_a_look())
    }

    /// As `look`, but leaves in a second step.
    pub fn leave_after_a_look(self, _waits: &Waits) -> End {
        end(self.0.leave_after_a_look())
    }

    /// As dropping, but hands nothing on.
    pub fn leave_with_the_lead(self) {
        self.0.leave_with_the_lead();
    }
}

impl Waits {
    /// An empty table.
    pub fn new() -> Waits {
        Waits(flight::Waits::new())
    }
}

impl Default for Waits {
    fn default() -> Self {
        Self::new()
    }
}

fn end(waited: Waited) -> End {
    match waited {
        Waited::Landed => End::Landed,
        Waited::Leads => End::Leads,
        Waited::TimedOut => End::TimedOut,
        Waited::Cycle => End::Cycle,
        Waited::OutOfMemory => panic!("a model has memory"),
    }
}
