//! What a tenant's lock protects: the meter, and who holds leases.
//!
//! # Idea         one visitor at a time; it calls in its own lease, all leases when the period is over or somebody would be refused,
//!   and then the meter decides. On its way out it may leave leases, in the two cells at home or, when threads crowd there, in
//!   its own cell
//! # Costs        the meter's arithmetic; calling in: one atomic operation a lease
//! # Invariants   LD1 the meter settles only when no lease is out, at a time that was read after the last of them came in; LD2 while a
//!   tenant is tight there are no leases, and the board shows the meter
//! # Not here     the lock, clocks

use std::mem::offset_of;

use super::board::LateBoard;
use super::cells::{Cell, Cells, HALF_MAX};
use super::home::LINE;
use super::watch::Watch;
use crate::gcra::{Hold, METER_WORDS, Meter, Pace, Wait};
use crate::sync::atomic::{AtomicU8, Ordering};

/// The longest period. What is used in it is taken as used at its end (LI4).
const PERIOD_MAX_NS: u64 = 32_000_000;

/// A period is at most this part of what the smaller burst takes to fill.
const PERIOD_PART: u64 = 16;

/// Periods that are at least this long, a few ticks of the kernel, are watched by the coarse clock.
const COARSE_PERIOD_NS: u64 = 16_000_000;

/// In a shorter period a lease isn't worth its making.
const LEASE_PERIOD_MIN_NS: u64 = 10_000;

/// A lease in a thread's own cell is this part of what is left; one at home is half of it.
const LEASE_PART: u64 = 4;

/// A lease holds at least so many costs like the visitor's.
const LEASE_COSTS_MIN: u64 = 8;

/// A tenant at its limit is taken as being off it when this part of each burst is there again.
const LOOSE_PART: u128 = 8;

/// A visit so soon after the last period makes a lease worth it.
const BUSY_NS: u64 = 3 * PERIOD_MAX_NS;

/// The number of the first cell at home among the leases, above those of all cells; that of the second one follows.
pub(super) const HOME: usize = super::cells::CELLS_MAX;

/// The leases at home.
const AT_HOME: u64 = 0b11 << HOME;

/// What a tenant's lock protects.
// Packed to words, as the meter is. In this order: what each visit writes lies together, so that a visitor takes over few lines from
// the one before it.
#[derive(Clone, Copy, Debug)]
#[repr(C, packed(8))]
pub(super) struct Desk {
    is_coarse: bool,
    is_tight: bool,
    is_spread: bool,
    /// Whether the running visit came soon after the last one, or something of the last leases was used.
    is_busy: bool,
    /// How often the rates were set.
    era: u32,
    /// The leases that are out, a bit each, and those that were since `counted_since`.
    lent: u64,
    lent_lately: u64,
    counted_since: u64,
    meter: Meter,
    period_ns: u64,
    /// All units that holds have given back, wrapping.
    returned: [u128; 2],
}

// Two lines at best, three where the lock isn't at the beginning of one; its word is included.
const _: () = assert!(8 + offset_of!(Desk, meter) + Meter::N_WRITTEN <= 2 * LINE);

/// A hold, and what the desk needs to end it.
#[derive(Debug)]
pub(super) struct DeskHold {
    hold: Hold,
    era: u32,
    returned: [u128; 2],
}

impl DeskHold {
    /// Whether ending it by that use would change nothing.
    pub(super) fn is(&self, used: [u64; 2]) -> bool {
        self.hold.is(used)
    }
}

/// What a visitor works on besides the desk.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) home: [&'a Cell; 2],
    pub(super) cells: Option<&'a Cells>,
    pub(super) board: &'a LateBoard<METER_WORDS>,
    pub(super) watch: &'a dyn Watch,
    /// The visitor's cell at home, from [`HOME`] on, and its own; the same before there are others.
    pub(super) home_idx: usize,
    pub(super) idx: usize,
    /// Races in this period.
    pub(super) n_races: &'a AtomicU8,
    /// Whether there were so many, and cells for it, that leases should be spread.
    pub(super) is_crowded: bool,
}

