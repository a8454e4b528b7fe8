//! The cache: what a service holds, and the operations on it.
//!
//! # Idea         each operation encodes and hashes its key once, and hands both down to `store`
//! # Costs        stated at each operation
//! # Not here     locks, tables, bytes

mod again;
mod apart;
mod atomic;
mod changes;
mod condition;
mod counter;
mod how;
mod iter;
mod lead;
mod lifetime;
mod load;
mod load_async;
mod loading;
mod lookup;
mod operations;
mod plain;
mod put;
mod settle;
mod view;
mod watch;
mod weak;
mod write;
mod wrote;

use std::fmt;

use crate::budget::Budget as Account;
use crate::charter::Tenants;
use crate::common::{BYTES_MAX, Lender};
use crate::entry::{BlockRef, Value};
use crate::error::BuildError;
use crate::key::{KeyParts, KeyRef, Shape};
use crate::stats::Stats;
use crate::store::TypedStore;
use crate::stripe::Stay;
use crate::sync::Arc;

pub use crate::store::Maintained;
pub use crate::stripe::TtlChange;
pub(crate) use again::{Again, CameBack};
pub(crate) use apart::Terms;
pub use atomic::{Change, Computed};
pub(crate) use changes::changes;
pub use condition::{Condition, PutIf};
pub use counter::{Append, Counter};
pub(crate) use how::keyed;
pub use iter::Iter;
pub(crate) use lifetime::Jitter;
pub use loading::{LoadOptions, Loaded, Lookup, MissReason};
pub(crate) use operations::operations;
pub(crate) use view::View;
pub(crate) use watch::{Watch, size_of};
pub use weak::WeakCache;

/// Says how many bytes a value owns outside of itself.
pub(crate) type Weigher<V> = Box<dyn Fn(KeyParts<'_>, &V) -> u64 + Send + Sync>;

/// A bounded, concurrent key-value cache whose hits take no lock.
///
/// A handle is cheap to clone and may be sent to any thread; all clones are the same cache, which ends with the last.
///
/// `V` is what it holds: any `T: Send + Sync + 'static`, or `[u8]` or `str` stored inside the entry. A `Cache<Bytes>`
/// keeps the caller's buffers, and a small `Bytes` slice keeps its whole buffer alive; `Cache<[u8]>` copies.
///
/// # Consistency
/// Operations on one key are linearizable, but that an entry may be evicted at any time: a reader gets the value that
/// was written last, whole, or one that is being written at this moment; after `remove` has returned, no thread
/// gets the removed value. Operations over many keys (`iter`, `retain`, `clear`, `len`) see each key at some moment
/// during the call.
///
/// # Panics
/// No operation panics by itself. What user code panics with (a key's encoding, a weigher, a predicate, a closure for
/// `read`) goes to its caller, and leaves the cache as it was.
pub struct Cache<V: Value + ?Sized> {
    inner: Arc<Inner<V>>,
}

pub(crate) struct Inner<V: Value + ?Sized> {
    pub(crate) store: TypedStore<V>,
    pub(crate) weigher: Option<Weigher<V>>,
    pub(crate) has_tti: bool,
    /// How long an entry stays that is inserted without options, where nothing else ends it.
    pub(crate) plain: Stay,
    pub(crate) tenants: Tenants,
    pub(crate) jitter: Jitter,
    pub(crate) watch: Watch,
}

impl<V: Value + ?Sized> Inner<V> {
    /// Whether an insert without options into the cache itself stores no more than key and value, and tells nobody.
    #[inline(always)]
    fn writes_plainly(&self) -> bool {
        self.weigher.is_none() && !self.has_tti && !self.watch.is_on()
    }
}

impl<V: Value + ?Sized> Lender for Inner<V> {
    fn account(&self) -> &Account {
        self.store.account()
    }

    fn lend(&self, bytes: u64, evicts: bool) -> u64 {
        self.store.lend(bytes, evicts)
    }

    fn follow(&self, share: u64) -> Result<(), u64> {
        self.store.follow_share(share)
    }
}

/// The bounds of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capacity {
    /// The bound on charged bytes: entries with their overhead, garbage, and the engine's structure.
    pub max_bytes: Option<u64>,
    /// The bound on entries.
    pub max_entries: Option<u64>,
}

impl Capacity {
    /// A bound on bytes alone.
    pub const fn bytes(max: u64) -> Self {
        Self {
            max_bytes: Some(max),
            max_entries: None,
        }
    }

