//! Tenants and their named caches: who shares a cache, with what of its own.
//!
//! # Idea         a tenant is a scope with a pool of memory and a charter; a named cache is one more below it. Deleting closes the owner, so
//!   that every view of it is nowhere for good, and what it held is swept like any scope that has ended
//! # Costs        asking for a tenant or a named cache that the thread asks for often: the probe of its table; for another one: a lock that
//!   others' requests share, for the time of a look-up. What changes tenants takes the same lock. A tenant takes about a kilobyte
//! # Invariants   T1 a name is in the directory from its making to its deletion; T2 an owner's pool lives as long as the owner, and its
//!   number is given again when its bytes are gone
//! # Not here     how memory shares and rates work: modules `shares`, `limits`

mod named;
mod names;
mod reserved;
mod watched;

use std::fmt;

pub use self::named::NamedCache;
pub(crate) use self::names::step_below;
use self::names::{cache_name, check_name, default_view, named, tenant_name, view_of_tenant};
pub use self::reserved::Reserved;
use crate::cache::{Cache, Inner};
use crate::charter::{AdmitError, Charter, Limits, Named, TenantError};
use crate::clock::Nanos;
use crate::entry::Value;
use crate::limiter::Cost;
use crate::lineage::{Local, Name, Owner};
use crate::scope::Scope;
use crate::shares::PoolId;
use crate::stats::{Counts, Stats};
use crate::sync::Arc;
use crate::tally::Tally;

/// One of those who share a cache: with named caches of its own, a share of the memory, and rates.
///
/// Made by [`Cache::create_tenant`], found by [`Cache::tenant`], which is meant to be asked with each request: a tenant that a thread
/// asks for often is in a table of its own, and nothing is written then that other threads write. A handle that several threads hold in
/// common has a count that they all write.
///
/// # Examples
/// ```
/// use larder::{Cache, Cost, Limits, Rate, Rates};
///
/// let cache: Cache<str> = Cache::builder().max_bytes(64 << 20).build()?;
/// let acme = cache.create_tenant("acme", Limits {
///     guaranteed_bytes: 8 << 20,
///     rates: Rates { operations: Some(Rate::per_second(1000).burst(2)), ..Rates::UNLIMITED },
///     ..Limits::default()
/// })?;
/// acme.admit(Cost::calls(1))?.insert("motd", "hello")?;
/// assert_eq!(acme.admit(Cost::calls(1))?.get("motd").as_deref(), Some("hello"));
///
/// let sessions = acme.create_cache("sessions", Limits::default())?;
/// sessions.insert("motd", "another")?;
/// assert_eq!(acme.default_cache()?.get("motd").as_deref(), Some("hello"));
/// sessions.flush();
/// assert!(sessions.get("motd").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tenant<'c, V: Value + ?Sized> {
    inner: &'c Arc<Inner<V>>,
    /// Of the default cache, which most requests are for; the tenant's scope is the one above.
    local: Arc<Local>,
}

