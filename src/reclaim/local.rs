//! The calling thread's record, found without a look-up.

use std::cell::Cell;
use std::ptr;

use super::{DEPTH, Domain, Hazard, Name, Namer, Record, Slot};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::barrier::{self, Form};
use crate::tally::Table;

/// The registry of threads: the engine's only global state.
pub(crate) static DOMAIN: Domain = Domain::new();

static THREADS: AtomicU32 = AtomicU32::new(0);

/// Whom a thread without a record reads by: its first slot is always in use.
static NOBODY: Record = Record::in_use();

struct Local {
    /// The same record, whose first slot is in use while it names a segment. [`NOBODY`] before the first read, after the last, and in
    /// forms other than the light one.
    first: Cell<&'static Record>,
    record: Cell<Option<&'static Record>>,
    /// How many of the other slots are in use.
    level: Cell<usize>,
    number: Cell<u32>,
    over: Cell<bool>,
}

thread_local! {
    // Without a destructor, so that an access is one load and stays legal while the thread ends.
    static LOCAL: Local = const {
        Local {
            first: Cell::new(&NOBODY),
            record: Cell::new(None),
            level: Cell::new(0),
            number: Cell::new(0),
            over: Cell::new(false),
        }
    };
    static END: End = const { End };
}

/// Gives the record back when the thread ends.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        LOCAL.with(|local| {
            local.over.set(true);
            // A read that is still under way (its closure ends the thread's locals) keeps the record for ever.
            let is_idle = local.level.get() == 0
                && (!local.first.get().is_read_by() || barrier::form() != Form::Light);
            local.first.set(&NOBODY);
            if let Some(record) = local.record.take().filter(|_| is_idle) {
                record.leave();
            }
        });
    }
}

/// The outermost read's hazard: the quick way, without a choice of forms or levels.
#[derive(Debug)]
pub(crate) struct First(&'static Record);

impl First {
    /// That of the thread.
    #[inline(always)]
    pub(crate) fn record(&self) -> &'static Record {
        self.0
    }

    #[inline(always)]
    fn slot(&self) -> &'static Slot {
        &self.0.slots[0]
    }
}

/// The hazard of the outermost read, which names a segment before anything else is read; `None` in a nested read, on a thread's first
/// read, and in forms other than the light one: [`enter`] serves those.
#[inline(always)]
pub(crate) fn enter_first() -> Option<First> {
    seat().enter()
}

/// Where the calling thread may enter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat(&'static Record);

/// That of the calling thread; what may be a call, and is all of [`enter_first`] that is.
#[inline(always)]
pub(crate) fn seat() -> Seat {
    LOCAL.with(|local| Seat(local.first.get()))
}

impl Seat {
    /// As [`enter_first`].
    #[inline(always)]
    pub(crate) fn enter(self) -> Option<First> {
        self.enter_if_zero(0)
    }

    /// The same, if that is zero besides: asked together.
    #[inline(always)]
    pub(crate) fn enter_if_zero(self, bits: u64) -> Option<First> {
        (self.0.read_by_bits() | bits == 0).then(|| First(self.0))
    }
}

/// By a slot, in the light form.
#[derive(Clone, Copy)]
pub(crate) struct Lightly<'n>(&'n Slot);

// SAFETY: the slot belongs to its hazard alone until that is dropped.
unsafe impl Namer for Lightly<'_> {
    #[inline(always)]
    fn name_segment<T>(self, segment: *mut T) {
        barrier::publish(&self.0.segment, segment.cast(), Form::Light);
    }

    #[inline(always)]
    fn name_entry<T>(self, entry: *mut T) {
        barrier::publish(&self.0.entry, entry.cast(), Form::Light);
    }
}

impl Name for First {
    type Namer<'n> = Lightly<'n>;

    #[inline(always)]
    fn namer(&self) -> Lightly<'_> {
        Lightly(self.slot())
    }
}

impl Drop for First {
    #[inline(always)]
    fn drop(&mut self) {
        let slot = self.slot();
        // Release: pairs with the look of a writer, which frees only after what we read.
        slot.entry.store(ptr::null_mut(), Ordering::Release);
        slot.segment.store(ptr::null_mut(), Ordering::Release);
    }
}

/// A hazard of the calling thread; `None` where reads are nested too deep or the thread is ending, and the caller
/// takes the lock instead.
pub(crate) fn enter() -> Option<Hazard<'static>> {
    LOCAL.with(|local| {
        if local.over.get() {
            return None;
        }
        let record = match local.record.get() {
            Some(record) => record,
            None => {
                END.try_with(|_| ()).ok()?;
                let record: &'static Record = DOMAIN.register();
                local.record.set(Some(record));
                if barrier::form() == Form::Light {
                    local.first.set(record);
                }
                record
            }
        };
        let level = local.level.get() + 1;
        let slot = record.slots.get(level)?;
        local.level.set(level);
        debug_assert!(level < DEPTH);
        Some(Hazard {
            record,
            slot,
            form: barrier::form(),
            local: true,
        })
    })
}

/// The counts of the calling thread; `None` before its first read, and while it ends.
pub(crate) fn tally() -> Option<&'static Table> {
    LOCAL.with(|local| local.record.get().map(|record| &record.tally))
}

#[inline(always)]
pub(super) fn leave_level() {
    LOCAL.with(|local| local.level.set(local.level.get() - 1));
}

/// A small number of the calling thread, to spread what need not be exact; never zero.
#[inline]
pub(crate) fn thread_number() -> u32 {
    LOCAL.with(|local| {
        if local.number.get() == 0 {
            local.number.set(
                THREADS
                    .fetch_add(1, Ordering::Relaxed)
                    .wrapping_add(1)
                    .max(1),
            );
        }
        local.number.get()
    })
}

/// The same without drawing one: zero, if the thread has none.
#[inline(always)]
pub(crate) fn thread_number_so_far() -> u32 {
    LOCAL.with(|local| local.number.get())
}
