//! The search of one insert for room, from one hold of a lock to the next.

use super::Store;
use crate::shares::{Full, PoolId};
use crate::stripe::Claims;

/// The search of one insert for room. What it has gained goes back when it is dropped.
pub(super) struct Search<'s> {
    store: &'s Store,
    /// What the entry takes.
    pub(super) needed: u64,
    /// What is gathered for it, with what the structure of its stripe may take besides.
    pub(super) wanted: u64,
    /// For whom.
    pub(super) claimer: PoolId,
    /// Whose turn it is to give way.
    pub(super) giver: Option<PoolId>,
    /// The pool's maximum that was met last, if it was one: then nobody else's bytes are of use.
    pub(super) full: Option<Full>,
    pub(super) gained: Claims,
    pub(super) pass: usize,
    /// Passes in a row that brought nothing.
    pub(super) idle: usize,
    pub(super) n_yields: usize,
}

impl Search<'_> {
    pub(super) fn new(store: &Store, needed: u64, claimer: PoolId) -> Search<'_> {
        Search {
            store,
            needed,
            wanted: needed,
            claimer,
            giver: None,
            full: None,
            gained: Claims::default(),
            pass: 0,
            idle: 0,
            n_yields: 0,
        }
    }
}

impl Drop for Search<'_> {
    fn drop(&mut self) {
        let Claims { bytes, entries } = self.gained;
        self.store.bytes.give_back(bytes);
        self.store.entries.give_back(entries);
    }
}
