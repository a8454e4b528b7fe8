//! Memory shares in one stripe: claims for entries, and victims of the pool whose turn it is to give way.

use super::candidates::Pool;
use super::{EVICT_POOL_OF, Env, Stripe, cost};
use crate::clock::Nanos;
use crate::entry::BlockRef;
use crate::lineage::PlaceWord;
use crate::policy::Meta;
use crate::shares::{Full, PoolId, Turn};
use crate::stats::{Counts, RemovalCause};
use crate::table::Loc;

/// The candidates of a pool that gave way of late.
#[derive(Debug)]
pub(super) struct Remembered {
    pool: PoolId,
    best: Pool,
}

/// Pools whose candidates are remembered.
pub(super) const REMEMBERED: usize = 4;

impl Remembered {
    pub(super) fn new() -> Remembered {
        Remembered {
            pool: PoolId::ROOT,
            best: Pool::new(),
        }
    }

    fn follow(&mut self, pool: PoolId, retirements: u64) {
        if self.pool != pool {
            *self = Remembered {
                pool,
                best: Pool::new(),
            };
        }
        self.best.follow(retirements);
    }
}

/// How an attempt to make room in this stripe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Something left.
    Made,
    /// It is for this pool to give way, and it has nothing here that could leave.
    Elsewhere(PoolId),
    /// Nothing here could leave.
    None,
}

fn made(any: bool) -> Room {
    if any { Room::Made } else { Room::None }
}

impl Stripe {
    /// Makes room for a claimer that the cache is full for: takes one entry out, of the pool whose turn it is.
    #[inline(always)]
    pub(super) fn give_way(
        &mut self,
        env: &Env<'_>,
        claimer: PoolId,
        bytes: u64,
        spared: Option<Loc>,
        now: Nanos,
    ) -> Room {
        if env.ground.shares.is_active() {
            return self.give_way_by_shares(env, claimer, bytes, spared, now);
        }
        made(self.evict(env, spared, now, |_| true))
    }

    #[inline(never)]
    fn give_way_by_shares(
        &mut self,
        env: &Env<'_>,
        claimer: PoolId,
        bytes: u64,
        spared: Option<Loc>,
        now: Nanos,
    ) -> Room {
        // What belongs to nobody isn't counted at each write: what is here stands for what is elsewhere.
        let of_nobody = self.bytes.live().saturating_sub(self.pooled_bytes);
        env.ground
            .shares
            .note_root(of_nobody.saturating_mul(env.ground.n_stripes));
        match env.ground.shares.gives_way(claimer, bytes) {
            Turn::Anyone => made(self.evict(env, spared, now, |_| true)),
            Turn::Pool(PoolId::ROOT) => {
                if self.evict_where(env, spared, now, |block| pool_of(block) == PoolId::ROOT) {
                    Room::Made
                } else {
                    Room::Elsewhere(PoolId::ROOT)
                }
            }
            Turn::Pool(pool) => self.evict_of(env, pool, spared, now),
            Turn::NotFound => {
                let may_go =
                    |block: BlockRef<'_>| env.ground.shares.may_give_way(pool_of(block), claimer);
                made(self.evict_where(env, spared, now, may_go))
            }
        }
    }

