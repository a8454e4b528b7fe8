//! The search of one insert for room, from one hold of a lock to the next.

use crate::shares::PoolId;
use crate::stripe::Claims;

/// The search of one insert for room.
pub(super) struct Search {
    /// What the entry takes.
    pub(super) needed: u64,
    /// What is gathered for it, with what the structure of its stripe may take besides.
    pub(super) wanted: u64,
    /// For whom.
    pub(super) claimer: PoolId,
    /// Whose turn it is to give way.
    pub(super) giver: Option<PoolId>,
    pub(super) gained: Claims,
    pub(super) pass: usize,
    /// Passes in a row that brought nothing.
    pub(super) idle: usize,
    pub(super) n_yields: usize,
}

impl Search {
    pub(super) fn new(needed: u64, claimer: PoolId) -> Search {
        Search {
            needed,
            wanted: needed,
            claimer,
            giver: None,
            gained: Claims::default(),
            pass: 0,
            idle: 0,
            n_yields: 0,
        }
    }
}
