//! The cache: what a service holds, and the operations on it.
//!
//! # Idea         each operation encodes and hashes its key once, and hands both down to `store`
//! # Costs        stated at each operation
//! # Not here     locks, tables, bytes

mod iter;
mod write;

use std::fmt;
use std::time::Duration;

use crate::clock::Nanos;
use crate::entry::{Block, BlockRef, Entry, Value};
use crate::error::BuildError;
use crate::key::{Key, KeyParts, KeyRef, Shape, lone_key, with_key};
use crate::stats::Stats;
use crate::store::TypedStore;
use crate::sync::{Arc, Weak};

pub use crate::store::Maintained;
pub use iter::Iter;

/// Says how many bytes a value owns outside of itself.
pub(crate) type Weigher<V> = Box<dyn Fn(KeyParts<'_>, &V) -> u64 + Send + Sync>;

/// A bounded, concurrent key-value cache whose hits take no lock.
///
/// A handle is cheap to clone and may be sent to any thread; all clones are the same cache, which ends with the last.
///
/// `V` is what it holds: any `T: Send + Sync + 'static`, or `[u8]` or `str` stored inside the entry. A `Cache<Bytes>`
/// keeps the caller's buffers, and a small `Bytes` slice keeps its whole buffer alive; `Cache<[u8]>` copies.
///
/// # Consistency
/// Operations on one key are linearizable, but that an entry may be evicted at any time: a reader gets the value that
/// was written last, whole, or one that is being written at this moment; after `remove` has returned, no thread
/// gets the removed value. Operations over many keys (`iter`, `retain`, `clear`, `len`) see each key at some moment
/// during the call.
///
/// # Panics
/// No operation panics by itself. What user code panics with (a key's encoding, a weigher, a predicate, a closure for
/// `read`) goes to its caller, and leaves the cache as it was.
pub struct Cache<V: Value + ?Sized> {
    inner: Arc<Inner<V>>,
}

pub(crate) struct Inner<V: Value + ?Sized> {
    pub(crate) store: TypedStore<V>,
    pub(crate) weigher: Option<Weigher<V>>,
    pub(crate) has_tti: bool,
}

/// The bounds of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capacity {
    /// The bound on charged bytes: entries with their overhead, garbage, and the engine's structure.
    pub max_bytes: Option<u64>,
    /// The bound on entries.
    pub max_entries: Option<u64>,
}

impl Capacity {
    /// A bound on bytes alone.
    pub const fn bytes(max: u64) -> Self {
        Self {
            max_bytes: Some(max),
            max_entries: None,
        }
    }

    /// A bound on entries alone.
    pub const fn entries(max: u64) -> Self {
        Self {
            max_bytes: None,
            max_entries: Some(max),
        }
    }

    /// The same, and a bound on entries.
    #[must_use]
    pub const fn and_entries(self, max: u64) -> Self {
        Self {
            max_bytes: self.max_bytes,
            max_entries: Some(max),
        }
    }
}

impl Capacity {
    /// Refuses bounds that can't be counted.
    pub(crate) fn check(self) -> Result<(), BuildError> {
        for (bound, bound_max) in [(self.max_bytes, BYTES_MAX), (self.max_entries, ENTRIES_MAX)] {
            if let Some(bound) = bound.filter(|&bound| bound > bound_max) {
                return Err(BuildError::BoundTooLarge { bound, bound_max });
            }
        }
        Ok(())
    }
}

/// The largest bounds that are taken: sums of them stay far from overflow.
const BYTES_MAX: u64 = 1 << 61;
const ENTRIES_MAX: u64 = 1 << 40;

impl<V: Value + ?Sized> Cache<V> {
    pub(crate) fn from_inner(inner: Inner<V>) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn downgrade(&self) -> Weak<Inner<V>> {
        Arc::downgrade(&self.inner)
    }

    pub(crate) fn upgrade(weak: &Weak<Inner<V>>) -> Option<Self> {
        weak.upgrade().map(|inner| Self { inner })
    }

    /// Gives a counted handle to the entry of a key, and counts as a use of it. A key that can't be in a cache (empty,
    /// too long) is a miss.
    ///
    /// # Examples
    /// ```
    /// let cache: larder::Cache<str> = larder::Cache::builder().max_entries(10).build()?;
    /// cache.insert(("greeting", "en"), "hello")?;
    /// assert_eq!(cache.get(("greeting", "en")).as_deref(), Some("hello"));
    /// assert!(cache.get(("greeting", "fr")).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Cost: no lock; two cache lines besides those of the thread, of which one count is written.
    #[inline]
    pub fn get<K: Key>(&self, key: K) -> Option<Entry<V>> {
        self.handle(&key, true)
    }

    /// Calls `f` on the value of a key in place, and counts as a use of it.
    ///
    /// Nothing that other threads write is written, so it scales on a single hot key. While `f` runs, the entry's memory
    /// can't be taken back if the entry leaves meanwhile; so `f` should be short. It may call the cache.
    ///
    /// # Examples
    /// ```
    /// let cache: larder::Cache<[u8]> = larder::Cache::builder().max_bytes(1 << 20).build()?;
    /// cache.insert("key", [1, 2, 3])?;
    /// assert_eq!(cache.read("key", |value| value.len()), Some(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Cost: as `get`, without the count.
    #[inline]
    pub fn read<K: Key, R>(&self, key: K, f: impl FnOnce(&V) -> R) -> Option<R> {
        self.look(&key, true, |block, _| f(self.inner.store.value(block)))
    }

    /// As [`get`](Self::get), but is no use of the entry: neither idle time nor policy learn of it.
    #[inline]
    pub fn peek<K: Key>(&self, key: K) -> Option<Entry<V>> {
        self.handle(&key, false)
    }

