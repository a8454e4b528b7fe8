//! The stripe's account: what is claimed before it is used.

use super::pools::Room;
use super::{
    AHEAD_MIN, Claims, Condition, ENTRY_SHARE, EVICT_PER_HOLD, Env, Ground, POLICY_FIXED, Stripe,
    Write, cost, pool_of,
};
use crate::clock::Nanos;
use crate::entry::{BlockRef, Probe};
use crate::hash::KeyHash;
use crate::lineage::PlaceWord;
use crate::shares::{Full, PoolId};
use crate::table::Loc;

/// A draft that is to be linked.
#[derive(Clone, Copy)]
pub(super) struct Newcomer<'a> {
    pub(super) hash: KeyHash,
    pub(super) draft: BlockRef<'a>,
    /// What it is charged.
    pub(super) cost: u64,
    /// Whether a slot was free where it belongs.
    pub(super) has_place: bool,
    pub(super) write: &'a Write<'a>,
    pub(super) now: Nanos,
}

/// What is missing for a newcomer.
pub(super) enum Lack {
    /// Something has to leave.
    Evict,
    /// What has left has to be freed first.
    Wait,
    /// Its pool, or the parent, has its maximum; what came of making room in it.
    Pool(Full, Room),
}

/// Why room can't be made in this hold of the lock.
pub(super) enum NoWay {
    /// The life of the newcomer's scope has ended.
    Ended,
    Short {
        has_evicted: bool,
        giver: Option<PoolId>,
        /// What was missing is a pool's, and of no use from others.
        full: Option<Full>,
    },
}

impl Stripe {
    /// Takes over claims that were made elsewhere for an insert into this stripe.
    pub(crate) fn receive(&mut self, claims: Claims) {
        self.bytes.add_spare(claims.bytes);
        self.spare_entries += claims.entries;
    }

    /// Gives claims up for an insert into another stripe, at most so many, and none that the structure needs.
    pub(crate) fn give(&mut self, env: &Env<'_>, bytes_max: u64, entries_max: u64) -> Claims {
        self.cover_structure(env);
        let entries = self.spare_entries.min(entries_max);
        self.spare_entries -= entries;
        Claims {
            bytes: self.bytes.take_spare(bytes_max),
            entries,
        }
    }

    /// Whether a victim's bytes would be of no use before what has left is freed.
    pub(crate) fn waits_for_garbage(&self) -> bool {
        !self.bytes.can_exchange()
    }

    /// Whether the present entry may make room for a write of its key: not for what was loaded, if somebody has written meanwhile.
    pub(crate) fn yields_to(&mut self, hash: KeyHash, write: &Write<'_>) -> bool {
        write.may_yield()
            && match write.condition {
                Condition::Load(id) => self.works.is_current(hash, id),
                _ => true,
            }
    }

