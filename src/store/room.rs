//! Inserting, and making the room that it needs.

use std::hint::cold_path;

use super::reservation::Reservation;
use super::search::Search;
use super::{Cell, Store, is_telling};
use crate::entry::{Block, Draft, Probe};
use crate::error::Refusal;
use crate::flight::{Ticket, Waited};
use crate::hash::KeyHash;
use crate::lineage::PlaceWord;
use crate::shares::{Full, PoolId};
use crate::stats::Counts;
use crate::stripe::{Claims, Condition, Plain, Put, Stay, Stripe, Turned, Write, cost, pool_of};
use crate::sync::MutexGuard;

/// Holds of the lock in a row that may bring nothing, before an insert is refused.
pub(super) const IDLE_PASSES: usize = 8;

impl Store {
    /// Claims the bytes of an entry that isn't built yet: how many those are.
    #[cold]
    #[inline(never)]
    pub(super) fn reserve_large(
        &self,
        cell: &Cell,
        hash: KeyHash,
        probe: Probe<'_>,
        needed: u64,
        write: &Write<'_>,
    ) -> Result<u64, Refusal> {
        let claimer = PoolId::from_bits(PlaceWord::from_bits(probe.place()).pool());
        if let Some(refusal) = self.never_fits(needed, claimer) {
            self.count_refused(&mut cell.back.lock(), claimer);
            return Err(refusal);
        }
        let mut search = Search::new(self, needed, claimer);
        loop {
            let mut stripe = cell.back.lock();
            stripe.receive(std::mem::take(&mut search.gained));
            // An update that may still be refused spares the old value, until nothing else is left to give way; but where there is never
            // room for both, the others would leave in vain.
            let may_yield = stripe.yields_to(hash, write);
            let spares = search.idle + 1 < IDLE_PASSES || !may_yield;
            let spared_key = spares.then_some((hash, &probe));
            let (claimed, progress) =
                stripe.claim(&self.env(cell), needed, spared_key, may_yield, claimer);
            if !claimed {
                search.gained = stripe.give(&self.env(cell), needed, 0);
            }
            self.finish(cell, stripe);
            if claimed {
                return Ok(needed);
            }
            if !self.search(cell, &mut search, progress) {
                let gained = std::mem::take(&mut search.gained);
                return Err(self.give_up(cell, gained, claimer));
            }
        }
    }

    fn count_refused(&self, stripe: &mut Stripe, pool: PoolId) {
        stripe.count_refused();
        self.ground.shares.count(pool, Counts::REFUSED);
    }

    /// Whether an entry of this size is claimed before it is built, and takes no memory that was kept.
    #[inline]
    pub(super) fn is_large(&self, bytes: u64) -> bool {
        bytes > self.ground.bytes.small()
    }

    /// Whether an entry of this size is not large, and nothing but others stands in its way.
    #[inline(always)]
    pub(crate) fn takes_small(&self, bytes: u64) -> bool {
        self.ground.entries.limit() > 0 && !self.is_large(bytes)
    }

    /// Links a draft under its key in one hold of the lock, which is what most inserts need. [`place`](Self::place) goes on if
    /// that wasn't enough.
    #[inline(always)]
    pub(crate) fn put(
        &self,
        hash: KeyHash,
        slot: &mut Option<Draft>,
        write: &Write<'_>,
        reservation: &mut Reservation<'_>,
    ) -> Put {
        let cell = reservation.cell;
        let mut stripe = cell.back.lock();
        reservation.settle(&mut stripe);
        let put = stripe.put(&self.env(cell), hash, slot, write, false);
        cell.shelf.fill(stripe.husks());
        self.finish_write(cell, stripe, write);
        put
    }

    /// A plain write into the cache itself: nothing more to do if it went straight on, as most do, and had nothing to replace; if not,
    /// what `put` would say, and the draft if it isn't linked.
    #[inline(always)]
    pub(crate) fn put_plain(
        &self,
        hash: KeyHash,
        draft: Draft,
        cost: u64,
        stay: Stay,
        reservation: &mut Reservation<'_>,
    ) -> Result<(), (Put, Option<Draft>)> {
        let cell = reservation.cell;
        let mut stripe = cell.back.lock();
        reservation.settle(&mut stripe);
        let env = self.env(cell);
        let straight = if stay.ends() || stripe.has_deadlines() {
            // The lock ends before the draft if the clock panics.
            let now = stripe.now(&env, stay.reading());
            stripe.put_timed(&env, hash, draft, cost, Plain { stay, load: None }, now)
        } else {
            stripe.put_straight(&env, hash, draft, cost)
        };
        match straight {
            Ok(has_left) => {
                cell.shelf.fill(stripe.husks());
                if has_left || stripe.has_leftovers() {
                    self.finish(cell, stripe);
                }
                Ok(())
            }
            Err(turned) => {
                let plain = Plain { stay, load: None };
                Err(self.put_turned(cell, stripe, hash, turned, plain))
            }
        }
    }

