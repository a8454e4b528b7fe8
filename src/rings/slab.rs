//! The records of the rings: chunks of 256, what is free in them, and letting go of the last one.
//!
//! # Idea
//! Each chunk chains its free records. Chunks that have some form a list themselves, the last chunk at its end, so
//! that records fill the front, and the last chunk is the one that empties.
//!
//! # Costs
//! claim, release: O(1), and one chunk's setting up when nothing is free. Nothing is kept for a record but itself.
//!
//! # Invariants
//! - S1 A free record has `prev == FREE`, which no live one has, and is in its own chunk's chain, once.
//! - S2 The chunks with free records are linked, each once; the last chunk is the last of them if it's among them.
//! - S3 The capacity of the chunk table is as `grown_capacity` foretold it.
//!
//! # Not here
//! Lists.

use std::num::NonZeroU32;

use super::lists::{Links, ListId};

/// Names a live record. Stays the same while the record moves between lists; `shrink` may change it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Token(NonZeroU32);

impl Token {
    /// Takes a token back from where its bits were stored; 0 stands for none.
    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> Option<Self> {
        match NonZeroU32::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// The bits to store, never 0.
    #[inline]
    pub(crate) const fn bits(self) -> u32 {
        self.0.get()
    }

    #[inline]
    fn record_idx(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// A link value: 0 for none, the token's bits of a record, or a list's index with the top bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Link(u32);

impl Link {
    pub(super) const FREE: Self = Self(0);
    const SENTINEL_BIT: u32 = 1 << 31;

    #[inline]
    pub(super) fn to_sentinel(list: ListId) -> Self {
        Self(list.0 | Self::SENTINEL_BIT)
    }

    /// The list whose ends are meant, if no record is.
    #[inline]
    pub(crate) fn sentinel(self) -> Option<ListId> {
        (self.0 & Self::SENTINEL_BIT != 0).then_some(ListId(self.0 & !Self::SENTINEL_BIT))
    }

    /// The record that is meant, if any is.
    #[inline]
    pub(crate) fn token(self) -> Option<Token> {
        match self.sentinel() {
            Some(_) => None,
            None => Token::from_bits(self.0),
        }
    }
}

impl From<Token> for Link {
    fn from(token: Token) -> Self {
        Self(token.bits())
    }
}

/// In a free record, `links.next` is the next free one of its chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) links: Links,
    pub(super) payload: u64,
}

impl Record {
    fn free(next: u32) -> Self {
        let (prev, next) = (Link::FREE, Link(next));
        let links = Links { prev, next };
        Self { links, payload: 0 }
    }
}

/// The place of a chunk in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct ChunkIdx(u32);

impl ChunkIdx {
    const NONE: Self = Self(u32::MAX);

    fn get(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug)]
struct Chunk {
    records: Box<[Record; CHUNK_LEN]>,
    /// The head of the chain of free records: an index in the chunk, `CHUNK_LEN` for none.
    free_head: u16,
    n_free: u16,
    /// Neighbours among the chunks with free records; meaningless while there are none here.
    prev: ChunkIdx,
    next: ChunkIdx,
}

/// All records, live and free.
#[derive(Debug)]
pub(super) struct Slab {
    chunks: Vec<Chunk>,
    /// The ends of the list of chunks with free records.
    first_roomy: ChunkIdx,
    last_roomy: ChunkIdx,
    n_live: usize,
}

impl Slab {
    pub(super) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            first_roomy: ChunkIdx::NONE,
            last_roomy: ChunkIdx::NONE,
            n_live: 0,
        }
    }

