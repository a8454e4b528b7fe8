//! The keys of one stripe and what each has used: a dense table that grows and shrinks by one at a time.
//!
//! # Idea
//! Nodes lie without gaps in chunks that never move. There are as many buckets as nodes, and the head of bucket `i` is
//! a field of node `i`, so a bucket comes and goes with a node: adding a node splits one bucket in two, taking one out
//! joins two. No operation ever goes over the whole table. After Litwin, "Linear hashing: a new tool for file and
//! table addressing" (VLDB 1980).
//!
//! ```text
//! n = 6     bucket = low 3 bits of the hash, or the low 2 where that is 6 or 7
//! position  | 0         | 1         | 2         | 3         | 4         | 5         |
//! head      | -> 4      | none      | -> 0      | -> 5 -> 1 | -> 2      | -> 3      |
//! ```
//!
//! # Costs
//! find, insert, remove: O(1) expected; chains hold one to two nodes on average, under a hash that nobody outside
//! knows. Keys of up to 21 bytes lie in the node, longer ones in a heap block. Memory is that of the nodes, and of at
//! most two chunks besides; doubling the table of chunks copies 24 bytes for each 64 nodes.
//!
//! # Invariants
//! - LC1 Every node is in the chain of its bucket, once, and in no other.
//! - LC2 Positions are `0 .. len`; removing a node moves the last one to its place and changes no other position.
//! - LC3 At most one chunk is empty.
//!
//! # Not here
//! What states mean, time, any lock.

use crate::hash::KeyHash;
use crate::key::{KeyRef, OwnKey};
use crate::wheel::Token;

/// A position in the table; [`Pos::NONE`] ends a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pos(u32);

impl Pos {
    const NONE: Self = Self(u32::MAX);

    #[inline]
    fn get(self) -> Option<usize> {
        (self != Self::NONE).then_some(self.0 as usize)
    }
}

/// One key.
#[derive(Debug)]
pub(super) struct Node<S> {
    /// The first of the bucket whose number is this position. It belongs to the position, not to the key.
    head: Pos,
    /// The next in the chain that this node is in.
    next: Pos,
    hash: KeyHash,
    /// The wheel's record, or none if the state never becomes idle.
    pub(super) token: Option<Token>,
    /// Reservations that are open; while there are any, the key is not forgotten. At the maximum it stays there.
    pub(super) n_holds: u32,
    /// Tells this life of the key from any other.
    pub(super) life: u64,
    name: OwnKey<SHORT_BYTES>,
    pub(super) state: S,
}

impl<S> Node<S> {
    /// The bytes that the key owns outside of the node.
    pub(super) fn name_bytes(&self) -> usize {
        self.name.heap_bytes()
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct Counters<S> {
    /// Each with room for `CHUNK_LEN`, and all full but the last two.
    chunks: Vec<Vec<Node<S>>>,
    n_nodes: usize,
}

impl<S> Counters<S> {
    pub(super) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            n_nodes: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.n_nodes
    }

    /// The bytes of nodes, full and empty, and of the table of chunks.
    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.len() * CHUNK_LEN * size_of::<Node<S>>()
            + self.chunks.capacity() * size_of::<Vec<Node<S>>>()
    }

    /// Finds a key.
    #[inline]
    pub(super) fn find(&self, hash: KeyHash, key: KeyRef<'_>) -> Option<Pos> {
        self.search(hash, |node| node.name.key() == key)
    }

    /// Finds one life of a key.
    pub(super) fn find_life(&self, hash: KeyHash, life: u64) -> Option<Pos> {
        self.search(hash, |node| node.life == life)
    }

    /// Finds the key that a wheel's record is for.
    pub(super) fn find_token(&self, hash: KeyHash, token: Token) -> Option<Pos> {
        self.search(hash, |node| node.token == Some(token))
    }

    #[inline]
    fn search(&self, hash: KeyHash, is_it: impl Fn(&Node<S>) -> bool) -> Option<Pos> {
        if self.n_nodes == 0 {
            return None;
        }
        let mut at = self.node(self.bucket(hash)).head;
        while let Some(idx) = at.get() {
            let node = self.node(idx);
            if node.hash == hash && is_it(node) {
                return Some(at);
            }
            at = node.next;
        }
        None
    }

    #[inline]
    pub(super) fn get(&self, pos: Pos) -> &Node<S> {
        self.node(pos.0 as usize)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, pos: Pos) -> &mut Node<S> {
        self.node_mut(pos.0 as usize)
    }

    /// Adds a key that isn't there.
    pub(super) fn insert(
        &mut self,
        hash: KeyHash,
        key: KeyRef<'_>,
        life: u64,
        state: S,
    ) -> &mut Node<S> {
        let idx = self.n_nodes;
        self.push(Node {
            head: Pos::NONE,
            next: Pos::NONE,
            hash,
            token: None,
            n_holds: 0,
            life,
            name: OwnKey::new(key),
            state,
        });
        self.split_into(idx);
        let bucket = self.bucket(hash);
        let head = std::mem::replace(&mut self.node_mut(bucket).head, Pos(idx as u32));
        let node = self.node_mut(idx);
        node.next = head;
        node
    }

    /// Takes a key out. The last position's node moves to the one that becomes free.
    pub(super) fn remove(&mut self, pos: Pos) -> Node<S> {
        let idx = pos.0 as usize;
        let next = self.node(idx).next;
        self.relink(pos, next);
        let last = self.n_nodes - 1;
        self.join_last();
        if idx != last {
            self.relink(Pos(last as u32), pos);
        }
        let mut node = self.pop();
        if idx != last {
            let place = self.node_mut(idx);
            node.head = place.head;
            std::mem::swap(place, &mut node);
        }
        node
    }

