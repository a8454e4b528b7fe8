//! The policy's tables, which are made for a number of entries: when others are due, and how those come in.
//!
//! # Idea         who finds in a hold of the lock that they don't fit any more takes them out, frees them once it has unlocked, makes others,
//!   and brings those in with another hold. Until then the policy chooses by what it has learned, and remembers no keys
//! # Costs        a comparison for an eviction. To take them out and in: a few words, however large they are. To free and to make them, without
//!   the lock: in proportion to the entries
//! # Invariants   F1 one set of tables is out at a time; F2 while it is, what is charged is no less than either those that were there or those
//!   that come, and never are both in memory
//! # Not here     what they hold: module `policy`; the unlocking: module `store`

use super::{Env, Stripe};
use crate::policy::{Newcomers, Tables};
use crate::table::Loc;

/// The policy is not made smaller than for so many entries.
const MEANT_FOR_MIN: usize = 16;

/// The tables of a stripe, while they are out.
#[derive(Debug)]
pub(crate) struct Refit {
    /// The entries for which others are to be made.
    entries: usize,
    tables: Tables,
    newcomers: Newcomers<Loc>,
}

impl Refit {
    /// Frees those that came out, and makes those that are to come in. Without the lock: to free large tables takes the kernel long, and
    /// the first large block after many small ones that were freed takes the allocator longer.
    pub(crate) fn renew(&mut self) {
        // All of them before any is made (F2).
        (self.tables, self.newcomers) = (Tables::default(), Newcomers::new());
        self.tables = Tables::for_entries(self.entries);
        self.newcomers = Newcomers::for_entries(self.entries);
    }
}

impl Stripe {
    /// Has the policy's memory fit the number of entries, with room to move before it's done again.
    #[inline]
    pub(super) fn fit_policy(&mut self, env: &Env<'_>) {
        let (len, capacity) = (self.table.len(), self.policy.capacity());
        if capacity == 0 {
            // What readers noted until now was of entries among which nothing had to be chosen.
            env.front.notes.take(&mut self.tails, |_| ());
        }
        // At a capacity of zero, before the first eviction, whatever the number.
        if len >= 2 * capacity || 4 * len.max(MEANT_FOR_MIN) < capacity {
            self.fit_policy_to(len.max(1));
        }
    }

    /// Gives the policy's memory back once few entries are left.
    pub(crate) fn shrink_policy(&mut self) {
        if 4 * self.table.len().max(MEANT_FOR_MIN) < self.policy.capacity() {
            self.fit_policy_to(self.table.len().max(1));
        }
    }

    #[inline(never)]
    fn fit_policy_to(&mut self, entries: usize) {
        if self.policy.is_bare() {
            // F1: those that are out come first.
            return;
        }
        self.has_grown = true;
        // F2: the new ones take no more than so many entries are charged for them.
        self.policy_bytes = self.policy_bytes.max(self.covered_bytes());
        self.pending.refit = Some(Box::new(Refit {
            entries,
            tables: self.policy.shed(entries),
            newcomers: std::mem::replace(&mut self.newcomers, Newcomers::new()),
        }));
        self.segments_due = 0;
    }

    /// Takes the tables in that were made. What `refit` is left with is empty.
    pub(crate) fn furnish(&mut self, env: &Env<'_>, refit: &mut Refit) {
        self.policy.furnish(std::mem::take(&mut refit.tables));
        std::mem::swap(&mut self.newcomers, &mut refit.newcomers);
        let bytes = (self.policy.memory_bytes() + self.newcomers.memory_bytes()) as u64;
        debug_assert!(bytes <= self.policy_bytes, "F2");
        self.policy_bytes = bytes;
        self.claim_structure(env);
    }
}
