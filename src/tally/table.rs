//! One thread's counts.

use super::{Counts, Event, Id, N_EVENTS, N_QUICK, Tally};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard};

/// Tallies that a table has room for.
pub(super) const N_PLACES: usize = if cfg!(engine_loom) { 1 } else { 64 };
/// Words of a place in each row: in the first row the id in front, then a word for each kind of event.
pub(super) const COLUMNS: usize = 4;
/// Kinds of events in a row.
const KINDS: usize = COLUMNS - 1;
/// Rows that the events with columns need.
const N_ROWS: usize = N_QUICK.div_ceil(KINDS);
/// As long as a byte and a column can tell, so that no index needs to be checked.
const ROW_LEN: usize = if cfg!(engine_loom) {
    N_PLACES * COLUMNS
} else {
    256 + KINDS
};
/// No tally has this id.
const NOBODY: u64 = 0;
/// Counts that find a place taken before it is, if its tally was idle all the time.
pub(super) const N_IDLE_MAX: u8 = if cfg!(engine_loom) { 0 } else { 8 };

/// The table of one thread, which alone counts in it.
#[derive(Debug)]
pub(crate) struct Table {
    rows: [Row; N_ROWS],
    seats: Mutex<Seats>,
}

/// The words of places side by side, a place on one line.
#[derive(Debug)]
#[repr(align(64))]
struct Row([AtomicU64; ROW_LEN]);

/// Whose the places are (Y2).
type Seats = [Seat; N_PLACES];

/// Whose a place is.
#[derive(Debug)]
struct Seat {
    tally: Option<Arc<Tally>>,
    /// The sum of its counts when the place was wanted last.
    seen: u64,
    /// How often it was wanted since they changed.
    n_idle: u8,
}

impl Seat {
    const EMPTY: Seat = Seat {
        tally: None,
        seen: 0,
        n_idle: 0,
    };
}

impl Table {
    #[cfg(not(engine_loom))]
    pub(crate) const fn new() -> Table {
        Table {
            rows: [const { Row([const { AtomicU64::new(NOBODY) }; ROW_LEN]) }; N_ROWS],
            seats: Mutex::new([const { Seat::EMPTY }; N_PLACES]),
        }
    }

    #[cfg(engine_loom)]
    pub(crate) fn new() -> Table {
        Table {
            rows: std::array::from_fn(|_| Row(std::array::from_fn(|_| AtomicU64::new(NOBODY)))),
            seats: Mutex::new([const { Seat::EMPTY }; N_PLACES]),
        }
    }

    /// Counts for a tally that has a place here. False: it has none; [`count_anew`](Self::count_anew) then. Called by the
    /// table's own thread alone.
    #[inline(always)]
    pub(crate) fn count(&self, id: Id, event: Event) -> bool {
        let has_place = self.has(id);
        if has_place {
            self.add(id, event, 1);
        }
        has_place
    }

    /// Counts for a tally that has no place here, and may be given one. Called by the table's own thread alone.
    #[cold]
    #[inline(never)]
    pub(crate) fn count_anew(&self, tally: &Arc<Tally>, event: Event) {
        let mut seats = self.seats.try_lock();
        let has_place = seats.as_mut().is_some_and(|seats| self.seat(seats, tally));
        if has_place {
            return self.add(tally.id, event, 1);
        }
        // Who is counted for all the time should have a place, though all that counts for it does so through others.
        if let (Some(seats), Some(above)) = (&mut seats, &tally.above) {
            self.seat(seats, above);
        }
        self.count_up(tally, event, 1);
    }

    /// Folds all counts, when the thread ends.
    pub(crate) fn clear(&self) {
        let mut seats = self.seats.lock();
        for seat in seats.iter_mut() {
            if let Some(tally) = seat.tally.take() {
                self.fold(&tally);
            }
        }
    }