impl<'a> Surroundings<'a> {
    fn cell(&self, idx: usize) -> Option<&'a Cell> {
        match idx.checked_sub(HOME) {
            Some(at) => self.home.get(at).copied(),
            None => self.cells.and_then(|cells| cells.get(idx)),
        }
    }
}

impl Desk {
    pub(super) fn new(paces: [Pace; 2]) -> Desk {
        let mut desk = Desk {
            meter: Meter::new(paces, 0),
            lent: 0,
            lent_lately: 0,
            counted_since: 0,
            period_ns: 0,
            is_coarse: false,
            is_tight: false,
            is_spread: false,
            is_busy: false,
            era: 0,
            returned: [0; 2],
        };
        desk.measure();
        desk
    }

    #[cfg(test)]
    pub(super) fn has_leases(&self) -> bool {
        self.lent != 0
    }

    pub(super) fn is_tight(&self) -> bool {
        self.is_tight
    }

    pub(super) fn is_spread(&self) -> bool {
        self.is_spread
    }

    pub(super) fn is_coarse(&self) -> bool {
        self.is_coarse
    }

    pub(super) fn paces(&self) -> [Pace; 2] {
        self.meter.paces()
    }

    /// Admits by an exact reading, or says why not.
    pub(super) fn admit(
        &mut self,
        now: u64,
        cost: [u64; 2],
        with: Surroundings<'_>,
    ) -> Result<(), (usize, Wait)> {
        self.begin(now, with);
        if self.lent != 0 {
            if self.meter.try_give(now, cost) {
                return Ok(());
            }
            self.call_in_all(now, with);
        }
        let answer = self.meter.try_take(cost);
        self.show(with, answer.is_err());
        answer
    }

    /// Why a cost would be refused, if it would. Leases are called in only if it could depend on them.
    pub(super) fn refusal(
        &mut self,
        now: u64,
        cost: [u64; 2],
        with: Surroundings<'_>,
    ) -> Option<(usize, Wait)> {
        if self.lent != 0 {
            if self.meter.fits(now, cost) {
                return None;
            }
            self.call_in_all(now, with);
            self.show(with, false);
        }
        self.meter.refusal(now, cost)
    }

    /// Counts a cost whether it fits or not.
    pub(super) fn charge(&mut self, now: u64, cost: [u64; 2], with: Surroundings<'_>) {
        if self.admit(now, cost, with).is_err() {
            let is_in_debt = self.meter.charge(cost);
            self.show(with, is_in_debt);
        }
    }

    /// Admits for the moment.
    pub(super) fn hold(
        &mut self,
        now: u64,
        cost: [u64; 2],
        with: Surroundings<'_>,
    ) -> Result<DeskHold, (usize, Wait)> {
        self.call_in_all(now, with);
        let answer = self.meter.hold(cost);
        self.show(with, answer.is_err());
        Ok(DeskHold {
            hold: answer?,
            era: self.era,
            returned: self.returned,
        })
    }

    /// Ends a hold by what was used of it.
    pub(super) fn end_hold(
        &mut self,
        now: u64,
        hold: &DeskHold,
        used: [u64; 2],
        with: Surroundings<'_>,
    ) {
        self.call_in_all(now, with);
        if hold.era != self.era {
            // Its levels are in units that are gone: what was held counts as used.
            let is_in_debt = self.meter.charge(hold.hold.beyond(used));
            self.show(with, is_in_debt);
            return;
        }
        let since = [0, 1].map(|at| self.returned[at].wrapping_sub(hold.returned[at]));
        let (back, is_in_debt) = self.meter.end_hold(&hold.hold, used, since);
        self.returned = [0, 1].map(|at| self.returned[at].wrapping_add(back[at]));
        self.show(with, is_in_debt);
    }

    /// Changes the rates; what is used stays used.
    pub(super) fn set_paces(&mut self, now: u64, paces: [Pace; 2], with: Surroundings<'_>) {
        self.call_in_all(now, with);
        self.meter.set_paces(paces);
        self.era = self.era.wrapping_add(1);
        self.is_tight = false;
        with.board.retire();
        self.measure();
    }

