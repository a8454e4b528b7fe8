//! Keys that somebody works on without the lock: loads, and computations that want to be alone with their key.
//!
//! # Idea         a load stands here from its beginning to its end, and each write of its key leaves a mark; so a value that was
//!   loaded before a newer write or removal is known to be older, also where the key was absent before and after
//! # Costs        nothing for a write while nobody works in its stripe; else one look into a map
//! # Invariants   W1 a key has one work at most; W2 a mark is made in the hold of the lock that changes the key
//! # Not here     who waits, and for whom: module `flight`

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Condition, Env, Stripe};
use crate::entry::{Block, Probe};
use crate::flight::{Enlisted, Flight, Passed, Ticket};
use crate::hash::KeyHash;
use crate::key::{KeyRef, OwnKey, Shape};
use crate::sync::Arc;

/// One work among those of its stripe; never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WorkId(u64);

/// What somebody does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Loads it if there is neither a value nor, with `accepts_absent`, an entry that says so.
    Load { accepts_absent: bool },
    /// Loads it though a value of this version is there.
    Reload { version: u64 },
    /// Computes it; other writers of the key wait.
    Compute,
}

/// What came of beginning.
pub(crate) enum Begun {
    /// There is a value.
    Present(Block),
    /// There is an entry that says that there is none.
    Absent,
    /// The caller works.
    Leads(Work),
    /// Another one does.
    Waits(Ticket),
    /// Another one loads it, for whom a computation doesn't wait: that would be no use to it.
    Busy,
    /// There is no memory to wait.
    OutOfMemory,
}

/// The right to work on a key, to be ended with [`Stripe::end_work`] or [`Stripe::pass_work_on`].
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) id: WorkId,
    pub(crate) flight: Arc<Flight>,
}

/// The works of one stripe.
#[derive(Default)]
pub(super) struct Works {
    by_hash: HashMap<u64, OfHash, BuildHasherDefault<Unhashed>>,
    last_id: u64,
    /// The flight of a work that is over, for the next one.
    spare: Option<Arc<Flight>>,
}

/// The works on keys of one hash, of which there is hardly ever more than one.
struct OfHash {
    first: Entered,
    others: Vec<Entered>,
}

struct Entered {
    id: WorkId,
    place: u64,
    key: OwnKey<SHORT_BYTES>,
    flight: Arc<Flight>,
    /// The key was written since the work began.
    is_overtaken: bool,
    is_alone: bool,
}

/// Keys of at most so many bytes are no allocation.
const SHORT_BYTES: usize = 46;

impl Entered {
    fn is_of(&self, probe: &Probe<'_>) -> bool {
        self.place == probe.place() && self.key.key() == key_of(probe)
    }
}

fn key_of<'a>(probe: &Probe<'a>) -> KeyRef<'a> {
    KeyRef::from_stored(Shape::from_bits(probe.shape()), probe.key())
}

impl OfHash {
    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entered> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }
}

impl Works {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    fn of_hash(&mut self, hash: KeyHash) -> impl Iterator<Item = &mut Entered> {
        let works = self.by_hash.get_mut(&hash.bits());
        works.into_iter().flat_map(OfHash::iter_mut)
    }

    fn find(&mut self, hash: KeyHash, id: WorkId) -> Option<&mut Entered> {
        self.of_hash(hash).find(|work| work.id == id)
    }

    fn find_flight(&mut self, hash: KeyHash, flight: &Arc<Flight>) -> Option<&mut Entered> {
        self.of_hash(hash)
            .find(|work| Arc::ptr_eq(&work.flight, flight))
    }

    /// Whether nobody has written the key since the work began.
    pub(super) fn is_current(&mut self, hash: KeyHash, id: WorkId) -> bool {
        self.find(hash, id).is_some_and(|work| !work.is_overtaken)
    }

    fn enter(&mut self, hash: KeyHash, probe: &Probe<'_>, is_alone: bool) -> Work {
        self.last_id += 1;
        let work = Work {
            id: WorkId(self.last_id),
            flight: self.flight(),
        };
        let entered = Entered {
            id: work.id,
            place: probe.place(),
            key: OwnKey::new(key_of(probe)),
            flight: Arc::clone(&work.flight),
            is_overtaken: false,
            is_alone,
        };
        match self.by_hash.entry(hash.bits()) {
            Entry::Occupied(works) => works.into_mut().others.push(entered),
            Entry::Vacant(place) => {
                place.insert(OfHash {
                    first: entered,
                    others: Vec::new(),
                });
            }
        }
        work
    }

    /// A flight that the caller leads: the spare one, once nobody has it any more.
    fn flight(&mut self) -> Arc<Flight> {
        if let Some(mut spare) = self.spare.take()
            && let Some(flight) = Arc::get_mut(&mut spare)
        {
            flight.renew();
            return spare;
        }
        Flight::lead()
    }

    fn leave_flight(&mut self, hash: KeyHash, flight: &Arc<Flight>) {
        if let Some(id) = self.find_flight(hash, flight).map(|work| work.id) {
            self.leave(hash, id);
        }
    }

    /// Takes a work out, if it is there.
    pub(super) fn leave(&mut self, hash: KeyHash, id: WorkId) {
        let Some(OfHash { first, others }) = self.by_hash.get_mut(&hash.bits()) else {
            return;
        };
        let left = if first.id != id {
            let place = others.iter().position(|work| work.id == id);
            place.map(|place| others.swap_remove(place))
        } else if let Some(other) = others.pop() {
            Some(std::mem::replace(first, other))
        } else {
            self.by_hash.remove(&hash.bits()).map(|works| works.first)
        };
        if let Some(left) = left {
            // Dropping one ends no waiter: whoever waits has the flight as well.
            self.spare.get_or_insert(left.flight);
        }
        // What many loads at a time have taken is given back once they're over.
        if self.by_hash.is_empty() && self.by_hash.capacity() > CAPACITY_KEPT {
            self.by_hash = HashMap::default();
        }
    }
}

