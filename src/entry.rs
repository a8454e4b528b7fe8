//! One heap block an entry: header, key bytes, value; and the counted handles to it.
//!
//! # Idea         a single allocation, so that a hit touches the bucket and the entry and nothing else
//!
//! ```text
//! | Header, 40 B | Member, 16 B (with PLACED) | idle word, 8 B (with IDLE) | Refresh, 32 B (with REFRESHED) | key bytes | padding | value |
//! ```
//!
//! | word | what it says | who writes it |
//! |---|---|---|
//! | `deadline` | hard deadline in nanoseconds | module `deadline`: a writer moves it, whoever finds it passed ends it |
//! | `idle` | idle deadline | likewise, and readers extend it |
//! | `token` | record in the timing wheel, 0: none | a writer, under its stripe's lock |
//! | `Refresh` | when to load it anew, and who does | module `refresh`: whoever wins |
//! | `Member` | the place, never changed; where its stripe keeps it among its like | a writer, under its stripe's lock |
//!
//! # Costs        one allocation an insert; a handle: one count up and one down
//! # Invariants   E1 a block is freed by whoever gives up its last count, exactly once
//!   E2 the fields that aren't atomic are written by the draft's only owner, before it is linked
//!   E3 a `BlockRef` exists only while the cache's count is held or a hazard defers its end, so a count is
//!   never raised from zero
//!   E4 a block with ABSENT holds no value: no `Entry` is made of it, and nothing is dropped with it
//! # Not here     when the cache gives up its count: module `reclaim`

mod charge;
mod deadline;
mod draft;
mod handle;
mod header;
mod husk;
mod probe;
mod refresh;
mod value;

use std::alloc::Layout;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

use crate::clock::Nanos;
use crate::sync::atomic::Ordering;

use charge::Charge;
#[cfg(engine_loom)]
pub(crate) use deadline::Ahead;
pub(crate) use deadline::{Deadline, InChange};
pub(crate) use draft::{Draft, Parts, Plan, Times};
pub use handle::Entry;
pub(crate) use handle::Left;
pub(crate) use header::{Header, allocated_bytes};
use header::{Member, block_layout, idle_offset, key_offset, refresh_offset};
pub(crate) use husk::{Husk, Husks, Shelf};
pub(crate) use probe::Probe;
use probe::{ABSENT, IDLE, Kind, PLACED, REFRESHED, TAG_SHIFT, same_bytes};
pub(crate) use refresh::{Refresh, RefreshAt, Won};
pub(crate) use value::{OneOf, Stored};
pub use value::{Source, Value};

/// Every block is aligned to this, so that four low bits of its address are free.
pub(crate) const BLOCK_ALIGN: usize = 16;

/// Counts above this abort the process, as those of `std::sync::Arc` do: two billion handles are leaked ones.
const MAX_COUNT: u32 = i32::MAX as u32;

/// One count of a block whose value type is known to the store alone. It has no destructor: it ends in a
/// [`Releaser`], or in an [`Entry`].
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block(NonNull<Header>);

// SAFETY: a block is a counted pointer, like `Arc`; `Value` demands `Send + Sync` of what it holds.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    #[inline]
    pub(crate) fn as_ref(&self) -> BlockRef<'_> {
        BlockRef(self.0, PhantomData)
    }

    /// The pointer that a bucket keeps; the count goes with it.
    pub(crate) fn into_raw(self) -> *mut Header {
        self.0.as_ptr()
    }

    /// # Safety
    /// `raw` came from [`Block::into_raw`], and the count that went with it is taken back once.
    pub(crate) unsafe fn from_raw(raw: NonNull<Header>) -> Block {
        Block(raw)
    }
}

/// Ends a count, for the value type of one store.
#[derive(Clone, Copy)]
pub(crate) struct Releaser(unsafe fn(NonNull<Header>) -> Option<Husk>);

impl Releaser {
    /// # Safety
    /// Every block that is given to this releaser was drafted for a value of type `V`.
    pub(crate) unsafe fn new<V: Value + ?Sized>() -> Releaser {
        Releaser(release_raw::<V>)
    }

    /// Drops the count; the last one drops the value, which may run user code, and leaves the block's memory.
    pub(crate) fn release(self, block: Block) -> Option<Husk> {
        // SAFETY: `block` owns one count and ends here; its value is a `V` by the contract of `new`.
        unsafe { (self.0)(block.0) }
    }
}

impl fmt::Debug for Releaser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Releaser")
    }
}

