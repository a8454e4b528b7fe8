//! The rows of single timers: to schedule one, to cancel one, to have one fire.
//!
//! # Idea         larder's wheel by itself beside DelayQueue: a million timers over ten seconds come in no order of time; they are
//!   cancelled in no order at all, as entries are evicted and removed; or time moves by a millisecond, and what is due is
//!   taken out. A queue has what it is asked for in itself, and the wheel looks its deadlines up, as it does in entries. All in a
//!   process by itself: memory that comes in pieces from a heap which other rows have used is dearer than a timer
//! # Costs        a second a round
//! # Invariants   TI1 both see the same timers in the same order; TI2 all have fired, or were cancelled, in the end
//! # Not here     the longest tick: module `wheel`; what a deadline costs an insert: module `timed`

use std::env;
use std::hint::black_box;
use std::io;
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use larder::{Nanos, Timer, Timers};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tokio_util::time::delay_queue::{DelayQueue, Key};

use super::{Wish, ratio_max, tell};
use crate::judge::{Lane, Row};
use crate::time::{now, thread_ns};

/// tokio-util's queue of timers.
pub(super) const DELAY_QUEUE: &str = "DelayQueue";
const TICK: Duration = Duration::from_millis(1);
const N_TICKS: u32 = 10_000;
/// What the wheel's grain and a tick may put off.
const N_TICKS_LATER: u32 = 10;
/// Timers that a call of larder's may take out.
const BUDGET: usize = 64;

/// The rows, with the nanoseconds of the design's table for larder and for DelayQueue.
const ROWS: [(&str, [f64; 2]); 3] = [
    ("wheel schedule", [5.0, 37.0]),
    ("wheel cancel", [7.0, 375.0]),
    ("wheel fire", [35.0, 445.0]),
];

/// What a round took, in nanoseconds a timer, in the order of the rows.
type Took = [f64; ROWS.len()];

/// What the rounds took of larder, and of DelayQueue.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Rounds {
    larder: Vec<Took>,
    queue: Vec<Took>,
}

pub(super) fn run(wish: &Wish) -> Vec<Row> {
    if !ROWS.iter().any(|(name, _)| wish.wants(name)) {
        return Vec::new();
    }
    let sizes = [wish.scale.n_timers, wish.scale.n_rounds];
    let rounds: Result<Rounds, _> = ask(&["timers"], sizes, None).map_err(|why| why.to_string());
    let lane = |name: &str, of: fn(&Rounds) -> &[Took], idx: usize| match &rounds {
        Ok(rounds) => Lane::of(name, of(rounds).iter().map(|took| took[idx]).collect()),
        Err(why) => Lane::absent(name, why),
    };
    let rows = ROWS.iter().enumerate();
    rows.filter(|(_, (name, _))| wish.wants(name))
        .map(|(idx, (name, [goal, of]))| {
            let row = Row {
                name: (*name).to_owned(),
                section: "wheel",
                unit: "ns",
                lanes: vec![
                    lane("larder", |rounds| &rounds.larder, idx),
                    lane(DELAY_QUEUE, |rounds| &rounds.queue, idx),
                ],
                base: Some(1),
                goal: ratio_max(goal / of),
                note: Some(format!(
                    "{} timers, of one thread; a queue keeps deadlines, which are an entry's own in larder",
                    wish.scale.n_timers
                )),
            };
            tell(&row);
            row
        })
        .collect()
}

/// Has this program do that in another process, whose heap no other row has used, with a variable of its own; what it says is JSON.
pub(super) fn ask<T: DeserializeOwned>(
    what: &[&str],
    sizes: [usize; 2],
    set: Option<(&str, &str)>,
) -> io::Result<T> {
    let output = Command::new(env::current_exe()?)
        .args(what)
        .args(sizes.map(|size| size.to_string()))
        .envs(set)
        .output()?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let text = String::from_utf8_lossy(&output.stderr);
        io::Error::other(text.lines().last().unwrap_or("it said nothing").to_owned())
    })
}

/// Schedules, cancels and fires so many timers, in turn, in so many rounds.
pub fn time_timers(n_timers: usize, n_rounds: usize) -> Rounds {
    let mut rounds = Rounds::default();
    // Kept, so that the first round alone pays for the memory of names.
    let mut names = Names::default();
    for round in 0..=n_rounds {
        let plan = Plan::drawn(n_timers, round as u64);
        // The order turns, and the first round isn't counted.
        let took = if round % 2 == 0 {
            let first = plan.of_larder(&mut names.larder);
            (first, plan.of_queue(&mut names.queue))
        } else {
            let first = plan.of_queue(&mut names.queue);
            (plan.of_larder(&mut names.larder), first)
        };
        if round > 0 {
            rounds.larder.push(took.0);
            rounds.queue.push(took.1);
        }
    }
    rounds
}

