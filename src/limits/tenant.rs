//! One tenant's rates: homes and cells before the desk, the board beside it.
//!
//! # Idea         the quick ways are here, what the lock protects is in `desk`
//! # Costs        see the module above
//! # Invariants   LT1 a user's clock is not read under the lock: it is read there for what was lent, and by such a clock nothing is; LT2 the
//!   flags change under the lock; who reads them stale takes a longer way to the same answer
//! # Not here     arithmetic

use std::mem::offset_of;

use super::board::LateBoard;
use super::cells::{CELLS_MAX, Cell, Cells, HALF_MAX, Taken};
use super::desk::{Desk, DeskHold, HOME, Surroundings};
use super::home::{APART, Home, LINE};
use super::rates::{LimitExceeded, Rates};
use super::terms::{
    FLAGS, FREE_BYTES, OPEN, SELDOM, SPREAD, TIGHT, flags, is_in_force, is_in_force_coarsely,
};
use super::watch::Watch;
use crate::gcra::{METER_WORDS, Meter, Wait};
use crate::reclaim::{thread_number, thread_number_so_far};
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::{Mutex, MutexGuard, OnceLock, prefetch_to_write};

/// Races at home, or for the lock, in one period that make a tenant spread its leases.
const CROWD: u8 = 16;

/// One tenant's rates, for many threads at once.
// In this order: each admission writes a cell at home, so nothing that others read then is on its line.
#[derive(Debug)]
#[repr(C, align(16))]
pub(crate) struct Limits {
    /// Made when threads crowd for the first time.
    cells: OnceLock<Box<Cells>>,
    board: LateBoard<METER_WORDS>,
    /// Races at home in this period; some may be lost.
    n_races: AtomicU8,
    /// Of threads with even numbers.
    even: Home,
    desk: Mutex<Desk>,
    /// Of those with odd ones.
    odd: Home,
}

// Wherever limits lie, each home is on one line, and of what others read while they admit, nothing else is on that: neither what is
// before the limits, nor the other home. What is behind them is kept off by whoever has them, by `APART`.
const _: () = {
    assert!(offset_of!(Limits, even) >= APART);
    assert!(offset_of!(Limits, odd) >= offset_of!(Limits, even) + LINE);
    assert!(offset_of!(Limits, odd) + size_of::<Home>() == size_of::<Limits>());
};

/// What was admitted for the moment, until it is known what it comes to.
#[derive(Debug)]
#[must_use = "what is held counts as used until the tab is closed"]
pub(crate) struct OpenTab(Option<DeskHold>);

impl Limits {
    pub(crate) fn new(rates: &Rates) -> Limits {
        let desk = Desk::new(rates.paces());
        Limits {
            cells: OnceLock::new(),
            board: LateBoard::new(),
            n_races: AtomicU8::new(0),
            even: Home::new(flags(&desk)),
            odd: Home::new(flags(&desk)),
            desk: Mutex::new(desk),
        }
    }

