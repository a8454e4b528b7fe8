//! Bytes that go from a cache to others of its budget, and come from them.

use super::search::Search;
use super::{Cell, EVICT_ELSEWHERE, Store};
use crate::budget::Budget;
use crate::shares::{PoolId, ShareError};
use crate::stripe::{Claims, Stripe};
use crate::sync::MutexGuard;
use crate::sync::atomic::Ordering;

/// Walks over all stripes for one caller that wants bytes.
const ROUNDS: usize = 4;

impl Store {
    /// Evicts a few entries of a stripe, and takes what the stripe can spare of a claimer's need. What that is, and whether anything was
    /// done.
    pub(super) fn take_from(
        &self,
        cell: &Cell,
        mut stripe: MutexGuard<'_, Stripe>,
        claimer: PoolId,
        missing: Claims,
    ) -> (Claims, bool) {
        let now = self.ground.time.coarse_now();
        let evicted = stripe.make_room(&self.env(cell), EVICT_ELSEWHERE, claimer, None, now);
        let given = stripe.give(&self.env(cell), missing.bytes, missing.entries);
        self.settle_due(cell, stripe);
        let freed = self.flush(cell, true);
        (given, evicted || given.bytes > 0 || freed)
    }

    /// What bytes are claimed from.
    pub(crate) fn account(&self) -> &Budget {
        &self.ground.bytes
    }

    /// Gives bytes up for other caches of the budget: what isn't used; if it `evicts`, what entries take, from one stripe after the
    /// other. How many. No lock may be held.
    pub(crate) fn lend(&self, bytes: u64, evicts: bool) -> u64 {
        let mut lent = self.ground.bytes.lend_unused(bytes);
        if !evicts {
            return lent;
        }
        let mut before = lent;
        for n in 1..=ROUNDS * self.cells.len() {
            if lent >= bytes {
                break;
            }
            let turn = self.lends_next.fetch_add(1, Ordering::Relaxed) as usize;
            let cell = &self.cells[turn % self.cells.len()];
            let missing = Claims {
                bytes: bytes - lent,
                entries: 0,
            };
            let (given, _) = self.take_from(cell, cell.back.lock(), PoolId::ROOT, missing);
            self.ground.bytes.lend_claimed(given.bytes);
            lent += given.bytes;
            lent += self.ground.bytes.lend_unused(bytes - lent);
            if n.is_multiple_of(self.cells.len()) {
                if lent == before {
                    // What is left is structure, or held by readers.
                    break;
                }
                before = lent;
            }
        }
        lent
    }

    /// Collects bytes from the other caches of the budget for one search, which keeps what there is of them. Whether that is any.
    pub(super) fn borrow(&self, search: &mut Search<'_>) -> bool {
        let missing = search.wanted.saturating_sub(search.gained.bytes);
        let Some(seat) = self.common.as_ref().filter(|_| missing > 0) else {
            return false;
        };
        seat.collect(
            &self.ground.bytes,
            missing,
            self.ground.bytes.is_owed(missing),
        );
        let claimed = self.ground.bytes.claim_up_to(missing);
        search.gained.bytes += claimed;
        claimed > 0
    }

    /// What this cache owes to its budget, and what is owed to it, a chunk at a time. Whether there is more.
    #[cold]
    pub(super) fn balance(&self) -> bool {
        let Some(seat) = &self.common else {
            return false;
        };
        let purse = seat.purse();
        if self.ground.bytes.is_owed(0) {
            seat.collect(&self.ground.bytes, 0, true);
            // Before a faster writer has it.
            self.ground.bytes.take_chunk();
        }
        let due = || purse.debt().min(self.ground.bytes.surplus());
        if due() == 0 {
            return false;
        }
        self.lend(due().min(purse.chunk()), true) > 0 && due() > 0
    }

    /// Follows the share of the budget; what tenants are guaranteed, if that is more.
    pub(crate) fn follow_share(&self, share: u64) -> Result<(), u64> {
        match self.ground.shares.set_capacity(share) {
            Err(ShareError::AboveCapacity { guaranteed, .. }) => Err(guaranteed),
            _ => Ok(()),
        }
    }
}
