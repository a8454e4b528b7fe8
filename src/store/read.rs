//! The read path where a first look isn't enough: more entries or buckets, lost races, nested reads, locks.

use super::{Counting, Front, Held, RACES_MAX, Store, Timed};
use crate::entry::{BlockRef, Left, Probe};
use crate::hash::KeyHash;
use crate::policy::{self, Meta, Note, Tick};
use crate::reclaim::{self, Name, Record};
use crate::sync::Arc;
use crate::sync::atomic::Ordering;
use crate::table::{Found, Link, Raced, Shared};
use crate::tally::{Event, Tally};

/// Why a look-up found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// No entry of the key is there.
    Absent,
    /// It is there still, and its deadline was reached.
    Expired,
}

impl Store {
    /// The way of look-ups that have to look at more than one entry or bucket, or at an entry that carries more than a value; by the lock,
    /// if they lose too many races, or have no hazard.
    #[inline(never)]
    pub(super) fn look_on<R>(
        &self,
        hazard: Option<(impl Name, &Record)>,
        hash: KeyHash,
        probe: Probe<'_>,
        tally: Option<&Arc<Tally>>,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl FnOnce(Missed) -> R,
    ) -> R {
        if let Some((mut hazard, record)) = hazard {
            let front = &*self.cell(hash).front;
            for _ in 0..RACES_MAX {
                match front.table.find(&mut hazard, hash, &probe) {
                    Ok(Some(found)) => match self.time_left(found.block, tally.is_some()) {
                        Timed::Left(left) => {
                            front.hit(&found, record, tally);
                            return f(found.block, left);
                        }
                        Timed::Over => return missed(self.over(tally)),
                        Timed::InChange => {}
                    },
                    Ok(None) => {
                        count(record, tally, Event::Absent);
                        return missed(Missed::Absent);
                    }
                    Err(Raced) => {}
                }
            }
        }
        self.look_locked(hash, probe, tally, f, missed)
    }

    /// The way for nested reads, and for those whose hazard serves another entry.
    #[cold]
    #[inline(never)]
    pub(crate) fn look_again<R>(
        &self,
        hash: KeyHash,
        probe: Probe<'_>,
        tally: Option<&Arc<Tally>>,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl FnOnce(Missed) -> R,
    ) -> R {
        let hazard = reclaim::enter().map(|hazard| {
            let record = hazard.record();
            (hazard, record)
        });
        self.look_on(hazard, hash, probe, tally, f, missed)
    }

    /// A deadline was found to have passed.
    #[cold]
    #[inline(never)]
    pub(super) fn over(&self, tally: Option<&Arc<Tally>>) -> Missed {
        count_anyhow(tally, Event::Expired);
        Missed::Expired
    }

    /// Counts what is no look-up by itself.
    #[cold]
    #[inline(never)]
    pub(crate) fn count(&self, counting: Counting<'_>, event: Event) {
        let tally = match counting {
            Counting::Nobody => None,
            Counting::Cache => Some(self.ground.registry.tally()),
            Counting::View(local) => Some(local.tally()),
        };
        count_anyhow(tally, event);
    }

    /// The way for reads that lost too many races, or are nested too deep, or come while the thread ends.
    #[cold]
    #[inline(never)]
    fn look_locked<R>(
        &self,
        hash: KeyHash,
        probe: Probe<'_>,
        tally: Option<&Arc<Tally>>,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl FnOnce(Missed) -> R,
    ) -> R {
        let cell = self.cell(hash);
        loop {
            let block = cell.back.lock().get(&self.env(cell), hash, &probe, false);
            let held = Held { store: self, block };
            let Some(block) = held.block.as_ref() else {
                count_anyhow(tally, Event::Absent);
                return missed(Missed::Absent);
            };
            // Who changes the entry at this moment does so under the lock: each round sees another write.
            match self.time_left(block.as_ref(), tally.is_some()) {
                Timed::Left(left) => {
                    count_anyhow(tally, Event::Hit);
                    return f(block.as_ref(), left);
                }
                Timed::Over => return missed(self.over(tally)),
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

    /// Asks the processor for the entry of a key, and waits for its bucket: what a write does before it takes the lock that needs an entry
    /// which is there, so that others don't wait meanwhile.
    #[inline(always)]
    pub(super) fn ask_for(&self, hash: KeyHash) {
        let table = &self.cell(hash).front.table;
        match reclaim::enter_first() {
            Some(mut hazard) => table.prefetch_entry(&mut hazard, hash),
            None => ask_for_nested(table, hash),
        }
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
}

/// The same within a read, and on a thread's first call.
#[cold]
#[inline(never)]
fn ask_for_nested(table: &Shared, hash: KeyHash) {
    if let Some(mut hazard) = reclaim::enter() {
        table.prefetch_entry(&mut hazard, hash);
    }
}

/// Counts by the record, which a look-up has at hand.
#[inline(always)]
pub(super) fn count(record: &Record, tally: Option<&Arc<Tally>>, event: Event) {
    if let Some(tally) = tally
        && !record.tally().count(tally.id(), event)
    {
        record.tally().count_anew(tally, event);
    }
}

/// Counts for whoever has no record at hand.
#[cold]
#[inline(never)]
fn count_anyhow(tally: Option<&Arc<Tally>>, event: Event) {
    match (tally, reclaim::tally()) {
        (None, _) => {}
        (Some(tally), Some(table)) if table.count(tally.id(), event) => {}
        (Some(tally), Some(table)) => table.count_anew(tally, event),
        (Some(tally), None) => tally.count(event, 1),
    }
}

impl Front {
    /// A look-up found its entry alive.
    #[inline(always)]
    pub(super) fn hit(&self, found: &Found<'_>, record: &Record, tally: Option<&Arc<Tally>>) {
        if tally.is_some() {
            count(record, tally, Event::Hit);
            if !self.is_noted(found.link.meta()) {
                self.note_use(found.block.short_hash(), found.link);
            }
        }
    }

    /// Whether the coarse tick stands where it did at the last hit of an entry that the policy was told of, by its metadata.
    #[inline(always)]
    pub(super) fn is_noted(&self, meta: u32) -> bool {
        let tick = Tick::from_bits(self.tick.load(Ordering::Relaxed));
        Meta::from_bits(meta).tick() == tick
    }

    /// Tells the policy of a hit.
    #[cold]
    #[inline(never)]
    fn note_use(&self, short_hash: u32, link: Link<'_>) {
        let tick = Tick::from_bits(self.tick.load(Ordering::Relaxed));
        let old = Meta::from_bits(link.meta());
        let hash = KeyHash::of_short(short_hash);
        // Different from key to key, also within a segment, and from tick to tick, which is all that chance is needed for here.
        let spice = u32::from(hash.tag()) ^ tick.bits().wrapping_mul(0x9E37_79B9) >> 7;
        if let Some(new) = policy::touch(old, tick, spice)
            && link.try_set_meta(new.bits())
        {
            self.notes.leave(
                reclaim::thread_number(),
                Note::pack(old, tick, hash.bits()).bits(),
            );
        }
    }
}
