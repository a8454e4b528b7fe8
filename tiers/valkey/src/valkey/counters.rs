//! The counters of scopes: reading them, alone or with what else a call is about, and beginning them.
//!
//! # Idea         what a path's stamp was when it was last read is remembered, so that a record can go out together with the question whether
//!   that is still so; it nearly always is
//! # Costs        a table of some KiB; a look into it
//! # Invariants   CN1 a remembered stamp is never relied on, but only guessed with

use std::fmt;

use larder::{LevelError, LevelKey, Stamp};
use parking_lot::Mutex;
use redis::{Cmd, ServerErrorKind, Value};
use twox_hash::XxHash3_64;

use super::Valkey;
use crate::conn::command;
use crate::envelope::Flaw;
use crate::fault::Fault;
use crate::servers::{Answers, Request};
use crate::time::{Until, wall_us};

/// What paths' stamps were when they were last read.
pub(super) struct Stamps {
    slots: Vec<Slot>,
}

/// A path's stamp by the hash of its path, in the place of whichever was there.
type Slot = Mutex<Option<(u64, Stamp)>>;

const N_SLOTS: usize = 512;

impl Stamps {
    pub(super) fn new() -> Self {
        let slots = (0..N_SLOTS).map(|_| Mutex::new(None)).collect();
        Self { slots }
    }

    /// The stamp of the path whose scopes these are, as it was.
    pub(super) fn last(&self, scopes: &[Vec<u8>]) -> Option<Stamp> {
        let (hash, slot) = self.slot(scopes)?;
        let known = *slot.lock();
        known.filter(|(of, _)| *of == hash).map(|(_, stamp)| stamp)
    }

    fn note(&self, scopes: &[Vec<u8>], stamp: Stamp) {
        if let Some((hash, slot)) = self.slot(scopes) {
            *slot.lock() = Some((hash, stamp));
        }
    }

    /// The innermost scope tells the path.
    fn slot(&self, scopes: &[Vec<u8>]) -> Option<(u64, &Slot)> {
        let hash = XxHash3_64::oneshot(scopes.last()?);
        Some((hash, self.slots.get(hash as usize % N_SLOTS)?))
    }
}

impl fmt::Debug for Stamps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stamps").finish_non_exhaustive()
    }
}

/// What keys hold, what else was answered, and how it came.
pub(super) struct Read {
    pub(super) values: Vec<Value>,
    pub(super) more: Option<Value>,
    pub(super) answers: Answers,
}

impl Valkey {
    /// Reads keys, and does one thing more after it, in one round trip.
    pub(super) fn read(
        &self,
        keys: &[&[u8]],
        more: Option<Request<'_>>,
        until: Until,
    ) -> Result<Read, LevelError> {
        let has_more = more.is_some();
        let are_together = self.servers.has_all_keys_together();
        let mut requests = Vec::with_capacity(keys.len() + 1);
        if are_together {
            let mut read = command("MGET");
            for key in keys {
                read.arg(key);
            }
            requests.push(Request {
                key: b"",
                command: read,
            });
        } else {
            requests.extend(keys.iter().map(|&key| Request {
                key,
                command: command("GET").arg(key).take(),
            }));
        }
        requests.extend(more);
        let answers = self.servers.run(&requests, until);
        let mut answers = answers.inspect_err(|fault| {
            if *fault == Fault::TooLong {
                self.servers.counts().flaw(Flaw::TooLong);
            }
        })?;
        let mut values = std::mem::take(&mut answers.replies);
        let more = if has_more { values.pop() } else { None };
        if are_together {
            values = match values.pop() {
                Some(Value::Array(values)) if values.len() == keys.len() => values,
                Some(Value::ServerError(error)) => {
                    answers.keep();
                    return Err(Fault::Answer(error).into());
                }
                _ => return Err(Fault::Garbled.into()),
            };
        }
        Ok(Read {
            values,
            more,
            answers,
        })
    }

    /// The stamp of counters that were read; those that aren't there are begun.
    pub(super) fn stamp(
        &self,
        scopes: &[Vec<u8>],
        values: &[Value],
        until: Until,
    ) -> Result<Stamp, LevelError> {
        match sum(values)? {
            Some(stamp) => {
                self.stamps.note(scopes, stamp);
                Ok(stamp)
            }
            None => self.begin(scopes, until),
        }
    }

    /// Begins the counters that aren't there, and reads all (VK1); what stands in the place of one and is none is written over.
    #[cold]
    fn begin(&self, scopes: &[Vec<u8>], until: Until) -> Result<Stamp, LevelError> {
        let begin = |scope| Request {
            key: scope,
            command: begun(scope, wall_us()),
        };
        let mut requests: Vec<Request<'_>> = scopes.iter().map(|scope| begin(scope)).collect();
        for _ in 0..2 {
            self.servers.run(&requests, until)?.keep();
            let read = self.read(&refs(scopes), None, until)?;
            read.answers.keep();
            if let Some(stamp) = sum(&read.values)? {
                self.stamps.note(scopes, stamp);
                return Ok(stamp);
            }
            let others = scopes.iter().zip(&read.values);
            let others = others.filter(|(_, value)| matches!(number(value), Ok(None)));
            requests = others
                .map(|(scope, _)| Request {
                    key: scope,
                    command: anew(scope, wall_us()),
                })
                .collect();
        }
        // Whoever deletes them faster than that leaves no level to speak of.
        Err(LevelError::Unavailable)
    }
}

pub(super) fn scopes(key: &LevelKey<'_>) -> Vec<Vec<u8>> {
    key.scopes().map(|scope| scope.to_bytes()).collect()
}

pub(super) fn refs(keys: &[Vec<u8>]) -> Vec<&[u8]> {
    keys.iter().map(Vec::as_slice).collect()
}

pub(super) fn begun(counter: &[u8], now_us: u64) -> Cmd {
    command("SET").arg(counter).arg(now_us).arg("NX").take()
}

/// Begins a counter in the place of what is none.
pub(super) fn anew(counter: &[u8], now_us: u64) -> Cmd {
    command("SET").arg(counter).arg(now_us).take()
}

/// The stamp of all of them; `None` if one isn't there.
fn sum(values: &[Value]) -> Result<Option<Stamp>, LevelError> {
    let mut sum = 0_u64;
    for value in values {
        match number(value)? {
            Some(generation) => sum = sum.wrapping_add(generation),
            None => return Ok(None),
        }
    }
    Ok(Some(Stamp(sum)))
}

/// A counter's number; `None` if it isn't there, or something else is.
fn number(value: &Value) -> Result<Option<u64>, LevelError> {
    match value {
        Value::Nil => Ok(None),
        Value::Int(number) => Ok(Some(*number as u64)),
        Value::BulkString(text) => {
            let text = std::str::from_utf8(text).ok();
            let number = text.and_then(|text| text.parse::<i64>().ok());
            Ok(number.map(|number| number as u64))
        }
        Value::ServerError(error) if error.code() == "WRONGTYPE" => Ok(None),
        Value::ServerError(error) => Err(Fault::Answer(error.clone()).into()),
        _ => Err(LevelError::Unavailable),
    }
}

/// Whether an error says that a key holds something else.
pub(super) fn is_of_value(kind: Option<ServerErrorKind>, code: &str) -> bool {
    kind == Some(ServerErrorKind::ResponseError) || code == "WRONGTYPE"
}
