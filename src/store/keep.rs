//! All entries with what is known of them, for those who store them outside.

use super::{Held, Place, Store};
use crate::clock::Nanos;
use crate::entry::BlockRef;
use crate::lineage::Generation;
use crate::policy::{Learned, Past};
use crate::sync::Arc;
use crate::table::Cursor;

/// An entry to be stored, and what is known of it.
pub(crate) struct KeptEntry<'s> {
    held: Held<'s>,
    pub(crate) past: Past,
    /// The life of its scope; `None` for the root.
    pub(crate) life: Option<Arc<Generation>>,
}

impl KeptEntry<'_> {
    /// The entry.
    pub(crate) fn block(&self) -> Option<BlockRef<'_>> {
        self.held.block()
    }

    /// Whether it can still be found at `now`.
    pub(crate) fn is_there(&self, now: Nanos) -> bool {
        let lives = self.life.as_ref().is_none_or(|life| life.is_live());
        // Nanos::MAX is no deadline, and above all times.
        lives && self.block().is_some_and(|block| block.earliest() > now)
    }
}

impl Store {
    /// The entries of the next segment from a place on, due ones as well; the next place, or `None` after the last. The lock is held for
    /// a segment at a time.
    pub(crate) fn keep_entries<'s>(
        &'s self,
        Place(index, cursor): Place,
        out: &mut Vec<KeptEntry<'s>>,
    ) -> Option<Place> {
        let cell = self.cells.get(index)?;
        let mut kept = Vec::with_capacity(KEPT_AT_ONCE);
        let next = cell
            .back
            .lock()
            .keep_entries(&self.env(cell), cursor, &mut kept);
        out.extend(kept.into_iter().map(|(block, past, life)| KeptEntry {
            held: Held {
                store: self,
                block: Some(block),
            },
            past,
            life,
        }));
        match next {
            Some(cursor) => Some(Place(index, cursor)),
            None if index + 1 < self.cells.len() => Some(Place(index + 1, Cursor::START)),
            None => None,
        }
    }

    /// What the policies of all stripes have learned.
    pub(crate) fn learned(&self) -> Learned {
        let mut learned = Learned::new();
        for cell in &self.cells {
            cell.back.lock().add_learned(&mut learned);
        }
        learned
    }

    /// Lets policies that have learned nothing begin with that.
    pub(crate) fn expect(&self, learned: &Arc<Learned>) {
        for cell in &self.cells {
            cell.back.lock().expect(learned, self.cells.len());
        }
    }
}

/// Slots of a segment, so that the lock isn't held for an allocation.
const KEPT_AT_ONCE: usize = 448;
