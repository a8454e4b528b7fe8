//! The keys that were evicted of late: what class they had, and when they were last used.
//!
//! # Idea         a set-associative table of 32-bit records; a set is one line, newest first, so that age order needs no field.
//!   What a set pushes out goes on, one key in 2^rate, to a second table with a longer memory that only teaches
//! # Costs        find, push: one line each; scan: one line. 4 bytes a record
//! # Invariants   G1 the records of a set are gapless and newest first; G2 a record is purged before its tick count repeats
//! # Not here     the learning

use super::meta::{Class, Key};
use crate::sync::prefetch;

/// Records of a set.
pub(super) const WAYS: usize = 16;
const PRINT_BITS: u32 = 14;
const TICK_BITS: u32 = 11;
const CLASS_BITS: u32 = 7;

/// The age in ticks at which a record is purged: the tick count repeats after 2048.
pub(super) const AGE_MAX: u32 = 1536;

/// One evicted key: print, tick count of its last use, class. All zero: empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Record(u32);

impl Record {
    fn new(print: u32, last: u32, class: Class) -> Record {
        debug_assert!(
            print > 0 && print < 1 << PRINT_BITS,
            "prints are not zero and fit"
        );
        let tick = last & ((1 << TICK_BITS) - 1);
        Record(print << (TICK_BITS + CLASS_BITS) | tick << CLASS_BITS | class.bits())
    }
    fn is_empty(self) -> bool {
        self.0 == 0
    }
    fn print(self) -> u32 {
        self.0 >> (TICK_BITS + CLASS_BITS)
    }
    fn ghost(self, ticks: u64) -> Ghost {
        let age = (ticks as u32).wrapping_sub(self.0 >> CLASS_BITS) & ((1 << TICK_BITS) - 1);
        Ghost {
            class: Class::from_bits(self.0),
            age,
        }
    }
}

/// What is known of an evicted key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ghost {
    pub(super) class: Class,
    /// Ticks since the last use.
    pub(super) age: u32,
}

/// Where a key is looked for: the hash of its set, and its print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    set: u32,
    print: u32,
}

impl Place {
    /// Where nothing is.
    pub(super) const NOWHERE: Place = Place {
        set: u32::MAX,
        print: 0,
    };
}

/// One table.
#[derive(Debug, Default)]
pub(super) struct Ghosts {
    // Plain words: the allocator has zeroed pages of them at hand, so that making a large table is no long call.
    sets: Vec<[u32; WAYS]>,
    cursor: usize,
}

impl Ghosts {
    pub(super) fn with_records(records: usize) -> Ghosts {
        let sets = records.div_ceil(WAYS);
        Ghosts {
            sets: vec![[0; WAYS]; sets],
            cursor: 0,
        }
    }
    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }
    pub(super) fn slots(&self) -> usize {
        self.sets.len() * WAYS
    }
    pub(super) fn memory_bytes(&self) -> usize {
        self.sets.capacity() * size_of::<[u32; WAYS]>()
    }
    /// Asks the processor for the set of a place.
    pub(super) fn prefetch(&self, place: Place) {
        prefetch(self.sets.as_ptr().wrapping_add(place.set as usize));
    }
    /// The place of a key in this table.
    pub(super) fn place(&self, key: Key) -> Place {
        // The high bits choose the set by multiplication, the low ones are the print.
        let high = key.bits() >> PRINT_BITS << 10;
        let set = ((high * self.sets.len() as u64) >> 32) as u32;
        Place {
            set,
            print: ((key.bits() as u32) & ((1 << PRINT_BITS) - 1)).max(1),
        }
    }
    /// The place in this table, the long one, of what another holds at `place`; `None` if that key is not sampled.
    pub(super) fn long_place(&self, place: Place, rate_bits: u32) -> Option<Place> {
        let spread = (u64::from(place.set) << PRINT_BITS | u64::from(place.print))
            .wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let sampled = spread >> 20 & ((1 << rate_bits) - 1) == 0;
        let set = (((spread >> 32) * self.sets.len() as u64) >> 32) as u32;
        (sampled && !self.is_empty()).then_some(Place {
            set,
            print: place.print,
        })
    }
    /// Takes out the record at `place`.
    pub(super) fn take(&mut self, place: Place, ticks: u64) -> Option<Ghost> {
        let set = self.sets.get_mut(place.set as usize)?;
        // All ways at once, which takes a few instructions where one after the other takes a hundred.
        let mut hits = 0u32;
        for (way, &word) in set.iter().enumerate() {
            hits |= u32::from(Record(word).print() == place.print) << way;
        }
        if hits == 0 {
            return None;
        }
        let way = hits.trailing_zeros() as usize;
        let ghost = Record(set[way]).ghost(ticks);
        remove(set, way);
        Some(ghost)
    }
    /// Puts a record first in its set, and returns the one that falls out with its place.
    pub(super) fn push(
        &mut self,
        place: Place,
        ghost: Ghost,
        ticks: u64,
    ) -> Option<(Place, Ghost)> {
        let set = self.sets.get_mut(place.set as usize)?;
        let fallen = Record(set[WAYS - 1]);
        set.copy_within(0..WAYS - 1, 1);
        let last = (ticks as u32).wrapping_sub(ghost.age);
        set[0] = Record::new(place.print, last, ghost.class).0;
        let fallen_place = Place {
            set: place.set,
            print: fallen.print(),
        };
        (!fallen.is_empty()).then(|| (fallen_place, fallen.ghost(ticks)))
    }
    /// Visits the records of the next set, purges what is too old (G2) and shows the rest.
    pub(super) fn scan(&mut self, ticks: u64, mut show: impl FnMut(Ghost)) {
        let at = if self.cursor < self.sets.len() {
            self.cursor
        } else {
            0
        };
        let base = self.sets.as_ptr();
        let Some(set) = self.sets.get_mut(at) else {
            return;
        };
        self.cursor = at + 1;
        // The oldest first, so that closing a gap moves those that were visited.
        for way in (0..WAYS).rev() {
            let record = Record(set[way]);
            if record.is_empty() {
                continue;
            }
            let ghost = record.ghost(ticks);
            if ghost.age >= AGE_MAX {
                remove(set, way);
            } else {
                show(ghost);
            }
        }
        // By its turn it is there.
        prefetch(base.wrapping_add(at + 1));
    }
}

/// Takes one record out of a set and closes the gap (G1).
fn remove(set: &mut [u32; WAYS], way: usize) {
    set.copy_within(way + 1.., way);
    set[WAYS - 1] = 0;
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
