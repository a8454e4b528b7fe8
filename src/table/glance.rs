//! A reader's first look, which most look-ups end with.
//!
//! # Idea         the one entry that most look-ups are about, and nothing else, in line: whatever takes another look is told apart, for
//!   module `find` to do, so that nothing has to be kept for it
//! # Costs        a bucket, an entry
//! # Not here     further buckets and entries, prefetches (module `find`)

use std::hint::cold_path;
use std::ptr::{self, NonNull};

use super::{
    Bucket, Found, Link, SLOTS, Segment, Shared, Way, address_of, meta_of, overflow_of, split_root,
};
use crate::entry::{BlockRef, Header, Probe};
use crate::hash::KeyHash;
use crate::reclaim::{Name, Namer};
use crate::sync::atomic::Ordering;
use crate::sync::unseen;

impl Shared {
    /// Looks at the one entry that most look-ups are about: the first in the key's bucket whose tag is that of the key. In line, and all
    /// else is left to [`find`](Self::find), so that it has the registers to itself.
    #[inline(always)]
    pub(crate) fn glance<H: Name>(&self, hazard: H, hash: KeyHash, probe: &Probe<'_>) -> Glance<H> {
        // SAFETY: what is kept of it goes into the same hands as the hazard.
        match unsafe { self.glance_by(hazard.namer(), hash, probe) } {
            Glanced::Plain(sight) => Glance::Plain(hazard, sight),
            Glanced::Laden(sight) => Glance::Laden(hazard, sight),
            Glanced::Absent => Glance::Absent(hazard),
            Glanced::Unclear => Glance::Unclear(hazard),
        }
    }

    /// # Safety
    /// What is told is used before the next naming, and before what the namer comes from is dropped.
    #[inline(always)]
    unsafe fn glance_by(&self, namer: impl Namer, hash: KeyHash, probe: &Probe<'_>) -> Glanced {
        let way = self.way(hash);
        if !way.enter(namer) {
            return Glanced::Unclear;
        }
        let mut line = way.line(hash.bucket());
        // SAFETY: the segment is named, and was in the directory after that (R1).
        let bucket = unsafe { line.bucket() };
        // Acquire: pairs with the releases in `fill` and `clear`, so that a reader that has seen an entry, or heard of
        // it from who did, sees its tag and the overflow counts on the way to it (T2, T3).
        let tags = bucket.tags.load(Ordering::Acquire);
        let at = match Place::first(tags, hash.tag()) {
            Some(at) => at,
            None if overflow_of(tags) == 0 => return way.absent(),
            None => {
                cold_path();
                // As if it came from elsewhere: so nothing is kept for this on the way to the first bucket.
                let tagged = unseen(way.tagged).cast_mut();
                let hash = unseen(ptr::without_provenance::<()>(hash.bits() as usize));
                let hash = KeyHash::from_bits(hash.addr() as u64);
                line = Way { tagged, ..way }.line(hash.bucket() + hash.stride());
                // SAFETY: as above.
                let bucket = unsafe { line.bucket() };
                // Acquire: as above.
                let tags = bucket.tags.load(Ordering::Acquire);
                match Place::first(tags, hash.tag()) {
                    Some(at) => at,
                    None if overflow_of(tags) == 0 => return way.absent(),
                    None => return Glanced::Unclear,
                }
            }
        };
        // SAFETY: as above.
        let slot = &unsafe { line.bucket() }.slots[at.index()];
        let Ok(Some((block, word))) = way.look_at(slot, namer) else {
            return Glanced::Unclear;
        };
        let address = block.as_raw();
        let spot = Spot { line, word };
        let sight = Sight { spot, address };
        if !block.is_plain(probe) {
            cold_path();
            return Glanced::Laden(sight);
        }
        if block.is_keyed_plainly(probe) {
            Glanced::Plain(sight)
        } else {
            Glanced::Unclear
        }
    }

    /// As look-ups do: a glance, and the rest if that takes another look.
    #[cfg(any(test, engine_loom))]
    pub(crate) fn look<'h>(
        &self,
        hazard: &'h mut impl Name,
        hash: KeyHash,
        probe: &Probe<'_>,
    ) -> Result<Option<Found<'h>>, super::Raced> {
        // SAFETY: the hazard is borrowed for as long, and names nothing else if this was told.
        match unsafe { self.glance_by(hazard.namer(), hash, probe) } {
            Glanced::Plain(sight) => {
                // SAFETY: as above.
                Ok(Some(unsafe { sight.spot().found(hazard) }))
            }
            Glanced::Absent => Ok(None),
            Glanced::Laden(_) | Glanced::Unclear => self.find(hazard, hash, probe),
        }
    }
}

