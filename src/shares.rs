//! Memory shares: what each pool is guaranteed, what it may take at most, and which one gives way when the cache is full.
//!
//! # Idea
//! A pool is a tenant, or a named cache of a tenant, which has the tenant as its parent: a claim counts for both. The
//! root (number 0) stands for entries that belong to nobody: guaranteed nothing, bounded by nothing. Idle capacity is
//! lent, since a guarantee keeps nothing free. It's taken back when the cache is full: from the pool that is furthest
//! above its share, the share being what it is guaranteed.
//!
//! ```text
//! sum of tenants' guarantees <= capacity      sum of children's guarantees <= parent's guarantee <= parent's maximum
//! ```
//!
//! Which pool is furthest above is known approximately: claims leave a hint, and each call looks at a few pools more, in
//! turn.
//!
//! # Costs
//! claim, give back: one read-modify-write a level, and one more in the parent's line for a child's bytes. `is_active`:
//! one load. `gives_way`: at most 19 pools and 16 children of some. A pool takes 128 bytes, 56 more from its first change on, and 8 for each further 64
//! stripes; the table grows by a fourth to an eighth, so at worst that much again is unused. Without pools nothing is allocated.
//!
//! # Invariants
//! - S1 No claim of bytes or of an entry succeeds that would lead above the maximum of the pool or its parent; after `set` no claim
//!   succeeds by the old maximum.
//! - S2 What is used is the sum of successful claims not yet given back; the parent's includes its children's.
//! - S3 The sums of guarantees are as drawn above, at all times.
//! - S4 A pool within its guarantee gives way to none but itself and, if it is a tenant, to its own children; and to a sibling where
//!   their parent has its maximum of entries, and no other has any to give.
//! - S5 A number is given again only after its pool's bytes and holders are gone.
//!
//! # Not here
//! Entries, whom in a pool to evict (`members`, `policy`), the bound of the cache itself (`budget`).

mod admin;
mod cell;
mod error;
mod table;
mod turn;

use self::admin::Admin;
use self::cell::Cell;
pub(crate) use self::error::OverMax;
pub use self::error::ShareError;
use self::table::Table;
use self::turn::Hint;
pub(crate) use self::turn::Turn;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{CachePadded, Mutex};

/// Names a pool. Kept in entries and words; who keeps it elsewhere must be a holder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct PoolId(u32);

impl PoolId {
    /// What belongs to nobody.
    pub(crate) const ROOT: Self = Self(0);

    /// Takes a number back from where it was stored.
    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The number to store, at most `POOL_MAX`.
    #[inline]
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }
}

/// A maximum that a claim met: its own pool's, or the parent's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Full {
    /// Of bytes.
    Bytes(PoolId),
    /// Of entries.
    Entries(PoolId),
}

/// The pools of a cache. See the module.
#[derive(Debug)]
pub(crate) struct Shares {
    /// The number of pools that are live or leaving. This line is read by all and seldom written.
    n_pools: AtomicU32,
    /// What tenants are guaranteed in all.
    guaranteed: AtomicU64,
    /// All numbers that were ever given are below this one.
    numbers_end: AtomicU32,
    hint: Hint,
    /// Where the search for a pool goes on.
    hand: CachePadded<AtomicU32>,
    root: CachePadded<Cell>,
    table: Table,
    admin: Mutex<Admin>,
}

impl Shares {
    /// No pools, in a cache of so many bytes and stripes.
    pub(crate) fn new(capacity: u64, n_stripes: usize) -> Self {
        let root = Cell::new(n_stripes);
        root.bytes.set_max(u64::MAX);
        root.entries.set_max(u64::MAX);
        root.set_state(cell::State::Live);
        Self {
            n_pools: AtomicU32::new(0),
            guaranteed: AtomicU64::new(0),
            numbers_end: AtomicU32::new(1),
            hint: Hint::new(),
            hand: CachePadded::new(AtomicU32::new(1)),
            root: CachePadded::new(root),
            table: Table::new(n_stripes),
            admin: Mutex::new(Admin::new(capacity)),
        }
    }

