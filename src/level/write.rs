//! Writing to the further level, and taking out of both.

use super::fetch::Meta;
use super::key::{LevelKey, LevelScope};
use super::turns::{Turn, Watch};
use super::view::{Inner, LevelView};
use super::{LevelError, LevelMode, LevelRecord, OnLevelError, Seen, Stamp};
use crate::cache::Terms;
use crate::clock::Nanos;
use crate::codec::{Codec, Encoding, encoded};
use crate::key::{Key, with_key};

/// What came of a write to the further level.
pub(super) type Written = Result<(), LevelError>;

/// A value's bytes, or why it has none that the level takes.
pub(super) type Encoded<'a> = Result<&'a [u8], LevelError>;

impl<V: Codec + ?Sized> LevelView<'_, V> {
    /// Takes the value of a key out of both levels; whether there was one, as far as they tell.
    ///
    /// # Errors
    /// With [`OnLevelError::Fail`], what the further level failed with; it is taken out of the cache nevertheless.
    pub fn remove<K: Key>(&self, key: K) -> Result<bool, LevelError> {
        if self.options.mode == LevelMode::L1 {
            return Ok(self.here().remove(&key).is_some());
        }
        if self.here().is_closed() {
            return Ok(false);
        }
        let path = self.path();
        let removed = with_key(&key, |encoded| {
            let level_key = path.key(encoded);
            let hash = self.hash(&level_key);
            let until = self.until(self.options.timeout);
            let turn = self.turn(self.inner().turns.watch(hash), until);
            let removed = match &turn {
                Ok(_) => self.delete(&level_key, hash, until),
                Err(error) => Err(*error),
            };
            let judged = match removed {
                Ok(was_there) => Ok(was_there),
                Err(error) => self
                    .failed(error, || self.owe(&level_key, hash))
                    .map(|()| false),
            };
            // The level alone has nothing to do with what the cache holds.
            let was_here = self.options.mode.has_l1() && self.here().remove(&key).is_some();
            Ok(judged? | was_here)
        });
        removed.unwrap_or(Ok(false))
    }

    /// Ends all entries of the scope and of those below it, in both levels. With a named cache's scope that is a flush.
    ///
    /// Also to be called, with a view from before, after a tenant or named cache was deleted: a new one of the same name would find
    /// its records otherwise.
    ///
    /// # Errors
    /// With [`OnLevelError::Fail`], what the further level failed with; the cache's entries have ended nevertheless.
    ///
    /// Cost: in each level, one change of a number.
    pub fn purge(&self) -> Result<(), LevelError> {
        let ended = match self.options.mode {
            LevelMode::L1 => Ok(()),
            _ => {
                let path = self.path();
                let until = self.until(self.options.timeout);
                self.end(path.scope(), until).or_else(|error| {
                    // The scopes above are in its path; the outermost one takes what there is no room for.
                    let scopes = path.scopes().map(|scope| self.hash_scope(&scope));
                    self.failed(error, || self.inner().debts.owe_scope(scopes))
                })
            }
        };
        if self.options.mode.has_l1() {
            self.scope.invalidate();
        }
        ended
    }

    /// What a record says of a value that is written on these terms.
    pub(super) fn record(&self, terms: &Terms<'_>, stamp: Option<Stamp>) -> Meta {
        LevelRecord {
            value: (),
            encoding: Encoding::of::<V>(),
            tag: terms.tag(),
            ttl: terms.ttl(),
            fresh: terms.fresh(),
            stamp,
        }
    }

    /// The bytes of a value, or why it has none that the level takes.
    pub(super) fn encoded<'a>(&self, value: &'a V, room: &'a mut Vec<u8>) -> Encoded<'a> {
        let bytes = encoded(value, room).map_err(|_| LevelError::Unencodable)?;
        match self.value_bytes_max() {
            Some(value_bytes_max) if bytes.len() as u64 > value_bytes_max => {
                Err(LevelError::TooLarge { value_bytes_max })
            }
            _ => Ok(bytes),
        }
    }

    /// Stores what was loaded, unless somebody wrote the key since it was watched, here, or since it was seen, anywhere. Whether the
    /// latter was the case.
    pub(super) fn publish(
        &self,
        key: &LevelKey<'_>,
        hash: u64,
        watch: Watch<'_>,
        seen: Option<Seen>,
        record: LevelRecord<Encoded<'_>>,
    ) -> bool {
        let until = self.until(self.options.timeout);
        let written = match (self.turn(watch, until), seen) {
            (Ok(turn), _) if !turn.is_first() => return false,
            // Without an answer it isn't known under which stamp the load began, and instead of what.
            (Ok(_), None) => Err(LevelError::Unavailable),
            (Ok(_turn), seen) => self.set(key, hash, seen, record, until),
            (Err(error), _) => Err(error),
        };
        self.published(key, hash, written)
    }

    /// Deletes what a loader has found to be gone, under the same conditions.
    pub(super) fn forget(
        &self,
        key: &LevelKey<'_>,
        hash: u64,
        watch: Watch<'_>,
        seen: Option<Seen>,
    ) -> bool {
        let until = self.until(self.options.timeout);
        let deleted = match (self.turn(watch, until), seen) {
            (Ok(turn), _) if !turn.is_first() => return false,
            (Ok(_), None) => Err(LevelError::Unavailable),
            (Ok(_turn), Some(seen)) => self.call(until, |level, within| {
                level.replace(key, seen, None, within)
            }),
            (Err(error), _) => Err(error),
        };
        self.published(key, hash, deleted)
    }

    /// Notes what came of storing or deleting under a condition; whether that didn't hold any more.
    fn published(&self, key: &LevelKey<'_>, hash: u64, done: Result<bool, LevelError>) -> bool {
        let counts = &self.inner().counts;
        match done {
            Ok(true) => false,
            Ok(false) => {
                counts.overtaken.add();
                true
            }
            Err(error) if error.is_of_value() => false,
            Err(_) => {
                counts.write_errors.add();
                self.owe(key, hash);
                false
            }
        }
    }

    /// Stores a record, where something was seen only in the place of that; if the level doesn't take it, deletes the older one. Whether
    /// it was still there.
    pub(super) fn set(
        &self,
        key: &LevelKey<'_>,
        hash: u64,
        seen: Option<Seen>,
        record: LevelRecord<Encoded<'_>>,
        until: Nanos,
    ) -> Result<bool, LevelError> {
        let Inner { debts, counts, .. } = self.inner();
        self.pay_for_scopes(key.scopes(), until)?;
        let debt = debts.of_key(hash);
        let (bytes, meta) = record.apart();
        let stored = bytes.and_then(|bytes| {
            let record = meta.with_value(bytes);
            self.call(until, |level, within| match seen {
                Some(seen) => level.replace(key, seen, Some(record), within),
                None => level.set(key, record, within).map(|()| true),
            })
        });
        match stored {
            Ok(true) => {
                debts.pay_key(hash, debt);
                counts.puts.add();
            }
            Err(error) if error.is_of_value() => {
                counts.not_taken(error);
                self.call(until, |level, within| match seen {
                    Some(seen) => level.replace(key, seen, None, within),
                    None => level.delete(key, within),
                })?;
                debts.pay_key(hash, debt);
            }
            Ok(false) | Err(_) => {}
        }
        stored
    }

    pub(super) fn delete(
        &self,
        key: &LevelKey<'_>,
        hash: u64,
        until: Nanos,
    ) -> Result<bool, LevelError> {
        let Inner { debts, counts, .. } = self.inner();
        let debt = debts.of_key(hash);
        let was_there = self.call(until, |level, within| level.delete(key, within))?;
        debts.pay_key(hash, debt);
        counts.deletes.add();
        Ok(was_there)
    }

    fn end(&self, scope: LevelScope<'_>, until: Nanos) -> Written {
        let Inner { debts, counts, .. } = self.inner();
        let hash = self.hash_scope(&scope);
        let debt = debts.of_scope(hash);
        self.call(until, |level, within| level.end(&scope, within))?;
        debts.pay_scope(hash, debt);
        counts.purges.add();
        Ok(())
    }

    pub(super) fn turn<'a>(&self, watch: Watch<'a>, until: Nanos) -> Result<Turn<'a>, LevelError> {
        // Who has no time left counts as one who came, so that no load takes itself for the first.
        let left = self.left(until).unwrap_or_default();
        watch.turn(left).ok_or(LevelError::Timeout)
    }

    /// What is to become of a write that the level failed: it is owed, or it fails too.
    pub(super) fn failed(&self, error: LevelError, owe: impl FnOnce()) -> Written {
        self.inner().counts.write_errors.add();
        match self.options.on_error {
            OnLevelError::Ignore => {
                owe();
                Ok(())
            }
            OnLevelError::Fail => Err(error),
        }
    }
}