    /// The number of live records.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.n_live
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.len() * CHUNK_BYTES + self.chunks.capacity() * size_of::<Chunk>()
    }

    pub(super) fn growth_bytes(&self) -> usize {
        if self.first_roomy != ChunkIdx::NONE {
            return 0;
        }
        let more_chunks = self.grown_capacity() - self.chunks.capacity();
        CHUNK_BYTES + more_chunks * size_of::<Chunk>()
    }

    #[inline]
    pub(super) fn get(&self, token: Token) -> &Record {
        self.linked(token.into())
    }

    #[inline]
    pub(super) fn get_mut(&mut self, token: Token) -> &mut Record {
        self.linked_mut(token.into())
    }

    /// The record that a link leads to, which is no sentinel's.
    #[inline]
    pub(super) fn linked(&self, link: Link) -> &Record {
        let idx = (link.0 as usize).wrapping_sub(1);
        &self.chunks[idx / CHUNK_LEN].records[idx % CHUNK_LEN]
    }

    /// The same, to be changed.
    #[inline]
    pub(super) fn linked_mut(&mut self, link: Link) -> &mut Record {
        let idx = (link.0 as usize).wrapping_sub(1);
        &mut self.chunks[idx / CHUNK_LEN].records[idx % CHUNK_LEN]
    }

    /// Takes a free record, from a chunk near the front if it can. The caller writes it.
    #[inline(always)]
    pub(super) fn claim(&mut self) -> (Token, &mut Record) {
        if self.first_roomy == ChunkIdx::NONE {
            self.add_chunk();
        }
        let chunk_idx = self.first_roomy;
        if self.chunks[chunk_idx.get()].n_free == 1 {
            self.leave_roomy(chunk_idx);
        }
        self.n_live += 1;
        let chunk = &mut self.chunks[chunk_idx.get()];
        // A chunk among the roomy ones has a free record: the remainder changes nothing.
        let slot = usize::from(chunk.free_head) % CHUNK_LEN;
        let record = &mut chunk.records[slot];
        chunk.free_head = record.links.next.0 as u16;
        chunk.n_free -= 1;
        (token_at(chunk_idx.get(), slot), record)
    }

    /// Frees a record; what it was.
    #[inline(always)]
    pub(super) fn release(&mut self, token: Token) -> Record {
        let (chunk_idx, slot) = chunk_of(token);
        let chunk = &mut self.chunks[chunk_idx.get()];
        let record = chunk.records[slot];
        debug_assert_ne!(record.links.prev, Link::FREE, "R2: a freed token");
        chunk.records[slot].links = Record::free(u32::from(chunk.free_head)).links;
        chunk.free_head = slot as u16;
        chunk.n_free += 1;
        if chunk.n_free == 1 {
            self.join_roomy(chunk_idx);
        }
        self.n_live -= 1;
        record
    }

    /// Whether so much is free that a chunk can be let go without growing again soon.
    pub(super) fn is_sparse(&self) -> bool {
        let n_records = self.chunks.len() * CHUNK_LEN;
        n_records - self.n_live > n_records / 4 + CHUNK_LEN
    }

    /// The first live record at or after a slot of the last chunk, which has one there.
    pub(super) fn live_in_last_chunk(&self, from_slot: usize) -> (usize, Token) {
        let last = self.chunks.len() - 1;
        let mut slot = from_slot;
        while self.chunks[last].records[slot].links.prev == Link::FREE {
            slot += 1;
        }
        (slot, token_at(last, slot))
    }

    /// Frees the last chunk if it has no live record.
    pub(super) fn drop_empty_chunk(&mut self) -> bool {
        let is_empty = |chunk: &Chunk| usize::from(chunk.n_free) == CHUNK_LEN;
        let drops = self.chunks.last().is_some_and(is_empty);
        if drops {
            self.drop_last_chunk();
        }
        drops
    }

    #[cold]
    #[inline(never)]
    fn add_chunk(&mut self) {
        let chunk_idx = ChunkIdx(self.chunks.len() as u32);
        assert!(
            self.chunks.len() < N_CHUNKS_MAX,
            "more records than link values"
        );
        let capacity = self.grown_capacity();
        self.chunks.reserve_exact(capacity - self.chunks.len());
        // Written once, where it stays.
        let records: Box<[Record]> = (1..=CHUNK_LEN as u32).map(Record::free).collect();
        let records = records.try_into().expect("there are as many as in a chunk");
        self.chunks.push(Chunk {
            records,
            free_head: 0,
            n_free: CHUNK_LEN as u16,
            prev: ChunkIdx::NONE,
            next: ChunkIdx::NONE,
        });
        self.join_roomy(chunk_idx);
    }

    /// The capacity of the chunk table after one more chunk.
    fn grown_capacity(&self) -> usize {
        let capacity = self.chunks.capacity();
        if self.chunks.len() < capacity {
            capacity
        } else {
            (2 * capacity).max(CHUNK_TABLE_MIN)
        }
    }

    fn drop_last_chunk(&mut self) {
        let last = self.chunks.len() - 1;
        self.leave_roomy(ChunkIdx(last as u32));
        self.chunks.truncate(last);
        // Half of what is left stays spare, so that the table isn't copied to and fro.
        if self.chunks.capacity() > CHUNK_TABLE_MIN && last <= self.chunks.capacity() / 4 {
            self.chunks.shrink_to((2 * last).max(CHUNK_TABLE_MIN));
        }
        // S2: the chunk that is last in the table goes to the end of the roomy ones.
        if let Some(chunk) = self.chunks.last()
            && chunk.n_free > 0
        {
            let new_last = ChunkIdx(last as u32 - 1);
            self.leave_roomy(new_last);
            self.join_roomy(new_last);
        }
    }

    /// Links a chunk that has got free records: at the end if it's the last chunk (S2), else in front.
    #[inline(never)]
    fn join_roomy(&mut self, chunk_idx: ChunkIdx) {
        let (prev, next) = if chunk_idx.get() + 1 == self.chunks.len() {
            (self.last_roomy, ChunkIdx::NONE)
        } else {
            (ChunkIdx::NONE, self.first_roomy)
        };
        let chunk = &mut self.chunks[chunk_idx.get()];
        (chunk.prev, chunk.next) = (prev, next);
        self.set_roomy_next(prev, chunk_idx);
        self.set_roomy_prev(next, chunk_idx);
    }

    #[inline(never)]
    fn leave_roomy(&mut self, chunk_idx: ChunkIdx) {
        let Chunk { prev, next, .. } = self.chunks[chunk_idx.get()];
        self.set_roomy_next(prev, next);
        self.set_roomy_prev(next, prev);
    }

    fn set_roomy_next(&mut self, of: ChunkIdx, to: ChunkIdx) {
        match self.chunks.get_mut(of.get()) {
            Some(chunk) => chunk.next = to,
            None => self.first_roomy = to,
        }
    }

    fn set_roomy_prev(&mut self, of: ChunkIdx, to: ChunkIdx) {
        match self.chunks.get_mut(of.get()) {
            Some(chunk) => chunk.prev = to,
            None => self.last_roomy = to,
        }
    }
}

