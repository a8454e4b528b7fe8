//! Whom to take when room is needed: expired first, then the policy's choice among a few.

use super::{Env, Stripe};
use crate::clock::Nanos;
use crate::hash::KeyHash;
use crate::policy::Meta;
use crate::stats::RemovalCause;
use crate::table::Loc;

/// Bucket lines that a sample reads.
const SAMPLE_BUCKETS: usize = 5;
/// The newest share of the entries that is spared: one in this many.
const GRACE_SHARE: u32 = 100;
/// How many of a sample are remembered: if the first has a handle or is in its grace, the next is looked at.
const CHOICES: usize = 3;
/// Samples that may come up empty before the buckets are walked in turn.
const EMPTY_SAMPLES: usize = 8;
/// Buckets of that walk.
const WALK: usize = 128;
/// Steps of the wheel before a victim is chosen among the living.
const EXPIRE_PER_EVICTION: usize = 16;

/// The lowest in rank of those that were seen, lowest first.
struct Choices {
    items: [(u32, Loc); CHOICES],
}

impl Choices {
    fn none() -> Choices {
        Choices { items: [(u32::MAX, Loc::NOWHERE); CHOICES] }
    }

    #[inline(always)]
    fn see(&mut self, rank: u32, loc: Loc) {
        if rank < self.items[CHOICES - 1].0 {
            self.insert(rank, loc);
        }
    }

    fn insert(&mut self, rank: u32, loc: Loc) {
        let mut at = CHOICES - 1;
        while at > 0 && rank < self.items[at - 1].0 {
            self.items[at] = self.items[at - 1];
            at -= 1;
        }
        self.items[at] = (rank, loc);
    }

    fn seen(&self) -> impl Iterator<Item = Loc> {
        self.items.iter().filter(|(_, loc)| *loc != Loc::NOWHERE).map(|(_, loc)| *loc)
    }
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
            let choices = if attempt < EMPTY_SAMPLES { self.sample(env) } else { self.walk(env) };
            if let Some(victim) = self.choose(env, &choices, spared) {
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
            self.policy_bytes = self.policy.memory_bytes() as u64;
        }
    }

    fn sample(&mut self, env: &Env<'_>) -> Choices {
        let randoms: [u64; SAMPLE_BUCKETS] = std::array::from_fn(|_| self.next_random());
        let writer = self.table.writer(env.shared);
        for random in randoms {
            writer.prefetch_sample(random);
        }
        let mut choices = Choices::none();
        for (nth, random) in randoms.into_iter().enumerate() {
            writer.sample(random, |loc, meta| {
                let meta = Meta::from_bits(meta);
                if nth == 0 {
                    // One bucket is as good a sample of those that wait as all of them, and costs a fifth.
                    self.policy.observe(meta);
                }
                choices.see(self.policy.rank(meta), loc);
            });
        }
        choices
    }

    fn walk(&mut self, env: &Env<'_>) -> Choices {
        let mut choices = Choices::none();
        let policy = &self.policy;
        self.table
            .writer(env.shared)
            .sweep(|_, loc, meta| choices.see(policy.rank(Meta::from_bits(meta)), loc));
        choices
    }

    /// The lowest in rank that is neither spared, nor in its grace, nor held; else the oldest that isn't spared.
    fn choose(&mut self, env: &Env<'_>, choices: &Choices, spared: Option<Loc>) -> Option<Loc> {
        let grace = (self.table.len() as u32 / GRACE_SHARE).max(1);
        let inserts = self.inserts;
        let writer = self.table.writer(env.shared);
        let mut fallback: Option<(u32, Loc)> = None;
        for loc in choices.seen().filter(|&loc| Some(loc) != spared) {
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
