//! The changes that a write is made of: linking, replacing, leaving, and what the policy learns from them.

use super::{
    Env, MERGES_PER_HOLD, NOTES_EVERY, RESTAMP_EVERY, ROOTS_PER_HOLD, SWEEP_TICKS, Stripe, cost,
};
use crate::entry::{Block, BlockRef};
use crate::hash::KeyHash;
use crate::policy::{self, Meta, Note, Past, Site};
use crate::stats::RemovalCause;
use crate::sync::atomic::Ordering;
use crate::table::{Crowded, Loc, Vacancy};

/// A block that is to be linked under an absent key.
pub(super) struct Linked {
    pub(super) hash: KeyHash,
    pub(super) block: Block,
    pub(super) size: u8,
    pub(super) site: Option<Site>,
    pub(super) growth_bytes: u64,
    pub(super) vacancy: Option<Vacancy>,
}

impl Stripe {
    #[inline(always)]
    pub(super) fn link(&mut self, env: &Env<'_>, newcomer: Linked, past: Option<Past>) -> Loc {
        let Linked {
            hash,
            mut block,
            size,
            site,
            growth_bytes,
            vacancy,
        } = newcomer;
        let meta = self.enroll(env, site, size, past);
        let at_place = match vacancy {
            None => Err(block),
            Some(vacancy) => {
                let mut writer = self.table.writer(&env.front.table);
                writer.link_at(vacancy, hash, block, meta.bits())
            }
        };
        let loc = match at_place {
            Ok(loc) => loc,
            Err(back) => {
                block = back;
                self.link_somewhere(env, hash, block, meta, growth_bytes)
            }
        };
        self.watch(env, loc);
        loc
    }

    /// What the policy makes of a newcomer that has no slot yet.
    #[inline(always)]
    pub(super) fn enroll(
        &mut self,
        env: &Env<'_>,
        site: Option<Site>,
        size: u8,
        past: Option<Past>,
    ) -> Meta {
        self.inserts = self.inserts.wrapping_add(1);
        self.spare_entries -= 1;
        if self.inserts.is_multiple_of(RESTAMP_EVERY) {
            self.restamp(env);
        }
        let meta = match past {
            None => self.policy.admit(site, size),
            Some(past) => self.policy.admit_again(past, size),
        };
        // Before the entry can be found: to a reader with an earlier tick, its use would be the first for 254 ticks.
        let now = self.policy.tick();
        if env.front.tick.load(Ordering::Relaxed) != now.bits() {
            env.front.tick.store(now.bits(), Ordering::Relaxed);
        }
        meta
    }

    /// Links a block into whatever slot of its segment is free; the segment grows first, if it has to.
    #[inline(never)]
    pub(super) fn link_somewhere(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        mut block: Block,
        meta: Meta,
        growth_bytes: u64,
    ) -> Loc {
        if growth_bytes > 0 {
            let mut writer = self.table.writer(&env.front.table);
            let before = self.pending.segments.len();
            writer.grow(hash, env.rehash(), &mut self.pending.segments);
            self.discard_segments(before);
        }
        loop {
            match self
                .table
                .writer(&env.front.table)
                .link(hash, block, meta.bits())
            {
                Ok(loc) => return loc,
                Err(Crowded(back)) => block = back,
            }
            // Every slot of the segment is taken by keys of like hash: one of them makes room.
            let writer = self.table.writer(&env.front.table);
            let crowd = writer.first_of(hash);
            let crowd_hash = writer.block(crowd).map_or(hash, |block| env.hash_of(block));
            self.leave(env, crowd, crowd_hash, RemovalCause::Evicted);
        }
    }

    pub(super) fn replace(
        &mut self,
        env: &Env<'_>,
        loc: Loc,
        hash: KeyHash,
        block: Block,
    ) -> Option<Block> {
        let mut writer = self.table.writer(&env.front.table);
        let old = Meta::from_bits(writer.meta(loc));
        let resized = old.with_size(policy::size_class(block.as_ref().charge_bytes()));
        let used = policy::touch(
            resized,
            self.policy.tick(),
            hash.bits() as u32 ^ self.version as u32,
        );
        let old_block = writer.replace(loc, block, used.unwrap_or(resized).bits());
        if used.is_some() {
            self.policy
                .note_hit(Note::pack(old, self.policy.tick(), hash.bits()));
        }
        self.unschedule(old_block.as_ref());
        self.schedule(env, loc, hash);
        self.succeed(env, loc, &old_block);
        let value = Some(old_block.as_ref()).filter(|block| !block.is_absent());
        let count = value.map(BlockRef::acquire);
        self.part(env, old_block, RemovalCause::Replaced);
        count
    }

