//! The names of tenants, or of a tenant's caches, and who they belong to.
//!
//! # Idea         a table of names under a lock, with a view of each that all threads may have; the tenants of a cache have several,
//!   by the name's hash
//! # Costs        finding a name: a lock, the hash's bucket, a comparison; the first time, a view is made under it
//! # Invariants   D1 a name stands here from its making until its owner is ended, and who finds it gone finds the owner ended
//! # Not here     what a name may be; views of a thread's own (module `lineage`)

use super::{Charter, Limits, TenantError};
use crate::lineage::{Local, Names, Owner};
use crate::sync::{Arc, CachePadded, Mutex, OnceLock, prefetch};

/// A name, and the hash that all agree on.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) hash: u64,
    pub(crate) name: &'a str,
}

/// Who stands under a name.
struct Seat {
    name: Box<str>,
    owner: Arc<Owner>,
    /// Made when it is asked for.
    view: Option<Arc<Local>>,
}

impl Seat {
    /// Asks for what whoever has found the name looks at next, to be on its way while names are compared.
    fn prefetch(&self) {
        prefetch(Arc::as_ptr(&self.owner));
        if let Some(view) = &self.view {
            prefetch(Arc::as_ptr(view));
        }
    }
}

/// Who exists, by name.
pub(crate) struct Directory(Mutex<Names<Seat>>);

impl Default for Directory {
    fn default() -> Self {
        Self(Mutex::new(Names::new()))
    }
}

impl Directory {
    /// Makes an owner under a name that is free; what `make` gives with it. `make` runs under the lock of the directory.
    pub(crate) fn create<T>(
        &self,
        key: Named<'_>,
        n_max: Option<usize>,
        make: impl FnOnce() -> Result<(Arc<Owner>, T), TenantError>,
    ) -> Result<T, TenantError> {
        let mut names = self.0.lock();
        if names.find(key.hash).any(|seat| key.is_of(seat)) {
            return Err(TenantError::AlreadyExists);
        }
        if let Some(n_max) = n_max.filter(|&n_max| names.len() >= n_max) {
            return Err(TenantError::TooManyCaches { n_max });
        }
        let (owner, with) = make()?;
        let name = key.name.into();
        let view = None;
        names.insert(key.hash, Seat { name, owner, view });
        Ok(with)
    }

    pub(crate) fn find(&self, key: Named<'_>) -> Option<Arc<Owner>> {
        let names = self.0.lock();
        let seat = names.find(key.hash).find(|seat| key.is_of(seat))?;
        Some(Arc::clone(&seat.owner))
    }

    /// The view of a name; `make` makes it the first time, under the lock of the directory.
    pub(crate) fn view(
        &self,
        key: Named<'_>,
        make: impl FnOnce(&Arc<Owner>) -> Result<Arc<Local>, TenantError>,
    ) -> Result<Option<Arc<Local>>, TenantError> {
        let mut names = self.0.lock();
        let is_it = |seat: &&mut Seat| {
            seat.prefetch();
            key.is_of(seat)
        };
        let Some(seat) = names.find_mut(key.hash).find(is_it) else {
            return Ok(None);
        };
        let view = match &seat.view {
            Some(view) => view,
            None => seat.view.insert(make(&seat.owner)?),
        };
        Ok(Some(Arc::clone(view)))
    }

    /// Forgets a name; whether there was one. `end` ends its owner under the lock of the directory (D1).
    pub(crate) fn take(&self, key: Named<'_>, end: impl FnOnce(&Arc<Owner>)) -> bool {
        let mut names = self.0.lock();
        let seat = names.remove(key.hash, |seat| key.is_of(seat));
        if let Some(seat) = &seat {
            end(&seat.owner);
        }
        drop(names);
        seat.is_some()
    }

    /// Forgets all names, likewise.
    pub(crate) fn take_all(&self, mut end: impl FnMut(&Owner)) {
        let mut names = self.0.lock();
        let all = std::mem::replace(&mut *names, Names::new());
        all.iter().for_each(|seat| end(&seat.owner));
        drop(names);
    }

    /// The names with their limits, sorted.
    pub(crate) fn list(&self) -> Vec<(String, Limits)> {
        sorted(std::iter::once(self))
    }
}

fn sorted<'a>(directories: impl Iterator<Item = &'a Directory>) -> Vec<(String, Limits)> {
    let mut list = Vec::new();
    for directory in directories {
        let names = directory.0.lock();
        list.extend(names.iter().filter_map(|seat| {
            let limits = Charter::of(&seat.owner).map(Charter::limits)?;
            Some((String::from(&*seat.name), limits))
        }));
    }
    list.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    list
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

impl Named<'_> {
    fn is_of(self, seat: &Seat) -> bool {
        *seat.name == *self.name
    }
}

/// The tenants of a cache, in several directories, so that those who look for one seldom wait for each other. Made when the first one
/// is asked for.
#[derive(Default)]
pub(crate) struct Tenants(OnceLock<Box<[CachePadded<Directory>]>>);

const N_DIRECTORIES: usize = 64;

impl Tenants {
    /// The directory of a name.
    pub(crate) fn of(&self, key: Named<'_>) -> &Directory {
        let make = || (0..N_DIRECTORIES).map(|_| CachePadded::default()).collect();
        let directories = self.0.get_or_init(make);
        // The top bits: buckets are told apart by the low ones.
        &directories[(key.hash >> 32) as usize % N_DIRECTORIES]
    }

    /// The names with their limits, sorted.
    pub(crate) fn list(&self) -> Vec<(String, Limits)> {
        sorted(self.0.get().into_iter().flatten().map(|padded| &**padded))
    }
}
