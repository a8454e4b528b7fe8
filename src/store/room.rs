//! Inserting, and making the room that it needs.

use super::{Cell, Store};
use crate::entry::{Block, Draft};
use crate::hash::KeyHash;
use crate::error::Refusal;
use crate::stripe::{Lifetime, Put, cost};

/// Holds of the lock in a row that may bring nothing, before an insert is refused.
const IDLE_PASSES: usize = 8;
/// Times that an insert lets other threads finish freeing.
const YIELDS_MAX: usize = 1000;
/// Holds of the lock altogether.
const PASSES_MAX: usize = 1 << 16;
/// Entries that are taken out of another stripe in one hold of its lock.
const EVICT_ELSEWHERE: usize = 32;

impl Store {
    /// Links a draft under its key; a count of what it replaced. Gives the draft back if it is refused.
    pub(crate) fn insert(
        &self,
        hash: KeyHash,
        draft: Draft,
        lifetime: Lifetime,
    ) -> Result<Option<Block>, (Refusal, Draft)> {
        let cell = self.cell(hash);
        if let Some(refusal) = self.never_fits(&draft) {
            cell.back.lock().count_refused();
            return Err((refusal, draft));
        }
        // What most inserts need: one hold of the lock.
        let mut stripe = cell.back.lock();
        let put = stripe.put(&self.env(cell), hash, draft, lifetime, false);
        self.finish(cell, stripe);
        match put {
            Put::Done(replaced) => Ok(replaced),
            Put::Short { draft, .. } => self.insert_slowly(cell, hash, draft, lifetime),
        }
    }

    fn never_fits(&self, draft: &Draft) -> Option<Refusal> {
        let bytes = cost(draft.as_ref());
        if self.entries.max() == 0 || self.bytes.max() == 0 {
            return Some(Refusal::NoCapacity);
        }
        (bytes > self.bytes.largest()).then(|| self.too_large(bytes))
    }

    /// Frees what was evicted, then takes from other stripes, until the draft fits or nothing helps.
    #[cold]
    fn insert_slowly(
        &self,
        cell: &Cell,
        hash: KeyHash,
        mut draft: Draft,
        lifetime: Lifetime,
    ) -> Result<Option<Block>, (Refusal, Draft)> {
        let needed = cost(draft.as_ref());
        let (mut idle, mut n_yields) = (0, 0);
        for pass in 0..PASSES_MAX {
            let freed = self.flush(cell, true);
            let gained = if freed { Gained::default() } else { self.take_elsewhere(cell, pass, needed) };
            let mut stripe = cell.back.lock();
            stripe.receive(gained.bytes, gained.entries);
            // At last, the old value gives way to its successor.
            let yielding = idle + 1 == IDLE_PASSES;
            let put = stripe.put(&self.env(cell), hash, draft, lifetime, yielding);
            self.finish(cell, stripe);
            match put {
                Put::Done(replaced) => return Ok(replaced),
                Put::Short { draft: back, progress } => {
                    draft = back;
                    idle = if progress || freed || gained.any { 0 } else { idle + 1 };
                    if idle == IDLE_PASSES - 1 && n_yields < YIELDS_MAX && self.others_are_freeing() {
                        // Another thread holds what will be free in a moment.
                        n_yields += 1;
                        idle -= 1;
                        std::thread::yield_now();
                    }
                }
            }
            if idle == IDLE_PASSES {
                break;
            }
        }
        let mut stripe = cell.back.lock();
        stripe.count_refused();
        stripe.trim_all(&self.env(cell));
        self.finish(cell, stripe);
        Err((Refusal::NoRoom, draft))
    }

    /// Looks at what waits in a stripe now, its listener first; with `waits`, also if another thread is telling it.
    /// Whether anything was freed.
    pub(super) fn flush(&self, cell: &Cell, waits: bool) -> bool {
        let mut stripe = cell.back.lock();
        let tells = stripe.has_told();
        drop(stripe);
        if tells {
            self.tell(cell, waits);
        }
        stripe = cell.back.lock();
        let batch = stripe.take_batch(true);
        drop(stripe);
        batch.is_some_and(|batch| self.reclaim(cell, batch))
    }

    /// Evicts in other stripes, one at a time, for the reservation of one insert.
    fn take_elsewhere(&self, home: &Cell, pass: usize, needed: u64) -> Gained {
        let mut gained = Gained::default();
        let n = self.cells.len();
        // Those that are free first, then those that must be waited for.
        for waits in [false, true] {
            for index in 0..n {
                let cell = &self.cells[(pass + index) % n];
                if std::ptr::eq(cell, home) || gained.bytes >= needed && gained.entries > 0 {
                    continue;
                }
                let stripe = if waits { Some(cell.back.lock()) } else { cell.back.try_lock() };
                let Some(mut stripe) = stripe else { continue };
                let env = self.env(cell);
                gained.any |= stripe.make_room(&env, EVICT_ELSEWHERE);
                let (bytes, entries) = stripe.give(needed - gained.bytes.min(needed), 1 - gained.entries.min(1));
                gained.bytes += bytes;
                gained.entries += entries;
                self.finish(cell, stripe);
                gained.any |= self.flush(cell, true);
            }
            if gained.any || gained.bytes > 0 {
                break;
            }
        }
        gained.any |= gained.bytes > 0;
        gained
    }
}

/// Claims that other stripes gave up.
#[derive(Debug, Default, Clone, Copy)]
struct Gained {
    bytes: u64,
    entries: u64,
    any: bool,
}
