//! The bytes of a stored record: all that has to be known of a value, in front of it.
//!
//! # Idea
//! A header of one size, then the value, compressed if that pays. The checksum is over everything else, the key included, so neither
//! damage nor a record of another key passes; the hash of the key tells the latter apart.
//!
//! ```text
//! 0 magic "LRDR" | 4 version | 5 flags | 6 tag | 7 zero | 8 hash of the key | 16 deadline | 24 fresh until | 32 stamp
//! | 40 length of the value | 48 checksum | 56 encoding, if a flag says so | payload
//! all numbers u64, least byte first; moments in us since 1970
//! ```
//!
//! # Costs
//! 56 bytes a record, 8 more if the values are no bytes; one pass over the payload, and a copy of it.
//!
//! # Invariants
//! - EN1 What [`open`] accepts was made by [`seal`] for the same key, but for one chance in 2^64.
//! - EN2 A flaw is told, and is nothing but a miss: no bytes make it panic, or take more memory than the longest value.
//! - EN3 The same bytes in every process: nothing is drawn, nothing depends on the machine.
//!
//! # Not here
//! Where the bytes go; what a flaw counts as.

#[cfg(feature = "zstd")]
mod packing;

use std::hash::Hasher;
use std::time::Duration;

use bytes::Bytes;
use larder::{Encoding, LevelRecord, Stamp, Tag};
use twox_hash::XxHash3_64;

use crate::room;

/// What is wrong with the bytes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flaw {
    /// They aren't of this format.
    Foreign,
    /// They are of another version of it, or say something that this version doesn't know.
    Version,
    /// They are the record of another key.
    OtherKey,
    /// They don't match their checksum, or end too early.
    Damaged,
    /// The value is longer than is taken.
    TooLong,
}

const MAGIC: [u8; 4] = *b"LRDR";
const VERSION: u8 = 1;
const COMPRESSED: u8 = 1;
/// The encoding stands before the payload; without it, that is of bytes.
const ENCODED: u8 = 2;
const HEADER_BYTES: usize = 56;
const ENCODING_BYTES: usize = 8;
const CHECKSUM_AT: usize = 48;
/// The first and the last byte of the checksum in a record.
pub(crate) const CHECKSUM: [usize; 2] = [CHECKSUM_AT, CHECKSUM_AT + 7];
/// A deadline that never comes.
const NEVER: u64 = u64::MAX;

/// Makes the bytes of a record that is written under a stamp at a moment of the wall clock, its value compressed from that length on if
/// it gets shorter.
pub fn seal(
    key: &[u8],
    record: LevelRecord<&[u8]>,
    stamp: Stamp,
    now_us: u64,
    compress_from: Option<usize>,
) -> Vec<u8> {
    let packed = compress_from
        .filter(|&from| record.value.len() >= from)
        .and_then(|_| compress(record.value));
    let (packing, payload) = match &packed {
        Some(packed) => (COMPRESSED, &packed[..]),
        None => (0, record.value),
    };
    let encoding = (record.encoding != Encoding::BYTES).then(|| record.encoding.0.to_le_bytes());
    let encoding = encoding.as_slice().as_flattened();
    let flags = if encoding.is_empty() {
        packing
    } else {
        packing | ENCODED
    };
    let moment = |span: Option<Duration>| {
        span.map_or(NEVER, |span| {
            let span = u64::try_from(span.as_micros()).unwrap_or(NEVER);
            now_us.saturating_add(span)
        })
    };
    let mut bytes = Vec::with_capacity(HEADER_BYTES + encoding.len() + payload.len());
    bytes.extend(MAGIC);
    bytes.extend([VERSION, flags, record.tag as u8, 0]);
    let numbers = [
        XxHash3_64::oneshot(key),
        moment(record.ttl),
        moment(record.fresh),
        stamp.0,
        record.value.len() as u64,
    ];
    for number in numbers {
        bytes.extend(number.to_le_bytes());
    }
    let sum = checksum(key, &bytes, [encoding, payload]);
    bytes.extend(sum.to_le_bytes());
    bytes.extend(encoding);
    bytes.extend(payload);
    bytes
}

