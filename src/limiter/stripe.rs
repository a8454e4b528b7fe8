//! What one lock of a limiter protects: its share of the keys, and when each may be forgotten.
//!
//! # Idea         a table of states and a wheel of their ends; every call first forgets a few that are due
//! # Costs        admit on a present key: one search; new key: an insert and a wheel record; each call at most
//!   `EXPIRE_STEPS` steps of the wheel
//! # Invariants   LS1 every node whose state becomes idle has a wheel record, and no other has; the record's payload is the hash
//!   LS2 a node leaves when it is idle and without reservations, or when it is asked to
//!   LS3 `latest` never goes back, and every state has seen only times up to it
//!   LS4 `heap_bytes` is the sum of what nodes own outside of the table
//! # Not here     locks, clocks, how keys are hashed

use super::answer::{Cost, LimitError, Standing};
use super::counters::{Counters, Node, Pos};
use super::keys::Keys;
use super::rule::Rule;
use crate::clock::Nanos;
use crate::hash::KeyHash;
use crate::key::KeyRef;
use crate::wheel::{Token, Wheel};

/// Names one life of a key, without the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) hash: KeyHash,
    life: u64,
    /// What the rule wants to know again when it settles.
    below: u128,
}

/// What came of an admission.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    pub(super) standing: Standing,
    /// Where to settle, if it is held.
    pub(super) place: Option<Place>,
}

/// Why there was none.
#[derive(Debug)]
pub(super) enum Failure {
    Refused(LimitError),
    /// The key is new, and there are too many.
    Full,
}

/// What is under one lock.
#[derive(Debug)]
pub(super) struct Stripe<S> {
    counters: Counters<S>,
    wheel: Wheel,
    /// The latest time that a call brought (LS3): threads may come to the lock in another order than to the clock.
    latest: Nanos,
    /// The wheel fires nothing before this time: it has come to the tick that ends then.
    quiet_until: Nanos,
    /// The next key's life.
    next_life: u64,
    heap_bytes: usize,
    /// What the wheel fired in the call that is running; kept for its memory.
    due: Vec<(KeyHash, Token)>,
}

/// Wheel records that one call on a key fires or moves at most. A key has a few moves and one firing ahead of it, so
/// this is enough to keep up with new keys.
pub(super) const EXPIRE_STEPS: usize = 8;

