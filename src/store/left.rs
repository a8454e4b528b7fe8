//! How long an entry that a reader found has to live.
//!
//! # Idea         most entries have one deadline or none, and it is far away: then the coarse clock tells
//! # Costs        no deadline: a load; one that is far away: a coarse reading of the clock
//! # Not here     what becomes of a deadline that has passed (module `deadline` of `entry`)

use std::time::Duration;

use super::Store;
use crate::clock::Nanos;
use crate::entry::{BlockRef, Deadline, InChange, Left};

/// An idle deadline is moved when that gains more than this share of the time to idle.
const IDLE_GAIN_SHARE: u32 = 16;

/// What the deadlines of an entry come to at a moment. Two words, so that it travels in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timed {
    /// It has so long to live.
    Left(Left),
    /// A deadline has passed: the entry is absent.
    Over,
    /// It can't be told, since a writer is changing the entry.
    InChange,
}

impl Store {
    /// The time that an entry which a reader found has left to live.
    #[inline(always)]
    pub(crate) fn time_left(&self, block: BlockRef<'_>, is_use: bool) -> Timed {
        if block.has_deadline_alone() && block.deadline().is_never() {
            return Timed::Left(Left::NEVER);
        }
        self.timed_left(block, is_use)
    }

    /// The same of an entry with a deadline, which is most often its only one, and far away.
    #[inline(never)]
    fn timed_left(&self, block: BlockRef<'_>, is_use: bool) -> Timed {
        if block.has_deadline_alone()
            && let Some(left) = self.left_until(block.deadline())
        {
            return Timed::Left(left);
        }
        self.timed_left_exactly(block, is_use)
    }

    /// The time until a deadline that nobody changes and that is far away.
    #[inline(always)]
    pub(super) fn left_until(&self, deadline: &Deadline) -> Option<Left> {
        let deadline = deadline.undisputed()?;
        let now = self.ground.time.long_before(deadline)?;
        Some(Left::until(deadline, now))
    }

    #[cold]
    #[inline(never)]
    fn timed_left_exactly(&self, block: BlockRef<'_>, is_use: bool) -> Timed {
        let probe = |deadline| self.ground.time.probe(deadline);
        let mut first = match block.deadline().check(probe) {
            Ok(Some(ahead)) => ahead,
            Ok(None) => return Timed::Over,
            Err(InChange) => return Timed::InChange,
        };
        while block.has_idle() {
            let idle = match block.idle().check(probe) {
                Ok(Some(ahead)) => ahead,
                Ok(None) => return Timed::Over,
                Err(InChange) => return Timed::InChange,
            };
            let tti = self.lifetime.tti().unwrap_or(Duration::MAX);
            let extended = idle.now.saturating_add(tti);
            let gain = extended.saturating_since(idle.deadline);
            if !is_use || gain <= tti / IDLE_GAIN_SHARE {
                first.deadline = first.deadline.min(idle.deadline);
                break;
            }
            if block.idle().try_move(idle, extended) {
                first.deadline = first.deadline.min(extended);
                break;
            }
        }
        Timed::Left(self.told(block, Left::until(first.deadline, first.now)))
    }

    /// The time that was left to an entry which leaves at this moment.
    pub(crate) fn last_left(&self, block: BlockRef<'_>) -> Left {
        self.left_at(block, || self.ground.time.coarse_now())
    }

    /// The same of one that left when it is `now`, which is asked for if it matters.
    #[inline(always)]
    pub(crate) fn left_at(&self, block: BlockRef<'_>, now: impl FnOnce() -> Nanos) -> Left {
        match block.earliest() {
            Nanos::MAX => Left::NEVER,
            deadline => self.told(block, Left::until(deadline, now())),
        }
    }

    /// The time that is left to an entry, with whether it is stale.
    #[inline]
    fn told(&self, block: BlockRef<'_>, left: Left) -> Left {
        match block.refresh() {
            Some(refresh) if self.ground.time.probe(refresh.stale_from()).0 => left.stale(),
            _ => left,
        }
    }
}