    /// Unlinks an entry and files it under what left.
    pub(super) fn leave(&mut self, env: &Env<'_>, loc: Loc, hash: KeyHash, cause: RemovalCause) {
        let block = self.table.writer(&env.front.table).unlink(loc, hash);
        self.spare_entries += 1;
        if self.spare_entries > env.ground.chunk_entries {
            let keep = env.ground.chunk_entries.div_ceil(2);
            env.ground.entries.give_back(self.spare_entries - keep);
            self.spare_entries = keep;
        }
        self.unschedule(block.as_ref());
        self.part_from_scope(env, block.as_ref(), cause);
        self.part(env, block, cause);
    }

    pub(super) fn part(&mut self, env: &Env<'_>, block: Block, cause: RemovalCause) {
        self.bytes.discard(cost(block.as_ref()));
        self.counts.count(cause);
        if env.ground.has_listener && !block.as_ref().is_absent() {
            self.told.push_back((block, cause));
        } else {
            self.pending.blocks.push(block);
        }
    }

    /// Gives back all claims that nothing stands for.
    pub(crate) fn trim_all(&mut self, env: &Env<'_>) {
        self.bytes.trim(&env.ground.bytes, 0);
        env.ground
            .entries
            .give_back(std::mem::take(&mut self.spare_entries));
    }

    /// Merges segments that have become nearly empty, a pair at a time.
    #[inline]
    pub(super) fn shrink(&mut self, env: &Env<'_>, hash: KeyHash) {
        if self.table.writer(&env.front.table).may_shrink(hash) {
            self.merge(env, hash);
        }
    }

    /// Merges a few segments, where most of them are nearly empty; whether any were. What is evicted for one large entry, or for one of
    /// another stripe, leaves them so, and the memory of the table is of more use to that one.
    pub(super) fn shrink_sparse(&mut self, env: &Env<'_>) -> bool {
        let before = self.pending.segments.len();
        let mut writer = self.table.writer(&env.front.table);
        for _ in 0..MERGES_PER_HOLD {
            let retired = &mut self.pending.segments;
            if !writer.is_sparse() || !writer.shrink_next(ROOTS_PER_HOLD, env.rehash(), retired) {
                break;
            }
        }
        let any = self.pending.segments.len() > before;
        if any {
            self.has_grown = true;
            self.discard_segments(before);
        }
        any
    }

    fn merge(&mut self, env: &Env<'_>, hash: KeyHash) {
        let before = self.pending.segments.len();
        self.has_grown = true;
        let mut writer = self.table.writer(&env.front.table);
        if writer.shrink(hash, env.rehash(), &mut self.pending.segments) {
            self.discard_segments(before);
        }
    }

    /// Retired segments are garbage from now on.
    pub(super) fn discard_segments(&mut self, first: usize) {
        for segment in &self.pending.segments[first..] {
            self.bytes.discard_structure(segment.bytes());
        }
    }

    /// The policy's share of a write: hits that readers noted, a piece of the index.
    #[inline(always)]
    pub(super) fn learn(&mut self, env: &Env<'_>) {
        let policy = &mut self.policy;
        if self.version.is_multiple_of(NOTES_EVERY) {
            env.front.notes.take(&mut self.tails, |word| {
                if let Some(note) = Note::from_bits(word) {
                    policy.note_hit(note);
                }
            });
        }
        policy.step();
    }

    /// Pins old ticks before they'd look young again: the share of so many inserts of the rings of buckets that pass meanwhile.
    #[inline(never)]
    fn restamp(&mut self, env: &Env<'_>) {
        let n = u64::from(RESTAMP_EVERY);
        self.sweep_credit += n * self.table.n_buckets() as u64;
        let price = SWEEP_TICKS * self.policy.period();
        for _ in 0..2 * n {
            if self.sweep_credit < price {
                return;
            }
            self.sweep_credit -= price;
            let now = self.policy.tick();
            let mut writer = self.table.writer(&env.front.table);
            writer.sweep(|writer, loc, meta| {
                let pinned = policy::restamp(Meta::from_bits(meta), now);
                if pinned.bits() != meta {
                    writer.set_meta(loc, pinned.bits());
                }
            });
        }
        self.sweep_credit = 0;
    }
}
