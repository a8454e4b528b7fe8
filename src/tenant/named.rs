//! A tenant's caches: spaces of keys with limits of their own.

use std::fmt;

use super::{Reserved, Usage, charter_of};
use crate::cache::{Inner, View, operations};
use crate::charter::{AdmitError, Charter, Limits, TenantError};
use crate::entry::Value;
use crate::key::Part;
use crate::limiter::Cost;
use crate::lineage::Local;
use crate::scope::Scope;
use crate::stats::Stats;
use crate::sync::Arc;

/// A named space of a tenant's, or the one that the tenant has by default. It has the operations of a cache, which ask for no
/// admission; [`admit`](Self::admit) does.
pub struct NamedCache<'c, V: Value + ?Sized> {
    pub(super) inner: &'c Arc<Inner<V>>,
    pub(super) local: Arc<Local>,
}

impl<'c, V: Value + ?Sized> NamedCache<'c, V> {
    /// Admits an operation of that cost by the rates of the cache and the tenant, or by none of them, and gives the scope to act on.
    ///
    /// # Errors
    /// [`AdmitError`]: which limit, and when the same would pass.
    pub fn admit(&self, cost: impl Into<Cost>) -> Result<Scope<'c, V>, AdmitError> {
        let charter = self.made().map_err(|_| AdmitError::Closed)?;
        super::admit(self.inner, charter, cost)?;
        Ok(self.scope())
    }

    /// Admits an operation as [`admit`](Self::admit) does, which may turn out to do nothing: it counts once it is kept.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    ///
    /// Cost: where a rate is set, its lock, and all loans of it are called in.
    pub fn reserve(&self, cost: impl Into<Cost>) -> Result<Reserved<'_, V>, AdmitError> {
        let cost = cost.into();
        let charter = self.made().map_err(|_| AdmitError::Closed)?;
        let tabs = charter
            .open_tabs(self.inner.store.time(), cost.calls, cost.bytes)
            .map_err(|(whose, limit)| AdmitError::Exceeded { whose, limit })?;
        Ok(Reserved::new(self, cost, tabs))
    }

    /// Counts bytes that were read: see [`Tenant::charge`](super::Tenant::charge).
    pub fn charge(&self, bytes: u64) {
        if let Some(charter) = charter_of(&self.local) {
            charter.charge(self.inner.store.time(), bytes);
        }
    }

    /// The cache as a scope, whose scopes nest in it.
    pub fn scope(&self) -> Scope<'c, V> {
        Scope::new(self.inner, Arc::clone(&self.local))
    }

    /// Ends all entries, those of nested scopes as well, in O(1). Limits stay.
    pub fn flush(&self) {
        self.inner.store.invalidate(&self.local);
    }

    /// Takes out what is stored under a prefix, where keys are single strings that were rendered from parts: keys that equal the
    /// prefix, or begin with it and two underscores. How many those were.
    ///
    /// Where keys have parts of their own, a [prefix](Scope::prefix) and its `invalidate` do the same in O(1), and exactly.
    ///
    /// Cost: visits every entry of the cache, in steps as [`retain`](Self::retain). What matches is gone at return; what is inserted
    /// meanwhile may stay.
    pub fn purge_text(&self, prefix: &str) -> usize {
        self.retain(|entry| {
            let mut parts = entry.key();
            let (first, more) = (parts.next(), parts.next());
            let text = match first {
                Some(Part::Bytes(text)) if more.is_none() => text,
                _ => return true,
            };
            let rest = text.strip_prefix(prefix.as_bytes());
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"__"))
        })
    }

    /// The limits; for the default cache, those of the tenant.
    ///
    /// # Errors
    /// [`TenantError::NoSuchCache`] if it was deleted.
    pub fn limits(&self) -> Result<Limits, TenantError> {
        Ok(self.made()?.limits())
    }

    /// Changes the limits: as [`Tenant::set_limits`](super::Tenant::set_limits). The default cache's are those of its tenant.
    ///
    /// # Errors
    /// As [`Tenant::create_cache`](super::Tenant::create_cache), and `NoSuchCache`; nothing has changed then.
    pub fn set_limits(&self, limits: Limits) -> Result<(), TenantError> {
        self.inner.set_limits(self.made()?, limits)
    }

    /// The bytes that are charged to the cache, and the number of its entries; for the default cache, its tenant's.
    pub fn usage(&self) -> Usage {
        charter_of(&self.local).map_or(Usage::default(), |charter| {
            Usage::of(self.inner, charter.pool())
        })
    }

    /// The counters since the cache was made: see [`Tenant::stats`](super::Tenant::stats). Those of the default cache are its tenant's.
    pub fn stats(&self) -> Stats {
        self.inner.stats_of(&self.local)
    }

    fn made(&self) -> Result<&Charter, TenantError> {
        let owner = self.local.owner().filter(|owner| !owner.is_closed());
        owner
            .and_then(|owner| Charter::of(owner))
            .ok_or(TenantError::NoSuchCache)
    }

    #[inline(always)]
    fn view(&self) -> View<'_, V> {
        View::new(self.inner, Some(&self.local))
    }
}

operations!(NamedCache<'_, V>);

impl<V: Value + ?Sized> Clone for NamedCache<'_, V> {
    fn clone(&self) -> Self {
        let (inner, local) = (self.inner, Arc::clone(&self.local));
        Self { inner, local }
    }
}

impl<V: Value + ?Sized> fmt::Debug for NamedCache<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedCache")
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}