    /// Whether there is any pool beside the root; if not, nothing needs to be claimed here.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.n_pools.load(Ordering::Relaxed) != 0
    }

    /// Claims bytes for a pool and its parent, or for none of them. A claim that is being taken back from the pool,
    /// because the parent had no room, may meanwhile stand in the way of another.
    ///
    /// # Errors
    /// [`OverMax`] names the pool that has no room: this one or its parent.
    pub(crate) fn claim(&self, pool: PoolId, bytes: u64) -> Result<(), OverMax> {
        let cell = self.cell(pool);
        let used = cell
            .bytes
            .claim(bytes)
            .ok_or_else(|| over_max(pool, cell))?;
        let Some(parent) = cell.parent() else {
            self.note(pool, cell, used);
            return Ok(());
        };
        let parent_cell = self.cell(parent);
        match parent_cell.bytes.claim(bytes) {
            Some(used) => {
                parent_cell.credit_to_child(bytes);
                self.note(parent, parent_cell, used);
                Ok(())
            }
            None => {
                cell.bytes.give_back(bytes);
                Err(over_max(parent, parent_cell))
            }
        }
    }

    /// Claims without a second look at the maximum, which is what the model's failing twin does.
    #[cfg(engine_loom)]
    pub(crate) fn claim_by_one_look(&self, pool: PoolId, bytes: u64) -> bool {
        self.cell(pool).bytes.claim_by_one_look(bytes)
    }

    /// Claims from the parent without giving the child's claim back where that has no room: the model's other twin.
    #[cfg(engine_loom)]
    pub(crate) fn claim_each(&self, pool: PoolId, bytes: u64) -> bool {
        let cell = self.cell(pool);
        let parent = cell.parent().map(|parent| self.cell(parent));
        let claims = |cell: &Cell| cell.bytes.claim(bytes).is_some();
        claims(cell) && parent.is_none_or(claims)
    }

    /// Gives a claim back, for the pool and its parent.
    pub(crate) fn give_back(&self, pool: PoolId, bytes: u64) {
        let cell = self.cell(pool);
        if let Some(parent) = cell.parent() {
            let parent = self.cell(parent);
            parent.debit_from_child(bytes);
            parent.bytes.give_back(bytes);
        }
        // Last, so that a number isn't given anew while its parent still counts bytes of it.
        cell.bytes.give_back(bytes);
    }

    /// The bytes that a pool has claimed, its children included.
    pub(crate) fn used(&self, pool: PoolId) -> u64 {
        self.cell(pool).used()
    }

    /// What a pool may take at most.
    #[cfg(test)]
    pub(crate) fn max(&self, pool: PoolId) -> u64 {
        self.cell(pool).bytes.max()
    }

    /// What one entry of a pool may take at most: the maximum of the pool or of its parent.
    pub(crate) fn most(&self, pool: PoolId) -> u64 {
        self.family(pool)
            .map(|cell| cell.bytes.max())
            .fold(u64::MAX, u64::min)
    }

    /// Tells what belongs to nobody, as far as it is known. It is told to `gives_way` in advance, since no write counts it.
    pub(crate) fn note_root(&self, bytes: u64) {
        if self.has_guarantees() {
            self.root.bytes.set_used(bytes);
        }
    }

    /// How far a pool is above its maximum, after that was lowered.
    #[cfg(test)]
    pub(crate) fn excess(&self, pool: PoolId) -> u64 {
        let cell = self.cell(pool);
        cell.used().saturating_sub(cell.bytes.max())
    }

    /// Whether a pool takes no more than it is guaranteed.
    #[cfg(test)]
    pub(crate) fn is_within_guarantee(&self, pool: PoolId) -> bool {
        self.cell(pool).excess(0) == 0
    }

    /// The pool that a pool belongs to.
    pub(crate) fn parent(&self, pool: PoolId) -> Option<PoolId> {
        self.cell(pool).parent()
    }

    /// Claims an entry for a pool and its parent, or for none of them.
    ///
    /// # Errors
    /// The pool that has as many as it may have: this one or its parent.
    pub(crate) fn claim_entry(&self, pool: PoolId) -> Result<(), PoolId> {
        let cell = self.cell(pool);
        cell.entries.claim(1).ok_or(pool)?;
        match cell.parent() {
            Some(parent) if self.cell(parent).entries.claim(1).is_none() => {
                cell.entries.give_back(1);
                Err(parent)
            }
            _ => Ok(()),
        }
    }

    /// Whether a claim of so many bytes, or of an entry, would meet that maximum at this moment.
    pub(crate) fn is_full(&self, full: Full, bytes: u64) -> bool {
        match full {
            Full::Bytes(pool) => {
                let quota = &self.cell(pool).bytes;
                quota.used().saturating_add(bytes) > quota.max()
            }
            Full::Entries(pool) => {
                let quota = &self.cell(pool).entries;
                quota.used() >= quota.max()
            }
        }
    }

    /// Gives the claim of an entry back.
    pub(crate) fn give_entry_back(&self, pool: PoolId) {
        self.family(pool).for_each(|cell| cell.entries.give_back(1));
    }

    /// How many entries a pool may have: the maximum of the pool or of its parent.
    pub(crate) fn most_entries(&self, pool: PoolId) -> u64 {
        self.family(pool)
            .map(|cell| cell.entries.max())
            .fold(u64::MAX, u64::min)
    }

    /// Counts a change to a pool and its parent, by a number below [`N_CHANGES`]; nothing for the root.
    pub(crate) fn count(&self, pool: PoolId, change: usize) {
        if pool != PoolId::ROOT {
            self.family(pool)
                .for_each(|cell| cell.changes.add(change, 1));
        }
    }

    /// How often each change was counted since the pool was made, those of children included.
    pub(crate) fn counted(&self, pool: PoolId) -> [u64; N_CHANGES] {
        self.cell(pool).changes.read()
    }

    /// The number of entries that a pool has claimed, those of children included.
    pub(crate) fn n_entries(&self, pool: PoolId) -> u64 {
        self.cell(pool).entries.used()
    }

    /// Notes that a pool has its first entry of its own in a stripe, or has lost the last one; under that stripe's lock.
    pub(crate) fn mark_stripe(&self, pool: PoolId, stripe: usize, present: bool) {
        self.cell(pool).mark(stripe, present);
    }

    /// The first stripe from `from` on, round and round, in which a pool has entries of its own.
    pub(crate) fn next_stripe(&self, pool: PoolId, from: usize) -> Option<usize> {
        self.cell(pool).next_stripe(from)
    }

    /// Becomes a holder of a pool, whose number isn't given again before it is let go.
    pub(crate) fn hold(&self, pool: PoolId) {
        self.cell(pool).n_holders.fetch_add(1, Ordering::Relaxed);
    }

    /// Ceases to be a holder.
    pub(crate) fn let_go(&self, pool: PoolId) {
        // Release pairs with the acquire where the number is given again: what its holder did is over by then.
        let before = self.cell(pool).n_holders.fetch_sub(1, Ordering::Release);
        debug_assert!(before > 0, "S5: a holder lets go once");
    }

    /// The bytes that the table takes.
    #[cfg(test)]
    pub(crate) fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.admin.lock().memory_bytes()
    }

    /// The cell of a pool. A number that was never given has the root's, which no maximum bounds and no one reads: it
    /// can't come from a word or an entry.
    #[inline]
    fn cell(&self, pool: PoolId) -> &Cell {
        if pool == PoolId::ROOT {
            return &self.root;
        }
        let found = self.table.get(pool.0);
        debug_assert!(found.is_some(), "S5: a pool is named by its number");
        found.unwrap_or(&self.root)
    }

    /// A pool's cell, and that of its parent.
    fn family(&self, pool: PoolId) -> impl Iterator<Item = &Cell> {
        let cell = self.cell(pool);
        let parent = cell.parent().map(|parent| self.cell(parent));
        std::iter::once(cell).chain(parent)
    }

    /// The tenant that a pool belongs to, or is.
    fn top(&self, pool: PoolId) -> PoolId {
        self.parent(pool).unwrap_or(pool)
    }

    /// Whether anything is guaranteed to anybody.
    #[inline]
    fn has_guarantees(&self) -> bool {
        self.guaranteed.load(Ordering::Relaxed) != 0
    }
}

#[cold]
fn over_max(pool: PoolId, cell: &Cell) -> OverMax {
    OverMax {
        pool,
        used: cell.used(),
        max: cell.bytes.max(),
    }
}

/// Kinds of changes that are counted: what they are is for those above to say.
pub(crate) const N_CHANGES: usize = 7;

/// The largest number: a place word has 20 bits for it.
pub(crate) const POOL_MAX: u32 = (1 << POOL_BITS) - 1;
const POOL_BITS: u32 = 20;

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