/// # Safety
/// `raw` is a block drafted for a `V`, and the caller owns the count that ends here.
#[inline]
unsafe fn release_raw<V: Value + ?Sized>(raw: NonNull<Header>) -> Option<Husk> {
    // SAFETY: the count is owned, so the header is alive.
    let refs = unsafe { &raw.as_ref().refs };
    // Acquire: pairs with the release decrements of all other owners. A count of one is this owner's and stays so, and isn't an old value:
    // who raised it held a count, or named the block before the cache's count ended (E3), and both happened before.
    if refs.load(Ordering::Acquire) != 1 {
        // Release: what this owner did to the value happens before the free; pairs with the loads.
        if refs.fetch_sub(1, Ordering::Release) != 1 {
            return None;
        }
        // Acquire: as above, of those whose decrements our own continues. A load and not a fence, since ThreadSanitizer knows no fences.
        refs.load(Ordering::Acquire);
    }
    // SAFETY: this owner's count was the last one, and E3 says that nobody raises it again.
    Some(unsafe { hollow::<V>(raw) })
}

/// # Safety
/// The block was drafted for a `V`, and nobody can reach it any longer.
#[cold]
unsafe fn hollow<V: Value + ?Sized>(raw: NonNull<Header>) -> Husk {
    let (layout, offset) = BlockRef(raw, PhantomData).layout::<V>();
    // SAFETY: the block is alive until the husk below is dropped.
    let header = unsafe { raw.as_ref() };
    let len = header.value_len as usize;
    header.life.end();
    let base = raw.cast::<u8>();
    // SAFETY: the block was allocated with this layout, and ends here.
    let husk = unsafe { Husk::from_raw(base, layout) };
    if !header.is_absent() {
        // SAFETY: the value was written when the block was drafted (E4), and this is its one drop; a panic in it still frees
        // the block.
        unsafe { V::destroy(base.add(offset).as_ptr(), len) };
    }
    husk
}

/// A borrowed block: under a hazard, or under the lock of the stripe that links it.
#[derive(Clone, Copy)]
pub(crate) struct BlockRef<'a>(NonNull<Header>, PhantomData<&'a Header>);

impl Deref for BlockRef<'_> {
    type Target = Header;

    #[inline]
    fn deref(&self) -> &Header {
        // SAFETY: E3: the block lives as long as the borrow; its header is never written but through atomics (E2).
        let header = unsafe { self.0.as_ref() };
        header.life.touch();
        header
    }
}

