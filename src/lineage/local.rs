//! What a view of a scope holds: the word of its path, as of some epoch.
//!
//! # Idea         while the registry's epoch is the one that the word was found at, the word is good; else one thread at a
//!   time walks the path again
//! # Invariants   L4 of the module above, by this order: the epoch is read, then the path is found live, then the word is
//!   stored, then the epoch

use std::mem::{offset_of, size_of};

use super::{Epoch, Generation, Owner, PlaceWord, Registry, ScopeError};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, planted, prefetch};
use crate::tally::{Id, Tally};

/// The scope that a view stands for, whichever its life is. On a line of its own, as its count is then: a view that a
/// thread has made for itself shares nothing with another thread's.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Local {
    epoch: AtomicU64,
    word: AtomicU64,
    /// That of the tally, at hand for a hit.
    tally_id: Id,
    /// The same through all lives of the path, as is the owner: what look-ups through the view count for.
    tally: Arc<Tally>,
    owner: Option<Arc<Owner>>,
    current: Mutex<Arc<Generation>>,
    serial: u64,
}

// What a look-up reads of it is on its first line.
const _: () = assert!(offset_of!(Local, epoch) + size_of::<AtomicU64>() <= 64);
const _: () = assert!(offset_of!(Local, word) + size_of::<AtomicU64>() <= 64);
const _: () = assert!(offset_of!(Local, tally_id) + size_of::<Id>() <= 64);

impl Local {
    /// A view of a life that was live at that epoch or later.
    pub(super) fn new(serial: u64, epoch: Epoch, life: Arc<Generation>, tally: Arc<Tally>) -> Self {
        Self {
            serial,
            epoch: AtomicU64::new(epoch.0),
            word: AtomicU64::new(life.word().bits()),
            owner: life.nearest_owner().cloned(),
            tally_id: tally.id(),
            tally,
            current: Mutex::new(life),
        }
    }

    /// Tells this view from all others of the process.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// The tenant or named cache that the scope belongs to, the nearest one.
    #[inline]
    pub(crate) fn owner(&self) -> Option<&Arc<Owner>> {
        self.owner.as_ref()
    }

    /// What look-ups through the view count for.
    #[inline]
    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    #[inline(always)]
    pub(crate) fn tally_id(&self) -> Id {
        self.tally_id
    }

    /// The word of the scope's present life; [`PlaceWord::NOWHERE`] if its tenant or named cache was closed.
    ///
    /// A writer reads the epoch first, and again under its stripe's lock: if it has moved, [`holds`](Self::holds) says
    /// whether the word is still good.
    #[inline]
    pub(crate) fn word(&self, registry: &Registry) -> PlaceWord {
        match self.word_as_of(|| registry.epoch()) {
            (word, 0) => word,
            _ => self.refresh(registry),
        }
    }

    /// The same for a look-up, good if the number with it is zero: then nothing has ended since the word was found, and nothing else is to
    /// be done.
    #[inline(always)]
    pub(crate) fn word_at_hand(&self, registry: &Registry) -> (PlaceWord, u64) {
        self.word_as_of(|| registry.stirred_epoch())
    }

    #[inline(always)]
    fn word_as_of(&self, epoch: impl FnOnce() -> Epoch) -> (PlaceWord, u64) {
        // Acquire: pairs with the release in `publish`, so that the word is at least as new as the epoch.
        let differing = self.epoch.load(Ordering::Acquire) ^ epoch().0;
        let differing = if planted!(Epoch) { 0 } else { differing };
        // Acquire: pairs with `publish`; who sees a new word sees the epoch that counts the end of the old one.
        let word = PlaceWord::from_bits(self.word.load(Ordering::Acquire));
        (word, differing)
    }

    #[cold]
    fn refresh(&self, registry: &Registry) -> PlaceWord {
        self.find(&mut self.current.lock(), registry, Self::publish)
    }

    /// The scope's present life.
    ///
    /// # Errors
    /// [`ScopeError::Closed`], [`ScopeError::OutOfIds`].
    pub(crate) fn generation(&self, registry: &Registry) -> Result<Arc<Generation>, ScopeError> {
        let mut current = self.current.lock();
        match self.find(&mut current, registry, Self::publish) {
            PlaceWord::NOWHERE => Err(refusal(&current)),
            _ => Ok(Arc::clone(&current)),
        }
    }

    /// Asks the processor for what an ending needs of it.
    pub(crate) fn prefetch(&self) {
        prefetch(&raw const self.current);
    }

    /// The life that was found last, which may have ended: its path is that of all lives.
    pub(crate) fn last_life(&self) -> Arc<Generation> {
        Arc::clone(&self.current.lock())
    }

    /// Whether the scope's present life is the one of `word`. May be asked under a stripe's lock.
    pub(crate) fn holds(&self, word: PlaceWord) -> bool {
        let current = self.current.lock();
        current.word() == word && current.is_live()
    }

    /// The life of `word`, if that is the scope's present one. May be asked under a stripe's lock.
    ///
    /// `stands` says that no ending was counted since the word was read: one that is marked already comes after whoever asks.
    pub(crate) fn generation_of(&self, word: PlaceWord, stands: bool) -> Option<Arc<Generation>> {
        let current = self.current.lock();
        let is_it = current.word() == word && (stands || current.is_live());
        is_it.then(|| Arc::clone(&current))
    }

    /// Brings word and epoch up to date, under the view's lock.
    fn find(
        &self,
        current: &mut Arc<Generation>,
        registry: &Registry,
        publish: fn(&Self, PlaceWord, Epoch),
    ) -> PlaceWord {
        // Under the lock, so that neither of the two goes back.
        let epoch = registry.epoch();
        if self.epoch.load(Ordering::Relaxed) == epoch.0 {
            return PlaceWord::from_bits(self.word.load(Ordering::Relaxed));
        }
        let mut word = current.word();
        if !current.is_live() {
            match registry.renew(current) {
                Ok(life) => {
                    *current = life;
                    word = current.word();
                }
                Err(_) => {
                    registry.pass_gate();
                    word = PlaceWord::NOWHERE;
                }
            }
        }
        publish(self, word, epoch);
        word
    }

    fn publish(&self, word: PlaceWord, epoch: Epoch) {
        // Release: pairs with the acquire of the word in `word`.
        self.word.store(word.bits(), Ordering::Release);
        // Release: pairs with the acquire of the epoch in `word`.
        self.epoch.store(epoch.0, Ordering::Release);
    }
}

/// What the models' failing twins do.
#[cfg(engine_loom)]
impl Local {
    /// As `word`, but tells the epoch before the word.
    pub(crate) fn word_with_early_epoch(&self, registry: &Registry) -> PlaceWord {
        if self.epoch.load(Ordering::Acquire) == registry.epoch().0 {
            return PlaceWord::from_bits(self.word.load(Ordering::Acquire));
        }
        let publish = |view: &Self, word: PlaceWord, epoch: Epoch| {
            view.epoch.store(epoch.0, Ordering::Release);
            view.word.store(word.bits(), Ordering::Release);
        };
        self.find(&mut self.current.lock(), registry, publish)
    }
}

fn refusal(current: &Generation) -> ScopeError {
    if current.is_closed() {
        ScopeError::Closed
    } else {
        ScopeError::OutOfIds
    }
}
