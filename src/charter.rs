//! What a tenant, or a named cache of one, may do: sizes, times to live, rates.
//!
//! # Idea         a charter hangs on the owner that a scope's lives carry, so whoever holds a view has it at hand and nothing is looked
//!   up. A named cache's charter names its tenant's, and both hold
//! # Costs        an insert: a few loads; an admission: that of the rates
//! # Invariants   R1 the terms are of one moment each, not all of one: a change at run time is in force for calls that begin after it
//! # Not here     memory shares (module `shares`), names (module `tenant`)

mod directory;
mod error;
mod limits;

use std::mem::offset_of;
use std::time::Duration;

pub(crate) use self::directory::{Directory, Named, Tenants};
pub use self::error::{AdmitError, TenantError};
pub use self::limits::{Limits, LongTtl};
use crate::clock::TimeSource;
use crate::curve::Tracker;
use crate::error::{Refusal, TtlError};
use crate::hot_keys::HotKeys;
use crate::limits::{APART, LimitExceeded, Limits as Meter, OpenTab};
use crate::lineage::Owner;
use crate::shares::{PoolId, Shares};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, OnceLock};

/// What is open with a charter, and with the one above it.
pub(crate) type Tabs = (OpenTab, Option<OpenTab>);

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The tenant's.
    Tenant,
    /// The named cache's.
    Cache,
}

/// See the module.
// In this order: what an admission looks at comes first, and mostly lies on one line.
#[repr(C)]
pub(crate) struct Charter {
    /// Of a named cache: its tenant.
    above: Option<Arc<Owner>>,
    /// Of which the charter is a holder.
    shares: Arc<Shares>,
    meter: Meter,
    /// Behind the meter, as it is seldom read: what other threads read all the time is kept off the meter's last line by it.
    limits: Mutex<Limits>,
    /// Of a tenant: its named caches.
    caches: Directory,
    item_bytes_max: AtomicU64,
    key_bytes_max: AtomicU64,
    default_ttl: AtomicU64,
    ttl_max: AtomicU64,
    /// Most tenants aren't watched.
    watched: OnceLock<Box<Watched>>,
    pool: PoolId,
    clamps: AtomicBool,
}

const _: () = {
    assert!(offset_of!(Charter, limits) >= offset_of!(Charter, meter) + size_of::<Meter>());
    assert!(offset_of!(Charter, caches) >= offset_of!(Charter, meter) + size_of::<Meter>() + APART);
};

/// What is watched of a tenant on request.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) curve: OnceLock<Tracker>,
    pub(crate) hot_keys: OnceLock<HotKeys>,
}

/// No limit, no time.
const NONE: u64 = u64::MAX;

impl Charter {
    /// Of a pool of these shares that nobody else knows yet.
    pub(crate) fn new(
        pool: PoolId,
        shares: &Arc<Shares>,
        above: Option<Arc<Owner>>,
        limits: Limits,
    ) -> Charter {
        shares.hold(pool);
        let charter = Charter {
            pool,
            shares: Arc::clone(shares),
            above,
            limits: Mutex::new(limits),
            meter: Meter::new(&limits.rates),
            caches: Directory::default(),
            item_bytes_max: AtomicU64::new(NONE),
            key_bytes_max: AtomicU64::new(NONE),
            default_ttl: AtomicU64::new(NONE),
            ttl_max: AtomicU64::new(NONE),
            clamps: AtomicBool::new(false),
            watched: OnceLock::new(),
        };
        charter.set_terms(&limits);
        charter
    }

    /// The charter of an owner that tenants made.
    pub(crate) fn of(owner: &Owner) -> Option<&Charter> {
        owner.charter()
    }

    pub(crate) fn pool(&self) -> PoolId {
        self.pool
    }

    pub(crate) fn caches(&self) -> &Directory {
        &self.caches
    }

