//! Keys that leave the process: a path of names and a key, as bytes.
//!
//! # Idea
//! Each step of a path is written with its kind, its shape and its length, so nothing in a name can end it; a byte that is no
//! kind ends the path, and the key is the rest. The counter of a scope has a key of its own kind.
//!
//! ```text
//! record:     'k' 1 | length name space | kind shape length name | ... | FF | shape key
//! generation: 'g' 1 | length name space | kind shape length name | ... | FF
//! ```
//!
//! # Costs
//! Two allocations a key.
//!
//! # Invariants
//! - NK1 Injective: two different (name space, path, key) give different bytes, and none gives a generation's.
//! - NK2 No id is in it: the same in every process and in every life of a scope.
//!
//! # Not here
//! How the parts of names and keys are encoded: module `key`.

use std::fmt;

use crate::hash::Hasher64;
use crate::key::KeyRef;
use crate::lineage::Generation;

const RECORD: u8 = b'k';
const GENERATION: u8 = b'g';
const FORMAT: u8 = 1;
/// Ends a path; kinds are below.
const END: u8 = 0xFF;

/// A path, from the name space down.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// The name space and the steps.
    bytes: Vec<u8>,
    /// Where each scope's part of them ends; the first is that of the name space alone.
    ends: Vec<usize>,
}

impl Path {
    /// The path of a scope; that of the name space without one.
    pub(super) fn new(name_space: &[u8], scope: Option<&Generation>) -> Self {
        let mut path = Self {
            bytes: Vec::new(),
            ends: Vec::new(),
        };
        path.push(name_space);
        let names = scope.map(Generation::path);
        for name in names.into_iter().flatten() {
            path.bytes.extend([name.kind as u8, name.shape]);
            path.push(name.bytes);
        }
        path
    }

    fn push(&mut self, text: &[u8]) {
        debug_assert!(u32::try_from(text.len()).is_ok(), "NK1");
        self.bytes.extend((text.len() as u32).to_le_bytes());
        self.bytes.extend(text);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn key(&self, key: KeyRef<'_>) -> LevelKey<'_> {
        let n_bytes = self.bytes.len() + key.bytes().len() + 4;
        let mut bytes = Vec::with_capacity(n_bytes);
        bytes.extend([RECORD, FORMAT]);
        bytes.extend(&self.bytes);
        bytes.extend([END, key.shape().bits()]);
        bytes.extend(key.bytes());
        LevelKey { bytes, path: self }
    }

    /// The whole of it.
    pub(super) fn scope(&self) -> LevelScope<'_> {
        LevelScope { path: &self.bytes }
    }

    /// The scopes of it, from that of the name space down.
    pub(super) fn scopes(&self) -> impl DoubleEndedIterator<Item = LevelScope<'_>> {
        self.ends.iter().map(|&end| LevelScope {
            path: &self.bytes[..end],
        })
    }
}

/// A key of a record in a [`Level`](super::Level): bytes that are the same in every process, and never those of another key.
#[derive(Clone)]
pub struct LevelKey<'a> {
    bytes: Vec<u8>,
    path: &'a Path,
}

impl<'a> LevelKey<'a> {
    /// The key. Any byte may be in it, and it may be longer than a megabyte.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The scopes of its path, from that of the name space down to the one that it is in.
    pub fn scopes(&self) -> impl DoubleEndedIterator<Item = LevelScope<'a>> + use<'a> {
        self.path.scopes()
    }

    pub(super) fn hash(&self, hasher: &Hasher64) -> u64 {
        hasher.hash(0, 0, &self.bytes).bits()
    }
}

impl fmt::Debug for LevelKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LevelKey({})", self.bytes.escape_ascii())
    }
}

/// A scope in a [`Level`](super::Level), which has a generation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LevelScope<'a> {
    path: &'a [u8],
}

impl LevelScope<'_> {
    /// The key of its generation, which is no record's.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.path.len() + 3);
        bytes.extend([GENERATION, FORMAT]);
        bytes.extend(self.path);
        bytes.push(END);
        bytes
    }

    pub(super) fn hash(&self, hasher: &Hasher64) -> u64 {
        hasher.hash(1, 0, self.path).bits()
    }
}

impl fmt::Debug for LevelScope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LevelScope({})", self.path.escape_ascii())
    }
}

/// What bytes name that a level says have changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told<'a> {
    Record {
        path: &'a [u8],
        shape: u8,
        key: &'a [u8],
    },
    Scope {
        path: &'a [u8],
    },
}

/// Reads a key that may be anybody's; `None`: it is none of these.
pub(super) fn told(bytes: &[u8]) -> Option<Told<'_>> {
    let (head, rest) = bytes.split_at_checked(2)?;
    let end = path_bytes(rest)?;
    let (path, rest) = (&rest[..end], &rest[end + 1..]);
    match (head, rest) {
        ([RECORD, FORMAT], [shape, key @ ..]) => {
            let shape = *shape;
            Some(Told::Record { path, shape, key })
        }
        ([GENERATION, FORMAT], []) => Some(Told::Scope { path }),
        _ => None,
    }
}

/// Where the end of a path stands in bytes that begin with one.
fn path_bytes(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let length = bytes.get(at..at + 4)?;
        let length = length
            .iter()
            .rev()
            .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        at = at.checked_add(4 + length)?;
        if *bytes.get(at)? == END {
            return Some(at);
        }
        // The kind and the shape of the next step.
        at += 2;
    }
}

/// What all keys of a name space begin with: those of records, and those of generations.
pub(super) fn told_prefixes(name_space: &[u8]) -> [Vec<u8>; 2] {
    let path = Path::new(name_space, None);
    [RECORD, GENERATION].map(|kind| [&[kind, FORMAT], &path.bytes[..]].concat())
}
