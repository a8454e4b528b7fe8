//! Hazard slots: what a reader is looking at, so that a writer knows what it may free.
//!
//! # Idea         A reader names the one segment and the one entry that it looks at, in slots on its thread's own line;
//!   a writer that has unlinked a batch raises the barrier, reads all slots, and frees what none names.
//!   After Michael, "Hazard Pointers" (IEEE TPDS 2004); the free-of-charge publication is the asymmetric
//!   barrier of module `sync::barrier`.
//!
//! ```text
//! reader: publish(slot, p) | barrier | load the link again: still p?  -> use p -> clear the slot
//! writer: unlink p         | barrier | look at all slots: p named?    -> free p, or keep it for the next look
//! ```
//!
//! # Costs        a reader: two stores to its own line and the loads it repeats; a writer: one barrier and one look at
//!   every thread's line, a batch
//! # Invariants   R1 what a slot named before the barrier, and what is still linked then, isn't freed by that look
//!   R2 a record belongs to one thread at a time, and is never freed: the list only grows, to the largest
//!   number of threads that read or remove at one time
//!   R3 a thread's guards end in the reverse order of their making, or their slots stay taken until all ended
//! # Not here     what is linked where (module `table`), how many bytes wait (module `budget`)

use std::ptr;

use crate::sync::CachePadded;
use crate::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use crate::sync::barrier::{self, Form};
#[cfg(not(engine_loom))]
use crate::tally::Table;

/// Slots of a thread: one for the outermost read, the others for reads nested in it; deeper ones go through the lock.
pub(crate) const DEPTH: usize = 5;

/// One nesting level of one thread.
#[derive(Debug)]
struct Slot {
    segment: AtomicPtr<()>,
    entry: AtomicPtr<()>,
}

impl Slot {
    fn new() -> Slot {
        Slot {
            segment: AtomicPtr::new(ptr::null_mut()),
            entry: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

/// The lines of one thread: the hazards first, and what its look-ups came to.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Record {
    slots: [Slot; DEPTH],
    taken: AtomicBool,
    next: AtomicPtr<CachePadded<Record>>,
    /// Models of hazards count nothing.
    #[cfg(not(engine_loom))]
    tally: Table,
}

/// All threads' records.
#[derive(Debug)]
pub(crate) struct Domain {
    head: AtomicPtr<CachePadded<Record>>,
}

impl Domain {
    #[cfg(not(engine_loom))]
    pub(crate) const fn new() -> Domain {
        Domain {
            head: AtomicPtr::new(ptr::null_mut()),
        }
    }

    #[cfg(engine_loom)]
    pub(crate) fn new() -> Domain {
        Domain {
            head: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// A record for the calling thread: one that a thread has left, or a new one.
    pub(crate) fn register(&self) -> &Record {
        for record in self.records() {
            // Acquire: pairs with the release in `Record::leave`, so that the slots are seen empty.
            if record
                .taken
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
            {
                return record;
            }
        }
        let record = Box::into_raw(Box::new(CachePadded::new(Record {
            slots: std::array::from_fn(|_| Slot::new()),
            taken: AtomicBool::new(true),
            next: AtomicPtr::new(ptr::null_mut()),
            #[cfg(not(engine_loom))]
            tally: Table::new(),
        })));
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: records are never freed while the domain lives (R2).
            unsafe { &*record }.next.store(head, Ordering::Relaxed);
            // SeqCst: release, so that the record is seen whole; and in order with the looks in the swap form.
            match self
                .head
                .compare_exchange(head, record, Ordering::SeqCst, Ordering::Relaxed)
            {
                // SAFETY: as above.
                Ok(_) => return unsafe { &*record },
                Err(other) => head = other,
            }
        }
    }

    /// The counts of all threads.
    #[cfg(not(engine_loom))]
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.records().map(|record| &record.tally)
    }

    fn records(&self) -> impl Iterator<Item = &Record> {
        // SeqCst: pairs with the exchange in `register`.
        let mut at = self.head.load(Ordering::SeqCst);
        std::iter::from_fn(move || {
            // SAFETY: records are never freed while the domain lives (R2), and were whole when they were linked.
            let record = unsafe { at.as_ref() }?;
            at = record.next.load(Ordering::Relaxed);
            Some(&**record)
        })
    }

    /// Raises the barrier and reads all slots: what may not be freed yet. `None`: the barrier couldn't be had, so
    /// nothing may be freed. Called outside all locks, after the batch was unlinked.
    pub(crate) fn look(&self) -> Option<Named> {
        if !barrier::heavy() {
            return None;
        }
        let mut named = Vec::new();
        for record in self.records() {
            for slot in &record.slots {
                // SeqCst: pairs with the release that clears the slot (so the reader's accesses happened before the
                // free), and, in the swap form, with the swap that published it.
                for word in [
                    slot.segment.load(Ordering::SeqCst),
                    slot.entry.load(Ordering::SeqCst),
                ] {
                    if !word.is_null() {
                        named.push(word.addr());
                    }
                }
            }
        }
        named.sort_unstable();
        Some(Named(named))
    }
}

#[cfg(any(test, engine_loom))]
impl Drop for Domain {
    fn drop(&mut self) {
        let mut at = self.head.load(Ordering::Acquire);
        while !at.is_null() {
            // SAFETY: a model or a test drops its domain last, and each record is linked once.
            let record = unsafe { Box::from_raw(at) };
            at = record.next.load(Ordering::Relaxed);
        }
    }
}

/// The addresses that readers named at one look.
#[derive(Debug)]
pub(crate) struct Named(Vec<usize>);

impl Named {
    pub(crate) fn has<T>(&self, pointer: *mut T) -> bool {
        !self.0.is_empty() && self.0.binary_search(&pointer.addr()).is_ok()
    }
}

impl Record {
    /// One that is nobody's: its first slot is in use for ever.
    #[cfg(not(engine_loom))]
    const fn in_use() -> Record {
        let mut slots = [const {
            Slot {
                segment: AtomicPtr::new(ptr::null_mut()),
                entry: AtomicPtr::new(ptr::null_mut()),
            }
        }; DEPTH];
        slots[0].segment = AtomicPtr::new(ptr::dangling_mut());
        Record {
            slots,
            taken: AtomicBool::new(true),
            next: AtomicPtr::new(ptr::null_mut()),
            tally: Table::new(),
        }
    }

    /// Whether a read of its thread, which asks, uses the first slot.
    #[cfg(not(engine_loom))]
    #[inline(always)]
    fn is_read_by(&self) -> bool {
        self.read_by_bits() != 0
    }

    /// Zero if none does.
    #[cfg(not(engine_loom))]
    #[inline(always)]
    fn read_by_bits(&self) -> u64 {
        self.slots[0].segment.load(Ordering::Relaxed).addr() as u64
    }

    /// What the thread counts.
    #[cfg(not(engine_loom))]
    #[inline(always)]
    pub(crate) fn tally(&self) -> &Table {
        &self.tally
    }

    /// Gives the record back, for another thread to take.
    #[cfg_attr(engine_loom, allow(dead_code))]
    fn leave(&self) {
        #[cfg(not(engine_loom))]
        self.tally.clear();
        for slot in &self.slots {
            // Release: pairs with the look of a writer.
            slot.segment.store(ptr::null_mut(), Ordering::Release);
            slot.entry.store(ptr::null_mut(), Ordering::Release);
        }
        // Release: pairs with the acquire in `register`.
        self.taken.store(false, Ordering::Release);
    }

    /// The hazard of one nesting level, for the models, which have no thread-locals.
    #[cfg(any(test, engine_loom))]
    pub(crate) fn hazard(&self, level: usize) -> Hazard<'_> {
        Hazard {
            record: self,
            slot: &self.slots[level],
            form: barrier::form(),
            local: false,
        }
    }
}

/// The right to look at one segment and one entry at a time; cleared when dropped.
#[derive(Debug)]
pub(crate) struct Hazard<'a> {
    #[cfg_attr(engine_loom, allow(dead_code))]
    record: &'a Record,
    slot: &'a Slot,
    form: Form,
    /// Counted in its thread's nesting level; not so in models.
    #[cfg_attr(engine_loom, allow(dead_code))]
    local: bool,
}

