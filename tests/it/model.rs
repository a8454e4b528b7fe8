//! The reference model: a map with deadlines, written so that a reader believes it at a glance.
//!
//! # Idea         every value that was ever stored has a number and a life; a map says which number a key holds
//! # Invariants   a value is dead from its hard deadline on; for certain from its last use and the time to idle on, and
//!   perhaps a sixteenth of that time earlier, which is what the documentation grants the engine
//! # Not here     the cache (module `machine`), memory, eviction: the machine tells the model what was evicted

use std::collections::BTreeMap;
use std::time::Duration;

#[path = "machine/op.rs"]
pub(crate) mod op;

pub(crate) use op::{KEYS, Op};

/// A time, in nanoseconds since the clock's birth; `NEVER` does not come.
pub(crate) type Time = u64;
/// See [`Time`].
pub(crate) const NEVER: Time = u64::MAX;

/// The number of a stored value; later values have larger ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(pub u32);

/// How a value's life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Replaced,
    Removed,
    Cleared,
    /// Its scope was ended; when it leaves is the sweep's affair.
    Unreachable,
    /// The cache no longer has it, and nobody took it out: evicted, or expired.
    Lost,
}

/// What the model knows of one value.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) key: u8,
    pub(crate) bytes: Vec<u8>,
    pub(crate) version: u64,
    pub(crate) hard: Time,
    pub(crate) last_use: Time,
    pub(crate) end: Option<End>,
    /// Its scope was ended since.
    pub(crate) is_swept: bool,
}

/// Whether a value is to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Alive,
    /// In the last sixteenth of its idle time.
    Either,
    Dead,
}

/// The model.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: Time,
    pub(crate) tti: Option<Duration>,
    pub(crate) present: BTreeMap<u8, Id>,
    pub(crate) lives: Vec<Life>,
}

/// A point in time that is so much later.
pub(crate) fn after(now: Time, span: Option<Duration>) -> Time {
    let Some(span) = span else { return NEVER };
    let end = u64::try_from(span.as_nanos()).map_or(NEVER, |nanos| now.saturating_add(nanos));
    // Deadlines end 292 years after the clock's birth.
    if end >= 1 << 63 { NEVER } else { end }
}

impl Model {
    /// A number for a value that is about to be stored, and its bytes: they tell key and, at the end, number.
    pub(crate) fn draft(&self, key: u8, len: usize) -> (Id, Vec<u8>) {
        let id = Id(self.lives.len() as u32);
        let mut bytes = vec![key; len.max(4) - 4];
        bytes.extend(id.0.to_le_bytes());
        (id, bytes)
    }

    /// Notes a value that was stored.
    pub(crate) fn store(&mut self, key: u8, bytes: Vec<u8>, hard: Time, version: u64) {
        let id = Id(self.lives.len() as u32);
        self.lives.push(Life {
            key,
            bytes,
            version,
            hard,
            last_use: self.now,
            end: None,
            is_swept: false,
        });
        self.present.insert(key, id);
    }

    pub(crate) fn life(&self, id: Id) -> &Life {
        &self.lives[id.0 as usize]
    }

    /// Notes that a key's value is gone.
    pub(crate) fn end(&mut self, key: u8, end: End) {
        let id = self
            .present
            .remove(&key)
            .expect("only a present value ends");
        self.lives[id.0 as usize].end = Some(end);
    }

    /// Notes a use of a key's value.
    pub(crate) fn touch(&mut self, key: u8) {
        let id = self.present[&key];
        self.lives[id.0 as usize].last_use = self.now;
    }

    /// Gives a key's value another hard deadline.
    pub(crate) fn set_ttl(&mut self, key: u8, ttl: Option<Duration>) {
        let id = self.present[&key];
        self.lives[id.0 as usize].hard = after(self.now, ttl);
    }

    /// The hard deadline of a key's value, if it has one that counts.
    pub(crate) fn hard(&self, key: u8) -> Option<Time> {
        Some(self.life(*self.present.get(&key)?).hard)
    }

    /// From when on a value may be dead, and from when on it must be.
    pub(crate) fn deadlines(&self, id: Id) -> (Time, Time) {
        let life = self.life(id);
        let latest = after(life.last_use, self.tti);
        let grain = self.tti.map_or(0, |tti| {
            u64::try_from((tti / 16).as_nanos()).unwrap_or(NEVER)
        });
        let earliest = if latest == NEVER {
            NEVER
        } else {
            latest.saturating_sub(grain)
        };
        (life.hard.min(earliest), life.hard.min(latest))
    }

    pub(crate) fn state(&self, id: Id) -> State {
        let (earliest, latest) = self.deadlines(id);
        if self.now >= latest && latest != NEVER {
            State::Dead
        } else if self.now >= earliest && earliest != NEVER {
            State::Either
        } else {
            State::Alive
        }
    }

    /// What a look-up of a key may give: its value, and whether it must.
    pub(crate) fn find(&self, key: u8) -> Option<(Id, State)> {
        let id = *self.present.get(&key)?;
        let state = self.state(id);
        (state != State::Dead).then_some((id, state))
    }

    /// The values that a cache may still count at a time: those not taken out, and not certainly dead a while ago.
    pub(crate) fn counted_at_most(&self, grain: Duration) -> usize {
        let earlier = self.now.saturating_sub(grain.as_nanos() as u64);
        let ids = (0..self.lives.len() as u32).map(Id);
        ids.filter(|&id| {
            matches!(self.life(id).end, None | Some(End::Lost)) && self.deadlines(id).1 > earlier
        })
        .count()
    }

    /// The values that are certainly alive.
    pub(crate) fn counted_at_least(&self) -> usize {
        self.present
            .values()
            .filter(|&&id| self.state(id) == State::Alive)
            .count()
    }
}
