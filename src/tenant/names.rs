//! What tenants and named caches are called, and the views that names lead to.

use super::charter_of;
use crate::cache::Inner;
use crate::charter::{Named, TenantError};
use crate::entry::Value;
use crate::error::MAX_KEY_BYTES;
use crate::lineage::{Kind, Local, Name, Owner, ScopeError};
use crate::sync::Arc;

/// The names that users give are strings; this is the number zero.
pub(super) const DEFAULT_CACHE: Name<'_> = Name {
    kind: Kind::Cache,
    shape: 1,
    bytes: &[0; 8],
};

pub(super) fn tenant_name(name: &str) -> Name<'_> {
    Name {
        kind: Kind::Tenant,
        shape: 0,
        bytes: name.as_bytes(),
    }
}

pub(super) fn cache_name(name: &str) -> Name<'_> {
    Name {
        kind: Kind::Cache,
        ..tenant_name(name)
    }
}

pub(super) fn check_name(name: &str) -> Result<(), TenantError> {
    if name.trim().is_empty() {
        return Err(TenantError::Name(ScopeError::Empty));
    }
    if name.len() > MAX_KEY_BYTES {
        return Err(TenantError::Name(ScopeError::TooLong {
            len_bytes: name.len(),
            max_bytes: MAX_KEY_BYTES,
        }));
    }
    Ok(())
}

/// The name in its directory.
pub(super) fn named<'a, V: Value + ?Sized>(inner: &Inner<V>, name: &'a str) -> Named<'a> {
    let hash = inner.store.registry().name_hash(cache_name(name));
    Named { hash, name }
}

/// A view of a tenant's default cache. It is known by the tenant's name as if that were a cache's below none, which no cache is.
pub(super) fn view_of_tenant<V: Value + ?Sized>(
    inner: &Inner<V>,
    name: &str,
) -> Result<Arc<Local>, TenantError> {
    let registry = inner.store.registry();
    registry.known(None, cache_name(name), |hash| {
        let named = Named { hash, name };
        let make = |owner: &Arc<Owner>| default_view(inner, tenant_name(name), owner);
        let view = inner.tenants.of(named).view(named, make)?;
        view.ok_or(TenantError::NoSuchTenant)
    })
}

/// A new view of the default cache of a tenant.
pub(super) fn default_view<V: Value + ?Sized>(
    inner: &Inner<V>,
    tenant: Name<'_>,
    owner: &Arc<Owner>,
) -> Result<Arc<Local>, TenantError> {
    let registry = inner.store.registry();
    let tenant = registry.local_anew(None, tenant, Some(owner))?;
    Ok(registry.local_anew(Some(&tenant), DEFAULT_CACHE, None)?)
}

/// The view of a step of a path that was stored outside, below another. Tenants and named caches have to be there.
pub(crate) fn step_below<V: Value + ?Sized>(
    inner: &Inner<V>,
    above: Option<&Arc<Local>>,
    name: Name<'_>,
) -> Option<Arc<Local>> {
    let above = above.map(Arc::as_ref);
    let text = || str::from_utf8(name.bytes).ok().filter(|_| name.shape == 0);
    let owner = match (name.kind, above) {
        (Kind::Cache, Some(tenant)) if name == DEFAULT_CACHE => {
            charter_of(tenant)?;
            return inner.store.registry().local(above, name, None).ok();
        }
        (Kind::Tenant, None) => {
            let named = named(inner, text()?);
            inner.tenants.of(named).find(named)?
        }
        (Kind::Cache, Some(tenant)) => charter_of(tenant)?.caches().find(named(inner, text()?))?,
        (Kind::Tenant | Kind::Cache, _) => return None,
        (Kind::Scope | Kind::Prefix, _) => {
            return inner.store.registry().local(above, name, None).ok();
        }
    };
    let registry = inner.store.registry();
    registry.local(above, name, Some(&owner)).ok()
}
