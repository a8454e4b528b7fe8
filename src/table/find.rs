//! A reader's way to an entry.

use std::hint::cold_path;
use std::ptr::NonNull;

use super::{
    Bucket, Found, LOW_BITS, Link, Raced, Shared, Way, address_of, bucket_at, match_bytes,
    overflow_of, split_root,
};
use crate::entry::{BlockRef, Probe};
use crate::hash::KeyHash;
use crate::reclaim::{Name, Namer};
use crate::sync::atomic::Ordering;
use crate::sync::prefetch;

impl Shared {
    /// Finds the entry of a key, which holds a value, and names it in the hazard.
    ///
    /// `Ok(None)` means that the key was absent at one moment during the call.
    #[inline(always)]
    pub(crate) fn find<'h>(
        &self,
        hazard: &'h mut impl Name,
        hash: KeyHash,
        probe: &Probe<'_>,
    ) -> Result<Option<Found<'h>>, Raced> {
        self.find_asked(hazard, hash, probe, Asked::Value)
    }

    /// The same for the one entry that a key has, whatever it says.
    #[inline(always)]
    pub(crate) fn find_any<'h>(
        &self,
        hazard: &'h mut impl Name,
        hash: KeyHash,
        probe: &Probe<'_>,
    ) -> Result<Option<Found<'h>>, Raced> {
        self.find_asked(hazard, hash, probe, Asked::Any)
    }

    #[inline(always)]
    fn find_asked<'h>(
        &self,
        hazard: &'h mut impl Name,
        hash: KeyHash,
        probe: &Probe<'_>,
        asked: Asked,
    ) -> Result<Option<Found<'h>>, Raced> {
        let way = self.way(hash);
        let (segment, _) = split_root(way.tagged);
        let namer = hazard.namer();
        namer.name_segment(segment);
        if way.is_closed() || !way.is_current() {
            return Err(Raced);
        }
        // SAFETY: the segment is named, and was in the directory after that (R1).
        unsafe { &*segment }.life.touch();
        // SAFETY: as above.
        let bucket = unsafe { way.bucket(hash.bucket()) };
        // Acquire: pairs with the releases in `fill` and `clear`, so that a reader that has seen an entry, or heard of
        // it from who did, sees its tag and the overflow counts on the way to it (T2, T3).
        let tags = bucket.tags.load(Ordering::Acquire);
        let mut sought = way.find_in(bucket, tags, namer, hash, probe, asked);
        if matches!(sought, Err(Unfound::Absent)) && overflow_of(tags) != 0 {
            // Seldom enough for the way to the first bucket to have the registers to itself.
            cold_path();
            // SAFETY: as above; the segment stays named.
            sought = unsafe { way.find_beyond(namer, hash, probe, asked) };
        }
        match sought {
            Ok(found) => Ok(Some(found)),
            Err(Unfound::Absent) if way.is_current() => Ok(None),
            Err(_) => Err(Raced),
        }
    }

    /// Asks the processor for the bucket of a key, without looking at anything that could be freed.
    #[inline]
    pub(crate) fn prefetch_bucket(&self, hash: KeyHash) {
        let (segment, mask) = split_root(self.way(hash).tagged);
        prefetch(bucket_at(segment, hash.bucket() & mask));
    }

    /// The same for a write, which finds the slot of a new key: also the next bucket, where those go that are too many for the first.
    #[inline]
    pub(crate) fn prefetch_buckets(&self, hash: KeyHash) {
        let (segment, mask) = split_root(self.way(hash).tagged);
        prefetch(bucket_at(segment, hash.bucket() & mask));
        prefetch(bucket_at(segment, (hash.bucket() + hash.stride()) & mask));
    }

    /// Asks the processor for the first entry that the tags of a key's bucket point to.
    #[inline]
    pub(crate) fn prefetch_entry(&self, hazard: &mut impl Name, hash: KeyHash) {
        let way = self.way(hash);
        let (segment, _) = split_root(way.tagged);
        hazard.namer().name_segment(segment);
        if way.is_closed() || !way.is_current() {
            return;
        }
        // SAFETY: the segment is named, and was in the directory after that (R1).
        let bucket = unsafe { way.bucket(hash.bucket()) };
        let matches = match_bytes(
            bucket.tags.load(Ordering::Relaxed),
            LOW_BITS * u64::from(hash.tag()),
        );
        if matches != 0 {
            let word =
                bucket.slots[(matches.trailing_zeros() / 8) as usize].load(Ordering::Relaxed);
            let address = address_of(word);
            prefetch(address);
            // The key of most entries lies on the second line.
            prefetch(address.wrapping_byte_add(64));
        }
    }
}

