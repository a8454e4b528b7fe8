//! Maintenance: what would otherwise wait for a write.

use super::{Cell, Store};
use crate::shares::PoolId;
use crate::sync::give_way;

/// Steps of maintenance in one hold of a lock.
const STEPS_PER_HOLD: usize = 16;
/// Stripes that maintenance goes round.
const CELLS_IN_TURN: usize = 8;

/// What a call of `maintain` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Maintained {
    /// Steps that were done: wheel records fired or moved, pieces of its memory freed, and evictions after a bound was lowered.
    pub steps: usize,
    /// Whether work was left for another call.
    pub more: bool,
}

impl Store {
    /// Takes due entries out, follows a lowered bound, frees and tells what waits: at most about `budget` steps.
    pub(crate) fn maintain(&self, budget: usize) -> Maintained {
        let mut done = Maintained::default();
        let mut has_spare_timers = false;
        self.in_turn(budget, &mut done, |cell, budget| {
            let (steps, more, is_spare) = self.maintain_once(cell, budget);
            has_spare_timers |= is_spare;
            (steps, more)
        });
        // Only where nothing is due in any stripe: it would be moved, and leave all the same.
        if has_spare_timers && !done.more {
            self.in_turn(budget, &mut done, |cell, budget| {
                self.shrink_once(cell, budget)
            });
        }
        if self.common.is_some() && self.contain(|| self.balance()) == Some(true) {
            done.steps += 1;
            done.more = true;
        }
        done
    }

    /// Goes round the stripes, a few at a time and a hold each, so that who waits for a stripe gets it while the others are seen to.
    fn in_turn(
        &self,
        budget: usize,
        done: &mut Maintained,
        mut hold: impl FnMut(&Cell, usize) -> (usize, bool),
    ) {
        for cells in self.cells.chunks(CELLS_IN_TURN) {
            let mut open = (1u32 << cells.len()) - 1;
            while open != 0 {
                for (at, cell) in cells.iter().enumerate() {
                    if open & 1 << at == 0 {
                        continue;
                    }
                    let left = budget.saturating_sub(done.steps);
                    let (steps, more) = hold(cell, left.min(STEPS_PER_HOLD));
                    done.steps += steps;
                    if left == 0 || steps == 0 || !more {
                        done.more |= more;
                        open &= !(1 << at);
                        self.flush(cell, false);
                    }
                }
            }
        }
    }

    /// One hold of a stripe's lock. The steps it did, whether more are due, and whether the wheel has memory to give back.
    fn maintain_once(&self, cell: &Cell, budget: usize) -> (usize, bool, bool) {
        let env = self.env(cell);
        let mut stripe = cell.back.lock();
        let now = self.ground.time.now();
        let expired = stripe.expire(&env, now, budget);
        let mut steps = expired.steps;
        let swept = stripe.sweep(&env, budget.saturating_sub(steps));
        steps += swept.steps + swept.looks;
        stripe.follow_bounds(&env);
        stripe.trim_all(&env);
        // What is above the bound, but guaranteed to tenants, stays: no further call would bring it down.
        let mut may_evict = stripe.len() > 0;
        let victims = budget.saturating_sub(steps).div_ceil(2);
        if self.ground.is_above() && victims > 0 {
            let before = stripe.len();
            stripe.make_room(&env, victims, PoolId::ROOT, None, now);
            let evicted = before - stripe.len();
            may_evict = stripe.len() > 0 && (evicted > 0 || stripe.waits_for_garbage());
            steps += evicted;
            stripe.trim_all(&env);
        }
        stripe.shrink_members(&env, STEPS_PER_HOLD);
        stripe.shrink_policy();
        stripe.claim_structure(&env);
        let more = !expired.done || !swept.done || self.ground.is_above() && may_evict;
        let has_spare_timers = stripe.has_spare_timers();
        // The lock is unfair: where it's taken again at once, who waits for it may do so for many holds.
        give_way(&mut stripe);
        self.finish(cell, stripe);
        (steps, more, has_spare_timers)
    }

    /// The same for the wheel's memory alone.
    fn shrink_once(&self, cell: &Cell, budget: usize) -> (usize, bool) {
        let env = self.env(cell);
        let mut stripe = cell.back.lock();
        let steps = stripe.shrink_wheel(&env, budget);
        stripe.claim_structure(&env);
        let more = stripe.has_spare_timers();
        give_way(&mut stripe);
        self.finish(cell, stripe);
        (steps, more)
    }
}
