//! One view of a cache, the whole of it or a scope: where each operation is implemented, once.
//!
//! # Idea         a view is where the entries are kept, and where in it the caller stands. The whole cache is the view that stands
//!   nowhere; with that known at compile time, what scopes need costs it nothing
//! # Costs        stated at each operation of `operations`
//! # Invariants   V1 the place is asked for once an operation, at its beginning
//! # Not here     the operations' names and documentation: module `operations`

use std::time::Duration;

use super::{Inner, key_of};
use crate::entry::{Block, BlockRef, Entry, Left, Probe, Value};
use crate::hash::KeyHash;
use crate::key::{Key, KeyParts, KeyRef, Shape, lone_key, with_key};
use crate::lineage::{Local, PlaceWord};
use crate::reclaim::{self, Seat};
use crate::store::{Counting, Missed};
use crate::stripe::Home;
use crate::sync::Arc;
use crate::tally::{Event, Tally};

/// Keys that `get_many` keeps in flight at a time.
const MANY: usize = 32;

/// See the module.
pub(crate) struct View<'a, V: Value + ?Sized> {
    pub(super) inner: &'a Inner<V>,
    local: Option<&'a Arc<Local>>,
}

impl<V: Value + ?Sized> Clone for View<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Value + ?Sized> Copy for View<'_, V> {}

impl<'a, V: Value + ?Sized> View<'a, V> {
    #[inline(always)]
    pub(crate) fn new(inner: &'a Inner<V>, local: Option<&'a Arc<Local>>) -> Self {
        Self { inner, local }
    }

    #[inline(always)]
    pub(crate) fn get<K: Key + ?Sized>(self, key: &K, is_use: bool) -> Option<Entry<V>> {
        self.get_by(reclaim::seat(), key, is_use)
    }

    /// By a seat that was asked for before the view, so that little has to be kept for that, which may be a call.
    #[inline(always)]
    pub(crate) fn get_by<K: Key + ?Sized>(
        self,
        seat: Seat,
        key: &K,
        is_use: bool,
    ) -> Option<Entry<V>> {
        let store = &self.inner.store;
        let entry = |block: BlockRef<'_>, left| Some(store.entry(block.acquire(), left));
        self.look(seat, key, is_use, entry, |_| None)
    }

    #[inline(always)]
    pub(crate) fn read_by<K: Key + ?Sized, R>(
        self,
        seat: Seat,
        key: &K,
        f: impl FnOnce(&V) -> R,
    ) -> Option<R> {
        let store = &self.inner.store;
        let value = |block: BlockRef<'_>, _| Some(f(store.value(block)));
        self.look(seat, key, true, value, |_| None)
    }

    #[inline(always)]
    pub(crate) fn contains_key_by<K: Key + ?Sized>(self, seat: Seat, key: &K) -> bool {
        self.look(seat, key, false, |_, _| true, |_| false)
    }

