//! After the lock: freeing what no reader names; the bounds; the end.

use std::cell::Cell as ThreadCell;

use super::tell::Telling;
use super::{Cell, Store};
use crate::contain::contain;
use crate::entry::{Block, Husk, Husks};
use crate::error::BuildError;
use crate::reclaim::DOMAIN;
use crate::shares::ShareError;
use crate::stripe::{Batch, FREE_PER_CALL, Refit, Stripe, cost};
use crate::sync::atomic::Ordering;
use crate::sync::{planted, prefetch};

/// Blocks that are asked for before it's their turn to be freed.
const LOOK_AHEAD: usize = 6;
/// Husks that a stripe keeps.
const HUSKS_MAX: usize = 256;
/// ... and at most this part of the stripe's allowance for garbage.
const HUSK_SHARE: u64 = 4;

thread_local! {
    /// Batches that this thread is freeing; more than one where a value's drop calls a cache.
    static FREEING: ThreadCell<u32> = const { ThreadCell::new(0) };
}

/// A batch on its way from a stripe to the allocator.
pub(super) struct Flight<'c> {
    batch: Batch,
    /// Blocks that are freed now; the others wait for the next calls.
    free_max: usize,
    in_flight: InFlight<'c>,
}

/// Notes that a batch of a stripe is being looked at, so that who waits for its bytes knows that they are coming.
struct InFlight<'c>(&'c Cell);

impl InFlight<'_> {
    fn of(cell: &Cell) -> InFlight<'_> {
        cell.in_flight.fetch_add(1, Ordering::Relaxed);
        FREEING.set(FREEING.get() + 1);
        InFlight(cell)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        FREEING.set(FREEING.get() - 1);
    }
}

impl Store {
    /// Whether another thread is freeing something, which this one isn't in the midst of itself.
    pub(super) fn others_are_freeing(&self) -> bool {
        FREEING.get() == 0
            && self
                .cells
                .iter()
                .any(|cell| cell.in_flight.load(Ordering::Relaxed) > 0)
    }

