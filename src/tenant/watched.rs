//! What of a tenant is watched on request: its curve and its heavy keys.

use super::Tenant;
use crate::cache::{Inner, size_of};
use crate::charter::{Charter, TenantError};
use crate::curve::{Curve, Size, Tracker};
use crate::entry::Value;
use crate::hot_keys::{HotKey, HotKeys};

impl<V: Value + ?Sized> Tenant<'_, V> {
    /// Begins to track the tenant's look-ups, those of all its caches, for [`curve`](Self::curve); see
    /// [`Builder::track_curve`](crate::Builder::track_curve). It ends with the tenant.
    ///
    /// # Errors
    /// [`TenantError::NoSuchTenant`] if it was deleted.
    pub fn track_curve(&self, n_entries: usize) -> Result<(), TenantError> {
        let charter = self.made()?;
        let size = self.inner.size_of_tenant(charter);
        let curve = &charter.watched().curve;
        curve.get_or_init(|| Tracker::new(size, n_entries));
        self.inner.begin_watch();
        Ok(())
    }

    /// The hit ratio that the tenant would have if its maximum were half of what it is, and up to four times; `None` unless it is
    /// tracked. The factors are of `max_bytes`; without one, of the cache's capacity as of when tracking began.
    ///
    /// A tenant that is held below its maximum, because others use what is lent, has a lower hit ratio than the curve says for 1.
    pub fn curve(&self) -> Option<Curve> {
        self.made().ok()?.curve().map(Tracker::curve)
    }

    /// Begins to track the tenant's look-ups for [`hot_keys`](Self::hot_keys); see
    /// [`Builder::track_hot_keys`](crate::Builder::track_hot_keys). It ends with the tenant.
    ///
    /// # Errors
    /// [`TenantError::NoSuchTenant`] if it was deleted.
    pub fn track_hot_keys(&self, n_keys: usize) -> Result<(), TenantError> {
        let charter = self.made()?;
        let hot_keys = &charter.watched().hot_keys;
        hot_keys.get_or_init(|| HotKeys::new(n_keys));
        self.inner.begin_watch();
        Ok(())
    }

    /// The `n` keys of the tenant, in all its caches, that are looked up most, those first; none unless they are tracked.
    pub fn hot_keys(&self, n: usize) -> Vec<HotKey> {
        let hot_keys = self.made().ok().and_then(Charter::hot_keys);
        hot_keys.map_or(Vec::new(), |hot_keys| hot_keys.heaviest(n))
    }
}

impl<V: Value + ?Sized> Inner<V> {
    fn size_of_tenant(&self, charter: &Charter) -> Size {
        match charter.limits().max_bytes {
            Some(max) => Size::of_bytes(max),
            None => size_of(self.capacity()),
        }
    }

    /// Has the curve of a tenant follow its limits.
    pub(super) fn follow_limits(&self, charter: &Charter) {
        if let Some(curve) = charter.curve() {
            curve.set_max(self.size_of_tenant(charter));
        }
    }
}
