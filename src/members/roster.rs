//! Records that stay where they are, and are found by a key: scopes by their word, pools by their number.
//!
//! # Idea
//! Records live in chunks of 16 and are named by place, which never changes. The index is a linear hash table (Litwin,
//! "Linear Hashing", VLDB 1980) whose chains run through the records: each record that comes adds at most one bucket
//! and each that goes takes at most two away, so nothing is ever rehashed at once.
//!
//! # Costs
//! find: one bucket and a chain of one record on average. insert, remove: O(1), a chunk made or given back now and then.
//! Beside the record itself 1.5 bytes for its chunk and 4 to 8 for its bucket. Doubling a table of chunks copies 24 bytes for each
//! 16 records.
//!
//! # Invariants
//! - P1 A place names the same record from `insert` to `remove`.
//! - P2 Chunks with free places are linked, each once, those without memory behind the others; an empty chunk has none.
//! - P3 Each record is in the chain of its key's bucket, once; records <= buckets <= 2 x records.
//! - P4 `growth_bytes` is exactly what the next `insert` adds to `memory_bytes`.
//!
//! # Not here
//! What records mean; that keys differ is the caller's duty.

mod index;

use self::index::Index;
use crate::rings::{Link, Links, ListId, Lists, Token};

/// A record that lends the index a word for its chain.
pub(super) trait Listed {
    /// What it is found by.
    fn key(&self) -> u64;

    /// The next record of the same bucket.
    fn chain(&self) -> Option<Token>;

    /// The same, to be changed.
    fn chain_mut(&mut self) -> &mut Option<Token>;
}

/// The records. See the module.
#[derive(Debug)]
pub(super) struct Roster<T> {
    slots: Slots<T>,
    index: Index,
}

impl<T: Listed> Roster<T> {
    /// No records, and no memory. The seed keeps it from being known which keys share a bucket.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            slots: Slots::new(),
            index: Index::new(seed),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.slots.len
    }

    /// The record with a key.
    #[inline]
    pub(super) fn find(&self, key: u64) -> Option<Token> {
        self.index.find(&self.slots, key)
    }

    #[inline]
    pub(super) fn get(&self, at: Token) -> &T {
        self.slots.get(at)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: Token) -> &mut T {
        self.slots.get_mut(at)
    }

    /// Adds a record, whose key no other has. `make` learns its place.
    pub(super) fn insert(&mut self, make: impl FnOnce(Token) -> T) -> Token {
        let at = self.slots.claim(make);
        self.index.insert(&mut self.slots, at);
        at
    }

    /// Takes a record out: its place names nothing from here on.
    pub(super) fn remove(&mut self, at: Token) -> T {
        self.index.remove(&mut self.slots, at);
        self.slots.release(at)
    }

    /// The bytes of records and index.
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes() + self.index.memory_bytes()
    }

    /// The bytes that the next insert adds to [`Roster::memory_bytes`]: mostly none.
    pub(super) fn growth_bytes(&self) -> usize {
        self.slots.growth_bytes() + self.index.growth_bytes(self.len())
    }
}

#[derive(Debug)]
struct Chunk<T> {
    /// No memory while there is no record (P2).
    slots: Option<Box<[Option<T>; CHUNK_LEN]>>,
    /// Neighbours among the chunks with free places; meaningless while there are none here.
    links: Links,
    /// Bit by bit, which places are taken.
    taken: u16,
}

/// The chunks.
#[derive(Debug)]
struct Slots<T> {
    chunks: Vec<Chunk<T>>,
    /// The ends of the list of chunks with free places.
    roomy: Links,
    n_allocated: usize,
    len: usize,
}

impl<T> Slots<T> {
    fn new() -> Self {
        Self {
            chunks: Vec::new(),
            roomy: Links::empty(ROOMY),
            n_allocated: 0,
            len: 0,
        }
    }

    #[inline]
    fn get(&self, at: Token) -> &T {
        let (chunk_idx, slot) = place_of(at);
        let slots = self.chunks[chunk_idx].slots.as_ref().expect(P1);
        slots[slot].as_ref().expect(P1)
    }

    #[inline]
    fn get_mut(&mut self, at: Token) -> &mut T {
        let (chunk_idx, slot) = place_of(at);
        let slots = self.chunks[chunk_idx].slots.as_mut().expect(P1);
        slots[slot].as_mut().expect(P1)
    }

    fn claim(&mut self, make: impl FnOnce(Token) -> T) -> Token {
        let roomy = match self.front(ROOMY) {
            Some(roomy) => roomy,
            None => self.add_chunk(),
        };
        let chunk_idx = roomy.bits() as usize - 1;
        let chunk = &mut self.chunks[chunk_idx];
        let slot = chunk.taken.trailing_ones() as usize;
        let bits = (chunk_idx * CHUNK_LEN + slot + 1) as u32;
        let at = Token::from_bits(bits).expect("a place's bits are above 0");
        let record = make(at);
        let slots = chunk.slots.get_or_insert_with(|| {
            self.n_allocated += 1;
            Box::new([const { None }; CHUNK_LEN])
        });
        slots[slot] = Some(record);
        chunk.taken |= 1 << slot;
        self.len += 1;
        if chunk.taken == u16::MAX {
            self.detach(roomy);
        }
        at
    }