    /// The same of what a load brought.
    #[inline(never)]
    pub(crate) fn put_loaded(
        &self,
        hash: KeyHash,
        draft: Draft,
        cost: u64,
        plain: Plain,
        reservation: &mut Reservation<'_>,
    ) -> Result<(), (Put, Option<Draft>)> {
        let cell = reservation.cell;
        let mut stripe = cell.back.lock();
        reservation.settle(&mut stripe);
        let env = self.env(cell);
        // As above.
        let now = stripe.now(&env, plain.stay.reading());
        match stripe.put_timed(&env, hash, draft, cost, plain, now) {
            Ok(has_left) => {
                cell.shelf.fill(stripe.husks());
                if stripe.has_landing() {
                    self.finish_load(cell, stripe);
                } else if has_left || stripe.has_leftovers() {
                    self.finish(cell, stripe);
                }
                Ok(())
            }
            Err(turned) => Err(self.put_turned(cell, stripe, hash, turned, plain)),
        }
    }

    #[inline(never)]
    fn put_turned(
        &self,
        cell: &Cell,
        stripe: MutexGuard<'_, Stripe>,
        hash: KeyHash,
        turned: Turned,
        plain: Plain,
    ) -> (Put, Option<Draft>) {
        let (mut slot, write) = (Some(turned.draft), &Write::of(plain));
        // As above.
        let mut stripe = stripe;
        let env = self.env(cell);
        let put = match turned.begun {
            None => stripe.put(&env, hash, &mut slot, write, false),
            Some(begun) => stripe.land(&env, hash, &mut slot, write, false, begun),
        };
        cell.shelf.fill(stripe.husks());
        self.finish_write(cell, stripe, write);
        (put, slot)
    }

    /// As `finish`, after a write.
    #[inline(always)]
    fn finish_write(&self, cell: &Cell, stripe: MutexGuard<'_, Stripe>, write: &Write<'_>) {
        match write.condition {
            Condition::Load(_) => self.finish_load(cell, stripe),
            _ => self.finish(cell, stripe),
        }
    }

    /// The same after a load's: if that is over, those who wait are woken at last.
    #[inline(never)]
    fn finish_load(&self, cell: &Cell, mut stripe: MutexGuard<'_, Stripe>) {
        let landing = stripe.take_landing();
        self.finish(cell, stripe);
        drop(landing);
    }

    /// What becomes of a draft that `put` didn't link, or did. Gives it back if it is refused, or its condition doesn't hold.
    #[inline(never)]
    pub(crate) fn place(
        &self,
        hash: KeyHash,
        slot: Option<Draft>,
        write: &Write<'_>,
        put: Put,
    ) -> Placed {
        let (write, giver, full) = match put {
            Put::Done(replaced) => return Placed::Done(replaced),
            Put::Busy(ticket) => (behind(write, ticket), None, None),
            Put::Short { giver, full, .. } => (*write, giver, full),
            put => return Placed::of(put, slot),
        };
        self.insert_slowly(self.cell(hash), hash, slot, write, (giver, full))
    }

    /// Why an entry of this cost can't be stored, however much is evicted; then it is counted as refused.
    #[inline(always)]
    pub(crate) fn refuses(&self, hash: KeyHash, cost: u64, pool: PoolId) -> Option<Refusal> {
        let refusal = self.never_fits(cost, pool);
        if refusal.is_some() {
            cold_path();
            self.count_refused(&mut self.cell(hash).back.lock(), pool);
        }
        refusal
    }

    /// Why an entry of this size can't be stored, however much is evicted.
    #[inline]
    fn never_fits(&self, bytes: u64, pool: PoolId) -> Option<Refusal> {
        let may_fit = self.ground.entries.max() > 0 && bytes <= self.ground.bytes.largest();
        if may_fit && pool == PoolId::ROOT {
            return None;
        }
        self.seldom_fits(bytes, pool)
    }

    #[cold]
    fn seldom_fits(&self, bytes: u64, pool: PoolId) -> Option<Refusal> {
        if self.ground.entries.max() == 0 || self.ground.bytes.max() == 0 {
            return Some(Refusal::NoCapacity);
        }
        if bytes > self.ground.bytes.largest() {
            return Some(self.too_large(bytes));
        }
        if pool == PoolId::ROOT {
            return None;
        }
        if self.ground.shares.most_entries(pool) == 0 {
            return Some(Refusal::NoCapacity);
        }
        let bytes_max = self.ground.shares.most(pool);
        (bytes > bytes_max).then_some(Refusal::TooLarge { bytes, bytes_max })
    }

