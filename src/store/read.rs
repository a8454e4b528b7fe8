//! The read path: from a hash to an entry in place, without a lock.

use std::time::Duration;

use super::{Front, Held, RACES_MAX, Store};
use crate::clock::Nanos;
use crate::entry::{BlockRef, InChange, Left, Probe};
use crate::hash::KeyHash;
use crate::lineage::Local;
use crate::policy::{self, Meta, Note, Tick};
use crate::reclaim::{self, Record};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::table::{Found, Link};
use crate::tally::{Event, Tally};

/// An idle deadline is moved when that gains more than this share of the time to idle.
const IDLE_GAIN_SHARE: u32 = 16;

/// Why a look-up found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// No entry of the key is there.
    Absent,
    /// It is there still, and its deadline was reached.
    Expired,
}

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

/// Whom a look-up counts for.
#[derive(Clone, Copy)]
pub(crate) enum Counting<'a> {
    /// Nobody: it is none of those that count.
    Nobody,
    /// The whole cache.
    Cache,
    /// Whom the view counts for.
    View(&'a Local),
}

/// The thread's counts, and whom a look-up counts for.
#[derive(Clone, Copy)]
struct Counter<'a> {
    record: &'a Record,
    front: &'a Front,
    counting: Counting<'a>,
}

impl Counter<'_> {
    #[inline(always)]
    fn count(self, event: Event) {
        let (id, tally) = match self.counting {
            Counting::Nobody => return,
            Counting::Cache => (self.front.tally_id, &self.front.tally),
            Counting::View(local) => (local.tally_id(), local.tally()),
        };
        if !self.record.tally().count(id, event) {
            count_anew(self.record, tally, event);
        }
    }
}

/// By the record, which a hit has at hand.
#[cold]
#[inline(never)]
fn count_anew(record: &Record, tally: &Arc<Tally>, event: Event) {
    record.tally().count_anew(tally, event);
}

impl Store {
    /// Looks a key up and calls `f` on its entry in place, with the time that it has left to live. `is_use` tells the policy and the idle deadline;
    /// what came of it is `counting`.
    #[inline(always)]
    pub(crate) fn look<R>(
        &self,
        hash: KeyHash,
        probe: Probe<'_>,
        is_use: bool,
        counting: Counting<'_>,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
    ) -> Result<R, Missed> {
        let cell = self.cell(hash);
        if let Some(mut hazard) = reclaim::enter_first() {
            let counter = Counter {
                record: hazard.record(),
                front: &cell.front,
                counting,
            };
            if let Ok(found) = cell.front.table.find(&mut hazard, hash, &probe) {
                let Some(found) = found else {
                    counter.count(Event::Absent);
                    return Err(Missed::Absent);
                };
                match self.time_left(found.block, is_use) {
                    Timed::Left(left) => return Ok(hit(&found, hash, is_use, counter, left, f)),
                    Timed::Over => return Err(self.over(counting)),
                    Timed::InChange => {}
                }
            }
        }
        self.look_again(hash, probe, is_use, counting, f)
    }

