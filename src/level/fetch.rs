//! One question to the level, and what its answer is worth.

use std::time::Duration;

use bytes::Bytes;

use super::key::LevelKey;
use super::view::LevelView;
use super::{LevelError, LevelRecord, Seen, Stamp};
use crate::cache::MissReason;
use crate::clock::Nanos;
use crate::entry::Entry;
use crate::error::Refusal;
use crate::key::KeyRef;
use crate::terms::{Ttl, WriteOptions};

/// What the level has of a key.
pub(super) struct Fetched {
    /// The stamp of its path, if the level answered.
    pub(super) stamp: Option<Stamp>,
    /// What is stored, if it answered.
    pub(super) seen: Option<Seen>,
    pub(super) found: Result<LevelRecord<Bytes>, MissReason>,
}

/// What a record says besides its value.
pub(super) type Meta = LevelRecord<()>;

impl LevelView<'_> {
    /// Asks the level, after paying what is owed to it, and judges its answer.
    pub(super) fn fetch(&self, key: &LevelKey<'_>, hash: u64, until: Nanos) -> Fetched {
        let counts = &self.inner().counts;
        let paid = self.pay(key, hash, until);
        let answer = paid.and_then(|()| self.call(until, |level, within| level.get(key, within)));
        let answer = match answer {
            // N5
            Ok(_) if self.left(until).is_err() => {
                counts.late.add();
                Err(LevelError::Timeout)
            }
            answer => answer,
        };
        let (stamp, seen, found) = match answer {
            Err(error) => (None, None, Err(error.into())),
            Ok(answer) => {
                let of_now = |record: &LevelRecord<Bytes>| {
                    let is_of_now = record.stamp == Some(answer.stamp);
                    if !is_of_now {
                        counts.ended.add();
                    }
                    is_of_now
                };
                let found = match answer.record.filter(of_now) {
                    None => Err(MissReason::Absent),
                    Some(record) if record.ttl.is_some_and(|ttl| ttl.is_zero()) => {
                        Err(MissReason::Expired)
                    }
                    Some(record) => Ok(record),
                };
                (Some(answer.stamp), Some(answer.seen), found)
            }
        };
        match &found {
            Ok(_) => counts.hits.add(),
            Err(reason) => counts.miss(*reason),
        }
        Fetched { stamp, seen, found }
    }

    /// How a copy of a record is written into the cache, where it may stay so long at most.
    pub(super) fn copied<B>(
        &self,
        record: &LevelRecord<B>,
        ttl_max: Option<Duration>,
    ) -> WriteOptions {
        let ttl = record.ttl.into_iter().chain(ttl_max).min();
        let ttl = match (ttl, record.fresh) {
            (None, None) => Ttl::NEVER,
            (None, Some(fresh)) => Ttl::after(at_least(fresh)).stale(Duration::MAX),
            (Some(ttl), Some(fresh)) if fresh < ttl => {
                Ttl::after(at_least(fresh)).stale(ttl.saturating_sub(at_least(fresh)))
            }
            (Some(ttl), _) => Ttl::after(ttl),
        };
        WriteOptions::new().ttl(ttl).tag(record.tag).copy()
    }

    /// An entry that no cache holds.
    pub(super) fn apart(
        &self,
        key: KeyRef<'_>,
        value: impl AsRef<[u8]>,
        meta: Meta,
    ) -> Result<Entry<[u8]>, Refusal> {
        let view = self.here();
        let entry = view.entry_apart(key, value, meta.tag, meta.ttl, meta.is_stale());
        entry.map_err(|error| error.refusal)
    }
}

/// No time to live is zero, and what has no fresh time left was stale when it came.
fn at_least(fresh: Duration) -> Duration {
    fresh.max(Duration::from_nanos(1))
}