    pub(crate) fn curve(&self) -> Option<&Tracker> {
        self.watched.get()?.curve.get()
    }

    pub(crate) fn hot_keys(&self) -> Option<&HotKeys> {
        self.watched.get()?.hot_keys.get()
    }

    /// Where what is watched from now on has its place.
    pub(crate) fn watched(&self) -> &Watched {
        self.watched.get_or_init(Box::default)
    }

    /// The tenant's, of one of its named caches; or this one.
    pub(crate) fn tenant(&self) -> &Charter {
        self.above().unwrap_or(self)
    }

    pub(crate) fn limits(&self) -> Limits {
        *self.limits.lock()
    }

    /// Follows a change. `apply` has the memory shares follow, and may refuse.
    pub(crate) fn set<E>(
        &self,
        limits: Limits,
        time: &TimeSource,
        apply: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut present = self.limits.lock();
        apply()?;
        *present = limits;
        self.set_terms(&limits);
        self.meter.set(time, &limits.rates);
        Ok(())
    }

    fn set_terms(&self, limits: &Limits) {
        // The longest times are told from none.
        let ns = |ttl: Option<Duration>| {
            ttl.map_or(NONE, |ttl| {
                u64::try_from(ttl.as_nanos()).map_or(NONE - 1, |ns| ns.min(NONE - 1))
            })
        };
        let set = |word: &AtomicU64, to| word.store(to, Ordering::Relaxed);
        set(&self.item_bytes_max, limits.item_bytes_max.unwrap_or(NONE));
        set(&self.key_bytes_max, limits.key_bytes_max.unwrap_or(NONE));
        set(&self.default_ttl, ns(limits.default_ttl));
        // What is longer than can be told is no limit, or else the longest time of all would be above it.
        let ttl_max = limits.ttl_max.map_or(u128::MAX, |ttl| ttl.as_nanos());
        set(&self.ttl_max, u64::try_from(ttl_max).unwrap_or(NONE));
        self.clamps
            .store(limits.long_ttl == LongTtl::Clamp, Ordering::Relaxed);
    }

    /// Whether an entry of these sizes may be stored, by this charter and the one above.
    pub(crate) fn check_sizes(&self, key_bytes: u64, item_bytes: u64) -> Result<(), Refusal> {
        for charter in self.and_above() {
            let key_bytes_max = charter.key_bytes_max.load(Ordering::Relaxed);
            if key_bytes > key_bytes_max {
                return Err(Refusal::KeyTooLong {
                    key_bytes,
                    key_bytes_max,
                });
            }
            let item_bytes_max = charter.item_bytes_max.load(Ordering::Relaxed);
            if item_bytes > item_bytes_max {
                return Err(Refusal::ItemTooLarge {
                    item_bytes,
                    item_bytes_max,
                });
            }
        }
        Ok(())
    }

    /// The time to live of an entry that asks for none.
    pub(crate) fn default_ttl(&self) -> Option<Duration> {
        self.and_above()
            .find_map(|charter| duration_of(&charter.default_ttl))
    }

    /// The time to live that an entry gets, by this charter and the one above. What is for ever, or not `asked` for by the call, is
    /// cut to the longest that is allowed.
    pub(crate) fn bound_ttl(
        &self,
        ttl: Option<Duration>,
        asked: bool,
    ) -> Result<Option<Duration>, TtlError> {
        let mut ttl = ttl;
        for charter in self.and_above() {
            let Some(ttl_max) = duration_of(&charter.ttl_max) else {
                continue;
            };
            let clamps = !asked || charter.clamps.load(Ordering::Relaxed);
            match ttl {
                Some(wanted) if wanted <= ttl_max => {}
                Some(_) if !clamps => return Err(TtlError::TooLong { ttl_max }),
                _ => ttl = Some(ttl_max),
            }
        }
        Ok(ttl)
    }