    /// Lends what is left to all who come by at home, or a part of it to the visitor alone; the end of the leases, if there are some.
    pub(super) fn lend(&mut self, now: u64, cost: [u64; 2], with: Surroundings<'_>) -> Option<u64> {
        let is_worth_it = self.is_busy && !self.is_tight && self.period_ns >= LEASE_PERIOD_MIN_NS;
        if !is_worth_it || with.watch.lag_ns() == 0 {
            return None;
        }
        let (to, part) = if self.is_spread {
            (1 << with.idx, LEASE_PART)
        } else {
            (AT_HOME, 2)
        };
        let mut to = to & !self.lent;
        let lease = self
            .meter
            .spare(now)
            .map(|spare| (spare / part).min(HALF_MAX));
        let enough = [cost[0].max(1), cost[1]].map(|cost| cost.saturating_mul(LEASE_COSTS_MIN));
        if to == 0 || lease[0] < enough[0] || lease[1] < enough[1] {
            return None;
        }
        self.lent |= to;
        self.lent_lately |= to;
        while to != 0 {
            let cell = with.cell(to.trailing_zeros() as usize)?;
            self.meter.lend(lease);
            cell.lend(lease);
            to &= to - 1;
        }
        Some(self.period_end())
    }

    /// What each visit begins with.
    fn begin(&mut self, now: u64, with: Surroundings<'_>) {
        let is_running = now < self.period_end();
        self.is_busy = now < self.period_end().saturating_add(BUSY_NS);
        if now.saturating_sub(self.counted_since) >= PERIOD_MAX_NS {
            self.is_busy |= self.call_in_all(now, with);
            let is_shared = self.is_spread && self.lent_lately.count_ones() > 1;
            self.is_spread = with.is_crowded || is_shared;
            self.lent_lately = 0;
            // Not written for nothing: it isn't among what each visit writes.
            if with.n_races.load(Ordering::Relaxed) != 0 {
                with.n_races.store(0, Ordering::Relaxed);
            }
            self.counted_since = now;
            return;
        }
        self.call_in(1 << with.home_idx | 1 << with.idx, with);
        if self.lent == 0 || !is_running {
            self.is_busy |= self.call_in_all(now, with);
        }
    }

    /// Calls in all leases, and settles the meter; whether something of what was handed out was used.
    fn call_in_all(&mut self, now: u64, with: Surroundings<'_>) -> bool {
        self.call_in(u64::MAX, with);
        // Others may have used what they had on loan since the visitor read the time. It was on loan until now, and sinks from now on.
        let was_used = !self.meter.is_settled();
        let now = if was_used { with.watch.exact() } else { now };
        let grace_ns = self.period_ns.saturating_add(with.watch.lag_ns());
        self.meter.settle(now, grace_ns);
        was_used
    }

    /// Calls in some of the leases.
    fn call_in(&mut self, leases: u64, with: Surroundings<'_>) {
        let mut due = self.lent & leases;
        self.lent &= !leases;
        while due != 0 {
            let idx = due.trailing_zeros() as usize;
            due &= due - 1;
            // Cells stay as long as the tenant, so what was lent from one is found.
            let Some(cell) = with.cell(idx) else { continue };
            self.meter.put_back(cell.call_in());
        }
    }

    /// Begins and ends being tight, and keeps the board (LD2). The meter is settled.
    fn show(&mut self, with: Surroundings<'_>, is_short: bool) {
        if is_short {
            self.is_tight = true;
        } else if !self.is_tight {
            return;
        } else if self.meter.has_part(self.meter.settled_at(), LOOSE_PART) {
            self.is_tight = false;
            with.board.retire();
            return;
        }
        with.board.show(&self.meter.to_words());
    }

    fn period_end(&self) -> u64 {
        self.meter.settled_at().saturating_add(self.period_ns)
    }

    /// Follows new paces.
    fn measure(&mut self) {
        let [ops, bytes] = self.meter.paces();
        let fill_ns = ops.fill_ns().min(bytes.fill_ns());
        self.period_ns = (fill_ns / PERIOD_PART).min(PERIOD_MAX_NS);
        self.is_coarse = self.period_ns >= COARSE_PERIOD_NS;
    }
}
