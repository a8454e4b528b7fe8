//! Keys: from a user's parts to one byte string on the stack, and back to parts.
//!
//! # Idea
//! A key is a list of parts: byte strings and integers. It is encoded as a [`Shape`], kept in the entry's header,
//! and bytes. A key of one byte string *is* its bytes: nothing is added, nothing is copied. An integer alone is its
//! 8 or 16 bytes. A list writes one byte of header before each part (two more for a string above 240 bytes), so no
//! separator exists that a part could contain.
//!
//! | shape | bytes |
//! |---|---|
//! | 0 string | the string |
//! | 1 unsigned | u64 LE |
//! | 2 negative | i64 LE |
//! | 3 wide unsigned | u128 LE |
//! | 4 wide negative | i128 LE |
//! | 5 list | header, part, header, part ... |
//!
//! # Costs
//! Looking up never allocates. Up to [`INLINE_BYTES`] are encoded in line in a small buffer; longer keys take a cold
//! path with a larger one, still on the stack. A single byte string is neither copied nor limited to a buffer.
//!
//! # Invariants
//! - K1 Injective: two lists of parts encode alike only if they are the same list. An integer is the same part in
//!   every type that holds it, and never a byte string.
//! - K2 Encoded length is 1 to [`MAX_KEY_BYTES`]; a list of one part encodes as that part alone.
//! - K3 Nothing parses rendered text.
//!
//! # Not here
//! Entries; prefixes of scopes.

use std::fmt;

pub use crate::error::{KeyError, MAX_KEY_BYTES};
use crate::hash::{Hasher64, KeyHash};

mod encode;
#[cfg(not(engine_loom))]
mod own;
mod render;

pub use self::encode::{Key, KeyWriter};
pub(crate) use self::encode::{lone_key, with_key};
#[cfg(not(engine_loom))]
pub(crate) use self::own::OwnKey;
pub use self::render::{KeyParts, Part};

/// A key of at most this many encoded bytes takes the short way.
pub(crate) const INLINE_BYTES: usize = 128;

/// How a key's bytes are to be read. One byte, stored beside them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Shape(u8);

impl Shape {
    pub(crate) const BYTES: Self = Self(0);
    pub(crate) const UINT: Self = Self(1);
    pub(crate) const INT: Self = Self(2);
    pub(crate) const WIDE_UINT: Self = Self(3);
    pub(crate) const WIDE_INT: Self = Self(4);
    pub(crate) const TUPLE: Self = Self(5);

    /// Takes a shape back from where its byte was stored.
    #[inline]
    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte to store.
    #[inline]
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }
}

/// An encoded key: borrowed from a stack buffer, from the caller's own string, or from an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyRef<'a> {
    shape: Shape,
    bytes: &'a [u8],
}

impl<'a> KeyRef<'a> {
    /// Takes a key back from an entry. The bytes must have come from [`KeyRef::bytes`], with that shape.
    #[inline]
    pub(crate) const fn from_stored(shape: Shape, bytes: &'a [u8]) -> Self {
        Self { shape, bytes }
    }

    /// How to read the bytes.
    #[inline]
    pub(crate) const fn shape(self) -> Shape {
        self.shape
    }

    /// The encoded bytes, scope id included.
    #[inline]
    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Hashes shape and bytes, of a key that belongs to no place.
    #[inline]
    pub(crate) fn hash(self, hasher: &Hasher64) -> KeyHash {
        hasher.hash(0, self.shape.bits(), self.bytes)
    }

    /// The parts.
    #[inline]
    pub(crate) fn parts(self) -> KeyParts<'a> {
        KeyParts::new(self)
    }
}

impl fmt::Debug for KeyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRef")
            .field("shape", &self.shape)
            .field("parts", &self.parts())
            .finish()
    }
}

impl fmt::Display for KeyRef<'_> {
    /// Renders the parts for people, joined by `__`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.parts(), f)
    }
}

#[cfg(test)]
mod tests;
