//! Many circular lists in one slab of records: the wheel's slots, and whatever else needs order without pointers.
//!
//! # Idea
//! A record is 16 bytes: two links and a payload. Records live in chunks that never move, so growth copies nothing
//! but chunk pointers. Each list is closed by a sentinel; sentinels and records share one space of link values, so a
//! record leaves its list without knowing which one it was in. If both its neighbours are the same sentinel, that
//! list has become empty, and the caller is told.
//!
//! The ends of the lists are a boxed slice where their number is fixed. Where lists come and go, each one's ends live
//! with what the list belongs to (`Owners`): a list is made and ended along with its owner, and costs nothing more.
//!
//! # Costs
//! push, unlink, move: O(1), and a new chunk's 256 records when none is free. 16 bytes a record, and 24 a chunk.
//! `shrink`: O(budget + chunk); a chunk given back costs at most 257 of budget. Doubling the chunk table copies 24
//! bytes for each 4096 of records.
//!
//! # Invariants
//! - R1 A live record is in exactly one list; following `next` from a sentinel visits the list and comes back, and
//!   `prev` is its inverse.
//! - R2 A token names the same record until that is unlinked, or `shrink` reports another token.
//! - R3 Leaving a list reports it exactly when it has become empty.
//! - R4 `growth_bytes` is exactly what the next push adds to `memory_bytes`.
//!
//! # Not here
//! What payloads mean, time, any lock.

mod lists;
mod slab;

pub(crate) use self::lists::{End, Links, ListId, Lists};
pub(crate) use self::slab::{Link, Token};
use self::slab::{Record, Slab};
use crate::sync::prefetch;

/// Who keeps the ends of the lists.
pub(crate) trait Owners {
    /// The ends of a list.
    fn ends(&self, list: ListId) -> &Links;

    /// The same, to be changed.
    fn ends_mut(&mut self, list: ListId) -> &mut Links;

    /// The bytes that the owners take.
    fn memory_bytes(&self) -> usize;
}

/// A fixed number of lists, which belong to nothing.
impl Owners for Box<[Links]> {
    #[inline]
    fn ends(&self, list: ListId) -> &Links {
        &self[list.0 as usize]
    }

    #[inline]
    fn ends_mut(&mut self, list: ListId) -> &mut Links {
        &mut self[list.0 as usize]
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(&**self)
    }
}

/// What came of unlinking a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unlinked {
    /// What the record carried.
    pub(crate) payload: u64,
    /// The list it was in, if that is empty without it.
    pub(crate) emptied: Option<ListId>,
}

/// The lists and their records.
#[derive(Debug)]
pub(crate) struct Rings<O = Box<[Links]>> {
    owners: O,
    records: Slab,
}

impl Rings {
    /// Makes that many empty lists.
    pub(crate) fn new(n_lists: u32) -> Self {
        Self::of(
            (0..n_lists)
                .map(|list| Links::empty(ListId(list)))
                .collect(),
        )
    }
}

impl<O: Owners> Rings<O> {
    /// Makes lists whose ends others keep. Each list must be empty when its owner comes, and when it goes.
    pub(crate) fn of(owners: O) -> Self {
        Self {
            owners,
            records: Slab::new(),
        }
    }

    /// Who keeps the ends of the lists.
    #[inline]
    pub(crate) fn owners(&self) -> &O {
        &self.owners
    }

    /// The same, to be changed; the ends of lists with records must stay as they are.
    #[inline]
    pub(crate) fn owners_mut(&mut self) -> &mut O {
        &mut self.owners
    }

    /// The number of records in all lists.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether a list has no records.
    #[cfg(test)]
    pub(crate) fn is_empty(&self, list: ListId) -> bool {
        self.front(list).is_none()
    }

    /// The first record of a list.
    #[inline]
    pub(crate) fn front(&self, list: ListId) -> Option<Token> {
        Lists::front(self, list)
    }

    /// The record behind one; none at the end of its list.
    #[inline]
    pub(crate) fn after(&self, token: Token) -> Option<Token> {
        Lists::after(self, token)
    }

    /// The record at an end of a list.
    #[inline]
    pub(crate) fn end(&self, list: ListId, end: End) -> Option<Token> {
        Lists::end(self, list, end)
    }

    /// The record behind one, seen from that end; none at the other.
    #[inline]
    pub(crate) fn inward(&self, token: Token, from: End) -> Option<Token> {
        self.records.get(token).links.inward(from).token()
    }

    /// What a record carries.
    #[inline]
    pub(crate) fn payload(&self, token: Token) -> u64 {
        let record = self.records.get(token);
        debug_assert_ne!(record.links.prev, Link::FREE, "R2: a freed token");
        record.payload
    }