    /// Frees what was evicted, then takes from other stripes, until the draft fits or nothing helps.
    #[cold]
    #[inline(never)]
    fn insert_slowly(
        &self,
        cell: &Cell,
        hash: KeyHash,
        mut slot: Option<Draft>,
        mut write: Write<'_>,
        missing: (Option<PoolId>, Option<Full>),
    ) -> Placed {
        let draft = slot.as_ref().expect("it is not linked yet").as_ref();
        let claimer = pool_of(draft);
        let mut search = Search::new(self, cost(draft), claimer);
        (search.giver, search.full) = missing;
        let mut progress = true;
        while self.search(cell, &mut search, progress) {
            let mut stripe = cell.back.lock();
            stripe.receive(std::mem::take(&mut search.gained));
            // At last, the old value gives way to its successor.
            let yielding = search.idle + 1 == IDLE_PASSES && write.may_yield();
            let put = stripe.put(&self.env(cell), hash, &mut slot, &write, yielding);
            if matches!(put, Put::Short { .. } | Put::Busy(_)) {
                // What was found so far stays this insert's, so that small ones don't starve a large one.
                search.gained = stripe.give(&self.env(cell), search.wanted, 1);
            }
            self.finish_write(cell, stripe, &write);
            match put {
                Put::Busy(ticket) => write = behind(&write, ticket),
                Put::Short {
                    progress: more,
                    giver,
                    full,
                } => {
                    (progress, search.giver, search.full) = (more, giver, full);
                    let is_short_of_bytes = !progress && full.is_none();
                    if is_short_of_bytes && search.gained.bytes >= search.wanted {
                        // What the entry takes is there: the stripe's structure has to grow with it.
                        search.wanted = (2 * search.wanted).min(self.ground.bytes.largest());
                    }
                }
                put => return Placed::of(put, slot),
            }
        }
        let refusal = self.give_up(cell, std::mem::take(&mut search.gained), claimer);
        let draft = slot.expect("it is not linked");
        Placed::Refused { draft, refusal }
    }

    fn give_up(&self, cell: &Cell, gained: Claims, pool: PoolId) -> Refusal {
        let mut stripe = cell.back.lock();
        stripe.receive(gained);
        self.count_refused(&mut stripe, pool);
        stripe.trim_all(&self.env(cell));
        self.finish(cell, stripe);
        Refusal::NoRoom
    }

    /// Looks at what waits in a stripe now, its listener first; with `waits`, also if another thread is telling it.
    /// Whether anything was freed.
    pub(super) fn flush(&self, cell: &Cell, waits: bool) -> bool {
        let mut stripe = cell.back.lock();
        let tells = stripe.has_told();
        drop(stripe);
        if tells {
            self.tell(cell, waits);
        }
        stripe = cell.back.lock();
        let batch = self.take_batch(cell, &mut stripe, true);
        drop(stripe);
        let freed = batch.is_some_and(|batch| self.reclaim(cell, batch));
        self.drop_husks(cell) || freed
    }
}

/// How an insert ended.
pub(crate) enum Placed {
    /// Linked; a count of the value that it replaced.
    Done(Option<Block>),
    /// The condition doesn't hold; a count of the present value.
    Unmet {
        draft: Draft,
        present: Option<Block>,
    },
    /// The life of the scope that it was for has ended since the call began.
    Ended {
        draft: Draft,
    },
    Refused {
        draft: Draft,
        refusal: Refusal,
    },
}

impl Placed {
    /// What came of a `put` that is not to be tried again.
    fn of(put: Put, slot: Option<Draft>) -> Placed {
        match (put, slot) {
            (Put::Done(replaced), _) => Placed::Done(replaced),
            (Put::Unmet(present), Some(draft)) => Placed::Unmet { draft, present },
            (_, Some(draft)) => Placed::Ended { draft },
            (_, None) => unreachable!("a draft that is not linked is there still"),
        }
    }
}

/// Waits for the computation that is alone with a key, unless that waits for this thread; once, since waiting is a courtesy.
fn behind<'a>(write: &Write<'a>, ticket: Ticket) -> Write<'a> {
    if !is_telling() {
        let waited = ticket.wait(None);
        debug_assert_ne!(waited, Waited::Leads, "who is alone never passes on");
    }
    Write {
        is_alone: true,
        ..*write
    }
}
