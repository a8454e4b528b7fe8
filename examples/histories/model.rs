//! The model: a map with deadlines, as plain as can be.
//!
//! # Idea
//! A cell holds a value with its times, what says that there is none, or nothing. An atom maps a state to the states that it may leave, none if what it
//! claims isn't so.
//!
//! # Time
//! At its deadline an entry is absent, for every operation, by the clock at the moment of the atom. But a deadline is counted, and
//! what is left of it told, by any reading of the clock between the call's beginning and its end: an operation reads the clock at one
//! moment and acts at another. So it is with the end of the fresh time, and with the idle deadline, which each use moves; and a look
//! beside a change of the hard deadline reads that at one moment, and reads or moves the idle one at another, and tells of the earlier.
//!
//! # Versions
//! Writes of a key take effect in the order of their versions, where those are known.
//!
//! # Loads
//! A key has one load at a time, unless its scope has ended since the other began. A load that began is marked by each write, removal or
//! end of its key. A load begins where there is nothing, or what is stale. Only one without a mark stores what it loaded, and that one must.

use std::collections::HashMap;

use crate::atoms::{After, Atom, Before, Deed, Outcome};
use crate::call::{CELLS_MAX, Left, Life, Only};
use crate::number::Number;

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
    /// The looks that have seen the hard deadline, and not the idle one.
    looks: Vec<Look>,
}

/// Half a look: at what, and when that would end whatever its idle deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Look {
    look: usize,
    value: Option<Number>,
    hard: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Load {
    event: usize,
    /// The key was written since.
    is_overtaken: bool,
    /// The key's scope has ended since.
    is_past: bool,
}

/// A value, or what says that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Held {
    value: Option<Number>,
    times: Times,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Times {
    hard: u64,
    idle: u64,
    /// From when on it is stale.
    stale: u64,
}

const NEVER: u64 = u64::MAX;

