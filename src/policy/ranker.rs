//! The order in which residents leave, at one moment.
//!
//! # Idea         the learned index by class and age, and where bytes are counted the space that an entry takes
//! # Costs        two loads a rank
//! # Invariants   R1 every rank is below 2^20
//! # Not here     what the index is made of: `learn`

use super::learn::{self, BinOfTick, Ranks};
use super::meta::Meta;

/// The order of leaving at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranker<'p> {
    ranks: &'p Ranks,
    bins: &'p BinOfTick,
    size_step: u32,
}

impl<'p> Ranker<'p> {
    /// By those ranks while those bins hold; by the space that entries take as well if `weighted`.
    #[inline(always)]
    pub(super) fn new(ranks: &'p Ranks, bins: &'p BinOfTick, weighted: bool) -> Ranker<'p> {
        Ranker {
            ranks,
            bins,
            // Half an octave a size class, and 2048 steps an octave.
            size_step: if weighted { 1024 } else { 0 },
        }
    }

    /// The order of leaving, the lowest first. `None` for a newcomer that was not used yet, in the tick that it came in.
    #[inline(always)]
    pub(crate) fn rank(&self, meta: Meta) -> Option<u32> {
        let rank = self.rank_by_count(meta);
        (rank != Self::NOT_YET).then(|| rank + self.rank_of_size(meta))
    }

    /// The same without regard to size, and [`Ranker::NOT_YET`] for none.
    #[inline(always)]
    pub(crate) fn rank_by_count(&self, meta: Meta) -> u32 {
        u32::from(learn::rank(
            self.ranks,
            self.bins,
            meta.tick(),
            meta.class(),
        ))
    }

    /// The order of leaving, also for a newcomer that came in within the running tick.
    #[inline]
    pub(crate) fn rank_in_turn(&self, meta: Meta) -> u32 {
        let rank = learn::rank_at_rest(self.ranks, self.bins, meta.tick(), meta.class());
        u32::from(rank) + self.rank_of_size(meta)
    }

    /// Above all that `rank_by_count` gives for one that may leave.
    pub(crate) const NOT_YET: u32 = learn::NOT_YET as u32;

    /// Whether sizes count.
    pub(crate) fn is_weighted(&self) -> bool {
        self.size_step > 0
    }

    #[inline(always)]
    fn rank_of_size(&self, meta: Meta) -> u32 {
        u32::from(31 - meta.size()) * self.size_step
    }
}
