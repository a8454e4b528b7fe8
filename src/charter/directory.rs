//! The names of tenants, or of a tenant's caches, and who they belong to.

use std::collections::BTreeMap;

use super::{Charter, Limits, TenantError};
use crate::lineage::Owner;
use crate::sync::{Arc, Mutex};

/// Who exists, by name.
#[derive(Default)]
pub(crate) struct Directory(Mutex<BTreeMap<Box<str>, Arc<Owner>>>);

impl Directory {
    /// Makes an owner under a name that is free.
    pub(crate) fn create(
        &self,
        name: &str,
        n_max: Option<usize>,
        make: impl FnOnce() -> Result<Arc<Owner>, TenantError>,
    ) -> Result<Arc<Owner>, TenantError> {
        let mut names = self.0.lock();
        if names.contains_key(name) {
            return Err(TenantError::AlreadyExists);
        }
        if let Some(n_max) = n_max.filter(|&n_max| names.len() >= n_max) {
            return Err(TenantError::TooManyCaches { n_max });
        }
        let owner = make()?;
        names.insert(name.into(), Arc::clone(&owner));
        Ok(owner)
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Owner>> {
        self.0.lock().get(name).cloned()
    }

    /// Forgets a name.
    pub(crate) fn take(&self, name: &str) -> Option<Arc<Owner>> {
        self.0.lock().remove(name)
    }

    /// The same, if the name still stands for this owner.
    pub(crate) fn take_this(&self, name: &str, owner: &Arc<Owner>) -> bool {
        let mut names = self.0.lock();
        let is_this = names
            .get(name)
            .is_some_and(|other| Arc::ptr_eq(owner, other));
        is_this && names.remove(name).is_some()
    }

    /// Forgets all names.
    pub(crate) fn take_all(&self) -> impl Iterator<Item = Arc<Owner>> + use<> {
        std::mem::take(&mut *self.0.lock()).into_values()
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
