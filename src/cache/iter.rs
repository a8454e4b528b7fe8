//! A walk over the entries of a view.

use std::fmt;
use std::vec;

use super::{Cache, Inner, View};
use crate::entry::{Block, Entry, Left, Value};
use crate::lineage::{Local, PlaceWord};
use crate::store::{MemberWalk, Place, Timed};
use crate::sync::Arc;

/// A walk over the entries of a cache or a scope, made by [`Cache::iter`].
#[must_use = "a walk that nobody takes a step of sees nothing"]
pub struct Iter<V: Value + ?Sized> {
    cache: Cache<V>,
    local: Option<Arc<Local>>,
    walk: Walk,
    batch: vec::IntoIter<Entry<V>>,
}

/// How far a walk has come.
pub(crate) enum Walk {
    /// Over the whole cache, the entries of its scopes included.
    All(Option<Place>),
    /// Over one life of a scope.
    Scope(PlaceWord, MemberWalk),
}

impl Walk {
    /// The next few values, due ones as well; `None` after the last.
    fn next_entries<V: Value + ?Sized>(&mut self, view: View<'_, V>) -> Option<Vec<Entry<V>>> {
        let mut entries = Vec::new();
        for block in self.next_blocks(view)? {
            if block.as_ref().is_absent() {
                view.inner.store.release(block);
            } else {
                entries.push(view.entry(block, Left::NEVER));
            }
        }
        Some(entries)
    }

    /// Counts of the next few entries, also of those that say that there is no value. The caller ends them.
    pub(crate) fn next_blocks<V: Value + ?Sized>(
        &mut self,
        view: View<'_, V>,
    ) -> Option<Vec<Block>> {
        let store = &view.inner.store;
        let mut blocks = Vec::new();
        match self {
            Walk::All(place) => *place = store.collect((*place)?, &mut blocks),
            Walk::Scope(word, walk) => {
                if view.place() != Some(*word) {
                    // What was invalidated meanwhile is gone.
                    store.end_walk(walk);
                    return None;
                }
                if !store.collect_members(*word, walk, &mut blocks) {
                    return None;
                }
            }
        }
        Some(blocks)
    }
}

impl<V: Value + ?Sized> View<'_, V> {
    /// `inner` is what the view is of.
    pub(crate) fn iter(self, inner: &Arc<Inner<V>>) -> Iter<V> {
        let inner = Arc::clone(inner);
        Iter {
            cache: Cache { inner },
            local: self.local().cloned(),
            walk: self.walk(),
            batch: Vec::new().into_iter(),
        }
    }

    pub(super) fn walk(self) -> Walk {
        match self.place() {
            None => {
                // A walk over everything asks no entry for its scope; so what has ended goes first.
                self.inner.store.sweep();
                Walk::All(Some(Place::default()))
            }
            Some(word) => Walk::Scope(word, MemberWalk::default()),
        }
    }
}

impl<V: Value + ?Sized> Iterator for Iter<V> {
    type Item = Entry<V>;

    fn next(&mut self) -> Option<Entry<V>> {
        let view = View::new(&self.cache.inner, self.local.as_ref());
        loop {
            for entry in self.batch.by_ref() {
                // Who is being changed at this moment is alive or not, as the walk likes: it says that it isn't.
                if let Timed::Left(left) = view.inner.store.time_left(entry.block(), false) {
                    return Some(view.entry(entry.block().acquire(), left));
                }
            }
            self.batch = self.walk.next_entries(view)?.into_iter();
        }
    }
}

impl<V: Value + ?Sized> Drop for Iter<V> {
    fn drop(&mut self) {
        if let Walk::Scope(_, walk) = &mut self.walk {
            self.cache.inner.store.end_walk(walk);
        }
    }
}

impl<V: Value + ?Sized> fmt::Debug for Iter<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter")
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}
