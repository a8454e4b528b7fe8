//! The level itself: records, and generations of scopes, on the servers.
//!
//! # Idea
//! A record is one key, and so is a scope's generation, a counter. What reads a record reads the counters of its path in the same round
//! trip, and what ends a scope raises one of them; nothing is ever searched for.
//!
//! ```text
//! get:    MGET record, counters                 of a cluster: GETs to all nodes concerned at a time
//! set:    MGET counters; SET record PX          with a stamp that is known: the latter alone
//! delete: DEL record
//! end:    SET counter NX; INCR counter          in one go
//! lease:  SET lease NX PX, again and again      back: GET lease; DEL lease
//! ```
//!
//! # Invariants
//! - VK1 A counter that isn't there begins with the microseconds of the wall clock, so losing counters loses records and brings none
//!   back.
//! - VK2 Of counters that are read at several moments of a call, the sum was the path's stamp at some moment of it: each step of a counter
//!   is one, so the sum passes through all numbers in between.
//! - VK3 A connection that brought a record of another key isn't used again.
//!
//! # Not here
//! What the engine makes of answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder::{
    Level, LevelAnswer, LevelChanges, LevelError, LevelKey, LevelLease, LevelRecord, LevelScope,
    Stamp,
};
use redis::{Cmd, ServerErrorKind, Value};

use crate::config::{Config, ConfigError};
use crate::conn::command;
use crate::counts::ValkeyStats;
use crate::envelope::{self, Flaw};
use crate::fault::Fault;
use crate::lease;
use crate::servers::{Answers, Request, Servers};
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
}