    fn release(&mut self, at: Token) -> T {
        let (chunk_idx, slot) = place_of(at);
        let chunk = &mut self.chunks[chunk_idx];
        let was_full = chunk.taken == u16::MAX;
        let slots = chunk.slots.as_mut().expect(P1);
        let record = slots[slot].take().expect(P1);
        chunk.taken &= !(1 << slot);
        self.len -= 1;
        let this = chunk_token(chunk_idx);
        if was_full {
            self.link_front(ROOMY, this);
        } else if self.chunks[chunk_idx].taken == 0 {
            self.chunks[chunk_idx].slots = None;
            self.n_allocated -= 1;
            self.detach(this);
            self.link_back(ROOMY, this);
            self.trim();
        }
        record
    }

    fn add_chunk(&mut self) -> Token {
        assert!(
            self.chunks.len() < N_CHUNKS_MAX,
            "more records than link values"
        );
        let capacity = grown_capacity(&self.chunks);
        self.chunks.reserve_exact(capacity - self.chunks.len());
        self.chunks.push(Chunk {
            slots: None,
            links: Links::default(),
            taken: 0,
        });
        let this = chunk_token(self.chunks.len() - 1);
        self.link_back(ROOMY, this);
        this
    }

    /// Takes empty chunks off the end of the table, a bounded number; all of them, if there's no record at all.
    fn trim(&mut self) {
        if self.len == 0 {
            *self = Self::new();
            return;
        }
        for _ in 0..TRIM_MAX {
            if self.chunks.last().is_some_and(|chunk| chunk.taken != 0) {
                break;
            }
            self.detach(chunk_token(self.chunks.len() - 1));
            self.chunks.pop();
        }
        shrink_table(&mut self.chunks);
    }

    fn memory_bytes(&self) -> usize {
        self.n_allocated * size_of::<[Option<T>; CHUNK_LEN]>()
            + self.chunks.capacity() * size_of::<Chunk<T>>()
    }

    fn growth_bytes(&self) -> usize {
        let chunk_bytes = size_of::<[Option<T>; CHUNK_LEN]>();
        match self.front(ROOMY) {
            Some(roomy) if self.chunks[roomy.bits() as usize - 1].taken != 0 => 0,
            Some(_) => chunk_bytes,
            None => chunk_bytes + table_growth_bytes(&self.chunks),
        }
    }
}

/// The list of chunks with free places.
impl<T> Lists for Slots<T> {
    #[inline]
    fn links(&self, at: Link) -> Links {
        match at.token() {
            Some(chunk) => self.chunks[chunk.bits() as usize - 1].links,
            None => self.roomy,
        }
    }

    #[inline]
    fn links_mut(&mut self, at: Link) -> &mut Links {
        match at.token() {
            Some(chunk) => &mut self.chunks[chunk.bits() as usize - 1].links,
            None => &mut self.roomy,
        }
    }
}

/// The capacity of a table after one more push.
fn grown_capacity<C>(table: &Vec<C>) -> usize {
    if table.len() < table.capacity() {
        table.capacity()
    } else {
        (2 * table.capacity()).max(TABLE_MIN)
    }
}

/// The bytes that one more push adds to a table.
fn table_growth_bytes<C>(table: &Vec<C>) -> usize {
    (grown_capacity(table) - table.capacity()) * size_of::<C>()
}

/// Gives back what a table has to spare. Half of what is left stays, so that it isn't copied to and fro.
fn shrink_table<C>(table: &mut Vec<C>) {
    if table.capacity() > TABLE_MIN && table.len() <= table.capacity() / 4 {
        table.shrink_to((2 * table.len()).max(TABLE_MIN));
    }
}

#[inline]
fn place_of(at: Token) -> (usize, usize) {
    let idx = at.bits() as usize - 1;
    (idx / CHUNK_LEN, idx % CHUNK_LEN)
}

fn chunk_token(chunk_idx: usize) -> Token {
    Token::from_bits(chunk_idx as u32 + 1).expect("a chunk's bits are above 0")
}

/// As many as the bits of `Chunk::taken`: small, since a stripe with few scopes shall take little.
const CHUNK_LEN: usize = u16::BITS as usize;

const ROOMY: ListId = ListId(0);

/// The capacity that a table starts with.
const TABLE_MIN: usize = 4;

/// Chunks that one release takes off the table at most.
const TRIM_MAX: usize = 64;

/// Keeps all places below the bit that marks a list in a link value.
const N_CHUNKS_MAX: usize = (1 << 31) / CHUNK_LEN - 1;

const P1: &str = "P1: a place is used until its record is removed";

#[cfg(test)]
mod tests;