    /// The way for nested reads, and for those that lost a race.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_again<R>(
        &self,
        hash: KeyHash,
        probe: Probe<'_>,
        is_use: bool,
        counting: Counting<'_>,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
    ) -> Result<R, Missed> {
        let cell = self.cell(hash);
        if let Some(mut hazard) = reclaim::enter() {
            let counter = Counter {
                record: hazard.record(),
                front: &cell.front,
                counting,
            };
            for _ in 0..RACES_MAX {
                if let Ok(found) = cell.front.table.find(&mut hazard, hash, &probe) {
                    let Some(found) = found else {
                        counter.count(Event::Absent);
                        return Err(Missed::Absent);
                    };
                    match self.time_left(found.block, is_use) {
                        Timed::Left(left) => {
                            return Ok(hit(&found, hash, is_use, counter, left, f));
                        }
                        Timed::Over => return Err(self.over(counting)),
                        Timed::InChange => {}
                    }
                }
            }
        }
        self.look_locked(hash, probe, is_use, counting, f)
    }

    /// A deadline was found to have passed.
    #[cold]
    #[inline(never)]
    fn over(&self, counting: Counting<'_>) -> Missed {
        self.count(counting, Event::Expired);
        Missed::Expired
    }

    /// Counts what is no look-up by itself, or didn't come to its end as one.
    #[cold]
    #[inline(never)]
    pub(crate) fn count(&self, counting: Counting<'_>, event: Event) {
        let tally = match counting {
            Counting::Nobody => return,
            Counting::Cache => self.registry.tally(),
            Counting::View(local) => local.tally(),
        };
        match reclaim::tally() {
            Some(table) if table.count(tally.id(), event) => {}
            Some(table) => table.count_anew(tally, event),
            None => tally.count(event, 1),
        }
    }

    /// The way for reads that lost too many races, or are nested too deep, or come while the thread ends.
    #[cold]
    fn look_locked<R>(
        &self,
        hash: KeyHash,
        probe: Probe<'_>,
        is_use: bool,
        counting: Counting<'_>,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
    ) -> Result<R, Missed> {
        let cell = self.cell(hash);
        loop {
            let block = cell.back.lock().get(&self.env(cell), hash, &probe, false);
            let held = Held { store: self, block };
            let Some(block) = held.block.as_ref() else {
                self.count(counting, Event::Absent);
                return Err(Missed::Absent);
            };
            // Who changes the entry at this moment does so under the lock: each round sees another write.
            match self.time_left(block.as_ref(), is_use) {
                Timed::Left(left) => {
                    self.count(counting, Event::Hit);
                    return Ok(f(block.as_ref(), left));
                }
                Timed::Over => return Err(self.over(counting)),
                Timed::InChange => {}
            }
        }
    }

    /// Looks the one entry of a key up, which holds a value or says that there is none. No use of it, and not counted.
    #[cold]
    pub(crate) fn look_any<R>(
        &self,
        hash: KeyHash,
        probe: Probe<'_>,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
    ) -> Result<R, Missed> {
        let cell = self.cell(hash);
        if let Some(mut hazard) = reclaim::enter() {
            for _ in 0..RACES_MAX {
                let table = &cell.front.table;
                let Ok(found) = table.find_any(&mut hazard, hash, &probe) else {
                    continue;
                };
                let block = found.ok_or(Missed::Absent)?.block;
                match self.time_left(block, false) {
                    Timed::Left(left) => return Ok(f(block, left)),
                    Timed::Over => return Err(Missed::Expired),
                    Timed::InChange => {}
                }
            }
        }
        loop {
            let block = cell.back.lock().get(&self.env(cell), hash, &probe, true);
            let held = Held { store: self, block };
            let block = held.block.as_ref().ok_or(Missed::Absent)?.as_ref();
            match self.time_left(block, false) {
                Timed::Left(left) => return Ok(f(block, left)),
                Timed::Over => return Err(Missed::Expired),
                Timed::InChange => {}
            }
        }
    }

    /// Asks the processor for what the look-up of a key will touch first.
    #[inline]
    pub(crate) fn prefetch_bucket(&self, hash: KeyHash) {
        self.cell(hash).front.table.prefetch_bucket(hash);
    }

    /// Asks the processor for what it will touch next.
    #[inline]
    pub(crate) fn prefetch_entries(&self, hashes: &[KeyHash]) {
        if let Some(mut hazard) = reclaim::enter() {
            for &hash in hashes {
                self.cell(hash)
                    .front
                    .table
                    .prefetch_entry(&mut hazard, hash);
            }
        }
    }

    /// The time that an entry which a reader found has left to live.
    #[inline(always)]
    pub(crate) fn time_left(&self, block: BlockRef<'_>, is_use: bool) -> Timed {
        if block.deadline().is_never() && !block.has_idle() {
            return Timed::Left(Left::NEVER);
        }
        self.timed_left(block, is_use)
    }

    /// The same of an entry with a deadline, which is most often its only one, and far away.
    #[inline(never)]
    fn timed_left(&self, block: BlockRef<'_>, is_use: bool) -> Timed {
        if block.has_deadline_alone()
            && let Some(deadline) = block.deadline().undisputed()
            && let Some(now) = self.time.long_before(deadline)
        {
            return Timed::Left(Left::until(deadline, now));
        }
        self.timed_left_exactly(block, is_use)
    }

    #[cold]
    #[inline(never)]
    fn timed_left_exactly(&self, block: BlockRef<'_>, is_use: bool) -> Timed {
        let probe = |deadline| self.time.probe(deadline);
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
        match block.earliest() {
            Nanos::MAX => Left::NEVER,
            deadline => self.told(block, Left::until(deadline, self.time.coarse_now())),
        }
    }

    /// The time that is left to an entry, with whether it is stale.
    #[inline]
    fn told(&self, block: BlockRef<'_>, left: Left) -> Left {
        match block.refresh() {
            Some(refresh) if self.time.probe(refresh.stale_from()).0 => left.stale(),
            _ => left,
        }
    }
}

/// A look-up that found its entry alive.
#[inline(always)]
fn hit<R>(
    found: &Found<'_>,
    hash: KeyHash,
    is_use: bool,
    counter: Counter<'_>,
    left: Left,
    f: impl FnOnce(BlockRef<'_>, Left) -> R,
) -> R {
    counter.count(Event::Hit);
    if is_use {
        note_use(counter.front, found, hash);
    }
    f(found.block, left)
}

/// Tells the policy of a hit, if the coarse tick has moved since the last one on this entry.
#[inline(always)]
fn note_use(front: &Front, found: &Found<'_>, hash: KeyHash) {
    let tick = Tick::from_bits(front.tick.load(Ordering::Relaxed));
    if Meta::from_bits(found.link.meta()).tick() != tick {
        note_use_slowly(front, found.link, hash, tick);
    }
}

#[cold]
#[inline(never)]
fn note_use_slowly(front: &Front, link: Link<'_>, hash: KeyHash, tick: Tick) {
    let old = Meta::from_bits(link.meta());
    // Different from key to key and from tick to tick, which is all that chance is needed for here.
    let spice = (hash.bits() >> 17) as u32 ^ tick.bits().wrapping_mul(0x9E37_79B9) >> 7;
    if let Some(new) = policy::touch(old, tick, spice)
        && link.try_set_meta(new.bits())
    {
        front.notes.leave(
            reclaim::thread_number(),
            Note::pack(old, tick, hash.bits()).bits(),
        );
    }
}
