//! A further, slower level behind a cache: what one has to be able to do, and a view of both.
//!
//! # Idea
//! [`Level`] is what a server behind several processes has to offer: reading, storing and deleting a record by a key of bytes, and
//! ending a scope by raising one counter. [`Levels`] brings one together with caches of values that have a [`Codec`](crate::Codec), and a
//! [`LevelView`] is one scope seen through both.
//!
//! ```text
//! LevelView::lookup: cache --miss--> one flight per key --> Level::get --> copy in the cache, for a short while
//! LevelView::put:    turn of the key --> Level::set --> copy in the cache
//! ```
//!
//! Who writes goes to the level first and to the cache second; a fill is a load like any other, so a write, a removal or
//! a purge that comes meanwhile wins over it.
//!
//! # Costs
//! A hit in the cache: that of the cache and a branch. Else the level's call, the flight of a load, and some allocations for the key.
//!
//! # Invariants
//! - N1 What leaves the process names a scope by its path, never by an id; two keys never have the same bytes.
//! - N2 A record of the level that is known to be older than a write through these [`Levels`] is never answered (`debts`): the
//!   key, or the scope, is deleted in the level before it is read again.
//! - N3 Two writes of one key through these [`Levels`] come to both levels in one order (`turns`).
//! - N4 No lock is held while a level or a codec is called.
//! - N5 What a level answers after its time is dropped.
//! - N6 What was loaded is stored in the level only in the place of what the load had seen there ([`Level::replace`]): a put, a
//!   removal or a purge of any process that came meanwhile stands.
//! - N7 A record is decoded by the codec of the name that encoded it, or it is a miss.
//!
//! # How long records live
//! As their values were to live. The time to idle ([`Builder::time_to_idle`](crate::Builder::time_to_idle)) is the cache's alone: it ends
//! copies, and the record stays for its own time.
//!
//! # What may be stale, and for how long
//! - What another process wrote, removed or purged: a copy here lives on for [`LevelOptions::l1_lifetime`] at most. With a level that
//!   [follows](Level::follow) changes, until it hears of this one; a copy that it would not hear about has that lifetime.
//! - What this process couldn't write, with [`OnLevelError::Ignore`]: other processes see the older record until it is due, or
//!   until this process reads or writes the key again and reaches the level. This process doesn't; but if it ends before, the
//!   record is read again by its successor.
//! - A level that forgets what it has acknowledged (a server that fails over to a replica behind it) brings back what it
//!   had before: an older record until its deadline, and a purged scope's records until theirs.
//! - A write that timed out may still be on its way, and arrive after a later one; implementations close what they sent it on.
//!
//! # Not here
//! Connections, their back-off and breakers, the bytes of a stored record: implementations of [`Level`].

mod counts;
mod debts;
mod fetch;
mod follow;
mod key;
mod lease;
mod load;
mod memory;
mod misses;
mod options;
mod put;
mod turns;
mod view;
mod write;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::cache::MissReason;
use crate::codec::Encoding;
use crate::sync::Arc;
use crate::terms::Tag;

pub use self::counts::LevelStats;
pub use self::follow::LevelChanges;
pub use self::key::{LevelKey, LevelScope};
pub use self::lease::LevelLease;
pub use self::memory::{Hold, LevelCall, MemoryLevel};
pub use self::options::{LevelMode, LevelOptions, OnLevelError};
pub use self::put::{LevelPut, LevelPutError, LevelRefusal};
pub use self::view::{LevelView, Levels, NotAcrossLevels};

