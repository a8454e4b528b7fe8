//! What one lock protects: the writer's side of table, wheel, policy and account, as one `&mut` structure.
//!
//! # Idea         single-threaded arithmetic on integers; whoever holds the lock calls it, and takes what left away with
//!   them to be dropped unlocked
//! # Costs        each call does a bounded number of steps; the bounds are the constants below
//! # Invariants   K1 an entry is linked in the table once, and has a wheel record if and only if it has a deadline
//!   K2 the account's `live` is the sum of `cost` over linked entries; each is discarded once
//!   K3 nothing that runs user code is dropped here: blocks go to `pending` or `told`
//!   K4 an entry with a place is a member, filed under its scope, from its linking on
//! # Not here     locks, hazards, callbacks: module `store`

mod batch;
mod candidates;
mod change;
mod condition;
mod evict;
mod exchange;
mod fit;
mod keep;
mod lifetime;
mod pools;
mod put;
mod room;
mod scopes;
mod time;
mod ttl;
mod works;

use std::collections::VecDeque;

use crate::budget::Account;
use crate::clock::Nanos;
use crate::entry::{Block, BlockRef, Husks, Probe};
use crate::hash::KeyHash;
use crate::lineage::Generation;
use crate::members::Members;
use crate::notes::Tails;
use crate::policy::{Grave, Meta, Newcomers, Policy};
use crate::stats::{Counts, RemovalCause, Stats};
use crate::sync::Arc;
use crate::table::{Cursor, Loc, Shared, Table};
use crate::wheel::Wheel;

use candidates::Pool;
pub(crate) use exchange::{
    Batch, Claims, Condition, ENTRY_SHARE, Env, Front, Ground, Plain, Put, Write, cost,
};
pub(crate) use fit::Refit;
pub(crate) use lifetime::{Lifetime, Reading, Stay};
pub(crate) use pools::pool_of;
use pools::{REMEMBERED, Remembered};
pub(crate) use put::Turned;
pub(crate) use scopes::Home;
pub(crate) use ttl::NewTtl;
pub use ttl::TtlChange;
use works::Works;
pub(crate) use works::{Begun, Task, Work, WorkId};

/// Due entries that a write takes out on its way.
const EXPIRE_PER_WRITE: usize = 4;
/// The same of entries whose scope has ended.
const SWEEP_PER_WRITE: usize = 4;
/// Where there are so many entries, an insert into a full stripe takes its victim out before it looks for its key. If that is there after
/// all, the room is the next insert's: one entry less in so many. Tests of the inside have small stripes.
const AHEAD_MIN: usize = if cfg!(test) { 2 } else { 512 };
/// Entries of a pool among which its victim is chosen.
const EVICT_POOL_OF: usize = 8;
/// Victims that one hold of the lock takes out at most.
const EVICT_PER_HOLD: usize = 64;
/// Segments that are merged in one hold where few entries are left, and roots of the directory that are looked at for each.
const MERGES_PER_HOLD: usize = 4;
const ROOTS_PER_HOLD: usize = 1024;
/// Entries that a write takes out beyond its need while the cache is above a lowered bound.
const SHRINK_PER_WRITE: usize = 4;
/// Unlinked blocks that are looked at together at the latest.
const BATCH: usize = 512;
/// The same of segments that were retired.
const SEGMENT_BATCH: usize = 16;
/// Of the blocks, how many a call frees that does something else: each is a few lines of memory that nobody has touched for long.
pub(crate) const FREE_PER_CALL: usize = 64;
/// Writes from one look at the readers' notes to the next: a ring holds more than they leave meanwhile.
const NOTES_EVERY: u64 = 4;
/// What the policy takes however few entries there are; a cache's fixed part isn't charged.
const POLICY_FIXED: u64 = 24 << 10;
/// Inserts from one look for old ticks to the next.
const RESTAMP_EVERY: u32 = 4;
/// Rings of buckets pass within this many ticks, which is half of what the stored tick can tell.
const SWEEP_TICKS: u64 = 64;

/// See the module.
pub(crate) struct Stripe {
    table: Table,
    wheel: Wheel,
    members: Members<Arc<Generation>>,
    /// Of the live bytes, those that are charged to a pool.
    pooled_bytes: u64,
    policy: Policy,
    /// The wheel's memory without any deadline.
    wheel_fixed: usize,
    /// Whether table, wheel, members or policy may have grown since their memory was claimed.
    has_grown: bool,
    /// The policy's memory, which changes when it is fitted to another number of entries.
    policy_bytes: u64,
    tails: Tails,
    bytes: Account,
    spare_entries: u64,
    pending: Batch,
    husks: Husks,
    /// At so many segments in it, it is to be looked at: more than readers named when that was done last; 0 if it is to go at once.
    segments_due: usize,
    told: VecDeque<(Block, RemovalCause)>,
    /// Those that are leaving because they are due, where they are linked until a segment is replaced; empty but for that.
    due: Vec<(KeyHash, Loc)>,
    version: u64,
    inserts: u32,
    sweep_credit: u64,
    pool: Pool,
    /// The last victim's place in the pool is free, and no sample was taken for it.
    owes_sample: bool,
    newcomers: Newcomers<Loc>,
    remembered: [Remembered; REMEMBERED],
    /// The last victim, which the policy has not been told of.
    fallen: Option<(Grave, Meta)>,
    counts: Counts,
    works: Works,
}