    /// What waits in a stripe, if it is enough for a look, or `at_once`. It is in flight from here on.
    pub(super) fn take_batch<'c>(
        &self,
        cell: &'c Cell,
        stripe: &mut Stripe,
        at_once: bool,
    ) -> Option<Flight<'c>> {
        let batch = stripe.take_batch(at_once);
        batch.map(|batch| Flight {
            batch,
            free_max: if at_once { usize::MAX } else { FREE_PER_CALL },
            in_flight: InFlight::of(cell),
        })
    }

    /// Frees what no reader names, as much of it as the flight may. Whether anything was freed.
    pub(super) fn reclaim(&self, cell: &Cell, flight: Flight<'_>) -> bool {
        let Flight {
            batch,
            free_max,
            in_flight,
        } = flight;
        drop(batch.lives);
        let has_refit = batch.refit.is_some();
        let mut left = Batch {
            cleared: batch.cleared,
            ..Batch::default()
        };
        let mut freed = 0;
        let has_looked = !batch.blocks.is_empty() || !batch.segments.is_empty();
        if has_looked {
            let named = DOMAIN.look();
            let is_named = |pointer: *mut u8| named.as_ref().is_none_or(|named| named.has(pointer));
            for block in batch.blocks {
                if is_named(block.as_ref().as_ptr().cast()) {
                    left.blocks.push(block);
                } else {
                    left.cleared.push(block);
                }
            }
            for segment in batch.segments {
                if is_named(segment.as_ptr().cast()) {
                    left.segments.push(segment);
                } else {
                    freed += segment.bytes();
                    // SAFETY: retired before the look above, which didn't name it.
                    #[allow(unsafe_code)]
                    unsafe {
                        segment.free();
                    }
                }
            }
        }
        let n_later = left.cleared.len().saturating_sub(free_max);
        let (husks, freed_blocks) = self.release_all(left.cleared.split_off(n_later));
        freed += freed_blocks;
        let mut stripe = cell.back.lock();
        let kept = husks.bytes();
        stripe.settle(&self.env(cell), freed - kept, kept, left, has_looked);
        let declined = self.keep(&mut stripe, husks);
        drop(stripe);
        // After what is freed for those who wait for its bytes, since it may take long.
        if let Some(refit) = batch.refit {
            self.refit(cell, refit);
        }
        drop(in_flight);
        self.end_husks(cell, declined);
        freed > 0 || has_refit
    }

    /// Brings tables for a stripe's policy that fit its entries, in the place of those that came out.
    #[inline(never)]
    fn refit(&self, cell: &Cell, mut refit: Box<Refit>) {
        refit.renew();
        cell.back.lock().furnish(&self.env(cell), &mut refit);
    }

    /// Ends the cache's counts of blocks that no reader names; memory that may be kept, and what they were charged.
    fn release_all(&self, blocks: Vec<Block>) -> (Husks, u64) {
        let mut husks = Husks::default();
        let husks_bytes_max = self.husks_bytes_max();
        let mut freed = 0;
        let mut blocks = blocks.into_iter();
        while let Some(block) = blocks.next() {
            if let Some(ahead) = blocks.as_slice().get(LOOK_AHEAD) {
                prefetch(ahead.as_ref().as_ptr());
            }
            freed += cost(block.as_ref());
            if let Some(husk) = self.release_quietly(block)
                && !self.is_large(husk.bytes())
                && husks.len() < HUSKS_MAX
                && husks.bytes() + husk.bytes() <= husks_bytes_max
            {
                husks.push(husk);
            }
        }
        (husks, freed)
    }

    fn husks_bytes_max(&self) -> u64 {
        self.ground.bytes.allowance() / HUSK_SHARE
    }

    /// Keeps memory for the stripe's next blocks, as far as it may; gives back what isn't kept, still charged. In the hold of the lock in
    /// which it is accounted for.
    fn keep(&self, stripe: &mut Stripe, husks: Husks) -> Husks {
        let kept = stripe.husks();
        if kept.len() + husks.len() > HUSKS_MAX
            || kept.bytes() + husks.bytes() > self.husks_bytes_max()
        {
            return husks;
        }
        kept.append(husks);
        Husks::default()
    }

    /// Frees memory that was kept; its charge ends afterwards.
    fn end_husks(&self, cell: &Cell, husks: Husks) {
        let bytes = husks.bytes();
        drop(husks);
        if bytes > 0 {
            cell.back.lock().reuse(bytes);
        }
    }

    /// Frees the memory that is kept for a stripe's next blocks. Whether there was any.
    pub(super) fn drop_husks(&self, cell: &Cell) -> bool {
        let mut husks = std::mem::take(cell.back.lock().husks());
        if let Some(husk) = cell.shelf.take() {
            husks.push(husk);
        }
        let any = husks.len() > 0;
        self.end_husks(cell, husks);
        any
    }

    /// Ends the cache's own count. A panic in the value's drop is contained and counted.
    pub(crate) fn release_quietly(&self, block: Block) -> Option<Husk> {
        self.contain(|| self.releaser.release(block)).flatten()
    }

    /// Runs user code whose panic must not reach the caller, who has nothing to do with it.
    pub(crate) fn contain<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        let answer = contain(f);
        if answer.is_none() {
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// Sets the bounds; what is above them leaves with the following writes, and with maintenance.
    pub(crate) fn set_bounds(
        &self,
        max_bytes: Option<u64>,
        max_entries: Option<u64>,
    ) -> Result<(), BuildError> {
        if max_bytes.is_some() && self.common.is_some() {
            return Err(BuildError::OfBudget);
        }
        let by_bytes = max_bytes.is_some() || self.common.is_some();
        if self.bounded != (by_bytes, max_entries.is_some()) {
            return Err(BuildError::OtherBound);
        }
        // One change at a time, since each is of several words.
        let turn = self.resizing.lock();
        if let Some(max) = max_bytes {
            if let Err(ShareError::AboveCapacity { guaranteed, .. }) =
                self.ground.shares.set_capacity(max)
            {
                return Err(BuildError::BelowGuarantees { guaranteed });
            }
            self.ground.bytes.set_max(max);
        }
        if let Some(max) = max_entries {
            self.ground.entries.set_max(max);
        }
        drop(turn);
        if self.ground.is_above() {
            for cell in &self.cells {
                let mut stripe = cell.back.lock();
                stripe.expect_evictions(&self.env(cell));
                self.finish(cell, stripe);
            }
        }
        Ok(())
    }

    /// The bytes that are charged. Summed up from all claims, less those for what comes next: the sum of what stripes
    /// hold, each at another moment, might count an entry twice.
    pub(crate) fn charged_bytes(&self) -> u64 {
        let used = self.ground.bytes.used();
        let idle: u64 = self
            .cells
            .iter()
            .map(|cell| cell.back.lock().idle_bytes())
            .sum();
        used.saturating_sub(idle)
    }

    pub(crate) fn bounds(&self) -> (Option<u64>, Option<u64>) {
        let (by_bytes, by_entries) = self.bounded;
        (
            by_bytes.then(|| self.ground.bytes.max()),
            by_entries.then(|| self.ground.entries.max()),
        )
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        for cell in &self.cells {
            let mut stripe = cell.back.lock();
            let (batch, told) = stripe.drain(&cell.front.table);
            drop(stripe);
            if planted!(End) {
                continue;
            }
            for (block, cause) in told {
                if let Some(listener) = &self.listener {
                    let telling = Telling::of(self);
                    self.contain(|| {
                        listener(block.as_ref(), self.last_left(block.as_ref()), cause)
                    });
                    drop(telling);
                }
                self.release_quietly(block);
            }
            for block in batch.blocks.into_iter().chain(batch.cleared) {
                self.release_quietly(block);
            }
            for segment in batch.segments {
                // SAFETY: the store is being dropped, so no reader is inside it.
                #[allow(unsafe_code)]
                unsafe {
                    segment.free();
                }
            }
        }
        if let Some(seat) = &self.common {
            seat.purse().put(self.ground.bytes.given());
        }
    }
}
