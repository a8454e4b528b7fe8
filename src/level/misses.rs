//! What the level last had nothing for, so that many callers who miss one key don't ask one after the other.
//!
//! # Idea         a miss is noted with the number of its call. Who comes to ask for the same key, and had begun before that call, is
//!   answered by the note: the level was asked while it waited. So callers of one absent key make two calls, however many they are
//! # Costs        a short lock, on the way to the level
//! # Invariants   M1 a note serves those alone who had begun before the call that it is of; M2 a note that another one has
//!   displaced costs a call, nothing else
//! # Not here     waiting: the engine's flights

use crate::cache::MissReason;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// See the module.
#[derive(Debug)]
pub(super) struct Misses {
    notes: [Mutex<Option<Note>>; N_NOTES],
    last_call: AtomicU64,
}

const N_NOTES: usize = 64;

/// The number of a call among all; they grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call(u64);

#[derive(Debug, Clone, Copy)]
struct Note {
    key: u64,
    call: Call,
    reason: MissReason,
}

impl Misses {
    pub(super) fn new() -> Self {
        Self {
            notes: std::array::from_fn(|_| Mutex::new(None)),
            last_call: AtomicU64::new(0),
        }
    }

    /// A number for a call that begins.
    pub(super) fn begin(&self) -> Call {
        // Relaxed: a call that began after another had ended has a greater number, by this word's own order.
        Call(self.last_call.fetch_add(1, Ordering::Relaxed))
    }

    /// What the level answered to a call that began after this one.
    pub(super) fn since(&self, key: u64, call: Call) -> Option<MissReason> {
        let note = self.place(key).lock();
        let note = note.filter(|note| note.key == key && note.call > call);
        note.map(|note| note.reason)
    }

    pub(super) fn note(&self, key: u64, call: Call, reason: MissReason) {
        // How long it was waited for is each caller's own matter.
        if reason != MissReason::Timeout {
            *self.place(key).lock() = Some(Note { key, call, reason });
        }
    }

    fn place(&self, key: u64) -> &Mutex<Option<Note>> {
        &self.notes[(key >> 32) as usize % N_NOTES]
    }
}
