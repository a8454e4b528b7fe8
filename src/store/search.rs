//! The search of one insert for room, from one hold of a lock to the next.
//!
//! # Idea         what waits to be freed first, then whose turn it is to give way, then other stripes, those first whose lock is free
//! # Costs        a pass takes each other stripe's lock once, and tries it once before; passes are bounded
//! # Invariants   none of its own
//! # Not here     the home stripe: `room`

use super::room::IDLE_PASSES;
use super::{Cell, Store};
use crate::shares::{Full, PoolId, Turn};
use crate::stripe::Claims;

/// Times that an insert lets other threads finish freeing.
const YIELDS_MAX: usize = 1000;
/// Holds of the lock altogether.
const PASSES_MAX: usize = 1 << 16;
/// Entries that are evicted in one hold for a pool that is above its maximum.
const VICTIMS_PER_HOLD: usize = 64;

/// The search of one insert for room. What it has gained goes back when it is dropped.
pub(super) struct Search<'s> {
    store: &'s Store,
    /// What the entry takes.
    pub(super) needed: u64,
    /// What is gathered for it, with what the structure of its stripe may take besides.
    pub(super) wanted: u64,
    /// For whom.
    pub(super) claimer: PoolId,
    /// Whose turn it is to give way.
    pub(super) giver: Option<PoolId>,
    /// The pool's maximum that was met last, if it was one: then nobody else's bytes are of use.
    pub(super) full: Option<Full>,
    pub(super) gained: Claims,
    pub(super) pass: usize,
    /// Passes in a row that brought nothing.
    pub(super) idle: usize,
    pub(super) n_yields: usize,
}

impl Search<'_> {
    pub(super) fn new(store: &Store, needed: u64, claimer: PoolId) -> Search<'_> {
        Search {
            store,
            needed,
            wanted: needed,
            claimer,
            giver: None,
            full: None,
            gained: Claims::default(),
            pass: 0,
            idle: 0,
            n_yields: 0,
        }
    }
}

impl Drop for Search<'_> {
    fn drop(&mut self) {
        let Claims { bytes, entries } = self.gained;
        self.store.ground.bytes.give_back(bytes);
        self.store.ground.entries.give_back(entries);
    }
}

impl Store {
    /// One pass outside the home stripe's lock: frees what waits there, or evicts elsewhere. False once passes bring
    /// nothing.
    pub(super) fn search(&self, home: &Cell, search: &mut Search<'_>, progress: bool) -> bool {
        let freed = self.flush(home, true);
        if !progress && search.giver.is_none() {
            search.giver = self.seek_giver(search);
        }
        // Others have claimed what their pool may have, and are about to store it: then it can be evicted.
        let others_are_storing = search.full.is_some() && search.giver.is_none();
        let mut gained = match search.giver.take() {
            Some(pool) if pool != PoolId::ROOT => self.take_of_pool(home, pool, search),
            _ => search.full.is_none() && !freed && self.take_elsewhere(home, search),
        };
        if search.full.is_none() {
            // Last, since what it takes is others'.
            gained = gained || !progress && !freed && self.borrow(search);
        }
        search.pass += 1;
        if progress || freed || gained {
            search.idle = 0;
        } else {
            search.idle += 1;
        }
        if search.idle == IDLE_PASSES - 1
            && search.n_yields < YIELDS_MAX
            && (others_are_storing || self.others_are_freeing())
        {
            // Another thread holds what will be free in a moment.
            search.n_yields += 1;
            search.idle -= 1;
            crate::sync::yield_now();
        }
        search.idle < IDLE_PASSES && search.pass < PASSES_MAX
    }

    /// Looks at all pools, outside the locks, for one that is to give way; where one has its maximum, at it and its children.
    fn seek_giver(&self, search: &Search<'_>) -> Option<PoolId> {
        if let Some(full) = search.full {
            let calls = 0..self.ground.shares.calls_within(full);
            let (claimer, needed) = (search.claimer, search.needed);
            let mut turns =
                calls.map(|_| self.ground.shares.gives_way_within(full, claimer, needed));
            return turns.find_map(|turn| match turn {
                Turn::Pool(pool) => Some(pool),
                Turn::Anyone | Turn::NotFound => None,
            });
        }
        if !self.ground.shares.is_active() {
            return None;
        }
        for _ in 0..self.ground.shares.calls_a_round() {
            match self.ground.shares.gives_way(search.claimer, search.needed) {
                Turn::Pool(pool) => return Some(pool),
                Turn::Anyone => return None,
                Turn::NotFound => {}
            }
        }
        None
    }

    /// Evicts one entry of a pool in a stripe where it has any, and more where its maximum was lowered below what it has. Whether there
    /// was one. At home the claimer's own were looked for under the lock, and what was left there is what it is about to replace.
    fn take_of_pool(&self, home: &Cell, pool: PoolId, search: &mut Search<'_>) -> bool {
        let n = self.cells.len();
        let home = home.front.index as usize;
        let is_home = |index: &usize| *index == home && pool == search.claimer;
        let from = search.pass % n;
        let mut index = self.ground.shares.next_stripe(pool, from);
        if index.as_ref().is_some_and(is_home) {
            index = self.ground.shares.next_stripe(pool, (home + 1) % n);
        }
        let Some(index) = index.filter(|index| !is_home(index)) else {
            return false;
        };
        let cell = &self.cells[index];
        let env = self.env(cell);
        let mut stripe = cell.back.lock();
        let now = self.ground.time.coarse_now();
        let any = stripe.evict_pool(&env, pool, now);
        let is_above = |full| self.ground.shares.is_full(full, search.needed);
        for _ in 1..VICTIMS_PER_HOLD {
            if !any || !search.full.is_some_and(is_above) || !stripe.evict_pool(&env, pool, now) {
                break;
            }
        }
        let Claims { bytes, entries } = search.gained;
        let given = stripe.give(
            &env,
            search.wanted.saturating_sub(bytes),
            1 - entries.min(1),
        );
        search.gained.bytes += given.bytes;
        search.gained.entries += given.entries;
        self.finish(cell, stripe);
        any
    }

    /// Evicts in other stripes, one at a time, for one insert. Whether that brought anything.
    fn take_elsewhere(&self, home: &Cell, search: &mut Search<'_>) -> bool {
        let n = self.cells.len();
        let mut any = false;
        // Those that are free first, then those that must be waited for.
        for waits in [false, true] {
            for index in 0..n {
                let cell = &self.cells[(search.pass + index) % n];
                let Claims { bytes, entries } = search.gained;
                if std::ptr::eq(cell, home) || bytes >= search.wanted && entries > 0 {
                    continue;
                }
                let stripe = if waits {
                    Some(cell.back.lock())
                } else {
                    cell.back.try_lock()
                };
                let Some(stripe) = stripe else { continue };
                let missing = Claims {
                    bytes: search.wanted.saturating_sub(bytes),
                    entries: 1 - entries.min(1),
                };
                let (given, done) = self.take_from(cell, stripe, search.claimer, missing);
                search.gained.bytes += given.bytes;
                search.gained.entries += given.entries;
                // What was freed after that is everybody's; it may be enough, and then nobody else has to give way.
                let lacking = search.wanted.saturating_sub(search.gained.bytes);
                if done && lacking > 0 && self.ground.bytes.try_claim(lacking) {
                    search.gained.bytes += lacking;
                }
                any |= done;
            }
            if any {
                break;
            }
        }
        any
    }
}
