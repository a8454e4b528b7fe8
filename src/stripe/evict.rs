//! Whom to take when room is needed: expired first, then the policy's choice among a few.

use super::candidates::Candidate;
use super::pools::Room;
use super::{Env, Stripe};
use crate::clock::Nanos;
use crate::entry::BlockRef;
use crate::hash::KeyHash;
use crate::policy::{Meta, Ranker};
use crate::shares::PoolId;
use crate::stats::RemovalCause;
use crate::table::{Loc, RANK_MAX};
use crate::wheel::Token;

/// Bucket lines that are sampled at once.
const SAMPLE_BUCKETS: usize = 3;
/// Entries for each of which a unit of stamps is doubled: a stripe's grace is then some hundred units, and one old entry in five hundred
/// carries a stamp that looks as young.
const STAMP_UNIT_PER: usize = 8192;
/// Samples that may bring no victim before the buckets are walked in turn.
const EMPTY_SAMPLES: usize = 8;
/// Buckets of that walk.
const WALK: usize = 128;
/// Steps of the wheel, and of the sweep, before a victim is chosen among the living.
const EXPIRE_PER_EVICTION: usize = 16;

impl Stripe {
    /// Takes one entry out that `may_go`, or some that expired or were invalidated. False if there is none but `spared`, which is
    /// alive at `now`.
    pub(super) fn evict(
        &mut self,
        env: &Env<'_>,
        spared: Option<Loc>,
        now: Nanos,
        may_go: impl Fn(BlockRef<'_>) -> bool + Copy,
    ) -> bool {
        if self.take_ended(env, now) {
            return true;
        }
        self.fit_policy(env);
        self.follow_segments();
        self.sample_owed(env);
        let mut last_resort = None;
        for attempt in 0..EMPTY_SAMPLES + WALK {
            // From the second eviction on, the best of the earlier samples is taken: it was asked for when it was seen.
            let mut victim = self.choose(env, spared, &mut last_resort, may_go);
            if attempt >= EMPTY_SAMPLES {
                victim = victim.or(last_resort.map(|(_, loc)| loc));
            }
            if let Some(victim) = victim {
                self.evict_at(env, victim);
                self.owes_sample = true;
                return true;
            }
            if attempt < EMPTY_SAMPLES {
                self.sample(env);
            } else {
                self.walk(env);
            }
        }
        false
    }

    /// Takes out what expired or was invalidated, a few entries. Whether any left.
    pub(super) fn take_ended(&mut self, env: &Env<'_>, now: Nanos) -> bool {
        let before = self.table.len();
        self.expire(env, now, EXPIRE_PER_EVICTION);
        self.sweep(env, EXPIRE_PER_EVICTION);
        self.table.len() < before
    }

    /// What an entry that comes now carries to tell its age, where the policy is made for so many.
    #[inline(always)]
    pub(super) fn stamp(&self, capacity: usize) -> u16 {
        (self.inserts >> self.stamp_unit_log2(capacity)) as u16
    }

    /// Inserts in a unit of stamps. Follows the capacity that the policy is made for, which seldom changes; before there is one, the
    /// number of entries, which it will be.
    #[inline(always)]
    fn stamp_unit_log2(&self, capacity: usize) -> u32 {
        let entries = match capacity {
            0 => self.table.len(),
            capacity => capacity,
        };
        (entries / STAMP_UNIT_PER).max(1).ilog2()
    }

    /// An entry was linked: whose grace ends by that is a candidate, if anything is still where it was.
    #[inline(always)]
    pub(super) fn watch(&mut self, env: &Env<'_>, newcomer: Loc) {
        if self.newcomers.grace() == 0 {
            return;
        }
        self.follow_segments();
        let Some(loc) = self.newcomers.come(newcomer) else {
            return;
        };
        let writer = self.table.writer(&env.front.table);
        // By the stripe's next insert the line is there.
        if let Some(&next) = self.newcomers.next() {
            writer.prefetch_bucket(next);
        }
        if writer.block(loc).is_some() {
            let meta = writer.meta(loc);
            let rank = self.policy.ranker().rank_in_turn(Meta::from_bits(meta));
            self.pool.see(rank, meta, loc);
            if self.pool.is_first(loc) {
                writer.prefetch_block(loc);
            }
        }
    }

    /// Forgets the places that went with a retired segment.
    fn follow_segments(&mut self) {
        if self.pool.follow(self.table.retirements()) {
            self.newcomers.clear();
        }
    }

    /// Looks for candidates in the place of the last victim, if that wasn't done yet and those that are known aren't as good: by the
    /// stripe's next write, while the lines come that this one begins with.
    #[inline(always)]
    pub(super) fn sample_owed(&mut self, env: &Env<'_>) {
        if std::mem::take(&mut self.owes_sample) {
            self.follow_segments();
            if !self.pool.goes_unsampled() {
                self.sample(env);
            }
            // The candidates that will leave next, most likely.
            let writer = self.table.writer(&env.front.table);
            for candidate in self.pool.next_two() {
                writer.prefetch_block(candidate.loc);
            }
        }
    }

    /// Looks at the next few buckets.
    fn sample(&mut self, env: &Env<'_>) {
        let mut writer = self.table.writer(&env.front.table);
        let (ranker, pool) = (self.policy.ranker(), &mut self.pool);
        // While all candidates are alike, as in a scan, looking further would find more of the same.
        let n_buckets = if pool.is_level() { 1 } else { SAMPLE_BUCKETS };
        let pick = pick_of(self.inserts);
        let is_weighted = ranker.is_weighted();
        let not_yet = if is_weighted {
            RANK_MAX - 1
        } else {
            Ranker::NOT_YET
        };
        let see = |rank, meta, loc| {
            if rank != not_yet {
                pool.see(rank, meta, loc);
            }
        };
        let waiting = if is_weighted {
            let rank = |meta| ranker.rank(Meta::from_bits(meta)).unwrap_or(not_yet);
            writer.sample(n_buckets, pick, rank, see)
        } else {
            let rank = |meta| ranker.rank_by_count(Meta::from_bits(meta));
            writer.sample(n_buckets, pick, rank, see)
        };
        // One of them, whatever its rank, is as good a sample of those that wait as all are.
        if let Some(meta) = waiting {
            self.policy.observe(Meta::from_bits(meta));
        }
    }

    fn walk(&mut self, env: &Env<'_>) {
        let (ranker, pool) = (self.policy.ranker(), &mut self.pool);
        self.table.writer(&env.front.table).sweep(|_, loc, meta| {
            let rank = ranker.rank(Meta::from_bits(meta)).unwrap_or(u32::MAX);
            pool.see(rank, meta, loc);
        });
    }

    /// The lowest in rank that is neither spared, nor in its grace, nor held. Those are forgotten, and the oldest of them
    /// is noted as a last resort.
    fn choose(
        &mut self,
        env: &Env<'_>,
        spared: Option<Loc>,
        last_resort: &mut Option<(u16, Loc)>,
        may_go: impl Fn(BlockRef<'_>) -> bool,
    ) -> Option<Loc> {
        // In units of stamps, and rounded so that it's over for whom `watch` has shown.
        let capacity = self.policy.capacity();
        let unit_log2 = self.stamp_unit_log2(capacity);
        let grace = ((self.newcomers.grace() + 1) >> unit_log2).saturating_sub(1);
        let now = self.stamp(capacity);
        let writer = self.table.writer(&env.front.table);
        while let Some(Candidate { meta, loc, .. }) = self.pool.take() {
            let Some(block) = writer.block(loc).filter(|_| writer.meta(loc) == meta) else {
                continue;
            };
            let age = now.wrapping_sub(block.stamp());
            if Some(loc) == spared || !may_go(block) {
                continue;
            }
            if usize::from(age) > grace && !block.has_handles() {
                return Some(loc);
            }
            if last_resort.is_none_or(|(oldest, _)| age > oldest) {
                *last_resort = Some((age, loc));
            }
        }
        None
    }

    #[inline(always)]
    pub(super) fn evict_at(&mut self, env: &Env<'_>, loc: Loc) {
        let writer = self.table.writer(&env.front.table);
        let Some(block) = writer.block(loc) else {
            return;
        };
        let hash = env.hash_of(block);
        let meta = Meta::from_bits(writer.meta(loc));
        // What this victim's leaving will touch comes while the one before it is told to the policy, whose memory for that one has
        // been asked for since.
        if let Some(token) = Token::from_bits(block.token()) {
            self.wheel.prefetch(token);
        }
        let grave = self.policy.grave(hash.bits());
        if let Some((grave, meta)) = self.fallen.replace((grave, meta)) {
            self.policy.evicted(grave, meta);
        }
        self.leave(env, loc, hash, RemovalCause::Evicted);
    }

    /// Takes out up to `n` entries for an insert of `claimer`'s into another stripe. Whether any went.
    pub(crate) fn make_room(
        &mut self,
        env: &Env<'_>,
        n: usize,
        claimer: PoolId,
        spared: Option<(KeyHash, u64)>,
        now: Nanos,
    ) -> bool {
        let mut any = false;
        for _ in 0..n {
            // Looked for each time, since expiry may merge segments, and so move the entry.
            let spared = spared.and_then(|(hash, version)| {
                self.table
                    .writer(&env.front.table)
                    .find_version(hash, version)
            });
            if !self.bytes.can_exchange()
                || self.give_way(env, claimer, 0, spared, now) != Room::Made
            {
                break;
            }
            any = true;
        }
        self.shrink_sparse(env) || any
    }
}

/// Which slot of the sampled lines is looked at after so many inserts. Samples are taken every so many inserts, and if that is a multiple of
/// two the low bits of the number are few; so these are the top ones of a product, which take turns whatever the step (Weyl's sequence).
pub(super) fn pick_of(inserts: u32) -> u32 {
    inserts.wrapping_mul(0x9E37_79B9) >> 29
}
