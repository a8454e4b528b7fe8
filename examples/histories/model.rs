//! The model: a map with deadlines, as plain as can be.
//!
//! # Idea
//! A cell holds a value with its deadline, or nothing. An atom maps a state to the states that it may leave, none if what it
//! claims isn't so.
//!
//! # Time
//! At its deadline an entry is absent, for every operation, by the clock at the moment of the atom. But a deadline is counted, and
//! what is left of it told, by any reading of the clock between the call's beginning and its end: an operation reads the clock at one
//! moment and acts at another.
//!
//! # Versions
//! Writes of a key take effect in the order of their versions, where those are known.
//!
//! # Loads
//! A key has one load at a time, unless its scope has ended since the other began. A load that began is marked by each write, removal or
//! end of its key. Only one without a mark stores what it loaded, and that one must.

use std::collections::HashMap;

use crate::atoms::{After, Atom, Before, Deed, Outcome};
use crate::call::{CELLS_MAX, Left, Life, Number, Only, Seen};

/// What all cells hold, and what the clock shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    now: u64,
    cells: [Shelf; CELLS_MAX],
}

/// A cell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Shelf {
    entry: Option<Held>,
    /// The highest version that was written, of those that are known.
    version: u64,
    /// The loads that have begun and not ended.
    loads: Vec<Load>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Load {
    event: usize,
    /// The key was written since.
    is_overtaken: bool,
    /// The key's scope has ended since.
    is_past: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Held {
    value: Number,
    deadline: u64,
}

const NEVER: u64 = u64::MAX;

/// What an atom is judged by, besides the state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) atom: &'a Atom,
    pub(crate) versions: &'a HashMap<Number, u64>,
}

impl State {
    /// Nothing anywhere.
    pub(crate) fn new(now: u64) -> State {
        State {
            now,
            cells: Default::default(),
        }
    }

    /// The states that an atom may leave behind.
    pub(crate) fn after(&self, known: Known<'_>) -> Vec<State> {
        let mut next = self.clone();
        match known.atom.deed {
            Deed::Advance(ticks) => next.now = ticks,
            Deed::End(ref cells) => {
                for &cell in cells {
                    next.shelf(cell).write(None);
                    for load in &mut next.shelf(cell).loads {
                        load.is_past = true;
                    }
                }
            }
            Deed::Step {
                cell,
                before,
                after,
            } => {
                let is_so = next.is_so(cell, before, known.atom);
                return if is_so {
                    next.changed(cell, after, known)
                } else {
                    Vec::new()
                };
            }
            Deed::LoadBegins(cell) => {
                let is_absent = next.is_so(cell, Before::Nothing, known.atom);
                let shelf = next.shelf(cell);
                if !is_absent || shelf.loads.iter().any(|load| !load.is_past) {
                    return Vec::new();
                }
                shelf.loads.push(Load {
                    event: known.atom.event,
                    is_overtaken: false,
                    is_past: false,
                });
            }
            Deed::LoadEnds { cell, outcome } => return next.load_ended(cell, outcome, known),
        }
        vec![next]
    }

    fn shelf(&mut self, cell: u8) -> &mut Shelf {
        &mut self.cells[usize::from(cell)]
    }

    /// Whether the cell holds what is claimed.
    fn is_so(&self, cell: u8, before: Before, atom: &Atom) -> bool {
        let entry = self.cells[usize::from(cell)].entry;
        let present = entry.filter(|held| held.deadline > self.now);
        match (before, present) {
            (Before::Nothing, present) => present.is_none(),
            (_, None) => false,
            (Before::Something(left), Some(held)) => held.has_left(left, atom),
            (Before::This(Seen { value, left, .. }), Some(held)) => {
                value == held.value && held.has_left(left, atom)
            }
        }
    }

    /// The effects of a step on its cell: several, if the clock moved during the call.
    fn changed(mut self, cell: u8, after: After, known: Known<'_>) -> Vec<State> {
        let now = self.now;
        let shelf = self.shelf(cell);
        let present = shelf.entry.filter(|held| held.deadline > now);
        match after {
            After::Same => vec![self],
            After::Nothing => {
                shelf.write(None);
                vec![self]
            }
            After::Value(value, life) => {
                if let Some(&version) = known.versions.get(&value) {
                    if version <= shelf.version {
                        return Vec::new();
                    }
                    shelf.version = version;
                }
                let deadlines = deadlines(life, present, known.atom);
                let written = deadlines.into_iter().map(|deadline| {
                    let mut next = self.clone();
                    let held = Held { value, deadline };
                    next.shelf(cell).write(Some(held));
                    next
                });
                written.collect()
            }
            After::Life { life, only, is_set } => {
                let Some(held) = present else {
                    return Vec::new();
                };
                let mut deadlines = deadlines(life, present, known.atom);
                deadlines.retain(|deadline| match only {
                    Only::Always => true,
                    Only::Longer => (*deadline > held.deadline) == is_set,
                    Only::Shorter => (*deadline < held.deadline) == is_set,
                });
                let moved = deadlines.into_iter().map(|deadline| {
                    let mut next = self.clone();
                    if is_set {
                        next.shelf(cell).entry = Some(Held { deadline, ..held });
                    }
                    next
                });
                moved.collect()
            }
        }
    }

    fn load_ended(mut self, cell: u8, outcome: Outcome, known: Known<'_>) -> Vec<State> {
        let shelf = self.shelf(cell);
        let of_this = |load: &Load| load.event == known.atom.event;
        let Some(index) = shelf.loads.iter().position(of_this) else {
            return Vec::new();
        };
        let Load { is_overtaken, .. } = shelf.loads.remove(index);
        match outcome {
            Outcome::Failed => vec![self],
            Outcome::Own { .. } | Outcome::Other if is_overtaken => vec![self],
            Outcome::Own { value, life } => {
                if self.is_so(cell, Before::Nothing, known.atom) {
                    self.changed(cell, After::Value(value, life), known)
                } else {
                    Vec::new()
                }
            }
            Outcome::Other => Vec::new(),
        }
    }
}

impl Shelf {
    fn write(&mut self, entry: Option<Held>) {
        self.entry = entry;
        for load in &mut self.loads {
            load.is_overtaken = true;
        }
    }
}

/// When something may end that is to live so long.
fn deadlines(life: Life, replaced: Option<Held>, atom: &Atom) -> Vec<u64> {
    match (life, replaced) {
        (Life::Endless, _) | (Life::Kept, None) => vec![NEVER],
        (Life::Kept, Some(held)) => vec![held.deadline],
        (Life::Ticks(ticks), _) => atom.readings.iter().map(|at| at + ticks).collect(),
    }
}

impl Held {
    fn has_left(self, left: Left, atom: &Atom) -> bool {
        match left {
            Left::Untold => true,
            Left::Forever => self.deadline == NEVER,
            Left::Ticks(told) => {
                let mut readings = atom.readings.iter();
                self.deadline != NEVER
                    && readings.any(|reading| self.deadline.saturating_sub(*reading) == told)
            }
        }
    }
}
