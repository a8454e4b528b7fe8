//! A handle that doesn't keep the cache.

use std::fmt;

use super::{Cache, Inner};
use crate::entry::Value;
use crate::sync::Weak;

/// A handle to a cache that may have ended: what a listener, a weigher or a loader keeps that calls the cache it belongs to. A
/// [`Cache`] kept there would keep itself, for ever.
///
/// # Examples
/// ```
/// use std::sync::{Arc, OnceLock};
/// use larder::{Cache, RemovalCause, WeakCache};
///
/// let known = Arc::new(OnceLock::<WeakCache<u64>>::new());
/// let inside = Arc::clone(&known);
/// let cache = Cache::<u64>::builder()
///     .max_entries(100)
///     .listener(move |_, value, cause| {
///         let cache = inside.get().and_then(WeakCache::upgrade);
///         if let (Some(cache), RemovalCause::Removed) = (cache, cause) {
///             cache.insert("removed last", *value).ok();
///         }
///     })
///     .build()?;
/// known.set(cache.downgrade()).expect("set once");
///
/// cache.insert("k", 7)?;
/// cache.remove("k");
/// cache.maintain(10);
/// assert_eq!(cache.get("removed last").as_deref(), Some(&7));
///
/// let weak = cache.downgrade();
/// drop(cache);
/// assert!(weak.upgrade().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WeakCache<V: Value + ?Sized>(Weak<Inner<V>>);

impl<V: Value + ?Sized> Cache<V> {
    /// A handle that doesn't keep the cache.
    ///
    /// Cost: one exchange of a shared count.
    pub fn downgrade(&self) -> WeakCache<V> {
        WeakCache(crate::sync::Arc::downgrade(self.inner()))
    }
}

impl<V: Value + ?Sized> WeakCache<V> {
    /// The cache, unless its last handle is gone.
    ///
    /// Cost: one exchange of a shared count, or two under contention.
    pub fn upgrade(&self) -> Option<Cache<V>> {
        self.0.upgrade().map(|inner| Cache { inner })
    }

    /// Whether the last handle is gone; if so, for good.
    pub fn has_ended(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl<V: Value + ?Sized> Clone for WeakCache<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V: Value + ?Sized> fmt::Debug for WeakCache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakCache")
            .field("has_ended", &self.has_ended())
            .finish()
    }
}