impl Stripe {
    /// An empty stripe, and what readers need of it.
    pub(crate) fn new(skip_bits: u32, seed: u64, weighted: bool, tails: Tails) -> (Shared, Stripe) {
        let (shared, table) = Table::new(skip_bits);
        let stripe = Stripe {
            table,
            wheel: Wheel::new(),
            members: Members::new(seed),
            pooled_bytes: 0,
            policy: Policy::new(seed, weighted),
            wheel_fixed: Wheel::new().memory_bytes(),
            policy_bytes: 0,
            has_grown: true,
            tails,
            bytes: Account::default(),
            spare_entries: 0,
            pending: Batch::default(),
            husks: Husks::default(),
            segments_due: SEGMENT_BATCH,
            told: VecDeque::new(),
            due: Vec::new(),
            version: 0,
            inserts: 0,
            sweep_credit: 0,
            pool: Pool::new(),
            owes_sample: false,
            newcomers: Newcomers::new(),
            remembered: std::array::from_fn(|_| Remembered::new()),
            fallen: None,
            counts: Counts::default(),
            works: Works::default(),
        };
        (shared, stripe)
    }

    pub(crate) fn tick(&self) -> u32 {
        self.policy.tick().bits()
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes that are claimed for what comes next: spare ones, and what is left of the allowance for garbage.
    pub(crate) fn idle_bytes(&self) -> u64 {
        self.bytes.claimed() - self.bytes.held()
    }

    pub(crate) fn count_refused(&mut self) {
        self.counts.refused += 1;
    }

    pub(crate) fn add_to(&self, stats: &mut Stats) {
        self.counts.add_to(stats);
        stats.live_entries += self.len() as u64;
        stats.live_bytes += self.bytes.live();
        stats.garbage_bytes += self.bytes.garbage();
        stats.unreachable_bytes += self.members.unreachable_bytes();
        stats.structure_bytes += self.bytes.held() - self.bytes.live() - self.bytes.garbage();
    }

    /// Takes the entry of a key out; a count of its value, if it was alive, and when it was.
    pub(crate) fn remove(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        probe: &Probe<'_>,
    ) -> Option<(Block, Nanos)> {
        self.note_write(hash);
        let loc = self.table.writer(&env.front.table).find(hash, probe)?;
        let alive = self.claim_or_leaves(env, loc, hash);
        // After the clock, which is the user's and may panic.
        let value = alive.and_then(|now| Some((self.value_at(env, loc)?, now)));
        self.take(env, loc, hash, alive.map(|_| RemovalCause::Removed));
        value
    }

    /// Takes this very entry out if it is still linked and alive; whether it did.
    pub(crate) fn remove_block(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        block: BlockRef<'_>,
        cause: RemovalCause,
    ) -> bool {
        let Some(loc) = self.table.writer(&env.front.table).find_block(hash, block) else {
            return false;
        };
        let alive = self.claim_or_leaves(env, loc, hash).is_some();
        if alive {
            // One that was over was taken by nobody: to loads of the key that is no write.
            self.note_write(hash);
        }
        self.take(env, loc, hash, alive.then_some(cause));
        alive
    }

    /// Takes an entry out that was claimed, and what has become of its segment is put in order in any case.
    fn take(&mut self, env: &Env<'_>, loc: Loc, hash: KeyHash, cause: Option<RemovalCause>) {
        if let Some(cause) = cause {
            self.next_version(env);
            self.leave(env, loc, hash, cause);
        }
        self.shrink(env, hash);
        if self.has_grown || self.has_idle_policy() {
            self.claim_structure(env);
        }
    }

    /// Counts of all entries of the next segment from `cursor` on.
    pub(crate) fn collect(
        &mut self,
        env: &Env<'_>,
        cursor: Cursor,
        out: &mut Vec<Block>,
    ) -> Option<Cursor> {
        self.table
            .writer(&env.front.table)
            .collect(cursor, env.rehash(), |block, _| out.push(block))
    }

    /// The next values that left, for the listener.
    pub(crate) fn next_told(&mut self, n_max: usize) -> Vec<(Block, RemovalCause)> {
        let n = self.told.len().min(n_max);
        self.told.drain(..n).collect()
    }

    #[inline]
    pub(crate) fn has_told(&self) -> bool {
        !self.told.is_empty()
    }

    /// Values that the listener has seen join the others that left.
    pub(crate) fn was_told(&mut self, blocks: impl Iterator<Item = Block>) {
        self.pending.blocks.extend(blocks);
    }

    /// Everything that is linked or waits, at the end of the cache; and what the listener has not heard of.
    pub(crate) fn drain(&mut self, shared: &Shared) -> (Batch, VecDeque<(Block, RemovalCause)>) {
        let mut batch = std::mem::take(&mut self.pending);
        self.table.writer(shared).drain(&mut batch.blocks);
        (batch, std::mem::take(&mut self.told))
    }
}

#[cfg(test)]
mod tests;
