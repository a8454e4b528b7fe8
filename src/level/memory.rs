//! A level in memory: for tests and examples, with faults and delays on request.
//!
//! # Idea         a map from keys to records and one from scopes to generations, behind one lock; a call may be stopped before or after its
//!   work, made late by a hand-driven clock, or made to fail
//! # Costs        no concern; nothing is taken out before it is read after its deadline
//! # Not here     a server

mod hold;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use self::hold::Held;
pub use self::hold::Hold;
use super::{Level, LevelAnswer, LevelError, LevelKey, LevelRecord, LevelScope, Seen, Stamp};
use crate::clock::{Clock, ManualClock, Nanos, SystemClock};
use crate::sync::{Arc, Condvar, Mutex};

/// A [`Level`] in the memory of the process, which several caches can share. Clones are the same level.
///
/// It is for tests and examples: what happens to callers of a slow, broken or absent server can be brought about at will.
///
/// # Examples
/// ```
/// use larder::{Cache, LevelCall, LevelError, LevelMode, Levels, MemoryLevel};
///
/// let shared = MemoryLevel::new();
/// let cache: Cache<[u8]> = Cache::builder().max_entries(10).build()?;
/// let levels = Levels::new(shared.clone(), b"test");
/// let view = levels.view(cache.scope("s")?, LevelMode::L2);
/// view.put("k", b"v", larder::Ttl::DEFAULT)?;
///
/// shared.fail(LevelError::Unavailable);
/// assert!(view.get("k").is_none());
/// shared.recover();
/// assert_eq!(view.get("k").as_deref(), Some(&b"v"[..]));
/// assert_eq!(shared.calls(LevelCall::Get), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct MemoryLevel {
    shared: Arc<Shared>,
}

struct Shared {
    time: Time,
    state: Mutex<State>,
    /// A hold was reached or released.
    moved: Condvar,
}

enum Time {
    System(SystemClock),
    Manual(ManualClock),
}

#[derive(Default)]
struct State {
    records: HashMap<Vec<u8>, Stored>,
    generations: HashMap<Vec<u8>, u64>,
    /// The largest number that a generation began with.
    begun: u64,
    /// The last version that was given to a record.
    last_version: u64,
    calls: [u64; 5],
    fault: Option<Fault>,
    delay: Duration,
    answers_late: bool,
    value_bytes_max: Option<u64>,
    holds: Vec<Held>,
    last_hold: u64,
}

struct Stored {
    record: LevelRecord<Bytes>,
    stored_at: Nanos,
    version: u64,
    is_corrupt: bool,
}

#[derive(Clone, Copy)]
struct Fault {
    error: LevelError,
    /// Whether the work is done nevertheless.
    works: bool,
}

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LevelCall {
    /// [`Level::get`].
    Get,
    /// [`Level::set`].
    Set,
    /// [`Level::delete`].
    Delete,
    /// [`Level::end`].
    End,
    /// [`Level::replace`].
    Replace,
}

impl MemoryLevel {
    /// An empty level, whose records are due by the system's clock.
    pub fn new() -> Self {
        Self::with(Time::System(SystemClock::new()))
    }

    /// An empty level, whose records are due, and whose delays pass, by a clock that is moved by hand.
    pub fn with_clock(clock: ManualClock) -> Self {
        Self::with(Time::Manual(clock))
    }

    fn with(time: Time) -> Self {
        let shared = Shared {
            time,
            state: Mutex::default(),
            moved: Condvar::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Makes all calls from now on fail without doing anything.
    pub fn fail(&self, error: LevelError) {
        let works = false;
        self.shared.state.lock().fault = Some(Fault { error, works });
    }

    /// Makes all calls from now on do their work and fail nevertheless, as when an answer is lost.
    pub fn lose_answers(&self, error: LevelError) {
        let works = true;
        self.shared.state.lock().fault = Some(Fault { error, works });
    }

    /// Ends failures and delays.
    pub fn recover(&self) {
        let mut state = self.shared.state.lock();
        state.fault = None;
        state.delay = Duration::ZERO;
    }

    /// Makes each call move the clock by so much, or to the end of its time if that comes first: it fails then with
    /// [`LevelError::Timeout`], having done nothing. With `answers_late` it takes all of the delay instead, and answers: what no level
    /// should do. Of no effect on a level by the system's clock.
    pub fn delay(&self, delay: Duration, answers_late: bool) {
        let mut state = self.shared.state.lock();
        (state.delay, state.answers_late) = (delay, answers_late);
    }

    /// Takes no values longer than that from now on.
    pub fn limit_values(&self, value_bytes_max: Option<u64>) {
        self.shared.state.lock().value_bytes_max = value_bytes_max;
    }

    /// Damages all records that are stored now.
    pub fn corrupt(&self) {
        let mut state = self.shared.state.lock();
        for stored in state.records.values_mut() {
            stored.is_corrupt = true;
        }
    }

    /// Loses all generations, as a server that needs memory may.
    pub fn lose_generations(&self) {
        self.shared.state.lock().generations.clear();
    }

    /// Loses everything, as a server that starts anew.
    pub fn clear(&self) {
        let mut state = self.shared.state.lock();
        state.records.clear();
        state.generations.clear();
    }

    /// How many calls of a kind there were, failed ones included.
    pub fn calls(&self, call: LevelCall) -> u64 {
        self.shared.state.lock().calls[call as usize]
    }

    /// The keys of all records and generations.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        let state = self.shared.state.lock();
        let records = state.records.keys();
        records.chain(state.generations.keys()).cloned().collect()
    }

    /// What all calls have in common.
    fn call<R>(
        &self,
        call: LevelCall,
        within: Duration,
        work: impl FnOnce(&mut State, Nanos) -> Result<R, LevelError>,
    ) -> Result<R, LevelError> {
        let (fault, delay, answers_late) = {
            let mut state = self.shared.state.lock();
            state.calls[call as usize] += 1;
            (state.fault, state.delay, state.answers_late)
        };
        if let Some(fault) = fault.filter(|fault| !fault.works) {
            return Err(fault.error);
        }
        self.stop(call, false);
        if let Time::Manual(clock) = &self.shared.time {
            if delay > within && !answers_late {
                clock.advance(within);
                return Err(LevelError::Timeout);
            }
            clock.advance(delay);
        }
        let now = self.shared.time.now();
        let done = work(&mut self.shared.state.lock(), now);
        self.stop(call, true);
        match fault {
            Some(fault) => Err(fault.error),
            None => done,
        }
    }
}

impl Time {
    fn now(&self) -> Nanos {
        match self {
            Self::System(clock) => clock.now(),
            Self::Manual(clock) => clock.now(),
        }
    }
}

impl State {
    fn generation(&mut self, scope: &LevelScope<'_>) -> &mut u64 {
        let begun = &mut self.begun;
        self.generations.entry(scope.to_bytes()).or_insert_with(|| {
            // Far enough apart that no generation grows into what another begins with.
            *begun += 1 << 32;
            *begun
        })
    }

