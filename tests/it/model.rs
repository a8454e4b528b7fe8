//! The reference model: a map with deadlines, written so that a reader believes it at a glance.
//!
//! # Idea         every value that was ever stored has a number and a life; a map says which number a key holds
//! # Invariants   a value is dead from its hard deadline on; for certain from its last use and the time to idle on, and
//!   perhaps a sixteenth of that time earlier, which is what the documentation grants the engine
//! # Not here     the cache (module `machine`), memory, eviction: the machine tells the model what was evicted

use std::collections::BTreeMap;
use std::time::Duration;

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
    /// A number for a value that is about to be stored, and its bytes: they tell number and key.
    pub(crate) fn draft(&self, key: u8, len: usize) -> (Id, Vec<u8>) {
        let id = Id(self.lives.len() as u32);
        let mut bytes = id.0.to_le_bytes().to_vec();
        bytes.resize(len.max(4), key);
        (id, bytes)
    }

    /// Notes a value that was stored.
    pub(crate) fn store(&mut self, key: u8, bytes: Vec<u8>, ttl: Option<Duration>, version: u64) {
        let id = Id(self.lives.len() as u32);
        let hard = after(self.now, ttl);
        self.lives.push(Life {
            key,
            bytes,
            version,
            hard,
            last_use: self.now,
            end: None,
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

/// One operation; four bytes make one, so that a fuzzer's input and a shrunk counterexample read alike.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    Get(u8),
    Read(u8),
    Peek(u8),
    GetMany(u8),
    Contains(u8),
    Ttl(u8),
    Insert(u8, usize),
    InsertWithTtl(u8, usize, Duration),
    Remove(u8),
    /// Only if the last bit of the value's number is this.
    RemoveIf(u8, bool),
    SetTtl(u8, Option<Duration>),
    Iterate,
    /// Keeps the keys of this remainder by three.
    Retain(u8),
    Clear,
    SetCapacity(u64),
    Maintain(usize),
    Advance(Duration),
    /// Sets the clock back for the next operation.
    SetBack(Duration),
    /// Keeps a handle while other operations pass.
    Hold(u8),
    /// Removes the key from inside `read`, and looks at the value again.
    ReadAndRemove(u8),
}

/// Times to live, from refused to for ever.
pub(crate) const SPANS: [Duration; 16] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_micros(1),
    Duration::from_nanos(1 << 20),
    Duration::from_nanos((1 << 26) - 1),
    Duration::from_nanos(1 << 26),
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(61),
    Duration::from_secs(3600),
    Duration::from_secs(86_400),
    Duration::from_secs(40 * 86_400),
    Duration::from_secs(3 * 365 * 86_400),
    Duration::from_secs(500 * 365 * 86_400),
    Duration::from_secs(1000 * 365 * 86_400),
    Duration::MAX,
];

/// Lengths of values; the last ones are above every small bound.
const LENGTHS: [usize; 8] = [4, 5, 40, 200, 1000, 3000, 9000, 70_000];

/// The number of keys: few, so that operations meet.
pub(crate) const KEYS: u8 = 24;

impl Op {
    pub(crate) fn decode([kind, key, a, b]: [u8; 4]) -> Op {
        let key = key % KEYS;
        let len = LENGTHS[usize::from(a % 8)];
        let span = SPANS[usize::from(b % 16)];
        match kind % 32 {
            0..=3 => Op::Get(key),
            4 | 5 => Op::Read(key),
            6 => Op::Peek(key),
            7 => Op::GetMany(key),
            8 => Op::Contains(key),
            9 => Op::Ttl(key),
            10..=14 => Op::Insert(key, len),
            15..=17 => Op::InsertWithTtl(key, len, span),
            18 => Op::Remove(key),
            19 => Op::RemoveIf(key, b & 1 == 1),
            20 => Op::SetTtl(key, (b % 17 != 16).then_some(span)),
            21 => Op::Iterate,
            22 => Op::Retain(a % 3),
            23 if b % 4 == 0 => Op::Clear,
            24 => Op::SetCapacity(
                [0, 1, 400, 5000, 60_000, 1 << 20, 1 << 40, 1 << 61][usize::from(b % 8)],
            ),
            25 => Op::Maintain(usize::from(b)),
            26 | 27 => Op::Advance(SPANS[usize::from(b % 11)]),
            28 => Op::Advance(SPANS[usize::from(b % 14)]),
            29 => Op::SetBack(SPANS[usize::from(b % 10)]),
            30 => Op::Hold(key),
            _ => Op::ReadAndRemove(key),
        }
    }
}
