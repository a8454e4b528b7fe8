//! Leaving a server alone that fails: after some failures in a row nobody calls it for a while, then one call tries.
//!
//! # Idea         three states: closed (calls go through), open until a moment (none do), and tried (one does, the rest don't). Each time that
//!   the trial fails, the while is longer, up to a limit, and drawn anew, so that processes don't come back together
//! # Costs        one load while all is well
//! # Invariants   BR1 while a server fails, at most one call reaches it in each while; BR2 one success closes
//! # Not here     what counts as a failure: module `fault`

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use parking_lot::Mutex;

use crate::config::Breaking;
use crate::time::now;

/// See the module.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// There were failures since the last success, so the lock has to be asked.
    is_troubled: AtomicBool,
    state: Mutex<State>,
    breaking: Breaking,
}

#[derive(Debug)]
struct State {
    n_failures: u32,
    backoff: ExponentialBackoff,
    open_until: Option<Instant>,
    /// Somebody tries; the moment from which on that is taken for given up.
    tried_until: Option<Instant>,
}

impl Breaker {
    pub(crate) fn new(breaking: Breaking) -> Self {
        let state = State {
            n_failures: 0,
            backoff: backoff(breaking).build(),
            open_until: None,
            tried_until: None,
        };
        Self {
            is_troubled: AtomicBool::new(false),
            state: Mutex::new(state),
            breaking,
        }
    }

    /// Whether a call may go through that takes so long at most.
    pub(crate) fn lets_through(&self, within: Duration) -> bool {
        // Relaxed: who sees it late makes one call more.
        if !self.is_troubled.load(Ordering::Relaxed) {
            return true;
        }
        let mut state = self.state.lock();
        let Some(open_until) = state.open_until else {
            return true;
        };
        let now = now();
        let is_tried = state.tried_until.is_some_and(|until| now < until);
        if now < open_until || is_tried {
            return false;
        }
        state.tried_until = Some(now + within + GRACE);
        true
    }

    /// Notes that the server answered.
    pub(crate) fn succeeded(&self) {
        if self.is_troubled.load(Ordering::Relaxed) {
            let mut state = self.state.lock();
            state.n_failures = 0;
            state.open_until = None;
            state.tried_until = None;
            state.backoff = backoff(self.breaking).build();
            self.is_troubled.store(false, Ordering::Relaxed);
        }
    }

    /// Notes a failure; whether that opened it.
    pub(crate) fn failed(&self) -> bool {
        let mut state = self.state.lock();
        self.is_troubled.store(true, Ordering::Relaxed);
        state.n_failures = state.n_failures.saturating_add(1);
        if state.n_failures < self.breaking.failures {
            return false;
        }
        let now = now();
        let is_open = state.open_until.is_some();
        // Calls that were under way when it opened don't make the while longer.
        if is_open && state.tried_until.is_none() {
            return false;
        }
        let pause = state.backoff.next().unwrap_or(self.breaking.pause_max);
        state.open_until = Some(now + pause);
        state.tried_until = None;
        !is_open
    }

    /// Whether calls are turned away at the moment.
    pub(crate) fn is_open(&self) -> bool {
        self.is_troubled.load(Ordering::Relaxed) && self.state.lock().open_until.is_some()
    }
}

/// A trial that has not ended so long after its time is one that nobody makes any more.
const GRACE: Duration = Duration::from_secs(1);

/// The pauses of a breaker, without an end.
pub(crate) fn backoff(breaking: Breaking) -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(breaking.pause_min)
        .with_max_delay(breaking.pause_max)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
}

#[cfg(test)]
mod tests;
