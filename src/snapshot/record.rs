//! What is in a frame: entries with their paths, tenants with their limits, what was learned.
//!
//! # Idea         fields one after the other, numbers little-endian, lengths before bytes; a frame of entries names each path once, and
//!   entries by its number, so that a frame needs no other. What can't be read is `None`
//! # Not here     what becomes of it

use std::time::Duration;

use bytes::Buf;

use crate::charter::{Limits, LongTtl};
use crate::key::{KeyRef, Shape};
use crate::limits::{Rate, Rates};
use crate::lineage::{Kind, Name};
use crate::policy::{Learned, Past};
use crate::terms::Tag;

/// The encoding's name, and the number of entries of a whole stream at its end.
pub(super) const BEGINNING: u32 = 1;
pub(super) const LEARNED: u32 = 2;
pub(super) const TENANT: u32 = 3;
pub(super) const ENTRIES: u32 = 4;
pub(super) const END: u32 = 5;

/// Records of a frame of entries.
const PATH: u8 = 0;
const ENTRY: u8 = 1;

/// Flags of an entry.
const ABSENT: u8 = 1;
const ENDS: u8 = 2;
const REFRESHED: u8 = 4;

/// Nanoseconds since 1970, by the wall clock.
pub(super) type WallNs = u64;

/// An entry as it is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Record<'a> {
    /// The number of its path in the frame; 0 is the root.
    pub(super) path: u32,
    pub(super) key: KeyRef<'a>,
    /// `None`: it says that there is no value.
    pub(super) value: Option<&'a [u8]>,
    pub(super) tag: Tag,
    pub(super) past: Past,
    pub(super) ends: Option<WallNs>,
    /// When it is to be loaded anew, and when it is stale.
    pub(super) refreshed: Option<(WallNs, WallNs)>,
}

/// A record of a frame of entries.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entries<'a> {
    /// The path with the next number, from the root down.
    Path(Vec<Name<'a>>),
    Entry(Record<'a>),
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    // Nothing here is longer than 16 bits say: names and keys are bounded, and the encoding's name is the program's own.
    let len_bytes = bytes.len().min(usize::from(u16::MAX));
    out.extend((len_bytes as u16).to_le_bytes());
    out.extend_from_slice(&bytes[..len_bytes]);
}

fn take<'a>(from: &mut &'a [u8], n_bytes: usize) -> Option<&'a [u8]> {
    from.split_off(..n_bytes)
}

fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len_bytes = from.try_get_u16_le().ok()?;
    take(from, usize::from(len_bytes))
}

pub(super) fn put_path(out: &mut Vec<u8>, path: &[Name<'_>]) {
    out.push(PATH);
    out.push(path.len() as u8);
    for name in path {
        out.push(name.kind as u8);
        out.push(name.shape);
        put_bytes(out, name.bytes);
    }
}

impl Record<'_> {
    /// Appends the record. The value's bytes follow: those of `value` are given by their number alone.
    pub(super) fn put_head(&self, n_value_bytes: u32, out: &mut Vec<u8>) {
        let flag = |flag, is_set: bool| if is_set { flag } else { 0 };
        out.push(ENTRY);
        out.extend(self.path.to_le_bytes());
        out.push(self.key.shape().bits());
        out.push(
            flag(ABSENT, self.value.is_none())
                | flag(ENDS, self.ends.is_some())
                | flag(REFRESHED, self.refreshed.is_some()),
        );
        out.push(self.tag as u8);
        out.extend(self.past.bits().to_le_bytes());
        let times = self.refreshed.map(|(due, stale)| [due, stale]);
        for time in self.ends.into_iter().chain(times.into_iter().flatten()) {
            out.extend(time.to_le_bytes());
        }
        out.extend(n_value_bytes.to_le_bytes());
        put_bytes(out, self.key.bytes());
    }
}

fn take_name<'a>(from: &mut &'a [u8]) -> Option<Name<'a>> {
    let kind = match from.try_get_u8().ok()? {
        0 => Kind::Scope,
        1 => Kind::Prefix,
        2 => Kind::Tenant,
        3 => Kind::Cache,
        _ => return None,
    };
    let shape = from.try_get_u8().ok()?;
    let bytes = take_bytes(from)?;
    // Names are encoded as keys are.
    KeyRef::from_outside(Shape::from_bits(shape), bytes)?;
    Some(Name { kind, shape, bytes })
}

/// The next record of a frame of entries.
pub(super) fn take_entries<'a>(from: &mut &'a [u8]) -> Option<Entries<'a>> {
    match from.try_get_u8().ok()? {
        PATH => {
            let n_names = from.try_get_u8().ok()?;
            let path: Option<Vec<_>> = (0..n_names).map(|_| take_name(from)).collect();
            path.map(Entries::Path)
        }
        ENTRY => take_record(from).map(Entries::Entry),
        _ => None,
    }
}

