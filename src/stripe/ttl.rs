//! Another time to live for an entry that is there.

use std::time::Duration;

use super::pools::Room;
use super::{Env, Stripe};
use crate::clock::Nanos;
use crate::entry::{Deadline, Probe};
use crate::hash::KeyHash;
use crate::lineage::PlaceWord;
use crate::shares::PoolId;
use crate::table::Loc;
use crate::wheel::Token;

/// What a change of a time to live is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewTtl {
    /// Another one, whatever it was; `None`: it never ends.
    To(Option<Duration>),
    /// Only if the entry lives longer by it.
    Longer(Duration),
    /// Only if it lives shorter by it.
    Shorter(Duration),
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TtlChange {
    /// The entry has the new time to live.
    Set,
    /// It keeps the one that it had.
    NotSet,
    /// There is no entry.
    Absent,
}

impl Stripe {
    /// Gives a present entry another time to live from now on. `None` if the wheel has to grow for it and there is no room,
    /// and growing is not `forced`.
    pub(crate) fn set_ttl(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        probe: &Probe<'_>,
        ttl: NewTtl,
        forced: bool,
    ) -> Option<TtlChange> {
        let find = |stripe: &mut Stripe| stripe.find_value(env, hash, probe);
        let mut loc = find(self);
        let growth_bytes = if ttl != NewTtl::To(None) {
            self.wheel.growth_bytes() as u64
        } else {
            0
        };
        while loc.is_some() && !self.bytes.fund(&env.ground.bytes, growth_bytes, 0) {
            let claimer = PoolId::from_bits(PlaceWord::from_bits(probe.place()).pool());
            let now = env.ground.time.coarse_now();
            let made = self.bytes.can_exchange()
                && self.give_way(env, claimer, growth_bytes, loc, now) == Room::Made;
            // At last, the bound is above guarantees.
            let is_at_last = forced && !made;
            if !(made || is_at_last && self.evict(env, loc, now, |_| true)) {
                if forced {
                    break;
                }
                return None;
            }
            // Expiry may have merged segments, and so moved the entry.
            loc = find(self);
        }
        Some(loc.map_or(TtlChange::Absent, |loc| {
            self.move_deadline(env, loc, hash, ttl)
        }))
    }

    fn move_deadline(&mut self, env: &Env<'_>, loc: Loc, hash: KeyHash, ttl: NewTtl) -> TtlChange {
        // The time is read anew after a lost race, which only the end of the entry can have won.
        loop {
            if !self.is_alive_or_leaves(env, loc, hash) {
                return TtlChange::Absent;
            }
            let writer = self.table.writer(&env.front.table);
            let Some(block) = writer.block(loc) else {
                return TtlChange::Absent;
            };
            let probe = |deadline| env.ground.time.probe(deadline);
            let Ok(Some(checked)) = block.deadline().check(probe) else {
                continue;
            };
            let after = |ttl| Deadline::counted(env.ground.time.now().saturating_add(ttl));
            let deadline = match ttl {
                NewTtl::To(ttl) => ttl.map_or(Nanos::MAX, after),
                NewTtl::Longer(ttl) | NewTtl::Shorter(ttl) => after(ttl),
            };
            let stays = match ttl {
                NewTtl::To(_) => false,
                NewTtl::Longer(_) => deadline <= checked.deadline,
                NewTtl::Shorter(_) => deadline >= checked.deadline,
            };
            if stays {
                return TtlChange::NotSet;
            }
            if block.deadline().try_move(checked, deadline) {
                break;
            }
        }
        let writer = self.table.writer(&env.front.table);
        let Some(block) = writer.block(loc) else {
            return TtlChange::Absent;
        };
        if let Some(token) = Token::from_bits(block.token()) {
            self.wheel.cancel(token);
            block.set_token(0);
        }
        self.schedule(env, loc, hash);
        self.claim_structure(env);
        TtlChange::Set
    }
}
