//! Admissions that may be given back.

use std::fmt;

use super::{NamedCache, charter_of};
use crate::charter::Tabs;
use crate::entry::Value;
use crate::limiter::Cost;
use crate::scope::Scope;

/// An operation that was admitted, and counts once it is kept. Dropped, it counts as not done: what was held for it is given back,
/// but for what the rates would have brought back by now in any case.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use larder::{Cache, Cost, Limits, Rate, Rates};
///
/// let cache: Cache<[u8]> = Cache::builder().max_bytes(16 << 20).build()?;
/// let rates = Rates { operations: Some(Rate::per_day(1)), ..Rates::UNLIMITED };
/// let acme = cache.create_tenant("acme", Limits { rates, ..Limits::default() })?;
/// let counters = acme.default_cache()?;
/// counters.insert("n", "not a number")?;
///
/// let reserved = counters.reserve(Cost::calls(1))?;
/// if reserved.scope().increment("n", 1, 0, Duration::from_secs(60)).is_ok() {
///     reserved.keep();
/// } else {
///     drop(reserved);
/// }
/// // The increment that failed has cost nothing.
/// assert!(counters.admit(Cost::calls(1)).is_ok());
/// assert!(counters.admit(Cost::calls(1)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "what is dropped counts as not done"]
pub struct Reserved<'a, V: Value + ?Sized> {
    of: &'a NamedCache<'a, V>,
    cost: Cost,
    tabs: Option<Tabs>,
}

impl<'a, V: Value + ?Sized> Reserved<'a, V> {
    pub(super) fn new(of: &'a NamedCache<'a, V>, cost: Cost, tabs: Tabs) -> Self {
        Self {
            of,
            cost,
            tabs: Some(tabs),
        }
    }

    /// The cache as a scope to act on.
    pub fn scope(&self) -> Scope<'_, V> {
        self.of.scope()
    }

    /// Counts the operation as done. Cost: none, or that of [`reserve`](NamedCache::reserve).
    pub fn keep(mut self) {
        self.end(self.cost);
    }

    fn end(&mut self, used: Cost) {
        if let (Some(tabs), Some(charter)) = (self.tabs.take(), charter_of(&self.of.local)) {
            charter.close_tabs(self.of.inner.store.time(), tabs, used.calls, used.bytes);
        }
    }
}

impl<V: Value + ?Sized> Drop for Reserved<'_, V> {
    fn drop(&mut self) {
        self.end(Cost::calls(0));
    }
}

impl<V: Value + ?Sized> fmt::Debug for Reserved<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserved")
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}