    /// Lets go of every chunk, if there are no keys.
    pub(super) fn release(&mut self) {
        if self.n_nodes == 0 {
            self.chunks = Vec::new();
        }
    }

    /// The bucket of a hash. The stripe took the top bits.
    #[inline]
    fn bucket(&self, hash: KeyHash) -> usize {
        // The lowest power of two above the number of buckets, less one.
        let mask = u64::MAX >> (self.n_nodes as u64).leading_zeros();
        let bucket = (hash.bits() & mask) as usize;
        if bucket < self.n_nodes {
            bucket
        } else {
            bucket & (mask >> 1) as usize
        }
    }

    /// Fills the newest bucket from the one that had its nodes until then.
    fn split_into(&mut self, newest: usize) {
        let Some(parent) = parent(newest) else {
            return;
        };
        let mut at = std::mem::replace(&mut self.node_mut(parent).head, Pos::NONE);
        while let Some(idx) = at.get() {
            let bucket = self.bucket(self.node(idx).hash);
            debug_assert!(bucket == parent || bucket == newest, "LC1");
            let head = std::mem::replace(&mut self.node_mut(bucket).head, at);
            at = std::mem::replace(&mut self.node_mut(idx).next, head);
        }
    }

    /// Empties the last bucket into the one that it came from, and counts one node less.
    fn join_last(&mut self) {
        let last = self.n_nodes - 1;
        self.n_nodes = last;
        let Some(parent) = parent(last) else {
            return;
        };
        let mut at = std::mem::replace(&mut self.node_mut(last).head, Pos::NONE);
        while let Some(idx) = at.get() {
            let head = std::mem::replace(&mut self.node_mut(parent).head, at);
            at = std::mem::replace(&mut self.node_mut(idx).next, head);
        }
    }

    /// Turns the link that leads to a node elsewhere.
    fn relink(&mut self, from: Pos, to: Pos) {
        let bucket = self.bucket(self.get(from).hash);
        let head = &mut self.node_mut(bucket).head;
        if *head == from {
            *head = to;
            return;
        }
        let mut at = *head;
        while let Some(idx) = at.get() {
            let next = &mut self.node_mut(idx).next;
            if *next == from {
                *next = to;
                return;
            }
            at = *next;
        }
        debug_assert!(false, "LC1: a node is not in its chain");
    }

    #[inline]
    fn node(&self, idx: usize) -> &Node<S> {
        &self.chunks[idx / CHUNK_LEN][idx % CHUNK_LEN]
    }

    #[inline]
    fn node_mut(&mut self, idx: usize) -> &mut Node<S> {
        &mut self.chunks[idx / CHUNK_LEN][idx % CHUNK_LEN]
    }

    fn push(&mut self, node: Node<S>) {
        let chunk_idx = self.n_nodes / CHUNK_LEN;
        if chunk_idx == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK_LEN));
        }
        self.chunks[chunk_idx].push(node);
        self.n_nodes += 1;
    }

    /// Takes the last node off, whose position is the number of nodes by now.
    fn pop(&mut self) -> Node<S> {
        let chunk_idx = self.n_nodes / CHUNK_LEN;
        let node = self.chunks[chunk_idx]
            .pop()
            .expect("LC2: the last position has a node");
        // One empty chunk stays, so that a key that comes and goes at its edge costs no allocation.
        if self.n_nodes.is_multiple_of(CHUNK_LEN) {
            self.chunks.truncate(chunk_idx + 1);
            if self.chunks.len() < self.chunks.capacity() / 4 {
                self.chunks.shrink_to(2 * self.chunks.len());
            }
        }
        node
    }
}

/// The bucket that a bucket's nodes were in before there were so many; the first has none.
#[inline]
fn parent(bucket: usize) -> Option<usize> {
    let top_bit = bucket.checked_ilog2()?;
    Some(bucket & !(1 << top_bit))
}

/// With its shape and length, a short key is as large as a long one's pointer and length.
const SHORT_BYTES: usize = 21;

/// Nodes in a chunk: some kilobytes.
const CHUNK_LEN: usize = 64;

#[cfg(test)]
impl<S> Node<S> {
    pub(super) fn hash(&self) -> KeyHash {
        self.hash
    }
}

#[cfg(test)]
impl<S> Counters<S> {
    pub(super) fn positions(&self) -> impl Iterator<Item = Pos> + use<S> {
        (0..self.n_nodes as u32).map(Pos)
    }

    /// Checks LC1 to LC3; O(nodes).
    pub(super) fn validate(&self) {
        let n_in_chunks: usize = self.chunks.iter().map(Vec::len).sum();
        assert_eq!(n_in_chunks, self.n_nodes, "LC2");
        let n_empty = self.chunks.iter().filter(|chunk| chunk.is_empty()).count();
        assert!(n_empty <= 1, "LC3");
        let mut seen = vec![false; self.n_nodes];
        for bucket in 0..self.n_nodes {
            let mut at = self.node(bucket).head;
            while let Some(idx) = at.get() {
                assert_eq!(self.bucket(self.node(idx).hash), bucket, "LC1");
                assert!(!std::mem::replace(&mut seen[idx], true), "LC1: twice");
                at = self.node(idx).next;
            }
        }
        assert!(seen.iter().all(|seen| *seen), "LC1: in no chain");
    }
}

#[cfg(test)]
mod tests;
