//! The timing wheel: which deadlines are due, without looking at those that are not.
//!
//! # Idea
//! Time is counted in ticks of about a millisecond. A deadline is filed by the highest group of six bits in which its
//! tick differs from the wheel's own: the group's place is the level, its value the slot. So a slot of level 0 is one
//! tick, and one of each further level is 64 times as long. When the wheel reaches a slot, what is in it is due or
//! moves to finer slots. A bitmap a level tells which slots hold anything, so the wheel goes from one to the next and
//! never walks through idle time. After Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP 1987).
//!
//! | level | 0 | 1 | 2 | 3 | 4 | 5 |
//! |---|---|---|---|---|---|---|
//! | a slot | 1.05 ms | 67 ms | 4.3 s | 4.6 min | 4.9 h | 13 days |
//! | the level | 67 ms | 4.3 s | 4.6 min | 4.9 h | 13 days | 2.28 years |
//!
//! The top level goes round: a deadline beyond it waits in its farthest slot and is filed again from there.
//!
//! The wheel keeps no deadlines. It asks for them when it reaches a slot, so a deadline may be put off without
//! telling the wheel; bringing one forward needs `reschedule`.
//!
//! # Costs
//! schedule, cancel, reschedule: O(1). advance: O(due + moved), at most `budget` of them, and a few instructions a slot
//! that held any; nothing but a comparison while nothing can be due. A deadline moves at most once a level, and once
//! each two years. 16 bytes a deadline, 3.2 KiB a wheel.
//!
//! # Invariants
//! - W1 A scheduled token is in exactly one slot; a set bit means a slot that isn't empty.
//! - W2 A slot begins no later than its deadlines, or than the wheel itself for those that were past when filed.
//! - W3 The wheel passes no slot that isn't empty: `cursor` is at most the beginning of any, or in a slot being emptied.
//! - W4 Nothing fires before its deadline; what is due fires once the tick that its deadline falls in has ended.
//! - W5 Time never goes back: an earlier `now` than before counts as the same.
//!
//! # Not here
//! The clock, the entries, any lock.

use std::hint::cold_path;

use crate::clock::Nanos;
pub(crate) use crate::rings::Token;
use crate::rings::{End, ListId, Rings};

/// A count of wheel ticks since the birth of the clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Tick(u64);

impl Tick {
    /// Later than any deadline: the tick of `Nanos::MAX` is 2^44.
    const NEVER: Self = Self(u64::MAX);

    /// The last tick that has begun at `now`.
    #[inline]
    fn at(now: Nanos) -> Self {
        Self(now.0 >> TICK_SHIFT)
    }

    /// The first tick that begins no earlier than the deadline.
    #[inline]
    fn not_before(deadline: Nanos) -> Self {
        let begun = (deadline.0 & (TICK_NANOS - 1) != 0) as u64;
        Self((deadline.0 >> TICK_SHIFT) + begun)
    }

    /// When the tick begins, at most `Nanos::MAX`.
    #[cfg(test)]
    fn begin(self) -> Nanos {
        Nanos(self.0.saturating_mul(TICK_NANOS))
    }

    /// The number of slots of a level before this tick, from the beginning of time on.
    #[inline]
    fn position(self, level: usize) -> u64 {
        self.0 >> (SLOT_BITS * level as u32)
    }
}

/// What an advance did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Advanced {
    /// How many were due.
    pub(crate) fired: usize,
    /// How many were filed again.
    pub(crate) moved: usize,
    /// Whether the wheel has come to `now`; if not, the budget ran out.
    pub(crate) done: bool,
}

/// How soon a payload's deadline will be asked for. Of a slot, all but the first two are told twice, and the last one may be told of
/// once more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turns {
    One,
    Two,
}

/// A slot: its level, and its index there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slot {
    level: usize,
    idx: u32,
}

impl Slot {
    #[inline]
    fn list(self) -> ListId {
        ListId(self.level as u32 * N_SLOTS + self.idx)
    }

    #[inline]
    fn of(list: ListId) -> Self {
        Self {
            level: (list.0 / N_SLOTS) as usize,
            idx: list.0 % N_SLOTS,
        }
    }
}

/// A slot, and how many of its level there are before it from the beginning of time on.
#[derive(Clone, Copy, Debug)]
struct Place {
    slot: Slot,
    position: u64,
}

