//! The row of the longest tick, with a million timers.
//!
//! # Idea         timers are spread over ten seconds, time moves by a millisecond, and what is due is taken out: by larder's
//!   maintenance, in the bounded steps that it is meant to be called with, and by DelayQueue one by one. The longest single call of
//!   each is judged, in the thread's own processor time, so that waits for a core don't count. A virtual machine that its host puts
//!   aside counts that as the thread's time, so the rounds make the same calls, and each call is worth what it took at best. Each
//!   has a process for itself, and one more in which malloc keeps large blocks in its heap, as it does once such a block was freed:
//!   there glibc gathers small free blocks at moments of its own, all at once
//! # Costs        half a minute
//! # Invariants   W1 all timers have fired at the end; W2 the so-manyth call does the same in all rounds
//! # Not here     what a timer costs on average: module `timers`

use std::task::Poll;
use std::time::Duration;

use larder::{Cache, ManualClock};
use tokio::time::Instant;
use tokio_util::time::DelayQueue;

use super::timers::{DELAY_QUEUE, ask, paused_runtime};
use super::{Scale, Wish, tell};
use crate::judge::{Goal, Lane, Limit, Row};
use crate::keys::key;
use crate::time::thread_ns;

const NAME: &str = "wheel longest tick, us";
const LARDER: &str = "larder";
const TICK: Duration = Duration::from_millis(1);
const N_TICKS: u64 = 10_000;
/// Entries that a call of larder's maintenance may take out.
const BUDGET: usize = 64;
/// Longest calls are what chance moves most.
const N_ROUNDS: usize = 5;
/// One order of entries for all rounds.
const SEEDS: [u64; 4] = [3, 14, 159, 2653];
/// In bytes, the highest threshold that glibc comes to by itself.
const LARGE_IN_HEAP: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "33554432");

pub(super) fn run(wish: &Wish) -> Vec<Row> {
    if !wish.wants(NAME) {
        return Vec::new();
    }
    let (n_timers, n_rounds) = (wish.scale.n_timers, rounds_of(&wish.scale));
    let lane = |name: &str, contender: &str, set: Option<(&str, &str)>| match ask(
        &["tick", contender],
        [n_timers, n_rounds],
        set,
    ) {
        Ok(us) => Lane::of(name, vec![us]),
        Err(why) => Lane::absent(name, why.to_string()),
    };
    let heaped = |name: &str| format!("{name}, large blocks in the heap");
    let row = Row {
        name: NAME.to_owned(),
        section: "wheel",
        unit: "us",
        lanes: vec![
            lane(LARDER, LARDER, None),
            lane(DELAY_QUEUE, DELAY_QUEUE, None),
            lane(&heaped(LARDER), LARDER, Some(LARGE_IN_HEAP)),
            lane(&heaped(DELAY_QUEUE), DELAY_QUEUE, Some(LARGE_IN_HEAP)),
        ],
        base: Some(1),
        goal: Some(Goal::table(Limit::Max(60.0))),
        note: Some(format!(
            "{n_timers} timers; larder: the longest of its calls of `maintain({BUDGET})`; of the thread's own time, each call by the \
             least of {n_rounds} rounds"
        )),
    };
    tell(&row);
    vec![row]
}

fn rounds_of(scale: &Scale) -> usize {
    if scale.is_whole { N_ROUNDS } else { 2 }
}

/// The longest tick of that wheel, in microseconds.
///
/// # Errors
/// There is no such wheel.
pub fn longest_tick(contender: &str, n_timers: usize, n_rounds: usize) -> Result<f64, String> {
    let calls = match contender {
        LARDER => larder_calls,
        DELAY_QUEUE => delay_queue_calls,
        _ => return Err(format!("{contender} is no wheel")),
    };
    let rounds: Vec<_> = (0..n_rounds.max(1)).map(|_| calls(n_timers)).collect();
    Ok(longest_us(&rounds))
}

/// When the so-manyth timer is due: scattered over all ticks.
fn due(idx: u64) -> Duration {
    TICK * (1 + (idx * 7919) % (N_TICKS - 1)) as u32
}

/// What each of a round's calls took of the processor, in nanoseconds.
#[derive(Default)]
struct Calls(Vec<u64>);

impl Calls {
    fn time<R>(&mut self, call: impl FnOnce() -> R) -> R {
        let begin = thread_ns();
        let result = call();
        self.0.push(thread_ns() - begin);
        result
    }
}

/// The longest call, in microseconds, by the least that it took in any round (W2).
fn longest_us(rounds: &[Calls]) -> f64 {
    let n_calls = rounds[0].0.len();
    assert!(
        rounds.iter().all(|round| round.0.len() == n_calls),
        "the rounds are the same calls"
    );
    let least = |call: usize| rounds.iter().map(|round| round.0[call]).min();
    let longest = (0..n_calls).filter_map(least).max();
    longest.unwrap_or(0) as f64 / 1e3
}

fn larder_calls(n_timers: usize) -> Calls {
    let clock = ManualClock::new();
    let built = Cache::<u64>::builder()
        .max_entries(2 * n_timers as u64)
        .clock(clock.clone())
        .hash_seeds(SEEDS)
        .build();
    let cache = built.expect("a bound and a clock are a valid configuration");
    for idx in 0..n_timers as u64 {
        let answer = cache.insert_with_ttl(&key(idx)[..], idx, due(idx));
        assert!(answer.is_ok(), "an entry this small is never refused");
    }
    let mut calls = Calls::default();
    for _ in 0..=N_TICKS {
        clock.advance(TICK);
        while calls.time(|| cache.maintain(BUDGET)).more {}
    }
    // What the wheel's grain has put off.
    clock.advance(Duration::from_secs(1));
    while calls.time(|| cache.maintain(BUDGET)).more {}
    assert_eq!(cache.len(), 0, "every timer has fired");
    calls
}

fn delay_queue_calls(n_timers: usize) -> Calls {
    paused_runtime().block_on(async {
        let mut queue = DelayQueue::with_capacity(n_timers);
        let begin = Instant::now();
        for idx in 0..n_timers as u64 {
            queue.insert_at(idx, begin + due(idx));
        }
        let mut calls = Calls::default();
        for _ in 0..=N_TICKS {
            tokio::time::advance(TICK).await;
            std::future::poll_fn(|cx| {
                while let Poll::Ready(Some(_)) = calls.time(|| queue.poll_expired(cx)) {}
                Poll::Ready(())
            })
            .await;
        }
        assert!(queue.is_empty(), "every timer has fired");
        calls
    })
}