    /// Looks many keys up, so that the waits for memory overlap; a use of each entry that is found.
    ///
    /// The answers stand in the order of the keys; each key is looked up by itself, not all at one moment.
    ///
    /// Cost: for large caches about a third of as many `get`s; one allocation for the answer.
    pub fn get_many<K: Key>(&self, keys: &[K]) -> Vec<Option<Entry<V>>> {
        let store = &self.inner.store;
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MANY) {
            let mut hashes = [crate::hash::KeyHash::from_bits(0); MANY];
            let mut n = 0;
            for key in keys {
                if let Ok(hash) = with_key(key, |key| key.hash(store.hasher())) {
                    store.prefetch_bucket(hash);
                    hashes[n] = hash;
                    n += 1;
                }
            }
            store.prefetch_entries(&hashes[..n]);
            let mut hashes = hashes[..n].iter();
            found.extend(keys.iter().map(|key| {
                let entry = with_key(key, |key| {
                    let hash = *hashes.next()?;
                    let at = (key.shape().bits(), key.bytes());
                    store.look(hash, at, true, |block, left| {
                        self.entry(block.acquire(), left)
                    })
                });
                entry.ok().flatten()
            }));
        }
        found
    }

    /// Whether a live entry of this key is there; no use of it.
    #[inline]
    pub fn contains_key<K: Key>(&self, key: K) -> bool {
        self.look(&key, false, |_, _| ()).is_some()
    }

    /// How long the entry of a key has to live: `None` if it is absent, `Some(None)` if it never expires.
    pub fn ttl<K: Key>(&self, key: K) -> Option<Option<Duration>> {
        self.look(&key, false, |_, left| {
            (left != Nanos::MAX).then(|| Duration::from_nanos(left.0))
        })
    }

    /// The number of entries; those whose deadline has passed count until their memory is taken back.
    ///
    /// Cost: each stripe's lock once, shortly.
    pub fn len(&self) -> usize {
        self.stats().live_entries as usize
    }

    /// Whether there is no entry; see [`len`](Self::len).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that are charged at this moment: entries with their overhead, garbage, and the engine's structure.
    pub fn weight(&self) -> u64 {
        self.inner.store.charged_bytes()
    }

    /// The bounds.
    pub fn capacity(&self) -> Capacity {
        let (max_bytes, max_entries) = self.inner.store.bounds();
        Capacity {
            max_bytes,
            max_entries,
        }
    }

    /// Changes the bounds. A lower bound is reached bit by bit: each write takes out a few entries more than it needs,
    /// and [`maintain`](Self::maintain) or a [`Janitor`](crate::Janitor) does the rest.
    ///
    /// # Errors
    /// [`BuildError::OtherBound`] if the cache was built with bounds of another kind;
    /// [`BuildError::BoundTooLarge`] as for the builder.
    pub fn set_capacity(&self, capacity: Capacity) -> Result<(), BuildError> {
        capacity.check()?;
        if self
            .inner
            .store
            .set_bounds(capacity.max_bytes, capacity.max_entries)
        {
            Ok(())
        } else {
            Err(BuildError::OtherBound)
        }
    }

    /// Does what would otherwise wait for a write: takes expired entries out, follows a lowered bound, frees garbage,
    /// tells the listener. Does about `budget` steps, and says whether more are due. Stalls nobody: a stripe's lock is
    /// held for 16 steps at most.
    pub fn maintain(&self, budget: usize) -> Maintained {
        self.inner.store.maintain(budget)
    }

    /// A snapshot of the counters, stripe by stripe.
    pub fn stats(&self) -> Stats {
        self.inner.store.stats()
    }

    #[inline(always)]
    fn handle<K: Key + ?Sized>(&self, key: &K, is_use: bool) -> Option<Entry<V>> {
        self.look(key, is_use, |block, left| self.entry(block.acquire(), left))
    }

    #[inline(always)]
    fn look<K: Key + ?Sized, R>(
        &self,
        key: &K,
        is_use: bool,
        f: impl FnOnce(BlockRef<'_>, Nanos) -> R,
    ) -> Option<R> {
        if let Some(key) = lone_key(key) {
            return self.look_encoded(key, is_use, f);
        }
        with_key(key, |key| self.look_encoded(key, is_use, f))
            .ok()
            .flatten()
    }

    #[inline(always)]
    fn look_encoded<R>(
        &self,
        key: KeyRef<'_>,
        is_use: bool,
        f: impl FnOnce(BlockRef<'_>, Nanos) -> R,
    ) -> Option<R> {
        let store = &self.inner.store;
        store.look(
            key.hash(store.hasher()),
            (key.shape().bits(), key.bytes()),
            is_use,
            f,
        )
    }

    #[inline(always)]
    fn entry(&self, block: Block, left: Nanos) -> Entry<V> {
        self.inner.store.entry(block, left)
    }
}

/// Keys of `get_many` that are prefetched together.
const MANY: usize = 32;

impl<V: Value + ?Sized> Entry<V> {
    /// The key, part by part; it renders for people.
    pub fn key(&self) -> KeyParts<'_> {
        key_of(self.block()).parts()
    }
}

/// The key of a block, as it was encoded.
pub(crate) fn key_of(block: BlockRef<'_>) -> KeyRef<'_> {
    KeyRef::from_stored(Shape::from_bits(block.shape()), block.key_bytes())
}

impl<V: Value + ?Sized> Clone for Cache<V> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<V: Value + ?Sized> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("capacity", &self.capacity())
            .field("stats", &self.stats())
            .finish()
    }
}
