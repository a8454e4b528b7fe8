//! Reading through both levels: what isn't in the cache is loaded from the level, or from a loader behind it.

use std::time::Duration;

use bytes::Bytes;

use super::fetch::{Fetched, Meta};
use super::lease::Leased;
use super::view::LevelView;
use super::{LevelMode, LevelRecord};
use crate::cache::{LoadOptions, Loaded, Lookup, MissReason};
use crate::clock::Nanos;
use crate::entry::Entry;
use crate::error::{InsertError, LoadError, Refusal};
use crate::key::{Key, KeyRef, with_key};
use crate::terms::WriteOptions;

/// A value from the level, or from the caller's loader.
enum Held<S> {
    Fetched(Bytes),
    Loaded(S),
}

impl<S: AsRef<[u8]>> AsRef<[u8]> for Held<S> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Fetched(value) => value,
            Self::Loaded(value) => value.as_ref(),
        }
    }
}

/// Why a load leaves nothing in the cache.
enum Stop<S, E> {
    Loader(E),
    Refused(InsertError<S>),
    /// The cache isn't used: the answer itself.
    Done(Option<Entry<[u8]>>),
}

impl LevelView<'_> {
    /// Gives the value of a key, fresh or stale, from the cache or else from the further level, within the time that the options give.
    ///
    /// Cost: a hit in the cache, that of [`Scope::get`](crate::Scope::get) and a branch.
    pub fn get<K: Key>(&self, key: K) -> Option<Entry<[u8]>> {
        if self.options.mode.has_l1()
            && let Some(entry) = self.here().get(&key, true)
        {
            return Some(entry);
        }
        self.lookup_missing(&key, self.options.timeout).entry()
    }

    /// Looks a key up, in the further level for so long at most, and says what is known if there is no value. A hit in the cache takes
    /// no time of it.
    ///
    /// With both levels, of callers who miss the same key at once, one asks the level, and the others find what it brought. What comes
    /// too late is dropped.
    pub fn lookup<K: Key>(&self, key: K, within: Duration) -> Lookup<[u8]> {
        if self.options.mode.has_l1() {
            match self.here().lookup(&key) {
                Lookup::Miss(_) if self.options.mode != LevelMode::L1 => {}
                found => return found,
            }
        }
        self.lookup_missing(&key, within)
    }

    /// How long the value of a key has to live in the further level, or in the cache if that is used alone; `None`: for ever.
    ///
    /// # Errors
    /// Why nothing is known.
    ///
    /// Cost: but for the mode `L1`, a read from the further level.
    pub fn ttl<K: Key>(&self, key: K) -> Result<Option<Duration>, MissReason> {
        if self.options.mode == LevelMode::L1 {
            return self.here().ttl(&key).ok_or(MissReason::Absent);
        }
        if self.here().is_closed() {
            return Err(MissReason::Absent);
        }
        let path = self.path();
        let until = self.until(self.options.timeout);
        let fetched = with_key(&key, |key| {
            let key = path.key(key);
            self.fetch(&key, self.hash(&key), until).found
        });
        Ok(fetched.unwrap_or(Err(MissReason::Absent))?.ttl)
    }

    /// Looks up what isn't in the cache.
    #[cold]
    fn lookup_missing<K: Key>(&self, key: &K, within: Duration) -> Lookup<[u8]> {
        let until = self.until(within);
        if self.here().is_closed() {
            return Lookup::Miss(MissReason::Absent);
        }
        match self.options.mode {
            LevelMode::L1 => Lookup::Miss(MissReason::Absent),
            LevelMode::L1L2 => self.fill(key, within, until),
            LevelMode::L2 => {
                let path = self.path();
                let found = with_key(key, |key| {
                    let level_key = path.key(key);
                    let fetched = self.fetch(&level_key, self.hash(&level_key), until);
                    let record = fetched.found?;
                    let (value, meta) = (record.value.clone(), record.with_value(()));
                    self.apart(key, value, meta)
                        .map_err(|_| MissReason::Unavailable)
                });
                let found = found.unwrap_or(Err(MissReason::Absent));
                found.map_or_else(Lookup::Miss, hit)
            }
        }
    }

    /// Loads a copy of the level's record into the cache; one call at a time for each key.
    fn fill<K: Key>(&self, key: &K, within: Duration, until: Nanos) -> Lookup<[u8]> {
        let misses = &self.inner().misses;
        let call = misses.begin();
        let path = self.path();
        let mut meta = None;
        let options = LoadOptions::new().timeout(within);
        let mut ttl_max = None;
        let answer = self.here().get_or_load(key, options, || {
            let found = with_key(key, |key| {
                let key = path.key(key);
                let hash = self.hash(&key);
                if let Some(reason) = misses.since(hash, call) {
                    self.inner().counts.miss(reason);
                    return Err(reason);
                }
                let call = misses.begin();
                ttl_max = self.read_ttl_max(&path);
                let found = self.fetch(&key, hash, until).found;
                if let Err(reason) = found {
                    misses.note(hash, call, reason);
                }
                found
            });
            let record = found.unwrap_or(Err(MissReason::Absent))?;
            let copied = self.copied(&record, ttl_max);
            let (value, of_value) = (record.value.clone(), record.with_value(()));
            meta = Some(of_value);
            Ok(Loaded::With(value, copied))
        });
        let counts = &self.inner().counts;
        match answer {
            Ok(Some(entry)) => hit(match meta {
                Some(meta) if meta.is_stale() => self.here().stale_from_birth(entry),
                _ => entry,
            }),
            Ok(None) => Lookup::Negative,
            Err(LoadError::Loader(reason)) => Lookup::Miss(reason),
            Err(LoadError::Refused(InsertError { value, .. })) => {
                let found = with_key(key, |key| match meta {
                    Some(meta) => self.apart(key, value, meta).ok(),
                    None => None,
                });
                let miss = Lookup::Miss(MissReason::Unavailable);
                found.ok().flatten().map_or(miss, hit)
            }
            Err(LoadError::TimedOut) => {
                counts.miss(MissReason::Timeout);
                Lookup::Miss(MissReason::Timeout)
            }
            Err(LoadError::OutOfMemory) => Lookup::Miss(MissReason::Unavailable),
            // The key can't be one, the scope is gone, or the very caller is loading the key and knows that it is absent.
            Err(LoadError::Invalid(_) | LoadError::Reentrant | LoadError::TaskTimeout) => {
                Lookup::Miss(MissReason::Absent)
            }
        }
    }

    /// Gives the value of a key from the cache or the further level; where it is absent, or stale and to be loaded anew, calls `load`, and
    /// stores what that returns in both. `None` is what a loader found to be absent: remembered in the cache alone, and no longer
    /// than a copy is.
    ///
    /// As [`Scope::get_or_load`](crate::Scope::get_or_load): of callers of this process, one loads. A write, removal or purge that
    /// comes meanwhile wins over what is loaded, in both levels. Where the level fails, the value is loaded, and kept in the
    /// cache at most.
    ///
    /// The time-out of the options limits the wait for another caller; the view's own limits each of the level's calls.
    ///
    /// # Errors
    /// As there.
    pub fn get_or_load<K, S, E>(
        &self,
        key: K,
        options: impl Into<LoadOptions>,
        load: impl FnOnce() -> Result<Loaded<S>, E>,
    ) -> Result<Option<Entry<[u8]>>, LoadError<S, E>>
    where
        K: Key,
        S: AsRef<[u8]>,
    {
        let options = options.into();
        if self.options.mode == LevelMode::L1 {
            return self.here().get_or_load(&key, options, load);
        }
        let mut meta = None;
        // Also what says that there is no value.
        let copied = LoadOptions {
            write: options.write.copy(),
            ..options
        };
        let answer = self.here().get_or_load(&key, copied, || {
            let loaded = with_key(&key, |key| self.load(key, options, &mut meta, load));
            loaded.unwrap_or_else(|_| Err(Stop::Done(None)))
        });
        match answer {
            Ok(entry) => Ok(entry),
            Err(LoadError::Loader(Stop::Done(answer))) => Ok(answer),
            Err(LoadError::Loader(Stop::Loader(error))) => Err(LoadError::Loader(error)),
            Err(LoadError::Loader(Stop::Refused(error))) => Err(LoadError::Refused(error)),
            Err(LoadError::Refused(InsertError { refusal, value })) => {
                // What the cache has no room for is in the level, and the caller's.
                let entry = with_key(&key, |key| match meta {
                    Some(meta) if refusal != Refusal::Closed => {
                        self.apart(key, value.as_ref(), meta).ok()
                    }
                    _ => None,
                });
                match (entry.ok().flatten(), value) {
                    (Some(entry), _) => Ok(Some(entry)),
                    (None, Held::Loaded(value)) => {
                        Err(LoadError::Refused(InsertError { refusal, value }))
                    }
                    (None, Held::Fetched(_)) => Err(LoadError::Invalid(refusal)),
                }
            }
            Err(LoadError::Invalid(refusal)) => Err(LoadError::Invalid(refusal)),
            Err(LoadError::Reentrant) => Err(LoadError::Reentrant),
            Err(LoadError::TimedOut) => Err(LoadError::TimedOut),
            Err(LoadError::TaskTimeout) => Err(LoadError::TaskTimeout),
            Err(LoadError::OutOfMemory) => Err(LoadError::OutOfMemory),
        }
    }

    /// Loads from the level, or by the loader and then into the level.
    fn load<S, E>(
        &self,
        key: KeyRef<'_>,
        options: LoadOptions,
        meta: &mut Option<Meta>,
        load: impl FnOnce() -> Result<Loaded<S>, E>,
    ) -> Result<Loaded<Held<S>>, Stop<S, E>>
    where
        S: AsRef<[u8]>,
    {
        let path = self.path();
        let level_key = path.key(key);
        let hash = self.hash(&level_key);
        // Watched from before the look, so that a write that comes after it is seen.
        let watch = self.inner().turns.watch(hash);
        let ttl_max = self.read_ttl_max(&path);
        let mut fetched = self.fetch(&level_key, hash, self.until(self.options.timeout));
        let is_fresh =
            |fetched: &Fetched| matches!(&fetched.found, Ok(record) if !record.is_stale());
        // Given back at the end, when what was loaded is there for others.
        let leased = (!is_fresh(&fetched)).then(|| self.leased(&level_key));
        if leased.iter().flatten().any(Leased::has_waited) {
            fetched = self.fetch(&level_key, hash, self.until(self.options.timeout));
        }
        let mut hand = |record: LevelRecord<Bytes>| {
            let copied = self.copied(&record, ttl_max);
            let (value, of_value) = (record.value.clone(), record.with_value(()));
            *meta = Some(of_value);
            self.kept_or_done(key, Held::Fetched(value), of_value, copied)
        };
        let stale = match fetched.found {
            Ok(record) if !record.is_stale() => return hand(record),
            found => found.ok(),
        };
        let (value, write) = match (load(), stale) {
            (Ok(Loaded::Value(value)), _) => (value, options.write),
            (Ok(Loaded::With(value, write)), _) => (value, write),
            (Ok(Loaded::Absent(span)), stale) => {
                if stale.is_some() && self.forget(&level_key, hash, watch, fetched.seen) {
                    return Err(Stop::Done(None));
                }
                let span = self
                    .options
                    .copy_ttl_max()
                    .map_or(span, |max| max.min(span));
                return match self.options.mode.has_l1() {
                    true => Ok(Loaded::Absent(span)),
                    false => Err(Stop::Done(None)),
                };
            }
            (Err(_), Some(record)) => return hand(record),
            (Err(error), None) => return Err(Stop::Loader(error)),
        };
        let terms = match self.here().terms(key, value.as_ref().len(), write) {
            Ok(terms) => terms,
            Err(refusal) => return Err(Stop::Refused(InsertError { refusal, value })),
        };
        let record = LevelRecord {
            value: (),
            tag: terms.tag(),
            ttl: terms.ttl(),
            fresh: terms.fresh(),
            stamp: fetched.stamp,
        };
        let bytes = record.with_value(value.as_ref());
        let is_overtaken = self.publish(&level_key, hash, watch, fetched.seen, bytes);
        *meta = Some(record);
        if is_overtaken {
            // N6: it is the caller's alone.
            return self.done(key, Held::Loaded(value), record);
        }
        // A change that came since it was stored may have been told already.
        let copied = self.copied(&record, self.options.copy_ttl_max());
        self.kept_or_done(key, Held::Loaded(value), record, copied)
    }

    /// A loaded value for the cache, or, where that isn't used, for the caller alone.
    fn kept_or_done<S, E>(
        &self,
        key: KeyRef<'_>,
        value: Held<S>,
        meta: Meta,
        copied: WriteOptions,
    ) -> Result<Loaded<Held<S>>, Stop<S, E>>
    where
        S: AsRef<[u8]>,
    {
        match self.options.mode.has_l1() {
            true => Ok(Loaded::With(value, copied)),
            false => self.done(key, value, meta),
        }
    }

    /// A value for the caller alone.
    fn done<S, E>(
        &self,
        key: KeyRef<'_>,
        value: Held<S>,
        meta: Meta,
    ) -> Result<Loaded<Held<S>>, Stop<S, E>>
    where
        S: AsRef<[u8]>,
    {
        let made = self.apart(key, value.as_ref(), meta);
        Err(match (made, value) {
            (Ok(entry), _) => Stop::Done(Some(entry)),
            (Err(refusal), Held::Loaded(value)) => Stop::Refused(InsertError { refusal, value }),
            (Err(_), Held::Fetched(_)) => Stop::Done(None),
        })
    }
}

fn hit(entry: Entry<[u8]>) -> Lookup<[u8]> {
    if entry.is_stale() {
        Lookup::Stale(entry)
    } else {
        Lookup::Hit(entry)
    }
}
