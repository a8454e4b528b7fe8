//! A run: batch after batch is played and judged.
//!
//! # Idea         while the threads play one batch, the batch before it is judged. A batch has one cache, and one number of threads, both
//!   drawn from the seeds it has; so a seed says all that can be said of a history before it is played
//! # Not here     what is printed: `main`, `show`

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use larder::{Clock, Nanos, SystemClock};

use crate::content::Value;
use crate::crew::{Batch, Crew, Playing, Stuck};
use crate::draw::Draw;
use crate::family::Family;
use crate::history::History;
use crate::pace::Line;
use crate::plan::Plan;
use crate::plants::Plant;
use crate::search::{Violation, judge};
use crate::subject::{Real, Subject};
use crate::tally::Tally;

/// What is to be run.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) n_histories: u64,
    /// No batch begins after that.
    pub(crate) time: Option<Duration>,
    /// The seed of the first history; the others follow.
    pub(crate) seed: u64,
    /// Each history has the first one's seed.
    pub(crate) repeats: bool,
    pub(crate) family: Option<Family>,
    pub(crate) plant: Option<Plant>,
}

/// A violation as it was found.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) seed: u64,
    pub(crate) family: Family,
    pub(crate) history: History,
    pub(crate) violation: Violation,
}

/// Runs an order; each violation is told at once, and may be the last.
///
/// # Errors
/// Threads that don't come back, and the first seed of what they were at.
pub(crate) fn run(
    order: &Order,
    mut tell: impl FnMut(&Finding, &Tally) -> ControlFlow<()>,
) -> Result<Tally, (Stuck, u64)> {
    let crew = Crew::new(THREADS_MAX);
    let mut tally = Tally::default();
    let clock = SystemClock::new();
    let mut next = 0;
    let mut playing: Option<Playing> = None;
    loop {
        let before = playing.take();
        let is_time = order
            .time
            .is_none_or(|time| clock.now().saturating_since(Nanos::ZERO) < time);
        if next < order.n_histories && is_time {
            playing = Some(crew.begin(batch(order, next)));
            next += BATCH;
        }
        let Some(before) = before else {
            if playing.is_none() {
                return Ok(tally);
            }
            continue;
        };
        let plans = &before.batch.plans;
        let histories = before.histories();
        let histories = histories.map_err(|stuck| (stuck, plans[0].seed))?;
        for (plan, history) in plans.iter().zip(histories) {
            let verdict = judge(&history);
            let is_violation = verdict.violation.is_some();
            tally.count(plan.family, &history, verdict.n_steps, is_violation);
            let Some(violation) = verdict.violation else {
                continue;
            };
            let finding = Finding {
                seed: plan.seed,
                family: plan.family,
                history,
                violation,
            };
            if tell(&finding, &tally).is_break() {
                return Ok(tally);
            }
        }
    }
}

fn batch(order: &Order, first: u64) -> Batch {
    let n = BATCH.min(order.n_histories - first);
    let seed_of = |index: u64| {
        let offset = if order.repeats { 0 } else { first + index };
        order.seed.wrapping_add(offset)
    };
    // What the batch's histories have in common is drawn from the number that their seeds have in common.
    let mut draw = Draw::new(!(seed_of(0) / BATCH));
    let n_threads = THREADS_MIN + draw.below((THREADS_MAX - THREADS_MIN) as u64 + 1) as usize;
    let families = families(order.family, &mut draw);
    let plans = (0..n).map(|index| {
        let seed = seed_of(index);
        Plan::draw(seed, n_threads, Draw::new(!seed).of(families))
    });
    let line = Arc::new(Line::default());
    let seed = draw.next();
    // So few that each tick which passes is worth an extension. What adds to a value doesn't tell how often it looked.
    let holds_values = !matches!(families, [Family::Counters | Family::Appends]);
    let may_idle = order.plant.is_none() && holds_values;
    let is_idle = draw.below(4) == 0 && may_idle || families == [Family::Idle];
    let idle = is_idle.then(|| 2 + draw.below(3));
    let real: Arc<dyn Subject> = match families {
        [Family::Counters] => Arc::new(Real::<i64>::new(seed, idle, &line)),
        [Family::Appends] => Arc::new(Real::<[u8]>::new(seed, idle, &line)),
        _ => Arc::new(Real::<Value>::new(seed, idle, &line)),
    };
    let subject = match order.plant {
        Some(plant) => plant.before(real, &line),
        None => real,
    };
    Batch::new(n_threads, idle, line, subject, plans.collect())
}

/// What a batch's plans are drawn from: they share a cache, which has counters, bytes to append to, or other values.
fn families(only: Option<Family>, draw: &mut Draw) -> &'static [Family] {
    let drawn = match draw.below(Family::EACH.len() as u64) {
        0 => &[Family::Counters],
        1 => &[Family::Appends],
        _ => &Family::OF_VALUES[..],
    };
    let is_it = |family: &Family| Some(*family) == only;
    let each = Family::EACH.iter().position(is_it);
    each.map_or(drawn, |index| &Family::EACH[index..=index])
}

const THREADS_MIN: usize = 2;
const THREADS_MAX: usize = 4;

/// Histories for one cache.
pub(crate) const BATCH: u64 = 64;
