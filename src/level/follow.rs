//! Changes that others make: a level that hears of them has the copies of what changed dropped at once.
//!
//! # Idea
//! A scope whose records are copied while the level follows is noted, by its path; what is said to have changed is looked for
//! there. While it follows, a copy of a record that was read may live as long as the record. When it stops, all of these scopes
//! end in the cache, since changes may go unheard from then on.
//!
//! # Costs
//! A copy that is made: a short lock. A change: another, and a removal. The end of a scope: a look at all noted paths.
//!
//! # Invariants
//! - FO1 A copy that may outlive the lifetime of copies is of a scope that was noted, while the level followed, before the record was
//!   read: so a change that comes after the reading is heard, and the removal that it causes wins over the fill.
//! - FO2 What stops following ends every such copy before it returns.
//! - FO3 No lock is held while a cache is called.
//!
//! # Not here
//! How a level hears of changes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use super::key::{Path, Told, told, told_prefixes};
use super::view::Inner;
use crate::entry::Value;
use crate::key::{KeyRef, Shape};
use crate::scope::{OwnedScope, Scope};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, Weak};

/// What a level that hears of others' changes tells them to; see [`Level::follow`](super::Level::follow).
///
/// Clones tell the same. It keeps nothing alive.
#[derive(Clone)]
pub struct LevelChanges {
    inner: Weak<Inner>,
    prefixes: [Vec<u8>; 2],
}

/// Scopes that copies of records are in.
#[derive(Default)]
pub(super) struct Followed {
    is_live: AtomicBool,
    /// By their paths.
    scopes: Mutex<HashMap<Box<[u8]>, OfCaches>>,
}

/// One scope, in each cache that has it.
type OfCaches = Vec<Arc<dyn Copies>>;

/// A scope of a cache, whatever its values are.
trait Copies: Send + Sync {
    fn remove(&self, key: KeyRef<'_>);

    fn end(&self);

    /// Where its cache lies, which tells it from all others that are there.
    fn cache(&self) -> *const ();
}

impl<V: Value + ?Sized> Copies for OwnedScope<V> {
    fn remove(&self, key: KeyRef<'_>) {
        drop(self.view().remove_encoded(key));
    }

    fn end(&self) {
        self.invalidate();
    }

    fn cache(&self) -> *const () {
        self.address()
    }
}

/// Scopes beyond that have the usual lifetime of copies.
const SCOPES_MAX: usize = 65_536;

impl LevelChanges {
    pub(super) fn new(inner: Weak<Inner>, name_space: &[u8]) -> Self {
        let prefixes = told_prefixes(name_space);
        Self { inner, prefixes }
    }

    /// What all keys begin with that matter here: those of records, and those of generations.
    pub fn prefixes(&self) -> &[Vec<u8>; 2] {
        &self.prefixes
    }

    /// Says that from now on each change is told, by [`changed`](Self::changed), and no later than others may see it by far.
    pub fn begin(&self) {
        if let Some(inner) = self.inner.upgrade() {
            // Release: pairs with the acquire in `note`; who sees it reads records after changes are heard of.
            inner.followed.is_live.store(true, Ordering::Release);
        }
    }

    /// Says that the record or the generation of this key was changed, removed, or is due. Keys of neither are passed over.
    pub fn changed(&self, key: &[u8]) {
        let Some(inner) = self.inner.upgrade() else {
            return;
        };
        match told(key) {
            Some(Told::Record { path, shape, key }) => {
                let scopes = inner.followed.scopes.lock().get(path).cloned();
                for scope in scopes.into_iter().flatten() {
                    let key = KeyRef::from_stored(Shape::from_bits(shape), key);
                    scope.remove(key);
                }
            }
            Some(Told::Scope { path }) => inner.followed.end(|noted| noted.starts_with(path)),
            None => {}
        }
    }

    /// Says that all may have changed, and changes will be told as before.
    pub fn all(&self) {
        if let Some(inner) = self.inner.upgrade() {
            inner.followed.end(|_| true);
        }
    }

    /// Says that changes may go untold from some moment on. Copies that outlive the lifetime of copies end before this returns.
    pub fn stop(&self) {
        if let Some(inner) = self.inner.upgrade() {
            inner.followed.is_live.store(false, Ordering::Relaxed);
            inner.followed.end(|_| true);
        }
    }

    /// Whether nobody is left to be told.
    pub fn is_over(&self) -> bool {
        self.inner.strong_count() == 0
    }
}

impl Followed {
    /// Notes that records are about to be read and copied into a scope; whether the copies may live as long as those (FO1).
    pub(super) fn note<V: Value + ?Sized>(&self, path: &Path, scope: &Scope<'_, V>) -> bool {
        // Acquire: pairs with the release in `begin`.
        if !self.is_live.load(Ordering::Acquire) {
            return false;
        }
        let mut scopes = self.scopes.lock();
        // Under the lock: who stops sets it before taking the lock, and finds what was noted before.
        if !self.is_live.load(Ordering::Relaxed) {
            return false;
        }
        let n_scopes = scopes.len();
        match scopes.entry(path.as_bytes().into()) {
            Entry::Occupied(mut noted) => {
                let is_there = |other: &Arc<dyn Copies>| other.cache() == scope.address();
                if !noted.get().iter().any(is_there) {
                    noted.get_mut().push(Arc::new(scope.clone().into_owned()));
                }
                true
            }
            Entry::Vacant(_) if n_scopes >= SCOPES_MAX => false,
            Entry::Vacant(place) => {
                place.insert(vec![Arc::new(scope.clone().into_owned())]);
                true
            }
        }
    }

    /// Whether changes are told at the moment.
    pub(super) fn is_live(&self) -> bool {
        self.is_live.load(Ordering::Relaxed)
    }

    /// Ends scopes in their caches.
    fn end(&self, is_meant: impl Fn(&[u8]) -> bool) {
        let mut ended = Vec::new();
        self.scopes.lock().retain(|path, scopes| {
            let is_meant = is_meant(path);
            if is_meant {
                ended.append(scopes);
            }
            !is_meant
        });
        for scope in ended {
            scope.end();
        }
    }
}

impl fmt::Debug for LevelChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LevelChanges")
            .field("is_over", &self.is_over())
            .finish_non_exhaustive()
    }
}
