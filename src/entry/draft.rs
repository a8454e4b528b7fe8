//! A block in the making: allocated and filled before any lock is taken.

use std::alloc::Layout;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, size_of};
use std::ptr::NonNull;
use std::thread::panicking;

use super::header::COPY;
use super::{
    ABSENT, Block, BlockRef, Charge, Deadline, Header, Husk, IDLE, Kind, Member, PLACED, Probe,
    REFRESHED, Refresh, RefreshAt, Releaser, Source, TAG_SHIFT, Value, allocated_bytes,
    block_layout, idle_offset, key_offset, refresh_offset,
};
use crate::clock::Nanos;
use crate::contain::contain;
use crate::hash::KeyHash;
use crate::sync::atomic::AtomicU32;
use crate::sync::{Life, dealloc};
use crate::terms::Tag;

/// The layout of a block that is about to be made, and what it will be charged before the weigher.
pub(crate) struct Plan<'a, V: ?Sized> {
    parts: Parts<'a>,
    layout: Layout,
    value_offset: usize,
    n_elements: usize,
    charge: Charge,
    charge_bytes: u64,
    value: PhantomData<V>,
}

impl<'a, V: Value + ?Sized> Plan<'a, V> {
    /// `None`: longer than the header can say, or than the address space.
    #[inline]
    pub(crate) fn new(parts: Parts<'a>, n_elements: usize) -> Option<Plan<'a, V>> {
        u16::try_from(parts.probe.key().len()).ok()?;
        u32::try_from(n_elements).ok()?;
        let (layout, value_offset) =
            block_layout::<V>(parts.flags(), parts.probe.key().len(), n_elements)?;
        let (charge, charge_bytes) = Charge::with_bytes(allocated_bytes(layout.size()))?;
        Some(Plan {
            parts,
            layout,
            value_offset,
            n_elements,
            charge,
            charge_bytes,
            value: PhantomData,
        })
    }

    /// What the entry will be charged, before a weigher is asked.
    #[inline(always)]
    pub(crate) fn charge_bytes(&self) -> u64 {
        self.charge_bytes
    }
}

/// A block that only its maker can reach. Dropping it drops its value, which may run user code: no lock may be held then.
pub(crate) struct Draft {
    block: Block,
    releaser: Releaser,
}

/// What a draft is made of, besides its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) probe: Probe<'a>,
    pub(crate) idle: bool,
    pub(crate) refreshed: bool,
    pub(crate) tag: Tag,
    pub(crate) is_copy: bool,
}

/// What is known of an entry's times under the stripe's lock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) hard: Nanos,
    pub(crate) idle: Nanos,
    pub(crate) refresh: RefreshAt,
}

impl<'a> Parts<'a> {
    /// An entry that carries nothing besides its key and value.
    #[inline(always)]
    pub(crate) fn plain(probe: Probe<'a>) -> Self {
        Self {
            probe,
            idle: false,
            refreshed: false,
            tag: Tag::Bytes,
            is_copy: false,
        }
    }

    fn flags(&self) -> u8 {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        self.probe.kind().flags()
            | flag(self.idle, IDLE)
            | flag(self.refreshed, REFRESHED)
            | (self.tag as u8) << TAG_SHIFT
    }
}

impl Draft {
    /// Takes a husk of the right size, or allocates a block, and moves (or copies) the value into it. Gives the value back where the
    /// allocator refuses.
    #[inline(always)]
    pub(crate) fn new<V, S>(
        plan: Plan<'_, V>,
        husk: Option<Husk>,
        source: S,
    ) -> Result<(Draft, S::Kept), S>
    where
        V: Value + ?Sized,
        S: Source<V>,
    {
        let (value_offset, n_elements) = (plan.value_offset, plan.n_elements);
        let Some(husk) = Self::frame(plan, husk, 0) else {
            return Err(source);
        };
        let value = husk.base().as_ptr().wrapping_add(value_offset);
        // A panic of the source's drops the husk.
        // SAFETY: the value's place is reserved at `value_offset` for `n_elements`, aligned as `V` asks, and not yet written.
        let kept = unsafe { source.write_to(value, n_elements) };
        Ok((Self::framed::<V>(husk), kept))
    }

    /// The same for an entry that says that there is no value.
    pub(crate) fn absent<V: Value + ?Sized>(
        plan: Plan<'_, V>,
        husk: Option<Husk>,
    ) -> Option<Draft> {
        Self::frame(plan, husk, ABSENT).map(Self::framed::<V>)
    }

    /// What `frame` gave for a `V`, with its value, unless it has none.
    fn framed<V: Value + ?Sized>(husk: Husk) -> Draft {
        Draft {
            block: Block(husk.into_raw().cast()),
            // SAFETY: it is given this one block, or what becomes of it.
            releaser: unsafe { Releaser::new::<V>() },
        }
    }

