//! A reader's way to an entry.

use std::ptr::{self, NonNull};

use super::{
    Bucket, Found, LOW_BITS, Link, Raced, Shared, Way, address_of, bucket_at, match_bytes,
    overflow_of, split_root,
};
use crate::entry::{BlockRef, Header, Probe};
use crate::hash::KeyHash;
use crate::reclaim::{Name, Namer};
use crate::sync::atomic::{AtomicPtr, Ordering};
use crate::sync::prefetch;

impl Shared {
    /// Finds the entry of a key, which holds a value, and names it in the hazard.
    ///
    /// `Ok(None)` means that the key was absent at one moment during the call.
    #[inline]
    pub(crate) fn find<'h>(
        &self,
        hazard: &'h mut impl Name,
        hash: KeyHash,
        probe: &Probe<'_>,
    ) -> Result<Option<Found<'h>>, Raced> {
        self.find_asked(hazard.namer(), hash, *probe, Asked::Value)
            .told()
    }

    /// The same for the one entry that a key has, whatever it says.
    #[inline]
    pub(crate) fn find_any<'h>(
        &self,
        hazard: &'h mut impl Name,
        hash: KeyHash,
        probe: &Probe<'_>,
    ) -> Result<Option<Found<'h>>, Raced> {
        self.find_asked(hazard.namer(), hash, *probe, Asked::Any)
            .told()
    }

    /// Looks at all entries whose tags are those of the key, in its own bucket and in those after it.
    #[inline(never)]
    fn find_asked<'h>(
        &self,
        namer: impl Namer,
        hash: KeyHash,
        probe: Probe<'_>,
        asked: Asked,
    ) -> Sought<'h> {
        let way = self.way(hash);
        if !way.enter(namer) {
            return Sought::RACED;
        }
        let (_, mask) = split_root(way.tagged);
        let home = hash.bucket() & mask;
        let mut index = home;
        loop {
            // SAFETY: the segment is named, and was in the directory after that (R1).
            let bucket = unsafe { way.bucket(index) };
            // Acquire: as in `glance_by`.
            let tags = bucket.tags.load(Ordering::Acquire);
            let mut matches = match_bytes(tags, LOW_BITS * u64::from(hash.tag()));
            while matches != 0 {
                let slot = &bucket.slots[(matches.trailing_zeros() / 8) as usize];
                matches &= matches - 1;
                match way.look_at(slot, namer) {
                    Ok(Some((block, word))) if asked.is(block, &probe) => {
                        return Sought::found(bucket, word);
                    }
                    Ok(_) => {}
                    Err(Raced) => return Sought::RACED,
                }
            }
            index = (index + hash.stride()) & mask;
            if overflow_of(tags) == 0 || index == home {
                break;
            }
        }
        if way.is_current() {
            Sought::ABSENT
        } else {
            Sought::RACED
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
        if !way.enter(hazard.namer()) {
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
    /// Names the segment; whether it is the directory's still.
    #[inline(always)]
    pub(super) fn enter(self, namer: impl Namer) -> bool {
        let (segment, _) = split_root(self.tagged);
        namer.name_segment(segment);
        if self.is_closed() || !self.is_current() {
            return false;
        }
        // SAFETY: the segment is named, and was in the directory after that (R1).
        unsafe { &*segment }.life.touch();
        true
    }

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

    /// Names the entry of a slot; `None` if there is none.
    #[inline(always)]
    pub(super) fn look_at<'h>(
        self,
        slot: &'h AtomicPtr<Header>,
        namer: impl Namer,
    ) -> Result<Option<(BlockRef<'h>, *mut Header)>, Raced> {
        // Acquire: pairs with the release that linked the entry, so that its key and value are seen whole.
        let word = slot.load(Ordering::Acquire);
        let Some(address) = NonNull::new(address_of(word)) else {
            return Ok(None);
        };
        namer.name_entry(address.as_ptr());
        // SeqCst: after the naming, and the barrier with it, so that what is unlinked before a writer's look isn't missed. The directory is
        // looked at after it (T4). That the metadata have changed is as seldom as a lost race, so it may count as one.
        if slot.load(Ordering::SeqCst) != word || !self.is_current() {
            return Err(Raced);
        }
        // SAFETY: linked in a current segment after it was named, so R1 keeps it for the hazard.
        Ok(Some((unsafe { BlockRef::new(address) }, word)))
    }
}

/// What a search came to, in two words, so that it travels in registers.
struct Sought<'h> {
    bucket: Option<&'h Bucket>,
    /// Without a bucket: null, if the search came to its end.
    word: *mut Header,
}

impl<'h> Sought<'h> {
    const ABSENT: Self = Sought {
        bucket: None,
        word: ptr::null_mut(),
    };
    const RACED: Self = Sought {
        bucket: None,
        word: ptr::without_provenance_mut(1),
    };

    fn found(bucket: &'h Bucket, word: *mut Header) -> Self {
        let bucket = Some(bucket);
        Sought { bucket, word }
    }

    #[inline(always)]
    fn told(self) -> Result<Option<Found<'h>>, Raced> {
        let word = self.word;
        let Some(bucket) = self.bucket else {
            return if word.is_null() { Ok(None) } else { Err(Raced) };
        };
        // SAFETY: not null; named, and linked in a current segment after that, so R1 keeps it for the hazard.
        let block = unsafe { BlockRef::new(NonNull::new_unchecked(address_of(word))) };
        let link = Link { bucket, word };
        Ok(Some(Found { block, link }))
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
