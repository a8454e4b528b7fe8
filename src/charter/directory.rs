//! The names of tenants, or of a tenant's caches, and who they belong to.

use std::collections::BTreeMap;

use super::{Charter, Limits, TenantError};
use crate::lineage::Owner;
use crate::sync::{Arc, Mutex};

/// Who exists, by name.
#[derive(Default)]
pub(crate) struct Directory(Mutex<BTreeMap<Box<str>, Arc<Owner>>>);

impl Directory {
    /// Makes an owner under a name that is free; what `make` gives with it. `make` runs under the lock of the directory.
    pub(crate) fn create<T>(
        &self,
        name: &str,
        n_max: Option<usize>,
        make: impl FnOnce() -> Result<(Arc<Owner>, T), TenantError>,
    ) -> Result<T, TenantError> {
        let mut names = self.0.lock();
        if names.contains_key(name) {
            return Err(TenantError::AlreadyExists);
        }
        if let Some(n_max) = n_max.filter(|&n_max| names.len() >= n_max) {
            return Err(TenantError::TooManyCaches { n_max });
        }
        let (owner, with) = make()?;
        names.insert(name.into(), owner);
        Ok(with)
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Owner>> {
        self.0.lock().get(name).cloned()
    }

    /// Forgets a name; whether there was one. `end` ends its owner under the lock of the directory, so that who finds the
    /// name free, or all names gone, finds the owner ended.
    pub(crate) fn take(&self, name: &str, end: impl FnOnce(&Owner)) -> bool {
        let mut names = self.0.lock();
        let owner = names.remove(name);
        if let Some(owner) = &owner {
            end(owner);
        }
        drop(names);
        owner.is_some()
    }

    /// Forgets all names, likewise.
    pub(crate) fn take_all(&self, mut end: impl FnMut(&Owner)) {
        let mut names = self.0.lock();
        let all = std::mem::take(&mut *names);
        all.values().for_each(|owner| end(owner));
        drop(names);
    }

    /// The names with their limits, sorted.
    pub(crate) fn list(&self) -> Vec<(String, Limits)> {
        let names = self.0.lock();
        let limits = |owner: &Owner| Charter::of(owner).map(Charter::limits);
        names
            .iter()
            .filter_map(|(name, owner)| Some((String::from(&**name), limits(owner)?)))
            .collect()
    }
}

impl Drop for Directory {
    /// A tenant and its caches name each other: they are parted here, or would outlive the cache that they're of.
    fn drop(&mut self) {
        self.take_all(|owner| {
            if let Some(charter) = Charter::of(owner) {
                charter.caches().take_all(|_| ());
            }
        });
    }
}
