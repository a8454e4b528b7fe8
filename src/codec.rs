//! Values as bytes outside of the process.
//!
//! # Idea         a value writes its bytes, and bytes are turned into what a cache of such values can be given; what is bytes or text already
//!   is handed on as it is
//! # Costs        of bytes and text none; of others what `encode` and `decode` take, once a record that is written or read
//! # Not here     files, records, checksums

#[cfg(feature = "serde")]
mod serde;

use std::error::Error;
use std::fmt;

use bytes::Bytes;

#[cfg(feature = "serde")]
pub use self::serde::Serde;
use crate::entry::{Source, Value};

/// How a value becomes bytes that outlive the process, and bytes become a value.
///
/// Bytes and text are it already; for others, implement it, or wrap them in `Serde` (feature `serde`).
///
/// # Examples
/// ```
/// use larder::{Codec, CodecError};
///
/// struct Point {
///     x: u32,
///     y: u32,
/// }
///
/// impl Codec for Point {
///     const NAME: &'static str = "point/1";
///     type Decoded<'a> = Point;
///
///     fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
///         out.extend(self.x.to_le_bytes());
///         out.extend(self.y.to_le_bytes());
///         Ok(())
///     }
///
///     fn decode(bytes: &[u8]) -> Result<Point, CodecError> {
///         let (x, y) = bytes.split_first_chunk().ok_or(CodecError)?;
///         let y = y.try_into().map_err(|_| CodecError)?;
///         Ok(Point { x: u32::from_le_bytes(*x), y: u32::from_le_bytes(y) })
///     }
/// }
/// ```
///
/// The engine calls it with no lock held. Without one there is no snapshot, and no [further level](crate::Level):
/// ```compile_fail,E0599
/// struct Handle(u32);
///
/// let cache: larder::Cache<Handle> = larder::Cache::builder().max_entries(100).build().unwrap();
/// cache.snapshot("warm").unwrap();
/// ```
/// ```compile_fail,E0277
/// struct Handle(u32);
///
/// let cache: larder::Cache<Handle> = larder::Cache::builder().max_entries(100).build().unwrap();
/// larder::Levels::none().view(cache.scope("handles").unwrap(), larder::LevelMode::L1L2);
/// ```
pub trait Codec: Value {
    /// Names the encoding. What was written under another name is not read: change it with the encoding.
    const NAME: &'static str;

    /// What is made of bytes, to be inserted.
    type Decoded<'a>: Source<Self>;

    /// Appends the bytes of the value.
    ///
    /// # Errors
    /// There are none for this value.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// The bytes that [`encode`](Self::encode) would append, if the value has them lying there; then they needn't be copied.
    fn as_encoded(&self) -> Option<&[u8]> {
        None
    }

    /// Makes a value of what [`encode`](Self::encode) appended.
    ///
    /// # Errors
    /// These bytes are no value.
    fn decode(bytes: &[u8]) -> Result<Self::Decoded<'_>, CodecError>;
}

/// In which encoding a record's bytes are, as far as a further level has to know: two codecs of one [name](Codec::NAME) have the same, two of
/// different names have different ones, but for one chance in 2^63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Encoding(pub u64);

impl Encoding {
    /// Bytes as they are: that of `[u8]` and [`Bytes`].
    pub const BYTES: Self = Self(0);

    /// That of a type's codec.
    pub const fn of<V: Codec + ?Sized>() -> Self {
        let name = V::NAME.as_bytes();
        if let b"bytes" = name {
            return Self::BYTES;
        }
        // FNV-1a, which a compiler can evaluate, and odd, so that no name has that of bytes.
        let mut hash = 0xCBF2_9CE4_8422_2325_u64;
        let mut at = 0;
        while at < name.len() {
            hash = (hash ^ name[at] as u64).wrapping_mul(0x0000_0100_0000_01B3);
            at += 1;
        }
        Self(hash | 1)
    }
}

/// The bytes of a value: where they lie, or in `room`, which is empty.
pub(crate) fn encoded<'a, V: Codec + ?Sized>(
    value: &'a V,
    room: &'a mut Vec<u8>,
) -> Result<&'a [u8], CodecError> {
    if let Some(bytes) = value.as_encoded() {
        return Ok(bytes);
    }
    value.encode(room)?;
    Ok(room)
}

/// A value has no bytes, or bytes are no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodecError;

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value can't be written as bytes, or the bytes are none of a value")
    }
}

impl Error for CodecError {}

impl Codec for [u8] {
    const NAME: &'static str = "bytes";
    type Decoded<'a> = &'a [u8];

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(self);
        Ok(())
    }

    fn as_encoded(&self) -> Option<&[u8]> {
        Some(self)
    }

    fn decode(bytes: &[u8]) -> Result<&[u8], CodecError> {
        Ok(bytes)
    }
}

impl Codec for str {
    const NAME: &'static str = "text";
    type Decoded<'a> = &'a str;

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(self.as_bytes());
        Ok(())
    }

    fn as_encoded(&self) -> Option<&[u8]> {
        Some(self.as_bytes())
    }

    fn decode(bytes: &[u8]) -> Result<&str, CodecError> {
        str::from_utf8(bytes).map_err(|_| CodecError)
    }
}

/// The same bytes as those of `[u8]`; decoding copies them.
impl Codec for Bytes {
    const NAME: &'static str = <[u8] as Codec>::NAME;
    type Decoded<'a> = Bytes;

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        <[u8]>::encode(self, out)
    }

    fn as_encoded(&self) -> Option<&[u8]> {
        Some(self)
    }

    fn decode(bytes: &[u8]) -> Result<Bytes, CodecError> {
        Ok(Bytes::copy_from_slice(bytes))
    }
}

/// The same bytes as those of `str`.
impl Codec for String {
    const NAME: &'static str = <str as Codec>::NAME;
    type Decoded<'a> = String;

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        str::encode(self, out)
    }

    fn as_encoded(&self) -> Option<&[u8]> {
        Some(self.as_bytes())
    }

    fn decode(bytes: &[u8]) -> Result<String, CodecError> {
        str::decode(bytes).map(str::to_owned)
    }
}