/// Deadlines, each with a payload that says whose it is.
#[derive(Debug)]
pub(crate) struct Wheel {
    rings: Rings,
    /// Bit by bit, which slots of each level hold anything (W1).
    occupied: [u64; N_LEVELS],
    /// All slots before this tick are empty (W3). Its own slot of level 0 may be filled, and is due.
    cursor: Tick,
    /// The latest time that the wheel was told; the cursor is behind while the budget ran out (W5).
    latest: Tick,
    /// No slot that holds anything begins earlier; it may be too low, which costs an idle look.
    next_begin: Tick,
}

impl Wheel {
    /// Makes a wheel that stands at zero.
    pub(crate) fn new() -> Self {
        Self {
            rings: Rings::new(N_LEVELS as u32 * N_SLOTS),
            occupied: [0; N_LEVELS],
            cursor: Tick(0),
            latest: Tick(0),
            next_begin: Tick::NEVER,
        }
    }

    /// Files a deadline. A past one fires at the next advance.
    #[inline(always)]
    pub(crate) fn schedule(&mut self, deadline: Nanos, payload: u64) -> Token {
        let place = self.place(deadline);
        let (token, was_empty) = self.rings.push_and_tell(place.slot.list(), payload);
        // What isn't empty is marked (W1), and known to begin when it does.
        if was_empty {
            self.mark(place);
        }
        token
    }

    /// Takes a deadline out, and gives its payload. The token names nothing from here on.
    pub(crate) fn cancel(&mut self, token: Token) -> u64 {
        let unlinked = self.rings.unlink(token);
        self.clear_emptied(unlinked.emptied);
        unlinked.payload
    }

    /// Files a deadline anew, under the same token.
    pub(crate) fn reschedule(&mut self, token: Token, deadline: Nanos) {
        let place = self.place(deadline);
        self.mark(place);
        let emptied = self.rings.move_to_back(token, place.slot.list());
        self.clear_emptied(emptied);
    }

    /// Goes forward to `now`, or as far as the budget lasts: every deadline that is fired or filed again takes one.
    ///
    /// `deadline_of` gives the present deadline of a payload and its token. Each that is due goes to `due`, with the token that it
    /// had, which is free by then. If the budget runs out in the middle of a slot, the next call goes on there.
    pub(crate) fn advance(
        &mut self,
        now: Nanos,
        budget: usize,
        mut deadline_of: impl FnMut(u64, Token) -> Nanos,
        due: impl FnMut(u64, Token),
    ) -> Advanced {
        let deadline_of = |payload, token| (deadline_of(payload, token), token);
        self.advance_with(now, budget, |_, _| {}, deadline_of, due)
    }

    /// As [`Wheel::advance`]; `due` gets what `deadline_of` has found on its way, instead of a token, and `ahead` learns of payloads of
    /// a slot that their turn comes soon.
    pub(crate) fn advance_with<F>(
        &mut self,
        now: Nanos,
        budget: usize,
        mut ahead: impl FnMut(u64, Turns),
        mut deadline_of: impl FnMut(u64, Token) -> (Nanos, F),
        mut due: impl FnMut(u64, F),
    ) -> Advanced {
        let mut advanced = Advanced {
            fired: 0,
            moved: 0,
            done: true,
        };
        if self.rests(now) {
            return advanced;
        }
        let now = Tick::at(now).max(self.latest);
        self.latest = now;
        while let Some((begin, slot)) = self.first_slot()
            && begin <= now
        {
            self.cursor = self.cursor.max(begin);
            let (list, mut end) = (slot.list(), End::Front);
            while let Some(token) = self.rings.end(list, end) {
                if advanced.fired + advanced.moved >= budget {
                    self.next_begin = begin;
                    advanced.done = false;
                    return advanced;
                }
                let payload = self.rings.payload(token);
                // From both ends in turn: what an end needs next is on its way for two turns.
                if let Some(next) = self.rings.inward(token, end) {
                    ahead(self.rings.payload(next), Turns::Two);
                    if let Some(next) = self.rings.inward(next, end) {
                        self.rings.prefetch(next);
                    }
                }
                end = end.other();
                if let Some(next) = self.rings.end(list, end) {
                    ahead(self.rings.payload(next), Turns::One);
                }
                let (deadline, found) = deadline_of(payload, token);
                if Tick::not_before(deadline) <= now {
                    self.cancel(token);
                    due(payload, found);
                    advanced.fired += 1;
                } else {
                    self.reschedule(token, deadline);
                    advanced.moved += 1;
                }
            }
        }
        self.cursor = now;
        self.next_begin = self.first_slot().map_or(Tick::NEVER, |(begin, _)| begin);
        advanced
    }

