//! What scopes ask of the stripes: their entries in bounded steps, and how many there are.

use std::collections::HashSet;

use super::Store;
use crate::entry::Block;
use crate::lineage::{Local, PlaceWord};
use crate::members::{Holding, WalkId, Walked};
use crate::sync::Arc;

/// Entries that are named in one hold of a stripe's lock.
const WALK_PER_HOLD: usize = 128;
/// Scopes that are looked at, and entries that are taken out, in one hold for a walk over everything.
const SWEEP_PER_HOLD: usize = 64;

/// How far a walk over one scope has come. To be ended with [`Store::end_walk`].
#[derive(Default)]
pub(crate) struct MemberWalk {
    stripe: usize,
    id: Option<WalkId>,
    /// Entries that may still be named in this stripe: as many as there were when the walk began there. They are named in
    /// the order of joining, so that a walk ends though others join meanwhile.
    n_left: usize,
    /// The versions of what was named in this stripe, in case that the stripe forgets the walk.
    named: HashSet<u64>,
}

impl Store {
    /// Counts of a few more entries of a scope, perhaps none; false after the last.
    pub(crate) fn collect_members(
        &self,
        word: PlaceWord,
        walk: &mut MemberWalk,
        out: &mut Vec<Block>,
    ) -> bool {
        let Some(cell) = self.cells.get(walk.stripe) else {
            return false;
        };
        let mut blocks = Vec::new();
        let walked = {
            let mut stripe = cell.back.lock();
            if walk.id.is_none() {
                walk.id = stripe.begin_walk(word);
                walk.n_left = stripe.holding(word).n_entries as usize;
            }
            let n_max = walk.n_left.min(WALK_PER_HOLD);
            match walk.id {
                Some(id) => match stripe.walk_on(&self.env(cell), id, n_max, &mut blocks) {
                    Walked::More if walk.n_left == n_max => {
                        stripe.end_walk(id);
                        Walked::Done
                    }
                    walked => walked,
                },
                None => Walked::Done,
            }
        };
        for block in blocks {
            if walk.named.insert(block.as_ref().version()) {
                out.push(block);
            } else {
                self.release(block);
            }
        }
        match walked {
            Walked::More => walk.n_left -= WALK_PER_HOLD,
            Walked::Lost => walk.id = None,
            Walked::Done => {
                walk.stripe += 1;
                walk.id = None;
                walk.named.clear();
            }
        }
        true
    }

    /// Ends a walk that may not have come to its end.
    pub(crate) fn end_walk(&self, walk: &mut MemberWalk) {
        if let Some(id) = walk.id.take() {
            self.cells[walk.stripe].back.lock().end_walk(id);
        }
    }

    /// Takes out what is unreachable at this moment. What ends while this runs may be left.
    pub(crate) fn sweep(&self) {
        for cell in &self.cells {
            // Each entry that is there stands for a scope to be looked at and an entry to be taken, at most.
            let n_holds_max = 2 * (cell.back.lock().len() / SWEEP_PER_HOLD + 1);
            for _ in 0..n_holds_max {
                let mut stripe = cell.back.lock();
                let swept = stripe.sweep(&self.env(cell), SWEEP_PER_HOLD);
                self.finish(cell, stripe);
                if swept.done {
                    break;
                }
            }
        }
    }

    /// What a scope holds, due entries included.
    pub(crate) fn holding(&self, word: PlaceWord) -> Holding {
        let mut sum = Holding::default();
        for cell in &self.cells {
            let part = cell.back.lock().holding(word);
            sum.n_entries += part.n_entries;
            sum.bytes += part.bytes;
        }
        sum
    }

    /// Ends the present life of a scope, and those of all scopes below. At return, no operation that begins finds what
    /// was written in it.
    pub(crate) fn invalidate(&self, local: &Arc<Local>) {
        // On their way while the clock is read.
        self.ground.registry.prefetch();
        local.prefetch();
        let now = self.ground.time.now();
        if let Ok(generation) = local.generation(&self.ground.registry) {
            generation.note_end(now);
            self.ground.registry.invalidate(&generation);
        }
    }
}
