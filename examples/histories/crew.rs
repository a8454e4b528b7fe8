//! The threads that histories are played by, and what they bring back.
//!
//! # Idea         a few threads live as long as the run. They get batches of plans for one cache; for each plan, those that it needs meet at
//!   a gate, do what it says, note each call's beginning and end, and meet again. While they work, the caller judges the batch before
//! # Invariants   C1 no plan of a batch begins before the one before it has ended
//!   C2 a thread that panics in a call has noted that as its answer, and goes on
//! # Not here     what the calls do (`subject`), what their answers mean (`atoms`)

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::call::{Answer, Asks, CELLS_MAX, Call};
use crate::history::{Event, History};
use crate::pace::{Line, settle};
use crate::plan::Plan;
use crate::subject::{Guest, Seat, Subject};

/// Plans for one cache, all for the same number of threads.
pub(crate) struct Batch {
    pub(crate) n_threads: usize,
    /// The ticks after its last use at which an entry ends, if it does.
    pub(crate) idle: Option<u64>,
    pub(crate) line: Arc<Line>,
    pub(crate) subject: Arc<dyn Subject>,
    pub(crate) plans: Vec<Plan>,
    gates: Vec<Gate>,
}

/// Where the threads of a plan meet, before it and after it.
#[derive(Default)]
struct Gate {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

impl Batch {
    pub(crate) fn new(
        n_threads: usize,
        idle: Option<u64>,
        line: Arc<Line>,
        subject: Arc<dyn Subject>,
        plans: Vec<Plan>,
    ) -> Batch {
        let gates = plans.iter().map(|_| Gate::default()).collect();
        Batch {
            n_threads,
            idle,
            line,
            subject,
            plans,
            gates,
        }
    }
}

/// See the module.
pub(crate) struct Crew {
    hands: Vec<Sender<Job>>,
}

/// A batch, and where a thread hands in what it noted of it: the events of each plan.
type Job = (Arc<Batch>, Sender<Vec<Vec<Event>>>);

/// A batch that is being played.
pub(crate) struct Playing {
    pub(crate) batch: Arc<Batch>,
    notes: Receiver<Vec<Vec<Event>>>,
}

impl Crew {
    pub(crate) fn new(n_threads: usize) -> Crew {
        let hands = (0..n_threads).map(|thread| {
            let (hand, jobs) = channel::<Job>();
            thread::spawn(move || {
                for (batch, notes) in jobs {
                    let events = work(thread, &batch);
                    // Whoever began it is the last to hold it, and so the one that drops the cache.
                    drop(batch);
                    // Nobody may want it any more.
                    let _ = notes.send(events);
                }
            });
            hand
        });
        Crew {
            hands: hands.collect(),
        }
    }

    /// Sets the threads to work.
    pub(crate) fn begin(&self, batch: Batch) -> Playing {
        let batch = Arc::new(batch);
        let (sender, notes) = channel();
        for hand in &self.hands[..batch.n_threads] {
            hand.send((Arc::clone(&batch), sender.clone()))
                .expect("the threads live as long as the crew");
        }
        Playing { batch, notes }
    }
}

impl Playing {
    /// The histories, one for each plan, once they have been played.
    ///
    /// # Errors
    /// A thread hasn't come back for a minute.
    pub(crate) fn histories(&self) -> Result<Vec<History>, Stuck> {
        let mut events: Vec<Vec<Event>> = self.batch.plans.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.batch.n_threads {
            let notes = self.notes.recv_timeout(PATIENCE).map_err(Stuck)?;
            for (all, own) in events.iter_mut().zip(notes) {
                all.extend(own);
            }
        }
        let plans = self.batch.plans.iter().zip(events);
        Ok(plans
            .map(|(plan, events)| History::new(plan.cells.clone(), self.batch.idle, events))
            .collect())
    }
}

/// Threads that don't come back.
#[derive(Debug)]
pub(crate) struct Stuck(RecvTimeoutError);

impl Stuck {
    pub(crate) fn what(&self) -> &'static str {
        match self.0 {
            RecvTimeoutError::Timeout => "threads hang",
            RecvTimeoutError::Disconnected => "threads died",
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

fn work(thread: usize, batch: &Batch) -> Vec<Vec<Event>> {
    let plans = batch.plans.iter().zip(&batch.gates).enumerate();
    let played = plans.map(|(index, (plan, gate))| {
        let salt = (thread as u64 + 1) << 56;
        settle(plan.temper, plan.seed ^ salt, &batch.line);
        let mut player = Player {
            thread,
            line: &batch.line,
            guest: batch.subject.guest(Seat {
                history: index as u64,
                asks_anew: plan.asks_anew,
            }),
            versions: [0; CELLS_MAX],
            events: Vec::with_capacity(plan.threads[thread].len() + 8),
        };
        if thread == 0 {
            player.play(&plan.before);
        }
        meet(&gate.begun, batch.n_threads);
        player.play(&plan.threads[thread]);
        meet(&gate.ended, batch.n_threads);
        if thread == 0 {
            player.play(&plan.after);
        }
        player.events
    });
    played.collect()
}

/// Waits for the others, awake, so that all go on together.
fn meet(arrived: &AtomicUsize, n_threads: usize) {
    // AcqRel, Acquire: what was done before a gate is seen behind it.
    arrived.fetch_add(1, Ordering::AcqRel);
    while arrived.load(Ordering::Acquire) < n_threads {
        thread::yield_now();
    }
}

struct Player<'b> {
    thread: usize,
    line: &'b Line,
    guest: Box<dyn Guest + 'b>,
    /// The version of each cell that the thread saw last.
    versions: [u64; CELLS_MAX],
    events: Vec<Event>,
}

impl Player<'_> {
    fn play(&mut self, calls: &[Call]) {
        for call in calls {
            let event = self.call(self.resolved(call));
            if let (Some(cell), Some(version)) = (event.call.cell(), event.answer.version()) {
                self.versions[usize::from(cell.index)] = version;
            }
            self.events.push(event);
        }
    }

    /// The call with what only its thread knows.
    fn resolved(&self, call: &Call) -> Call {
        let mut call = call.clone();
        if let Call::PutIf { cell, asks, .. } = &mut call
            && *asks == Asks::LastSeen
        {
            *asks = Asks::Version(self.versions[usize::from(cell.index)]);
        }
        call
    }

    fn call(&self, call: Call) -> Event {
        let (begun, answer, ended) = if let Call::Advance(ticks) = call {
            let moved = self.line.advance(ticks);
            (moved, Answer::Done, moved)
        } else {
            let begun = self.line.stamp();
            let answer = catch_unwind(AssertUnwindSafe(|| self.guest.perform(&call)));
            let answer = answer.unwrap_or_else(|panic| Answer::Broke(words(&*panic)));
            (begun, answer, self.line.stamp())
        };
        Event {
            thread: self.thread,
            begun,
            ended,
            call,
            answer,
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", text.unwrap_or_default())
}
