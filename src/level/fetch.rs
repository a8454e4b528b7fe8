//! One question to the level, and what its answer is worth.

use std::time::Duration;

use bytes::Bytes;

use super::key::LevelKey;
use super::view::LevelView;
use super::{LevelError, LevelRecord, Seen, Stamp};
use crate::cache::MissReason;
use crate::clock::Nanos;
use crate::codec::{Codec, Encoding};
use crate::entry::{Entry, Source};
use crate::error::InsertError;
use crate::key::KeyRef;
use crate::terms::{Ttl, WriteOptions};

/// What the level has of a key, its value as what can be put into a cache.
pub(super) struct Fetched<D> {
    /// The stamp of its path, if the level answered.
    pub(super) stamp: Option<Stamp>,
    /// What is stored, if it answered.
    pub(super) seen: Option<Seen>,
    pub(super) found: Result<LevelRecord<D>, MissReason>,
    /// When the answer came, of which the record's times are.
    pub(super) came: Nanos,
}

/// What a record says besides its value.
pub(super) type Meta = LevelRecord<()>;

/// Where the bytes of a record lie while its value is made of them.
pub(super) type Room = Option<Bytes>;

impl<V: Codec + ?Sized> LevelView<'_, V> {
    /// Asks the level, after paying what is owed to it, and judges its answer.
    pub(super) fn fetch<'b>(
        &self,
        key: &LevelKey<'_>,
        hash: u64,
        until: Nanos,
        room: &'b mut Room,
    ) -> Fetched<V::Decoded<'b>> {
        let counts = &self.inner().counts;
        let paid = self.pay(key, hash, until);
        let answer = paid.and_then(|()| self.call(until, |level, within| level.get(key, within)));
        let came = self.here().now();
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
                    Some(record) => self.decode(record, room),
                };
                (Some(answer.stamp), Some(answer.seen), found)
            }
        };
        match &found {
            Ok(_) => counts.hits.add(),
            Err(reason) => counts.miss(*reason),
        }
        Fetched {
            stamp,
            seen,
            found,
            came,
        }
    }

    /// N7
    fn decode<'b>(
        &self,
        record: LevelRecord<Bytes>,
        room: &'b mut Room,
    ) -> Result<LevelRecord<V::Decoded<'b>>, MissReason> {
        let (bytes, meta) = record.apart();
        let decoded = match meta.encoding == Encoding::of::<V>() {
            true => V::decode(room.insert(bytes)).ok(),
            false => None,
        };
        let Some(value) = decoded else {
            self.inner().counts.undecodable.add();
            return Err(MissReason::Corrupt);
        };
        Ok(meta.with_value(value))
    }

    /// How a copy of a record, whose times ran from a moment on, is written into the cache, where it may stay so long at most.
    pub(super) fn copied<B>(
        &self,
        record: &LevelRecord<B>,
        since: Nanos,
        ttl_max: Option<Duration>,
    ) -> WriteOptions {
        let spent = self.here().now().saturating_since(since);
        let left = |span: Option<Duration>| span.map(|span| span.saturating_sub(spent));
        let ttl = left(record.ttl).map(at_least);
        let ttl = ttl.into_iter().chain(ttl_max).min();
        let ttl = match (ttl, left(record.fresh)) {
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
    pub(super) fn apart<S: Source<V>>(
        &self,
        key: KeyRef<'_>,
        value: S,
        meta: Meta,
    ) -> Result<Entry<V>, InsertError<S>> {
        let view = self.here();
        view.entry_apart(key, value, meta.tag, meta.ttl, meta.is_stale())
    }
}

/// No time to live is zero: what has no fresh time left was stale when it came, and what has none at all was due when it was read.
fn at_least(span: Duration) -> Duration {
    span.max(Duration::from_nanos(1))
}