impl Way<'_> {
    /// No entry of a key was met.
    #[inline(always)]
    fn absent(self) -> Glanced {
        if self.is_current() {
            Glanced::Absent
        } else {
            Glanced::Unclear
        }
    }

    /// Where a bucket of the segment is; of the index, the bits that tell its buckets apart.
    #[inline(always)]
    fn line(self, index: usize) -> Line {
        let (segment, mask) = split_root(self.tagged);
        Line(segment.cast::<Bucket>().wrapping_add(index & mask))
    }
}

/// What a glance came to.
pub(crate) enum Glance<H> {
    /// The key's entry, which carries what the probe asks for and nothing besides.
    Plain(H, Sight),
    /// An entry that carries something else or more, and may be the key's.
    Laden(H, Sight),
    /// The key was absent at one moment during the call.
    Absent(H),
    /// It takes another look.
    Unclear(H),
}

/// The same, without the hazard.
enum Glanced {
    Plain(Sight),
    Laden(Sight),
    Absent,
    Unclear,
}

/// The line before a bucket. What lies in the bucket is then at a distance that addresses have room for.
#[derive(Clone, Copy)]
struct Line(*const Bucket);

const _: () = assert!(size_of::<Segment>() == size_of::<Bucket>());

impl Line {
    /// # Safety
    /// The segment is named, and was the directory's after that (R1).
    #[inline(always)]
    unsafe fn bucket<'h>(self) -> &'h Bucket {
        // SAFETY: by the contract; each bucket has a line before it, the first that of the segment's head.
        unsafe { &*self.0.add(1) }
    }
}

/// Where a glance met an entry.
#[derive(Clone, Copy)]
pub(crate) struct Sight {
    spot: Spot,
    /// That of the word.
    address: NonNull<Header>,
}

impl Sight {
    /// # Safety
    /// The hazard is the one that the sight came with, and has named nothing since.
    #[inline(always)]
    pub(crate) unsafe fn block<H>(self, _hazard: &H) -> BlockRef<'_> {
        // SAFETY: named by the hazard, which outlives the borrow, and linked in a current segment after that (R1).
        unsafe { BlockRef::new(self.address) }
    }

    /// As [`Link::meta`].
    #[inline(always)]
    pub(crate) fn meta(self) -> u32 {
        meta_of(self.spot.word)
    }

    /// The same for a call.
    #[inline(always)]
    pub(crate) fn spot(self) -> Spot {
        self.spot
    }
}

/// Where an entry was found, beside the hazard that keeps it alive. Two words, so that it travels in registers.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    line: Line,
    word: *mut Header,
}

impl Spot {
    /// # Safety
    /// The hazard is the one that the spot came with, and has named nothing since.
    #[inline(always)]
    pub(crate) unsafe fn found<H>(self, _hazard: &H) -> Found<'_> {
        let word = self.word;
        // SAFETY: named by the hazard, which outlives the borrow, and linked in a current segment after that (R1).
        let block = unsafe { BlockRef::new(NonNull::new_unchecked(address_of(word))) };
        // SAFETY: of the segment that the hazard names as well.
        let bucket = unsafe { self.line.bucket() };
        let link = Link { bucket, word };
        Found { block, link }
    }
}

/// One of a bucket's places, as a search of its tags leaves it.
#[derive(Clone, Copy)]
struct Place(usize);

impl Place {
    /// What it is above the number of the place. Taken off where the place is used: there it is part of an address.
    const ABOVE: usize = if Place::BY_BYTES { 0 } else { 64 - SLOTS };
    const BY_BYTES: bool = !cfg!(all(target_arch = "x86_64", target_feature = "sse2"));

    /// The first one whose tag is this.
    #[inline(always)]
    fn first(tags: u64, tag: u8) -> Option<Place> {
        #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
        let (matches, step) = {
            use std::arch::x86_64::{
                _mm_cmpeq_epi8, _mm_cvtsi64_si128, _mm_movemask_epi8, _mm_set1_epi8,
            };
            // SAFETY: the target says that the processor has these instructions.
            let same = unsafe {
                let tags = _mm_cvtsi64_si128(tags.cast_signed());
                _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(tag.cast_signed())))
            };
            // What is no place is shifted out.
            (u64::from(same.cast_unsigned()) << Place::ABOVE, 1)
        };
        #[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
        let (matches, step) = (
            super::match_bytes(tags, super::LOW_BITS * u64::from(tag)),
            8,
        );
        (matches != 0).then(|| Place((matches.trailing_zeros() / step) as usize))
    }

    #[inline(always)]
    fn index(self) -> usize {
        self.0 - Place::ABOVE
    }
}
