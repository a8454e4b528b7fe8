//! Scopes: views of a part of a cache, which end in O(1).
//!
//! # Idea         a scope is a path of names; its entries carry an id that stands for one life of it. Invalidating gives the path another
//!   id, so that what carries the old one can't be found, and is swept out bit by bit
//! # Costs        an operation on a scope: that of the cache, and a look at one word that each invalidation in the cache changes.
//!   Asking for a scope: the probe of a table of the thread's own
//! # Not here     ids and names: module `lineage`; sweeping: module `stripe`

use std::fmt;

use crate::cache::{Cache, Inner, View, operations};
use crate::entry::Value;
use crate::key::{Key, KeyRef, KeyWriter, Shape, with_key};
use crate::lineage::{Kind, Local, Name, ScopeError};
use crate::scope_parts::ScopeParts;
use crate::stats::Stats;
use crate::sync::{Arc, Weak};

/// A part of a cache with keys of its own, under a path of names.
///
/// It has the operations of the cache. The same key in two scopes names two entries, whatever the names are. Scopes nest, and
/// a scope may be asked for anew with each request: nothing is written then that other threads write, and a scope that
/// nobody uses and that holds no entry takes no memory.
///
/// [`iter`](Self::iter), [`len`](Self::len), [`retain`](Self::retain) and [`clear`](Self::clear) concern the scope itself;
/// [`invalidate`](Self::invalidate) those nested in it as well.
///
/// # Examples
/// ```
/// let cache: larder::Cache<str> = larder::Cache::builder().max_bytes(1 << 20).build()?;
/// let scope = cache.scope(("shop", "prices"))?;
/// scope.insert("apple", "1.20")?;
/// assert!(cache.get("apple").is_none());
/// assert_eq!(scope.get("apple").as_deref(), Some("1.20"));
///
/// let today = scope.scope("today")?;
/// today.insert("apple", "1.10")?;
/// scope.invalidate();
/// assert!(scope.get("apple").is_none() && today.get("apple").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Concurrency
/// A write that runs at the same time as an `invalidate` comes wholly before it, and its entry is gone, or wholly after it,
/// and its entry stays. When `invalidate` has returned, no operation that begins finds an older entry.
pub struct Scope<'c, V: Value + ?Sized> {
    local: Arc<Local>,
    inner: &'c Arc<Inner<V>>,
    /// The same, without a step between.
    at_hand: &'c Inner<V>,
    is_counted: bool,
}

/// A [`Scope`] that keeps its cache alive, instead of borrowing it: made by [`Scope::into_owned`].
pub struct OwnedScope<V: Value + ?Sized> {
    inner: Arc<Inner<V>>,
    local: Arc<Local>,
    is_counted: bool,
}

/// A scope that doesn't keep its cache.
pub(crate) struct WeakScope<V: Value + ?Sized> {
    inner: Weak<Inner<V>>,
    local: Arc<Local>,
}

impl<V: Value + ?Sized> WeakScope<V> {
    /// The scope, unless its cache is gone.
    pub(crate) fn upgrade(&self) -> Option<OwnedScope<V>> {
        Some(OwnedScope {
            inner: self.inner.upgrade()?,
            local: Arc::clone(&self.local),
            is_counted: false,
        })
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.inner.strong_count() == 0
    }

    /// As that of scopes that keep theirs, also when it is gone.
    pub(crate) fn address(&self) -> *const () {
        self.inner.as_ptr().cast()
    }
}

impl<V: Value + ?Sized> Cache<V> {
    /// Gives the scope of a name: one part or a tuple of parts, like a key. Scopes of `("a", "b")` and of `"a"` are siblings; only
    /// what is asked of a scope is nested in it.
    ///
    /// # Errors
    /// [`ScopeError`]: the name is empty or too long, or no ids are left.
    ///
    /// Cost: the first time in a thread, a lock and some 250 bytes; then a probe of the thread's table of 64 scopes, where what is asked for
    /// again soon displaces what isn't.
    pub fn scope<K: Key>(&self, name: K) -> Result<Scope<'_, V>, ScopeError> {
        resolve(self.inner(), None, &name, Kind::Scope)
    }

    /// Gives the scope of a prefix that a user has chosen, kept apart from every [`scope`](Self::scope) of the same name.
    ///
    /// # Errors
    /// As `scope`.
    pub fn prefix<K: Key>(&self, name: K) -> Result<Scope<'_, V>, ScopeError> {
        resolve(self.inner(), None, &name, Kind::Prefix)
    }
}

