//! Writing parts: the `Key` trait, its implementations, and the way from a key to a `KeyRef`.
//!
//! # Idea
//! Parts are always written in list form, each behind its header. When it turns out that there was one part only,
//! its header is cut off and moves into the shape, so a single part needs no second code path and no copy.
//!
//! # Costs
//! An integer: one bounds check and two stores. A string: one bounds check, a store and a copy. A part that doesn't
//! fit is only counted, so the buffer that does fit is known after one pass. The short way is forced in line: only
//! then do the lengths of literals and the writer itself dissolve into a few stores.
//!
//! # Invariants
//! - KE1 Equal parts get equal headers: the short form is used exactly where it can be.
//! - KE2 What was written is complete or refused: a `KeyRef` is only made if nothing was left out.
//!
//! # Not here
//! Reading parts back.

use std::borrow::Cow;
use std::rc::Rc;

use bytes::Bytes;

use super::{INLINE_BYTES, KeyError, KeyRef, MAX_KEY_BYTES, Shape};
use crate::sync::Arc;

/// Header bytes of a part. Up to `SHORT_MAX` the header is the length of the string that follows.
pub(super) const SHORT_MAX: u8 = 0xF0;
/// The string's length follows as u16, least byte first.
pub(super) const LONG: u8 = 0xF1;
/// A u64 follows.
pub(super) const UINT: u8 = 0xF2;
/// A negative i64 follows.
pub(super) const INT: u8 = 0xF3;
/// A u128 follows that is no u64.
pub(super) const WIDE_UINT: u8 = 0xF4;
/// An i128 follows that is below every i64.
pub(super) const WIDE_INT: u8 = 0xF5;

/// The header of a long string: the byte `LONG` and two of length.
const LONG_HEADER_BYTES: usize = 3;

/// The two buffers of the cold way. Most keys that leave the short way fit the first; clearing the second costs
/// more than the look-up. The second holds the longest key in list form, before a single part loses its header.
const MIDDLE_BYTES: usize = 1024;
const LONGEST_BYTES: usize = MAX_KEY_BYTES + LONG_HEADER_BYTES;

/// What can name an entry: one part, or several in order.
///
/// Strings, byte strings, integers of every width, references and smart pointers to them, and tuples of two to eight
/// keys are keys. `42u8`, `42i32` and `42u64` are the same key; the string `"42"` is another one. The parts of a
/// tuple inside a tuple count as parts of the outer one.
///
/// # Examples
///
/// A type of your own writes its parts in a fixed order. A cache takes keys of every type, and a key is its parts alone: what is to be kept
/// apart, as the variants here, says which it is by a part, or has a [scope](crate::Cache::scope) of its own.
///
/// ```
/// use larder::{Key, KeyWriter};
///
/// enum Id<'a> {
///     User { tenant: &'a str, user: u64 },
///     Order(u64),
/// }
///
/// impl Key for Id<'_> {
///     fn write_parts(&self, out: &mut KeyWriter<'_>) {
///         match self {
///             Id::User { tenant, user } => out.key(&("user", tenant, user)),
///             Id::Order(order) => out.key(&("order", order)),
///         }
///     }
/// }
/// ```
pub trait Key {
    /// Writes the parts, the same ones at every call: it may be called twice for one operation.
    fn write_parts(&self, out: &mut KeyWriter<'_>);

    /// The key's only part, if that is a byte string already at hand; it's then used in place, without a copy.
    ///
    /// Must be the one part that [`write_parts`](Key::write_parts) would write.
    #[inline]
    fn single(&self) -> Option<&[u8]> {
        None
    }
}

/// Takes the parts of a key, in order.
#[derive(Debug)]
pub struct KeyWriter<'a> {
    buffer: &'a mut [u8],
    /// Bytes written and bytes that did not fit: above the buffer's length, the buffer is incomplete.
    len_bytes: usize,
    n_parts: usize,
}

impl<'a> KeyWriter<'a> {
    #[inline]
    fn new(buffer: &'a mut [u8]) -> Self {
        Self {
            buffer,
            len_bytes: 0,
            n_parts: 0,
        }
    }

    /// Writes one part: a byte string, possibly empty.
    #[inline(always)]
    pub fn bytes(&mut self, part: &[u8]) {
        if part.len() > usize::from(SHORT_MAX) {
            self.long_bytes(part);
        } else if let Some(room) = self.claim(1 + part.len()) {
            room[0] = part.len() as u8;
            room[1..].copy_from_slice(part);
        }
    }

    /// Writes one part: an unsigned integer.
    #[inline(always)]
    pub fn uint(&mut self, part: u64) {
        self.fixed(UINT, part.to_le_bytes());
    }

    /// Writes one part: a signed integer. From zero up it's the same part as the unsigned one.
    #[inline(always)]
    pub fn int(&mut self, part: i64) {
        let header = if part < 0 { INT } else { UINT };
        self.fixed(header, part.to_le_bytes());
    }