    /// Asks the processor for a record.
    #[inline]
    pub(crate) fn prefetch(&self, token: Token) {
        prefetch(self.records.get(token));
    }

    /// Adds a record at the end of a list.
    #[inline]
    pub(crate) fn push_back(&mut self, list: ListId, payload: u64) -> Token {
        self.push_and_tell(list, payload).0
    }

    /// The same; also whether the list was empty. As `link_back` does it, but for the record, which is written once.
    #[inline(always)]
    pub(crate) fn push_and_tell(&mut self, list: ListId, payload: u64) -> (Token, bool) {
        let own = Link::to_sentinel(list);
        let (token, record) = self.records.claim();
        let ends = self.owners.ends_mut(list);
        let prev = std::mem::replace(&mut ends.prev, token.into());
        let links = Links { prev, next: own };
        *record = Record { links, payload };
        let was_empty = prev.sentinel().is_some();
        if was_empty {
            ends.next = token.into();
        } else {
            self.records.linked_mut(prev).links.next = token.into();
        }
        (token, was_empty)
    }

    /// Takes a record out of its list and frees it: its token names nothing from here on.
    pub(crate) fn unlink(&mut self, token: Token) -> Unlinked {
        let Record { links, payload } = self.records.release(token);
        let emptied = self.close(links);
        Unlinked { payload, emptied }
    }

    /// Moves a record to the end of a list, and names the list that it left, if that is empty then.
    pub(crate) fn move_to_back(&mut self, token: Token, list: ListId) -> Option<ListId> {
        let emptied = self.detach(token);
        self.link_back(list, token);
        emptied.filter(|emptied| *emptied != list)
    }

    /// The bytes that the lists take: owners, chunks, and the table of chunks.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.owners.memory_bytes() + self.records.memory_bytes()
    }

    /// The bytes that the next push adds to [`Rings::memory_bytes`]: mostly none.
    pub(crate) fn growth_bytes(&self) -> usize {
        self.records.growth_bytes()
    }

    /// Whether so much is free that `shrink` has something to do: more than a quarter of the records, and a chunk.
    #[inline]
    pub(crate) fn is_sparse(&self) -> bool {
        self.records.is_sparse()
    }

    /// Gives memory back once more than a quarter of the records and a chunk are free: moves records out of the last
    /// chunk, and frees it. Moves and frees at most `budget`, and says how many; `moved` learns each payload's old and new token.
    pub(crate) fn shrink(
        &mut self,
        budget: usize,
        mut moved: impl FnMut(u64, Token, Token),
    ) -> usize {
        self.shrink_with(budget, |_, payload, from, to| moved(payload, from, to))
    }

    /// As [`Rings::shrink`]; `moved` sees the owners as well.
    pub(crate) fn shrink_with(
        &mut self,
        budget: usize,
        mut moved: impl FnMut(&O, u64, Token, Token),
    ) -> usize {
        let mut from_slot = 0;
        for step in 0..budget {
            if !self.records.is_sparse() {
                return step;
            }
            if self.records.drop_empty_chunk() {
                from_slot = 0;
                continue;
            }
            let (slot, from) = self.records.live_in_last_chunk(from_slot);
            from_slot = slot + 1;
            let (payload, to) = self.relocate(from);
            moved(&self.owners, payload, from, to);
        }
        budget
    }

    /// Copies a record of the last chunk into a free one of another, which takes its place in the list.
    fn relocate(&mut self, from: Token) -> (u64, Token) {
        // What is freed comes to be the last to be taken (S2), and others are free.
        let record = self.records.release(from);
        let (to, place) = self.records.claim();
        debug_assert_ne!(from, to, "a record moves out of the last chunk");
        *place = record;
        self.links_mut(record.links.prev).next = to.into();
        self.links_mut(record.links.next).prev = to.into();
        (record.payload, to)
    }
}

impl<O: Owners> Lists for Rings<O> {
    #[inline]
    fn links(&self, at: Link) -> Links {
        match at.sentinel() {
            Some(list) => *self.owners.ends(list),
            None => self.records.linked(at).links,
        }
    }

    #[inline]
    fn links_mut(&mut self, at: Link) -> &mut Links {
        match at.sentinel() {
            Some(list) => self.owners.ends_mut(list),
            None => &mut self.records.linked_mut(at).links,
        }
    }

    #[inline]
    fn record(&self, token: Token) -> Links {
        self.records.get(token).links
    }

    #[inline]
    fn record_mut(&mut self, token: Token) -> &mut Links {
        &mut self.records.get_mut(token).links
    }
}

#[cfg(test)]
mod tests;