    /// Comes to `now`, if nothing is to fire or move by then; whether that is so.
    #[inline]
    pub(crate) fn rests(&mut self, now: Nanos) -> bool {
        let now = Tick::at(now).max(self.latest);
        let rests = now < self.next_begin;
        if rests {
            self.latest = now;
            self.cursor = now;
        }
        rests
    }

    /// Asks the processor for what cancelling will touch first.
    #[inline]
    pub(crate) fn prefetch(&self, token: Token) {
        self.rings.prefetch(token);
    }

    /// A time before which an advance has nothing to fire or to move; `None` if the wheel is empty.
    #[cfg(test)]
    pub(crate) fn next_due(&self) -> Option<Nanos> {
        self.first_slot().map(|(begin, _)| begin.begin())
    }

    /// The number of deadlines.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.rings.len()
    }

    /// The bytes that the deadlines and their slots take.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.rings.memory_bytes()
    }

    /// The bytes that scheduling one more adds to [`Wheel::memory_bytes`]: mostly none.
    pub(crate) fn growth_bytes(&self) -> usize {
        self.rings.growth_bytes()
    }

    /// Whether there is so much memory to spare that `shrink` would give some back.
    #[inline]
    pub(crate) fn is_sparse(&self) -> bool {
        self.rings.is_sparse()
    }

    /// Gives memory back if there is much to spare; moves and frees at most `budget`, and says how many. `moved` learns each
    /// payload's old and new token.
    pub(crate) fn shrink(&mut self, budget: usize, moved: impl FnMut(u64, Token, Token)) -> usize {
        self.rings.shrink(budget, moved)
    }

    /// Where a deadline belongs.
    #[inline(always)]
    fn place(&self, deadline: Nanos) -> Place {
        let tick = Tick::not_before(deadline).max(self.cursor);
        // The lowest bit changes no level, and spares the case of no difference.
        let differing = (tick.0 ^ self.cursor.0) | 1;
        let (level, position) = if differing < 1 << (SLOT_BITS * N_LEVELS as u32) {
            let level = (differing.ilog2() / SLOT_BITS) as usize;
            (level, tick.position(level))
        } else {
            cold_path();
            // Beyond the top level the farthest slot must do. It isn't the cursor's own, which may be just being emptied.
            let farthest = self.cursor.position(TOP_LEVEL) + u64::from(N_SLOTS) - 1;
            (TOP_LEVEL, tick.position(TOP_LEVEL).min(farthest))
        };
        let idx = position as u32 % N_SLOTS;
        Place {
            slot: Slot { level, idx },
            position,
        }
    }

    /// Marks a slot as holding something.
    #[inline(always)]
    fn mark(&mut self, place: Place) {
        let Place { slot, position } = place;
        self.occupied[slot.level] |= 1 << slot.idx;
        let begin = Tick(position << (SLOT_BITS * slot.level as u32));
        self.next_begin = self.next_begin.min(begin);
    }

    fn clear_emptied(&mut self, emptied: Option<ListId>) {
        if let Some(slot) = emptied.map(Slot::of) {
            self.occupied[slot.level] &= !(1 << slot.idx);
        }
    }

    /// The slot that begins first. Among equals any will do: the cursor stays until all of them are empty.
    fn first_slot(&self) -> Option<(Tick, Slot)> {
        let mut first: Option<(Tick, Slot)> = None;
        for (level, occupied) in self.occupied.iter().enumerate() {
            if *occupied == 0 {
                continue;
            }
            let here = self.cursor.position(level);
            let idx_here = here as u32 % N_SLOTS;
            // Slots before the cursor's own are those of the next round.
            let ahead = occupied.rotate_right(idx_here).trailing_zeros();
            let begin = Tick((here + u64::from(ahead)) << (SLOT_BITS * level as u32));
            if first.is_none_or(|(earlier, _)| begin < earlier) {
                let idx = (idx_here + ahead) % N_SLOTS;
                first = Some((begin, Slot { level, idx }));
            }
        }
        first
    }
}

/// A tick is 2^20 ns: fine enough for memory to come back soon, coarse enough for six levels to span two years.
const TICK_SHIFT: u32 = 20;
const TICK_NANOS: u64 = 1 << TICK_SHIFT;

/// 64 slots a level: as many as a word has bits.
const SLOT_BITS: u32 = 6;
const N_SLOTS: u32 = 1 << SLOT_BITS;

const N_LEVELS: usize = 6;
const TOP_LEVEL: usize = N_LEVELS - 1;

#[cfg(all(feature = "_wheel", not(engine_loom)))]
pub(crate) mod alone;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
