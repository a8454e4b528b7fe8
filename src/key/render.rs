//! Reading parts: one by one, and as text for people.
//!
//! # Idea
//! The inverse of `encode`, lazily: a cursor over the encoded bytes. Rendering joins the parts with `__` and replaces
//! what is no UTF-8, so different keys can render alike, and no function reads rendered text.
//!
//! # Costs
//! O(1) a part; nothing is allocated but by `to_vec`.
//!
//! # Invariants
//! - KR1 Reading what `encode` wrote gives the parts that were written, integers in canonical form.
//! - KR2 Reading any other bytes ends early; it never panics in a release build, and never leaves the bytes.
//!
//! # Not here
//! Deciding what a key may be.

use std::fmt::{self, Write};

use super::encode::{self, Key, KeyWriter};
use super::{KeyRef, MAX_KEY_BYTES, Shape};

/// One part of a key.
///
/// A part is the same whatever type it was written from: every integer from zero up is a `Uint`, every other one an
/// `Int`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part<'a> {
    /// A string or byte string.
    Bytes(&'a [u8]),
    /// An integer from zero up.
    Uint(u128),
    /// A negative integer, when it was read from a key.
    Int(i128),
}

impl Key for Part<'_> {
    #[inline]
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        match *self {
            Self::Bytes(bytes) => out.bytes(bytes),
            Self::Uint(uint) => out.wide_uint(uint),
            Self::Int(int) => out.wide_int(int),
        }
    }

    #[inline]
    fn single(&self) -> Option<&[u8]> {
        match *self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Uint(_) | Self::Int(_) => None,
        }
    }
}

impl fmt::Display for Part<'_> {
    /// Renders the part for people; what is no UTF-8 shows as U+FFFD.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => fmt_lossy(bytes, f),
            Self::Uint(uint) => write!(f, "{uint}"),
            Self::Int(int) => write!(f, "{int}"),
        }
    }
}

/// The parts of a key, in order; as text, joined by `__`.
///
/// The text is for people: two different keys may give the same text. To name the entry again, use the parts
/// themselves: they are a [`Key`].
#[derive(Clone)]
pub struct KeyParts<'a> {
    rest: Rest<'a>,
}

/// What is still to be read.
#[derive(Clone, Copy)]
enum Rest<'a> {
    /// The form of a lone part, and its bytes.
    Lone(Shape, &'a [u8]),
    /// Headers and parts.
    List(&'a [u8]),
}

impl<'a> KeyParts<'a> {
    pub(super) fn new(key: KeyRef<'a>) -> Self {
        let rest = if key.shape() == Shape::TUPLE {
            Rest::List(key.bytes())
        } else {
            Rest::Lone(key.shape(), key.bytes())
        };
        Self { rest }
    }

    /// Collects the parts that were not yet taken.
    pub fn to_vec(&self) -> Vec<Part<'a>> {
        self.clone().collect()
    }
}

impl<'a> Iterator for KeyParts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let read = match self.rest {
            Rest::List([]) => return None,
            Rest::List(list) => read_listed(list),
            Rest::Lone(form, bytes) => read_lone(form, bytes).map(|part| (part, [].as_slice())),
        };
        debug_assert!(read.is_some(), "KR1: the bytes of a key are damaged");
        let (part, list) = read.unzip();
        self.rest = Rest::List(list.unwrap_or_default());
        part
    }
}

impl std::iter::FusedIterator for KeyParts<'_> {}

impl Key for KeyParts<'_> {
    /// Writes the parts that were not yet taken.
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        self.clone().for_each(|part| part.write_parts(out));
    }

    #[inline]
    fn single(&self) -> Option<&[u8]> {
        match self.rest {
            Rest::Lone(Shape::BYTES, bytes) => Some(bytes),
            Rest::Lone(..) | Rest::List(_) => None,
        }
    }
}

impl fmt::Display for KeyParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, part) in self.clone().enumerate() {
            if idx > 0 {
                f.write_str("__")?;
            }
            fmt::Display::fmt(&part, f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for KeyParts<'_> {
    /// Lists the parts, so that keys which render alike can be told apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for part in self.clone() {
            match part {
                Part::Bytes(bytes) => list.entry(&format_args!("\"{}\"", bytes.escape_ascii())),
                Part::Uint(_) | Part::Int(_) => list.entry(&format_args!("{part}")),
            };
        }
        list.finish()
    }
}

/// A key of parts that were read.
struct Read<'a>(Vec<Part<'a>>);

impl Key for Read<'_> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        self.0.iter().for_each(|part| part.write_parts(out));
    }
}

impl<'a> KeyRef<'a> {
    /// A key that was stored outside; `None` if no key is encoded like that.
    pub(crate) fn from_outside(shape: Shape, bytes: &'a [u8]) -> Option<KeyRef<'a>> {
        let key = KeyRef { shape, bytes };
        if shape == Shape::BYTES {
            return (1..=MAX_KEY_BYTES).contains(&bytes.len()).then_some(key);
        }
        let mut parts = Vec::new();
        if shape == Shape::TUPLE {
            let mut rest = bytes;
            while !rest.is_empty() {
                let (part, after) = read_listed(rest)?;
                parts.push(part);
                rest = after;
            }
        } else {
            parts.push(read_lone(shape, bytes)?);
        }
        // Each list of parts is encoded in one way (K1).
        let is_it = encode::with_key(&Read(parts), |written| written == key);
        is_it.is_ok_and(|is_it| is_it).then_some(key)
    }
}

/// Reads a part that stands alone.
pub(super) fn read_lone(form: Shape, bytes: &[u8]) -> Option<Part<'_>> {
    Some(match form {
        Shape::BYTES => Part::Bytes(bytes),
        Shape::UINT => Part::Uint(u64::from_le_bytes(bytes.try_into().ok()?).into()),
        Shape::INT => Part::Int(i64::from_le_bytes(bytes.try_into().ok()?).into()),
        Shape::WIDE_UINT => Part::Uint(u128::from_le_bytes(bytes.try_into().ok()?)),
        Shape::WIDE_INT => Part::Int(i128::from_le_bytes(bytes.try_into().ok()?)),
        _ => return None,
    })
}

/// Reads the first part of a list, and gives the rest of the list.
pub(super) fn read_listed(list: &[u8]) -> Option<(Part<'_>, &[u8])> {
    let (&header, rest) = list.split_first()?;
    let (form, len_bytes, rest) = match header {
        0..=encode::SHORT_MAX => (Shape::BYTES, usize::from(header), rest),
        encode::LONG => {
            let (len_field, rest) = rest.split_first_chunk()?;
            let len_bytes = usize::from(u16::from_le_bytes(*len_field));
            (Shape::BYTES, len_bytes, rest)
        }
        encode::UINT => (Shape::UINT, 8, rest),
        encode::INT => (Shape::INT, 8, rest),
        encode::WIDE_UINT => (Shape::WIDE_UINT, 16, rest),
        encode::WIDE_INT => (Shape::WIDE_INT, 16, rest),
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len_bytes)?;
    Some((read_lone(form, content)?, rest))
}

fn fmt_lossy(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        f.write_str(chunk.valid())?;
        if !chunk.invalid().is_empty() {
            f.write_char(char::REPLACEMENT_CHARACTER)?;
        }
    }
    Ok(())
}