    /// As if it were being summed.
    #[cfg(test)]
    #[cfg(not(engine_loom))]
    pub(super) fn hold(&self) -> impl Drop + '_ {
        self.seats.lock()
    }

    #[inline(always)]
    fn has(&self, id: Id) -> bool {
        self.rows[0].0[id.place()].load(Ordering::Relaxed) == id.0
    }

    /// Adds to a count of a tally that has a place. No locked instruction: nobody else writes here.
    #[inline(always)]
    fn add(&self, id: Id, event: Event, n: u64) {
        let word = self.word(id, event);
        word.store(
            word.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    #[inline(always)]
    fn word(&self, id: Id, event: Event) -> &AtomicU64 {
        let (row, column) = (event as usize / KINDS, 1 + event as usize % KINDS);
        &self.rows[row].0[id.place() + column]
    }

    /// Gives a tally its place, if that is free or was idle; whether it has it.
    fn seat(&self, seats: &mut Seats, tally: &Arc<Tally>) -> bool {
        if self.has(tally.id) {
            return true;
        }
        let seat = &mut seats[tally.id.place() / COLUMNS];
        if let Some(resident) = &seat.tally {
            let seen = self.counts(resident).iter().sum();
            let is_idle = std::mem::replace(&mut seat.seen, seen) == seen;
            seat.n_idle = if is_idle { seat.n_idle + 1 } else { 0 };
            if seat.n_idle < N_IDLE_MAX {
                return false;
            }
            self.fold(resident);
        }
        *seat = Seat {
            tally: Some(Arc::clone(tally)),
            seen: 0,
            n_idle: 0,
        };
        self.rows[0].0[tally.id.place()].store(tally.id.0, Ordering::Relaxed);
        true
    }

    /// Takes the counts of a tally out of its place, which is nobody's then. Under the lock (Y2).
    fn fold(&self, tally: &Tally) {
        self.rows[0].0[tally.id.place()].store(NOBODY, Ordering::Relaxed);
        for event in &Event::ALL[..N_QUICK] {
            let word = self.word(tally.id, *event);
            let n = word.load(Ordering::Relaxed);
            if n > 0 {
                word.store(0, Ordering::Relaxed);
                self.count_up(tally, *event, n);
            }
        }
    }

    /// Counts for a tally without a place, and for those above it, up to one that has a place here: it counts for the rest.
    fn count_up(&self, tally: &Tally, event: Event, n: u64) {
        for tally in tally.line() {
            if self.has(tally.id) {
                return self.add(tally.id, event, n);
            }
            tally.totals.add(event as usize, n);
        }
    }

    /// The counts in the place of a tally that has one.
    fn counts(&self, tally: &Tally) -> [u64; N_QUICK] {
        std::array::from_fn(|event| {
            self.word(tally.id, Event::ALL[event])
                .load(Ordering::Relaxed)
        })
    }
}

/// What was counted for a tally and those below it, in all of these tables and folded.
pub(crate) fn sum<'t>(tally: &Tally, tables: impl Iterator<Item = &'t Table>) -> Counts {
    // All at a time, and before the totals: what is folded meanwhile would be missed.
    let held = hold(tables);
    add_up(tally, &held, tally.totals.read())
}

type Held<'t> = Vec<(&'t Table, MutexGuard<'t, Seats>)>;

fn hold<'t>(tables: impl Iterator<Item = &'t Table>) -> Held<'t> {
    tables.map(|table| (table, table.seats.lock())).collect()
}

fn add_up(tally: &Tally, held: &Held<'_>, mut sum: [u64; N_EVENTS]) -> Counts {
    for (table, seats) in held {
        let residents = seats.iter().filter_map(|seat| seat.tally.as_ref());
        for resident in residents.filter(|resident| resident.is_within(tally)) {
            for (sum, count) in sum.iter_mut().zip(table.counts(resident)) {
                *sum += count;
            }
        }
    }
    Counts(sum)
}

/// What the models' failing twins do.
#[cfg(engine_loom)]
impl Table {
    /// As `clear`, but without the lock.
    pub(crate) fn clear_without_lock(&self, residents: &[Arc<Tally>]) {
        for tally in residents.iter().filter(|tally| self.has(tally.id)) {
            self.fold(tally);
        }
    }
}

/// As `sum`, but reads the totals first.
#[cfg(engine_loom)]
pub(crate) fn sum_by_old_totals<'t>(
    tally: &Tally,
    tables: impl Iterator<Item = &'t Table>,
) -> Counts {
    let totals = tally.totals.read();
    add_up(tally, &hold(tables), totals)
}