impl<V: Value + ?Sized> Cache<V> {
    /// Makes a tenant.
    ///
    /// # Errors
    /// [`TenantError`]: the name is blank, too long or taken; the limits contradict each other, or more would be guaranteed than
    /// the cache holds.
    ///
    /// Cost: a lock that other administration takes too.
    pub fn create_tenant(&self, name: &str, limits: Limits) -> Result<Tenant<'_, V>, TenantError> {
        let inner = self.inner();
        check_name(name)?;
        limits.check()?;
        let named = named(inner, name);
        let local = inner.tenants.of(named).create(named, None, || {
            let view = |owner: &Arc<Owner>| default_view(inner, tenant_name(name), owner);
            inner.make(None, limits, view)
        })?;
        Ok(Tenant { inner, local })
    }

    /// Finds a tenant.
    ///
    /// # Errors
    /// [`TenantError::NoSuchTenant`].
    ///
    /// Cost: a probe of the thread's table of 64 views. For a tenant that isn't there, a lock for the time of a look-up, one of 64 by
    /// the tenant's name, and a reference count.
    pub fn tenant(&self, name: &str) -> Result<Tenant<'_, V>, TenantError> {
        let inner = self.inner();
        let local = view_of_tenant(inner, name)?;
        Ok(Tenant { inner, local })
    }

    /// Deletes a tenant with all its named caches. At return no operation that begins finds anything of it, and its views
    /// refuse what is written. False if there is none of that name.
    pub fn delete_tenant(&self, name: &str) -> bool {
        let inner = self.inner();
        let named = named(inner, name);
        let now = inner.store.time().now();
        inner.tenants.of(named).take(named, |owner: &Arc<Owner>| {
            // Who makes a cache below looks at this under the lock that is taken next: it's refused, or met here.
            inner.note_end(None, tenant_name(name), owner, now);
            inner.store.registry().close(owner);
            if let Some(charter) = Charter::of(owner) {
                charter.caches().take_all(|cache| inner.end(cache));
            }
            inner.end(owner);
        })
    }

    /// The tenants and their limits, sorted by name, each as of some moment during the call.
    pub fn tenants(&self) -> Vec<(String, Limits)> {
        self.inner().tenants.list()
    }
}

