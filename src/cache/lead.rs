//! Rights that end when they are dropped: to work on a key, to load an entry anew.

use std::time::Duration;

use super::view::View;
use crate::entry::{Entry, Probe, Value, Won};
use crate::hash::KeyHash;
use crate::stripe::Work;
use crate::sync::time::monotonic_ns;
use crate::tally::Tally;

/// A key where a work is.
#[derive(Clone, Copy)]
pub(super) struct At<'k> {
    pub(super) hash: KeyHash,
    pub(super) probe: Probe<'k>,
}

/// The right to work on a key. It ends when this is dropped: by waking all who wait, or, for a load that brought nothing, one of
/// them, who goes on (Z1).
pub(super) struct Lead<'a, V: Value + ?Sized> {
    pub(super) view: View<'a, V>,
    hash: KeyHash,
    pub(super) work: Work,
    lands: bool,
    /// Its write has ended it.
    is_out: bool,
}

impl<'a, V: Value + ?Sized> Lead<'a, V> {
    pub(super) fn new(view: View<'a, V>, hash: KeyHash, work: Work, lands: bool) -> Self {
        Self {
            view,
            hash,
            work,
            lands,
            is_out: false,
        }
    }

    /// Ends it: all who wait look the key up.
    pub(super) fn land(mut self) {
        self.lands = true;
    }

    /// The same, after a write on condition of this load was made, or not met.
    pub(super) fn land_written(mut self) {
        self.is_out = true;
    }
}

impl<V: Value + ?Sized> Drop for Lead<'_, V> {
    fn drop(&mut self) {
        let store = &self.view.inner.store;
        if self.is_out {
            return;
        }
        if self.lands {
            store.end_work(self.hash, self.work.id);
        } else {
            store.pass_work_on(self.hash, self.work.id);
        }
    }
}

/// Counts a load from its beginning to when this is dropped; as failed, unless it is said to have succeeded.
pub(super) struct Stopwatch<'a> {
    tally: &'a Tally,
    began_ns: u64,
    has_succeeded: bool,
}

impl<'a> Stopwatch<'a> {
    pub(super) fn start(tally: &'a Tally) -> Self {
        Self {
            tally,
            began_ns: monotonic_ns(),
            has_succeeded: false,
        }
    }

    pub(super) fn stop(mut self, has_succeeded: bool) {
        self.has_succeeded = has_succeeded;
    }
}

impl Drop for Stopwatch<'_> {
    fn drop(&mut self) {
        let took = monotonic_ns().saturating_sub(self.began_ns);
        self.tally.count_load(took, self.has_succeeded);
    }
}

/// The right to load an entry anew, which goes back to the entry when this is dropped: as a failure, if the loader was called, since
/// a load that succeeds brings a new entry.
pub(super) struct Turn<'a, V: Value + ?Sized> {
    view: View<'a, V>,
    /// A handle of its own, since the load may end all others.
    entry: Entry<V>,
    back_off: Duration,
    won: Won,
    has_begun: bool,
    has_met: bool,
}

impl<'a, V: Value + ?Sized> Turn<'a, V> {
    /// Wins it, if the entry is due and nobody else has it.
    pub(super) fn win(view: View<'a, V>, entry: &Entry<V>, back_off: Duration) -> Option<Self> {
        let refresh = entry.block().refresh()?;
        let won = refresh.try_win(view.inner.store.time().now())?;
        Some(Self {
            view,
            entry: entry.clone(),
            back_off,
            won,
            has_begun: false,
            has_met: false,
        })
    }

    /// Notes that the loader is called.
    pub(super) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// Notes that somebody else is at the key.
    pub(super) fn meet(&mut self) {
        self.has_met = true;
    }
}

impl<V: Value + ?Sized> Drop for Turn<'_, V> {
    fn drop(&mut self) {
        let Some(refresh) = self.entry.block().refresh() else {
            return;
        };
        if !self.has_begun {
            // Whoever comes while another is at it would meet that again, under the stripe's lock: so they come after a pause.
            let pause = self.has_met.then_some(self.back_off);
            refresh.give_back(self.won, pause);
            return;
        }
        // The clock is the user's. Where it panics, perhaps while the loader's panic unwinds, the pause counts from the last reading.
        let store = &self.view.inner.store;
        let now = store.contain(|| store.time().now());
        refresh.give_up(now.unwrap_or(self.won.at), self.back_off);
    }
}