    /// Admits operations and bytes by both charters, or by none.
    pub(crate) fn admit(
        &self,
        time: &TimeSource,
        operations: u64,
        bytes: u64,
    ) -> Result<(), (Whose, LimitExceeded)> {
        let Some(above) = self.above() else {
            let own = self.meter.admit(time, operations, bytes);
            return own.map_err(|refusal| (Whose::Tenant, refusal));
        };
        let refused_here = |own| self.longer_of(own, time, operations, bytes);
        let refused_above = |refusal| (Whose::Tenant, refusal);
        if self.meter.is_open() {
            return above
                .meter
                .admit(time, operations, bytes)
                .map_err(refused_above);
        }
        if above.meter.is_open() {
            return self
                .meter
                .admit(time, operations, bytes)
                .map_err(refused_here);
        }
        // What the cache admits stands for nothing until the tenant has admitted it too.
        let tab = self
            .meter
            .open_tab(time, operations, bytes)
            .map_err(refused_here)?;
        let answer = above.meter.admit(time, operations, bytes);
        let counts = if answer.is_ok() {
            (operations, bytes)
        } else {
            (0, 0)
        };
        self.meter.close_tab(time, tab, counts.0, counts.1);
        answer.map_err(refused_above)
    }

    /// Admits by both charters, or by none, what may turn out not to have been done; the charter's own tab is the first.
    pub(crate) fn open_tabs(
        &self,
        time: &TimeSource,
        operations: u64,
        bytes: u64,
    ) -> Result<Tabs, (Whose, LimitExceeded)> {
        let refused_above = |refusal| (Whose::Tenant, refusal);
        let open = |of: &Self| of.meter.open_tab(time, operations, bytes);
        let Some(above) = self.above() else {
            return Ok((open(self).map_err(refused_above)?, None));
        };
        let refused_here = |own| self.longer_of(own, time, operations, bytes);
        let own = open(self).map_err(refused_here)?;
        match open(above) {
            Ok(tab) => Ok((own, Some(tab))),
            Err(refusal) => {
                self.meter.close_tab(time, own, 0, 0);
                Err(refused_above(refusal))
            }
        }
    }

    /// Counts what was used of tabs.
    pub(crate) fn close_tabs(&self, time: &TimeSource, tabs: Tabs, operations: u64, bytes: u64) {
        self.meter.close_tab(time, tabs.0, operations, bytes);
        if let (Some(above), Some(tab)) = (self.above(), tabs.1) {
            above.meter.close_tab(time, tab, operations, bytes);
        }
    }

    /// Who would be refused by both charters is told of the refusal that lasts longer.
    fn longer_of(
        &self,
        own: LimitExceeded,
        time: &TimeSource,
        operations: u64,
        bytes: u64,
    ) -> (Whose, LimitExceeded) {
        let outlasts = |other: &LimitExceeded| match (other.retry_after, own.retry_after) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(other), Some(own)) => other > own,
        };
        let other = self
            .above()
            .and_then(|above| above.meter.refusal(time, operations, bytes));
        match other.filter(outlasts) {
            Some(other) => (Whose::Tenant, other),
            None => (Whose::Cache, own),
        }
    }

    /// Counts bytes that turned out to be read, as debt where they don't fit.
    pub(crate) fn charge(&self, time: &TimeSource, bytes: u64) {
        for charter in self.and_above() {
            charter.meter.charge(time, bytes);
        }
    }

    fn above(&self) -> Option<&Charter> {
        Charter::of(self.above.as_deref()?)
    }

    fn and_above(&self) -> impl Iterator<Item = &Charter> {
        std::iter::once(self).chain(self.above())
    }
}

impl Drop for Charter {
    fn drop(&mut self) {
        self.shares.let_go(self.pool);
    }
}

fn duration_of(word: &AtomicU64) -> Option<Duration> {
    let ns = word.load(Ordering::Relaxed);
    (ns != NONE).then(|| Duration::from_nanos(ns))
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
