//! The operations of the machine.

use std::time::Duration;

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
    /// Longer, if the flag is set; else shorter.
    ChangeTtl(u8, Duration, bool),
    InsertWith(u8, usize, Written),
    /// Until a moment long past, or one too far away to count.
    InsertUntil(u8, usize, bool),
    PutIf(u8, usize, Asked),
    Compute(u8, usize, Outcome),
    Append(u8, Written),
    /// Of what is no number.
    Increment(u8),
    /// Of a value, with such a time to live.
    Load(u8, usize, Duration),
    /// That fails.
    LoadInVain(u8),
    Lookup(u8),
    /// To the deadline of a key's value and so much beyond.
    AdvanceToDeadline(u8, i64),
    /// To the next slot of this level of the wheel and so much beyond.
    AdvanceToEdge(u32, i64),
    /// Walks, and inserts and removes this key and its neighbours meanwhile.
    IterateAmid(u8),
    /// Of the scope that the key is in.
    Invalidate(u8),
    IterateScope(u8),
    ClearScope(u8),
}

/// What a write says of its entry's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Default,
    Keep,
    Never,
    After(Duration),
}

/// What a conditional write asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Absent,
    Present,
    /// The version that is there, or another.
    Version(bool),
    /// The value that is there, or another.
    Equal(bool),
    NotEqual(bool),
    PresentAndNotEqual(bool),
    AbsentOrEqual(bool),
}

/// What a computation wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Keep,
    Remove,
    Insert,
    InsertWith(Written),
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
        let written = match a / 8 % 4 {
            0 => Written::Default,
            1 => Written::Keep,
            2 => Written::Never,
            _ => Written::After(span),
        };
        match kind % 56 {
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
            31 => Op::ReadAndRemove(key),
            32 | 33 => Op::ChangeTtl(key, span, a % 2 == 0),
            34..=36 => Op::InsertWith(key, len, written),
            37 => Op::InsertUntil(key, len, a % 16 < 8),
            38..=40 => Op::PutIf(key, len, asked(b)),
            41 | 42 => Op::Compute(key, len, outcome(b, written)),
            43 => Op::Append(key, written),
            44 => Op::Increment(key),
            45 | 46 => Op::Load(key, len, span),
            47 => Op::LoadInVain(key),
            48 => Op::Lookup(key),
            49 | 50 => Op::AdvanceToDeadline(key, i64::from(b % 3) - 1),
            51 => Op::AdvanceToEdge(u32::from(a % 6), i64::from(b % 3) - 1),
            52 => Op::IterateAmid(key),
            53 => Op::Invalidate(key),
            54 => Op::IterateScope(key),
            _ => Op::ClearScope(key),
        }
    }
}

fn asked(n: u8) -> Asked {
    let is_it = !(n / 8).is_multiple_of(4);
    match n % 8 {
        0 | 1 => Asked::Absent,
        2 => Asked::Present,
        3 => Asked::Version(is_it),
        4 => Asked::Equal(is_it),
        5 => Asked::NotEqual(is_it),
        6 => Asked::PresentAndNotEqual(is_it),
        _ => Asked::AbsentOrEqual(is_it),
    }
}

fn outcome(n: u8, written: Written) -> Outcome {
    match n % 6 {
        0 => Outcome::Keep,
        1 => Outcome::Remove,
        2 | 3 => Outcome::Insert,
        _ => Outcome::InsertWith(written),
    }
}