/// What scopes have besides the operations of the cache.
macro_rules! scoped {
    ($nested:lifetime, impl<$($life:lifetime)?> $view:ty) => {
        impl<$($life,)? V: Value + ?Sized> $view {
            /// Gives the scope of a name nested in this one; it ends when this one is invalidated.
            ///
            /// # Errors
            /// As [`Cache::scope`], and [`ScopeError::TooDeep`] beyond 16 levels.
            pub fn scope<K: Key>(&self, name: K) -> Result<Scope<$nested, V>, ScopeError> {
                resolve(self.cache(), Some(&self.local), &name, Kind::Scope)
            }

            /// The same for a prefix that a user has chosen: see [`Cache::prefix`].
            ///
            /// # Errors
            /// As `scope`.
            pub fn prefix<K: Key>(&self, name: K) -> Result<Scope<$nested, V>, ScopeError> {
                resolve(self.cache(), Some(&self.local), &name, Kind::Prefix)
            }

            /// Ends all entries of this scope and of those nested in it.
            ///
            /// Their memory is charged until it is swept, by the writes that follow, by [`Cache::maintain`] or a
            /// [`Janitor`](crate::Janitor), and before anything is evicted. A listener is told of them then.
            ///
            /// Cost: the same for ten entries as for a million: a lock, and a word that all views of the cache look at.
            pub fn invalidate(&self) {
                self.inner.store.invalidate(&self.local);
            }

            /// Gives another view of the same scope that has counters of its own, from zero on: [`stats`](Self::stats) tells them. They
            /// count what is looked up and loaded through that view, its clones, and the scopes that are asked of it, through all
            /// invalidations, and belong to those of the named cache, tenant and cache that the scope is in.
            ///
            /// It is meant to be held and cloned, by a part of a program that wants to know its hit ratio: asked for with each request,
            /// it would be another one each time.
            ///
            /// # Errors
            /// [`ScopeError`]: the tenant or named cache was deleted, or no ids are left.
            ///
            /// # Examples
            /// ```
            /// let cache: larder::Cache<str> = larder::Cache::builder().max_bytes(1 << 20).build()?;
            /// let prices = cache.scope("prices")?.counted()?;
            /// prices.insert("apple", "1.20")?;
            /// prices.get("apple");
            /// cache.get("apple");
            /// let (own, all) = (prices.stats().unwrap_or_default(), cache.stats());
            /// assert_eq!((own.hits, own.misses()), (1, 0));
            /// assert_eq!((all.hits, all.misses()), (1, 1));
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn counted(&self) -> Result<Scope<$nested, V>, ScopeError> {
                let inner = self.cache();
                let local = inner.store.registry().counted(&self.local)?;
                Ok(Scope { is_counted: true, ..Scope::new(inner, local) })
            }

            /// What a view made by [`counted`](Self::counted) has counted: look-ups and loads; and what the scope itself holds. What
            /// came and left is counted for named caches, tenants and the cache alone. `None` of other views.
            ///
            /// Cost: the counters of all threads of the process, and each stripe's lock once, shortly.
            pub fn stats(&self) -> Option<Stats> {
                if !self.is_counted {
                    return None;
                }
                let store = &self.inner.store;
                let holding = store.holding(self.local.word(store.registry()));
                let mut stats = Stats {
                    live_entries: holding.n_entries,
                    live_bytes: holding.bytes,
                    ..Stats::default()
                };
                stats.add_counts(&store.counted(self.local.tally()));
                Some(stats)
            }
        }

        impl<$($life,)? V: Value + ?Sized> fmt::Debug for $view {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Scope")
                    .field("len", &self.len())
                    .finish_non_exhaustive()
            }
        }
    };
}

scoped!('c, impl<'c> Scope<'c, V>);
scoped!('_, impl<> OwnedScope<V>);
operations!(Scope<'_, V>);
operations!(OwnedScope<V>);

impl<V: Value + ?Sized> fmt::Display for Scope<'_, V> {
    /// Renders the path for people: the parts of all names, joined by `__`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(life) = self.local.generation(self.inner.store.registry()) else {
            return f.write_str("(deleted)");
        };
        for (step, name) in life.path().into_iter().enumerate() {
            if step > 0 {
                f.write_str("__")?;
            }
            KeyRef::from_stored(Shape::from_bits(name.shape), name.bytes).fmt(f)?;
        }
        Ok(())
    }
}

impl<'c, V: Value + ?Sized> Scope<'c, V> {
    /// What a nested scope borrows: the cache, and not this view of it.
    fn cache(&self) -> &'c Arc<Inner<V>> {
        self.inner
    }

    pub(crate) fn new(inner: &'c Arc<Inner<V>>, local: Arc<Local>) -> Self {
        Self {
            inner,
            at_hand: inner,
            local,
            is_counted: false,
        }
    }

    #[inline(always)]
    pub(crate) fn view(&self) -> View<'_, V> {
        View::new(self.at_hand, Some(&self.local))
    }

    /// Gives the same view without the borrow: it keeps the cache alive.
    pub fn into_owned(self) -> OwnedScope<V> {
        OwnedScope {
            inner: Arc::clone(self.inner),
            local: self.local,
            is_counted: self.is_counted,
        }
    }
}

impl<V: Value + ?Sized> Scope<'_, V> {
    /// Where its cache lies: the same for all scopes of that cache, and for none of another one that is there.
    pub(crate) fn address(&self) -> *const () {
        let inner: &Inner<V> = self.inner;
        std::ptr::from_ref(inner).cast()
    }

    pub(crate) fn downgrade(&self) -> WeakScope<V> {
        WeakScope {
            inner: Arc::downgrade(self.inner),
            local: Arc::clone(&self.local),
        }
    }
}

impl<V: Value + ?Sized> OwnedScope<V> {
    fn cache(&self) -> &Arc<Inner<V>> {
        &self.inner
    }

    #[inline(always)]
    pub(crate) fn view(&self) -> View<'_, V> {
        View::new(&self.inner, Some(&self.local))
    }
}

fn resolve<'c, V: Value + ?Sized, K: Key>(
    inner: &'c Arc<Inner<V>>,
    above: Option<&Arc<Local>>,
    name: &K,
    kind: Kind,
) -> Result<Scope<'c, V>, ScopeError> {
    let local = with_key(name, |name| {
        let (shape, bytes) = (name.shape().bits(), name.bytes());
        let name = Name { kind, shape, bytes };
        let above = above.map(|above| &**above);
        inner.store.registry().local(above, name, None)
    })??;
    Ok(Scope::new(inner, local))
}

impl<V: Value + ?Sized> Clone for Scope<'_, V> {
    fn clone(&self) -> Self {
        Self {
            local: Arc::clone(&self.local),
            ..*self
        }
    }
}

impl<V: Value + ?Sized> Clone for OwnedScope<V> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            local: Arc::clone(&self.local),
            is_counted: self.is_counted,
        }
    }
}

impl Key for ScopeParts<'_> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        for part in self.as_slice() {
            out.bytes(part.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
