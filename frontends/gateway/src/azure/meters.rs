//! Counters of rate limits and quotas: the engine's limiters, one for each limit that is in use.
//!
//! # Idea
//! A key's count is shared by all places that use the key with the same window, whatever their limits are. The engine's limiter has its
//! limit built in, so a window has a rung for each limit: a call must pass the rung of its own place, and is counted on the others.
//!
//! # Costs
//! A lock of a limiter a rung, of which there is one in most gateways.
//!
//! # Invariants
//! - M1 No interval of a window's length holds more calls of a key than the limit of any place lets pass there; what a place's limit
//!   doesn't know is what came before it was first seen: limits that are literals are seen when their document is.
//! - M2 A refused call is counted nowhere.
//! - M3 There are `RUNGS_MAX` rungs at most: limits that are computed can't grow the table without end.
//! - M4 With rates that gateways share, all of them together let no more calls of a key pass in a period by the wall clock than the limit is:
//!   a call that passes here has to pass there as well. Quotas, whose periods begin when they are told to, are each gateway's own.
//!
//! # Not here
//! What is told of a limit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder::{Algorithm, Anchor, Cost, LimitError, Limiter, Metered, Rate, Reservation, Standing};
use parking_lot::Mutex;

use crate::engine::{GiveBack, Parts, SharedRates, Time, beside_others};

/// Windows and limits that are in use.
pub(super) struct Meters {
    time: Time,
    /// What gateways share, and the name that this one's counts are under.
    shared: Option<(Arc<dyn SharedRates>, String)>,
    rungs: Mutex<Vec<Rung>>,
}

/// How calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// Within any interval of this length.
    Sliding(Duration),
    /// From one reset to the next.
    Fixed { period: Duration, anchor: Anchor },
}

/// What may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) calls: Option<u64>,
    pub(super) bytes: Option<u64>,
}

#[derive(Debug, Clone)]
struct Rung {
    window: Window,
    limit: Limit,
    limiter: Limiter,
}

/// A call that was let pass: to be committed or dropped.
#[derive(Debug)]
pub(super) struct Taken {
    /// Of the place's own rung first.
    reservations: Vec<Reservation>,
    /// What was taken from the rates that gateways share.
    shared: Shared,
    pub(super) standing: Option<Standing>,
}

/// Given back, unless it is counted.
#[derive(Debug, Default)]
struct Shared(Option<GiveBack>);

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(GiveBack(give_back)) = self.0.take() {
            give_back();
        }
    }
}

impl Taken {
    /// Counts it.
    pub(super) fn commit(mut self, cost: Cost) {
        if cost.calls > 0 {
            self.shared.0 = None;
        }
        for reservation in self.reservations {
            reservation.commit(cost);
        }
    }
}

/// Why a call may not pass.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// The limit is reached.
    Limit(LimitError),
    /// The limit can't be one, or there are too many different ones.
    Unusable(String),
}

/// More different limits than documents have in earnest.
const RUNGS_MAX: usize = 1_024;

impl Meters {
    pub(super) fn new(time: Time, shared: Option<(Arc<dyn SharedRates>, String)>) -> Self {
        Self {
            time,
            shared,
            rungs: Mutex::default(),
        }
    }

    /// Has a limit counted from now on, and not from its first call on.
    pub(super) fn prime(&self, window: Window, limit: Limit) {
        // One that can't be, or for which there is no room, is refused when it is used.
        let _ = self.rungs(window, limit);
    }

    /// Lets a call pass if there is room for it. Without a cost it is let pass unless the limit is reached, and isn't counted.
    pub(super) fn take(
        &self,
        window: Window,
        limit: Limit,
        key: &[&str],
        cost: Cost,
    ) -> Result<Taken, NotTaken> {
        let (own, others) = self.rungs(window, limit)?;
        let key = Parts(key);
        let one = Cost {
            calls: cost.calls.max(1),
            bytes: cost.bytes,
        };
        if cost == Cost::default() {
            own.limiter.probe(key, one).map_err(NotTaken::Limit)?;
            let standing = own.limiter.peek(key).ok();
            return Ok(Taken {
                reservations: Vec::new(),
                shared: Shared::default(),
                standing,
            });
        }
        let own = own.limiter.reserve(key, cost).map_err(NotTaken::Limit)?;
        let shared = self.take_shared(window, limit, key.0, cost.calls)?;
        let standing = Some(own.standing());
        let mut reservations = vec![own];
        // A rung that is full already needs to know no more.
        let others = others.iter();
        reservations.extend(others.filter_map(|rung| rung.limiter.reserve(key, cost).ok()));
        Ok(Taken {
            reservations,
            shared,
            standing,
        })
    }

    /// Takes calls from what gateways share (M4).
    fn take_shared(
        &self,
        window: Window,
        limit: Limit,
        key: &[&str],
        n_calls: u64,
    ) -> Result<Shared, NotTaken> {
        let (Some((shared, tenant)), Window::Sliding(period)) = (&self.shared, window) else {
            return Ok(Shared::default());
        };
        let rate = limit.calls.and_then(|calls| Rate::new(calls, period));
        let Some(rate) = rate.filter(|_| n_calls > 0) else {
            return Ok(Shared::default());
        };
        let name = [&[&**tenant], key].concat();
        let taken = beside_others(|| shared.take(&name, rate, n_calls));
        let taken = taken.map_err(|retry_after| {
            let which = Metered::Operations;
            NotTaken::Limit(LimitError::Exhausted { which, retry_after })
        })?;
        Ok(Shared(Some(taken)))
    }

    /// The rung of a limit, and the others of its window.
    fn rungs(&self, window: Window, limit: Limit) -> Result<(Rung, Vec<Rung>), NotTaken> {
        let mut rungs = self.rungs.lock();
        let is_own = |rung: &Rung| rung.window == window && rung.limit == limit;
        if !rungs.iter().any(is_own) {
            if rungs.len() >= RUNGS_MAX {
                let message = "there are too many different limits";
                return Err(NotTaken::Unusable(message.to_owned()));
            }
            rungs.push(self.rung(window, limit)?);
        }
        let of_window = rungs.iter().filter(|rung| rung.window == window).cloned();
        let (mut own, others): (Vec<Rung>, Vec<Rung>) = of_window.partition(is_own);
        let own = own
            .pop()
            .ok_or_else(|| NotTaken::Unusable("no limit".to_owned()))?;
        Ok((own, others))
    }

    fn rung(&self, window: Window, limit: Limit) -> Result<Rung, NotTaken> {
        let algorithm = match window {
            Window::Sliding(period) => Algorithm::SlidingWindow {
                calls: limit.calls.unwrap_or(u64::MAX),
                period,
            },
            Window::Fixed { period, anchor } => Algorithm::FixedWindow {
                calls: limit.calls,
                bytes: limit.bytes,
                period,
                anchor,
            },
        };
        let limiter = Limiter::builder(algorithm).clock(self.time.clone()).build();
        let limiter = limiter.map_err(|error| NotTaken::Unusable(error.to_string()))?;
        Ok(Rung {
            window,
            limit,
            limiter,
        })
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters")
            .field("rungs", &self.rungs)
            .finish_non_exhaustive()
    }
}
