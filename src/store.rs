//! The stripes, and everything that happens outside their locks: reading, reclaiming, telling.
//!
//! # Idea         readers walk a stripe's table under a hazard; writers lock the stripe, and what they take out leaves
//!   here, after the lock is gone
//! # Costs        a hit: no lock, and no write but to the reader's own line, unless the coarse tick has moved
//! # Invariants   O1 a thread locks one stripe at a time; O2 no user code runs under a stripe's lock, but the clock;
//!   O3 a block's count that the cache held is released after a look at the hazards that didn't name it
//! # Not here     value types, keys as users write them

mod free;
mod keep;
mod left;
mod lend;
mod look;
mod maintain;
mod members;
mod read;
mod reservation;
mod room;
mod search;
mod tell;
mod typed;
mod works;

pub(crate) use self::keep::KeptEntry;
use crate::budget::{Budget, UNBOUNDED};
use crate::clock::{Nanos, TimeSource};
use crate::common::Seat;
use crate::entry::{Block, BlockRef, Left, Probe, Releaser, Shelf};
use crate::error::Refusal;
use crate::hash::{Hasher64, KeyHash};
use crate::lineage::Registry;
use crate::notes::Notes;
use crate::reclaim::DOMAIN;
use crate::shares::Shares;
use crate::stats::{RemovalCause, Stats};
use crate::stripe::{Env, Front, Ground, Lifetime, NewTtl, Stripe, TtlChange};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Arc, CachePadded, Mutex, MutexGuard};
use crate::table::Cursor;
use crate::tally::{self, Tally};
use crate::turn::Turn;

pub(crate) use left::Timed;
pub(crate) use look::Counting;
pub use maintain::Maintained;
pub(crate) use members::MemberWalk;
pub(crate) use read::Missed;
pub(crate) use room::Placed;
pub(crate) use tell::is_telling;
pub(crate) use typed::{TypedListener, TypedStore};

/// Lost races after which a look-up takes the lock.
const RACES_MAX: usize = 8;

