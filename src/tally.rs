//! What look-ups came to, counted so that a hit writes nothing that other threads write.
//!
//! # Idea
//! Each of those who are counted for (a cache, a tenant, a named cache, a counted scope) has a [`Tally`]; it names the one
//! above it, whose counts include its own. An operation counts for one tally, in a table of its thread: a small,
//! direct-mapped one, which that thread alone writes, by plain loads and stores. A count that finds its place taken
//! by another tally goes to its tally's totals instead, unless the other has been idle for a while: then that one's
//! counts are folded into its totals, and the place changes hands.
//!
//! ```text
//! thread's table: | id, hits, absent, expired | id, ... | --fold--> Tally { totals } --> above, in the same table if it's there
//! counts of a tally = its totals + all places, in all tables, of tallies at or below it
//! ```
//!
//! # Costs
//! A count: a comparison and an increment in the thread's own line. A count without a place: two locked instructions
//! that mostly meet no other thread, and one for each tally on the way up that has no place either. A sum: all tables,
//! 64 places each. 6 KiB a thread; 48 bytes a tally, and 64 more from the first time that it's folded into.
//!
//! # Invariants
//! - Y1 At each level a count is in one place: in a table, or in the totals.
//! - Y2 Places change hands under the lock of their table, and who sums holds the locks of all tables: no count is
//!   missed on its way, so sums never go down, and when nobody counts they are exact.
//! - Y3 Whoever counts waits for no lock: while its table is being summed, it counts into the totals.
//! - Y4 An id is never used again.
//!
//! # Not here
//! Which operations count, and for whom; the registry of threads (module `reclaim`); what is counted under the locks of stripes.

mod table;
mod totals;

use crate::sync::Arc;

#[cfg(engine_loom)]
pub(crate) use self::table::sum_by_old_totals;
pub(crate) use self::table::{Table, sum};
pub(crate) use self::totals::Totals;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Event {
    /// A look-up found an entry.
    Hit,
    /// A look-up found none.
    Absent,
    /// A look-up found one whose deadline had passed.
    Expired,
    /// Of the hits: the value was past its fresh deadline.
    Stale,
    /// Of the hits: what was found says that there is no value.
    Negative,
    /// A loader was called.
    Load,
    /// It gave no value.
    LoadFailure,
    /// The time that loaders took.
    LoadNanos,
}

/// How many kinds of events there are.
const N_EVENTS: usize = 8;
/// The first of them have columns in the threads' tables, the others are too seldom.
const N_QUICK: usize = 5;

impl Event {
    const ALL: [Event; N_EVENTS] = [
        Event::Hit,
        Event::Absent,
        Event::Expired,
        Event::Stale,
        Event::Negative,
        Event::Load,
        Event::LoadFailure,
        Event::LoadNanos,
    ];
}

/// How often each event was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts([u64; N_EVENTS]);

impl Counts {
    #[inline]
    pub(crate) fn of(&self, event: Event) -> u64 {
        self.0[event as usize]
    }
}

/// Names a tally in the tables of threads.
///
/// | bits | what |
/// |---|---|
/// | 7 .. 0 | where its place begins, in words: one of 64 |
/// | 63 .. 8 | its number, from 1 on |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(u64);

impl Id {
    fn new(number: u64) -> Id {
        let place = number as usize % table::N_PLACES * table::COLUMNS;
        Id(number << 8 | place as u64)
    }

    #[inline(always)]
    fn place(self) -> usize {
        usize::from(self.0 as u8)
    }
}

/// One that is counted for.
#[derive(Debug)]
pub(crate) struct Tally {
    id: Id,
    above: Option<Arc<Tally>>,
    totals: Totals<N_EVENTS>,
}

impl Tally {
    /// A tally without counts, below another or on its own.
    pub(crate) fn new(above: Option<&Arc<Tally>>) -> Arc<Tally> {
        Self::with_number(new_number(), above)
    }

    /// The number must not have been used (Y4).
    fn with_number(number: u64, above: Option<&Arc<Tally>>) -> Arc<Tally> {
        Arc::new(Self {
            id: Id::new(number),
            above: above.cloned(),
            totals: Totals::new(),
        })
    }

    #[inline]
    pub(crate) fn id(&self) -> Id {
        self.id
    }

    /// Counts without a table: what is too seldom for one, and what comes while a thread ends.
    #[cold]
    pub(crate) fn count(&self, event: Event, n: u64) {
        for tally in self.line() {
            tally.totals.add(event as usize, n);
        }
    }

    /// Counts a load that took so long.
    pub(crate) fn count_load(&self, took_ns: u64, has_succeeded: bool) {
        for tally in self.line() {
            tally.totals.add_each(&[
                (Event::Load as usize, 1),
                (Event::LoadNanos as usize, took_ns),
            ]);
            if !has_succeeded {
                tally.totals.add(Event::LoadFailure as usize, 1);
            }
        }
    }

    /// Whether counts of this one are counts of `other`.
    fn is_within(&self, other: &Tally) -> bool {
        self.line().any(|tally| tally.id == other.id)
    }

    /// This one and those above it.
    fn line(&self) -> impl Iterator<Item = &Tally> {
        std::iter::successors(Some(self), |tally| tally.above.as_deref())
    }
}

#[cfg(not(engine_loom))]
fn new_number() -> u64 {
    use crate::sync::atomic::{AtomicU64, Ordering};
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

/// Models give the numbers of those that they count for.
#[cfg(engine_loom)]
fn new_number() -> u64 {
    1
}

#[cfg(engine_loom)]
impl Tally {
    pub(crate) fn numbered(number: u64, above: Option<&Arc<Tally>>) -> Arc<Tally> {
        Self::with_number(number, above)
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
