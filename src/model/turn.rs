//! Work that is left to whoever has the turn: the listener's.

use crate::sync::atomic::{AtomicU32, Ordering};
use crate::turn;

/// A queue of work, and whose turn it is.
#[derive(Debug)]
pub struct Desk {
    turn: turn::Turn,
    left: crate::sync::Mutex<u32>,
    /// Counts looks: an access behind each, so that others may come between it and what follows.
    looks: AtomicU32,
}

impl Desk {
    /// Without any work.
    pub fn new() -> Desk {
        Desk {
            turn: turn::Turn::new(),
            left: crate::sync::Mutex::new(0),
            looks: AtomicU32::new(0),
        }
    }

    /// Leaves a piece of work, and does what is left if nobody else does.
    pub fn leave_and_work(&self) {
        *self.left.lock() += 1;
        self.turn
            .work(false, || self.take_all(), || self.left() > 0);
    }

    /// As `leave_and_work`, but looks for the last time while it has the turn.
    pub fn leave_and_look_within(&self) {
        *self.left.lock() += 1;
        self.turn
            .work_and_look_within(|| self.take_all(), || self.left() > 0);
    }

    fn take_all(&self) -> bool {
        *self.left.lock() = 0;
        true
    }

    /// Pieces that nobody has done.
    pub fn left(&self) -> u32 {
        let left = *self.left.lock();
        self.looks.fetch_add(1, Ordering::Relaxed);
        left
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}
