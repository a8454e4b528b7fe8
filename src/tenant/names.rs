//! What tenants and named caches are called, and the views that names lead to.

use super::charter_of;
use crate::cache::Inner;
use crate::charter::TenantError;
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

/// A view that this thread has made before, unless it is of what was deleted since.
pub(super) fn known<V: Value + ?Sized>(
    inner: &Inner<V>,
    above: Option<&Local>,
    name: Name<'_>,
) -> Option<Arc<Local>> {
    let local = inner.store.registry().known(above, name)?;
    let is_open = local.owner().is_some_and(|owner| !owner.is_closed());
    is_open.then_some(local)
}

pub(super) fn view_of<V: Value + ?Sized>(
    inner: &Inner<V>,
    above: Option<&Local>,
    name: Name<'_>,
    owner: &Arc<Owner>,
) -> Result<Arc<Local>, TenantError> {
    Ok(inner.store.registry().local(above, name, Some(owner))?)
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
        (Kind::Tenant, None) => inner.directory.find(text()?)?,
        (Kind::Cache, Some(tenant)) => charter_of(tenant)?.caches().find(text()?)?,
        (Kind::Tenant | Kind::Cache, _) => return None,
        (Kind::Scope | Kind::Prefix, _) => {
            return inner.store.registry().local(above, name, None).ok();
        }
    };
    view_of(inner, above, name, &owner).ok()
}