/// Called for each value that left, with the time that it had left to live; outside locks.
type Listener = Box<dyn Fn(BlockRef<'_>, Left, RemovalCause) + Send + Sync>;

/// What a store is made of.
pub(crate) struct Config {
    pub(crate) max_bytes: Option<u64>,
    /// What it shares with other caches, which it has entered; then `max_bytes` is its share of it.
    pub(crate) common: Option<Seat>,
    pub(crate) max_entries: Option<u64>,
    pub(crate) stripes_log2: u32,
    pub(crate) lifetime: Lifetime,
    pub(crate) time: TimeSource,
    pub(crate) hasher: Hasher64,
}

/// A stripe, its readers' half on lines apart from its writers'.
struct Cell {
    front: CachePadded<Front>,
    back: CachePadded<Mutex<Stripe>>,
    /// Whose turn it is to tell the listener.
    telling: Turn,
    /// Batches that threads are freeing at this moment.
    in_flight: AtomicU32,
    /// Memory for the next block of this stripe, charged as its garbage: filled under the stripe's lock.
    shelf: Shelf,
}

/// All stripes of one cache.
pub(crate) struct Store {
    ground: Ground,
    /// A power of two of them.
    cells: Box<[Cell]>,
    lifetime: Lifetime,
    releaser: Releaser,
    listener: Option<Listener>,
    bounded: (bool, bool),
    resizing: Mutex<()>,
    common: Option<Seat>,
    /// The stripe that gives up bytes next.
    lends_next: AtomicU32,
    panics: AtomicU64,
}

impl Store {
    fn new(config: Config, releaser: Releaser, listener: Option<Listener>) -> Store {
        crate::sync::barrier::decide();
        let n_stripes = 1usize << config.stripes_log2;
        let weighted = config.max_bytes.is_some();
        let n_rings = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .next_power_of_two()
            .min(16);
        let registry = Registry::new();
        let tally = registry.tally();
        let cells: Box<[Cell]> = (0..n_stripes)
            .map(|index| {
                let (notes, tails) = Notes::new(n_rings);
                let seed = config.hasher.hash(0, 0, &index.to_le_bytes()).bits();
                let (table, stripe) = Stripe::new(config.stripes_log2, seed, weighted, tails);
                Cell {
                    front: CachePadded::new(Front {
                        table,
                        tick: AtomicU32::new(stripe.tick()),
                        tally_id: tally.id(),
                        tally: Arc::clone(tally),
                        notes,
                        index: index as u32,
                    }),
                    back: CachePadded::new(Mutex::new(stripe)),
                    telling: Turn::new(),
                    in_flight: AtomicU32::new(0),
                    shelf: Shelf::new(),
                }
            })
            .collect();
        let max_bytes = config.max_bytes.unwrap_or(UNBOUNDED);
        let max_entries = config.max_entries.unwrap_or(UNBOUNDED);
        let ground = Ground {
            hasher: config.hasher,
            time: config.time,
            n_stripes: n_stripes as u64,
            chunk_bytes: CHUNK_BYTES_MAX.min(max_bytes / (n_stripes as u64 * 256)),
            chunk_entries: (max_entries / (n_stripes as u64 * 1024)).clamp(1, CHUNK_ENTRIES_MAX),
            has_listener: listener.is_some(),
            bytes: CachePadded::new(match &config.common {
                Some(seat) => Budget::with_purse(Arc::clone(seat.purse()), n_stripes),
                None => Budget::new(max_bytes, n_stripes),
            }),
            entries: CachePadded::new(Budget::new(max_entries, n_stripes)),
            registry,
            shares: Arc::new(Shares::new(max_bytes, n_stripes)),
        };
        Store {
            ground,
            cells,
            lifetime: config.lifetime,
            releaser,
            listener,
            bounded: (weighted, config.max_entries.is_some()),
            resizing: Mutex::new(()),
            common: config.common,
            lends_next: AtomicU32::new(0),
            panics: AtomicU64::new(0),
        }
    }

    pub(crate) fn hasher(&self) -> &Hasher64 {
        &self.ground.hasher
    }

    #[inline(always)]
    pub(crate) fn registry(&self) -> &Registry {
        &self.ground.registry
    }

    pub(crate) fn time(&self) -> &TimeSource {
        &self.ground.time
    }

    pub(crate) fn shares(&self) -> &Arc<Shares> {
        &self.ground.shares
    }

    /// The lifetime of an entry that is written without one of its own.
    pub(crate) fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// Takes the entry of a key out; a count of it, if it was alive, and when it was.
    pub(crate) fn remove(&self, hash: KeyHash, probe: &Probe<'_>) -> Option<(Block, Nanos)> {
        self.ask_for(hash);
        self.write(hash, |stripe, env| stripe.remove(env, hash, probe))
    }

    /// Takes this very entry out; false if it is no longer there, or dead.
    pub(crate) fn remove_block(&self, block: BlockRef<'_>, cause: RemovalCause) -> bool {
        let hash = block.probe().hash(&self.ground.hasher);
        self.write(hash, |stripe, env| {
            stripe.remove_block(env, hash, block, cause)
        })
    }

    /// Gives the entry of a key another time to live.
    pub(crate) fn set_ttl(&self, hash: KeyHash, probe: &Probe<'_>, ttl: NewTtl) -> TtlChange {
        for pass in 1..=RACES_MAX {
            let forced = pass == RACES_MAX;
            let done = self.write(hash, |stripe, env| {
                stripe.set_ttl(env, hash, probe, ttl, forced)
            });
            if let Some(done) = done {
                return done;
            }
            self.flush(self.cell(hash), true);
        }
        TtlChange::Absent
    }

    /// Counts of the entries of the next segment from a place on; the next place, or `None` after the last.
    pub(crate) fn collect(
        &self,
        Place(index, cursor): Place,
        out: &mut Vec<Block>,
    ) -> Option<Place> {
        let cell = self.cells.get(index)?;
        let next = cell.back.lock().collect(&self.env(cell), cursor, out);
        match next {
            Some(cursor) => Some(Place(index, cursor)),
            None if index + 1 < self.cells.len() => Some(Place(index + 1, Cursor::START)),
            None => None,
        }
    }

    /// The refusal of an entry of this size.
    pub(crate) fn too_large(&self, bytes: u64) -> Refusal {
        Refusal::TooLarge {
            bytes,
            bytes_max: self.ground.bytes.largest(),
        }
    }

    /// One snapshot: each stripe in turn.
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats {
            panics: self.panics.load(Ordering::Relaxed),
            ..Stats::default()
        };
        for cell in &self.cells {
            cell.back.lock().add_to(&mut stats);
        }
        stats
    }

    /// What was looked up for a tally and those below it, by all threads.
    pub(crate) fn counted(&self, tally: &Tally) -> tally::Counts {
        tally::sum(tally, DOMAIN.tables())
    }

    /// Ends a count that the caller owns.
    pub(crate) fn release(&self, block: Block) {
        drop(self.releaser.release(block));
    }

    /// Runs `f` under the lock of a key's stripe, then does what has to be done after it.
    fn write<R>(&self, hash: KeyHash, f: impl FnOnce(&mut Stripe, &Env<'_>) -> R) -> R {
        let cell = self.cell(hash);
        let mut stripe = cell.back.lock();
        let answer = f(&mut stripe, &self.env(cell));
        self.finish(cell, stripe);
        answer
    }

    /// Unlocks; then frees and tells what is due.
    #[inline(always)]
    fn finish(&self, cell: &Cell, stripe: MutexGuard<'_, Stripe>) {
        if stripe.has_batch() || stripe.has_told() {
            self.finish_due(cell, stripe);
        }
    }

    #[inline(never)]
    fn finish_due(&self, cell: &Cell, stripe: MutexGuard<'_, Stripe>) {
        self.settle_due(cell, stripe);
        if self.common.is_some() {
            // Another cache's clock is asked, whose panic is nothing to whom a change has just come from.
            let _ = self.contain(|| self.balance());
        }
    }

    fn settle_due(&self, cell: &Cell, mut stripe: MutexGuard<'_, Stripe>) {
        let batch = self.take_batch(cell, &mut stripe, false);
        let tells = stripe.has_told();
        drop(stripe);
        if let Some(batch) = batch {
            self.reclaim(cell, batch);
        }
        if tells {
            self.tell(cell, false);
        }
    }

    #[inline(always)]
    fn cell(&self, hash: KeyHash) -> &Cell {
        let index = hash.stripe(self.cells.len());
        debug_assert!(index < self.cells.len());
        // SAFETY: what a word times so many carries beyond the word is below so many.
        #[allow(unsafe_code)]
        unsafe {
            self.cells.get_unchecked(index)
        }
    }

    #[inline(always)]
    fn env<'a>(&'a self, cell: &'a Cell) -> Env<'a> {
        Env {
            front: &cell.front,
            ground: &self.ground,
        }
    }
}

/// Entries that are taken out of another stripe in one hold of its lock.
const EVICT_ELSEWHERE: usize = 32;

/// Bytes that a stripe claims beyond its need, while there is plenty.
const CHUNK_BYTES_MAX: u64 = 4096;

/// Entries likewise.
const CHUNK_ENTRIES_MAX: u64 = 64;

/// Where a walk over all entries stands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place(usize, Cursor);

/// A count that ends when this is dropped, whatever happens before.
pub(crate) struct Held<'s> {
    store: &'s Store,
    block: Option<Block>,
}

impl Held<'_> {
    /// What it is of.
    pub(crate) fn block(&self) -> Option<BlockRef<'_>> {
        self.block.as_ref().map(Block::as_ref)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            self.store.release(block);
        }
    }
}

#[cfg(test)]
mod tests;
