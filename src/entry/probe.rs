//! What an entry is looked up by: the place that it belongs to, and its key.

use std::ops::{BitOr, BitXor};

use crate::hash::{Hasher64, KeyHash};
use crate::sync::unseen;

/// The entry carries an idle word.
pub(super) const IDLE: u8 = 1;
/// The entry carries a place that isn't the root, and the words of a member.
pub(super) const PLACED: u8 = 2;
/// The entry carries the words that say when it is to be loaded anew.
pub(super) const REFRESHED: u8 = 4;
/// The entry says that there is no value; none is in it.
pub(super) const ABSENT: u8 = 8;
/// The other bits say what kind of value it is.
pub(super) const TAG_SHIFT: u32 = 4;
/// What a look-up doesn't ask for.
const UNASKED: u8 = IDLE | REFRESHED | 0xf << TAG_SHIFT;

/// Length and shape of a key in one word, so that one comparison tells most entries apart.
///
/// | bits | what |
/// |---|---|
/// | 15 .. 0 | the key's length in bytes |
/// | 23 .. 16 | its shape |
/// | 24 | [`IDLE`]: an idle word follows the header |
/// | 25 | [`PLACED`]: then a place, and the words of a member |
/// | 26 | [`REFRESHED`]: then when it is to be loaded anew |
/// | 27 | [`ABSENT`]: no value |
/// | 31 .. 28 | the tag of its value |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kind(u32);

impl Kind {
    const FLAGS_SHIFT: u32 = 24;
    const SHAPE_SHIFT: u32 = 16;

    /// Of the length, 16 bits: no entry is made of a longer key.
    #[inline(always)]
    pub(super) fn new(key_len: usize, shape: u8, flags: u8) -> Kind {
        Kind(
            u32::from(key_len as u16)
                | u32::from(shape) << Self::SHAPE_SHIFT
                | u32::from(flags) << Self::FLAGS_SHIFT,
        )
    }

    #[inline(always)]
    pub(super) fn key_len(self) -> usize {
        (self.0 & 0xffff) as usize
    }

    #[inline(always)]
    pub(super) fn shape(self) -> u8 {
        (self.0 >> Self::SHAPE_SHIFT) as u8
    }

    #[inline(always)]
    pub(super) fn flags(self) -> u8 {
        (self.0 >> Self::FLAGS_SHIFT) as u8
    }

    #[inline(always)]
    pub(super) fn has(self, flag: u8) -> bool {
        self.flags() & flag != 0
    }

    /// What an entry is looked up by: its key, and whether it holds a value.
    #[inline(always)]
    pub(super) fn asked(self) -> Kind {
        self.without(UNASKED)
    }

    /// What a key's only entry is written by.
    #[inline(always)]
    pub(super) fn written(self) -> Kind {
        self.without(UNASKED | ABSENT)
    }

    #[inline(always)]
    fn without(self, flags: u8) -> Kind {
        Kind(self.0 & !(u32::from(flags) << Self::FLAGS_SHIFT))
    }
}

/// A place, zero for the root, and a key within it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe<'a> {
    place: u64,
    kind: Kind,
    key: &'a [u8],
}

impl<'a> Probe<'a> {
    /// A key in a place, or in the root. The key's length fits 16 bits.
    ///
    /// Where it is known at compile time that there is a place, or none, nothing is left to be asked when entries are compared.
    #[inline(always)]
    pub(crate) fn new(place: Option<u64>, shape: u8, key: &'a [u8]) -> Probe<'a> {
        debug_assert_ne!(place, Some(0), "zero stands for the root");
        let flags = if place.is_some() { PLACED } else { 0 };
        Probe {
            place: place.unwrap_or(0),
            kind: Kind::new(key.len(), shape, flags),
            key,
        }
    }

    #[inline(always)]
    pub(crate) fn hash(&self, hasher: &Hasher64) -> KeyHash {
        hasher.hash(self.place, self.kind.shape(), self.key)
    }

    #[inline(always)]
    pub(crate) fn place(&self) -> u64 {
        self.place
    }

    #[inline(always)]
    pub(crate) fn shape(&self) -> u8 {
        self.kind.shape()
    }

    #[inline(always)]
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    #[inline(always)]
    pub(crate) fn key(&self) -> &'a [u8] {
        self.key
    }
}

/// Whether two strings of one length are equal; in line, since most keys are shorter than a call is long.
#[inline(always)]
pub(super) fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    match a.len() {
        4..8 => same_ends(a, b, u32::from_ne_bytes),
        8..16 => same_ends(a, b, u64::from_ne_bytes),
        16..=32 => same_lines(a, b),
        33..=64 => {
            let (first, last) = (a.split_at(32), b.split_at(32));
            first.0 == last.0 && first.1 == last.1
        }
        _ => a == b,
    }
}

/// The same of strings of one to two words, the last of which may overlap the first. Both are looked at in any case, which is quicker than
/// to ask whether the second has to be.
///
/// The second string is read again, as if it lay elsewhere: else the words that a hash has read are kept until they are compared, which
/// costs more registers than there are. What is compared 16 bytes at a time needs no such thing.
#[inline(always)]
fn same_ends<const N: usize, W>(a: &[u8], b: &[u8], word: fn([u8; N]) -> W) -> bool
where
    W: BitXor<Output = W> + BitOr<Output = W> + PartialEq + Default,
{
    // SAFETY: as long as the slice that it comes from.
    let b = unsafe { std::slice::from_raw_parts(unseen(b.as_ptr()), b.len()) };
    let ends = |bytes: &[u8]| Some((*bytes.first_chunk::<N>()?, *bytes.last_chunk::<N>()?));
    let (Some(a), Some(b)) = (ends(a), ends(b)) else {
        return false;
    };
    (word(a.0) ^ word(b.0)) | (word(a.1) ^ word(b.1)) == W::default()
}

/// The same of 16 to 32 bytes.
#[inline(always)]
fn same_lines(a: &[u8], b: &[u8]) -> bool {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    {
        use std::arch::x86_64::{
            _mm_and_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8,
        };
        let same = |a: Option<&[u8; 16]>, b: Option<&[u8; 16]>| {
            // SAFETY: of 16 bytes each; the target says that the processor has these instructions.
            let load = |bytes: &[u8; 16]| unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
            // SAFETY: as above.
            Some(unsafe { _mm_cmpeq_epi8(load(a?), load(b?)) })
        };
        let first = same(a.first_chunk(), b.first_chunk());
        let last = same(a.last_chunk(), b.last_chunk());
        let (Some(first), Some(last)) = (first, last) else {
            return false;
        };
        // SAFETY: as above.
        unsafe { _mm_movemask_epi8(_mm_and_si128(first, last)) == 0xffff }
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
    same_ends(a, b, u128::from_ne_bytes)
}