/// A further level: a store of records that several processes share.
///
/// Calls block, and each is told how long it may take: it has to return by then, with [`LevelError::Timeout`] if it must. A
/// level that knows that it can't be reached says [`LevelError::Unavailable`] at once.
///
/// # Scopes
/// A key belongs to the scopes of its path, from the root down ([`LevelKey::scopes`]). A level keeps a counter for each, the
/// scope's generation, and [`end`](Self::end) raises one. The sum of a path's generations is its [`Stamp`], and a record
/// carries the stamp that it was written under; it counts as absent once the path's stamp is another.
///
/// A counter that a level doesn't have, or no longer, begins with a number that it has never had: the microseconds of the wall clock
/// will do. So losing counters loses records, and brings none back.
///
/// # Examples
/// [`MemoryLevel`] is one for tests.
pub trait Level: Send + Sync + 'static {
    /// Reads the record of a key, and the stamp of its path, which is read no later than the record.
    ///
    /// # Errors
    /// [`LevelError::Corrupt`] for what is stored and is no record of this key.
    fn get(&self, key: &LevelKey<'_>, within: Duration) -> Result<LevelAnswer, LevelError>;

    /// Stores a record until its time to live has passed, in the place of an older one.
    ///
    /// With a stamp it is stored under that one. Without, under that of the path at some moment of the call, so that a scope that
    /// was ended before the call doesn't take the record with it, and one that is ended after it does.
    ///
    /// # Errors
    /// [`LevelError::TooLarge`] if the level doesn't take values of that size; the older record is as it was. After any other
    /// error it may be stored or not.
    fn set(
        &self,
        key: &LevelKey<'_>,
        record: LevelRecord<&[u8]>,
        within: Duration,
    ) -> Result<(), LevelError>;

    /// Stores a record, or with `None` deletes it, if what [`get`](Self::get) saw under the key is what is there now, in one step; whether
    /// it was so. A record without a stamp is never stored so.
    ///
    /// So what was loaded for want of a record, or for a stale one, never takes the place of what another process has put meanwhile.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    fn replace(
        &self,
        key: &LevelKey<'_>,
        seen: Seen,
        record: Option<LevelRecord<&[u8]>>,
        within: Duration,
    ) -> Result<bool, LevelError>;

    /// Deletes the record of a key; whether there was one, as far as the level can tell at no further cost.
    ///
    /// # Errors
    /// After any, it may be deleted or not.
    fn delete(&self, key: &LevelKey<'_>, within: Duration) -> Result<bool, LevelError>;

    /// Ends all records in a scope and in those below it, by raising its generation: whatever else is stored, that is one change of
    /// one number.
    ///
    /// # Errors
    /// After any, they may have ended or not.
    fn end(&self, scope: &LevelScope<'_>, within: Duration) -> Result<(), LevelError>;

    /// The longest value that it takes; `None`: any.
    fn value_bytes_max(&self) -> Option<u64> {
        None
    }

    /// Takes the lease of a key for `span`, so that one process loads it; waits for so long at most for whoever has it. Levels that have
    /// no leases grant each at once.
    ///
    /// A lease is a courtesy: it may be lost, and two may have it.
    ///
    /// # Errors
    /// It isn't granted; who asked loads nevertheless.
    fn lease(
        &self,
        key: &LevelKey<'_>,
        span: Duration,
        within: Duration,
    ) -> Result<LevelLease, LevelError> {
        let _ = (key, span, within);
        Ok(LevelLease::default())
    }

    /// Gives a lease back before its time.
    fn release(&self, key: &LevelKey<'_>, lease: LevelLease, within: Duration) {
        let _ = (key, lease, within);
    }

    /// Is called once by each [`Levels`] that it is brought together with, which wants to be told of changes. A level that hears of none
    /// does nothing with it.
    fn follow(&self, changes: LevelChanges) {
        drop(changes);
    }
}

/// A level that others hold as well.
impl<L: Level + ?Sized> Level for Arc<L> {
    fn get(&self, key: &LevelKey<'_>, within: Duration) -> Result<LevelAnswer, LevelError> {
        (**self).get(key, within)
    }

    fn set(
        &self,
        key: &LevelKey<'_>,
        record: LevelRecord<&[u8]>,
        within: Duration,
    ) -> Result<(), LevelError> {
        (**self).set(key, record, within)
    }

    fn replace(
        &self,
        key: &LevelKey<'_>,
        seen: Seen,
        record: Option<LevelRecord<&[u8]>>,
        within: Duration,
    ) -> Result<bool, LevelError> {
        (**self).replace(key, seen, record, within)
    }

    fn delete(&self, key: &LevelKey<'_>, within: Duration) -> Result<bool, LevelError> {
        (**self).delete(key, within)
    }

    fn end(&self, scope: &LevelScope<'_>, within: Duration) -> Result<(), LevelError> {
        (**self).end(scope, within)
    }

    fn value_bytes_max(&self) -> Option<u64> {
        (**self).value_bytes_max()
    }

    fn lease(
        &self,
        key: &LevelKey<'_>,
        span: Duration,
        within: Duration,
    ) -> Result<LevelLease, LevelError> {
        (**self).lease(key, span, within)
    }

    fn release(&self, key: &LevelKey<'_>, lease: LevelLease, within: Duration) {
        (**self).release(key, lease, within);
    }

    fn follow(&self, changes: LevelChanges) {
        (**self).follow(changes);
    }
}

/// The sum of the generations of a path's scopes. Generations only grow, so it is the same only while each of them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp(pub u64);

/// A value as a level keeps it.
///
/// Times to live are spans, since only the level knows on whose clock it keeps deadlines: it stores the absolute one, and answers what
/// is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelRecord<B> {
    /// The bytes.
    pub value: B,
    /// In which encoding they are: kept with them by a level, which reads nothing from it.
    pub encoding: Encoding,
    /// What kind of value they are.
    pub tag: Tag,
    /// How long it is to live, or has left; `None`: for ever.
    pub ttl: Option<Duration>,
    /// How long of that it is fresh; `None`: all of it. Zero: it is stale.
    pub fresh: Option<Duration>,
    /// What it was, or is to be, written under; see [`Level::set`].
    pub stamp: Option<Stamp>,
}