    /// Writes one part: an unsigned integer, the same part as the `u64` of that value if there is one.
    #[inline]
    pub fn wide_uint(&mut self, part: u128) {
        match u64::try_from(part) {
            Ok(narrow) => self.uint(narrow),
            Err(_) => self.fixed(WIDE_UINT, part.to_le_bytes()),
        }
    }

    /// Writes one part: a signed integer, the same part as the `i64` or `u64` of that value if there is one.
    #[inline]
    pub fn wide_int(&mut self, part: i128) {
        if let Ok(unsigned) = u128::try_from(part) {
            self.wide_uint(unsigned);
        } else if let Ok(narrow) = i64::try_from(part) {
            self.int(narrow);
        } else {
            self.fixed(WIDE_INT, part.to_le_bytes());
        }
    }

    /// Writes all parts of another key.
    #[inline]
    pub fn key<K: Key + ?Sized>(&mut self, key: &K) {
        key.write_parts(self);
    }

    #[inline(always)]
    fn fixed<const N: usize>(&mut self, header: u8, content: [u8; N]) {
        if let Some(room) = self.claim(1 + N) {
            room[0] = header;
            room[1..].copy_from_slice(&content);
        }
    }

    #[cold]
    #[inline(never)]
    fn long_bytes(&mut self, part: &[u8]) {
        // A part whose length is no u16 fits no buffer: the claim fails, and the field isn't used.
        let len_field = u16::try_from(part.len()).unwrap_or(u16::MAX);
        if let Some(room) = self.claim(LONG_HEADER_BYTES + part.len()) {
            room[0] = LONG;
            room[1..LONG_HEADER_BYTES].copy_from_slice(&len_field.to_le_bytes());
            room[LONG_HEADER_BYTES..].copy_from_slice(part);
        }
    }

    /// Counts a part and gives it its place, if the buffer has it.
    #[inline(always)]
    fn claim(&mut self, len_bytes: usize) -> Option<&mut [u8]> {
        let start = self.len_bytes;
        self.len_bytes = start.saturating_add(len_bytes);
        self.n_parts += 1;
        self.buffer.get_mut(start..self.len_bytes)
    }

    #[inline(always)]
    fn finish(self) -> Result<KeyRef<'a>, Unfinished> {
        let buffer: &'a [u8] = self.buffer;
        let Some(list) = buffer.get(..self.len_bytes) else {
            return Err(Unfinished::NeedsBytes(self.len_bytes, self.n_parts));
        };
        if self.n_parts > 1 {
            return Ok(KeyRef::from_stored(Shape::TUPLE, list));
        }
        lone_part(list).ok_or(Unfinished::Empty)
    }
}

/// Why a buffer holds no key.
enum Unfinished {
    Empty,
    /// The list form of so many parts needs so many bytes.
    NeedsBytes(usize, usize),
}

/// The key that is one byte string, if it is that and of a length that is accepted; what needs no buffer.
#[inline(always)]
pub(crate) fn lone_key<K: Key + ?Sized>(key: &K) -> Option<KeyRef<'_>> {
    let bytes = key.single()?;
    (1..=MAX_KEY_BYTES)
        .contains(&bytes.len())
        .then(|| KeyRef::from_stored(Shape::BYTES, bytes))
}