impl<'c, V: Value + ?Sized> Tenant<'c, V> {
    /// Admits an operation of that cost by the tenant's rates, and gives the scope to act on: that of the default cache.
    ///
    /// What is read is not known before: ask for the calls, and [`charge`](Self::charge) the bytes afterwards.
    ///
    /// # Errors
    /// [`AdmitError`]: which limit, and when the same would pass.
    pub fn admit(&self, cost: impl Into<Cost>) -> Result<Scope<'c, V>, AdmitError> {
        let charter = self.made().map_err(|_| AdmitError::Closed)?;
        admit(self.inner, charter, cost)?;
        Ok(Scope::new(self.inner, Arc::clone(&self.local)))
    }

    /// Counts bytes that were read. Where the rate has no room for them they are debt: nothing is admitted before it is gone.
    /// Debt is at most one more burst.
    pub fn charge(&self, bytes: u64) {
        if let Some(charter) = charter_of(&self.local) {
            charter.charge(self.inner.store.time(), bytes);
        }
    }

    /// The cache that every tenant has. It can't be deleted, and isn't listed.
    ///
    /// # Errors
    /// [`TenantError::NoSuchTenant`] if the tenant was deleted meanwhile.
    pub fn default_cache(&self) -> Result<NamedCache<'c, V>, TenantError> {
        self.made()?;
        let (inner, local) = (self.inner, Arc::clone(&self.local));
        Ok(NamedCache { inner, local })
    }

    /// Makes a named cache with limits of its own, which hold beside the tenant's.
    ///
    /// # Errors
    /// [`TenantError`]: the name is blank, too long or taken; there are as many as the tenant may have; the limits contradict each other,
    /// or guarantee more than the tenant is guaranteed; the tenant was deleted.
    pub fn create_cache(
        &self,
        name: &str,
        limits: Limits,
    ) -> Result<NamedCache<'c, V>, TenantError> {
        check_name(name)?;
        limits.check()?;
        let (inner, charter) = (self.inner, self.made()?);
        let n_max = charter.limits().caches_max;
        let local = charter.caches().create(named(inner, name), n_max, || {
            // Asked again under the lock that a deletion of the tenant takes after closing it.
            self.made()?;
            let tenant = self.local.owner();
            inner.make(tenant, limits, |owner| self.view_of_cache(name, owner))
        })?;
        Ok(NamedCache { inner, local })
    }

    /// Finds a named cache.
    ///
    /// # Errors
    /// [`TenantError::NoSuchCache`], [`TenantError::NoSuchTenant`]. Nothing is made.
    ///
    /// Cost: as [`Cache::tenant`]; the lock is the tenant's.
    pub fn cache(&self, name: &str) -> Result<NamedCache<'c, V>, TenantError> {
        let inner = self.inner;
        let registry = inner.store.registry();
        let local = registry.known(Some(&self.local), cache_name(name), |hash| {
            let make = |owner: &Arc<Owner>| self.view_of_cache(name, owner);
            let view = self.made()?.caches().view(Named { hash, name }, make)?;
            view.ok_or(TenantError::NoSuchCache)
        })?;
        Ok(NamedCache { inner, local })
    }

    /// Deletes a named cache: as [`Cache::delete_tenant`]. False if there is none of that name.
    pub fn delete_cache(&self, name: &str) -> bool {
        let now = self.inner.store.time().now();
        let registry = self.inner.store.registry();
        let tenant = registry.above(&self.local);
        let end = |owner: &Arc<Owner>| {
            if let Ok(tenant) = &tenant {
                self.inner
                    .note_end(Some(tenant), cache_name(name), owner, now);
            }
            self.inner.end(owner);
        };
        self.made()
            .is_ok_and(|charter| charter.caches().take(named(self.inner, name), end))
    }

    /// The named caches and their limits, sorted by name.
    pub fn caches(&self) -> Vec<(String, Limits)> {
        let list = |charter: &Charter| charter.caches().list();
        self.made().map(list).unwrap_or_default()
    }

    /// Ends all entries of the tenant, in all its caches, in O(1). Caches and limits stay.
    pub fn flush(&self) {
        // A tenant that was deleted has nothing that could end.
        if let Ok(tenant) = self.inner.store.registry().above(&self.local) {
            self.inner.store.invalidate(&tenant);
        }
    }

    /// The limits.
    ///
    /// # Errors
    /// [`TenantError::NoSuchTenant`] if it was deleted.
    pub fn limits(&self) -> Result<Limits, TenantError> {
        Ok(self.made()?.limits())
    }

    /// Changes the limits, for what begins after the call. What is above a lowered maximum goes with the
    /// tenant's next insert, which may take long.
    ///
    /// # Errors
    /// As [`Cache::create_tenant`], and `NoSuchTenant`; nothing has changed then.
    pub fn set_limits(&self, limits: Limits) -> Result<(), TenantError> {
        self.inner.set_limits(self.made()?, limits)
    }

    /// The bytes that are charged to the tenant, and the number of its entries, those of all its caches included.
    pub fn usage(&self) -> Usage {
        charter_of(&self.local).map_or(Usage::default(), |charter| {
            Usage::of(self.inner, charter.pool())
        })
    }

    /// The counters since the tenant was made, those of all its caches included: also of such as were deleted. They belong to those
    /// of the cache, which keeps them when the tenant is deleted; a tenant of the same name that is made anew begins at zero.
    ///
    /// Cost: the counters of all threads of the process.
    pub fn stats(&self) -> Stats {
        self.inner.stats_of(&self.local)
    }

    /// A new view of a named cache of the tenant's.
    fn view_of_cache(&self, name: &str, owner: &Arc<Owner>) -> Result<Arc<Local>, TenantError> {
        let registry = self.inner.store.registry();
        let tenant = registry.above(&self.local)?;
        Ok(registry.local_anew(Some(&tenant), cache_name(name), Some(owner))?)
    }

    fn made(&self) -> Result<&Charter, TenantError> {
        let owner = self.local.owner().filter(|owner| !owner.is_closed());
        owner
            .and_then(|owner| Charter::of(owner))
            .ok_or(TenantError::NoSuchTenant)
    }
}

/// What a tenant or a named cache takes at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Entries, those included whose deadline has passed or whose scope has ended, until they are swept.
    pub entries: u64,
    /// What they are charged.
    pub bytes: u64,
}

