//! The best candidates of the last samples, from one eviction to the next.

use crate::table::Loc;

/// Victims in a row for which nothing is sampled, while the next candidate is no worse than the last one was: what was learned of those that
/// wait has to be renewed.
const UNSAMPLED_MAX: u8 = 3;
/// Candidates that are remembered from one eviction to the next.
const POOL: usize = 8;

/// The best candidates of the last samples, lowest in rank last, which is the next: what makes a small sample as good as a large one.
///
/// A candidate is known by its place and its metadata. Whatever has happened to it since, an entry with these metadata
/// in this place is as good a victim, and one that was seen twice is a victim once; a place is valid as long as no segment was retired.
#[derive(Debug)]
pub(super) struct Pool {
    items: [Candidate; POOL],
    len: usize,
    retirements: u64,
    /// The rank of the last one that was taken, and victims since the last sample.
    taken_rank: u32,
    n_unsampled: u8,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    rank: u32,
    pub(super) meta: u32,
    pub(super) loc: Loc,
}

impl Pool {
    pub(super) fn new() -> Pool {
        Pool {
            items: [Candidate {
                rank: 0,
                meta: 0,
                loc: Loc::NOWHERE,
            }; POOL],
            len: 0,
            retirements: 0,
            taken_rank: 0,
            n_unsampled: 0,
        }
    }

    /// Forgets all places if a segment was retired since they were remembered. Whether it was.
    pub(super) fn follow(&mut self, retirements: u64) -> bool {
        let is_behind = self.retirements != retirements;
        if is_behind {
            self.retirements = retirements;
            self.len = 0;
        }
        is_behind
    }

    #[inline(always)]
    pub(super) fn see(&mut self, rank: u32, meta: u32, loc: Loc) {
        if self.len < POOL || rank < self.items[0].rank {
            self.remember(Candidate { rank, meta, loc });
        }
    }

    /// Next of those of its rank; the highest is forgotten if there is no place for it.
    fn remember(&mut self, new: Candidate) {
        let mut at = if self.len < POOL {
            self.make_place(new.rank)
        } else {
            0
        };
        while at + 1 < self.len && self.items[at + 1].rank >= new.rank {
            self.items[at] = self.items[at + 1];
            at += 1;
        }
        self.items[at] = new;
    }

    /// Moves up what is lower than this, by one.
    fn make_place(&mut self, rank: u32) -> usize {
        let mut at = self.len;
        self.len += 1;
        while at > 0 && self.items[at - 1].rank < rank {
            self.items[at] = self.items[at - 1];
            at -= 1;
        }
        at
    }

    /// The lowest in rank.
    fn first(&self) -> Option<Candidate> {
        self.items[..self.len].last().copied()
    }

    /// The two lowest in rank, which will leave next, most likely.
    pub(super) fn next_two(&self) -> impl Iterator<Item = &Candidate> {
        self.items[..self.len].iter().rev().take(2)
    }

    /// Takes the lowest in rank.
    #[inline(always)]
    pub(super) fn take(&mut self) -> Option<Candidate> {
        let first = self.first()?;
        self.len -= 1;
        self.taken_rank = first.rank;
        Some(first)
    }

    /// Whether it is full, but for the one that was just taken, of candidates of one rank.
    pub(super) fn is_level(&self) -> bool {
        self.len + 1 >= POOL && self.items[0].rank == self.items[self.len - 1].rank
    }

    /// Whether the next victim is as good as the last, so that a sample can wait.
    pub(super) fn goes_unsampled(&mut self) -> bool {
        let lowest = self.first().filter(|_| self.len > 1);
        let is_good = lowest.is_some_and(|lowest| lowest.rank <= self.taken_rank);
        let waits = is_good && self.n_unsampled < UNSAMPLED_MAX;
        self.n_unsampled = if waits { self.n_unsampled + 1 } else { 0 };
        waits
    }

    /// Whether the candidate in this place is the lowest in rank.
    pub(super) fn is_first(&self, loc: Loc) -> bool {
        self.first().is_some_and(|first| first.loc == loc)
    }

    /// The lowest in rank that `is_one`; those before it are forgotten.
    pub(super) fn take_lowest(&mut self, is_one: impl Fn(Loc, u32) -> bool) -> Option<Loc> {
        while let Some(Candidate { meta, loc, .. }) = self.first() {
            self.len -= 1;
            if is_one(loc, meta) {
                return Some(loc);
            }
        }
        None
    }
}