/// The number of records in a chunk: 4 KiB of them.
const CHUNK_LEN: usize = 256;
const CHUNK_BYTES: usize = CHUNK_LEN * size_of::<Record>();

/// The capacity that the chunk table starts with.
const CHUNK_TABLE_MIN: usize = 4;

/// Keeps all link values of records below the sentinel bit.
const N_CHUNKS_MAX: usize = Link::SENTINEL_BIT as usize / CHUNK_LEN - 1;

#[inline]
fn chunk_of(token: Token) -> (ChunkIdx, usize) {
    let idx = token.record_idx();
    (ChunkIdx((idx / CHUNK_LEN) as u32), idx % CHUNK_LEN)
}

#[inline]
fn token_at(chunk_idx: usize, slot: usize) -> Token {
    let bits = (chunk_idx * CHUNK_LEN + slot + 1) as u32;
    Token::from_bits(bits).expect("a record's link value is above 0")
}

#[cfg(test)]
impl Slab {
    /// Checks S1 and S2; O(records).
    pub(super) fn validate(&self) {
        let mut n_free_total = 0;
        for chunk in &self.chunks {
            let mut n_chained = 0;
            let mut slot = usize::from(chunk.free_head);
            while slot != CHUNK_LEN {
                let links = chunk.records[slot].links;
                assert_eq!(links.prev, Link::FREE, "S1");
                slot = links.next.0 as usize;
                n_chained += 1;
                assert!(n_chained <= CHUNK_LEN, "S1: the chain doesn't end");
            }
            let is_free = |record: &&Record| record.links.prev == Link::FREE;
            let n_marked = chunk.records.iter().filter(is_free).count();
            assert_eq!(n_marked, n_chained, "S1");
            assert_eq!(usize::from(chunk.n_free), n_chained, "S1");
            n_free_total += n_chained;
        }
        let n_live = self.chunks.len() * CHUNK_LEN - n_free_total;
        assert_eq!(n_live, self.n_live);

        let mut roomy = Vec::new();
        let (mut before, mut at) = (ChunkIdx::NONE, self.first_roomy);
        while let Some(chunk) = self.chunks.get(at.get()) {
            assert_eq!(chunk.prev, before, "S2");
            roomy.push(at.get());
            assert!(roomy.len() <= self.chunks.len(), "S2: the list doesn't end");
            (before, at) = (at, chunk.next);
        }
        assert_eq!(self.last_roomy, before, "S2");
        let last = self.chunks.len().wrapping_sub(1);
        assert!(!roomy.contains(&last) || roomy.last() == Some(&last), "S2");
        roomy.sort_unstable();
        let has_room = |idx: &usize| self.chunks[*idx].n_free > 0;
        assert!(
            roomy
                .into_iter()
                .eq((0..self.chunks.len()).filter(has_room)),
            "S2"
        );
    }
}