/// What an atom is judged by, besides the state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) atom: &'a Atom,
    pub(crate) versions: &'a HashMap<Number, u64>,
    /// The time to idle.
    pub(crate) idle: Option<u64>,
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
            Deed::Overtake(cell) => next.shelf(cell).overtake(),
            Deed::Step {
                cell,
                before,
                after,
            } => return next.changed(cell, before, after, known),
            Deed::LooksAtHard { cell, before, look } => {
                let Some(held) = self
                    .entry(cell)
                    .filter(|held| before.is_so(Some(*held), known.atom))
                else {
                    return Vec::new();
                };
                let (value, hard) = (held.value, held.times.hard);
                next.shelf(cell).looks.push(Look { look, value, hard });
            }
            Deed::LooksAtIdle {
                cell,
                look,
                left,
                after,
            } => return next.looked(cell, (look, left), after, known),
            Deed::LoadBegins {
                cell,
                accepts_absent,
            } => {
                let is_needed = match self.entry(cell) {
                    None => true,
                    Some(Held { value: None, .. }) => !accepts_absent,
                    Some(Held { times, .. }) => known.atom.reads(|at| at >= times.stale),
                };
                let shelf = next.shelf(cell);
                if !is_needed || shelf.loads.iter().any(|load| !load.is_past) {
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

    /// What a cell holds that is not over.
    fn entry(&self, cell: u8) -> Option<Held> {
        let entry = self.cells[usize::from(cell)].entry;
        entry.filter(|held| held.times.end() > self.now)
    }

    /// The effects of a step on its cell, if the cell holds what is claimed: several, if the clock moved during the call.
    fn changed(self, cell: u8, before: Before, after: After, known: Known<'_>) -> Vec<State> {
        let entry = self.entry(cell);
        let present = entry.filter(|held| held.value.is_some());
        let with = |entry: Option<Held>| {
            let mut next = self.clone();
            next.shelf(cell).entry = entry;
            next
        };
        let is_so = |held: &Option<Held>| before.is_so(*held, known.atom);
        let used = || {
            let uses = known.atom.readings.iter().map(|at| {
                present.map(|held| Held {
                    times: held.times.used(*at, known.idle),
                    ..held
                })
            });
            // What is left is told of the entry as it is by then.
            let uses = uses.filter(is_so).map(with);
            uses.collect::<Vec<_>>()
        };
        let same = || is_so(&entry).then(|| self.clone());
        match after {
            After::Used if present.is_some() => used(),
            After::MaybeUsed if present.is_some() => used().into_iter().chain(same()).collect(),
            After::Same | After::Used | After::MaybeUsed => same().into_iter().collect(),
            _ if !is_so(&entry) => Vec::new(),
            After::Nothing => vec![self.emptied(cell)],
            After::MaybeNothing => vec![self.emptied(cell), self.clone()],
            After::Value(value, life) => self.written(cell, value, life, known),
            After::Life { life, only, is_set } => {
                let Some(held) = present else {
                    return Vec::new();
                };
                let mut ends: Vec<u64> = times(life, present, known)
                    .map(|times| times.hard)
                    .collect();
                ends.retain(|end| match only {
                    Only::Always => true,
                    Only::Longer => (*end > held.times.hard) == is_set,
                    Only::Shorter => (*end < held.times.hard) == is_set,
                });
                let moved = ends.into_iter().map(|hard| {
                    let hard = if is_set { hard } else { held.times.hard };
                    let times = Times { hard, ..held.times };
                    with(Some(Held { times, ..held }))
                });
                moved.collect()
            }
        }
    }

    /// The states after the second half of a look, if what is left is what is told.
    fn looked(
        mut self,
        cell: u8,
        told: (usize, Left),
        after: After,
        known: Known<'_>,
    ) -> Vec<State> {
        let entry = self.entry(cell);
        let looks = &mut self.shelf(cell).looks;
        let index = looks.iter().position(|half| half.look == told.0);
        let Some(half) = index.map(|index| looks.remove(index)) else {
            return Vec::new();
        };
        // Who looks at what has gone by then sees it as it was at last.
        let Some(held) = entry.filter(|held| held.value == half.value) else {
            return Vec::new();
        };
        let used = known.atom.readings.iter();
        let used = used.map(|at| held.times.used(*at, known.idle));
        let times: Vec<Times> = match after {
            After::Used => used.collect(),
            After::MaybeUsed => used.chain([held.times]).collect(),
            _ => vec![held.times],
        };
        let is_told = |times: &Times| {
            let times = Times {
                hard: half.hard,
                ..*times
            };
            Held { times, ..held }.has_left(told.1, known.atom)
        };
        let left_behind = times.into_iter().filter(is_told).map(|times| {
            let mut next = self.clone();
            next.shelf(cell).entry = Some(Held { times, ..held });
            next
        });
        left_behind.collect()
    }

    fn emptied(&self, cell: u8) -> State {
        let mut next = self.clone();
        next.shelf(cell).write(None);
        next
    }

    /// The states in which a value was written.
    fn written(&self, cell: u8, value: Number, life: Life, known: Known<'_>) -> Vec<State> {
        let mut next = self.clone();
        let present = next.entry(cell).filter(|held| held.value.is_some());
        if let Some(&version) = known.versions.get(&value) {
            if version <= next.shelf(cell).version {
                return Vec::new();
            }
            next.shelf(cell).version = version;
        }
        let value = Some(value);
        let written = times(life, present, known).map(|times| {
            let mut next = next.clone();
            next.shelf(cell).write(Some(Held { value, times }));
            next
        });
        written.collect()
    }

    fn load_ended(mut self, cell: u8, outcome: Outcome, known: Known<'_>) -> Vec<State> {
        let shelf = self.shelf(cell);
        let of_this = |load: &Load| load.event == known.atom.event;
        let Some(index) = shelf.loads.iter().position(of_this) else {
            return Vec::new();
        };
        let Load { is_overtaken, .. } = shelf.loads.remove(index);
        match outcome {
            Outcome::Failed | Outcome::Absence(0) => vec![self],
            _ if is_overtaken => vec![self],
            Outcome::Own { value, life } => self.written(cell, value, life, known),
            Outcome::Absence(ticks) => {
                let written = times(Life::Ticks(ticks), None, known).map(|times| {
                    let mut next = self.clone();
                    next.shelf(cell).write(Some(Held { value: None, times }));
                    next
                });
                written.collect()
            }
            Outcome::Other => Vec::new(),
        }
    }
}

impl Shelf {
    fn write(&mut self, entry: Option<Held>) {
        self.entry = entry;
        self.overtake();
    }

    fn overtake(&mut self) {
        for load in &mut self.loads {
            load.is_overtaken = true;
        }
    }
}

impl Before {
    fn is_so(self, entry: Option<Held>, atom: &Atom) -> bool {
        let value = entry.and_then(|held| held.value);
        match (self, entry) {
            (Before::Any, _) => true,
            (Before::Nothing, _) => value.is_none(),
            (Before::Void, entry) => entry.is_none(),
            (Before::Absence, entry) => entry.is_some() && value.is_none(),
            (Before::Something(left), Some(held)) => value.is_some() && held.has_left(left, atom),
            (Before::This(seen), Some(held)) => {
                value == Some(seen.value)
                    && held.has_left(seen.left, atom)
                    && seen
                        .is_stale
                        .is_none_or(|is_stale| atom.reads(|at| held.times.is_stale(at) == is_stale))
            }
            (Before::Something(_) | Before::This(_), None) => false,
        }
    }
}

/// The times of something that is to live so long.
fn times(life: Life, replaced: Option<Held>, known: Known<'_>) -> impl Iterator<Item = Times> {
    let readings = known.atom.readings.iter();
    readings.map(move |&at| {
        let idle = known.idle.map_or(NEVER, |idle| at + idle);
        let (hard, stale) = match (life, replaced) {
            (Life::Endless, _) | (Life::Kept, None) => (NEVER, NEVER),
            (Life::Kept, Some(held)) => (held.times.hard, held.times.stale),
            (Life::Ticks(ticks), _) => (at + ticks, NEVER),
            (Life::Stale(fresh, stale), _) => (at + fresh + stale, at + fresh),
        };
        Times { hard, idle, stale }
    })
}

impl Times {
    fn end(self) -> u64 {
        self.hard.min(self.idle)
    }

    /// What never ends is always told as fresh.
    fn is_stale(self, at: u64) -> bool {
        at >= self.stale && self.end() != NEVER
    }

    /// After a use, which is never a loss.
    fn used(self, at: u64, idle: Option<u64>) -> Times {
        let extended = idle.map_or(NEVER, |idle| at + idle);
        Times {
            idle: self.idle.max(extended),
            ..self
        }
    }
}

impl Held {
    fn has_left(self, left: Left, atom: &Atom) -> bool {
        let end = self.times.end();
        match left {
            Left::Untold => true,
            Left::Forever => end == NEVER,
            Left::Ticks(told) => end != NEVER && atom.reads(|at| end.saturating_sub(at) == told),
        }
    }
}

impl Atom {
    /// Whether the clock showed such a time during the call.
    fn reads(&self, is_such: impl Fn(u64) -> bool) -> bool {
        self.readings.iter().any(|at| is_such(*at))
    }
}
