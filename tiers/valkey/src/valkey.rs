//! The level itself: records, and generations of scopes, on the servers.
//!
//! # Idea
//! A record is one key, and so is a scope's generation, a counter. What reads a record reads the counters of its path in the same round
//! trip, and what ends a scope raises one of them; nothing is ever searched for.
//!
//! ```text
//! get:     MGET record, counters                 of a cluster: GETs to all nodes concerned at a time
//! set:     MGET counters, SET record PX          in one go, by the stamp that was last read; again if that is over
//! replace: SET record PX NX                      or WATCH, GETRANGE record; MULTI, SET record PX, EXEC
//! delete:  DEL record
//! end:     SET counter NX, INCR counter          in one go
//! lease:   SET lease NX PX, again and again      back: GET lease; DEL lease
//! ```
//!
//! # Invariants
//! - VK1 A counter that isn't there begins with the microseconds of the wall clock, so losing counters loses records and brings none
//!   back.
//! - VK2 Of counters that are read at several moments of a call, the sum was the path's stamp at some moment of it: each step of a counter
//!   is one, so the sum passes through all numbers in between.
//! - VK3 A record that went out under a stamp that was over is of an ended scope to every reader, and the right one follows before the
//!   call returns.
//! - VK4 A connection that brought a record of another key isn't used again.
//!
//! # Not here
//! What the engine makes of answers.

mod counters;
mod replace;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder::{
    Level, LevelAnswer, LevelChanges, LevelError, LevelKey, LevelLease, LevelRecord, LevelScope,
    Seen, Stamp,
};
use redis::{Cmd, Value};

use self::counters::{Read, Stamps, anew, begun, is_of_value, refs, scopes};
use self::replace::seen;
use crate::config::{Config, ConfigError};
use crate::conn::command;
use crate::counts::ValkeyStats;
use crate::envelope::{self, Flaw};
use crate::fault::Fault;
use crate::lease;
use crate::servers::{Request, Servers};
use crate::time::{Until, wall_us};
use crate::tracking;

/// A further level on Valkey or Redis. Clones are the same.
///
/// Calls block for their time at most, and need no thread but the caller's. Connections are made when they are needed.
///
/// # Clocks
/// Deadlines of records are moments of the wall clock, so the clocks of all processes and servers have to agree as well as times to
/// live are to be exact.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
/// use larder::{Cache, LevelMode, Levels};
/// use larder_valkey::{Address, Config, Valkey};
///
/// let servers = Valkey::new(Config::one(Address::new("127.0.0.1", 6379)))?;
/// let levels = Levels::new(servers, b"shop");
/// let cache: Cache<[u8]> = Cache::builder().max_bytes(1 << 20).build()?;
/// let prices = levels.view(cache.scope("prices")?, LevelMode::L1L2);
/// prices.put("apple", b"1.20", Duration::from_secs(60))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Valkey {
    pub(crate) servers: Arc<Servers>,
    stamps: Arc<Stamps>,
}

impl Valkey {
    /// A level on these servers, none of which is called yet.
    ///
    /// # Errors
    /// [`ConfigError`]: the configuration can't be meant.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            servers: Arc::new(Servers::new(config)?),
            stamps: Arc::new(Stamps::new()),
        })
    }

    /// A snapshot of the counters.
    pub fn stats(&self) -> ValkeyStats {
        self.servers.counts().snapshot()
    }

    /// What the last call of a server that failed met with, in words for people: which server, and what it said. It stays when calls
    /// succeed again; `None`: none has failed.
    ///
    /// So it says why a level is [unavailable](LevelError::Unavailable): whether nobody listens there, or the password is wrong, the server
    /// full, or a replica. No password and no key is in it.
    pub fn last_fault(&self) -> Option<String> {
        self.servers.last_fault()
    }

    /// Asks the servers that are written to whether they are there, each for so long at most: for who wants to know before, or
    /// beside, the calls that need them. Who the masters are is asked anew for it: so one that was replaced, and doesn't know, is called
    /// no longer than until the next check but one.
    ///
    /// # Errors
    /// Why one of them isn't, or that none is known. A server that is being left alone is asked once its pause is over.
    ///
    /// Cost: a round trip to each.
    pub fn check(&self, within: Duration) -> Result<(), LevelError> {
        let until = Until::after(within);
        self.servers.ask_anew(until);
        let masters = self.servers.masters(until);
        if masters.is_empty() {
            return Err(LevelError::Unavailable);
        }
        for master in masters {
            let replies = master.call(&[command("PING")], until)?;
            if let Some(Value::ServerError(error)) = replies.into_iter().next() {
                return Err(Fault::Answer(error).into());
            }
        }
        Ok(())
    }

    /// The command that stores a record under a stamp.
    fn sealed(&self, key: &[u8], record: LevelRecord<&[u8]>, stamp: Stamp) -> Cmd {
        let compress_from = self.servers.config().compress_from;
        let bytes = envelope::seal(key, record, stamp, wall_us(), compress_from);
        let mut set = command("SET");
        set.arg(key).arg(&bytes[..]);
        if let Some(ttl) = record.ttl {
            set.arg("PX").arg(whole_ms(ttl));
        }
        set
    }

    /// Refuses values that are too long.
    fn takes(&self, record: &LevelRecord<&[u8]>) -> Result<(), LevelError> {
        let value_bytes_max = self.servers.config().value_bytes_max;
        match record.value.len() as u64 > value_bytes_max {
            true => Err(LevelError::TooLarge { value_bytes_max }),
            false => Ok(()),
        }
    }

    /// The record in what a key holds.
    fn open(&self, key: &[u8], value: Value) -> Result<Option<LevelRecord<Bytes>>, Flaw> {
        let bytes = match value {
            Value::Nil => return Ok(None),
            Value::BulkString(bytes) => bytes,
            // A key of another type, in a cluster; elsewhere it is as if it weren't there.
            _ => return Err(Flaw::Foreign),
        };
        let value_bytes_max = self.servers.config().value_bytes_max;
        envelope::open(key, bytes, wall_us(), value_bytes_max).map(Some)
    }
}

