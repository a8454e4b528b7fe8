//! One load among all processes: who misses in the level takes a lease of the key before loading.
//!
//! # Idea         the lease is the level's; who had to wait for it looks again, since another process has loaded meanwhile. A process that
//!   ends with a lease blocks others for its span at most, and a level that fails blocks nobody
//! # Costs        two calls of the level beside each load, none beside a hit
//! # Not here     loads within a process, of which the engine's flights let one go at a time

use std::time::Duration;

use super::key::LevelKey;
use super::view::LevelView;

/// A lease that was granted by [`Level::lease`](super::Level::lease).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LevelLease {
    /// Tells it from others' leases of the same key.
    pub token: u64,
    /// Somebody else had it first.
    pub has_waited: bool,
}

/// A lease, given back when it is dropped.
pub(super) struct Leased<'a> {
    view: &'a LevelView<'a>,
    key: &'a LevelKey<'a>,
    lease: LevelLease,
}

impl LevelView<'_> {
    /// Takes the lease of a key, if that is asked for and granted.
    pub(super) fn leased<'a>(&'a self, key: &'a LevelKey<'a>) -> Option<Leased<'a>> {
        let span = self.options.lease?;
        let within = span.saturating_add(self.options.timeout);
        let until = self.until(within);
        let lease = self.call(until, |level, within| level.lease(key, span, within));
        let lease = lease.ok()?;
        Some(Leased {
            view: self,
            key,
            lease,
        })
    }
}

impl Leased<'_> {
    pub(super) fn has_waited(&self) -> bool {
        self.lease.has_waited
    }
}

impl Drop for Leased<'_> {
    fn drop(&mut self) {
        let until = self.view.until(self.view.options.timeout.min(RELEASE_MAX));
        // Its span ends it, if this doesn't.
        let _ = self.view.call(until, |level, within| {
            level.release(self.key, self.lease, within);
            Ok(())
        });
    }
}

/// Nobody waits longer for a lease to be given back.
const RELEASE_MAX: Duration = Duration::from_millis(100);
