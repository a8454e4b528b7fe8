//! Writing to both levels: the further one first, then the cache.

use std::fmt;

use super::key::{LevelKey, LevelScope};
use super::turns::{Turn, Watch};
use super::view::{Inner, LevelView};
use super::{LevelError, LevelMode, LevelRecord, OnLevelError, Seen};
use crate::cache::Terms;
use crate::clock::Nanos;
use crate::error::{InsertError, Refusal};
use crate::key::{Key, KeyRef, with_key};
use crate::terms::{Span, WriteOptions};

/// Where a value was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LevelPut {
    /// In the cache.
    pub in_l1: bool,
    /// In the further level.
    pub in_l2: bool,
    /// Why not in the further level, where it was to be.
    pub error: Option<LevelError>,
}

/// Why a value was not put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LevelRefusal {
    /// The cache refuses it.
    Refused(Refusal),
    /// The further level failed, and [`OnLevelError::Fail`] is asked for. It may have been put there.
    Level(LevelError),
    /// [`Ttl::KEEP`](crate::Ttl::KEEP) is asked for, which can't be had across levels.
    KeepsTtl,
}

/// A refused put, with the value that was given.
#[derive(Clone, PartialEq, Eq)]
pub struct LevelPutError<S> {
    /// Why it was refused.
    pub refusal: LevelRefusal,
    /// The value, as it was given.
    pub value: S,
}

impl<S> fmt::Debug for LevelPutError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LevelPutError")
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

impl<S> fmt::Display for LevelPutError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refusal {
            LevelRefusal::Refused(refusal) => refusal.fmt(f),
            LevelRefusal::Level(error) => error.fmt(f),
            LevelRefusal::KeepsTtl => {
                f.write_str("the time to live of an older value can't be kept across levels")
            }
        }
    }
}

impl<S> std::error::Error for LevelPutError<S> {}

/// What came of a write to the further level.
type Written = Result<(), LevelError>;