impl<'a> BlockRef<'a> {
    /// # Safety
    /// The block is kept alive for `'a`, by a hazard, the stripe's lock or a count (E3).
    #[inline]
    pub(crate) unsafe fn new(raw: NonNull<Header>) -> BlockRef<'a> {
        BlockRef(raw, PhantomData)
    }

    #[inline]
    pub(crate) fn as_ptr(self) -> *mut Header {
        self.0.as_ptr()
    }

    /// What [`new`](Self::new) was given.
    #[inline(always)]
    pub(crate) fn as_raw(self) -> NonNull<Header> {
        self.0
    }

    #[inline]
    pub(crate) fn key_bytes(self) -> &'a [u8] {
        // SAFETY: the key is there, and of this length.
        unsafe { self.bytes_at(self.key_offset(), self.kind.key_len()) }
    }

    /// # Safety
    /// The key begins there, and isn't shorter.
    #[inline(always)]
    unsafe fn bytes_at(self, offset: usize, len: usize) -> &'a [u8] {
        // SAFETY: by the contract; the key was written before the block was shared, and never changes.
        unsafe {
            let start = self.0.cast::<u8>().add(offset);
            std::slice::from_raw_parts(start.as_ptr(), len)
        }
    }

    /// Whether this is the entry that is looked for: length, shape, place and all bytes of the key.
    #[inline(always)]
    pub(crate) fn is(self, probe: &Probe<'_>) -> bool {
        // Most entries carry nothing that isn't asked for, so their keys begin where the probe says.
        if self.kind == probe.kind() {
            return self.is_keyed_at(key_offset(probe.kind().flags()), probe);
        }
        self.is_laden(probe)
    }

    /// The same of an entry that carries more than is asked for.
    #[inline(always)]
    pub(crate) fn is_laden(self, probe: &Probe<'_>) -> bool {
        self.kind.asked() == probe.kind() && self.carries_key_of(*probe)
    }

    /// Whether it carries what is asked for and nothing besides, as most do.
    #[inline(always)]
    pub(crate) fn is_plain(self, probe: &Probe<'_>) -> bool {
        self.kind == probe.kind()
    }

    /// The rest of [`is`](Self::is) for an entry that is plain.
    #[inline(always)]
    pub(crate) fn is_keyed_plainly(self, probe: &Probe<'_>) -> bool {
        debug_assert!(self.is_plain(probe));
        self.is_keyed_at(key_offset(probe.kind().flags()), probe)
    }

    /// Tells the compiler that the entry is plain: then it needn't ask where the value begins.
    ///
    /// # Safety
    /// It is, as [`is_plain`](Self::is_plain) said of this probe.
    #[inline(always)]
    pub(crate) unsafe fn be_plain(self, probe: &Probe<'_>) {
        // SAFETY: by the contract; the kind of an entry never changes (E2).
        unsafe { std::hint::assert_unchecked(self.kind == probe.kind()) }
    }

    #[cold]
    #[inline(never)]
    fn carries_key_of(self, probe: Probe<'_>) -> bool {
        self.is_keyed(&probe)
    }

    /// Whether this is the one entry of a key, which holds a value or says that there is none.
    #[inline(always)]
    pub(crate) fn is_of(self, probe: &Probe<'_>) -> bool {
        self.kind.written() == probe.kind() && self.is_keyed(probe)
    }

    /// The rest of both, for an entry of the same kind: both or none have a place, then.
    #[inline(always)]
    fn is_keyed(self, probe: &Probe<'_>) -> bool {
        self.is_keyed_at(self.key_offset(), probe)
    }

    #[inline(always)]
    fn is_keyed_at(self, key_offset: usize, probe: &Probe<'_>) -> bool {
        debug_assert_eq!(key_offset, self.key_offset());
        debug_assert_eq!(probe.key().len(), self.kind.key_len());
        // SAFETY: the key of an entry of this kind begins there, and is as long as the probe's, whose length fits 16 bits.
        let key = unsafe { self.bytes_at(key_offset, probe.key().len()) };
        (!probe.kind().has(PLACED) || self.member_words().place == probe.place())
            && same_bytes(key, probe.key())
    }

    /// What this entry is looked up by.
    #[inline]
    pub(crate) fn probe(self) -> Probe<'a> {
        let place = self.member().map(|member| member.place);
        Probe::new(place, self.shape(), self.key_bytes())
    }

    /// The place that the entry belongs to; zero for the root.
    #[inline]
    pub(crate) fn place(self) -> u64 {
        self.member().map_or(0, |member| member.place)
    }

    /// The words of an entry that belongs to a place.
    #[inline(always)]
    pub(crate) fn member(self) -> Option<&'a Member> {
        self.kind.has(PLACED).then(|| self.member_words())
    }

    /// The same for an entry that is known to belong to one.
    #[inline(always)]
    fn member_words(self) -> &'a Member {
        debug_assert!(self.kind.has(PLACED));
        // SAFETY: a block with this flag has these words right behind its header, aligned to 8 and written before it was
        // shared. The callers have looked at the flag.
        unsafe { self.0.add(1).cast::<Member>().as_ref() }
    }

    /// The idle deadline; only for blocks that carry one.
    #[inline]
    pub(crate) fn idle(self) -> &'a Deadline {
        debug_assert!(self.has_idle());
        let offset = idle_offset(self.kind.flags());
        // SAFETY: the idle word of a block with the flag stands there, aligned to 8, written before it was shared.
        unsafe { self.0.cast::<u8>().add(offset).cast::<Deadline>().as_ref() }
    }

    /// When the entry is to be loaded anew, if it ever is.
    #[inline]
    pub(crate) fn refresh(self) -> Option<&'a Refresh> {
        if !self.kind.has(REFRESHED) {
            return None;
        }
        let offset = refresh_offset(self.kind.flags());
        // SAFETY: the words of a block with the flag stand there, aligned to 8, written before it was shared.
        Some(unsafe { self.0.cast::<u8>().add(offset).cast::<Refresh>().as_ref() })
    }

    /// The deadline that comes first.
    #[inline]
    pub(crate) fn earliest(self) -> Nanos {
        let hard = self.deadline().get();
        if self.has_idle() {
            hard.min(self.idle().get())
        } else {
            hard
        }
    }

    /// Takes one more count (E3: the count is not zero).
    #[inline]
    pub(crate) fn acquire(self) -> Block {
        // Relaxed: the one that we borrow from keeps the block alive, as with `Arc`.
        let before = self.refs.fetch_add(1, Ordering::Relaxed);
        debug_assert!(before > 0, "E3: a count is never raised from zero");
        if before > MAX_COUNT {
            std::process::abort();
        }
        Block(self.0)
    }

    /// # Safety
    /// The block was drafted for a `V`.
    #[inline]
    pub(crate) unsafe fn value<V: Value + ?Sized>(self) -> &'a V {
        let offset = (self.key_offset() + self.kind.key_len()).next_multiple_of(V::ALIGN);
        // SAFETY: `block_layout` put the value at the first aligned place behind the key; it was written before the
        // block was shared, and stays until the last count ends.
        unsafe { V::view(self.0.cast::<u8>().add(offset), self.value_len as usize).as_ref() }
    }

    fn layout<V: Value + ?Sized>(self) -> (Layout, usize) {
        block_layout::<V>(
            self.kind.flags(),
            self.kind.key_len(),
            self.value_len as usize,
        )
        .expect("the layout was computed once before, when the block was drafted")
    }
}

#[cfg(any(test, fuzzing))]
#[cfg(not(engine_loom))]
pub(crate) mod fuzz;

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