impl<S> Stripe<S> {
    pub(super) fn new() -> Self {
        Self {
            counters: Counters::new(),
            wheel: Wheel::new(),
            latest: Nanos::ZERO,
            quiet_until: Nanos::ZERO,
            next_life: 0,
            heap_bytes: 0,
            due: Vec::with_capacity(EXPIRE_STEPS),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.counters.len()
    }

    /// The bytes on the heap: nodes, what they own, and the wheel.
    pub(super) fn memory_bytes(&self) -> usize {
        self.counters.memory_bytes()
            + self.wheel.memory_bytes()
            + self.heap_bytes
            + self.due.capacity() * size_of::<(KeyHash, Token)>()
    }

    /// Admits a cost or refuses it. What is admitted as `held` waits for [`Stripe::settle`].
    #[inline]
    pub(super) fn admit<R: Rule<State = S>>(
        &mut self,
        rule: &R,
        keys: &Keys,
        (hash, key): (KeyHash, KeyRef<'_>),
        cost: Cost,
        held: bool,
        now: Nanos,
    ) -> Result<Admitted, Failure> {
        let now = self.expire_few(rule, keys, now);
        let Some(pos) = self.counters.find(hash, key) else {
            return self.admit_new(rule, keys, (hash, key), cost, held, now);
        };
        let node = self.counters.get_mut(pos);
        let heap_bytes = R::heap_bytes(&node.state);
        let place = held.then(|| Place {
            hash,
            life: node.life,
            below: rule.below(&node.state, now),
        });
        rule.admit(&mut node.state, cost, now)
            .map_err(Failure::Refused)?;
        if held {
            node.n_holds = node.n_holds.saturating_add(1);
        }
        self.heap_bytes = self.heap_bytes + R::heap_bytes(&node.state) - heap_bytes;
        Ok(Admitted {
            standing: standing(rule, &mut node.state, now),
            place,
        })
    }

    #[inline(never)]
    fn admit_new<R: Rule<State = S>>(
        &mut self,
        rule: &R,
        keys: &Keys,
        (hash, key): (KeyHash, KeyRef<'_>),
        cost: Cost,
        held: bool,
        now: Nanos,
    ) -> Result<Admitted, Failure> {
        let mut state = rule.fresh(now);
        let below = rule.below(&state, now);
        rule.room(&mut state, cost, now).map_err(Failure::Refused)?;
        let is_kept = held || !cost.is_zero();
        if is_kept && !keys.claim() {
            return Err(Failure::Full);
        }
        rule.admit(&mut state, cost, now)
            .map_err(Failure::Refused)?;
        let standing = standing(rule, &mut state, now);
        if !is_kept {
            return Ok(Admitted {
                standing,
                place: None,
            });
        }
        let life = self.next_life;
        self.next_life += 1;
        let idle_at = rule.idle_at(&state);
        let state_bytes = R::heap_bytes(&state);
        let node = self.counters.insert(hash, key, life, state);
        node.n_holds = u32::from(held);
        if idle_at != Nanos::MAX {
            node.token = Some(self.wheel.schedule(idle_at, hash.bits()));
        }
        self.heap_bytes += state_bytes + node.name_bytes();
        Ok(Admitted {
            standing,
            place: held.then_some(Place { hash, life, below }),
        })
    }

    /// What `admit` would answer. Counts nothing.
    pub(super) fn probe<R: Rule<State = S>>(
        &mut self,
        rule: &R,
        keys: &Keys,
        (hash, key): (KeyHash, KeyRef<'_>),
        cost: Cost,
        now: Nanos,
    ) -> Result<(), Failure> {
        let now = self.expire_few(rule, keys, now);
        match self.counters.find(hash, key) {
            Some(pos) => rule.room(&mut self.counters.get_mut(pos).state, cost, now),
            None => {
                let needs_node = !cost.is_zero();
                if needs_node && !keys.has_room() {
                    return Err(Failure::Full);
                }
                rule.room(&mut rule.fresh(now), cost, now)
            }
        }
        .map_err(Failure::Refused)
    }

    /// Where a key stands.
    pub(super) fn peek<R: Rule<State = S>>(
        &mut self,
        rule: &R,
        (hash, key): (KeyHash, KeyRef<'_>),
        now: Nanos,
    ) -> Standing {
        let now = self.come_to(now);
        match self.counters.find(hash, key) {
            Some(pos) => standing(rule, &mut self.counters.get_mut(pos).state, now),
            None => standing(rule, &mut rule.fresh(now), now),
        }
    }

    /// Ends a reservation that was made at `at`: what turned out not to be used comes back, what was used beyond it is
    /// counted from now on. If the key was taken out meanwhile, there is nothing to correct.
    pub(super) fn settle<R: Rule<State = S>>(
        &mut self,
        rule: &R,
        place: Place,
        (reserved, actual): (Cost, Cost),
        at: Nanos,
        now: Nanos,
    ) {
        let now = self.come_to(now);
        let Some(pos) = self.counters.find_life(place.hash, place.life) else {
            return;
        };
        let node = self.counters.get_mut(pos);
        let heap_bytes = R::heap_bytes(&node.state);
        let (unused, more) = (reserved.beyond(actual), actual.beyond(reserved));
        if !unused.is_zero() {
            let used = reserved.beyond(unused);
            rule.give_back(&mut node.state, (used, unused), (at, place.below), now);
        }
        if !more.is_zero() {
            rule.take(&mut node.state, more, now);
        }
        self.heap_bytes = self.heap_bytes + R::heap_bytes(&node.state) - heap_bytes;
        if node.n_holds != u32::MAX {
            node.n_holds -= 1;
        }
        if node.n_holds > 0 {
            return;
        }
        // The wheel may have put the record aside for as long as there were reservations.
        let idle_at = rule.idle_at(&node.state);
        match node.token {
            Some(token) => self.wheel.reschedule(token, idle_at),
            None if idle_at == Nanos::MAX => {}
            None => node.token = Some(self.wheel.schedule(idle_at, place.hash.bits())),
        }
    }

    /// Forgets a key; whether it was there.
    pub(super) fn remove<R: Rule<State = S>>(
        &mut self,
        (hash, key): (KeyHash, KeyRef<'_>),
        keys: &Keys,
    ) -> bool {
        let Some(pos) = self.counters.find(hash, key) else {
            return false;
        };
        if let Some(token) = self.counters.get(pos).token {
            self.wheel.cancel(token);
        }
        self.forget::<R>(pos);
        keys.give_back(1);
        self.shrink_wheel(SHRINK_STEPS);
        true
    }

    /// Forgets keys that are due, in at most `budget` steps; how many there were, and whether that is all.
    pub(super) fn expire<R: Rule<State = S>>(
        &mut self,
        rule: &R,
        keys: &Keys,
        budget: usize,
        now: Nanos,
    ) -> (usize, bool) {
        let now = self.come_to(now);
        let mut due = std::mem::take(&mut self.due);
        let counters = &self.counters;
        let idle_at = |payload, token| {
            let node = counters.find_token(KeyHash::from_bits(payload), token);
            debug_assert!(node.is_some(), "LS1: a record without a node");
            node.map_or(Nanos::ZERO, |pos| idle_at(rule, counters.get(pos)))
        };
        let advanced = self.wheel.advance(now, budget, idle_at, |payload, token| {
            due.push((KeyHash::from_bits(payload), token));
        });
        for (hash, token) in due.drain(..) {
            if let Some(pos) = self.counters.find_token(hash, token) {
                self.forget::<R>(pos);
            }
        }
        self.due = due;
        if advanced.done {
            self.quiet_until = Nanos((now.0 | (TICK_NANOS - 1)).saturating_add(1));
        }
        if advanced.fired > 0 {
            keys.give_back(advanced.fired);
            self.shrink_wheel(SHRINK_STEPS * advanced.fired);
        }
        (advanced.fired + advanced.moved, advanced.done)
    }

    /// Takes all keys out, for the caller to drop.
    pub(super) fn clear(&mut self) -> Self {
        let fresh = Self {
            latest: self.latest,
            next_life: self.next_life,
            ..Self::new()
        };
        std::mem::replace(self, fresh)
    }

    /// Gives all memory back, if there are no keys.
    pub(super) fn release(&mut self) {
        if self.counters.len() == 0 && self.counters.memory_bytes() > 0 {
            self.counters.release();
            self.wheel = Wheel::new();
            self.due = Vec::with_capacity(EXPIRE_STEPS);
        }
    }

    /// Makes the time of a call one that all states can take (LS3).
    #[inline]
    fn come_to(&mut self, now: Nanos) -> Nanos {
        self.latest = self.latest.max(now);
        self.latest
    }

    #[inline]
    fn expire_few<R: Rule<State = S>>(&mut self, rule: &R, keys: &Keys, now: Nanos) -> Nanos {
        let now = self.come_to(now);
        if now >= self.quiet_until {
            self.expire(rule, keys, EXPIRE_STEPS, now);
        }
        now
    }

    /// Takes a node out whose wheel record is gone.
    fn forget<R: Rule<State = S>>(&mut self, pos: Pos) {
        let node = self.counters.remove(pos);
        self.heap_bytes -= node.name_bytes() + R::heap_bytes(&node.state);
    }

    fn shrink_wheel(&mut self, budget: usize) {
        let counters = &mut self.counters;
        self.wheel.shrink(budget, |payload, old, new| {
            let hash = KeyHash::from_bits(payload);
            let pos = counters.find_token(hash, old);
            debug_assert!(pos.is_some(), "LS1: a record without a node");
            if let Some(pos) = pos {
                counters.get_mut(pos).token = Some(new);
            }
        });
    }
}

/// Steps for which the wheel may give memory back, for each record that it lost: it has to lose a quarter of its records
/// before it does, so this moves the others in time.
const SHRINK_STEPS: usize = 4;

/// Nothing becomes due within a tick of the wheel.
pub(super) const TICK_NANOS: u64 = 1 << 20;

/// When a node may be forgotten.
#[inline]
fn idle_at<R: Rule>(rule: &R, node: &Node<R::State>) -> Nanos {
    if node.n_holds > 0 {
        Nanos::MAX
    } else {
        rule.idle_at(&node.state)
    }
}

#[inline]
fn standing<R: Rule>(rule: &R, state: &mut R::State, now: Nanos) -> Standing {
    let remaining = rule.remaining(state, now);
    Standing {
        remaining: remaining.calls,
        remaining_bytes: remaining.bytes,
        reset_at: rule.idle_at(state).max(now),
        now,
    }
}

#[cfg(test)]
mod tests;
