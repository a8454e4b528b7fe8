//! Turns of a key's writers: one at a time goes to the level and then to the cache, so that both have the writes in one order.
//!
//! # Idea         a slot for each key that somebody writes or watches at the moment, under one of 16 short locks; who waits does so with a
//!   limit. Each slot counts its turns, so a load sees afterwards whether a writer came meanwhile
//! # Costs        a turn: two short locks and a place in a table, beside a call of the level
//! # Invariants   T1 a slot has one turn at most; T2 it stands while anybody holds, awaits or watches it; T3 the lock isn't held
//!   during a turn
//! # Not here     loads, of which the engine's flights let one go at a time

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use crate::clock::Nanos;
use crate::sync::time::monotonic_ns;
use crate::sync::{Condvar, Mutex};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Turns {
    shards: [Shard; N_SHARDS],
}

const N_SHARDS: usize = 16;

#[derive(Debug, Default)]
struct Shard {
    slots: Mutex<HashMap<u64, Slot>>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Slot {
    is_taken: bool,
    /// Turns that were taken, or waited for in vain.
    n_turns: u64,
    /// Who holds, awaits or watches it.
    n_users: usize,
}

impl Turns {
    /// Begins to watch a key, by its hash. Keys of one hash share their turns.
    pub(super) fn watch(&self, key: u64) -> Watch<'_> {
        let shard = &self.shards[key as usize % N_SHARDS];
        let mut slots = shard.slots.lock();
        let slot = slots.entry(key).or_default();
        slot.n_users += 1;
        Watch {
            shard,
            key,
            n_turns: slot.n_turns,
            was_taken: slot.is_taken,
        }
    }
}

/// A key that is watched.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    shard: &'a Shard,
    key: u64,
    n_turns: u64,
    /// Somebody had the turn already, and has written since, or will.
    was_taken: bool,
}

impl<'a> Watch<'a> {
    /// Takes the turn, waiting for it for so long at most. Who has waited in vain counts as one who had it.
    pub(super) fn turn(self, within: Duration) -> Option<Turn<'a>> {
        let now = || Nanos(monotonic_ns());
        let until = now().saturating_add(within);
        let mut slots = self.shard.slots.lock();
        loop {
            // T2: there is one while it is watched.
            let slot = slots.entry(self.key).or_default();
            let left = until.saturating_since(now());
            if !slot.is_taken || left.is_zero() {
                let is_taken = slot.is_taken;
                let is_first = slot.n_turns == self.n_turns && !self.was_taken;
                slot.n_turns += 1;
                slot.is_taken = true;
                drop(slots);
                return (!is_taken).then(|| Turn {
                    watch: self,
                    is_first,
                });
            }
            self.shard.freed.wait_for(&mut slots, left);
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut slots = self.shard.slots.lock();
        if let Entry::Occupied(mut slot) = slots.entry(self.key) {
            slot.get_mut().n_users -= 1;
            if slot.get().n_users == 0 {
                slot.remove();
            }
        }
    }
}

/// The turn of a key, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    watch: Watch<'a>,
    is_first: bool,
}

impl Turn<'_> {
    /// Whether nobody else had one since the key was first watched.
    pub(super) fn is_first(&self) -> bool {
        self.is_first
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let shard = self.watch.shard;
        if let Some(slot) = shard.slots.lock().get_mut(&self.watch.key) {
            slot.is_taken = false;
        }
        shard.freed.notify_all();
    }
}

#[cfg(test)]
mod tests;
