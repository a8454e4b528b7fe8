//! A history: what each thread asked and was told, and when.
//!
//! # Idea         an event has the places where it began and ended on the line that orders everything; two events overlap if neither
//!   ended before the other began
//! # Not here     whether the answers were right: modules `atoms`, `model`, `search`

use crate::call::{Answer, Call, Cell, Got};
use crate::pace::Stamp;

/// One call, from its beginning to its answer. A movement of the clock is one place.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) thread: usize,
    pub(crate) begun: Stamp,
    pub(crate) ended: Stamp,
    pub(crate) call: Call,
    pub(crate) answer: Answer,
}

impl Event {
    /// Whether it changed what a cell holds, as its answer says.
    pub(crate) fn wrote(&self) -> bool {
        match &self.answer {
            Answer::Entry(taken) if matches!(self.call, Call::Remove(_)) => taken.is_some(),
            Answer::Asked(_, taken) => taken.is_some(),
            Answer::Counted(_, n_taken) => *n_taken > 0,
            Answer::Ttl(done) => *done == Some(true),
            Answer::Put(is_stored, _) => *is_stored,
            Answer::Computed { was, is, .. } => was != is,
            Answer::Loaded(ran, got) => {
                ran.is_some() && matches!(got, Got::Entry(_) | Got::Nothing)
            }
            _ => self.call.writes(),
        }
    }

    fn overlaps(&self, other: &Event) -> bool {
        self.begun.place < other.ended.place && other.begun.place < self.ended.place
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) cells: Vec<Cell>,
    /// The ticks after its last use at which an entry ends, if it does.
    pub(crate) idle: Option<u64>,
    /// By their beginnings.
    pub(crate) events: Vec<Event>,
}

impl History {
    pub(crate) fn new(cells: Vec<Cell>, idle: Option<u64>, mut events: Vec<Event>) -> History {
        events.sort_by_key(|event| event.begun);
        History {
            cells,
            idle,
            events,
        }
    }

    /// Whether an event meets another thread's at one of the history's keys, and one of the two writes there.
    pub(crate) fn is_met(&self, event: &Event) -> bool {
        self.events.iter().any(|other| {
            other.thread != event.thread
                && (event.wrote() || other.wrote())
                && event.overlaps(other)
                && self
                    .cells
                    .iter()
                    .any(|&cell| event.call.concerns(cell) && other.call.concerns(cell))
        })
    }

    /// Whether another call that writes the cell overlaps with that event.
    pub(crate) fn is_written_during(&self, event: &Event, cell: Cell) -> bool {
        self.writes_during(event, cell).next().is_some()
    }

    /// The calls that do.
    pub(crate) fn writes_during<'a>(
        &'a self,
        event: &'a Event,
        cell: Cell,
    ) -> impl Iterator<Item = &'a Call> {
        let others = self.events.iter().filter(move |other| {
            other.call.writes()
                && other.call.concerns(cell)
                && !std::ptr::eq(event, *other)
                && event.overlaps(other)
        });
        others.map(|other| &other.call)
    }

    /// Cells that have to be judged together, since one call concerns them at one moment: those under an invalidated scope.
    pub(crate) fn groups(&self) -> Vec<Vec<Cell>> {
        let mut groups: Vec<Vec<Cell>> = self.cells.iter().map(|&cell| vec![cell]).collect();
        for event in &self.events {
            let Call::Invalidate(place) = event.call else {
                continue;
            };
            let (ended, others): (Vec<_>, Vec<_>) = groups
                .into_iter()
                .partition(|group| group.iter().any(|cell| place.holds(cell.place)));
            groups = others;
            if !ended.is_empty() {
                groups.push(ended.concat());
            }
        }
        groups
    }
}
