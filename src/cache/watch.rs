//! What is watched on request: curves and heavy keys, of the cache and of tenants.
//!
//! # Idea         one flag says whether anything is watched at all. Then look-ups take a way of their own, and tell the cache's trackers and
//!   those of the tenant that the view belongs to what they saw
//! # Costs        nothing watched: a load of a line that nobody writes, and a branch, for each look-up and each write
//! # Invariants   A1 a look-up that is a use is noted once, a stored value once, after it is stored
//! # Not here     what is made of it: modules `curve` and `hot_keys`

use super::{Cache, Capacity, Inner, View};
use crate::charter::Charter;
use crate::clock::Nanos;
use crate::curve::{Curve, Note, Size, Tracker};
use crate::entry::{BlockRef, Left, Probe, Value};
use crate::hash::KeyHash;
use crate::hot_keys::{HotKey, HotKeys};
use crate::key::{KeyRef, Shape};
use crate::store::Missed;
use crate::stripe::{Lifetime, cost};
use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicBool, Ordering};

/// What a resident takes of the table beside its charge, on average, and of the wheel if it has a deadline.
const TABLE_SHARE: u64 = 16;
const WHEEL_SHARE: u64 = 16;
/// The part of the bytes that is kept for garbage: one in so many.
const GARBAGE_SHARE: u64 = 64;

/// The trackers of a cache, and whether there are any, those of its tenants included.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    is_on: AtomicBool,
    curve: OnceLock<Box<Tracker>>,
    hot_keys: OnceLock<Box<HotKeys>>,
}

impl Watch {
    /// Whether anything is watched. Once it is, it stays so.
    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    pub(crate) fn track_curve(&self, capacity: Capacity, n_entries: usize) {
        self.curve
            .get_or_init(|| Box::new(Tracker::new(size_of(capacity), n_entries)));
    }

    pub(crate) fn track_hot_keys(&self, n_keys: usize) {
        self.hot_keys.get_or_init(|| Box::new(HotKeys::new(n_keys)));
    }

    /// Whether the cache itself has a tracker.
    pub(crate) fn is_tracking(&self) -> bool {
        self.curve.get().is_some() || self.hot_keys.get().is_some()
    }

    pub(super) fn set_capacity(&self, capacity: Capacity) {
        if let Some(curve) = self.curve.get() {
            curve.set_max(size_of(capacity));
        }
    }
}

/// What entries may take of a capacity.
pub(crate) fn size_of(capacity: Capacity) -> Size {
    Size {
        bytes: capacity
            .max_bytes
            .map_or(u64::MAX, |max| max - max / GARBAGE_SHARE),
        entries: capacity.max_entries.unwrap_or(u64::MAX),
    }
}

impl<V: Value + ?Sized> View<'_, V> {
    /// Looks a key up, as a use, while something is watched.
    pub(super) fn look_watched<R>(
        self,
        hash: KeyHash,
        probe: Probe<'_>,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl FnOnce(Missed) -> R,
    ) -> R {
        let mut note = Note::Miss;
        let noted = |block: BlockRef<'_>, left: Left| {
            note = Note::Hit {
                bytes: cost(block),
                left: left.ttl().map_or(Nanos::MAX, Nanos::from_duration),
            };
            f(block, left)
        };
        // By the way that is a call: a second copy of the other one in line would change how the first is compiled.
        let tally = Some(self.tally());
        let store = &self.inner.store;
        let found = store.look_again(hash, probe, tally, noted, missed);
        self.note(hash, note);
        let shape = Shape::from_bits(probe.shape());
        self.note_key(hash, KeyRef::from_stored(shape, probe.key()));
        found
    }

    /// A value of so many charged bytes was stored.
    #[cold]
    #[inline(never)]
    pub(super) fn note_stored(self, hash: KeyHash, bytes: u64, lifetime: &Lifetime) {
        let spans = [lifetime.ttl(), lifetime.tti()];
        let left = spans.into_iter().flatten().min();
        let left = left.map_or(Nanos::MAX, Nanos::from_duration);
        self.note(hash, Note::Stored { bytes, left });
    }

    /// An entry was taken out by its user.
    pub(super) fn note_gone(self, hash: KeyHash) {
        if self.inner.watch.is_on() {
            self.note(hash, Note::Gone);
        }
    }

    pub(super) fn note_block_gone(self, block: BlockRef<'_>) {
        if self.inner.watch.is_on() {
            self.note(block.probe().hash(self.inner.store.hasher()), Note::Gone);
        }
    }

    fn note_key(self, hash: KeyHash, key: KeyRef<'_>) {
        let own = self.inner.watch.hot_keys.get().map(|own| &**own);
        let charter = self.charter().map(Charter::tenant);
        let tenants = charter.and_then(Charter::hot_keys);
        for hot_keys in own.into_iter().chain(tenants) {
            hot_keys.note(hash, key);
        }
    }

    fn note(self, hash: KeyHash, note: Note) {
        let time = self.inner.store.time();
        if let Some(curve) = self.inner.watch.curve.get() {
            curve.note(hash, with_structure(note), time);
        }
        if let Some(curve) = self.charter().and_then(|charter| charter.tenant().curve()) {
            curve.note(hash, note, time);
        }
    }
}