fn take_record<'a>(from: &mut &'a [u8]) -> Option<Record<'a>> {
    let path = from.try_get_u32_le().ok()?;
    let shape = Shape::from_bits(from.try_get_u8().ok()?);
    let flags = from.try_get_u8().ok()?;
    let tag = Tag::from_bits(from.try_get_u8().ok()?);
    let past = Past::from_bits(from.try_get_u16_le().ok()?);
    let mut time = |flag| {
        let is_there = flags & flag != 0;
        is_there.then(|| from.try_get_u64_le()).transpose().ok()
    };
    let ends = time(ENDS)?;
    let (due, stale) = (time(REFRESHED)?, time(REFRESHED)?);
    let n_value_bytes = from.try_get_u32_le().ok()?;
    let key = KeyRef::from_outside(shape, take_bytes(from)?)?;
    let value = take(from, n_value_bytes as usize)?;
    Some(Record {
        path,
        key,
        value: (flags & ABSENT == 0).then_some(value),
        tag,
        past,
        ends,
        refreshed: due.zip(stale),
    })
}

/// How many entries there were, as the end of a stream says.
pub(super) fn take_end(mut from: &[u8]) -> Option<u64> {
    from.try_get_u64_le().ok()
}

pub(super) fn put_learned(out: &mut Vec<u8>, learned: &Learned) {
    out.extend(learned.capacity().to_le_bytes());
    for sum in learned.sums() {
        out.extend(sum.to_le_bytes());
    }
}

pub(super) fn take_learned(mut from: &[u8]) -> Option<Learned> {
    let capacity = from.try_get_u64_le().ok()?;
    let (sums, []) = from.as_chunks() else {
        return None;
    };
    let sums = sums.iter().map(|sum| f32::from_le_bytes(*sum)).collect();
    Learned::from_parts(capacity, sums)
}

/// A number that may be missing: a byte that says so, and the number.
fn put_maybe(out: &mut Vec<u8>, number: Option<u64>) {
    out.push(u8::from(number.is_some()));
    out.extend(number.unwrap_or(0).to_le_bytes());
}

fn take_maybe(from: &mut &[u8]) -> Option<Option<u64>> {
    let is_there = from.try_get_u8().ok()? != 0;
    let number = from.try_get_u64_le().ok()?;
    Some(is_there.then_some(number))
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn put_limits(out: &mut Vec<u8>, name: &str, limits: &Limits) {
    put_bytes(out, name.as_bytes());
    out.extend(limits.guaranteed_bytes.to_le_bytes());
    put_maybe(out, limits.max_bytes);
    for rate in [limits.rates.operations, limits.rates.bytes] {
        put_maybe(out, rate.map(Rate::tokens));
        let (period, burst) =
            rate.map_or((0, 0), |rate| (nanos(rate.period()), rate.burst_tokens()));
        out.extend(period.to_le_bytes());
        out.extend(burst.to_le_bytes());
    }
    put_maybe(out, limits.item_bytes_max);
    put_maybe(out, limits.key_bytes_max);
    put_maybe(out, limits.default_ttl.map(nanos));
    put_maybe(out, limits.ttl_max.map(nanos));
    let clamps = if limits.long_ttl == LongTtl::Clamp {
        CLAMPS
    } else {
        0
    };
    out.push(clamps | limits.max_entries.map_or(0, |_| BOUNDS_ENTRIES));
    put_maybe(out, limits.caches_max.map(|n| n as u64));
    if let Some(max_entries) = limits.max_entries {
        out.extend(max_entries.to_le_bytes());
    }
}

/// What a byte of the limits says: times to live above the maximum are clamped; the largest number of entries stands behind the limits.
const CLAMPS: u8 = 1;
const BOUNDS_ENTRIES: u8 = 2;

pub(super) fn take_limits<'a>(from: &mut &'a [u8]) -> Option<(&'a str, Limits)> {
    let name = str::from_utf8(take_bytes(from)?).ok()?;
    let guaranteed_bytes = from.try_get_u64_le().ok()?;
    let max_bytes = take_maybe(from)?;
    let rates = Rates {
        operations: take_rate(from)?,
        bytes: take_rate(from)?,
    };
    let item_bytes_max = take_maybe(from)?;
    let key_bytes_max = take_maybe(from)?;
    let default_ttl = take_maybe(from)?.map(Duration::from_nanos);
    let ttl_max = take_maybe(from)?.map(Duration::from_nanos);
    let said = from.try_get_u8().ok()?;
    let caches_max = take_maybe(from)?.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let max_entries = match said & BOUNDS_ENTRIES {
        0 => None,
        _ => Some(from.try_get_u64_le().ok()?),
    };
    let limits = Limits {
        guaranteed_bytes,
        max_bytes,
        max_entries,
        rates,
        item_bytes_max,
        key_bytes_max,
        default_ttl,
        ttl_max,
        long_ttl: match said & CLAMPS {
            0 => LongTtl::Reject,
            _ => LongTtl::Clamp,
        },
        caches_max,
    };
    Some((name, limits))
}

fn take_rate(from: &mut &[u8]) -> Option<Option<Rate>> {
    let tokens = take_maybe(from)?;
    let period = Duration::from_nanos(from.try_get_u64_le().ok()?);
    let burst = from.try_get_u64_le().ok()?;
    Some(match tokens {
        None => None,
        Some(tokens) => Some(Rate::new(tokens, period)?.burst(burst)),
    })
}