impl<B> LevelRecord<B> {
    /// The same of another form of the value.
    pub fn with_value<C>(self, value: C) -> LevelRecord<C> {
        LevelRecord {
            value,
            encoding: self.encoding,
            tag: self.tag,
            ttl: self.ttl,
            fresh: self.fresh,
            stamp: self.stamp,
        }
    }

    /// The value, and the record without it.
    fn apart(self) -> (B, LevelRecord<()>) {
        let Self {
            value,
            encoding,
            tag,
            ttl,
            fresh,
            stamp,
        } = self;
        let rest = LevelRecord {
            value: (),
            encoding,
            tag,
            ttl,
            fresh,
            stamp,
        };
        (value, rest)
    }

    fn is_stale(&self) -> bool {
        self.fresh.is_some_and(|fresh| fresh.is_zero())
    }
}

/// What a level had stored under a key when it was read, to tell it from what was stored later: a number of the level's own choice; `None`:
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen(pub Option<u64>);

/// What a level has of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelAnswer {
    /// The stamp of the key's path.
    pub stamp: Stamp,
    /// The record, if there is one; it may be of another stamp.
    pub record: Option<LevelRecord<Bytes>>,
    /// What is stored, for [`Level::replace`].
    pub seen: Seen,
}

/// Why a level didn't do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LevelError {
    /// It didn't answer in time.
    Timeout,
    /// It can't be reached, refuses, or failed.
    Unavailable,
    /// What is stored under the key is no record of this key, or is damaged.
    Corrupt,
    /// The value's codec refuses it.
    Unencodable,
    /// The value is longer than the level takes.
    TooLarge {
        /// The longest that it takes.
        value_bytes_max: u64,
    },
}

impl LevelError {
    /// Whether it is the value that the level doesn't take, and everything works.
    fn is_of_value(self) -> bool {
        matches!(self, Self::Unencodable | Self::TooLarge { .. })
    }
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("the further level did not answer in time"),
            Self::Unavailable => {
                f.write_str("the further level can't be reached, refuses, or failed")
            }
            Self::Corrupt => {
                f.write_str("the further level holds something that is no record of this key")
            }
            Self::Unencodable => f.write_str("the value can't be written as bytes"),
            Self::TooLarge { value_bytes_max } => write!(
                f,
                "the further level takes values of at most {value_bytes_max} bytes"
            ),
        }
    }
}

impl Error for LevelError {}

impl From<LevelError> for MissReason {
    fn from(error: LevelError) -> Self {
        match error {
            LevelError::Timeout => Self::Timeout,
            LevelError::Corrupt => Self::Corrupt,
            LevelError::Unavailable | LevelError::Unencodable | LevelError::TooLarge { .. } => {
                Self::Unavailable
            }
        }
    }
}

#[cfg(test)]
mod tests;
