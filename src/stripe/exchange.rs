//! What goes into a stripe's lock and comes out of it.

use super::{Home, Lifetime, Refit, Stay, WorkId};
use crate::budget::Budget;
use crate::clock::TimeSource;
use crate::entry::{Block, BlockRef};
use crate::flight::Ticket;
use crate::hash::{Hasher64, KeyHash};
use crate::lineage::{Generation, Registry};
use crate::notes::Notes;
use crate::policy::Past;
use crate::shares::{Full, PoolId, Shares};
use crate::sync::atomic::AtomicU32;
use crate::sync::{Arc, CachePadded};
use crate::table::{RetiredSegment, Shared};
use crate::tally::{self, Tally};

/// What readers of a stripe look at; written when the directory doubles or the tick moves.
pub(crate) struct Front {
    pub(crate) table: Shared,
    pub(crate) tick: AtomicU32,
    /// Whom look-ups in the whole cache count for, and its id: kept where a hit looks anyway.
    pub(crate) tally_id: tally::Id,
    pub(crate) tally: Arc<Tally>,
    pub(crate) notes: Notes,
    /// Which stripe it is.
    pub(crate) index: u32,
}

// Every look-up reads most of it, so it has one line.
const _: () = assert!(size_of::<Front>() <= 64);

/// What all stripes of a store have in common.
pub(crate) struct Ground {
    pub(crate) hasher: Hasher64,
    pub(crate) time: TimeSource,
    pub(crate) n_stripes: u64,
    pub(crate) chunk_bytes: u64,
    /// Entries that a stripe claims at a time while there is plenty, and may keep claimed for its next inserts.
    pub(crate) chunk_entries: u64,
    pub(crate) has_listener: bool,
    pub(crate) bytes: CachePadded<Budget>,
    pub(crate) entries: CachePadded<Budget>,
    pub(crate) registry: Registry,
    pub(crate) shares: Arc<Shares>,
}

impl Ground {
    /// Whether a bound was lowered below what is there.
    #[inline(always)]
    pub(crate) fn is_above(&self) -> bool {
        self.bytes.excess() > 0 || self.entries.excess() > 0
    }
}

/// What a stripe needs from outside its lock.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a> {
    pub(crate) front: &'a Front,
    pub(crate) ground: &'a Ground,
}

impl Env<'_> {
    /// The hash of a linked entry, in all bits that the table asks for: what it keeps of it, or, where the directory is deeper than
    /// that tells, the hash of its key.
    #[inline]
    pub(super) fn hash_of(&self, block: BlockRef<'_>) -> KeyHash {
        self.rehash()(block)
    }

    /// The same of many, for which it is asked once where their hashes are.
    #[inline]
    pub(super) fn rehash(&self) -> impl Fn(BlockRef<'_>) -> KeyHash + Copy {
        let is_told_by_short = self.front.table.is_told_by_short();
        move |block| {
            if is_told_by_short {
                KeyHash::of_short(block.short_hash())
            } else {
                block.probe().hash(&self.ground.hasher)
            }
        }
    }
}

/// What left, until no reader can name it.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) blocks: Vec<Block>,
    /// Those that no reader names, nor can: they have only to be freed.
    pub(crate) cleared: Vec<Block>,
    pub(crate) segments: Vec<RetiredSegment>,
    /// Of scopes that have no more entries here; their end takes a lock of the registry's.
    pub(crate) lives: Vec<Arc<Generation>>,
    /// Tables of the policy, to be made anew.
    pub(crate) refit: Option<Box<Refit>>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
            && self.cleared.is_empty()
            && self.segments.is_empty()
            && self.lives.is_empty()
            && self.refit.is_none()
    }
}

/// Claims that stand for nothing yet.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Claims {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// What a write is to do besides its entry.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) lifetime: Lifetime,
    pub(crate) home: Option<Home<'a>>,
    pub(crate) condition: Condition,
    /// Whether it needn't wait for a computation that is alone with the key: it is that one, or has waited.
    pub(crate) is_alone: bool,
    /// Whether it lands even in a life that has ended, and leaves with it at once.
    pub(crate) is_last: bool,
    /// Of an entry that comes back: what a policy knew of it.
    pub(crate) past: Option<Past>,
}

impl Write<'_> {
    /// A write into the cache itself, which asks for nothing but to live that long.
    #[inline(always)]
    pub(crate) fn plain(lifetime: impl Into<Lifetime>) -> Self {
        Write {
            lifetime: lifetime.into(),
            home: None,
            condition: Condition::Always,
            is_alone: false,
            is_last: false,
            past: None,
        }
    }

    /// The same of what a load brought.
    pub(crate) fn of(plain: Plain) -> Self {
        Write {
            condition: plain.load.map_or(Condition::Always, Condition::Load),
            ..Write::plain(plain.stay)
        }
    }

    /// Whether it lands whatever is there, if nothing comes between.
    #[inline(always)]
    pub(super) fn is_likely(&self) -> bool {
        matches!(self.condition, Condition::Always | Condition::Load(_))
    }

    /// Whether the present entry may be evicted for its successor, where there is no room for both: not if what is written depends on
    /// it being there.
    pub(crate) fn may_yield(&self) -> bool {
        self.is_likely() && !self.lifetime.keeps()
    }
}

/// What a write into the cache itself is to do that asks for nothing but to stay that long: an insert, or the write of a load.
#[derive(Clone, Copy)]
pub(crate) struct Plain {
    pub(crate) stay: Stay,
    pub(crate) load: Option<WorkId>,
}

/// What a write asks of the key's present entry. One that says that there is no value is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Always,
    Absent,
    Present,
    /// It is there, and of this version.
    Version(u64),
    /// Nobody has written the key since this load of it began.
    Load(WorkId),
}

/// How a `put` ended. The draft is gone if it is done, and its caller's still if not.
pub(crate) enum Put {
    /// Linked; a count of what it replaced.
    Done(Option<Block>),
    /// The condition doesn't hold; a count of the present value.
    Unmet(Option<Block>),
    /// The life of the scope that it was for has ended since the call began; nothing was done.
    Ended,
    /// A computation is to be alone with the key: to be tried again when it is over.
    Busy(Ticket),
    /// Not enough room in this hold of the lock; nothing but evictions was done. `giver` is who is to give way elsewhere; `full` is the
    /// maximum that was met, if it was a pool's and not the cache's.
    Short {
        progress: bool,
        giver: Option<PoolId>,
        full: Option<Full>,
    },
}

/// What is charged for an entry while it is linked or waits to be freed.
pub(crate) fn cost(block: BlockRef<'_>) -> u64 {
    block.charge_bytes() + ENTRY_SHARE
}

/// What each entry is charged for ghosts and sketch, beside its block. See `Stripe::structure_bytes`.
pub(crate) const ENTRY_SHARE: u64 = 16;
