//! A walk over all entries.

use std::fmt;
use std::vec;

use super::Cache;
use crate::clock::Nanos;
use crate::entry::{Entry, Value};
use crate::store::{FIRST_PLACE, Place};

/// A walk over the entries of a cache, made by [`Cache::iter`].
pub struct Iter<V: Value + ?Sized> {
    cache: Cache<V>,
    place: Option<Place>,
    segment: vec::IntoIter<Entry<V>>,
}

impl<V: Value + ?Sized> Cache<V> {
    /// Walks over the entries, in no order that means anything; no use of them.
    ///
    /// An entry whose key is present throughout the walk is yielded exactly once. Entries that come, go or are replaced
    /// meanwhile may or may not be seen.
    ///
    /// Cost: the lock of a stripe for each segment of at most 448 entries, of which it holds handles for a while.
    pub fn iter(&self) -> Iter<V> {
        Iter {
            cache: self.clone(),
            place: Some(FIRST_PLACE),
            segment: Vec::new().into_iter(),
        }
    }
}

impl<V: Value + ?Sized> Iterator for Iter<V> {
    type Item = Entry<V>;

    fn next(&mut self) -> Option<Entry<V>> {
        loop {
            let store = &self.cache.inner.store;
            for entry in self.segment.by_ref() {
                if let Some(left) = store.time_left(entry.block(), false) {
                    return Some(self.cache.entry(entry.block().acquire(), left));
                }
            }
            let mut blocks = Vec::new();
            self.place = store.collect(self.place?, &mut blocks);
            let entries: Vec<_> = blocks
                .into_iter()
                .map(|block| self.cache.entry(block, Nanos::MAX))
                .collect();
            self.segment = entries.into_iter();
        }
    }
}

impl<V: Value + ?Sized> IntoIterator for &Cache<V> {
    type Item = Entry<V>;
    type IntoIter = Iter<V>;

    fn into_iter(self) -> Iter<V> {
        self.iter()
    }
}

impl<V: Value + ?Sized> fmt::Debug for Iter<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter")
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}
