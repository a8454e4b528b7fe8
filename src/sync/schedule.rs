//! Threads of which one runs at a time, chosen at random wherever they touch what others may touch.
//!
//! # Idea         The scenarios that are too large for a model checker run on the machine's own threads, so that thread-locals, panics
//!   and destructors are the real ones; but a thread goes on only while it is its turn, and each atomic access, each lock and each
//!   sleep is a point where the turn may pass. The seed decides where it passes, so a run can be repeated. After Burckhardt and others,
//!   "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs" (ASPLOS 2010), without its priorities
//! # Costs        a lock and perhaps a switch of threads for each access; in builds that aren't tests this file doesn't exist
//! # Invariants   SD1 an actor that isn't running waits in `point`; SD2 an actor that would block gives way instead, so that a run ends
//!   or runs out of steps
//! # Not here     orders weaker than sequential consistency: those are the models'

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use parking_lot::{Condvar, Mutex};

use super::Arc;

/// What a scenario's twin leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The turn of who tells the listener.
    Turn,
    /// The look at the epoch before a view's word is used.
    Epoch,
    /// The one step in which bytes are claimed.
    Claim,
    /// The end of what waits when a store ends.
    End,
}

/// Points after which a run is stuck.
const POINTS_MAX: u64 = 3_000_000;

struct State {
    running: usize,
    alive: Vec<bool>,
    random: u64,
    /// The turn passes at one in so many points.
    sticky: u64,
    n_points: u64,
    n_switches: u64,
}

impl State {
    fn below(&mut self, n: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) % n
    }

    /// Passes the turn to any actor that is left, but for `me` if there are others.
    fn pass(&mut self, me: usize) {
        let others: Vec<usize> = (0..self.alive.len())
            .filter(|&at| self.alive[at] && at != me)
            .collect();
        if !others.is_empty() {
            self.running = others[self.below(others.len() as u64) as usize];
            self.n_switches += 1;
        }
    }
}

struct Schedule {
    state: Mutex<State>,
    passed: Condvar,
    fault: Option<Fault>,
}

thread_local! {
    static ACTOR: RefCell<Option<(Arc<Schedule>, usize)>> = const { RefCell::new(None) };
}

/// The actor that this thread is, if it is one and isn't about to end.
fn actor() -> Option<(Arc<Schedule>, usize)> {
    ACTOR
        .try_with(|actor| actor.try_borrow().ok()?.clone())
        .ok()
        .flatten()
}

/// Whether this thread's run leaves that out.
pub(crate) fn planted(fault: Fault) -> bool {
    actor().is_some_and(|(schedule, _)| schedule.fault == Some(fault))
}

/// Whether this thread may not block.
pub(crate) fn is_scheduled() -> bool {
    actor().is_some()
}

/// A point where the turn may pass.
pub(crate) fn point() {
    reach(false);
}

/// A point where it passes if anybody else is left: this thread waits for something that they do.
pub(crate) fn give_way() {
    reach(true);
}

fn reach(gives_way: bool) {
    let Some((schedule, me)) = actor() else {
        return;
    };
    let mut state = schedule.state.lock();
    state.n_points += 1;
    if state.n_points > POINTS_MAX {
        drop(state);
        panic!("a schedule makes no progress");
    }
    let sticky = state.sticky;
    if gives_way || state.below(sticky) == 0 {
        state.pass(me);
        schedule.passed.notify_all();
    }
    while state.running != me {
        schedule.passed.wait(&mut state);
    }
}

/// Runs the actors to their ends, in the order that the seed gives; how often the turn passed.
pub(crate) fn run(seed: u64, fault: Option<Fault>, actors: Vec<Box<dyn FnOnce() + Send>>) -> u64 {
    let random = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let schedule = Arc::new(Schedule {
        state: Mutex::new(State {
            running: 0,
            alive: vec![true; actors.len()],
            random,
            sticky: [2, 4, 8, 32][(seed % 4) as usize],
            n_points: 0,
            n_switches: 0,
        }),
        passed: Condvar::new(),
        fault,
    });
    let threads: Vec<_> = actors
        .into_iter()
        .enumerate()
        .map(|(me, act)| {
            let schedule = Arc::clone(&schedule);
            std::thread::spawn(move || {
                ACTOR.replace(Some((Arc::clone(&schedule), me)));
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    give_way();
                    act();
                }));
                ACTOR.replace(None);
                let mut state = schedule.state.lock();
                state.alive[me] = false;
                if state.running == me {
                    state.pass(me);
                }
                schedule.passed.notify_all();
                drop(state);
                if let Err(panic) = ended {
                    resume_unwind(panic);
                }
            })
        })
        .collect();
    let ends: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
    for end in ends {
        if let Err(panic) = end {
            resume_unwind(panic);
        }
    }
    schedule.state.lock().n_switches
}