impl LevelView<'_> {
    /// Stores a value under a key: in the further level for its time to live, and then in the cache for that or
    /// [`LevelOptions::l1_lifetime`](super::LevelOptions::l1_lifetime), whichever is shorter.
    ///
    /// A value that is too large for the further level is put into the cache alone, and an older record is deleted first. One
    /// that is too large for the cache is put into the further level alone.
    ///
    /// # Errors
    /// What the cache refuses, before the level is asked; and, with [`OnLevelError::Fail`], what the level failed with. The value
    /// comes back in the error.
    pub fn put<K, S>(
        &self,
        key: K,
        value: S,
        options: impl Into<WriteOptions>,
    ) -> Result<LevelPut, LevelPutError<S>>
    where
        K: Key,
        S: AsRef<[u8]>,
    {
        let options = options.into();
        let bytes = value.as_ref();
        let put = match self.options.mode {
            LevelMode::L1 => self.put_here(&key, bytes, options),
            _ => with_key(&key, |key| self.put_through(key, bytes, options))
                .unwrap_or_else(|error| Err(LevelRefusal::Refused(Refusal::Key(error)))),
        };
        put.map_err(|refusal| LevelPutError { refusal, value })
    }

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

    fn put_here<K: Key>(
        &self,
        key: &K,
        value: &[u8],
        options: WriteOptions,
    ) -> Result<LevelPut, LevelRefusal> {
        match self.here().insert(key, value, Some(&options)) {
            Ok(_) => Ok(LevelPut {
                in_l1: true,
                in_l2: false,
                error: None,
            }),
            Err(error) => Err(LevelRefusal::Refused(error.refusal)),
        }
    }

    fn put_through(
        &self,
        key: KeyRef<'_>,
        value: &[u8],
        options: WriteOptions,
    ) -> Result<LevelPut, LevelRefusal> {
        if options.ttl.span == Span::Keep {
            return Err(LevelRefusal::KeepsTtl);
        }
        // Before the level is asked: a purge from here on takes the copy with it.
        let terms = self.here().terms(key, value.len(), options);
        let terms = terms.map_err(LevelRefusal::Refused)?;
        let path = self.path();
        let level_key = path.key(key);
        let hash = self.hash(&level_key);
        let until = self.until(self.options.timeout);
        let turn = self.turn(self.inner().turns.watch(hash), until);
        let record = LevelRecord {
            value,
            tag: terms.tag(),
            ttl: terms.ttl(),
            fresh: terms.fresh(),
            stamp: None,
        };
        let written = match &turn {
            Ok(_) => self.set(&level_key, hash, None, record, until).map(drop),
            Err(error) => Err(*error),
        };
        if self.here().is_closed() {
            // A new cache of the name may be there already, and must not find it.
            if self.delete(&level_key, hash, until).is_err() {
                self.owe(&level_key, hash);
            }
            return Err(LevelRefusal::Refused(Refusal::Closed));
        }
        let error = match written {
            Ok(()) => None,
            Err(error @ LevelError::TooLarge { .. }) => Some(error),
            Err(error) => {
                let owe = || self.owe(&level_key, hash);
                self.failed(error, owe).map_err(LevelRefusal::Level)?;
                Some(error)
            }
        };
        let in_l2 = error.is_none();
        let mut in_l1 = false;
        if self.options.mode.has_l1() {
            // Who didn't get a turn doesn't know which write is the later one, and leaves none.
            let wrote = match &turn {
                Ok(_) => self.put_copy(key, value, &terms),
                Err(_) => Ok(false),
            };
            in_l1 = wrote == Ok(true);
            if !in_l1 {
                self.here().remove(&key.parts());
            }
            match wrote {
                Err(refusal) if !in_l2 => return Err(LevelRefusal::Refused(refusal)),
                _ => {}
            }
        }
        Ok(LevelPut {
            in_l1,
            in_l2,
            error,
        })
    }

    fn put_copy(&self, key: KeyRef<'_>, value: &[u8], terms: &Terms<'_>) -> Result<bool, Refusal> {
        let ttl_max = self.options.copy_ttl_max();
        let wrote = self.here().write_on_terms(key, value, *terms, ttl_max);
        wrote.map_err(|InsertError { refusal, .. }| refusal)
    }

    /// Stores what was loaded, unless somebody wrote the key since it was watched, here, or since it was seen, anywhere. Whether the
    /// latter was the case.
    pub(super) fn publish(
        &self,
        key: &LevelKey<'_>,
        hash: u64,
        watch: Watch<'_>,
        seen: Option<Seen>,
        record: LevelRecord<&[u8]>,
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
            Ok(true) | Err(LevelError::TooLarge { .. }) => false,
            Ok(false) => {
                counts.overtaken.add();
                true
            }
            Err(_) => {
                counts.write_errors.add();
                self.owe(key, hash);
                false
            }
        }
    }

    /// Stores a record, where something was seen only in the place of that; if it is too large, deletes the older one. Whether
    /// it was still there.
    fn set(
        &self,
        key: &LevelKey<'_>,
        hash: u64,
        seen: Option<Seen>,
        record: LevelRecord<&[u8]>,
        until: Nanos,
    ) -> Result<bool, LevelError> {
        let Inner { debts, counts, .. } = self.inner();
        self.pay_for_scopes(key.scopes(), until)?;
        let debt = debts.of_key(hash);
        let value_bytes = record.value.len() as u64;
        let stored = match self.value_bytes_max() {
            Some(value_bytes_max) if value_bytes > value_bytes_max => {
                Err(LevelError::TooLarge { value_bytes_max })
            }
            _ => self.call(until, |level, within| match seen {
                Some(seen) => level.replace(key, seen, Some(record), within),
                None => level.set(key, record, within).map(|()| true),
            }),
        };
        match stored {
            Ok(true) => {
                debts.pay_key(hash, debt);
                counts.puts.add();
            }
            Err(LevelError::TooLarge { .. }) => {
                counts.too_large.add();
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

    fn delete(&self, key: &LevelKey<'_>, hash: u64, until: Nanos) -> Result<bool, LevelError> {
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

    fn turn<'a>(&self, watch: Watch<'a>, until: Nanos) -> Result<Turn<'a>, LevelError> {
        // Who has no time left counts as one who came, so that no load takes itself for the first.
        let left = self.left(until).unwrap_or_default();
        watch.turn(left).ok_or(LevelError::Timeout)
    }

    /// What is to become of a write that the level failed: it is owed, or it fails too.
    fn failed(&self, error: LevelError, owe: impl FnOnce()) -> Written {
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