/// The same with an entry's share of the structure, which the cache's bound covers as well.
fn with_structure(note: Note) -> Note {
    let all = |bytes: u64, left: Nanos| {
        let wheel = if left == Nanos::MAX { 0 } else { WHEEL_SHARE };
        bytes.saturating_add(TABLE_SHARE + wheel)
    };
    match note {
        Note::Hit { bytes, left } => Note::Hit {
            bytes: all(bytes, left),
            left,
        },
        Note::Stored { bytes, left } => Note::Stored {
            bytes: all(bytes, left),
            left,
        },
        Note::Miss | Note::Gone => note,
    }
}

impl<V: Value + ?Sized> Cache<V> {
    /// The hit ratio that the cache would have at half its size, and at up to four times of it; `None` unless it is
    /// [tracked](crate::Builder::track_curve).
    ///
    /// # Examples
    /// ```
    /// let cache: larder::Cache<u32> = larder::Cache::builder().max_entries(1000).track_curve(2048).build()?;
    /// for request in 0..10_000_u32 {
    ///     let key = request % 1500;
    ///     if cache.get(key).is_none() {
    ///         cache.insert(key, request)?;
    ///     }
    /// }
    /// let curve = cache.curve().expect("it is tracked");
    /// let [half, .., four_times] = curve.points;
    /// assert!(half.hit_ratio < four_times.hit_ratio);
    /// assert_eq!(four_times.factor, 4.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Cost: a lock that is tried by those look-ups that are sampled.
    pub fn curve(&self) -> Option<Curve> {
        self.inner.watch.curve.get().map(|curve| curve.curve())
    }

    /// The `n` keys that are looked up most, those first; none unless they are [tracked](crate::Builder::track_hot_keys).
    ///
    /// # Examples
    /// ```
    /// let cache: larder::Cache<str> = larder::Cache::builder().max_entries(100).track_hot_keys(64).build()?;
    /// for request in 0..10_000_u32 {
    ///     cache.get(("user", if request % 3 == 0 { 7 } else { request }));
    /// }
    /// let hot = cache.hot_keys(1);
    /// assert_eq!(hot[0].key().to_string(), "user__7");
    /// assert!((0.25..0.4).contains(&hot[0].share));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Cost: a lock that is tried by those look-ups that are sampled; a copy of the keys.
    pub fn hot_keys(&self, n: usize) -> Vec<HotKey> {
        let hot_keys = self.inner.watch.hot_keys.get();
        hot_keys.map_or(Vec::new(), |hot_keys| hot_keys.heaviest(n))
    }
}

impl<V: Value + ?Sized> Inner<V> {
    /// Has look-ups and writes noted, from about now on.
    pub(crate) fn begin_watch(&self) {
        // Relaxed: what is noted a moment later than it could be is as good.
        self.watch.is_on.store(true, Ordering::Relaxed);
        self.store.registry().stir();
    }

    pub(crate) fn capacity(&self) -> Capacity {
        let (max_bytes, max_entries) = self.store.bounds();
        Capacity {
            max_bytes,
            max_entries,
        }
    }
}