/// Room for works that is kept.
const CAPACITY_KEPT: usize = 16;

impl Stripe {
    /// Begins to work on a key, if nobody does and there is need; or says what there is instead.
    pub(crate) fn begin_work(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        probe: &Probe<'_>,
        task: Task,
    ) -> Begun {
        if let Some(begun) = self.needless(env, hash, probe, task) {
            return begun;
        }
        let is_alone = task == Task::Compute;
        let work = self.works.of_hash(hash).find(|work| work.is_of(probe));
        let Some(work) = work else {
            return Begun::Leads(self.works.enter(hash, probe, is_alone));
        };
        if is_alone && !work.is_alone {
            return Begun::Busy;
        }
        match work.flight.enlist() {
            Enlisted::Waits(ticket) => Begun::Waits(ticket),
            Enlisted::OutOfMemory => Begun::OutOfMemory,
            Enlisted::Leads => {
                work.is_overtaken = false;
                work.is_alone = is_alone;
                Begun::Leads(Work {
                    id: work.id,
                    flight: Arc::clone(&work.flight),
                })
            }
        }
    }

    /// The same for who was chosen to lead after having waited: the work begins now.
    pub(crate) fn resume_work(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        probe: &Probe<'_>,
        task: Task,
        flight: &Arc<Flight>,
    ) -> Option<Begun> {
        let begun = self.needless(env, hash, probe, task);
        let work = self.works.find_flight(hash, flight)?;
        work.is_overtaken = false;
        work.is_alone = task == Task::Compute;
        let id = work.id;
        if begun.is_some() {
            self.works.leave(hash, id);
            return begun;
        }
        let flight = Arc::clone(flight);
        Some(Begun::Leads(Work { id, flight }))
    }

    /// What there is that makes a work needless.
    fn needless(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        probe: &Probe<'_>,
        task: Task,
    ) -> Option<Begun> {
        let loc = self.table.writer(&env.front.table).find(hash, probe)?;
        if !self.is_alive_or_leaves(env, loc, hash) {
            return None;
        }
        let writer = self.table.writer(&env.front.table);
        let block = writer.block(loc)?;
        match task {
            Task::Compute => None,
            Task::Load { accepts_absent } if block.is_absent() => {
                accepts_absent.then_some(Begun::Absent)
            }
            Task::Reload { version } if block.is_absent() || block.version() == version => None,
            Task::Load { .. } | Task::Reload { .. } => Some(Begun::Present(block.acquire())),
        }
    }

    /// A write is made, or not met: if it is a load's, the work is over.
    #[inline]
    pub(super) fn end_load(&mut self, hash: KeyHash, condition: Condition) {
        if let Condition::Load(id) = condition {
            self.works.leave(hash, id);
        }
    }

    /// Ends a work. Its flight is to be landed once the lock is gone.
    pub(crate) fn end_work(&mut self, hash: KeyHash, id: WorkId) {
        self.works.leave(hash, id);
    }

    /// Ends a work that brought nothing: one of those who wait goes on with it. What is given back is dropped without the lock. `None`: the
    /// work was taken out by its own write, so there is nothing to go on with, and its flight is to be landed.
    pub(crate) fn pass_work_on(&mut self, hash: KeyHash, flight: &Arc<Flight>) -> Option<Passed> {
        self.works.find_flight(hash, flight)?;
        let passed = flight.pass_on();
        if matches!(passed, Passed::Nobody) {
            self.works.leave_flight(hash, flight);
        }
        Some(passed)
    }

    /// Forgets a flight that nobody leads or waits for any more.
    pub(crate) fn forget_flight(&mut self, hash: KeyHash, flight: &Arc<Flight>) {
        if flight.is_abandoned() {
            self.works.leave_flight(hash, flight);
        }
    }

    /// A place among those who wait for a computation that is to be alone with the key.
    pub(super) fn wait_for_alone(&mut self, hash: KeyHash, probe: &Probe<'_>) -> Option<Ticket> {
        let mut works = self.works.of_hash(hash);
        let work = works.find(|work| work.is_alone && work.is_of(probe))?;
        match work.flight.enlist() {
            Enlisted::Waits(ticket) => Some(ticket),
            // Such a flight has a leader until it lands, and waiting is only a courtesy.
            Enlisted::Leads | Enlisted::OutOfMemory => None,
        }
    }

    /// Removes a key that has no value: what says so goes, and works on the key are overtaken. False if there is a value.
    pub(crate) fn remove_absence(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        probe: &Probe<'_>,
    ) -> bool {
        let value = self.find_value(env, hash, probe);
        if value.is_some_and(|loc| self.is_alive_or_leaves(env, loc, hash)) {
            return false;
        }
        let gone = self.remove(env, hash, probe);
        debug_assert!(gone.is_none(), "there is no value");
        true
    }

    /// Notes that a key is written (W2).
    #[inline]
    pub(super) fn note_write(&mut self, hash: KeyHash) {
        if !self.works.is_empty() {
            for work in self.works.of_hash(hash) {
                work.is_overtaken = true;
            }
        }
    }

    /// Notes that everything in a place is taken out; `None`: everything there is.
    pub(crate) fn note_clear(&mut self, place: Option<u64>) {
        let works = self.works.by_hash.values_mut();
        for work in works.flat_map(OfHash::iter_mut) {
            work.is_overtaken |= place.is_none_or(|place| place == work.place);
        }
    }
}

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