impl Valkey {
    /// A level on these servers, none of which is called yet.
    ///
    /// # Errors
    /// [`ConfigError`]: the configuration can't be meant.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            servers: Arc::new(Servers::new(config)?),
        })
    }

    /// A snapshot of the counters.
    pub fn stats(&self) -> ValkeyStats {
        self.servers.counts().snapshot()
    }

    /// Asks the servers that are written to whether they are there, each for so long at most: for who wants to know before, or
    /// beside, the calls that need them.
    ///
    /// # Errors
    /// Why one of them isn't, or that none is known. A server that is being left alone is asked once its pause is over.
    ///
    /// Cost: a round trip to each.
    pub fn check(&self, within: Duration) -> Result<(), LevelError> {
        let until = Until::after(within);
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

    /// Reads keys, in one round trip.
    fn read(&self, keys: &[&[u8]], until: Until) -> Result<Read, LevelError> {
        if self.servers.has_all_keys_together() {
            let mut read = command("MGET");
            for key in keys {
                read.arg(key);
            }
            let request = Request {
                key: b"",
                command: read,
            };
            let mut answers = self.servers.run(&[request], until)?;
            match answers.replies.pop() {
                Some(Value::Array(values)) if values.len() == keys.len() => {
                    Ok(Read { values, answers })
                }
                Some(Value::ServerError(error)) => {
                    answers.keep();
                    Err(Fault::Answer(error).into())
                }
                _ => Err(Fault::Garbled.into()),
            }
        } else {
            let get = |key: &[u8]| command("GET").arg(key).take();
            let requests: Vec<Request<'_>> = keys
                .iter()
                .map(|&key| Request {
                    key,
                    command: get(key),
                })
                .collect();
            let mut answers = self.servers.run(&requests, until)?;
            let values = std::mem::take(&mut answers.replies);
            Ok(Read { values, answers })
        }
    }

    /// The stamp of counters that were read; those that aren't there are begun.
    fn stamp(
        &self,
        scopes: &[Vec<u8>],
        values: &[Value],
        until: Until,
    ) -> Result<Stamp, LevelError> {
        let mut sum = 0_u64;
        for value in values {
            match number(value)? {
                Some(generation) => sum = sum.wrapping_add(generation),
                None => return self.begin(scopes, until),
            }
        }
        Ok(Stamp(sum))
    }

    /// Begins the counters that aren't there, and reads all (VK1).
    #[cold]
    fn begin(&self, scopes: &[Vec<u8>], until: Until) -> Result<Stamp, LevelError> {
        let now = wall_us();
        let requests: Vec<Request<'_>> = scopes
            .iter()
            .map(|scope| Request {
                key: scope,
                command: begun(scope, now),
            })
            .collect();
        self.servers.run(&requests, until)?.keep();
        let Read { values, answers } = self.read(&refs(scopes), until)?;
        answers.keep();
        let mut sum = 0_u64;
        for value in &values {
            // Whoever deletes them faster than that leaves no level to speak of.
            let generation = number(value)?.ok_or(LevelError::Unavailable)?;
            sum = sum.wrapping_add(generation);
        }
        Ok(Stamp(sum))
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

/// What keys hold, and how it came.
struct Read {
    values: Vec<Value>,
    answers: Answers,
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
        } = self.read(&keys, until)?;
        let generations = values.split_off(1);
        let record = self.open(key.as_bytes(), values.pop().unwrap_or_default());
        match record {
            // VK3
            Err(Flaw::OtherKey) => drop(answers),
            _ => drop(answers.keep()),
        }
        let record = record.map_err(|flaw| {
            self.servers.counts().flaw(flaw);
            LevelError::Corrupt
        })?;
        // If they are begun only now, the record is of another stamp.
        let stamp = self.stamp(&scopes, &generations, until)?;
        Ok(LevelAnswer { stamp, record })
    }

    fn set(
        &self,
        key: &LevelKey<'_>,
        record: LevelRecord<&[u8]>,
        within: Duration,
    ) -> Result<(), LevelError> {
        let value_bytes_max = self.servers.config().value_bytes_max;
        if record.value.len() as u64 > value_bytes_max {
            return Err(LevelError::TooLarge { value_bytes_max });
        }
        let until = Until::after(within);
        let stamp = match record.stamp {
            Some(stamp) => stamp,
            None => {
                let scopes = scopes(key);
                let Read { values, answers } = self.read(&refs(&scopes), until)?;
                answers.keep();
                self.stamp(&scopes, &values, until)?
            }
        };
        let compress_from = self.servers.config().compress_from;
        let bytes = envelope::seal(key.as_bytes(), record, stamp, wall_us(), compress_from);
        let mut set = command("SET");
        set.arg(key.as_bytes()).arg(&bytes[..]);
        if let Some(ttl) = record.ttl {
            set.arg("PX").arg(whole_ms(ttl));
        }
        self.servers.run_one(key.as_bytes(), set, until)?;
        Ok(())
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
                let set = command("SET").arg(key).arg(now).take();
                self.servers.run_one(key, set, until)?;
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

fn scopes(key: &LevelKey<'_>) -> Vec<Vec<u8>> {
    key.scopes().map(|scope| scope.to_bytes()).collect()
}

fn refs(keys: &[Vec<u8>]) -> Vec<&[u8]> {
    keys.iter().map(Vec::as_slice).collect()
}

fn begun(counter: &[u8], now_us: u64) -> Cmd {
    command("SET").arg(counter).arg(now_us).arg("NX").take()
}

/// A counter's number; `None` if it isn't there.
fn number(value: &Value) -> Result<Option<u64>, LevelError> {
    match value {
        Value::Nil => Ok(None),
        Value::Int(number) => Ok(Some(*number as u64)),
        Value::BulkString(text) => {
            let text = std::str::from_utf8(text).ok();
            let number = text.and_then(|text| text.parse::<i64>().ok());
            number
                .map(|number| Some(number as u64))
                .ok_or(LevelError::Corrupt)
        }
        Value::ServerError(error) if is_of_value(error.kind(), error.code()) => {
            Err(LevelError::Corrupt)
        }
        _ => Err(LevelError::Unavailable),
    }
}

/// Whether an error says that a key holds something else.
fn is_of_value(kind: Option<ServerErrorKind>, code: &str) -> bool {
    kind == Some(ServerErrorKind::ResponseError) || code == "WRONGTYPE"
}

/// The server's own deadline, no sooner than the record's. At most a century, which every server takes.
pub(crate) fn whole_ms(ttl: Duration) -> u64 {
    let ms = ttl.as_nanos().div_ceil(1_000_000).max(1);
    u64::try_from(ms).map_or(CENTURY_MS, |ms| ms.min(CENTURY_MS))
}

const CENTURY_MS: u64 = 100 * 366 * 86_400_000;
