//! Reading through both levels: what isn't in the cache is loaded from the level, or from a loader behind it.

use std::time::Duration;

use super::fetch::{Fetched, Meta, Room};
use super::view::LevelView;
use super::{LevelMode, LevelRecord};
use crate::cache::{LoadOptions, Loaded, Lookup, MissReason, keyed};
use crate::clock::Nanos;
use crate::codec::{Codec, Encoding};
use crate::entry::{Entry, OneOf, Source};
use crate::error::{InsertError, LoadError, Refusal};
use crate::key::{Key, KeyRef, with_key};
use crate::terms::WriteOptions;

/// A value from the level, first, or from the caller's loader.
type Held<'b, V, S> = OneOf<V, <V as Codec>::Decoded<'b>, S>;

/// Why a load leaves nothing in the cache.
enum Stop<V: Codec + ?Sized, S, E> {
    Loader(E),
    Refused(InsertError<S>),
    /// The cache isn't used: the answer itself.
    Done(Option<Entry<V>>),
}

impl<V: Codec + ?Sized> LevelView<'_, V> {
    /// Gives the value of a key, fresh or stale, from the cache or else from the further level, within the time that the options give.
    ///
    /// Cost: a hit in the cache, that of [`Scope::get`](crate::Scope::get) and a branch.
    #[inline]
    pub fn get<K: Key>(&self, key: K) -> Option<Entry<V>> {
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
    pub fn lookup<K: Key>(&self, key: K, within: Duration) -> Lookup<V> {
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
            let mut room = None;
            let fetched = self.fetch(&key, self.hash(&key), until, &mut room);
            fetched.found.map(|record| record.ttl)
        });
        fetched.unwrap_or(Err(MissReason::Absent))
    }

    /// Looks up what isn't in the cache.
    #[cold]
    fn lookup_missing<K: Key>(&self, key: &K, within: Duration) -> Lookup<V> {
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
                    let mut room = None;
                    let fetched = self.fetch(&level_key, self.hash(&level_key), until, &mut room);
                    let (value, meta) = fetched.found?.apart();
                    self.apart(key, value, meta)
                        .map_err(|_| MissReason::Unavailable)
                });
                let found = found.unwrap_or(Err(MissReason::Absent));
                found.map_or_else(Lookup::Miss, hit)
            }
        }
    }

    /// Loads a copy of the level's record into the cache; one call at a time for each key.
    fn fill<K: Key>(&self, key: &K, within: Duration, until: Nanos) -> Lookup<V> {
        let misses = &self.inner().misses;
        let call = misses.begin();
        let path = self.path();
        let mut meta = None;
        let mut room = None;
        let options = LoadOptions::new().timeout(within);
        let (mut came, mut ttl_max) = (Nanos::default(), None);
        let answer = self.here().get_or_load(key, options, || {
            let found = with_key(key, |key| {
                let key = path.key(key);
                let hash = self.hash(&key);
                // What is no record for one codec may be one for another.
                let noted = hash ^ Encoding::of::<V>().0;
                if let Some(reason) = misses.since(noted, call) {
                    self.inner().counts.miss(reason);
                    return Err(reason);
                }
                let call = misses.begin();
                ttl_max = self.read_ttl_max(&path);
                let fetched = self.fetch(&key, hash, until, &mut room);
                came = fetched.came;
                let found = fetched.found;
                if let Err(reason) = &found {
                    misses.note(noted, call, *reason);
                }
                found
            });
            let record = found.unwrap_or(Err(MissReason::Absent))?;
            let copied = self.copied(&record, came, ttl_max);
            let (value, of_value) = record.apart();
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
    ) -> Result<Option<Entry<V>>, LoadError<S, E>>
    where
        K: Key,
        S: Source<V>,
    {
        let options = options.into();
        if self.options.mode == LevelMode::L1 {
            return self.here().get_or_load(&key, options, load);
        }
        let mut meta = None;
        let mut rooms = [None, None];
        // Also what says that there is no value.
        let copied = LoadOptions {
            write: options.write.copy(),
            ..options
        };
        let answer = self.here().get_or_load(&key, copied, || {
            let loaded = with_key(&key, |key| {
                self.load(key, options, &mut rooms, &mut meta, load)
            });
            loaded.unwrap_or_else(|_| Err(Stop::Done(None)))
        });
        match answer {
            Ok(entry) => Ok(entry),
            Err(LoadError::Loader(Stop::Done(answer))) => Ok(answer),
            Err(LoadError::Loader(Stop::Loader(error))) => Err(LoadError::Loader(error)),
            Err(LoadError::Loader(Stop::Refused(error))) => Err(LoadError::Refused(error)),
            Err(LoadError::Refused(InsertError { refusal, value })) => {
                let refused = |value| match value {
                    Held::First(_) => LoadError::Invalid(refusal),
                    Held::Second(value, _) => LoadError::Refused(InsertError { refusal, value }),
                };
                let Some(meta) = meta.filter(|_| refusal != Refusal::Closed) else {
                    return Err(refused(value));
                };
                // What the cache has no room for is in the level, and the caller's.
                let apart = keyed(&key, value, |key, value| self.apart(key, value, meta));
                apart.map(Some).map_err(|error| refused(error.value))
            }
            Err(LoadError::Invalid(refusal)) => Err(LoadError::Invalid(refusal)),
            Err(LoadError::Reentrant) => Err(LoadError::Reentrant),
            Err(LoadError::TimedOut) => Err(LoadError::TimedOut),
            Err(LoadError::TaskTimeout) => Err(LoadError::TaskTimeout),
            Err(LoadError::OutOfMemory) => Err(LoadError::OutOfMemory),
        }
    }

    /// Loads from the level, or by the loader and then into the level.
    fn load<'b, S, E>(
        &self,
        key: KeyRef<'_>,
        options: LoadOptions,
        rooms: &'b mut [Room; 2],
        meta: &mut Option<Meta>,
        load: impl FnOnce() -> Result<Loaded<S>, E>,
    ) -> Result<Loaded<Held<'b, V, S>>, Stop<V, S, E>>
    where
        S: Source<V>,
    {
        let [room, second_room] = rooms;
        let path = self.path();
        let level_key = path.key(key);
        let hash = self.hash(&level_key);
        // Watched from before the look, so that a write that comes after it is seen.
        let watch = self.inner().turns.watch(hash);
        let ttl_max = self.read_ttl_max(&path);
        let until = self.until(self.options.timeout);
        let mut fetched = self.fetch(&level_key, hash, until, room);
        let is_fresh =
            |fetched: &Fetched<_>| matches!(&fetched.found, Ok(record) if !record.is_stale());
        // Given back at the end, when what was loaded is there for others.
        let leased = (!is_fresh(&fetched)).then(|| self.leased(&level_key));
        if leased.iter().flatten().next().is_some() {
            let until = self.until(self.options.timeout);
            fetched = self.fetch(&level_key, hash, until, second_room);
        }
        let mut hand = |record: LevelRecord<V::Decoded<'b>>| {
            let copied = self.copied(&record, fetched.came, ttl_max);
            let (value, of_value) = record.apart();
            *meta = Some(of_value);
            self.kept_or_done(key, Held::First(value), of_value, copied)
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
        let terms = match self.here().terms(key, &value, write) {
            Ok(terms) => terms,
            Err(refusal) => return Err(Stop::Refused(InsertError { refusal, value })),
        };
        let record = self.record(&terms, fetched.stamp);
        let mut room = Vec::new();
        let bytes = self.encoded(value.as_value(), &mut room);
        let of_bytes = record.with_value(bytes);
        let is_overtaken = self.publish(&level_key, hash, watch, fetched.seen, of_bytes);
        *meta = Some(record);
        if is_overtaken {
            // N6: it is the caller's alone.
            return self.done(key, Held::second(value), record);
        }
        // A change that came since it was stored may have been told already.
        let copied = self.copied(&record, terms.begun(), self.options.copy_ttl_max());
        self.kept_or_done(key, Held::second(value), record, copied)
    }

    /// A loaded value for the cache, or, where that isn't used, for the caller alone.
    fn kept_or_done<'b, S, E>(
        &self,
        key: KeyRef<'_>,
        value: Held<'b, V, S>,
        meta: Meta,
        copied: WriteOptions,
    ) -> Result<Loaded<Held<'b, V, S>>, Stop<V, S, E>>
    where
        S: Source<V>,
    {
        match self.options.mode.has_l1() {
            true => Ok(Loaded::With(value, copied)),
            false => self.done(key, value, meta),
        }
    }

    /// A value for the caller alone.
    fn done<'b, S, E>(
        &self,
        key: KeyRef<'_>,
        value: Held<'b, V, S>,
        meta: Meta,
    ) -> Result<Loaded<Held<'b, V, S>>, Stop<V, S, E>>
    where
        S: Source<V>,
    {
        Err(match self.apart(key, value, meta) {
            Ok(entry) => Stop::Done(Some(entry)),
            Err(InsertError { refusal, value }) => match value {
                Held::First(_) => Stop::Done(None),
                Held::Second(value, _) => Stop::Refused(InsertError { refusal, value }),
            },
        })
    }
}

fn hit<V: Codec + ?Sized>(entry: Entry<V>) -> Lookup<V> {
    if entry.is_stale() {
        Lookup::Stale(entry)
    } else {
        Lookup::Hit(entry)
    }
}