    /// Whether nothing is limited.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.terms() & OPEN != 0
    }

    /// Admits a request, or says how long it has to wait (LI2, LI3).
    #[inline(always)]
    pub(crate) fn admit(
        &self,
        watch: &impl Watch,
        ops: u64,
        bytes: u64,
    ) -> Result<(), LimitExceeded> {
        if self.take(watch, ops, bytes, thread_number_so_far()) {
            return Ok(());
        }
        self.admit_by_the_meter(watch, ops, bytes, thread_number)
    }

    /// Counts bytes that turned out to be read. What doesn't fit is debt, of at most one more burst; nothing is admitted
    /// before it is gone.
    #[inline]
    pub(crate) fn charge(&self, watch: &impl Watch, bytes: u64) {
        if self.terms() & FREE_BYTES != 0 || self.take(watch, 0, bytes, thread_number_so_far()) {
            return;
        }
        self.charge_at_desk(watch, bytes, thread_number());
    }

    /// Admits a request whose cost will be known later. Always goes to the desk, and calls all leases in.
    pub(crate) fn open_tab(
        &self,
        watch: &impl Watch,
        ops: u64,
        bytes: u64,
    ) -> Result<OpenTab, LimitExceeded> {
        if self.terms() & OPEN != 0 {
            return Ok(OpenTab(None));
        }
        let now = watch.exact();
        let mut desk = self.enter();
        let answer = desk.hold(now, [ops, bytes], self.surroundings(watch, 0));
        self.leave(desk);
        answer
            .map(|hold| OpenTab(Some(hold)))
            .map_err(LimitExceeded::new)
    }

    /// Why a request would be refused at this moment, if it would; nothing is taken for it.
    pub(crate) fn refusal(
        &self,
        watch: &impl Watch,
        ops: u64,
        bytes: u64,
    ) -> Option<LimitExceeded> {
        if self.terms() & OPEN != 0 {
            return None;
        }
        let (now, cost) = (watch.exact(), [ops, bytes]);
        let refusal = self.refusal_on_board(now, cost).or_else(|| {
            let mut desk = self.enter();
            let refusal = desk.refusal(now, cost, self.surroundings(watch, 0));
            self.leave(desk);
            refusal
        });
        refusal.map(LimitExceeded::new)
    }

    /// Ends a tab: what is above what was admitted becomes debt, what is below is given back, but for what would have
    /// come back by itself meanwhile. If rates were set in between, nothing is given back.
    pub(crate) fn close_tab(&self, watch: &impl Watch, tab: OpenTab, ops: u64, bytes: u64) {
        let Some(hold) = tab.0.filter(|hold| !hold.is([ops, bytes])) else {
            return;
        };
        let now = watch.exact();
        let mut desk = self.enter();
        desk.end_hold(now, &hold, [ops, bytes], self.surroundings(watch, 0));
        self.leave(desk);
    }

    /// Sets other rates. What is used stays used, up to the new burst.
    pub(crate) fn set(&self, watch: &impl Watch, rates: &Rates) {
        let now = watch.exact();
        let mut desk = self.enter();
        desk.set_paces(now, rates.paces(), self.surroundings(watch, 0));
        // Without an end: the next leases may end before that which is shown, and nobody is to take them for longer.
        self.set_terms(flags(&desk));
    }

    /// Takes a cost from the thread's lease at home, or from its own; true without limits as well.
    #[inline(always)]
    pub(super) fn take(&self, watch: &impl Watch, ops: u64, bytes: u64, thread: u32) -> bool {
        let home = self.home(thread);
        let terms = home.terms();
        if terms & (OPEN | SELDOM) != 0 {
            return terms & OPEN != 0
                || terms & TIGHT == 0 && self.take_seldom(terms, watch, ops, bytes, thread);
        }
        if (ops | bytes) > HALF_MAX {
            return false;
        }
        let is_in_force = || is_in_force_coarsely(terms, watch);
        let taken = home.cell.take(ops, bytes, is_in_force);
        if taken == Taken::Raced {
            self.note_race();
        }
        taken != Taken::No
    }

    /// The same of a tenant that is crowded, or whose periods are short.
    #[inline(never)]
    fn take_seldom(
        &self,
        terms: u64,
        watch: &impl Watch,
        ops: u64,
        bytes: u64,
        thread: u32,
    ) -> bool {
        if (ops | bytes) > HALF_MAX {
            return false;
        }
        let is_spread = terms & SPREAD != 0;
        let cell = if is_spread {
            match self.own_cell(thread) {
                Some(cell) => cell,
                None => return false,
            }
        } else {
            &self.home(thread).cell
        };
        let taken = cell.take(ops, bytes, || is_in_force(terms, watch));
        if taken == Taken::Raced && !is_spread {
            self.note_race();
        }
        taken != Taken::No
    }

    #[inline(always)]
    fn home(&self, thread: u32) -> &Home {
        if thread.is_multiple_of(2) {
            &self.even
        } else {
            &self.odd
        }
    }

    #[inline]
    fn own_cell(&self, thread: u32) -> Option<&Cell> {
        let cells = self.cells.get()?;
        cells.get(cells.index_of(thread))
    }

    #[cold]
    fn note_race(&self) {
        // Who has no number gets one here, and with it maybe another home.
        thread_number();
        let n_races = self.n_races.load(Ordering::Relaxed);
        self.n_races
            .store(n_races.saturating_add(1), Ordering::Relaxed);
    }

    /// Admits by an exact reading: refuses by the board, which is quick, or asks the desk.
    #[cold]
    #[inline(never)]
    fn admit_by_the_meter(
        &self,
        watch: &impl Watch,
        ops: u64,
        bytes: u64,
        thread: impl FnOnce() -> u32,
    ) -> Result<(), LimitExceeded> {
        if self.terms() & TIGHT != 0
            && let Some(refusal) = self.refusal_on_board(watch.exact(), [ops, bytes])
        {
            return Err(LimitExceeded::new(refusal));
        }
        self.admit_at_desk(watch, [ops, bytes], thread())
    }

    /// Asks for the desk's lines, to be on their way while the time is read.
    #[inline(always)]
    fn prefetch_desk(&self) {
        let begin = (&raw const self.even).cast::<u8>();
        for at in (0..offset_of!(Limits, odd) - offset_of!(Limits, even)).step_by(LINE) {
            prefetch_to_write(begin.wrapping_add(at));
        }
        // And none behind its line.
        prefetch_to_write(&raw const self.odd);
    }

    #[inline(never)]
    fn admit_at_desk(
        &self,
        watch: &dyn Watch,
        cost: [u64; 2],
        thread: u32,
    ) -> Result<(), LimitExceeded> {
        self.prefetch_desk();
        let now = watch.exact();
        let mut desk = self.enter();
        let with = self.surroundings(watch, thread);
        let answer = desk.admit(now, cost, with);
        if answer.is_ok() {
            self.lend(watch, now, cost, with, &mut desk);
        }
        self.leave(desk);
        answer.map_err(LimitExceeded::new)
    }

    /// What the board says, which is there once the tenant is short.
    #[inline(always)]
    fn refusal_on_board(&self, now: u64, cost: [u64; 2]) -> Option<(usize, Wait)> {
        Meter::from_words(self.board.read()?).refusal(now, cost)
    }

    #[inline(never)]
    fn charge_at_desk(&self, watch: &impl Watch, bytes: u64, thread: u32) {
        let now = watch.exact();
        let mut desk = self.enter();
        let with = self.surroundings(watch, thread);
        desk.charge(now, [0, bytes], with);
        self.lend(watch, now, [0, bytes], with, &mut desk);
        self.leave(desk);
    }

    fn lend(
        &self,
        watch: &dyn Watch,
        now: u64,
        cost: [u64; 2],
        with: Surroundings<'_>,
        desk: &mut Desk,
    ) {
        if let Some(end) = desk.lend(now, cost, with) {
            self.set_terms(watch.coarse_line(end) & !FLAGS | flags(desk));
        }
    }

    fn surroundings<'a>(&'a self, watch: &'a dyn Watch, thread: u32) -> Surroundings<'a> {
        let n_races = &self.n_races;
        let is_crowded = n_races.load(Ordering::Relaxed) >= CROWD;
        let cells = if is_crowded {
            Some(&**self.cells.get_or_init(|| Box::new(Cells::new(n_cells()))))
        } else {
            self.cells.get().map(|cells| &**cells)
        };
        let home_idx = HOME + thread as usize % 2;
        Surroundings {
            home: [&self.even.cell, &self.odd.cell],
            cells,
            board: &self.board,
            watch,
            home_idx,
            idx: cells.map_or(home_idx, |cells| cells.index_of(thread)),
            n_races,
            is_crowded,
        }
    }

    /// As `admit`, by a thread of this number.
    #[cfg(test)]
    pub(super) fn admit_as(
        &self,
        watch: &impl Watch,
        cost: [u64; 2],
        thread: u32,
    ) -> Result<(), LimitExceeded> {
        if self.take(watch, cost[0], cost[1], thread) {
            return Ok(());
        }
        self.admit_by_the_meter(watch, cost[0], cost[1], || thread)
    }

    /// As many races as make a tenant spread.
    #[cfg(test)]
    pub(super) fn crowd(&self) {
        self.n_races.store(CROWD, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn has_cells(&self) -> bool {
        self.cells.get().is_some()
    }

    #[cfg(test)]
    pub(super) fn lock_for_tests(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock()
    }

    #[inline]
    fn terms(&self) -> u64 {
        self.even.terms()
    }

    /// Under the lock (LT2).
    fn set_terms(&self, terms: u64) {
        for home in [&self.even, &self.odd] {
            home.set_terms(terms);
        }
    }

    #[inline]
    fn enter(&self) -> MutexGuard<'_, Desk> {
        self.desk.try_lock().unwrap_or_else(|| {
            self.note_race();
            self.desk.lock()
        })
    }

    #[inline]
    fn leave(&self, desk: MutexGuard<'_, Desk>) {
        let terms = self.terms();
        let flags = flags(&desk);
        if flags != terms & FLAGS {
            self.set_terms(terms & !FLAGS | flags);
        }
    }
}

/// Twice as many as cores, so that few threads share one.
fn n_cells() -> usize {
    static N_CELLS: OnceLock<usize> = OnceLock::new();
    *N_CELLS.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (2 * cores).next_power_of_two().clamp(4, CELLS_MAX)
    })
}
