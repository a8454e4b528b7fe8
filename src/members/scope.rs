//! The records of scopes and pools, and the lists that run through them.

use std::num::NonZeroU32;

use super::Holding;
use super::roster::{Listed, Roster};
use crate::lineage::PlaceWord;
use crate::rings::{Link, Links, ListId, Lists, Owners, Token};

/// The place of a scope's record in its stripe: stays the same while the scope has entries there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ScopeIdx(pub(super) Token);

impl ScopeIdx {
    /// Takes a place back from where its bits were stored; 0 stands for none.
    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> Option<Self> {
        match Token::from_bits(bits) {
            Some(at) => Some(Self(at)),
            None => None,
        }
    }

    /// The bits to store, never 0.
    #[inline]
    pub(crate) const fn bits(self) -> u32 {
        self.0.bits()
    }
}

/// A scope with entries in the stripe.
#[derive(Debug)]
pub(super) struct Scope<G> {
    pub(super) generation: G,
    word: PlaceWord,
    pub(super) bytes: u64,
    /// The ends of the list of entries.
    entries: Links,
    in_pool: Links,
    in_turn: Links,
    pub(super) pool: Token,
    pub(super) n_entries: u32,
    chain: Option<Token>,
    /// The cycle in which it was looked at last, or `SEEN_DEAD`.
    pub(super) seen: u32,
}

impl<G> Scope<G> {
    /// A record in no list, for this place.
    pub(super) fn new(word: PlaceWord, generation: G, pool: Token, seen: u32, at: Token) -> Self {
        Self {
            generation,
            word,
            bytes: 0,
            entries: Links::empty(list_of(at)),
            in_pool: Links::default(),
            in_turn: Links::default(),
            pool,
            n_entries: 0,
            chain: None,
            seen,
        }
    }

    #[cfg(test)]
    pub(super) fn in_pool(&self) -> Links {
        self.in_pool
    }

    #[cfg(test)]
    pub(super) fn in_turn(&self) -> Links {
        self.in_turn
    }

    pub(super) fn is_dead(&self) -> bool {
        self.seen == SEEN_DEAD
    }

    pub(super) fn holding(&self) -> Holding {
        Holding {
            n_entries: u64::from(self.n_entries),
            bytes: self.bytes,
        }
    }
}

impl<G> Listed for Scope<G> {
    #[inline]
    fn key(&self) -> u64 {
        self.word.bits()
    }

    #[inline]
    fn chain(&self) -> Option<Token> {
        self.chain
    }

    #[inline]
    fn chain_mut(&mut self) -> &mut Option<Token> {
        &mut self.chain
    }
}

/// A pool with entries in the stripe.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) bytes: u64,
    /// The ends of the list of scopes.
    pub(super) scopes: Links,
    /// The number of the pool, plus one.
    number: NonZeroU32,
    pub(super) n_entries: u32,
    chain: Option<Token>,
    /// The next entry to be named as a victim, if not the first of the first scope (M3).
    pub(super) hand: Option<Token>,
}

impl Pool {
    /// A record without scopes, for this place.
    pub(super) fn new(pool: u32, at: Token) -> Self {
        Self {
            bytes: 0,
            scopes: Links::empty(list_of(at)),
            number: NonZeroU32::MIN.saturating_add(pool),
            n_entries: 0,
            chain: None,
            hand: None,
        }
    }

    #[cfg(test)]
    pub(super) fn holding(&self) -> Holding {
        Holding {
            n_entries: u64::from(self.n_entries),
            bytes: self.bytes,
        }
    }
}

impl Listed for Pool {
    #[inline]
    fn key(&self) -> u64 {
        u64::from(self.number.get() - 1)
    }

    #[inline]
    fn chain(&self) -> Option<Token> {
        self.chain
    }

    #[inline]
    fn chain_mut(&mut self) -> &mut Option<Token> {
        &mut self.chain
    }
}

/// A scope keeps the ends of its list of entries.
impl<G> Owners for Roster<Scope<G>> {
    #[inline]
    fn ends(&self, list: ListId) -> &Links {
        &self.get(owner_of(list)).entries
    }

    #[inline]
    fn ends_mut(&mut self, list: ListId) -> &mut Links {
        &mut self.get_mut(owner_of(list)).entries
    }

    fn memory_bytes(&self) -> usize {
        Self::memory_bytes(self)
    }
}

/// The lists of scopes by pool; a list's owner is the pool.
pub(super) struct ByPool<'a, G> {
    pub(super) pools: &'a mut Roster<Pool>,
    pub(super) scopes: &'a mut Roster<Scope<G>>,
}

impl<G> Lists for ByPool<'_, G> {
    fn links(&self, at: Link) -> Links {
        match at.sentinel() {
            Some(list) => self.pools.get(owner_of(list)).scopes,
            None => self.scopes.get(record(at)).in_pool,
        }
    }

    fn links_mut(&mut self, at: Link) -> &mut Links {
        match at.sentinel() {
            Some(list) => &mut self.pools.get_mut(owner_of(list)).scopes,
            None => &mut self.scopes.get_mut(record(at)).in_pool,
        }
    }
}

/// The lists of scopes by whether they're known to be dead.
pub(super) struct ByTurn<'a, G> {
    pub(super) turns: &'a mut [Links; 2],
    pub(super) scopes: &'a mut Roster<Scope<G>>,
}

impl<G> Lists for ByTurn<'_, G> {
    fn links(&self, at: Link) -> Links {
        match at.sentinel() {
            Some(list) => self.turns[list.0 as usize],
            None => self.scopes.get(record(at)).in_turn,
        }
    }

    fn links_mut(&mut self, at: Link) -> &mut Links {
        match at.sentinel() {
            Some(list) => &mut self.turns[list.0 as usize],
            None => &mut self.scopes.get_mut(record(at)).in_turn,
        }
    }
}

/// The list that belongs to a record.
#[inline]
pub(super) fn list_of(owner: Token) -> ListId {
    ListId(owner.bits())
}

#[inline]
fn owner_of(list: ListId) -> Token {
    Token::from_bits(list.0).expect("a list is named by its owner's place")
}

#[inline]
fn record(at: Link) -> Token {
    at.token().expect("R1: a link leads to ends or to a record")
}

/// Marks a scope that is known to be dead; no cycle has this number.
pub(super) const SEEN_DEAD: u32 = 0;

pub(super) const FIRST_CYCLE: u32 = 1;

/// The number of the next cycle. They come round, long after no scope bears an old one.
pub(super) fn next_cycle(cycle: u32) -> u32 {
    cycle.checked_add(1).unwrap_or(FIRST_CYCLE)
}

/// A number that isn't this cycle's, nor that of the dead.
pub(super) fn cycle_before(cycle: u32) -> u32 {
    if cycle == FIRST_CYCLE {
        u32::MAX
    } else {
        cycle - 1
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn records_are_as_small_as_stated() {
        assert_eq!(size_of::<Option<Scope<Arc<u64>>>>(), 64);
        assert_eq!(size_of::<Option<Pool>>(), 32);
    }

    #[test]
    fn cycles_skip_the_mark_of_the_dead() {
        assert_eq!(next_cycle(u32::MAX), FIRST_CYCLE);
        assert_eq!(cycle_before(FIRST_CYCLE), u32::MAX);
        assert_eq!(cycle_before(next_cycle(7)), 7);
    }
}
