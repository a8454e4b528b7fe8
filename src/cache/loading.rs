//! How a load is done, and what loaders and look-ups answer.

use std::fmt;
use std::time::Duration;

use crate::entry::{Entry, Value};
use crate::store::Missed;
use crate::terms::WriteOptions;

/// How a load is done. A [`WriteOptions`], a [`Ttl`](crate::Ttl) or a [`Duration`] alone turns into it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// What the entry is written with, where the loader says nothing else.
    pub write: WriteOptions,
    /// How long to wait for another caller's load at most; `None`: until it ends. It doesn't limit the caller's own loader. For threads alone:
    /// [`get_or_load_async`](crate::Cache::get_or_load_async) refuses it, and says what serves there.
    pub timeout: Option<Duration>,
    /// The pause between a failed load of a stale entry and the next one; it doubles with each failure, up to 64 times.
    pub back_off: Duration,
}

impl LoadOptions {
    /// The default time to live, no time-out, and pauses that begin with a second.
    pub const fn new() -> Self {
        Self {
            write: WriteOptions::new(),
            timeout: None,
            back_off: Duration::from_secs(1),
        }
    }

    /// The same with a limit on waiting.
    #[must_use]
    pub const fn timeout(self, timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            ..self
        }
    }

    /// The same with other pauses after failed loads of a stale entry.
    #[must_use]
    pub const fn back_off(self, back_off: Duration) -> Self {
        Self { back_off, ..self }
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Into<WriteOptions>> From<T> for LoadOptions {
    fn from(write: T) -> Self {
        Self {
            write: write.into(),
            ..Self::new()
        }
    }
}

/// What a loader found.
#[derive(Debug, Clone, PartialEq)]
pub enum Loaded<S> {
    /// A value, to be stored with the options of the call.
    Value(S),
    /// A value, with options of its own.
    With(S, WriteOptions),
    /// That there is none, which is remembered for so long; zero: not at all.
    Absent(Duration),
}

/// What a look-up found.
pub enum Lookup<V: Value + ?Sized> {
    /// A fresh value.
    Hit(Entry<V>),
    /// A value that is past its fresh time.
    Stale(Entry<V>),
    /// A loader has found that there is none, and that still holds.
    Negative,
    /// Nothing is known.
    Miss(MissReason),
}

/// Why nothing is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MissReason {
    /// There is no entry.
    Absent,
    /// Its deadline was reached, and nobody has taken it away yet.
    Expired,
    /// A further level did not answer in time.
    Timeout,
    /// A further level can't be reached, or failed.
    Unavailable,
    /// A further level answered with what is no entry of this cache.
    Corrupt,
}

impl<V: Value + ?Sized> Lookup<V> {
    /// The value, fresh or stale.
    pub fn entry(self) -> Option<Entry<V>> {
        match self {
            Self::Hit(entry) | Self::Stale(entry) => Some(entry),
            Self::Negative | Self::Miss(_) => None,
        }
    }
}

impl<V: Value + fmt::Debug + ?Sized> fmt::Debug for Lookup<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hit(entry) => f.debug_tuple("Hit").field(entry).finish(),
            Self::Stale(entry) => f.debug_tuple("Stale").field(entry).finish(),
            Self::Negative => f.write_str("Negative"),
            Self::Miss(reason) => f.debug_tuple("Miss").field(reason).finish(),
        }
    }
}

impl<V: Value + ?Sized> Clone for Lookup<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Hit(entry) => Self::Hit(entry.clone()),
            Self::Stale(entry) => Self::Stale(entry.clone()),
            Self::Negative => Self::Negative,
            Self::Miss(reason) => Self::Miss(*reason),
        }
    }
}

impl fmt::Display for MissReason {
    /// One word; the first two as in the labels of the feature `metrics`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Absent => "absent",
            Self::Expired => "expired",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Corrupt => "corrupt",
        })
    }
}

impl From<Missed> for MissReason {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::Absent => Self::Absent,
            Missed::Expired => Self::Expired,
        }
    }
}
