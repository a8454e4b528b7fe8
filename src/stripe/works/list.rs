//! Who works on which keys of a stripe.
//!
//! # Idea         few work at a time, and are looked for one by one; those who come while there are many stand in a map
//! # Costs        few: O(1), without an allocation for keys of at most [`SHORT_BYTES`]; many: a look into the map, and an allocation or two
//! # Invariants   WL1 `n_works` is the number of those in both; WL2 one that stands in the map is in no empty list
//! # Not here     what works are for

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Work, WorkId};
use crate::entry::Probe;
use crate::flight::{Enlisted, Flight};
use crate::hash::KeyHash;
use crate::key::{KeyRef, OwnKey, Shape};
use crate::sync::{Arc, ThreadId};

/// The works of one stripe.
#[derive(Default)]
pub(in crate::stripe) struct Works {
    /// The first of them.
    few: Vec<Entered>,
    /// None until there is any of it.
    rare: Option<Box<Rare>>,
    n_works: usize,
    last_id: u64,
}

#[derive(Default)]
struct Rare {
    /// Those that came while there were [`FEW_MAX`]; those of one hash, of which there is hardly ever more than one, together.
    many: HashMap<u64, Vec<Entered>, BuildHasherDefault<Unhashed>>,
    /// Flights of works that their writes have taken out, to be landed once the lock is gone.
    landing: Vec<Arc<Flight>>,
}

/// Works that are looked for one by one.
const FEW_MAX: usize = 8;

pub(super) struct Entered {
    pub(super) id: WorkId,
    hash: KeyHash,
    pub(super) place: u64,
    key: OwnKey<SHORT_BYTES>,
    /// None as long as nobody has come to wait for the thread that leads.
    pub(super) flight: Option<Arc<Flight>>,
    /// That thread; none if a task leads.
    thread: Option<ThreadId>,
    /// The key was written since the work began.
    pub(super) is_overtaken: bool,
    pub(super) is_alone: bool,
}

/// Keys of at most so many bytes are no allocation.
const SHORT_BYTES: usize = 46;

impl Entered {
    pub(super) fn is_of(&self, probe: &Probe<'_>) -> bool {
        self.place == probe.place() && self.key.key() == key_of(probe)
    }

    /// Takes a place among those who wait for it.
    pub(super) fn enlist(&mut self) -> Enlisted {
        let thread = self.thread;
        let flight = self.flight.get_or_insert_with(|| Flight::led_by(thread));
        flight.enlist()
    }
}

fn key_of<'a>(probe: &Probe<'a>) -> KeyRef<'a> {
    KeyRef::from_stored(Shape::from_bits(probe.shape()), probe.key())
}

impl Works {
    #[inline]
    pub(in crate::stripe) fn is_empty(&self) -> bool {
        self.n_works == 0
    }

    /// Whether nobody works on a key of this hash.
    pub(super) fn has_none_of(&mut self, hash: KeyHash) -> bool {
        self.of_hash(hash).next().is_none()
    }

    pub(super) fn of_hash(&mut self, hash: KeyHash) -> impl Iterator<Item = &mut Entered> {
        let few = self.few.iter_mut().filter(move |work| work.hash == hash);
        let rare = self.rare.as_mut();
        let many = rare.and_then(|rare| rare.many.get_mut(&hash.bits()));
        few.chain(many.into_iter().flatten())
    }

    pub(super) fn find(&mut self, hash: KeyHash, id: WorkId) -> Option<&mut Entered> {
        self.of_hash(hash).find(|work| work.id == id)
    }

    pub(super) fn find_flight(
        &mut self,
        hash: KeyHash,
        flight: &Arc<Flight>,
    ) -> Option<&mut Entered> {
        let is_it = |own: &Arc<Flight>| Arc::ptr_eq(own, flight);
        self.of_hash(hash)
            .find(|work| work.flight.as_ref().is_some_and(is_it))
    }

    /// Whether nobody has written the key since the work began.
    #[inline]
    pub(in crate::stripe) fn is_current(&mut self, hash: KeyHash, id: WorkId) -> bool {
        self.find(hash, id).is_some_and(|work| !work.is_overtaken)
    }

    pub(super) fn enter(
        &mut self,
        hash: KeyHash,
        probe: &Probe<'_>,
        is_alone: bool,
        thread: Option<ThreadId>,
    ) -> Work {
        self.last_id += 1;
        let id = WorkId(self.last_id);
        let flight = thread.is_none().then(Flight::lead);
        self.n_works += 1;
        let works = match self.few.len() < FEW_MAX {
            true => &mut self.few,
            // A vector's own first step is room for four.
            false => {
                let of_hash = self.rare().many.entry(hash.bits());
                of_hash.or_insert_with(|| Vec::with_capacity(1))
            }
        };
        works.push(Entered {
            id,
            hash,
            place: probe.place(),
            key: OwnKey::new(key_of(probe)),
            flight: flight.clone(),
            thread,
            is_overtaken: false,
            is_alone,
        });
        Work { id, flight }
    }

    /// Takes a work out, if it is there; its flight, if somebody may wait.
    pub(super) fn leave(&mut self, hash: KeyHash, id: WorkId) -> Option<Arc<Flight>> {
        let left = match self.few.pop_if(|work| work.id == id) {
            Some(last) => last,
            None => self.leave_others(hash, id)?,
        };
        self.n_works -= 1;
        left.flight
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entered> {
        let rare = self.rare.iter_mut();
        let many = rare.flat_map(|rare| rare.many.values_mut().flatten());
        self.few.iter_mut().chain(many)
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Whether a flight is to be landed.
    #[inline(always)]
    pub(super) fn has_landing(&self) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| !rare.landing.is_empty())
    }

    /// Has a flight landed.
    #[cold]
    pub(super) fn lands(&mut self, flight: Arc<Flight>) {
        self.rare().landing.push(flight);
    }

    /// What is to be landed.
    pub(super) fn take_landing(&mut self) -> Vec<Arc<Flight>> {
        let rare = self.rare.as_mut();
        rare.map_or_else(Vec::new, |rare| std::mem::take(&mut rare.landing))
    }

    #[cold]
    fn leave_others(&mut self, hash: KeyHash, id: WorkId) -> Option<Entered> {
        if let Some(at) = self.few.iter().position(|work| work.id == id) {
            return Some(self.few.swap_remove(at));
        }
        let many = &mut self.rare.as_mut()?.many;
        let works = many.get_mut(&hash.bits())?;
        let at = works.iter().position(|work| work.id == id)?;
        let left = works.swap_remove(at);
        if works.is_empty() {
            many.remove(&hash.bits());
        }
        // What many loads at a time have taken is given back once they're over.
        if many.is_empty() && many.capacity() > CAPACITY_KEPT {
            *many = HashMap::default();
        }
        Some(left)
    }
}

/// Room for works that is kept.
const CAPACITY_KEPT: usize = 16;

/// The keys are hashes already.
#[derive(Default)]
struct Unhashed(u64);

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(all(test, not(engine_loom)))]
mod tests;
