//! Deadlines: when an entry counts as gone, and when its memory comes back.

use super::scopes::membership;
use super::{Env, Reading, Stripe};
use crate::clock::Nanos;
use crate::entry::{BlockRef, Deadline};
use crate::hash::KeyHash;
use crate::stats::RemovalCause;
use crate::table::Loc;
use crate::wheel::{Token, Turns};

/// What `expire` did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expired {
    /// Records that were fired or moved.
    pub(crate) steps: usize,
    /// Whether nothing is due any more.
    pub(crate) done: bool,
}

impl Stripe {
    /// Whether any entry has a deadline.
    #[inline(always)]
    pub(crate) fn has_deadlines(&self) -> bool {
        self.wheel.len() > 0
    }

    /// The time for a write, as exact as it asks; the lower bound also where others may be due, and none at all where nothing ever
    /// expires.
    #[inline(always)]
    pub(crate) fn now(&self, env: &Env<'_>, reading: Reading) -> Nanos {
        match reading {
            Reading::Precise => env.ground.time.now(),
            Reading::Spared if !self.has_deadlines() => Nanos::ZERO,
            Reading::Coarse | Reading::Spared => env.ground.time.coarse_now(),
        }
    }

    /// Takes out entries that are due, at most `budget` steps of the wheel.
    #[inline]
    pub(crate) fn expire(&mut self, env: &Env<'_>, now: Nanos, budget: usize) -> Expired {
        if self.wheel.len() == 0 || self.wheel.rests(now) {
            return Expired {
                steps: 0,
                done: true,
            };
        }
        self.expire_due(env, now, budget)
    }

    fn expire_due(&mut self, env: &Env<'_>, now: Nanos, budget: usize) -> Expired {
        let mut due = std::mem::take(&mut self.due);
        let writer = self.table.writer(&env.front.table);
        let advanced = self.wheel.advance_with(
            now,
            budget,
            |payload, turns| {
                let hash = KeyHash::from_bits(payload);
                match turns {
                    Turns::Two => env.front.table.prefetch_bucket(hash),
                    Turns::One => writer.prefetch_like(hash),
                }
            },
            |payload, token| {
                let loc = writer.find_token(KeyHash::from_bits(payload), token.bits());
                debug_assert!(
                    loc.is_some(),
                    "K1: a wheel record belongs to a linked entry"
                );
                let block = loc.and_then(|loc| writer.block(loc));
                (block.map_or(Nanos::ZERO, BlockRef::earliest), loc)
            },
            |payload, loc| {
                if let Some(loc) = loc {
                    due.push((KeyHash::from_bits(payload), loc));
                }
            },
        );
        let mut emptier = None;
        // No entry moves until the segments are looked after, so each is where it was found. One that is filed again may get the token
        // that another of them still carries: nobody looks for that by it any more.
        for (hash, loc) in due.drain(..) {
            if self.expire_one(env, hash, loc, now) {
                emptier = Some(hash);
            }
        }
        if let Some(hash) = emptier {
            self.shrink(env, hash);
        }
        self.due = due;
        Expired {
            steps: advanced.fired + advanced.moved,
            done: advanced.done,
        }
    }

    /// Takes an entry out that the wheel has given up; whether it did. One that a reader has extended meanwhile is filed again.
    pub(super) fn expire_one(
        &mut self,
        env: &Env<'_>,
        hash: KeyHash,
        loc: Loc,
        now: Nanos,
    ) -> bool {
        let writer = self.table.writer(&env.front.table);
        let Some(block) = writer.block(loc) else {
            return false;
        };
        block.set_token(0);
        let (due, scope) = (block.earliest(), membership(block).map(|(_, scope)| scope));
        let is_over = !is_alive(block, now);
        if is_over {
            let cause = self.cause_when_due(env, scope, due);
            self.leave(env, loc, hash, cause);
        } else {
            self.schedule(env, loc, hash);
        }
        is_over
    }

    /// Whether an entry is alive; if not, it leaves at once.
    pub(super) fn is_alive_or_leaves(&mut self, env: &Env<'_>, loc: Loc, hash: KeyHash) -> bool {
        let writer = self.table.writer(&env.front.table);
        let Some(block) = writer.block(loc) else {
            return false;
        };
        if block.token() == 0 {
            return true;
        }
        if is_alive(block, env.ground.time.now()) {
            return true;
        }
        self.leave(env, loc, hash, RemovalCause::Expired);
        false
    }

    /// Claims an entry that a write is about to take away as a live one, so that no reader finds it ended in the meantime; if it is
    /// over, it leaves at once. The time at which it was alive; of what nothing ends, any.
    pub(super) fn claim_or_leaves(
        &mut self,
        env: &Env<'_>,
        loc: Loc,
        hash: KeyHash,
    ) -> Option<Nanos> {
        let writer = self.table.writer(&env.front.table);
        let block = writer.block(loc)?;
        if block.token() == 0 {
            return Some(Nanos::ZERO);
        }
        let now = env.ground.time.now();
        let probe = |deadline: Nanos| (deadline != Nanos::MAX && deadline <= now, now);
        if block.deadline().claim(probe) && (!block.has_idle() || block.idle().claim(probe)) {
            return Some(now);
        }
        self.leave(env, loc, hash, RemovalCause::Expired);
        None
    }

    /// Gives a claim up, for an entry that stays after all.
    pub(super) fn unclaim(&mut self, env: &Env<'_>, loc: Loc) {
        if let Some(block) = self.table.writer(&env.front.table).block(loc) {
            block.deadline().unclaim();
            if block.has_idle() {
                block.idle().unclaim();
            }
        }
    }

    /// Files an entry's deadline in the wheel.
    pub(super) fn schedule(&mut self, env: &Env<'_>, loc: Loc, hash: KeyHash) {
        let writer = self.table.writer(&env.front.table);
        let Some(block) = writer.block(loc) else {
            return;
        };
        let deadline = block.earliest();
        if deadline != Nanos::MAX {
            let token = self.wheel.schedule(deadline, hash.bits());
            block.set_token(token.bits());
        }
    }

    /// Takes an entry's deadline out of the wheel.
    pub(super) fn unschedule(&mut self, block: BlockRef<'_>) {
        if let Some(token) = Token::from_bits(block.token()) {
            self.wheel.cancel(token);
            block.set_token(0);
        }
    }

    /// Whether the wheel has much memory to give back.
    pub(crate) fn has_spare_timers(&self) -> bool {
        self.wheel.is_sparse()
    }

    /// Lets the wheel give back chunks that are nearly empty. How many records were moved, and chunks freed.
    pub(crate) fn shrink_wheel(&mut self, env: &Env<'_>, budget: usize) -> usize {
        let writer = self.table.writer(&env.front.table);
        self.wheel.shrink(budget, |payload, old, new| {
            let hash = KeyHash::from_bits(payload);
            if let Some(block) = writer
                .find_token(hash, old.bits())
                .and_then(|loc| writer.block(loc))
            {
                block.set_token(new.bits());
            }
        })
    }
}

/// Whether a linked entry is alive at `now`; if not, it is over for readers too. What the running write has claimed is alive: it was
/// when that began.
fn is_alive(block: BlockRef<'_>, now: Nanos) -> bool {
    let probe = |deadline: Nanos| (deadline != Nanos::MAX && deadline <= now, now);
    let is_over = |deadline: &Deadline| deadline.check(probe) == Ok(None);
    !(is_over(block.deadline()) || block.has_idle() && is_over(block.idle()))
}
