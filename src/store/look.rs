//! The first look for a key, which ends most look-ups.
//!
//! # Idea         in line is what most look-ups come to: an entry without a deadline, that the policy has heard of since the tick. Whatever
//!   else there is goes another way for good, and doesn't come back: then nothing has to be kept for it
//! # Costs        a hit: no lock, and no call
//! # Not here     further looks (module `read`)

use std::hint::cold_path;

use super::read::count;
use super::{Front, Missed, Store, Timed};
use crate::entry::{BlockRef, Left, Probe};
use crate::hash::KeyHash;
use crate::lineage::Local;
use crate::reclaim::{First, Record};
use crate::sync::{Arc, unseen_ref};
use crate::table::{Glance, Spot};
use crate::tally::{Event, Tally};

/// Whom a look-up counts for.
#[derive(Clone, Copy)]
pub(crate) enum Counting<'a> {
    /// Nobody: it is none of those that count.
    Nobody,
    /// The whole cache.
    Cache,
    /// Whom the view counts for.
    View(&'a Arc<Local>),
}

impl<'a> Counting<'a> {
    /// Whether the look-up is a use of the entry: those that count are.
    #[inline(always)]
    pub(crate) fn is_use(self) -> bool {
        !matches!(self, Counting::Nobody)
    }

    /// Whom it counts for, in a stripe.
    #[inline(always)]
    pub(super) fn tally(self, front: &'a Front) -> Option<&'a Arc<Tally>> {
        match self {
            Counting::Nobody => None,
            Counting::Cache => Some(&front.tally),
            Counting::View(local) => Some(local.tally()),
        }
    }

    /// Counts by the thread's record, if whom it counts for has a place there.
    #[inline(always)]
    fn count(self, record: &Record, front: &Front, event: Event) -> bool {
        let id = match self {
            Counting::Nobody => return true,
            Counting::Cache => front.tally_id,
            Counting::View(local) => local.tally_id(),
        };
        record.tally().count(id, event)
    }
}

impl Store {
    /// Looks a key up and calls `f` on its entry in place, with the time that it has left to live, or `missed`. Whom it counts for is
    /// `counting`; if it counts, it tells the policy and the idle deadline as well.
    #[inline(always)]
    pub(crate) fn look<R>(
        &self,
        hazard: First,
        hash: KeyHash,
        probe: Probe<'_>,
        counting: Counting<'_>,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl FnOnce(Missed) -> R,
    ) -> R {
        // In one register, not in two, of which there are few.
        let front = unseen_ref(&*self.cell(hash).front);
        match front.table.glance(hazard, hash, &probe) {
            Glance::Plain(hazard, sight) => {
                // SAFETY: they came together.
                #[allow(unsafe_code)]
                let block = unsafe { sight.block(&hazard) };
                if !block.deadline().is_never() {
                    cold_path();
                    let tally = counting.tally(front);
                    return self.look_timed(front, tally, hazard, sight.spot(), f, missed);
                }
                if (!counting.is_use() || front.is_noted(sight.meta()))
                    && counting.count(hazard.record(), front, Event::Hit)
                {
                    // SAFETY: that is the kind of entry that a glance finds.
                    #[allow(unsafe_code)]
                    unsafe {
                        block.be_plain(&probe);
                    }
                    return f(block, Left::NEVER);
                }
                cold_path();
                self.look_found(
                    front,
                    counting.tally(front),
                    hazard,
                    sight.spot(),
                    f,
                    missed,
                )
            }
            Glance::Laden(hazard, sight) => {
                cold_path();
                self.look_laden(
                    hash,
                    probe,
                    counting.tally(front),
                    hazard,
                    sight.spot(),
                    f,
                    missed,
                )
            }
            Glance::Absent(hazard) => {
                if counting.count(hazard.record(), front, Event::Absent) {
                    return missed(Missed::Absent);
                }
                cold_path();
                look_in_vain(counting.tally(front), hazard, missed)
            }
            Glance::Unclear(hazard) => {
                cold_path();
                let record = hazard.record();
                let hazard = Some((hazard, record));
                self.look_on(hazard, hash, probe, counting.tally(front), f, missed)
            }
        }
    }

    /// The rest of a look-up that has found an entry with a deadline, which is most often far away.
    #[inline(never)]
    fn look_timed<R>(
        &self,
        front: &Front,
        tally: Option<&Arc<Tally>>,
        hazard: First,
        spot: Spot,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl FnOnce(Missed) -> R,
    ) -> R {
        // SAFETY: they came together.
        #[allow(unsafe_code)]
        let found = unsafe { spot.found(&hazard) };
        if let Some(left) = self.left_until(found.block.deadline()) {
            front.hit(&found, hazard.record(), tally);
            return f(found.block, left);
        }
        cold_path();
        self.look_found(front, tally, hazard, spot, f, missed)
    }

    /// The rest of a look-up that has met an entry which carries more than a value, and may be that of the key.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    fn look_laden<R>(
        &self,
        hash: KeyHash,
        probe: Probe<'_>,
        tally: Option<&Arc<Tally>>,
        hazard: First,
        spot: Spot,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl FnOnce(Missed) -> R,
    ) -> R {
        // SAFETY: they came together.
        #[allow(unsafe_code)]
        let found = unsafe { spot.found(&hazard) };
        if found.block.is_laden(&probe) {
            let front = &*self.cell(hash).front;
            return self.look_found(front, tally, hazard, spot, f, missed);
        }
        let record = hazard.record();
        self.look_on(Some((hazard, record)), hash, probe, tally, f, missed)
    }

    /// The rest of a look-up that has found the entry.
    #[inline(never)]
    fn look_found<R>(
        &self,
        front: &Front,
        tally: Option<&Arc<Tally>>,
        hazard: First,
        spot: Spot,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl FnOnce(Missed) -> R,
    ) -> R {
        // SAFETY: they came together.
        #[allow(unsafe_code)]
        let found = unsafe { spot.found(&hazard) };
        match self.time_left(found.block, tally.is_some()) {
            Timed::Left(left) => {
                front.hit(&found, hazard.record(), tally);
                f(found.block, left)
            }
            Timed::Over => missed(self.over(tally)),
            Timed::InChange => {
                // By the entry's own key, which the hazard keeps.
                let probe = found.block.probe();
                let hash = probe.hash(&self.ground.hasher);
                self.look_again(hash, probe, tally, f, missed)
            }
        }
    }
}

/// The rest of a look-up that has found nothing, for whoever has no place in the thread's table.
#[cold]
#[inline(never)]
fn look_in_vain<R>(
    tally: Option<&Arc<Tally>>,
    hazard: First,
    missed: impl FnOnce(Missed) -> R,
) -> R {
    count(hazard.record(), tally, Event::Absent);
    missed(Missed::Absent)
}
