//! Many circular lists in one slab of records: the wheel's slots, and whatever else needs order without pointers.
//!
//! # Idea
//! A record is 16 bytes: two links and a payload. Records live in chunks that never move, so growth copies nothing
//! but chunk pointers. Each list is closed by a sentinel; sentinels and records share one space of link values, so a
//! record leaves its list without knowing which one it was in. If both its neighbours are the same sentinel, that
//! list has become empty, and the caller is told.
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

mod slab;

pub(crate) use self::slab::Token;
use self::slab::{Link, Links, Slab};

/// Names a list: its index among those that the rings were made with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ListId(pub(crate) u32);

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
pub(crate) struct Rings {
    sentinels: Box<[Links]>,
    records: Slab,
}

impl Rings {
    /// Makes that many empty lists.
    pub(crate) fn new(n_lists: u32) -> Self {
        let empty = |list| {
            let own = Link::to_sentinel(ListId(list));
            Links {
                prev: own,
                next: own,
            }
        };
        Self {
            sentinels: (0..n_lists).map(empty).collect(),
            records: Slab::new(),
        }
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
        self.sentinels[list.0 as usize].next.token()
    }

    /// What a record carries.
    #[inline]
    pub(crate) fn payload(&self, token: Token) -> u64 {
        let record = self.records.get(token);
        debug_assert_ne!(record.links.prev, Link::FREE, "R2: a freed token");
        record.payload
    }

    /// Adds a record at the end of a list.
    pub(crate) fn push_back(&mut self, list: ListId, payload: u64) -> Token {
        let token = self.records.claim(payload);
        self.link_back(list, token);
        token
    }

    /// Takes a record out of its list and frees it: its token names nothing from here on.
    pub(crate) fn unlink(&mut self, token: Token) -> Unlinked {
        let emptied = self.detach(token);
        let payload = self.records.get(token).payload;
        self.records.release(token);
        Unlinked { payload, emptied }
    }

    /// Moves a record to the end of a list, and names the list that it left, if that is empty then.
    pub(crate) fn move_to_back(&mut self, token: Token, list: ListId) -> Option<ListId> {
        let emptied = self.detach(token);
        self.link_back(list, token);
        emptied.filter(|emptied| *emptied != list)
    }

    /// The bytes that the lists take: sentinels, chunks, and the table of chunks.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.sentinels) + self.records.memory_bytes()
    }

    /// The bytes that the next push adds to [`Rings::memory_bytes`]: mostly none.
    pub(crate) fn growth_bytes(&self) -> usize {
        self.records.growth_bytes()
    }

    /// Gives memory back once more than a quarter of the records and a chunk are free: moves records out of the last
    /// chunk, and frees it. Moves and frees at most `budget`; `moved` learns each payload's old and new token.
    pub(crate) fn shrink(&mut self, budget: usize, mut moved: impl FnMut(u64, Token, Token)) {
        let mut from_slot = 0;
        for _ in 0..budget {
            if !self.records.is_sparse() {
                return;
            }
            if self.records.drop_empty_chunk() {
                from_slot = 0;
                continue;
            }
            let (slot, from) = self.records.live_in_last_chunk(from_slot);
            from_slot = slot + 1;
            let (payload, to) = self.relocate(from);
            moved(payload, from, to);
        }
    }

    /// Copies a record into a free one, which takes its place in the list.
    fn relocate(&mut self, from: Token) -> (u64, Token) {
        let record = *self.records.get(from);
        let to = self.records.claim(record.payload);
        self.records.get_mut(to).links = record.links;
        self.links_mut(record.links.prev).next = to.into();
        self.links_mut(record.links.next).prev = to.into();
        self.records.release(from);
        (record.payload, to)
    }

    fn link_back(&mut self, list: ListId, token: Token) {
        let sentinel = &mut self.sentinels[list.0 as usize];
        let last = sentinel.prev;
        sentinel.prev = token.into();
        self.links_mut(last).next = token.into();
        self.records.get_mut(token).links = Links {
            prev: last,
            next: Link::to_sentinel(list),
        };
    }

    /// Closes the gap that a record leaves, and names its list if that is empty then. The record's links stay.
    fn detach(&mut self, token: Token) -> Option<ListId> {
        let Links { prev, next } = self.records.get(token).links;
        debug_assert_ne!(prev, Link::FREE, "R2: a freed token");
        self.links_mut(prev).next = next;
        self.links_mut(next).prev = prev;
        // Only a sentinel can stand on both sides.
        if prev == next { prev.sentinel() } else { None }
    }

    #[inline]
    fn links_mut(&mut self, link: Link) -> &mut Links {
        match link.sentinel() {
            Some(list) => &mut self.sentinels[list.0 as usize],
            None => &mut self.records.linked_mut(link).links,
        }
    }
}

#[cfg(test)]
mod tests;
