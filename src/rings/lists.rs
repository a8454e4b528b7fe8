//! Circular lists over whatever keeps the links: the one place where anything is linked or unlinked, but for new records, which
//! `rings` writes with their links in one piece.
//!
//! # Idea         a record's links and a list's two ends look alike and are found by one kind of link value, so that a
//!   record leaves its list without knowing which one it was in
//! # Costs        each call: a few loads and stores
//! # Invariants   R1 and R3 of module `rings`, for every storage
//! # Not here     what records are, where they live

use super::slab::{Link, Token};

/// Names a list: its index among those of one storage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ListId(pub(crate) u32);

/// The two links of a record, or the two ends of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Links {
    pub(super) prev: Link,
    pub(super) next: Link,
}

impl Links {
    /// The ends of a list without records.
    pub(crate) fn empty(list: ListId) -> Self {
        let own = Link::to_sentinel(list);
        Self {
            prev: own,
            next: own,
        }
    }

    /// Seen from an end of the list: of a record's links, the one away from there; of the ends of a list, that end.
    #[inline]
    pub(super) fn inward(self, from: End) -> Link {
        match from {
            End::Front => self.next,
            End::Back => self.prev,
        }
    }

    /// The first record of the list whose ends these are; of a record's links, the one behind it.
    #[inline]
    pub(crate) fn next(self) -> Option<Token> {
        self.next.token()
    }
}

/// The two ends of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Front,
    Back,
}

impl End {
    #[inline]
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Front => Self::Back,
            Self::Back => Self::Front,
        }
    }
}

/// A storage of links: those of records, and the ends of lists.
pub(crate) trait Lists {
    /// The links that a link value leads to.
    fn links(&self, at: Link) -> Links;

    /// The same, to be changed.
    fn links_mut(&mut self, at: Link) -> &mut Links;

    /// The links of a record.
    #[inline]
    fn record(&self, token: Token) -> Links {
        self.links(token.into())
    }

    /// The same, to be changed.
    #[inline]
    fn record_mut(&mut self, token: Token) -> &mut Links {
        self.links_mut(token.into())
    }

    /// The first record of a list.
    #[inline]
    fn front(&self, list: ListId) -> Option<Token> {
        self.end(list, End::Front)
    }

    /// The record at an end of a list.
    #[inline]
    fn end(&self, list: ListId, end: End) -> Option<Token> {
        self.links(Link::to_sentinel(list)).inward(end).token()
    }

    /// The record behind one; none at the end of its list.
    #[inline]
    fn after(&self, token: Token) -> Option<Token> {
        self.record(token).next()
    }

    /// Links a record that is in no list at the end of one.
    #[inline]
    fn link_back(&mut self, list: ListId, token: Token) {
        let own = Link::to_sentinel(list);
        let ends = self.links_mut(own);
        let prev = std::mem::replace(&mut ends.prev, token.into());
        self.links_mut(prev).next = token.into();
        *self.record_mut(token) = Links { prev, next: own };
    }

    /// Links a record that is in no list at the beginning of one.
    #[inline]
    fn link_front(&mut self, list: ListId, token: Token) {
        let own = Link::to_sentinel(list);
        let ends = self.links_mut(own);
        let next = std::mem::replace(&mut ends.next, token.into());
        self.links_mut(next).prev = token.into();
        *self.record_mut(token) = Links { prev: own, next };
    }

    /// Closes the gap that a record leaves, and names its list if that is empty then. The record's links stay.
    #[inline]
    fn detach(&mut self, token: Token) -> Option<ListId> {
        let links = self.record(token);
        debug_assert_ne!(links.prev, Link::FREE, "R2: a freed token");
        self.close(links)
    }

    /// The same by the record's links, wherever it is by now.
    #[inline(always)]
    fn close(&mut self, links: Links) -> Option<ListId> {
        let Links { prev, next } = links;
        self.links_mut(prev).next = next;
        self.links_mut(next).prev = prev;
        // Only the ends of a list can stand on both sides.
        if prev == next { prev.sentinel() } else { None }
    }
}