/// What names the timers of a round.
#[derive(Default)]
struct Names {
    larder: Vec<Timer>,
    queue: Vec<Key>,
}

/// A round's timers.
struct Plan {
    /// When each is due.
    due: Vec<Duration>,
    /// In which order they are cancelled.
    cancelled: Vec<usize>,
}

impl Plan {
    fn drawn(n_timers: usize, seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let due = (0..n_timers).map(|_| TICK * rng.random_range(1..N_TICKS));
        let due = due.collect();
        let mut cancelled: Vec<usize> = (0..n_timers).collect();
        cancelled.shuffle(&mut rng);
        Self { due, cancelled }
    }

    /// Nanoseconds a timer.
    fn each(&self, ns: u64) -> f64 {
        ns as f64 / self.due.len() as f64
    }

    fn of_larder(&self, names: &mut Vec<Timer>) -> Took {
        let deadlines = self.due.iter().map(|&due| Nanos::from_duration(due));
        let deadlines: Vec<Nanos> = deadlines.collect();
        let mut timers = Timers::new(deadlines.clone());
        names.clear();
        let schedule = timed(|| names.extend((0..deadlines.len()).map(|idx| timers.schedule(idx))));
        let cancel = timed(|| {
            for &idx in &self.cancelled {
                assert_eq!(timers.cancel(names[idx]), idx, "each is its own");
            }
        });
        drop(timers);
        let mut timers = Timers::new(deadlines);
        (0..self.due.len()).for_each(|idx| {
            timers.schedule(idx);
        });
        let mut n_fired = 0;
        let mut fire = 0;
        for tick in 0..N_TICKS + N_TICKS_LATER {
            let time = Nanos::from_duration(TICK * tick);
            let begin = now();
            while !timers.advance(time, BUDGET, |payload| {
                black_box(payload);
                n_fired += 1;
            }) {}
            fire += begin.elapsed().as_nanos() as u64;
        }
        assert_eq!(n_fired, self.due.len(), "every timer has fired");
        [schedule, cancel, fire].map(|ns| self.each(ns))
    }

    fn of_queue(&self, names: &mut Vec<Key>) -> Took {
        paused_runtime().block_on(async {
            let n_timers = self.due.len();
            let mut queue = DelayQueue::with_capacity(n_timers);
            names.clear();
            let begin = Instant::now();
            let due = self.due.iter().enumerate();
            let due: Vec<_> = due.map(|(idx, &due)| (idx, begin + due)).collect();
            let schedule = timed(|| {
                names.extend(due.iter().map(|&(idx, due)| queue.insert_at(idx, due)));
            });
            let cancel = timed(|| {
                for &idx in &self.cancelled {
                    let gone = queue.remove(&names[idx]).into_inner();
                    assert_eq!(gone, idx, "each is its own");
                }
            });
            drop(queue);
            let mut queue = DelayQueue::with_capacity(n_timers);
            due.into_iter().for_each(|(idx, due)| {
                queue.insert_at(idx, due);
            });
            let mut n_fired = 0;
            let mut fire = 0;
            for _ in 0..N_TICKS + N_TICKS_LATER {
                tokio::time::advance(TICK).await;
                let begin = now();
                std::future::poll_fn(|cx| {
                    while let Poll::Ready(Some(timer)) = queue.poll_expired(cx) {
                        black_box(timer.into_inner());
                        n_fired += 1;
                    }
                    Poll::Ready(())
                })
                .await;
                fire += begin.elapsed().as_nanos() as u64;
            }
            assert_eq!(n_fired, n_timers, "every timer has fired");
            [schedule, cancel, fire].map(|ns| self.each(ns))
        })
    }
}

/// What it takes of the thread's processor time.
fn timed(work: impl FnOnce()) -> u64 {
    let begin = thread_ns();
    work();
    thread_ns() - begin
}

/// A runtime whose time moves when it is told to.
pub(super) fn paused_runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread needs nothing that could be refused")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_times_both_and_the_first_is_not_counted() {
        let rounds = time_timers(2_000, 2);
        for took in [&rounds.larder, &rounds.queue] {
            assert_eq!(took.len(), 2);
            assert!(took.iter().flatten().all(|&ns| ns > 0.0), "{took:?}");
        }
        let said = serde_json::to_string(&rounds).expect("numbers are JSON");
        let heard: Rounds = serde_json::from_str(&said).expect("as it was said");
        assert_eq!(heard.queue, rounds.queue);
    }
}
