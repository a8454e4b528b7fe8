//! Keys that somebody works on: what loads ask of a stripe, and what is due once its lock is gone.

use super::Store;
use crate::entry::Probe;
use crate::flight::{Flight, Passed};
use crate::hash::KeyHash;
use crate::stripe::{Begun, Task, WorkId};
use crate::sync::{Arc, ThreadId};

impl Store {
    /// See [`Stripe::begin_work`](crate::stripe::Stripe::begin_work).
    pub(crate) fn begin_work(
        &self,
        hash: KeyHash,
        probe: &Probe<'_>,
        task: Task,
        thread: Option<ThreadId>,
    ) -> Begun {
        let cell = self.cell(hash);
        let (mut stripe, env) = (cell.back.lock(), self.env(cell));
        if let Some(work) = stripe.begin_first(&env, hash, probe, task, thread) {
            return Begun::Leads(work);
        }
        let begun = stripe.begin_work(&env, hash, probe, task, thread);
        self.finish(cell, stripe);
        begun
    }

    /// Goes on with the work of a flight that the caller was chosen to lead.
    pub(crate) fn resume_work(
        &self,
        hash: KeyHash,
        probe: &Probe<'_>,
        task: Task,
        flight: &Arc<Flight>,
    ) -> Option<Begun> {
        // The clock is the user's, and may panic.
        let chosen = Chosen {
            store: self,
            hash,
            flight,
        };
        let begun = self.write(hash, |stripe, env| {
            stripe.resume_work(env, hash, probe, task, flight)
        });
        std::mem::forget(chosen);
        if !matches!(begun, Some(Begun::Leads(_))) {
            flight.land();
        }
        begun
    }

    /// Ends a work, and wakes all who wait for it.
    pub(crate) fn end_work(&self, hash: KeyHash, id: WorkId) {
        let landing = self.cell(hash).back.lock().end_work(hash, id);
        drop(landing);
    }

    /// Ends a work that brought nothing; one of those who wait goes on.
    pub(crate) fn pass_work_on(&self, hash: KeyHash, id: WorkId) {
        let mut stripe = self.cell(hash).back.lock();
        let passed = stripe.pass_work_on(hash, id);
        // Where its own write has ended it, and has then met a panic, it has not landed.
        let landing = stripe.take_landing();
        drop(stripe);
        if let Some(Passed::On(wake)) = passed {
            drop(wake);
        }
        drop(landing);
    }

    /// Forgets a flight that nobody leads or waits for any more.
    pub(crate) fn forget_flight(&self, hash: KeyHash, flight: &Arc<Flight>) {
        self.cell(hash).back.lock().forget_flight(hash, flight);
    }

    /// See [`Stripe::remove_absence`](crate::stripe::Stripe::remove_absence).
    pub(crate) fn remove_absence(&self, hash: KeyHash, probe: &Probe<'_>) -> bool {
        self.write(hash, |stripe, env| stripe.remove_absence(env, hash, probe))
    }

    /// Notes that all in a place is about to be taken out; `None`: all there is.
    pub(crate) fn note_clear(&self, place: Option<u64>) {
        for cell in &self.cells {
            cell.back.lock().note_clear(place);
        }
    }
}

/// Who was chosen to lead and has not begun; passes the lead on when dropped.
struct Chosen<'a> {
    store: &'a Store,
    hash: KeyHash,
    flight: &'a Arc<Flight>,
}

impl Drop for Chosen<'_> {
    fn drop(&mut self) {
        let back = &self.store.cell(self.hash).back;
        let passed = back.lock().pass_flight_on(self.hash, self.flight);
        if passed.is_none() {
            self.flight.land();
        }
    }
}
