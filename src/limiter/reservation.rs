//! Counting first, and deciding afterwards how much it was.
//!
//! # Idea         a reservation names the life of its key, not the key; whatever way it ends, it settles once
//! # Costs        a reference count when it is made and when it ends; one lock when it ends
//! # Invariants   LV1 a reservation settles exactly once: by `commit`, by `release`, or when it is dropped
//! # Not here     what settling does to a state

use std::fmt;

use super::answer::{Cost, Standing};
use super::keyed::Operations;
use super::stripe::Admitted;
use crate::sync::Arc;

/// Room that is taken until it is known how much is used; made by [`Limiter::reserve`](super::Limiter::reserve).
///
/// Dropping it gives the room back. It keeps its limiter alive, and its key in the limiter's memory.
#[must_use = "dropping a reservation gives back what was reserved"]
pub struct Reservation {
    operations: Arc<dyn Operations>,
    admitted: Admitted,
    reserved: Cost,
    /// What to settle with when dropped.
    actual: Cost,
}

impl Reservation {
    pub(super) fn new(operations: Arc<dyn Operations>, admitted: Admitted, reserved: Cost) -> Self {
        Self {
            operations,
            admitted,
            reserved,
            actual: Cost::default(),
        }
    }

    /// What was reserved.
    pub fn reserved(&self) -> Cost {
        self.reserved
    }

    /// Where the key stood right after this was reserved.
    pub fn standing(&self) -> Standing {
        self.admitted.standing
    }

    /// Counts what was used in fact.
    ///
    /// Up to what was reserved, it counts from the moment of the reservation, and the rest is given back. What is beyond
    /// counts from now on, whether or not there is room: the key may be above its limit for a while, and nothing passes
    /// until it is below; a token bucket forgets what is more than another burst above. In a fixed window, what was reserved before a reset belongs to the window before.
    ///
    /// Cost: one lock.
    pub fn commit(mut self, actual: impl Into<Cost>) {
        self.actual = actual.into();
    }

    /// Gives all of it back; the same as dropping it.
    ///
    /// Cost: one lock.
    pub fn release(self) {}
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(place) = self.admitted.place {
            let at = self.admitted.standing.now;
            self.operations
                .settle(place, (self.reserved, self.actual), at);
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("reserved", &self.reserved)
            .field("standing", &self.admitted.standing)
            .finish_non_exhaustive()
    }
}