    fn stamp(&mut self, key: &LevelKey<'_>) -> Stamp {
        let sum = key.scopes().fold(0_u64, |sum, scope| {
            sum.wrapping_add(*self.generation(&scope))
        });
        Stamp(sum)
    }
}

impl State {
    /// Stores a record at a moment.
    fn store(
        &mut self,
        key: &LevelKey<'_>,
        record: LevelRecord<&[u8]>,
        now: Nanos,
    ) -> Result<(), LevelError> {
        let value_bytes = record.value.len() as u64;
        if let Some(value_bytes_max) = self.value_bytes_max.filter(|&max| value_bytes > max) {
            return Err(LevelError::TooLarge { value_bytes_max });
        }
        let stamp = record.stamp.unwrap_or_else(|| self.stamp(key));
        let mut record = record.with_value(Bytes::copy_from_slice(record.value));
        record.stamp = Some(stamp);
        self.last_version += 1;
        let stored = Stored {
            record,
            stored_at: now,
            version: self.last_version,
            is_corrupt: false,
        };
        self.records.insert(key.as_bytes().to_vec(), stored);
        Ok(())
    }

    /// What is stored under a key; what is due is taken out.
    fn seen(&mut self, key: &LevelKey<'_>, now: Nanos) -> Seen {
        let stored = self.records.get(key.as_bytes());
        let is_due = stored.is_some_and(|stored| !stored.is_corrupt && stored.at(now).is_none());
        if is_due {
            self.records.remove(key.as_bytes());
        }
        Seen(
            self.records
                .get(key.as_bytes())
                .map(|stored| stored.version),
        )
    }
}

impl Stored {
    /// The record with what is left of its times; `None` if it is due.
    fn at(&self, now: Nanos) -> Option<LevelRecord<Bytes>> {
        let age = now.saturating_since(self.stored_at);
        let left = |span: Option<Duration>| span.map(|span| span.saturating_sub(age));
        let record = LevelRecord {
            ttl: left(self.record.ttl),
            fresh: left(self.record.fresh),
            ..self.record.clone()
        };
        record
            .ttl
            .is_none_or(|ttl| !ttl.is_zero())
            .then_some(record)
    }
}

impl Level for MemoryLevel {
    fn get(&self, key: &LevelKey<'_>, within: Duration) -> Result<LevelAnswer, LevelError> {
        self.call(LevelCall::Get, within, |state, now| {
            let stamp = state.stamp(key);
            let record = match state.records.get(key.as_bytes()) {
                Some(stored) if stored.is_corrupt => return Err(LevelError::Corrupt),
                stored => stored.and_then(|stored| stored.at(now)),
            };
            let seen = state.seen(key, now);
            Ok(LevelAnswer {
                stamp,
                record,
                seen,
            })
        })
    }

    fn set(
        &self,
        key: &LevelKey<'_>,
        record: LevelRecord<&[u8]>,
        within: Duration,
    ) -> Result<(), LevelError> {
        self.call(LevelCall::Set, within, |state, now| {
            state.store(key, record, now)
        })
    }

    fn replace(
        &self,
        key: &LevelKey<'_>,
        seen: Seen,
        record: Option<LevelRecord<&[u8]>>,
        within: Duration,
    ) -> Result<bool, LevelError> {
        self.call(LevelCall::Replace, within, |state, now| {
            if state.seen(key, now) != seen {
                return Ok(false);
            }
            match record {
                Some(record) if record.stamp.is_none() => return Ok(false),
                Some(record) => state.store(key, record, now)?,
                None => drop(state.records.remove(key.as_bytes())),
            }
            Ok(true)
        })
    }

    fn delete(&self, key: &LevelKey<'_>, within: Duration) -> Result<bool, LevelError> {
        self.call(LevelCall::Delete, within, |state, now| {
            let stamp = state.stamp(key);
            let stored = state.records.remove(key.as_bytes());
            let record = stored.and_then(|stored| stored.at(now));
            Ok(record.is_some_and(|record| record.stamp == Some(stamp)))
        })
    }

    fn end(&self, scope: &LevelScope<'_>, within: Duration) -> Result<(), LevelError> {
        self.call(LevelCall::End, within, |state, _| {
            *state.generation(scope) += 1;
            Ok(())
        })
    }
}

impl Default for MemoryLevel {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock();
        f.debug_struct("MemoryLevel")
            .field("n_records", &state.records.len())
            .finish_non_exhaustive()
    }
}
