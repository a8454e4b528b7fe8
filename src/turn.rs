//! Work that one thread at a time does, and that whoever comes meanwhile leaves to it.
//!
//! # Idea         who doesn't get the turn goes on with its own affairs; who ends a turn looks once more, for what was left to it meanwhile
//! # Costs        one lock that is tried; what `has_more` costs, for each turn
//! # Invariants   T1 what was there before a call that was refused the turn is done by who had it, or is left for the next call by a
//!   worker that says that it has done enough
//! # Not here     what the work is

use crate::sync::{Mutex, MutexGuard, planted};

/// Whose turn it is.
#[derive(Debug)]
pub(crate) struct Turn(Mutex<()>);

impl Turn {
    pub(crate) fn new() -> Turn {
        Turn(Mutex::new(()))
    }

    /// The turn, if nobody has it; with `waits`, when it is free.
    fn take(&self, waits: bool) -> Option<MutexGuard<'_, ()>> {
        if waits {
            Some(self.0.lock())
        } else {
            self.0.try_lock()
        }
    }

    /// Does `work` until there is no more; it answers whether it may go on. `has_more` is asked when the turn is over, and may do what
    /// must be done outside of it.
    pub(crate) fn work(
        &self,
        waits: bool,
        mut work: impl FnMut() -> bool,
        mut has_more: impl FnMut() -> bool,
    ) {
        if planted!(Turn) {
            work();
            return;
        }
        while let Some(turn) = self.take(waits) {
            let may_go_on = work();
            drop(turn);
            // What came between the last look and the end of the turn was refused a turn of its own.
            if !has_more() || !may_go_on {
                return;
            }
        }
    }

    /// As `work`, but the last look is within the turn, which is what a model's failing twin does.
    #[cfg(engine_loom)]
    pub(crate) fn work_and_look_within(
        &self,
        mut work: impl FnMut() -> bool,
        mut has_more: impl FnMut() -> bool,
    ) {
        if let Some(_turn) = self.take(false) {
            while work() && has_more() {}
        }
    }
}
