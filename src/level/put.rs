//! Putting a value into both levels: the further one first, then the cache.
//!
//! # Idea         the write to the cache is planned and refused before the level is asked, and made when that is done, in the same turn of
//!   the key. What the level doesn't take, it has nothing older of afterwards
//! # Costs        a call of the level; the value's bytes, for a codec that has to make them
//! # Not here     what else is written: module `write`

use std::fmt;

use super::turns::Turn;
use super::view::LevelView;
use super::{LevelError, LevelMode};
use crate::cache::{Terms, keyed};
use crate::codec::Codec;
use crate::entry::Source;
use crate::error::{InsertError, Refusal};
use crate::key::{Key, KeyRef};
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
    /// The further level failed, and [`OnLevelError::Fail`](super::OnLevelError::Fail) is asked for. It may have been put there.
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
        self.refusal.fmt(f)
    }
}

impl fmt::Display for LevelRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Level(error) => error.fmt(f),
            Self::KeepsTtl => {
                f.write_str("the time to live of an older value can't be kept across levels")
            }
        }
    }
}

impl std::error::Error for LevelRefusal {}

impl<S> From<LevelPutError<S>> for LevelRefusal {
    fn from(error: LevelPutError<S>) -> Self {
        error.refusal
    }
}

impl<S> std::error::Error for LevelPutError<S> {}

impl<S> LevelPutError<S> {
    fn refused(error: InsertError<S>) -> Self {
        let InsertError { refusal, value } = error;
        let refusal = LevelRefusal::Refused(refusal);
        Self { refusal, value }
    }
}

impl LevelPut {
    /// In the cache alone, as was asked for.
    const HERE: Self = Self {
        in_l1: true,
        in_l2: false,
        error: None,
    };
}

/// A value that was put into the further level, or wasn't, and isn't yet put into the cache.
struct Far<'a> {
    terms: Terms<'a>,
    turn: Result<Turn<'a>, LevelError>,
    error: Option<LevelError>,
}

impl<V: Codec + ?Sized> LevelView<'_, V> {
    /// Stores a value under a key: in the further level for its time to live, and then in the cache for that or
    /// [`LevelOptions::l1_lifetime`](super::LevelOptions::l1_lifetime), whichever is shorter.
    ///
    /// A value that is too large for the further level, or that its codec refuses, is put into the cache alone, and an older record is
    /// deleted first. One that is too large for the cache is put into the further level alone.
    ///
    /// # Errors
    /// What the cache refuses, before the level is asked; and, with [`OnLevelError::Fail`](super::OnLevelError::Fail), what the level failed with. The value
    /// comes back in the error.
    pub fn put<K, S>(
        &self,
        key: K,
        value: S,
        options: impl Into<WriteOptions>,
    ) -> Result<LevelPut, LevelPutError<S>>
    where
        K: Key,
        S: Source<V>,
    {
        let options = options.into();
        if self.options.mode == LevelMode::L1 {
            let put = self.here().insert(&key, value, Some(&options));
            return put.map(|_| LevelPut::HERE).map_err(LevelPutError::refused);
        }
        let mut put = None;
        let keyed = keyed(&key, value, |key, value| {
            put = Some(self.put_through(key, value, options));
            Ok(())
        });
        put.unwrap_or_else(|| {
            keyed
                .map(|()| LevelPut::HERE)
                .map_err(LevelPutError::refused)
        })
    }

    fn put_through<S: Source<V>>(
        &self,
        key: KeyRef<'_>,
        value: S,
        options: WriteOptions,
    ) -> Result<LevelPut, LevelPutError<S>> {
        let Far { terms, turn, error } = match self.put_far(key, &value, options) {
            Ok(far) => far,
            Err(refusal) => return Err(LevelPutError { refusal, value }),
        };
        let in_l2 = error.is_none();
        let mut in_l1 = false;
        if self.options.mode.has_l1() {
            // Who didn't get a turn doesn't know which write is the later one, and leaves none.
            let ttl_max = self.options.copy_ttl_max();
            let wrote = match &turn {
                Ok(_) => self.here().write_on_terms(key, value, terms, ttl_max),
                Err(_) => Ok(false),
            };
            in_l1 = matches!(wrote, Ok(true));
            if !in_l1 {
                self.here().remove(&key.parts());
            }
            match wrote {
                Err(error) if !in_l2 => return Err(LevelPutError::refused(error)),
                _ => {}
            }
        }
        Ok(LevelPut {
            in_l1,
            in_l2,
            error,
        })
    }

    /// Puts a value into the further level, and gives what is needed to put it into the cache afterwards.
    fn put_far<S: Source<V>>(
        &self,
        key: KeyRef<'_>,
        value: &S,
        options: WriteOptions,
    ) -> Result<Far<'_>, LevelRefusal> {
        if options.ttl.span == Span::Keep {
            return Err(LevelRefusal::KeepsTtl);
        }
        // Before the level is asked: a purge from here on takes the copy with it.
        let terms = self.here().terms(key, value, options);
        let terms = terms.map_err(LevelRefusal::Refused)?;
        let mut room = Vec::new();
        let bytes = self.encoded(value.as_value(), &mut room);
        let record = self.record(&terms, None).with_value(bytes);
        let path = self.path();
        let level_key = path.key(key);
        let hash = self.hash(&level_key);
        let until = self.until(self.options.timeout);
        let turn = self.turn(self.inner().turns.watch(hash), until);
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
            Err(error) if error.is_of_value() => Some(error),
            Err(error) => {
                let owe = || self.owe(&level_key, hash);
                self.failed(error, owe).map_err(LevelRefusal::Level)?;
                Some(error)
            }
        };
        Ok(Far { terms, turn, error })
    }
}
