//! What scopes ask of the stripes: their entries in bounded steps, and how many there are.

use std::collections::HashSet;

use super::Store;
use crate::entry::Block;
use crate::lineage::{Local, PlaceWord};
use crate::members::{Holding, WalkId, Walked};
use crate::sync::Arc;

/// Entries that are named in one hold of a stripe's lock.
const WALK_PER_HOLD: usize = 128;

/// How far a walk over one scope has come. To be ended with [`Store::end_walk`].
#[derive(Default)]
pub(crate) struct MemberWalk {
    stripe: usize,
    id: Option<WalkId>,
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
            walk.id = walk.id.or_else(|| stripe.begin_walk(word));
            match walk.id {
                Some(id) => stripe.walk_on(&self.env(cell), id, WALK_PER_HOLD, &mut blocks),
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
            Walked::More => {}
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
        if let Ok(generation) = local.generation(&self.registry) {
            self.registry.invalidate(&generation);
        }
    }
}
