//! What holds for a stripe between any two operations, for tests of the whole cache.

use std::collections::HashSet;

use super::*;
use crate::clock::Nanos;
use crate::shares::PoolId;
use crate::sync::atomic::Ordering;
use crate::table::{RetiredSegment, SLOTS};
use crate::wheel::Token;

impl Stripe {
    /// Checks K1, K2, K4 and that the account is the sum of what is there; O(everything). `kept_bytes` is the memory that is kept for the
    /// next blocks. What is claimed.
    pub(crate) fn validate(&mut self, env: &Env<'_>, kept_bytes: u64) -> Claims {
        // Behind it, readers would take what has just come for something used 254 ticks ago.
        assert_eq!(
            env.front.tick.load(Ordering::Relaxed),
            self.policy.tick().bits(),
            "readers have the running tick"
        );
        let mut live = 0;
        let (mut n_members, mut pooled) = (0, 0);
        let mut timed = HashSet::new();
        let hash_of = |block: BlockRef<'_>| block.probe().hash(&env.ground.hasher);
        self.table.validate(&env.front.table, &hash_of, |block, _| {
            assert_eq!(
                KeyHash::of_short(block.short_hash()).tag(),
                hash_of(block).tag(),
                "the short hash is of the key"
            );
            live += cost(block);
            let is_timed = block.token() != 0;
            assert_eq!(is_timed, block.earliest() != Nanos::MAX, "K1");
            if is_timed {
                assert!(timed.insert(block.token()), "K1: two entries with a record");
            }
            let is_member = block.member().is_some_and(|member| member.at().0 != 0);
            assert_eq!(is_member, block.member().is_some(), "K4");
            n_members += usize::from(is_member);
            if pool_of(block) != PoolId::ROOT {
                pooled += cost(block);
            }
        });
        assert_eq!(self.wheel.len(), timed.len(), "K1: a record of no entry");
        let writer = self.table.writer(&env.front.table);
        self.wheel.validate(|payload, token| {
            let loc = writer.find_token(KeyHash::from_bits(payload), token.bits());
            let block = loc.and_then(|loc| writer.block(loc));
            let block = block.expect("K1: a record belongs to a linked entry");
            match block.earliest() {
                // Whoever found it passed has ended it; its slot is that of the deadline that it had.
                Nanos::ZERO => Nanos::MAX,
                deadline => deadline,
            }
        });
        self.members.validate();
        assert_eq!(self.members.len(), n_members, "K4");
        assert_eq!(self.pooled_bytes, pooled);
        assert_eq!(self.bytes.live(), live, "K2");
        let left = self.pending.blocks.iter().chain(&self.pending.cleared);
        let told = self.told.iter().map(|(block, _)| block);
        let left: u64 = left.chain(told).map(|block| cost(block.as_ref())).sum();
        let segments = self.pending.segments.iter().map(RetiredSegment::bytes);
        assert_eq!(
            self.bytes.garbage(),
            left + segments.sum::<u64>() + kept_bytes,
            "what left and isn't freed is charged"
        );
        // What the wheel gave back may be charged until the next look at it.
        let structure = self.bytes.structure();
        assert!(
            self.has_grown || structure >= self.structure_bytes(),
            "{structure} bytes are charged for the structure"
        );
        Claims {
            bytes: self.bytes.claimed(),
            entries: self.len() as u64 + self.spare_entries,
        }
    }

    /// What an advance of the wheel does once it has given up the records of all entries: looks after each, those first that stay.
    pub(crate) fn expire_all(&mut self, env: &Env<'_>, now: Nanos) {
        let hash_of = |block: BlockRef<'_>| block.probe().hash(&env.ground.hasher);
        let mut found = Vec::new();
        self.table.validate(&env.front.table, &hash_of, |block, _| {
            found.push((block.earliest() <= now, hash_of(block), block.token()));
        });
        found.sort_by_key(|&(is_over, ..)| is_over);
        let writer = self.table.writer(&env.front.table);
        let locs: Vec<_> = found
            .iter()
            .map(|&(_, hash, token)| writer.find_token(hash, token).expect("it has a record"))
            .collect();
        for &(_, _, token) in &found {
            self.wheel
                .cancel(Token::from_bits(token).expect("a record"));
        }
        for (&(is_over, hash, _), loc) in found.iter().zip(locs) {
            assert_eq!(self.expire_one(env, hash, loc, now), is_over);
        }
    }
}

/// Else what waits is never observed, where one in eight inserts evicts, and always the one after which no slot is picked.
#[test]
fn each_slot_is_picked_as_often_however_many_inserts_lie_between_two_samples() {
    for step in 1..=64_u32 {
        for first in 0..8 {
            let mut counts = [0; SLOTS + 1];
            for sample in 0..800 {
                counts[evict::pick_of(first + sample * step) as usize] += 1;
            }
            assert!(
                counts.iter().all(|n| (50..=150).contains(n)),
                "{counts:?}, every {step}"
            );
        }
    }
}

/// Each split leaves one behind, which would come to as much as those that are there.
#[test]
fn a_growing_stripe_keeps_few_of_the_segments_that_it_leaves() {
    let builder = crate::Cache::<u64>::builder().max_bytes(1 << 30).stripes(1);
    let cache = builder.build().expect("a bound and a number of stripes");
    for key in 0..40_000u64 {
        cache.insert(key, key).expect("there is room");
        if key % 64 == 0 {
            let garbage = cache.stats().garbage_bytes;
            assert!(garbage <= 17 * 4224, "{garbage} after {key}");
        }
    }
    assert!(cache.stats().structure_bytes > 100 * 4224);
}