    /// A bound on entries alone.
    pub const fn entries(max: u64) -> Self {
        Self {
            max_bytes: None,
            max_entries: Some(max),
        }
    }

    /// The same, and a bound on entries.
    #[must_use]
    pub const fn and_entries(self, max: u64) -> Self {
        Self {
            max_bytes: self.max_bytes,
            max_entries: Some(max),
        }
    }
}

impl Capacity {
    /// Refuses bounds that can't be counted.
    pub(crate) fn check(self) -> Result<(), BuildError> {
        for (bound, bound_max) in [(self.max_bytes, BYTES_MAX), (self.max_entries, ENTRIES_MAX)] {
            if let Some(bound) = bound.filter(|&bound| bound > bound_max) {
                return Err(BuildError::BoundTooLarge { bound, bound_max });
            }
        }
        Ok(())
    }
}

/// The largest bound on entries that is taken.
const ENTRIES_MAX: u64 = 1 << 40;

impl<V: Value + ?Sized> Cache<V> {
    pub(crate) fn from_inner(inner: Inner<V>) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner<V>> {
        &self.inner
    }

    /// The bytes that are charged at this moment: entries with their overhead, garbage, and the engine's structure.
    ///
    /// Cost: each stripe's lock once, shortly.
    pub fn weight(&self) -> u64 {
        self.inner.store.charged_bytes()
    }

    /// The bounds.
    pub fn capacity(&self) -> Capacity {
        self.inner.capacity()
    }

    /// Changes the bounds. A lower bound is reached bit by bit: each write takes out a few entries more than it needs,
    /// and [`maintain`](Self::maintain) or a [`Janitor`](crate::Janitor) does the rest.
    ///
    /// # Errors
    /// [`BuildError::OtherBound`] if the cache was built with bounds of another kind;
    /// [`BuildError::BoundTooLarge`] as for the builder; [`BuildError::BelowGuarantees`] below what tenants are guaranteed.
    pub fn set_capacity(&self, capacity: Capacity) -> Result<(), BuildError> {
        capacity.check()?;
        let store = &self.inner.store;
        store.set_bounds(capacity.max_bytes, capacity.max_entries)?;
        self.inner.watch.set_capacity(capacity);
        #[cfg(feature = "tracing")]
        tracing::info!(?capacity, "the bounds were changed");
        Ok(())
    }

    /// Does what would otherwise wait for a write: takes expired entries out, follows a lowered bound, frees garbage,
    /// tells the listener, and gives the memory of deadlines back that are gone. Does about `budget` steps, and says whether more are
    /// due. Stalls nobody: a stripe's lock is held for 16 steps at most.
    pub fn maintain(&self, budget: usize) -> Maintained {
        let done = self.inner.store.maintain(budget);
        #[cfg(feature = "tracing")]
        if done.steps > 0 {
            tracing::debug!(done.steps, done.more, "maintenance");
        }
        done
    }

    /// A snapshot of the counters, those of tenants and scopes included, also of such as have ended. When no other thread uses
    /// the cache, it is exact: [`Stats::hits`] and [`Stats::misses`] add up to the look-ups that have returned.
    ///
    /// Cost: each stripe's lock once, shortly, and the counters of all threads of the process, which nobody waits for meanwhile.
    pub fn stats(&self) -> Stats {
        let store = &self.inner.store;
        let mut stats = store.stats();
        stats.add_counts(&store.counted(store.registry().tally()));
        stats
    }

    #[inline(always)]
    fn view(&self) -> View<'_, V> {
        View::new(&self.inner, None)
    }
}

operations!(Cache<V>);

/// The key of a block, as it was encoded.
pub(crate) fn key_of(block: BlockRef<'_>) -> KeyRef<'_> {
    KeyRef::from_stored(Shape::from_bits(block.shape()), block.key_bytes())
}

impl<V: Value + ?Sized> Clone for Cache<V> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<V: Value + ?Sized> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("capacity", &self.capacity())
            .field("stats", &self.stats())
            .finish()
    }
}

#[cfg(test)]
impl<V: Value + ?Sized> Cache<V> {
    /// Checks the inside of every stripe, and the sums over them.
    pub(crate) fn check_invariants(&self) {
        self.inner.store.validate();
    }

    /// What is claimed of both bounds, what stands for nothing yet included.
    pub(crate) fn claimed(&self) -> (u64, u64) {
        self.inner.store.claimed()
    }
}