    /// Takes one entry out that `may_go`: of the policy's choice, or, where samples show others alone, the lowest in rank of the
    /// next bucket that has one.
    fn evict_where(
        &mut self,
        env: &Env<'_>,
        spared: Option<Loc>,
        now: Nanos,
        may_go: impl Fn(BlockRef<'_>) -> bool + Copy,
    ) -> bool {
        if self.evict(env, spared, now, may_go) {
            return true;
        }
        let ranker = self.policy.ranker();
        let mut writer = self.table.writer(&env.front.table);
        let mut lowest: Option<((bool, u32), Loc)> = None;
        for _ in 0..WALK {
            writer.sweep(|writer, loc, meta| {
                let block = writer.block(loc).filter(|&block| may_go(block));
                if let Some(block) = block.filter(|_| Some(loc) != spared) {
                    let rank = ranker.rank(Meta::from_bits(meta)).unwrap_or(u32::MAX);
                    let rank = (block.has_handles(), rank);
                    if lowest.is_none_or(|(other, _)| rank < other) {
                        lowest = Some((rank, loc));
                    }
                }
            });
            if lowest.is_some() {
                break;
            }
        }
        lowest.map(|(_, loc)| self.evict_at(env, loc)).is_some()
    }

    /// Takes out one entry of a pool: expired and invalidated ones first, then the lowest in rank of the next few.
    pub(crate) fn evict_pool(&mut self, env: &Env<'_>, pool: PoolId, now: Nanos) -> bool {
        self.evict_of(env, pool, None, now) == Room::Made
    }

    /// The entries of a list stand in the order in which they came, so that those side by side are much alike: the best candidates
    /// are remembered from one call to the next, as for the policy's own sample.
    fn evict_of(&mut self, env: &Env<'_>, pool: PoolId, spared: Option<Loc>, now: Nanos) -> Room {
        if self.take_ended(env, now) {
            return Room::Made;
        }
        self.fit_policy(env);
        let mut named = Vec::with_capacity(EVICT_POOL_OF);
        self.members.victims(pool.bits(), EVICT_POOL_OF, &mut named);
        let retirements = self.table.retirements();
        let writer = self.table.writer(&env.front.table);
        let remembered = &mut self.remembered[pool.bits() as usize % REMEMBERED];
        remembered.follow(pool, retirements);
        let ranker = self.policy.ranker();
        let mut waiting = None;
        // Whoever is held leaves last, since its memory doesn't come back; and newcomers before those.
        let mut last_resort: Option<((bool, u32), Loc)> = None;
        for (hash, token) in named {
            let Some(loc) = writer.find_member(hash, token.bits()) else {
                continue;
            };
            let Some(block) = writer.block(loc).filter(|_| Some(loc) != spared) else {
                continue;
            };
            let meta = writer.meta(loc);
            waiting = waiting.or(Some(meta));
            let is_held = block.has_handles();
            match ranker.rank(Meta::from_bits(meta)) {
                Some(rank) if !is_held => remembered.best.see(rank, meta, loc),
                rank => {
                    let rank = (is_held, rank.unwrap_or(u32::MAX));
                    if last_resort.is_none_or(|(other, _)| rank < other) {
                        last_resort = Some((rank, loc));
                    }
                }
            }
        }
        let is_one = |loc, meta| {
            let block = writer.block(loc).filter(|_| writer.meta(loc) == meta);
            Some(loc) != spared
                && block.is_some_and(|block| pool_of(block) == pool && !block.has_handles())
        };
        let victim = remembered.best.take_lowest(is_one);
        if let Some(meta) = waiting {
            self.policy.observe(Meta::from_bits(meta));
        }
        match victim.or(last_resort.map(|(_, loc)| loc)) {
            Some(loc) => {
                self.evict_at(env, loc);
                Room::Made
            }
            None => Room::Elsewhere(pool),
        }
    }

    /// Claims the bytes, and the entry if there is none yet, that a draft adds to its pool, which isn't the root; if that or its parent is full, makes room among its own.
    pub(super) fn fund_pool(
        &mut self,
        env: &Env<'_>,
        draft: BlockRef<'_>,
        present: Option<Loc>,
        now: Nanos,
    ) -> Result<(), (Full, Room)> {
        let pool = pool_of(draft);
        let before = present
            .and_then(|loc| self.table.writer(&env.front.table).block(loc).map(cost))
            .unwrap_or(0);
        let grown = cost(draft).saturating_sub(before);
        let full = match env.ground.shares.claim(pool, grown) {
            Err(over) => Full::Bytes(over.pool),
            Ok(()) if present.is_some() => return Ok(()),
            Ok(()) => match env.ground.shares.claim_entry(pool) {
                Ok(()) => return Ok(()),
                Err(full) => {
                    env.ground.shares.give_back(pool, grown);
                    Full::Entries(full)
                }
            },
        };
        let room = match env.ground.shares.gives_way_within(full, pool, grown) {
            Turn::Pool(giver) => self.evict_of(env, giver, present, now),
            Turn::Anyone | Turn::NotFound => Room::None,
        };
        Err((full, room))
    }

    /// An entry of a pool has come, which is claimed with its bytes.
    pub(super) fn count_in(
        &mut self,
        env: &Env<'_>,
        block_cost: u64,
        pool: PoolId,
        is_first: bool,
    ) {
        if pool != PoolId::ROOT {
            self.pooled_bytes += block_cost;
            env.ground.shares.count(pool, Counts::INSERTED);
            if is_first {
                env.ground
                    .shares
                    .mark_stripe(pool, env.front.index as usize, true);
            }
        }
    }

    /// An entry of a pool has gone; its claim goes with it.
    pub(super) fn count_out(
        &mut self,
        env: &Env<'_>,
        block_cost: u64,
        pool: PoolId,
        is_last: bool,
        cause: RemovalCause,
    ) {
        if pool != PoolId::ROOT {
            self.pooled_bytes -= block_cost;
            env.ground.shares.give_entry_back(pool);
            env.ground.shares.count(pool, cause as usize);
            if is_last {
                env.ground
                    .shares
                    .mark_stripe(pool, env.front.index as usize, false);
            }
            env.ground.shares.give_back(pool, block_cost);
        }
    }

    /// An entry of a pool was replaced: what it takes less is given back; what it takes more was claimed.
    pub(super) fn count_change(&mut self, env: &Env<'_>, before: u64, after: u64, pool: PoolId) {
        if pool != PoolId::ROOT {
            self.pooled_bytes = self.pooled_bytes + after - before;
            env.ground.shares.count(pool, Counts::INSERTED);
            env.ground
                .shares
                .count(pool, RemovalCause::Replaced as usize);
            if before > after {
                env.ground.shares.give_back(pool, before - after);
            }
        }
    }
}

/// Buckets that are walked for an entry that may go.
const WALK: usize = 128;

/// Who is charged for an entry.
#[inline]
pub(crate) fn pool_of(block: BlockRef<'_>) -> PoolId {
    PoolId::from_bits(PlaceWord::from_bits(block.place()).pool())
}
