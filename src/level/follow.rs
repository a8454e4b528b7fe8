//! Changes that others make: a level that hears of them has the copies of what changed dropped at once.
//!
//! # Idea
//! A scope whose records are copied while the level follows is noted, by its path; what is said to have changed is looked for
//! there. While it follows, a copy of a record that was read may live as long as the record. When it stops, all of these scopes
//! end in the cache, since changes may go unheard from then on. A note keeps no cache; those of caches that are gone are looked for each
//! time that the notes have doubled.
//!
//! # Costs
//! A copy that is made: a short lock; the first of a scope now and then a look at all noted paths, one for each scope on the average. A
//! change: a lock, and a removal. The end of a scope: a look at all noted paths.
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
use std::fmt;

use super::key::{Path, Told, told, told_prefixes};
use super::view::Inner;
use crate::entry::Value;
use crate::key::{KeyRef, Shape};
use crate::scope::{Scope, WeakScope};
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
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    /// By their paths.
    scopes: HashMap<Box<[u8]>, OfCaches>,
    /// So many may be added, or refused, before those that are gone are looked for.
    n_until_swept: usize,
}

/// One scope, in each cache that has it.
type OfCaches = Vec<Arc<dyn Copies>>;

/// A scope of a cache, whatever its values are.
trait Copies: Send + Sync {
    fn remove(&self, key: KeyRef<'_>);

    fn end(&self);

    /// Whether its cache is gone.
    fn is_gone(&self) -> bool;

    /// Whether its tenant or named cache was deleted. To be asked by who has the cache: its last handle isn't to end here.
    fn is_closed(&self) -> bool;

    /// Where its cache lies, which tells it from all others that are noted.
    fn cache(&self) -> *const ();
}

impl<V: Value + ?Sized> Copies for WeakScope<V> {
    fn remove(&self, key: KeyRef<'_>) {
        if let Some(scope) = self.upgrade() {
            drop(scope.view().remove_encoded(key));
        }
    }

    fn end(&self) {
        if let Some(scope) = self.upgrade() {
            scope.invalidate();
        }
    }

    fn is_gone(&self) -> bool {
        self.is_gone()
    }

    fn is_closed(&self) -> bool {
        self.upgrade().is_none_or(|scope| scope.view().is_closed())
    }

    fn cache(&self) -> *const () {
        self.address()
    }
}

/// Scopes beyond that have the usual lifetime of copies.
const SCOPES_MAX: usize = 65_536;
/// So few aren't looked through.
const SCOPES_FEW: usize = 64;

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
                let scopes = inner.followed.noted.lock().scopes.get(path).cloned();
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
        let mut gone = Vec::new();
        let mut noted = self.noted.lock();
        // Under the lock: who stops sets it before taking the lock, and finds what was noted before.
        if !self.is_live.load(Ordering::Relaxed) {
            return false;
        }
        let is_noted = noted.note(path, scope, &mut gone);
        drop(noted);
        is_noted
    }

    /// Whether changes are told at the moment.
    pub(super) fn is_live(&self) -> bool {
        self.is_live.load(Ordering::Relaxed)
    }

    /// Ends scopes in their caches.
    fn end(&self, is_meant: impl Fn(&[u8]) -> bool) {
        let mut ended = Vec::new();
        self.noted.lock().scopes.retain(|path, scopes| {
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

impl Noted {
    /// What is found to be gone is to be dropped without the lock.
    fn note<V: Value + ?Sized>(
        &mut self,
        path: &Path,
        scope: &Scope<'_, V>,
        gone: &mut Vec<Arc<dyn Copies>>,
    ) -> bool {
        if let Some(noted) = self.scopes.get_mut(path.as_bytes()) {
            let is_same = |other: &Arc<dyn Copies>| other.cache() == scope.address();
            if !noted
                .iter()
                .any(|other| is_same(other) && !other.is_closed())
            {
                // One of the same name may have been deleted.
                let is_over = |other: &mut Arc<dyn Copies>| other.is_gone() || is_same(other);
                gone.extend(noted.extract_if(.., is_over));
                noted.push(Arc::new(scope.downgrade()));
            }
            return true;
        }
        if self.n_until_swept == 0 {
            self.scopes.retain(|_, scopes| {
                gone.extend(scopes.extract_if(.., |scope| scope.is_gone()));
                !scopes.is_empty()
            });
            self.n_until_swept = self.scopes.len().max(SCOPES_FEW);
        }
        self.n_until_swept -= 1;
        let has_room = self.scopes.len() < SCOPES_MAX;
        if has_room {
            let scopes: OfCaches = vec![Arc::new(scope.downgrade())];
            self.scopes.insert(path.as_bytes().into(), scopes);
        }
        has_room
    }
}

impl fmt::Debug for LevelChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LevelChanges")
            .field("is_over", &self.is_over())
            .finish_non_exhaustive()
    }
}
