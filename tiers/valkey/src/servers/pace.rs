//! Who may ask for the right servers: one caller at a time, and not again at once.

use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::time::now;

/// When the servers may be asked for again.
#[derive(Debug, Default)]
pub(super) struct Pace {
    next: Mutex<Option<Instant>>,
}

/// The right to ask, until it is dropped.
#[derive(Debug)]
pub(super) struct Go<'a> {
    next: MutexGuard<'a, Option<Instant>>,
}

/// How long nobody asks again after somebody did.
const PAUSE: Duration = Duration::from_millis(100);

impl Pace {
    /// Takes the right to ask, unless somebody has it or had it just now.
    pub(super) fn go(&self) -> Option<Go<'_>> {
        let next = self.next.try_lock()?;
        let is_due = next.is_none_or(|next| next <= now());
        // Not made and dropped where it isn't due: its end puts the next one off.
        is_due.then(|| Go { next })
    }
}

impl Drop for Go<'_> {
    fn drop(&mut self) {
        *self.next = Some(now() + PAUSE);
    }
}
