//! Overlap by force: what threads do inside the code that the cache calls, and one word that orders all they do.
//!
//! # Idea
//! Whatever the cache calls of its user's (a key's encoding, the weigher, predicates, closures, the listener, drops of values) ends
//! in `pause`: the thread goes on, spins for a moment, gives its core away, or does so until others have come further.
//! What it does is drawn from the history's seed. The clock is read under the cache's locks too: there a thread gives its core away once
//! at most, and waits for nobody.
//!
//! # Invariants
//! - T1 Calls, answers and movements of the clock take their places in one order, that of a single word: each place is taken by one
//!   atomic step, and a movement of the clock is its own place.
//! - T2 No pause waits for another thread without a bound.

use std::cell::{Cell, RefCell};
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::yield_now;

use larder::{Clock, Nanos};

use crate::draw::Draw;

/// The places of events, and the clock, in one word.
#[derive(Debug, Default)]
pub(crate) struct Line(AtomicU64);

/// The low bits count places, which is enough for a cache of some hundred histories; the clock's ticks are above.
const PLACE_BITS: u32 = 28;

/// A place on the line, and what the clock showed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) place: u64,
    pub(crate) ticks: u64,
}

impl Stamp {
    fn from_word(word: u64) -> Stamp {
        Stamp {
            place: word & ((1 << PLACE_BITS) - 1),
            ticks: word >> PLACE_BITS,
        }
    }
}

impl Line {
    /// Takes the next place.
    pub(crate) fn stamp(&self) -> Stamp {
        self.take(1)
    }

    /// Moves the clock; the place where that happened, with the ticks from then on.
    pub(crate) fn advance(&self, ticks: u64) -> Stamp {
        self.take(ticks << PLACE_BITS | 1)
    }

    fn take(&self, step: u64) -> Stamp {
        // SeqCst: a call begins after its place was taken and ends before the next one is, whatever the cache's orderings are.
        Stamp::from_word(self.0.fetch_add(step, Ordering::SeqCst) + step)
    }

    pub(crate) fn now(&self) -> Stamp {
        Stamp::from_word(self.0.load(Ordering::SeqCst))
    }
}

/// The clock of a cache: it stands still but for `Advance`.
#[derive(Debug)]
pub(crate) struct HandClock {
    pub(crate) line: Arc<Line>,
    pub(crate) tick_ns: u64,
}

impl Clock for HandClock {
    fn now(&self) -> Nanos {
        breathe();
        let ticks = self.line.now().ticks;
        breathe();
        Nanos(ticks * self.tick_ns)
    }
}

/// How a thread behaves in pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temper {
    /// It never pauses: threads meet by being on two cores.
    Calm,
    /// It gives its core away, or spins for a moment.
    Restless,
    /// It often waits until others have done something.
    Polite,
}

struct Pace {
    temper: Cell<Temper>,
    draws: RefCell<Draw>,
    line: RefCell<Option<Arc<Line>>>,
}

thread_local! {
    static PACE: Pace = const {
        Pace {
            temper: Cell::new(Temper::Calm),
            draws: RefCell::new(Draw::new(0)),
            line: RefCell::new(None),
        }
    };
}

/// Sets how this thread behaves from now on.
pub(crate) fn settle(temper: Temper, seed: u64, line: &Arc<Line>) {
    PACE.with(|pace| {
        pace.temper.set(temper);
        *pace.draws.borrow_mut() = Draw::new(seed);
        *pace.line.borrow_mut() = Some(Arc::clone(line));
    });
}

/// For user code that the cache calls without a lock.
pub(crate) fn pause() {
    // A value may be dropped while its thread ends.
    let _ = PACE.try_with(|pace| match (pace.temper.get(), pace.draw(8)) {
        (Temper::Calm, _) => {}
        (Temper::Restless, 0..3) | (Temper::Polite, 0..2) => yield_now(),
        (Temper::Restless, 3) => {
            for _ in 0..pace.draw(SPINS_MAX) {
                spin_loop();
            }
        }
        (Temper::Polite, 2..5) => pace.give_way(),
        _ => {}
    });
}

/// For the clock, which is read under locks (T2).
fn breathe() {
    let _ = PACE.try_with(|pace| {
        if pace.temper.get() != Temper::Calm && pace.draw(6) == 0 {
            yield_now();
        }
    });
}

impl Pace {
    fn draw(&self, below: u64) -> u64 {
        self.draws.borrow_mut().below(below)
    }

    /// Waits until others have taken a few places, for so many turns at most (T2).
    fn give_way(&self) {
        let line = self.line.borrow();
        let Some(line) = &*line else { return };
        let goal = line.now().place + 1 + self.draw(4);
        for _ in 0..TURNS_MAX {
            if line.now().place >= goal {
                return;
            }
            yield_now();
        }
    }
}

/// About what an operation takes.
const SPINS_MAX: u64 = 100;
const TURNS_MAX: u32 = 12;
