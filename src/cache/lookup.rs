//! Looks that tell more than a value: whether it is stale, and what is known where there is none.
//!
//! # Idea         a hit is a look-up as any other; after a miss comes a second look, for what says that there is no value
//! # Costs        a hit: that of `get`; a miss: twice that
//! # Not here     loading (module `load`)

use super::lead::At;
use super::loading::Lookup;
use super::view::View;
use crate::entry::{BlockRef, Entry, Value};
use crate::key::{Key, with_key};
use crate::reclaim;
use crate::tally::Event;

impl<V: Value + ?Sized> View<'_, V> {
    pub(crate) fn lookup<K: Key + ?Sized>(self, key: &K) -> Lookup<V> {
        let store = &self.inner.store;
        let entry = |block: BlockRef<'_>, left| store.entry(block.acquire(), left);
        let found = |block: BlockRef<'_>, left| Ok(entry(block, left));
        let missed = match self.look(reclaim::seat(), key, true, found, Err) {
            Ok(entry) => return self.found(entry),
            Err(missed) => missed,
        };
        // In one look, since what says that there is no value may give way to one, and the other way round.
        let any = with_key(key, |key| {
            let at = self.at(self.place(), key);
            store.look_any(at.hash, at.probe, |block, left| {
                (!block.is_absent()).then(|| entry(block, left))
            })
        });
        match any {
            Ok(Ok(Some(entry))) => self.found(entry),
            Ok(Ok(None)) => {
                self.tally().count(Event::Negative, 1);
                Lookup::Negative
            }
            Ok(Err(_)) | Err(_) => Lookup::Miss(missed.into()),
        }
    }

    fn found(self, entry: Entry<V>) -> Lookup<V> {
        if entry.is_stale() {
            self.tally().count(Event::Stale, 1);
            Lookup::Stale(entry)
        } else {
            Lookup::Hit(entry)
        }
    }

    /// Whether a loader has found that there is no value, and that holds still. Asked without a lock.
    pub(super) fn knows_absence<K: Key + ?Sized>(self, key: &K) -> bool {
        let is_absent = with_key(key, |key| {
            let At { hash, probe } = self.at(self.place(), key);
            let is_absent = |block: BlockRef<'_>, _| block.is_absent();
            self.inner.store.look_any(hash, probe, is_absent)
        });
        let is_known = matches!(is_absent, Ok(Ok(true)));
        self.tally().count(Event::Negative, u64::from(is_known));
        is_known
    }
}
