//! What has left and waits to be freed, as it goes out and comes back.

use super::{BATCH, Batch, Env, FREE_PER_CALL, SEGMENT_BATCH, Stripe, cost};
use crate::entry::Husks;
use crate::table::RetiredSegment;

impl Stripe {
    /// Whether something is to be freed, or enough waits for a look at the hazards. While husks are left there is no hurry with what was
    /// looked at: the next blocks have their memory.
    #[inline]
    pub(crate) fn has_batch(&self) -> bool {
        self.wants_look() || self.husks.len() == 0 && !self.pending.cleared.is_empty()
    }

    /// Whether enough waits for a look at the hazards. What a reader still named at the last one doesn't ask for another.
    #[inline]
    fn wants_look(&self) -> bool {
        self.pending.blocks.len() >= BATCH
            || self.pending.segments.len() >= self.segments_due
            || self.bytes.wants_look()
    }

    /// Whether an earlier call has left something to the next one, which needn't become more: blocks to be freed, or values to be told of.
    #[inline(always)]
    pub(crate) fn has_leftovers(&self) -> bool {
        self.pending.cleared.len() | self.told.len() > 0
    }

    /// What is to be freed next: what needs no look, in pieces; with the last of them what waits for one, if it is enough. All of it
    /// `at_once`, or with tables of the policy's.
    pub(crate) fn take_batch(&mut self, at_once: bool) -> Option<Batch> {
        if self.pending.is_empty() || !(at_once || self.has_batch()) {
            return None;
        }
        let n_later = self.pending.cleared.len().saturating_sub(FREE_PER_CALL);
        let is_last = n_later == 0 && self.wants_look();
        let takes_all = at_once || is_last || self.pending.refit.is_some();
        if takes_all || self.pending.cleared.is_empty() {
            self.segments_due = SEGMENT_BATCH;
            return Some(std::mem::take(&mut self.pending));
        }
        let cleared = self.pending.cleared.split_off(n_later);
        Some(Batch {
            cleared,
            ..Batch::default()
        })
    }

    /// Settles a batch: `freed` bytes are gone, `kept` ones wait for the next blocks, and what is `left` is still named by readers, or
    /// cleared and not freed yet. All that waited was looked at, or nothing.
    pub(crate) fn settle(
        &mut self,
        env: &Env<'_>,
        freed: u64,
        kept: u64,
        left: Batch,
        has_looked: bool,
    ) {
        let blocks = left.blocks.iter().map(|block| cost(block.as_ref()));
        let segments = left.segments.iter().map(RetiredSegment::bytes);
        let stuck_bytes = blocks.sum::<u64>() + segments.sum::<u64>();
        self.bytes
            .settle(freed, has_looked.then_some(stuck_bytes), kept);
        self.pending.blocks.extend(left.blocks);
        if has_looked && self.pending.refit.is_none() {
            self.segments_due = left.segments.len() + SEGMENT_BATCH;
        }
        self.pending.segments.extend(left.segments);
        self.pending.cleared.extend(left.cleared);
        self.cover_structure(env);
        self.bytes
            .trim(&env.ground.bytes, 2 * env.ground.chunk_bytes);
    }

    /// Memory for the next blocks, charged as garbage.
    #[inline(always)]
    pub(crate) fn husks(&mut self) -> &mut Husks {
        &mut self.husks
    }

    /// Bytes that were kept for blocks are used, or freed.
    pub(crate) fn reuse(&mut self, bytes: u64) {
        self.bytes.reuse(bytes);
    }
}