/// Encodes a key and hands it to `f`, without allocating.
///
/// # Errors
/// [`KeyError::Empty`] and [`KeyError::TooLong`]; `f` is then not called.
#[inline]
pub(crate) fn with_key<K, R>(key: &K, f: impl FnOnce(KeyRef<'_>) -> R) -> Result<R, KeyError>
where
    K: Key + ?Sized,
{
    if let Some(bytes) = key.single() {
        let lone = lone_key(key).ok_or_else(|| match bytes.len() {
            0 => KeyError::Empty,
            len_bytes => KeyError::too_long(len_bytes),
        })?;
        return Ok(f(lone));
    }
    let mut buffer = [0; INLINE_BYTES];
    let mut writer = KeyWriter::new(&mut buffer);
    key.write_parts(&mut writer);
    match writer.finish() {
        Ok(key) => Ok(f(key)),
        Err(Unfinished::Empty) => Err(KeyError::Empty),
        Err(Unfinished::NeedsBytes(len_bytes, _)) => {
            let mut f = Some(f);
            let mut result = None;
            with_long_key(&|out| key.write_parts(out), len_bytes, &mut |key| {
                result = f.take().map(|f| f(key))
            })?;
            Ok(result.expect("an encoded key is handed over exactly once"))
        }
    }
}

/// The cold way. It's compiled once, not once for each operation and key type.
#[cold]
#[inline(never)]
fn with_long_key(
    write: &dyn Fn(&mut KeyWriter<'_>),
    len_bytes: usize,
    f: &mut dyn FnMut(KeyRef<'_>),
) -> Result<(), KeyError> {
    if len_bytes <= MIDDLE_BYTES {
        with_buffer::<MIDDLE_BYTES>(write, f)
    } else {
        with_buffer::<LONGEST_BYTES>(write, f)
    }
}

/// Kept out of line, so that the shorter of the two buffers doesn't pay for the longer one's stack.
#[inline(never)]
fn with_buffer<const N: usize>(
    write: &dyn Fn(&mut KeyWriter<'_>),
    f: &mut dyn FnMut(KeyRef<'_>),
) -> Result<(), KeyError> {
    let mut buffer = [0; N];
    let mut writer = KeyWriter::new(&mut buffer);
    write(&mut writer);
    match writer.finish() {
        Ok(key) if key.bytes().len() <= MAX_KEY_BYTES => {
            f(key);
            Ok(())
        }
        Ok(key) => Err(KeyError::too_long(key.bytes().len())),
        Err(Unfinished::Empty) => Err(KeyError::Empty),
        // A single part would have lost its header.
        Err(Unfinished::NeedsBytes(len_bytes, 1)) => {
            Err(KeyError::too_long(len_bytes - LONG_HEADER_BYTES))
        }
        Err(Unfinished::NeedsBytes(len_bytes, _)) => Err(KeyError::too_long(len_bytes)),
    }
}

/// Cuts the header off a list of one part: it becomes the shape. `None` for no part, or one of no bytes.
#[inline]
fn lone_part(list: &[u8]) -> Option<KeyRef<'_>> {
    let (&header, content) = list.split_first()?;
    let (shape, content) = match header {
        0 => return None,
        UINT => (Shape::UINT, content),
        INT => (Shape::INT, content),
        WIDE_UINT => (Shape::WIDE_UINT, content),
        WIDE_INT => (Shape::WIDE_INT, content),
        LONG => (Shape::BYTES, content.get(LONG_HEADER_BYTES - 1..)?),
        _ => (Shape::BYTES, content),
    };
    Some(KeyRef::from_stored(shape, content))
}

macro_rules! key_of_bytes {
    ($([$($generics:tt)*] $type:ty => $as_bytes:expr;)*) => {$(
        impl<$($generics)*> Key for $type {
            #[inline(always)]
            fn write_parts(&self, out: &mut KeyWriter<'_>) {
                let as_bytes: fn(&Self) -> &[u8] = $as_bytes;
                out.bytes(as_bytes(self));
            }

            #[inline]
            fn single(&self) -> Option<&[u8]> {
                let as_bytes: fn(&Self) -> &[u8] = $as_bytes;
                Some(as_bytes(self))
            }
        }
    )*};
}

key_of_bytes! {
    [] str => |s| s.as_bytes();
    [] String => |s| s.as_bytes();
    [] [u8] => |s| s;
    [] Vec<u8> => |s| s;
    [] Bytes => |s| s;
    [const N: usize] [u8; N] => |s| s;
    [] Cow<'_, str> => |s| s.as_bytes();
    [] Cow<'_, [u8]> => |s| s;
}

macro_rules! key_of_integer {
    ($($write:ident($as:ty): $($type:ty)*;)*) => {$($(
        impl Key for $type {
            #[inline(always)]
            fn write_parts(&self, out: &mut KeyWriter<'_>) {
                // Widening: `$as` holds every value of `$type`.
                out.$write(*self as $as);
            }
        }
    )*)*};
}

key_of_integer! {
    uint(u64): u8 u16 u32 u64 usize;
    int(i64): i8 i16 i32 i64 isize;
    wide_uint(u128): u128;
    wide_int(i128): i128;
}

macro_rules! key_of_pointer {
    ($($type:ty)*) => {$(
        impl<T: Key + ?Sized> Key for $type {
            #[inline(always)]
            fn write_parts(&self, out: &mut KeyWriter<'_>) {
                (**self).write_parts(out);
            }

            #[inline]
            fn single(&self) -> Option<&[u8]> {
                (**self).single()
            }
        }
    )*};
}

key_of_pointer! { &T &mut T Box<T> Rc<T> Arc<T> }

impl<A: Key> Key for (A,) {
    #[inline]
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        self.0.write_parts(out);
    }

    #[inline]
    fn single(&self) -> Option<&[u8]> {
        self.0.single()
    }
}

macro_rules! key_of_tuple {
    ($(($($name:ident)*))*) => {$(
        impl<$($name: Key),*> Key for ($($name,)*) {
            #[inline(always)]
            #[expect(non_snake_case, reason = "the names of the types serve as names of the elements")]
            fn write_parts(&self, out: &mut KeyWriter<'_>) {
                let ($($name,)*) = self;
                $($name.write_parts(out);)*
            }
        }
    )*};
}

key_of_tuple! {
    (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
}
