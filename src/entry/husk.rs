//! The memory of a block whose value has ended: to be freed, or used for the next block of its size.
//!
//! # Idea         a cache that is full frees a block for each that it allocates; most have one size, and what was freed a moment
//!   ago is still in the processor's caches, so a stripe keeps a few husks instead of asking the allocator twice
//! # Costs        push, pop, append, a shelf's fill and take: O(1); a list takes no memory of its own, since its links lie in the husks
//! # Invariants   H1 a husk owns its memory alone; H2 a husk in a list, or on a shelf, begins with a [`Link`], written by `push`
//!   H3 a shelf is filled by one thread at a time, and emptied by an exchange for what was seen there, so who takes a husk off it is alone with that
//! # Not here     how many are kept, and what they're charged

use std::alloc::{Layout, alloc};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use super::allocated_bytes;
use crate::sync::atomic::{AtomicPtr, Ordering};
use crate::sync::{dealloc, prefetch};

/// Memory for one block, owned and unwritten.
#[derive(Debug)]
pub(crate) struct Husk {
    base: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a husk is memory that nobody else knows (H1).
unsafe impl Send for Husk {}

impl Husk {
    /// Memory from the allocator; `None` where it refuses, or answers with an address above 48 bits.
    #[inline]
    pub(crate) fn allocate(layout: Layout) -> Option<Husk> {
        debug_assert!(layout.size() >= size_of::<Link>());
        // SAFETY: the layout of a block holds a header at least, so its size is not zero.
        let base = NonNull::new(unsafe { alloc(layout) })?;
        let husk = Husk { base, layout };
        (base.addr().get() >> 48 == 0).then_some(husk)
    }

    /// # Safety
    /// The caller owns a husk that begins with this link.
    unsafe fn of_link(at: NonNull<Link>) -> Husk {
        // SAFETY: owned, so nobody writes it.
        let layout = unsafe { at.as_ref() }.layout;
        let base = at.cast();
        Husk { base, layout }
    }

    /// # Safety
    /// `base` was allocated with this layout, and the caller hands it over.
    pub(super) unsafe fn from_raw(base: NonNull<u8>, layout: Layout) -> Husk {
        Husk { base, layout }
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Hands the memory over to a block that is whole.
    pub(super) fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).base
    }

    /// What it is charged as long as it is kept.
    pub(crate) fn bytes(&self) -> u64 {
        allocated_bytes(self.layout.size())
    }
}

impl Drop for Husk {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and owned (H1).
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}

/// Of the next husk, the lines that are asked for when one is taken.
const LINES_ASKED: usize = 4;

/// What stands at the beginning of a husk in a list.
struct Link {
    next: Option<NonNull<Link>>,
    layout: Layout,
}

/// Husks, the last first.
#[derive(Debug, Default)]
pub(crate) struct Husks {
    head: Option<NonNull<Link>>,
    /// The last one, if there is any.
    tail: Option<NonNull<Link>>,
    len: usize,
    bytes: u64,
}

// SAFETY: as for `Husk`.
unsafe impl Send for Husks {}

impl Husks {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What all of them are charged.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn push(&mut self, husk: Husk) {
        self.bytes += husk.bytes();
        let layout = husk.layout;
        let at = husk.into_raw().cast::<Link>();
        let next = self.head;
        // SAFETY: owned memory, aligned to 16, of a header's size at least, which a link doesn't exceed.
        unsafe { at.write(Link { next, layout }) };
        self.head = Some(at);
        self.tail = self.tail.or(Some(at));
        self.len += 1;
    }

    /// Puts all of `others` first.
    pub(crate) fn append(&mut self, others: Husks) {
        let others = ManuallyDrop::new(others);
        let Some(tail) = others.tail else { return };
        // SAFETY: H2; the others are owned here, and their list ends in a link that was written by `push`.
        unsafe { (*tail.as_ptr()).next = self.head };
        self.head = others.head;
        self.tail = self.tail.or(others.tail);
        self.len += others.len;
        self.bytes += others.bytes;
    }

    pub(crate) fn pop(&mut self) -> Option<Husk> {
        let at = self.unlink()?;
        // SAFETY: H2; it has just left the list.
        Some(unsafe { Husk::of_link(at) })
    }

    fn unlink(&mut self) -> Option<NonNull<Link>> {
        let at = self.head?;
        // SAFETY: H2; the list owns what it links to.
        let Link { next, layout } = unsafe { at.read() };
        self.head = next;
        if next.is_none() {
            self.tail = None;
        }
        self.len -= 1;
        self.bytes -= allocated_bytes(layout.size());
        // It is written next, in a moment, and the list is longer than the processor's nearest caches.
        let lines = layout.size().min(LINES_ASKED * 64);
        for line in (0..lines).step_by(64) {
            prefetch(at.as_ptr().wrapping_byte_add(line));
        }
        Some(at)
    }
}

/// Room for one husk, which threads take from there without a lock.
#[derive(Debug)]
pub(crate) struct Shelf(AtomicPtr<Link>);

impl Shelf {
    pub(crate) fn new() -> Shelf {
        Shelf(AtomicPtr::new(ptr::null_mut()))
    }

    /// Puts the first of these there, if the shelf is empty. Of threads that might do so one at a time does (H3).
    #[inline(always)]
    pub(crate) fn fill(&self, husks: &mut Husks) {
        if husks.len == 0 || !self.0.load(Ordering::Relaxed).is_null() {
            return;
        }
        if let Some(at) = husks.unlink() {
            // Release: pairs with the acquire of who takes it, by whom its link is read.
            self.0.store(at.as_ptr(), Ordering::Release);
        }
    }

    /// What is there, if anything, and no other thread is taking it.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<Husk> {
        let seen = NonNull::new(self.0.load(Ordering::Relaxed))?;
        // Acquire: pairs with the release in `fill`, whichever of those has put it there.
        let taken = self.0.compare_exchange(
            seen.as_ptr(),
            ptr::null_mut(),
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        // What was seen may have been freed since, and other memory with its address put there, which is what was taken.
        let taken = NonNull::new(taken.ok()?)?;
        // SAFETY: H2, and H3: nobody else has got it.
        Some(unsafe { Husk::of_link(taken) })
    }
}

#[cfg(engine_loom)]
impl Shelf {
    /// Takes by a look and a write: the model's failing twin.
    pub(crate) fn take_in_two_steps(&self) -> Option<Husk> {
        let at = NonNull::new(self.0.load(Ordering::Acquire))?;
        self.0.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: the model frees nothing that it takes.
        Some(unsafe { Husk::of_link(at) })
    }
}

#[cfg(test)]
impl Shelf {
    /// What is there is charged; nobody else fills it meanwhile.
    pub(crate) fn bytes(&self) -> u64 {
        let mut husks = Husks::default();
        self.take().into_iter().for_each(|husk| husks.push(husk));
        let bytes = husks.bytes();
        self.fill(&mut husks);
        bytes
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl Drop for Husks {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}