    pub(crate) fn ttl<K: Key + ?Sized>(self, key: &K) -> Option<Option<Duration>> {
        let store = &self.inner.store;
        // The reading by which the entry was found may be a tick old, and by it more would be left than was given. Where its deadline is
        // over or changed meanwhile, what was found stands.
        let exactly = |block: BlockRef<'_>, left: Left| {
            let coarsely = left.ttl()?;
            let left = block.earliest().saturating_since(store.time().now());
            Some(if left.is_zero() {
                coarsely
            } else {
                left.min(coarsely)
            })
        };
        let exactly = |block: BlockRef<'_>, left: Left| Some(exactly(block, left));
        self.look(reclaim::seat(), key, false, exactly, |_| None)
    }

    pub(crate) fn get_many<K: Key>(self, keys: &[K]) -> Vec<Option<Entry<V>>> {
        let store = &self.inner.store;
        let place = self.place();
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MANY) {
            let mut hashes = [KeyHash::from_bits(0); MANY];
            let mut n = 0;
            for key in keys {
                if let Ok(hash) = with_key(key, |key| at(place, key).hash(store.hasher())) {
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
                    let probe = at(place, key);
                    let found = |block: BlockRef<'_>, left| Some(self.entry(block.acquire(), left));
                    let first = (!self.inner.watch.is_on()).then(reclaim::enter_first);
                    match first.flatten() {
                        Some(hazard) => {
                            let counting = self.counting(true);
                            store.look(hazard, hash, probe, counting, found, |_| None)
                        }
                        None => self.look_at(hash, probe, true, found, |_| None),
                    }
                });
                entry.unwrap_or_else(|_| {
                    store.count(self.counting(true), Event::Absent);
                    None
                })
            }));
        }
        found
    }

    /// Looks a key up; what operations that don't change anything have in common.
    #[inline(always)]
    pub(super) fn look<K: Key + ?Sized, R>(
        self,
        seat: Seat,
        key: &K,
        is_use: bool,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl Fn(Missed) -> R,
    ) -> R {
        if let Some(key) = lone_key(key) {
            return self.look_in(seat, key, is_use, f, missed);
        }
        with_key(key, |key| self.look_in(seat, key, is_use, f, &missed)).unwrap_or_else(|_| {
            self.inner.store.count(self.counting(is_use), Event::Absent);
            missed(Missed::Absent)
        })
    }

    /// What isn't as with most look-ups is asked before the key is hashed, so that little has to be kept for it.
    #[inline(always)]
    fn look_in<R>(
        self,
        seat: Seat,
        key: KeyRef<'_>,
        is_use: bool,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl FnOnce(Missed) -> R,
    ) -> R {
        let (inner, counting) = (self.inner, self.counting(is_use));
        let store = &inner.store;
        let (place, hazard) = match self.local {
            // A view tells by its epoch whether something is watched.
            Some(local) => {
                let (word, differing) = local.word_at_hand(store.registry());
                (Some(word), seat.enter_if_zero(differing))
            }
            None if is_use && inner.watch.is_on() => (None, None),
            None => (None, seat.enter()),
        };
        let Some(hazard) = hazard else {
            return self.look_otherwise(key.shape(), key.bytes(), is_use, f, missed);
        };
        let probe = at(place, key);
        let hash = probe.hash(store.hasher());
        store.look(hazard, hash, probe, counting, f, missed)
    }

    /// Looks a key up where something is watched, a view has to be read anew, or the thread has no first hazard at hand.
    #[cold]
    #[inline(never)]
    fn look_otherwise<R>(
        self,
        shape: Shape,
        key: &[u8],
        is_use: bool,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl FnOnce(Missed) -> R,
    ) -> R {
        let probe = at(self.place(), KeyRef::from_stored(shape, key));
        let hash = probe.hash(self.inner.store.hasher());
        self.look_at(hash, probe, is_use, f, missed)
    }

    /// The same, of a key that is hashed already.
    fn look_at<R>(
        self,
        hash: KeyHash,
        probe: Probe<'_>,
        is_use: bool,
        f: impl FnOnce(BlockRef<'_>, Left) -> R,
        missed: impl FnOnce(Missed) -> R,
    ) -> R {
        if is_use && self.inner.watch.is_on() {
            return self.look_watched(hash, probe, f, missed);
        }
        let tally = is_use.then(|| self.tally());
        let store = &self.inner.store;
        store.look_again(hash, probe, tally, f, missed)
    }

    /// Whom a look-up through this view counts for, if it is one that counts.
    #[inline(always)]
    pub(super) fn counting(self, counts: bool) -> Counting<'a> {
        match self.local {
            _ if !counts => Counting::Nobody,
            None => Counting::Cache,
            Some(local) => Counting::View(local),
        }
    }

    /// Whom the view's loads count for.
    pub(super) fn tally(self) -> &'a Arc<Tally> {
        match self.local {
            None => self.inner.store.registry().tally(),
            Some(local) => local.tally(),
        }
    }

    /// Where the caller stands at this moment (V1).
    #[inline(always)]
    pub(super) fn place(self) -> Option<PlaceWord> {
        self.local
            .map(|local| local.word(self.inner.store.registry()))
    }

    /// The same for a write, which asks again under its lock.
    #[inline(always)]
    pub(super) fn home(self) -> Option<Home<'a>> {
        let local = self.local?;
        let registry = self.inner.store.registry();
        // The epoch first, so that what ends afterwards is seen to have ended.
        let epoch = registry.epoch();
        let word = local.word(registry);
        Some(Home { word, epoch, local })
    }

    pub(super) fn local(self) -> Option<&'a Arc<Local>> {
        self.local
    }

    /// The number of entries, due ones included.
    pub(crate) fn len(self) -> usize {
        let store = &self.inner.store;
        match self.place() {
            None => store.stats().live_entries as usize,
            Some(word) => store.holding(word).n_entries as usize,
        }
    }

    #[inline(always)]
    pub(super) fn entry(self, block: Block, left: Left) -> Entry<V> {
        self.inner.store.entry(block, left)
    }
}

/// A key in a place, or in the root.
#[inline(always)]
pub(super) fn at(place: Option<PlaceWord>, key: KeyRef<'_>) -> Probe<'_> {
    Probe::new(place.map(PlaceWord::bits), key.shape().bits(), key.bytes())
}

impl<V: Value + ?Sized> Entry<V> {
    /// The parts of the key, relative to the scope that the entry was stored in.
    pub fn key(&self) -> KeyParts<'_> {
        key_of(self.block()).parts()
    }
}