    /// A block but for its value.
    #[inline(always)]
    fn frame<V: Value + ?Sized>(
        plan: Plan<'_, V>,
        husk: Option<Husk>,
        more_flags: u8,
    ) -> Option<Husk> {
        let Plan {
            parts,
            layout,
            value_offset,
            n_elements,
            charge,
            ..
        } = plan;
        let (flags, key) = (parts.flags() | more_flags, parts.probe.key());
        debug_assert_eq!(
            block_layout::<V>(flags, key.len(), n_elements),
            Some((layout, value_offset))
        );
        let husk = husk.filter(|husk| husk.layout() == layout);
        let husk = husk.or_else(|| Husk::allocate(layout))?;
        let base = husk.base();
        let header = Header {
            refs: AtomicU32::new(1),
            kind: Kind::new(key.len(), parts.probe.kind().shape(), flags),
            deadline: Deadline::new(Nanos::MAX),
            version: if parts.is_copy { COPY } else { 0 },
            value_len: n_elements as u32,
            token: AtomicU32::new(0),
            short_hash: 0,
            charge,
            stamp: 0,
            life: Life::new(),
        };
        // SAFETY: the block is `layout.size()` bytes, aligned to 16 or more: the header at 0, behind it (40 is
        // a multiple of 8) the words that the flags ask for, then the key's bytes; `block_layout` reserved each.
        unsafe {
            base.cast::<Header>().write(header);
            if flags & IDLE != 0 {
                base.add(idle_offset(flags))
                    .cast::<Deadline>()
                    .write(Deadline::new(Nanos::MAX));
            }
            if flags & REFRESHED != 0 {
                base.add(refresh_offset(flags))
                    .cast::<Refresh>()
                    .write(Refresh::new());
            }
            if flags & PLACED != 0 {
                base.add(size_of::<Header>())
                    .cast::<Member>()
                    .write(Member::new(parts.probe.place()));
            }
            base.add(key_offset(flags))
                .copy_from_nonoverlapping(NonNull::from(key).cast(), key.len());
        }
        Some(husk)
    }

    /// Gives the value back and frees the block.
    pub(crate) fn undo<V, S>(self, kept: S::Kept) -> S
    where
        V: Value + ?Sized,
        S: Source<V>,
    {
        let base = self.into_block().0;
        let (layout, offset) = BlockRef(base, PhantomData).layout::<V>();
        // SAFETY: the draft is the only owner, so the value is whole and nobody else reads it; it is moved out once,
        // and its place is freed right after.
        unsafe {
            let value = base.cast::<u8>().add(offset).as_ptr();
            let source = S::restore(kept, value);
            dealloc(base.cast::<u8>().as_ptr(), layout);
            source
        }
    }

    /// Adds what the weigher answered to the charge; false where the sum is beyond what can be charged.
    pub(crate) fn add_weight(&mut self, bytes: u64) -> bool {
        let header = self.header_mut();
        let sum = header.charge.bytes().checked_add(bytes);
        let sum = sum.and_then(Charge::of_bytes);
        if let Some(sum) = sum {
            header.charge = sum;
        }
        sum.is_some()
    }

    /// Fills in what is known under the stripe's lock alone.
    #[inline(always)]
    pub(crate) fn seal(&mut self, hash: KeyHash, version: u64, stamp: u16) {
        let header = self.header_mut();
        header.short_hash = hash.short();
        debug_assert_eq!(header.version & !COPY, 0, "a draft is sealed once");
        header.version |= version;
        header.stamp = stamp;
    }

    /// The same of its times; until then it stays until it is taken out.
    pub(crate) fn set_times(&mut self, times: Times) {
        let header = self.header_mut();
        header.deadline.set(times.hard);
        let flags = header.kind.flags();
        if flags & REFRESHED != 0 {
            let offset = refresh_offset(flags);
            // SAFETY: as below.
            let words = unsafe {
                self.block
                    .0
                    .cast::<u8>()
                    .add(offset)
                    .cast::<Refresh>()
                    .as_mut()
            };
            words.set(times.refresh);
        }
        if flags & IDLE != 0 {
            let offset = idle_offset(flags);
            // SAFETY: the idle word stands there (see `new`), and the draft is its only owner (E2).
            let word = unsafe {
                self.block
                    .0
                    .cast::<u8>()
                    .add(offset)
                    .cast::<Deadline>()
                    .as_mut()
            };
            word.set(times.idle);
        }
    }

    /// The same of an entry that nothing else ends; whether it counts, or is too far away for a record in the timing wheel.
    #[inline(always)]
    pub(crate) fn set_deadline(&mut self, deadline: Nanos) -> bool {
        let counted = Deadline::counted(deadline);
        self.header_mut().deadline.set(counted);
        counted != Nanos::MAX
    }

    /// The same of its record in the timing wheel.
    #[inline(always)]
    pub(crate) fn set_token(&mut self, token: u32) {
        self.header_mut().set_token(token);
    }

    pub(crate) fn as_ref(&self) -> BlockRef<'_> {
        self.block.as_ref()
    }

    /// A count for its maker, as `acquire`, before anybody else can have one.
    #[inline(always)]
    pub(crate) fn share(&mut self) -> Block {
        debug_assert!(!self.as_ref().has_handles(), "a draft is shared once");
        self.header_mut().refs = AtomicU32::new(2);
        Block(self.block.0)
    }

    /// Hands the block over to be linked; from here on its plain fields don't change.
    #[inline(always)]
    pub(crate) fn into_block(self) -> Block {
        let draft = ManuallyDrop::new(self);
        Block(draft.block.0)
    }

    #[inline(always)]
    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: a draft is the only owner of its block (E2), and `&mut self` is the only access to the draft.
        unsafe { self.block.0.as_mut() }
    }
}

impl Drop for Draft {
    #[inline(always)]
    fn drop(&mut self) {
        end(Block(self.block.0), self.releaser);
    }
}

/// Ends a draft. By its parts, so that one that comes through lies in registers.
#[cold]
#[inline(never)]
fn end(block: Block, releaser: Releaser) {
    let end = || drop(releaser.release(block));
    if !panicking() {
        end();
    } else {
        // A second panic would end the process.
        let _: Option<()> = contain(end);
    }
}
