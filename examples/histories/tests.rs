//! The checker, checked: on histories written by hand, against a search without wit, and on caches with planted faults.

mod by_hand;
mod fresh;
mod loads;
mod plain_search;
mod planted;
mod scopes;
mod time;

use crate::call::{Answer, Call, Cell, Left, Life, Place, Seen};
use crate::history::{Event, History};
use crate::number::Number;
use crate::pace::Stamp;
use crate::search::judge;

const A: Cell = Cell {
    index: 0,
    place: Place::Root,
};

/// The n-th value.
fn value(n: u32) -> Number {
    Number::of_write(n)
}

/// An entry that shows its value alone.
fn seen(n: u32) -> Option<Seen> {
    Some(Seen::bare(value(n)))
}

fn versioned(n: u32, version: u64) -> Option<Seen> {
    let version = Some(version);
    seen(n).map(|seen| Seen { version, ..seen })
}

fn timed(n: u32, left: u64) -> Option<Seen> {
    let left = Left::Ticks(left);
    seen(n).map(|seen| Seen { left, ..seen })
}

fn insert(cell: Cell, n: u32) -> Call {
    let (value, life) = (value(n), Life::Endless);
    Call::Insert { cell, value, life }
}

fn insert_for(cell: Cell, n: u32, ticks: u64) -> Call {
    let (value, life) = (value(n), Life::Ticks(ticks));
    Call::Insert { cell, value, life }
}

/// A history as a script: `at` places, each call with its thread, its beginning, its end and its answer.
#[derive(Default)]
struct Script {
    cells: Vec<Cell>,
    idle: Option<u64>,
    events: Vec<Event>,
}

impl Script {
    fn new(cells: &[Cell]) -> Script {
        Script {
            cells: cells.to_vec(),
            ..Script::default()
        }
    }

    /// Entries end so many ticks after their last use.
    fn idle(self, ticks: u64) -> Script {
        let idle = Some(ticks);
        Script { idle, ..self }
    }

    fn call(mut self, thread: usize, begun: u64, ended: u64, call: Call, answer: Answer) -> Self {
        let stamp = |place| Stamp { place, ticks: 0 };
        self.events.push(Event {
            thread,
            begun: stamp(begun),
            ended: stamp(ended),
            call,
            answer,
        });
        self
    }

    /// The clock moves at one place.
    fn advance(self, place: u64, ticks: u64) -> Self {
        self.call(9, place, place, Call::Advance(ticks), Answer::Done)
    }

    /// With what the clock showed at each place.
    fn history(self) -> History {
        let mut advances: Vec<(u64, u64)> = Vec::new();
        for event in &self.events {
            if let Call::Advance(ticks) = event.call {
                advances.push((event.begun.place, ticks));
            }
        }
        let clock = |place: u64| {
            let passed = advances.iter().filter(|(at, _)| *at <= place);
            passed.map(|(_, ticks)| ticks).sum()
        };
        let mut events = self.events;
        for event in &mut events {
            event.begun.ticks = clock(event.begun.place);
            event.ended.ticks = clock(event.ended.place);
        }
        History::new(self.cells, self.idle, events)
    }

    #[track_caller]
    fn accepted(self) {
        let history = self.history();
        if let Some(violation) = judge(&history).violation {
            panic!(
                "{}\n{}",
                violation.what,
                crate::show::time_line(&history, &violation)
            );
        }
    }

    #[track_caller]
    fn refused(self) {
        assert!(judge(&self.history()).violation.is_some());
    }

    /// Refused for an answer that is wrong by itself, or else for all of them together.
    #[track_caller]
    fn refused_since(self, words: &str) {
        let violation = judge(&self.history()).violation.unwrap();
        assert!(violation.what.contains(words), "{}", violation.what);
    }
}