    /// Claims bytes for an entry that isn't built yet, evicting as `put` would. Whether they are claimed, and out of the
    /// account; and whether anything was done for it. The present entry of `spared_key` stays, unless it `may_yield` and there is no
    /// room for both, however many others leave.
    pub(crate) fn claim(
        &mut self,
        env: &Env<'_>,
        amount: u64,
        spared_key: Option<(KeyHash, &Probe<'_>)>,
        may_yield: bool,
        claimer: PoolId,
    ) -> (bool, bool) {
        self.follow_bounds(env);
        let now = if self.wheel.len() > 0 {
            env.ground.time.coarse_now()
        } else {
            Nanos::ZERO
        };
        for n_evicted in 0..=EVICT_PER_HOLD {
            if self.bytes.fund(&env.ground.bytes, amount, 0) {
                return (self.bytes.take_spare(amount) == amount, true);
            }
            // Looked for each time, since expiry may merge segments, and so move the entry.
            let writer = self.table.writer(&env.front.table);
            let spared = spared_key.and_then(|(hash, probe)| writer.find(hash, probe));
            let is_beside = |loc: &Loc| {
                let present = writer.block(*loc).map_or(0, cost);
                amount.saturating_add(present) <= env.ground.bytes.largest()
            };
            if let Some((loc, (hash, _))) = spared.zip(spared_key)
                && may_yield
                && !is_beside(&loc)
            {
                if self.is_alive_or_leaves(env, loc, hash) {
                    self.evict_at(env, loc);
                }
                return (false, true);
            }
            if n_evicted == EVICT_PER_HOLD
                || !self.bytes.can_exchange()
                || self.give_way(env, claimer, amount, spared, now) != Room::Made
            {
                let merged = self.shrink_sparse(env);
                return (false, n_evicted > 0 || merged);
            }
        }
        (false, true)
    }

    /// What entries are charged for the policy's memory.
    pub(super) fn covered_bytes(&self) -> u64 {
        POLICY_FIXED + ENTRY_SHARE * self.table.len() as u64
    }

    /// Whether fewer entries than it is made for pay for the policy's memory: then each that leaves adds to the structure's bytes.
    #[inline(always)]
    pub(super) fn has_idle_policy(&self) -> bool {
        self.policy_bytes > self.covered_bytes()
    }

    /// Bytes of the structure that entries' charges don't cover: the table, the wheel, and the policy beyond its share.
    pub(super) fn structure_bytes(&self) -> u64 {
        let wheel = (self.wheel.memory_bytes() - self.wheel_fixed) as u64;
        let members = self.members.memory_bytes() as u64;
        self.table.bytes()
            + wheel
            + members
            + self.policy_bytes.saturating_sub(self.covered_bytes())
    }

    /// What the structure takes beyond what is claimed for it: what a stripe is born with, for instance, or the policy's memory that those
    /// who left have paid for until now. Who funds it has it claimed.
    #[inline(always)]
    pub(super) fn unclaimed_bytes(&mut self) -> u64 {
        if !self.has_grown && !self.has_idle_policy() {
            return 0;
        }
        self.has_grown = true;
        self.structure_bytes()
            .saturating_sub(self.bytes.structure())
    }

    /// Has what the structure takes beyond what is claimed for it claimed out of the spare bytes, as far as those go: where entries leave
    /// that nobody takes the place of here, no write comes that would fund it.
    pub(super) fn cover_structure(&mut self, env: &Env<'_>) {
        let claimed = self.bytes.structure();
        let spare = self
            .bytes
            .take_spare(self.structure_bytes().saturating_sub(claimed));
        self.bytes.add_spare(spare);
        self.bytes.set_structure(claimed + spare, &env.ground.bytes);
    }

    pub(crate) fn claim_structure(&mut self, env: &Env<'_>) {
        self.has_grown = false;
        let structure = self.structure_bytes();
        if structure != self.bytes.structure() {
            self.bytes.set_structure(structure, &env.ground.bytes);
            self.bytes
                .trim(&env.ground.bytes, 2 * env.ground.chunk_bytes);
        }
    }

    /// Claims all that a newcomer takes, in the place of a present entry or beside all others; the bytes by which the table will grow.
    #[inline(always)]
    pub(super) fn fund(
        &mut self,
        env: &Env<'_>,
        newcomer: Newcomer<'_>,
        present: Option<Loc>,
    ) -> Result<u64, Lack> {
        let Newcomer {
            hash,
            draft,
            cost: entry,
            has_place,
            write,
            ..
        } = newcomer;
        let is_new = present.is_none();
        if is_new && self.spare_entries == 0 && !self.claim_entries(env) {
            return Err(self.lack());
        }
        let growth_bytes = if is_new && !has_place {
            self.table.writer(&env.front.table).growth_bytes(hash)
        } else {
            0
        };
        let mut needed = entry + growth_bytes;
        let place = PlaceWord::from_bits(draft.place());
        if is_new && place != PlaceWord::ROOT {
            needed += self.members.growth_bytes(place) as u64;
        }
        if write.lifetime.is_timed() {
            needed += self.wheel.growth_bytes() as u64;
        }
        needed += self.unclaimed_bytes();
        self.has_grown |= needed > entry;
        if !self
            .bytes
            .fund(&env.ground.bytes, needed, env.ground.chunk_bytes)
        {
            return Err(self.lack());
        }
        if pool_of(draft) != PoolId::ROOT {
            self.fund_pool(env, draft, present, newcomer.now)
                .map_err(|(full, room)| Lack::Pool(full, room))?;
        }
        Ok(growth_bytes)
    }

    /// Takes out what most likely has to leave for a newcomer, while the line of its key's bucket is on its way; not the key's own entry.
    /// Whether anything left.
    #[inline(always)]
    pub(super) fn make_room_ahead(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        cost: u64,
        now: Nanos,
    ) -> bool {
        let may_evict = self.len() >= AHEAD_MIN && !env.ground.shares.is_active();
        let is_other = |block: BlockRef<'_>| block.short_hash() != hash.short();
        !self.has_room(env, cost)
            && may_evict
            && !self.waits_for_garbage()
            && self.evict(env, None, now, is_other)
    }

    /// Whether an entry of that cost fits, by what is spare or can be claimed.
    #[inline(always)]
    pub(super) fn has_room(&mut self, env: &Env<'_>, cost: u64) -> bool {
        let Ground {
            bytes, chunk_bytes, ..
        } = env.ground;
        let has_entry = self.spare_entries > 0 || self.claim_entries(env);
        has_entry && self.bytes.fund(bytes, cost, *chunk_bytes)
    }

    fn claim_entries(&mut self, env: &Env<'_>) -> bool {
        let claimed = env
            .ground
            .entries
            .claim_between(1, env.ground.chunk_entries);
        self.spare_entries = claimed.unwrap_or(0);
        claimed.is_some()
    }

    fn lack(&self) -> Lack {
        if self.waits_for_garbage() {
            Lack::Wait
        } else {
            Lack::Evict
        }
    }

    /// Takes out what is needed for a newcomer, so far as one hold of the lock may; as `fund`.
    #[inline(never)]
    pub(super) fn make_way(
        &mut self,
        env: &Env<'_>,
        newcomer: Newcomer<'_>,
        present: &mut Option<Loc>,
        mut lack: Lack,
    ) -> Result<u64, NoWay> {
        let draft = newcomer.draft;
        let mut n_evicted = 0;
        loop {
            let (full, room) = match lack {
                Lack::Pool(full, room) => (Some(full), room),
                Lack::Evict if n_evicted < EVICT_PER_HOLD => {
                    let (pool, needed) = (pool_of(draft), cost(draft));
                    let room = self.give_way(env, pool, needed, *present, newcomer.now);
                    (None, room)
                }
                Lack::Evict | Lack::Wait => (None, Room::None),
            };
            if room != Room::Made || n_evicted == EVICT_PER_HOLD {
                if room == Room::Made && present.is_some() {
                    let writer = self.table.writer(&env.front.table);
                    *present = writer.find(newcomer.hash, &draft.probe());
                }
                if let Some(loc) = *present {
                    self.unclaim(env, loc);
                }
                return Err(NoWay::Short {
                    has_evicted: n_evicted > 0 || room == Room::Made,
                    giver: match room {
                        Room::Elsewhere(pool) => Some(pool),
                        Room::Made | Room::None => None,
                    },
                    full,
                });
            }
            n_evicted += 1;
            if present.is_some() {
                // Expiry may have merged segments, and so moved the entry.
                let writer = self.table.writer(&env.front.table);
                *present = writer.find(newcomer.hash, &draft.probe());
                if present.is_none() && !newcomer.write.is_last {
                    // The life of its scope has ended since, and it was swept.
                    self.trim_all(env);
                    return Err(NoWay::Ended);
                }
            }
            match self.fund(env, newcomer, *present) {
                Ok(growth_bytes) => return Ok(growth_bytes),
                Err(more) => lack = more,
            }
        }
    }

    /// Has the policy choose from here on, if something has to leave: where it doesn't yet, plain writes don't look at the bounds as long as
    /// they have room, and those of what was removed always would.
    pub(crate) fn expect_evictions(&mut self, env: &Env<'_>) {
        if env.ground.is_above() && self.len() > 0 && self.policy.capacity() == 0 {
            self.fit_policy(env);
            self.claim_structure(env);
        }
    }

    /// Follows a changed bound, as far as the spare bytes go.
    #[inline(always)]
    pub(crate) fn follow_bounds(&mut self, env: &Env<'_>) {
        let allowance = env.ground.bytes.allowance();
        if !self.bytes.has_allowance(allowance) {
            self.bytes.set_allowance(allowance, &env.ground.bytes);
        }
    }
}
