//! The counted handle that callers hold.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use super::{Block, BlockRef, Value, release_raw};
use crate::clock::Nanos;
use crate::terms::Tag;

/// The time that an entry has to live when it is looked at, and whether it is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left(u64);

impl Left {
    /// It never ends.
    pub(crate) const NEVER: Left = Left(u64::MAX);
    /// Deadlines are below this bit, so times to live are.
    const STALE: u64 = 1 << 63;

    #[inline(always)]
    pub(crate) fn until(deadline: Nanos, now: Nanos) -> Left {
        if deadline == Nanos::MAX {
            Left::NEVER
        } else {
            Left(deadline.0.saturating_sub(now.0) & !Self::STALE)
        }
    }

    /// The same of a stale entry. What never ends isn't.
    pub(crate) fn stale(self) -> Left {
        Left(self.0 | Self::STALE)
    }

    pub(crate) fn is_stale(self) -> bool {
        self != Left::NEVER && self.0 & Self::STALE != 0
    }

    pub(crate) fn ttl(self) -> Option<Duration> {
        (self != Left::NEVER).then(|| Duration::from_nanos(self.0 & !Self::STALE))
    }
}

/// A counted handle to an entry: the value by `Deref`, its key, version and remaining time to live.
///
/// The handle keeps the value alive after it left the cache; from then on its bytes are the caller's and no longer
/// part of the cache's budget. Dropping the last handle of an entry that has left drops the value.
///
/// Cost: cloning and dropping change one counter in the entry, which other threads that hold the same entry share;
/// [`Cache::read`](crate::Cache::read) avoids it.
pub struct Entry<V: Value + ?Sized> {
    block: Block,
    left: Left,
    _value: PhantomData<V>,
}

impl<V: Value + ?Sized> Entry<V> {
    /// A handle that takes over a count; `left` is its time to live at this moment.
    ///
    /// # Safety
    /// `block` was drafted for a `V`, and holds one (E4).
    #[inline]
    pub(crate) unsafe fn new(block: Block, left: Left) -> Self {
        debug_assert!(!block.as_ref().is_absent(), "E4");
        Self {
            block,
            left,
            _value: PhantomData,
        }
    }

    /// The entry's version: it grows with each write of the key, over removal and re-insertion too; gaps are normal. Zero for a
    /// loaded value that was handed out without being stored.
    pub fn version(&self) -> u64 {
        self.block.as_ref().version()
    }

    /// The time to live that was left when this handle was made, or at the kernel's last tick before; `None` if the entry never expires.
    pub fn ttl(&self) -> Option<Duration> {
        self.left.ttl()
    }

    /// Whether the entry was stale when this handle was made: past the time in which it was fresh, see [`Ttl::stale`](crate::Ttl::stale).
    pub fn is_stale(&self) -> bool {
        self.left.is_stale()
    }

    /// What kind of value it is, as the write said; the engine makes nothing of it.
    pub fn tag(&self) -> Tag {
        self.block.as_ref().tag()
    }

    /// Whether both handles are to the same entry, not merely to equal ones.
    pub fn same(&self, other: &Self) -> bool {
        self.block == other.block
    }

    /// The same with another time to live.
    pub(crate) fn with_left(mut self, left: Left) -> Self {
        self.left = left;
        self
    }

    pub(crate) fn block(&self) -> BlockRef<'_> {
        self.block.as_ref()
    }
}

impl<V: Value + ?Sized> Deref for Entry<V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        // SAFETY: by the contract of `new`.
        unsafe { self.block.as_ref().value() }
    }
}

impl<V: Value + ?Sized> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self {
            block: self.block.as_ref().acquire(),
            left: self.left,
            _value: PhantomData,
        }
    }
}

impl<V: Value + ?Sized> Drop for Entry<V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the handle owns one count of a block of type `V`, and it ends here.
        drop(unsafe { release_raw::<V>(self.block.0) });
    }
}

impl<V: Value + ?Sized> AsRef<V> for Entry<V> {
    fn as_ref(&self) -> &V {
        self
    }
}

impl<V: Value + fmt::Debug + ?Sized> fmt::Debug for Entry<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("version", &self.version())
            .field("value", &&**self)
            .finish_non_exhaustive()
    }
}

impl<V: Value + fmt::Display + ?Sized> fmt::Display for Entry<V> {
    /// Shows the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        V::fmt(self, f)
    }
}

impl From<Entry<[u8]>> for bytes::Bytes {
    /// Hands the value out as `Bytes` without copying it: they share the entry's block.
    fn from(entry: Entry<[u8]>) -> Self {
        bytes::Bytes::from_owner(entry)
    }
}
