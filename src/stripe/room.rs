//! The stripe's account: what is claimed before it is used.

use super::{Claims, ENTRY_SHARE, EVICT_PER_HOLD, Env, Lifetime, POLICY_FIXED, Room, Stripe, cost};
use crate::clock::Nanos;
use crate::entry::{Draft, Probe};
use crate::hash::KeyHash;
use crate::lineage::PlaceWord;
use crate::shares::PoolId;

/// What `fund` found.
pub(super) enum Funding {
    /// The room is claimed, also for the bytes by which the table will grow.
    Done {
        growth_bytes: u64,
    },
    Evict,
    Wait,
}

impl Stripe {
    /// Takes over claims that were made elsewhere for an insert into this stripe.
    pub(crate) fn receive(&mut self, claims: Claims) {
        self.bytes.add_spare(claims.bytes);
        self.spare_entries += claims.entries;
    }

    /// Gives claims up for an insert into another stripe, at most so many.
    pub(crate) fn give(&mut self, bytes_max: u64, entries_max: u64) -> Claims {
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

    /// Claims bytes for an entry that isn't built yet, evicting as `put` would. Whether they are claimed, and out of the
    /// account; and whether anything was done for it. The present entry of `spared_key` stays.
    pub(crate) fn claim(
        &mut self,
        env: &Env<'_>,
        amount: u64,
        spared_key: Option<(KeyHash, &Probe<'_>)>,
        claimer: PoolId,
    ) -> (bool, bool) {
        self.follow_bounds(env);
        let now = if self.wheel.len() > 0 {
            env.time.coarse_now()
        } else {
            Nanos::ZERO
        };
        for n_evicted in 0..=EVICT_PER_HOLD {
            if self.bytes.fund(env.bytes, amount, 0) {
                return (self.bytes.take_spare(amount) == amount, true);
            }
            // Looked for each time, since expiry may merge segments, and so move the entry.
            let spared = spared_key
                .and_then(|(hash, probe)| self.table.writer(env.shared).find(hash, probe));
            if n_evicted == EVICT_PER_HOLD
                || !self.bytes.can_exchange()
                || self.give_way(env, claimer, amount, spared, now) != Room::Made
            {
                return (false, n_evicted > 0);
            }
        }
        (false, true)
    }

    /// Bytes of the structure that entries' charges don't cover: the table, the wheel, and the policy beyond its share.
    pub(super) fn structure_bytes(&self) -> u64 {
        let covered = POLICY_FIXED + ENTRY_SHARE * self.table.len() as u64;
        let wheel = (self.wheel.memory_bytes() - self.wheel_fixed) as u64;
        let members = self.members.memory_bytes() as u64;
        self.table.bytes() + wheel + members + self.policy_bytes.saturating_sub(covered)
    }

    pub(crate) fn claim_structure(&mut self, env: &Env<'_>) {
        self.has_grown = false;
        let structure = self.structure_bytes();
        if structure != self.bytes.structure() {
            self.bytes.set_structure(structure, env.bytes);
            self.bytes.trim(env.bytes, 2 * env.chunk_bytes);
        }
    }

    /// Whether the room for a draft is claimed, and what to do if not.
    pub(super) fn fund(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        draft: &Draft,
        is_new: bool,
        lifetime: Lifetime,
    ) -> Funding {
        let otherwise = if self.waits_for_garbage() {
            Funding::Wait
        } else {
            Funding::Evict
        };
        if is_new && self.spare_entries == 0 {
            let chunk = env.chunk_entries;
            match [chunk, 1].into_iter().find(|&n| env.entries.try_claim(n)) {
                Some(claimed) => self.spare_entries = claimed,
                None => return otherwise,
            }
        }
        let growth_bytes = if is_new {
            self.table.writer(env.shared).growth_bytes(hash)
        } else {
            0
        };
        let entry = cost(draft.as_ref());
        let mut needed = entry + growth_bytes;
        let place = PlaceWord::from_bits(draft.as_ref().place());
        if is_new && place != PlaceWord::ROOT {
            needed += self.members.growth_bytes(place) as u64;
        }
        if lifetime.is_timed() {
            needed += self.wheel.growth_bytes() as u64;
        }
        self.has_grown |= needed > entry;
        if self.bytes.fund(env.bytes, needed, env.chunk_bytes) {
            Funding::Done { growth_bytes }
        } else {
            otherwise
        }
    }

    /// Follows a changed bound, as far as the spare bytes go.
    pub(crate) fn follow_bounds(&mut self, env: &Env<'_>) {
        let allowance = env.bytes.allowance();
        if !self.bytes.has_allowance(allowance) {
            self.bytes.set_allowance(allowance, env.bytes);
        }
    }
}