/// Takes a record out of its bytes, as of a moment of the wall clock. A time to live that has run out is zero.
///
/// # Errors
/// [`Flaw`]: it is no record of this key.
pub fn open(
    key: &[u8],
    bytes: Vec<u8>,
    now_us: u64,
    value_bytes_max: u64,
) -> Result<LevelRecord<Bytes>, Flaw> {
    if !bytes.starts_with(&MAGIC) {
        return Err(Flaw::Foreign);
    }
    if bytes.len() < HEADER_BYTES {
        return Err(Flaw::Damaged);
    }
    let (version, flags, tag) = (bytes[4], bytes[5], bytes[6]);
    if version != VERSION {
        return Err(Flaw::Version);
    }
    let number = |at: usize| {
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(number)
    };
    // Before the checksum, which is the key's as well, so that it can be told apart.
    if number(8) != XxHash3_64::oneshot(key) {
        return Err(Flaw::OtherKey);
    }
    let sum = checksum(key, &bytes[..CHECKSUM_AT], [&bytes[HEADER_BYTES..], &[]]);
    if number(CHECKSUM_AT) != sum {
        return Err(Flaw::Damaged);
    }
    // What is whole and still unknown is of a later version that didn't say so.
    let tag = tag_of(tag).ok_or(Flaw::Version)?;
    if flags & !(COMPRESSED | ENCODED) != 0 || bytes[7] != 0 {
        return Err(Flaw::Version);
    }
    let (encoding, payload_at) = match flags & ENCODED {
        0 => (Encoding::BYTES, HEADER_BYTES),
        _ if bytes.len() < HEADER_BYTES + ENCODING_BYTES => return Err(Flaw::Damaged),
        _ => (
            Encoding(number(HEADER_BYTES)),
            HEADER_BYTES + ENCODING_BYTES,
        ),
    };
    let left = |at: usize| match number(at) {
        NEVER => None,
        moment => Some(Duration::from_micros(moment.saturating_sub(now_us))),
    };
    let (ttl, fresh, stamp) = (left(16), left(24), Stamp(number(32)));
    let value_bytes = number(40);
    if value_bytes > value_bytes_max {
        return Err(Flaw::TooLong);
    }
    let value = if flags & COMPRESSED == 0 {
        room::lend(bytes).slice(payload_at..)
    } else {
        let value = decompress(&bytes[payload_at..], value_bytes as usize)?;
        room::give_back(bytes);
        room::lend(value)
    };
    if value.len() as u64 != value_bytes {
        return Err(Flaw::Damaged);
    }
    Ok(LevelRecord {
        value,
        encoding,
        tag,
        ttl,
        fresh,
        stamp: Some(stamp),
    })
}

/// The checksum that a record says it has; `None` for what is too short for one.
pub(crate) fn checksum_of(record: &[u8]) -> Option<u64> {
    let sum = record.get(CHECKSUM_AT..HEADER_BYTES)?.try_into().ok()?;
    Some(u64::from_le_bytes(sum))
}

/// What follows the checksum is given in two parts.
fn checksum(key: &[u8], header: &[u8], rest: [&[u8]; 2]) -> u64 {
    let mut sum = XxHash3_64::new();
    sum.write(header);
    sum.write(&(key.len() as u64).to_le_bytes());
    sum.write(key);
    for part in rest {
        sum.write(part);
    }
    sum.finish()
}

fn tag_of(bits: u8) -> Option<Tag> {
    use Tag::{Boolean, Bytes, Float, Integer, Json, Text};
    let all = [Bytes, Text, Boolean, Integer, Float, Json];
    all.into_iter().find(|&tag| tag as u8 == bits)
}

/// The value compressed, if that makes it shorter.
#[cfg(feature = "zstd")]
fn compress(value: &[u8]) -> Option<Vec<u8>> {
    let packed = packing::compress(value).ok()?;
    (packed.len() < value.len()).then_some(packed)
}

#[cfg(not(feature = "zstd"))]
fn compress(_value: &[u8]) -> Option<Vec<u8>> {
    None
}

#[cfg(feature = "zstd")]
fn decompress(payload: &[u8], value_bytes: usize) -> Result<Vec<u8>, Flaw> {
    // EN2: what says that it is longer than it can be makes no room for itself.
    let possible = payload.len().saturating_mul(EXPANSION_MAX);
    if value_bytes > possible {
        return Err(Flaw::Damaged);
    }
    packing::decompress(payload, value_bytes).map_err(|_| Flaw::Damaged)
}

/// More than zstd ever makes of a byte: a block of 128 KiB of one byte takes four.
#[cfg(feature = "zstd")]
const EXPANSION_MAX: usize = 1 << 16;

#[cfg(not(feature = "zstd"))]
fn decompress(_payload: &[u8], _value_bytes: usize) -> Result<Vec<u8>, Flaw> {
    Err(Flaw::Version)
}

#[cfg(test)]
mod tests;
