//! Whom to take when room is needed: expired first, then the policy's choice among a few.

use super::{Env, Stripe};
use crate::clock::Nanos;
use crate::hash::KeyHash;
use crate::policy::Meta;
use crate::stats::RemovalCause;
use crate::table::{Loc, SLOTS};

/// Bucket lines that a sample reads.
const SAMPLE_BUCKETS: usize = 5;
/// The newest share of the entries that is spared: one in this many.
const GRACE_SHARE: u32 = 100;
/// How many of a sample are looked at before one with a handle or in its grace is taken after all.
const LOOKS: usize = 4;
/// Steps of the wheel before a victim is chosen among the living.
const EXPIRE_PER_EVICTION: usize = 16;
/// Samples that may come up empty before the buckets are walked in turn.
const EMPTY_SAMPLES: usize = 8;
/// Buckets of that walk.
const WALK: usize = 128;

/// The entries of a few buckets.
struct Sample {
    items: [(u32, Loc, u32); SAMPLE_BUCKETS * SLOTS],
    len: usize,
}

impl Stripe {
    /// Takes one entry out, expired ones first. False if there is none but `spared`, which is alive at `now`.
    pub(super) fn evict(&mut self, env: &Env<'_>, spared: Option<Loc>, now: Nanos) -> bool {
        let before = self.table.len();
        self.expire(env, now, EXPIRE_PER_EVICTION);
        if self.table.len() < before {
            return true;
        }
        self.fit_policy();
        for attempt in 0..EMPTY_SAMPLES + WALK {
            let sample = if attempt < EMPTY_SAMPLES { self.sample(env) } else { self.walk(env) };
            if let Some(victim) = sample.and_then(|sample| self.choose(env, sample, spared)) {
                self.evict_at(env, victim);
                return true;
            }
        }
        false
    }

    /// Makes the policy's memory fit the number of entries, with room to move before it's done again.
    fn fit_policy(&mut self) {
        let (len, capacity) = (self.table.len(), self.policy.capacity());
        if capacity == 0 || len > 2 * capacity || 4 * len.max(16) < capacity {
            self.policy.resize(len.max(1));
        }
    }

    fn sample(&mut self, env: &Env<'_>) -> Option<Sample> {
        let randoms: [u64; SAMPLE_BUCKETS] = std::array::from_fn(|_| self.next_random());
        let writer = self.table.writer(env.shared);
        for random in randoms {
            writer.prefetch_sample(random);
        }
        let mut sample = Sample::empty();
        for random in randoms {
            writer.sample(random, |loc, meta| sample.push(loc, meta));
        }
        self.rank(sample)
    }

    fn walk(&mut self, env: &Env<'_>) -> Option<Sample> {
        let mut sample = Sample::empty();
        self.table.writer(env.shared).sweep(|_, loc, meta| sample.push(loc, meta));
        self.rank(sample)
    }

    fn rank(&mut self, mut sample: Sample) -> Option<Sample> {
        for (rank, _, meta) in &mut sample.items[..sample.len] {
            let meta = Meta::from_bits(*meta);
            self.policy.observe(meta);
            *rank = self.policy.rank(meta);
        }
        (sample.len > 0).then_some(sample)
    }

    /// The lowest in rank that is neither spared, nor in its grace, nor held; else the lowest that isn't spared.
    fn choose(&mut self, env: &Env<'_>, mut sample: Sample, spared: Option<Loc>) -> Option<Loc> {
        let grace = (self.table.len() as u32 / GRACE_SHARE).max(1);
        let inserts = self.inserts;
        let writer = self.table.writer(env.shared);
        let mut fallback: Option<(u32, Loc)> = None;
        for _ in 0..LOOKS {
            let Some(at) = (0..sample.len).min_by_key(|&at| sample.items[at].0) else { break };
            let (_, loc, _) = sample.items[at];
            sample.len -= 1;
            sample.items.swap(at, sample.len);
            if Some(loc) == spared {
                continue;
            }
            let Some(block) = writer.block(loc) else { continue };
            let age = inserts.wrapping_sub(block.stamp());
            if age > grace && !block.has_handles() {
                return Some(loc);
            }
            if fallback.is_none_or(|(oldest, _)| age > oldest) {
                fallback = Some((age, loc));
            }
        }
        fallback.map(|(_, loc)| loc)
    }

    fn evict_at(&mut self, env: &Env<'_>, loc: Loc) {
        let writer = self.table.writer(env.shared);
        let Some(block) = writer.block(loc) else { return };
        let hash: KeyHash = env.hash_of(block);
        let meta = Meta::from_bits(writer.meta(loc));
        self.policy.evicted(hash.bits(), meta);
        self.leave(env, loc, hash, RemovalCause::Evicted);
    }

    /// Takes out up to `n` entries for another stripe's sake. Whether any went.
    pub(crate) fn make_room(&mut self, env: &Env<'_>, n: usize) -> bool {
        let now = if self.wheel.len() > 0 { env.time.coarse_now() } else { Nanos::ZERO };
        let mut any = false;
        for _ in 0..n {
            if !self.bytes.can_exchange() || !self.evict(env, None, now) {
                break;
            }
            any = true;
        }
        any
    }

    fn next_random(&mut self) -> u64 {
        // Marsaglia, "Xorshift RNGs", 2003, with the multiplication of Vigna's xorshift64*.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

impl Sample {
    fn empty() -> Sample {
        Sample { items: [(0, Loc::NOWHERE, 0); SAMPLE_BUCKETS * SLOTS], len: 0 }
    }

    fn push(&mut self, loc: Loc, meta: u32) {
        self.items[self.len] = (0, loc, meta);
        self.len += 1;
    }
}
