//! Deadlines: when an entry counts as gone, and when its memory comes back.

use std::time::Duration;

use super::{Env, Stripe};
use crate::clock::Nanos;
use crate::entry::{BlockRef, Deadline, RefreshAt, Times};
use crate::hash::KeyHash;
use crate::stats::RemovalCause;
use crate::table::Loc;
use crate::wheel::Token;

/// How long an entry may live, in nanoseconds; [`FOREVER`] where there is no end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    /// From its write.
    ttl: u64,
    /// From its last use.
    tti: u64,
    /// From its write until it is to be loaded anew, and until it is stale.
    refresh: (u64, u64),
    /// Whether it ends, and is stale and loaded anew, when the entry that it replaces would have.
    keeps: bool,
    /// What follows from these: whether it may end, and whether it may end or be stale.
    is_timed: bool,
    has_times: bool,
}

const FOREVER: u64 = u64::MAX;

/// The same of an entry that nothing but its time to live ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stay(u64);

impl Stay {
    /// Until it is taken out.
    pub(crate) const FOREVER: Self = Stay(FOREVER);

    /// So long from its write.
    #[inline]
    pub(crate) fn of(ttl: Duration) -> Self {
        Stay(Nanos::from_duration(ttl).0)
    }

    /// Whether it ends.
    #[inline(always)]
    pub(crate) fn ends(self) -> bool {
        self.0 != FOREVER
    }

    /// When it does, of an entry that is written now.
    #[inline(always)]
    pub(super) fn deadline(self, now: Nanos) -> Nanos {
        Nanos(now.0.saturating_add(self.0))
    }
}

impl From<Stay> for Lifetime {
    fn from(Stay(ttl): Stay) -> Self {
        let lifetime = Lifetime {
            ttl,
            ..Lifetime::default()
        };
        lifetime.told()
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Lifetime {
            ttl: FOREVER,
            tti: FOREVER,
            refresh: (FOREVER, FOREVER),
            keeps: false,
            is_timed: false,
            has_times: false,
        }
    }
}

fn span(span: Option<Duration>) -> u64 {
    span.map_or(FOREVER, |span| Nanos::from_duration(span).0)
}

impl Lifetime {
    pub(crate) fn new(ttl: Option<Duration>, tti: Option<Duration>) -> Self {
        let lifetime = Lifetime {
            ttl: span(ttl),
            tti: span(tti),
            ..Self::default()
        };
        lifetime.told()
    }

    /// The same, with what follows from its spans.
    #[inline]
    fn told(self) -> Self {
        let is_timed = (self.ttl & self.tti) != FOREVER || self.keeps;
        Lifetime {
            is_timed,
            has_times: is_timed || self.is_refreshed(),
            ..self
        }
    }

    /// The same with another time to live.
    #[inline]
    pub(crate) fn lasting(self, ttl: Option<Duration>) -> Self {
        let lifetime = Lifetime {
            ttl: span(ttl),
            ..self
        };
        lifetime.told()
    }

    /// The same, to be loaded anew, and stale, after so long.
    pub(crate) fn refreshed(self, due: Duration, stale: Duration) -> Self {
        let lifetime = Lifetime {
            refresh: (span(Some(due)), span(Some(stale))),
            ..self
        };
        lifetime.told()
    }

    /// The same, but for the times of the entry that is replaced.
    pub(crate) fn keeping(self) -> Self {
        let lifetime = Lifetime {
            keeps: true,
            ..self
        };
        lifetime.told()
    }

    /// The time to live of what asks for none, where that alone is to end it.
    pub(crate) fn stay(&self) -> Stay {
        Stay(self.ttl)
    }

    /// The same as a span.
    pub(crate) fn ttl(&self) -> Option<Duration> {
        (self.ttl != FOREVER).then(|| Duration::from_nanos(self.ttl))
    }

    /// The time to idle.
    pub(crate) fn tti(&self) -> Option<Duration> {
        (self.tti != FOREVER).then(|| Duration::from_nanos(self.tti))
    }

    /// From its write until it is stale.
    pub(crate) fn stale(&self) -> Option<Duration> {
        self.is_refreshed()
            .then(|| Duration::from_nanos(self.refresh.1))
    }

    /// Whether the times of the entry that is replaced are kept.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    pub(crate) fn is_refreshed(&self) -> bool {
        self.refresh.1 != FOREVER
    }

    pub(crate) fn is_timed(&self) -> bool {
        self.is_timed
    }

    /// Whether what is written so may end, or be stale.
    #[inline]
    pub(crate) fn has_times(&self) -> bool {
        self.has_times
    }

    /// The times of an entry that is written now, in the place of that one.
    pub(super) fn times(&self, now: Nanos, replaced: Option<BlockRef<'_>>) -> Times {
        let after = |span: u64| Nanos(now.0.saturating_add(span));
        let kept = replaced.filter(|_| self.keeps);
        let own = || RefreshAt {
            due: after(self.refresh.0),
            stale: after(self.refresh.1),
        };
        Times {
            hard: kept.map_or_else(|| after(self.ttl), |block| block.deadline().get()),
            idle: after(self.tti),
            refresh: kept.map_or_else(own, |block| {
                let refresh = block.refresh();
                refresh.map_or(RefreshAt::NEVER, |refresh| refresh.times(now))
            }),
        }
    }
}

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

    /// The time for a write: exact where a deadline is computed, else the cheap lower bound, and none at all where
    /// nothing ever expires.
    #[inline(always)]
    pub(crate) fn now(&self, env: &Env<'_>, is_timed: bool) -> Nanos {
        if is_timed {
            env.ground.time.now()
        } else if self.has_deadlines() {
            env.ground.time.coarse_now()
        } else {
            Nanos::ZERO
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
        let is_over = !is_alive(block, now);
        if is_over {
            self.leave(env, loc, hash, RemovalCause::Expired);
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