impl Way<'_> {
    /// A bucket of the segment; of the index, the bits that tell its buckets apart.
    ///
    /// # Safety
    /// The segment is named, and was the directory's after that (R1).
    #[inline(always)]
    unsafe fn bucket<'h>(self, index: usize) -> &'h Bucket {
        let (segment, mask) = split_root(self.tagged);
        // SAFETY: by the contract; the masked index is in range.
        unsafe { &*bucket_at(segment, index & mask) }
    }

    /// Looks at the entries of one bucket whose tags are those of the key.
    #[inline(always)]
    fn find_in<'h>(
        self,
        bucket: &'h Bucket,
        tags: u64,
        namer: impl Namer,
        hash: KeyHash,
        probe: &Probe<'_>,
        asked: Asked,
    ) -> Result<Found<'h>, Unfound> {
        let mut matches = match_bytes(tags, LOW_BITS * u64::from(hash.tag()));
        while matches != 0 {
            let slot = &bucket.slots[(matches.trailing_zeros() / 8) as usize];
            matches &= matches - 1;
            // Acquire: pairs with the release that linked the entry, so that its key and value are seen whole.
            let word = slot.load(Ordering::Acquire);
            let address = address_of(word);
            if address.is_null() {
                continue;
            }
            namer.name_entry(address);
            // SeqCst: after the naming; and after the barrier, so that what is unlinked before the look isn't missed. The directory is looked at after it (T4). That the
            // metadata have changed is as seldom as a lost race, so it may count as one.
            if slot.load(Ordering::SeqCst) != word || !self.is_current() {
                return Err(Unfound::Raced);
            }
            // SAFETY: not null; linked in a current segment after it was named, so R1 keeps it for the hazard.
            let block = unsafe { BlockRef::new(NonNull::new_unchecked(address)) };
            if asked.is(block, probe) {
                let link = Link { slot, word };
                return Ok(Found { block, link });
            }
        }
        Err(Unfound::Absent)
    }

    /// The same for the buckets after the key's own, which was full once.
    ///
    /// # Safety
    /// As [`bucket`](Self::bucket).
    #[inline(always)]
    unsafe fn find_beyond<'h>(
        self,
        namer: impl Namer,
        hash: KeyHash,
        probe: &Probe<'_>,
        asked: Asked,
    ) -> Result<Found<'h>, Unfound> {
        let (_, mask) = split_root(self.tagged);
        let home = hash.bucket() & mask;
        let mut index = (home + hash.stride()) & mask;
        while index != home {
            // SAFETY: by the contract.
            let bucket = unsafe { self.bucket(index) };
            // Acquire: as in `find_asked`.
            let tags = bucket.tags.load(Ordering::Acquire);
            let sought = self.find_in(bucket, tags, namer, hash, probe, asked);
            if !matches!(sought, Err(Unfound::Absent)) || overflow_of(tags) == 0 {
                return sought;
            }
            index = (index + hash.stride()) & mask;
        }
        Err(Unfound::Absent)
    }
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// An entry that holds a value.
    Value,
    /// Also one that says that there is none.
    Any,
}

impl Asked {
    #[inline(always)]
    fn is(self, block: BlockRef<'_>, probe: &Probe<'_>) -> bool {
        match self {
            Asked::Value => block.is(probe),
            Asked::Any => block.is_of(probe),
        }
    }
}

/// Why nothing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unfound {
    /// It wasn't there, if the segment is the directory's still.
    Absent,
    /// What was there was replaced meanwhile.
    Raced,
}
