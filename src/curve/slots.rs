//! The residents of one small cache: a hash table in one piece, which is sampled where it stands.
//!
//! # Idea         open addressing with linear probing; a key is 64 random bits, of which the low half says where it belongs. A removal
//!   moves those behind it up, so there are no tombstones, and any stretch of slots is a random sample
//! # Costs        24 bytes a slot, of which between half and three quarters are taken; every call but growth a few slots
//! # Invariants   S1 between a resident's home and its slot all slots are taken
//! # Not here     who leaves

use crate::policy::Meta;

/// One resident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resident {
    /// Zero marks an empty slot.
    pub(super) key: u64,
    pub(super) bytes: u32,
    /// When it expires, in the tracker's own ticks; [`NEVER`](super::NEVER).
    pub(super) due: u32,
    /// Of which insert it is.
    pub(super) stamp: u32,
    meta: u32,
}

impl Resident {
    pub(super) fn new(key: u64, bytes: u32, due: u32, stamp: u32, meta: Meta) -> Resident {
        let meta = meta.bits();
        Resident {
            key,
            bytes,
            due,
            stamp,
            meta,
        }
    }

    pub(super) fn meta(&self) -> Meta {
        Meta::from_bits(self.meta)
    }

    pub(super) fn set_meta(&mut self, meta: Meta) {
        self.meta = meta.bits();
    }
}

const EMPTY: Resident = Resident {
    key: 0,
    bytes: 0,
    due: 0,
    stamp: 0,
    meta: 0,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Resident>,
    len: usize,
}

/// The fewest slots.
const SLOTS_MIN: usize = 64;

impl Slots {
    pub(super) fn new() -> Slots {
        Slots {
            slots: vec![EMPTY; SLOTS_MIN],
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Slots, the empty ones included.
    pub(super) fn n_slots(&self) -> usize {
        self.slots.len()
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Resident>()
    }

    pub(super) fn find(&self, key: u64) -> Option<usize> {
        let mut at = self.home(key);
        loop {
            match self.slots[at].key {
                present if present == key => return Some(at),
                0 => return None,
                _ => at = self.after(at),
            }
        }
    }

    /// The slot at `at`, or that many beyond the end from the beginning; `None` if it is empty.
    pub(super) fn get(&self, at: usize) -> Option<&Resident> {
        Some(&self.slots[at % self.slots.len()]).filter(|slot| slot.key != 0)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Resident> {
        let at = at % self.slots.len();
        Some(&mut self.slots[at]).filter(|slot| slot.key != 0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Resident> {
        self.slots.iter().filter(|slot| slot.key != 0)
    }

    /// Adds a resident whose key isn't there.
    pub(super) fn insert(&mut self, new: Resident) {
        if (self.len + 1) * 4 > self.slots.len() * 3 {
            let n_slots = self.slots.len() * 3 / 2;
            self.rebuild(n_slots, |_| true);
        }
        self.place(new);
    }

    pub(super) fn remove(&mut self, at: usize) -> Resident {
        let gone = self.slots[at];
        let n_slots = self.slots.len();
        let (mut hole, mut next) = (at, self.after(at));
        while self.slots[next].key != 0 {
            // It may move up if the hole lies between its home and itself.
            let from_home = (next + n_slots - self.home(self.slots[next].key)) % n_slots;
            let from_hole = (next + n_slots - hole) % n_slots;
            if from_home >= from_hole {
                self.slots[hole] = self.slots[next];
                hole = next;
            }
            next = self.after(next);
        }
        self.slots[hole] = EMPTY;
        self.len -= 1;
        gone
    }

    /// Keeps those that `keeps` says.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(&Resident) -> bool) {
        let n_kept = self.iter().filter(|slot| keeps(slot)).count();
        self.rebuild((n_kept * 2).max(SLOTS_MIN), keeps);
    }

    fn rebuild(&mut self, n_slots: usize, mut keeps: impl FnMut(&Resident) -> bool) {
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; n_slots]);
        self.len = 0;
        for slot in old {
            if slot.key != 0 && keeps(&slot) {
                self.place(slot);
            }
        }
    }

    fn place(&mut self, new: Resident) {
        debug_assert_ne!(new.key, 0);
        let mut at = self.home(new.key);
        while self.slots[at].key != 0 {
            at = self.after(at);
        }
        self.slots[at] = new;
        self.len += 1;
    }

    fn home(&self, key: u64) -> usize {
        // The low half spread over the slots, whatever their number: all keys here are like in the upper half.
        ((u64::from(key as u32) * self.slots.len() as u64) >> 32) as usize
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() {
            0
        } else {
            at + 1
        }
    }
}
