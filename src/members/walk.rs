//! Walks over the entries of one scope, in steps between which anything may change.
//!
//! # Idea         a walk is known to the stripe, which moves it on when the entry that it stands before leaves or is renamed
//! # Costs        beginning and going on: O(walks + what is asked for); leaving: one comparison a walk that is under way
//! # Invariants   A1 a walk stands before the first entry that it has not named, of those that joined before it ended
//! # Not here     which entries have left since they were named: they're sought by (hash, token)

use super::{Members, scope};
use crate::hash::KeyHash;
use crate::lineage::PlaceWord;
use crate::rings::Token;

/// Names a walk that is under way in a stripe; never given twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct WalkId(u64);

/// How far a walk has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Walked {
    /// There may be more entries.
    More,
    /// All were named. The walk is over.
    Done,
    /// Too many walks were begun after this one, which is forgotten.
    Lost,
}

#[derive(Clone, Copy, Debug)]
struct Walk {
    id: WalkId,
    next: Option<Token>,
}

/// The walks that are under way, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Walks {
    under_way: Vec<Walk>,
    n_begun: u64,
}

impl Walks {
    /// An entry leaves, behind which stands `next`.
    #[inline]
    pub(super) fn pass(&mut self, leaving: Token, next: Option<Token>) {
        for walk in &mut self.under_way {
            if walk.next == Some(leaving) {
                walk.next = next;
            }
        }
    }

    #[inline]
    pub(super) fn rename(&mut self, from: Token, to: Token) {
        self.pass(from, Some(to));
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.under_way.capacity() * size_of::<Walk>()
    }

    fn begin(&mut self, next: Token) -> WalkId {
        if self.under_way.len() == N_WALKS_MAX {
            self.under_way.remove(0);
        }
        self.n_begun += 1;
        let id = WalkId(self.n_begun);
        self.under_way.push(Walk {
            id,
            next: Some(next),
        });
        id
    }

    fn get_mut(&mut self, id: WalkId) -> Option<&mut Walk> {
        self.under_way.iter_mut().find(|walk| walk.id == id)
    }

    fn end(&mut self, id: WalkId) {
        self.under_way.retain(|walk| walk.id != id);
        if self.under_way.is_empty() {
            self.under_way = Vec::new();
        }
    }
}

impl<G> Members<G> {
    /// Begins a walk over the entries of a scope; `None` if it has none here. A walk costs each entry that leaves a
    /// comparison, so it's to be ended: by going on until it is done, or by [`Members::end_walk`].
    pub(crate) fn begin_walk(&mut self, word: PlaceWord) -> Option<WalkId> {
        let scope = self.entries.owners().find(word.bits())?;
        let first = self.entries.front(scope::list_of(scope))?;
        Some(self.walks.begin(first))
    }

    /// Names the next entries of a walk, `n_max` at most. An entry that stays from the walk's beginning to its end is
    /// named exactly once; one that comes or goes meanwhile, at most once.
    pub(crate) fn walk_on(
        &mut self,
        id: WalkId,
        n_max: usize,
        out: &mut Vec<(KeyHash, Token)>,
    ) -> Walked {
        let Some(walk) = self.walks.get_mut(id) else {
            return Walked::Lost;
        };
        for _ in 0..n_max {
            let Some(token) = walk.next else { break };
            out.push((KeyHash::from_bits(self.entries.payload(token)), token));
            walk.next = self.entries.after(token);
        }
        if walk.next.is_some() {
            return Walked::More;
        }
        self.walks.end(id);
        Walked::Done
    }

    /// Ends a walk before it is done.
    pub(crate) fn end_walk(&mut self, id: WalkId) {
        self.walks.end(id);
    }
}

/// Walks that are under way at once at most; beyond it the oldest is forgotten.
pub(crate) const N_WALKS_MAX: usize = 32;