#[cfg(not(engine_loom))]
impl<'a> Hazard<'a> {
    /// That of the thread.
    #[inline(always)]
    pub(crate) fn record(&self) -> &'a Record {
        self.record
    }
}

#[cfg(engine_loom)]
impl BySlot<'_> {
    /// Names an entry without the barrier: what the models' failing twins do.
    pub(crate) fn name_entry_without_barrier<T>(self, entry: *mut T) {
        self.slot.entry.store(entry.cast(), Ordering::Relaxed);
    }
}

impl Drop for Hazard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Release: pairs with the look of a writer, which frees only after what we read.
        self.slot.entry.store(ptr::null_mut(), Ordering::Release);
        self.slot.segment.store(ptr::null_mut(), Ordering::Release);
        #[cfg(not(engine_loom))]
        if self.local {
            local::leave_level();
        }
    }
}

/// What a reader names things by.
pub(crate) trait Name {
    /// Valid while this is, which its users borrow.
    type Namer<'n>: Namer
    where
        Self: 'n;

    fn namer(&self) -> Self::Namer<'_>;
}

/// The same as a value that travels in registers.
///
/// # Safety
/// What is named stays named until the next thing of its kind is, or what this comes from is dropped: what a look of the domain
/// finds named is not freed.
pub(crate) unsafe trait Namer: Copy {
    /// Names a segment. The caller loads the link to it again afterwards, before it trusts the pointer.
    fn name_segment<T>(self, segment: *mut T);

    /// Names an entry. The caller loads the link to it again afterwards, before it trusts the pointer.
    fn name_entry<T>(self, entry: *mut T);
}

/// By a slot, in the form that is in force.
#[derive(Clone, Copy)]
pub(crate) struct BySlot<'a> {
    slot: &'a Slot,
    form: Form,
}

// SAFETY: the slot belongs to its hazard alone until that is dropped.
unsafe impl Namer for BySlot<'_> {
    #[inline(always)]
    fn name_segment<T>(self, segment: *mut T) {
        barrier::publish(&self.slot.segment, segment.cast(), self.form);
    }

    #[inline(always)]
    fn name_entry<T>(self, entry: *mut T) {
        barrier::publish(&self.slot.entry, entry.cast(), self.form);
    }
}

impl Name for Hazard<'_> {
    type Namer<'n>
        = BySlot<'n>
    where
        Self: 'n;

    #[inline(always)]
    fn namer(&self) -> BySlot<'_> {
        BySlot {
            slot: self.slot,
            form: self.form,
        }
    }
}

#[cfg(not(engine_loom))]
pub(crate) use local::{
    DOMAIN, First, Seat, enter, enter_first, seat, tally, thread_number, thread_number_so_far,
};

#[cfg(not(engine_loom))]
mod local;

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