impl Usage {
    fn of<V: Value + ?Sized>(inner: &Inner<V>, pool: PoolId) -> Usage {
        let shares = inner.store.shares();
        Usage {
            entries: shares.n_entries(pool),
            bytes: shares.used(pool),
        }
    }
}

impl<V: Value + ?Sized> Inner<V> {
    /// The counters of a tenant or a named cache, by a view of it.
    fn stats_of(&self, local: &Local) -> Stats {
        let mut stats = Stats::default();
        stats.add_counts(&self.store.counted(local.tally()));
        if let Some(charter) = charter_of(local) {
            let changes = self.store.shares().counted(charter.pool());
            Counts::of(changes).add_to(&mut stats);
            let usage = Usage::of(self, charter.pool());
            (stats.live_entries, stats.live_bytes) = (usage.entries, usage.bytes);
        }
        stats
    }

    fn set_limits(&self, charter: &Charter, limits: Limits) -> Result<(), TenantError> {
        limits.check()?;
        charter.set(limits, self.store.time(), || {
            let shares = self.store.shares();
            shares.set(charter.pool(), limits.guaranteed_bytes, limits.max_bytes())?;
            shares.set_max_entries(charter.pool(), limits.max_entries())?;
            Ok::<(), TenantError>(())
        })?;
        self.follow_limits(charter);
        Ok(())
    }

    /// Makes an owner with a pool, of a tenant's cache or of a tenant, and a view of it.
    fn make(
        &self,
        tenant: Option<&Arc<Owner>>,
        limits: Limits,
        view: impl FnOnce(&Arc<Owner>) -> Result<Arc<Local>, TenantError>,
    ) -> Result<(Arc<Owner>, Arc<Local>), TenantError> {
        let shares = self.store.shares();
        let parent = tenant.map(|owner| PoolId::from_bits(owner.pool()));
        let pool = shares.add(parent, limits.guaranteed_bytes, limits.max_bytes())?;
        shares.set_max_entries(pool, limits.max_entries())?;
        let charter = Charter::new(pool, shares, tenant.cloned(), limits);
        let above = tenant.map_or(self.store.registry().tally(), |owner| owner.tally());
        let owner = Owner::with_charter(pool.bits(), Tally::new(Some(above)), charter);
        match view(&owner) {
            Ok(local) => Ok((owner, local)),
            Err(error) => {
                self.end(&owner);
                Err(error)
            }
        }
    }

    /// Notes when an owner is ended, with the life of its path, before it is.
    fn note_end(&self, above: Option<&Local>, name: Name<'_>, owner: &Arc<Owner>, now: Nanos) {
        let registry = self.store.registry();
        let life = registry
            .local_anew(above, name, Some(owner))
            .and_then(|view| view.generation(registry));
        if let Ok(life) = life {
            life.note_end(now);
        }
    }

    /// Ends an owner that is no longer in its directory.
    fn end(&self, owner: &Owner) {
        self.store.registry().close(owner);
        // Its number comes back when its bytes are swept; it has no children any more.
        let removed = self.store.shares().remove(PoolId::from_bits(owner.pool()));
        debug_assert!(removed.is_ok(), "T2: {removed:?}");
    }
}

/// Admits an operation by the rates of a charter.
fn admit<V: Value + ?Sized>(
    inner: &Inner<V>,
    charter: &Charter,
    cost: impl Into<Cost>,
) -> Result<(), AdmitError> {
    let Cost { calls, bytes } = cost.into();
    charter
        .admit(inner.store.time(), calls, bytes)
        .map_err(|(whose, limit)| AdmitError::Exceeded { whose, limit })
}

fn charter_of(local: &Local) -> Option<&Charter> {
    Charter::of(local.owner()?)
}

impl<V: Value + ?Sized> Clone for Tenant<'_, V> {
    fn clone(&self) -> Self {
        let (inner, local) = (self.inner, Arc::clone(&self.local));
        Self { inner, local }
    }
}

impl<V: Value + ?Sized> fmt::Debug for Tenant<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant")
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}