impl Level for Valkey {
    fn get(&self, key: &LevelKey<'_>, within: Duration) -> Result<LevelAnswer, LevelError> {
        let until = Until::after(within);
        let scopes = scopes(key);
        let mut keys = vec![key.as_bytes()];
        keys.extend(refs(&scopes));
        let Read {
            mut values,
            answers,
            ..
        } = self.read(&keys, None, until)?;
        let generations = values.split_off(1);
        let value = values.pop().unwrap_or_default();
        let seen = seen(match &value {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        });
        let record = self.open(key.as_bytes(), value);
        match record {
            // VK4
            Err(Flaw::OtherKey) => drop(answers),
            _ => drop(answers.keep()),
        }
        let record = record.map_err(|flaw| {
            self.servers.counts().flaw(flaw);
            LevelError::Corrupt
        })?;
        // If they are begun only now, the record is of another stamp.
        let stamp = self.stamp(&scopes, &generations, until)?;
        Ok(LevelAnswer {
            stamp,
            record,
            seen,
        })
    }

    fn set(
        &self,
        key: &LevelKey<'_>,
        record: LevelRecord<&[u8]>,
        within: Duration,
    ) -> Result<(), LevelError> {
        self.takes(&record)?;
        let until = Until::after(within);
        let stamp = match record.stamp {
            Some(stamp) => stamp,
            None => {
                let scopes = scopes(key);
                let guess = self.stamps.last(&scopes);
                let of_key = key.as_bytes();
                let more = guess.map(|guess| Request {
                    key: of_key,
                    command: self.sealed(of_key, record, guess),
                });
                let Read {
                    values,
                    more,
                    answers,
                } = self.read(&refs(&scopes), more, until)?;
                answers.keep();
                if let Some(Value::ServerError(error)) = more {
                    return Err(Fault::Answer(error).into());
                }
                let stamp = self.stamp(&scopes, &values, until)?;
                if guess == Some(stamp) {
                    return Ok(());
                }
                stamp
            }
        };
        let set = self.sealed(key.as_bytes(), record, stamp);
        self.servers.run_one(key.as_bytes(), set, until)?;
        Ok(())
    }

    fn replace(
        &self,
        key: &LevelKey<'_>,
        seen: Seen,
        record: Option<LevelRecord<&[u8]>>,
        within: Duration,
    ) -> Result<bool, LevelError> {
        let until = Until::after(within);
        let key = key.as_bytes();
        let change = match record {
            Some(record) => {
                self.takes(&record)?;
                let Some(stamp) = record.stamp else {
                    return Ok(false);
                };
                self.sealed(key, record, stamp)
            }
            None => command("DEL").arg(key).take(),
        };
        match (seen, record) {
            (Seen(Some(seen)), _) => self.change(key, seen, &change, until),
            (Seen(None), Some(_)) => self.add(key, &change, until),
            // There is nothing that may be taken away.
            (Seen(None), None) => Ok(true),
        }
    }

    fn delete(&self, key: &LevelKey<'_>, within: Duration) -> Result<bool, LevelError> {
        let key = key.as_bytes();
        let delete = command("DEL").arg(key).take();
        match self.servers.run_one(key, delete, Until::after(within))? {
            Value::Int(n_deleted) => Ok(n_deleted > 0),
            _ => Err(LevelError::Unavailable),
        }
    }

    fn end(&self, scope: &LevelScope<'_>, within: Duration) -> Result<(), LevelError> {
        let until = Until::after(within);
        let key = &scope.to_bytes()[..];
        let now = wall_us();
        let requests = [begun(key, now), command("INCR").arg(key).take()]
            .map(|command| Request { key, command });
        let replies = self.servers.run(&requests, until)?.keep();
        match replies.last() {
            Some(Value::Int(_)) => Ok(()),
            // What is there is no counter: it becomes one, with a number that it never had.
            Some(Value::ServerError(error)) if is_of_value(error.kind(), error.code()) => {
                self.servers.run_one(key, anew(key, wall_us()), until)?;
                Ok(())
            }
            Some(Value::ServerError(error)) => Err(Fault::Answer(error.clone()).into()),
            _ => Err(LevelError::Unavailable),
        }
    }

    fn value_bytes_max(&self) -> Option<u64> {
        Some(self.servers.config().value_bytes_max)
    }

    fn lease(
        &self,
        key: &LevelKey<'_>,
        span: Duration,
        within: Duration,
    ) -> Result<LevelLease, LevelError> {
        lease::take(&self.servers, key, span, Until::after(within))
    }

    fn release(&self, key: &LevelKey<'_>, lease: LevelLease, within: Duration) {
        lease::give_back(&self.servers, key, lease, Until::after(within));
    }

    /// With [`Config::tracking`], by a thread. Without one, copies have their usual lifetime.
    fn follow(&self, changes: LevelChanges) {
        if self.servers.config().tracking {
            tracking::start(&self.servers, changes);
        }
    }
}

impl fmt::Debug for Valkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Valkey")
            .field("config", self.servers.config())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// The server's own deadline, no sooner than the record's. At most a century, which every server takes.
pub(crate) fn whole_ms(ttl: Duration) -> u64 {
    let ms = ttl.as_nanos().div_ceil(1_000_000).max(1);
    u64::try_from(ms).map_or(CENTURY_MS, |ms| ms.min(CENTURY_MS))
}

const CENTURY_MS: u64 = 100 * 366 * 86_400_000;
