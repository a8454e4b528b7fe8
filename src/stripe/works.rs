//! Keys that somebody works on without the lock: loads, and computations that want to be alone with their key.
//!
//! # Idea         a load stands here from its beginning to its end, and each write of its key leaves a mark; so a value that was
//!   loaded before a newer write or removal is known to be older, also where the key was absent before and after
//! # Costs        nothing for a write while nobody works in its stripe; else a look at those few who do, or into a map where they are many;
//!   a work of a thread has a flight from when somebody comes to wait for it
//! # Invariants   W1 a key has one work at most; W2 a mark is made in the hold of the lock that changes the key
//! # Not here     who waits, and for whom: module `flight`; how works are found: `list`

mod list;

use super::{Condition, Env, Stripe};
use crate::entry::{Block, Probe};
use crate::flight::{Enlisted, Flight, Passed, Ticket};
use crate::hash::KeyHash;
use crate::sync::{Arc, ThreadId};

pub(super) use list::Works;

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
    /// Its flight, if it had one when this caller began: not where a thread began it alone.
    pub(crate) flight: Option<Arc<Flight>>,
}

impl Stripe {
    /// Begins to work on a key, if nobody does and there is need; or says what there is instead. `thread` leads; a task if there is none.
    pub(crate) fn begin_work(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        probe: &Probe<'_>,
        task: Task,
        thread: Option<ThreadId>,
    ) -> Begun {
        if let Some(begun) = self.needless(env, hash, probe, task) {
            return begun;
        }
        let is_alone = task == Task::Compute;
        let work = self.works.of_hash(hash).find(|work| work.is_of(probe));
        let Some(work) = work else {
            return Begun::Leads(self.works.enter(hash, probe, is_alone, thread));
        };
        if is_alone && !work.is_alone {
            return Begun::Busy;
        }
        match work.enlist() {
            Enlisted::Waits(ticket) => Begun::Waits(ticket),
            Enlisted::OutOfMemory => Begun::OutOfMemory,
            Enlisted::Leads => {
                work.is_overtaken = false;
                work.is_alone = is_alone;
                Begun::Leads(Work {
                    id: work.id,
                    flight: work.flight.clone(),
                })
            }
        }
    }

    /// The same where nobody works on the key and nothing is there of it, as most often; nothing else is changed then.
    #[inline(always)]
    pub(crate) fn begin_first(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        probe: &Probe<'_>,
        task: Task,
        thread: Option<ThreadId>,
    ) -> Option<Work> {
        let writer = self.table.writer(&env.front.table);
        let is_there = writer.seek(hash, || *probe).0.is_some();
        if is_there || !(self.works.is_empty() || self.works.has_none_of(hash)) {
            return None;
        }
        Some(self.works.enter(hash, probe, task == Task::Compute, thread))
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
        let flight = Some(Arc::clone(flight));
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

    /// A write is made, or not met: if it is a load's, the work is over, and its flight is to be [landed](Self::take_landing).
    #[inline]
    pub(super) fn end_load(&mut self, hash: KeyHash, condition: Condition) {
        if let Condition::Load(id) = condition
            && let Some(flight) = self.works.leave(hash, id)
        {
            self.works.lands(flight);
        }
    }

    /// Whether a write has ended a work that somebody may wait for.
    #[inline(always)]
    pub(crate) fn has_landing(&self) -> bool {
        self.works.has_landing()
    }

    /// The flights of works that writes have ended.
    #[inline]
    pub(crate) fn take_landing(&mut self) -> Landing {
        Landing(self.works.take_landing())
    }

    /// Ends a work, unless its own write has. Its flight, if somebody may wait, is to be landed once the lock is gone.
    pub(crate) fn end_work(&mut self, hash: KeyHash, id: WorkId) -> Landing {
        if let Some(flight) = self.works.leave(hash, id) {
            self.works.lands(flight);
        }
        self.take_landing()
    }

    /// Ends a work that brought nothing: one of those who wait goes on with it. What is given back is dropped without the lock. `None`: the
    /// work was taken out by its own write, so there is nothing to go on with.
    pub(crate) fn pass_work_on(&mut self, hash: KeyHash, id: WorkId) -> Option<Passed> {
        let work = self.works.find(hash, id)?;
        let passed = match &work.flight {
            None => Passed::Nobody,
            Some(flight) => flight.pass_on(),
        };
        if matches!(passed, Passed::Nobody) {
            self.works.leave(hash, id);
        }
        Some(passed)
    }

    /// The same of the work that has this flight.
    pub(crate) fn pass_flight_on(&mut self, hash: KeyHash, flight: &Arc<Flight>) -> Option<Passed> {
        let id = self.works.find_flight(hash, flight)?.id;
        self.pass_work_on(hash, id)
    }

    /// Forgets a flight that nobody leads or waits for any more.
    pub(crate) fn forget_flight(&mut self, hash: KeyHash, flight: &Arc<Flight>) {
        if flight.is_abandoned()
            && let Some(work) = self.works.find_flight(hash, flight)
        {
            let id = work.id;
            self.works.leave(hash, id);
        }
    }

    /// A place among those who wait for a computation that is to be alone with the key.
    pub(super) fn wait_for_alone(&mut self, hash: KeyHash, probe: &Probe<'_>) -> Option<Ticket> {
        let mut works = self.works.of_hash(hash);
        let work = works.find(|work| work.is_alone && work.is_of(probe))?;
        match work.enlist() {
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
        for work in self.works.iter_mut() {
            work.is_overtaken |= place.is_none_or(|place| place == work.place);
        }
    }
}

/// Flights of works that are over, which land when this is dropped: to be done without the lock.
#[derive(Debug)]
pub(crate) struct Landing(Vec<Arc<Flight>>);

impl Drop for Landing {
    #[inline]
    fn drop(&mut self) {
        for flight in &self.0 {
            flight.land();
        }
    }
}
