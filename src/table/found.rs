//! What a look-up hands to its reader.

use super::{Bucket, address_of, meta_of, pack};
use crate::entry::{BlockRef, Header};
use crate::sync::atomic::{AtomicPtr, Ordering};

/// An entry that a reader found, kept alive by its hazard.
pub(crate) struct Found<'h> {
    pub(crate) block: BlockRef<'h>,
    pub(crate) link: Link<'h>,
}

/// The bucket where an entry was found, and the word that was there. Two words, so that it travels in registers; in which slot the word was
/// is seldom asked again, and not kept.
#[derive(Clone, Copy)]
pub(crate) struct Link<'h> {
    pub(super) bucket: &'h Bucket,
    pub(super) word: *mut Header,
}

impl Link<'_> {
    /// The metadata as they were when the entry was found.
    #[inline(always)]
    pub(crate) fn meta(self) -> u32 {
        meta_of(self.word)
    }

    /// Changes the metadata if the word is still what was found; tried once (T6). True if it was changed.
    #[inline]
    pub(crate) fn try_set_meta(self, meta: u32) -> bool {
        let word = pack(address_of(self.word), meta);
        let is_it = |slot: &&AtomicPtr<Header>| slot.load(Ordering::Relaxed) == self.word;
        // Relaxed: the pointer stays the same, and a read-modify-write continues the release sequence of its linking.
        self.bucket.slots.iter().find(is_it).is_some_and(|slot| {
            slot.compare_exchange(self.word, word, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        })
    }
}
