//! Whether the atoms of a history can be put in an order that the model accepts.
//!
//! # Idea
//! Wing and Gong (Journal of Parallel and Distributed Computing, 1993): an atom may come next if no other one that is still to come ended
//! before it began, and none of its own call has an earlier turn; go on from there, and come back if it leads nowhere. Lowe (Concurrency and
//! Computation, 2017): what was reached once, with the same atoms behind and the same state, isn't gone through again. Horn and Kroening
//! (FORTE 2015): keys that no call concerns together are judged apart.
//!
//! # Costs
//! Exponential at worst in the atoms that overlap; for histories as small as ours some tens of steps.

use std::collections::{HashMap, HashSet};

use crate::atoms::{Atom, Claims, Deed};
use crate::call::{Call, Cell};
use crate::claims::claims;
use crate::history::History;
use crate::model::{Known, State};
use crate::number::Number;

/// What is wrong with a history.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    /// The cells that were judged together; none if an answer is wrong by itself.
    pub(crate) cells: Vec<Cell>,
    pub(crate) what: String,
    /// The events that were left over when most could be put in order.
    pub(crate) left_over: Vec<usize>,
}

/// How many steps of the model it took to judge a history, and the outcome.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) n_steps: u64,
    pub(crate) violation: Option<Violation>,
}

/// Judges a history.
pub(crate) fn judge(history: &History) -> Verdict {
    let mut n_steps = 0;
    let violation = find_order(history, &mut n_steps).err();
    Verdict { n_steps, violation }
}

fn find_order(history: &History, n_steps: &mut u64) -> Result<(), Violation> {
    let claims = claims(history).map_err(|(event, what)| Violation {
        cells: Vec::new(),
        what: format!("{} is wrong by itself: {what}", history.events[event].call),
        left_over: vec![event],
    })?;
    for cells in history.groups() {
        let mut search = Search::new(history, &claims, &cells);
        let start = search.start.clone();
        let is_found = search.atoms.len() <= ATOMS_MAX && search.explore(0, &start);
        *n_steps += search.n_steps;
        if !is_found {
            return Err(search.violation(cells));
        }
    }
    Ok(())
}

/// As many as a set of them has bits. A history that has more can't be judged, and none has a third of it.
const ATOMS_MAX: usize = u128::BITS as usize;

struct Search<'a> {
    atoms: Vec<&'a Atom>,
    /// For each atom those that come before it by their turn, or because they are like it.
    behind: Vec<u128>,
    versions: &'a HashMap<Number, u64>,
    idle: Option<u64>,
    start: State,
    seen: HashSet<(u128, State)>,
    n_steps: u64,
    /// The largest set of atoms that could be put in order.
    furthest: u128,
}

impl<'a> Search<'a> {
    fn new(history: &History, claims: &'a Claims, cells: &[Cell]) -> Search<'a> {
        let concerns = |atom: &&Atom| match &atom.deed {
            Deed::Advance(_) => true,
            Deed::End(ended) => cells.iter().any(|cell| ended.contains(&cell.index)),
            Deed::Overtake(cell)
            | Deed::Step { cell, .. }
            | Deed::LooksAtHard { cell, .. }
            | Deed::LooksAtIdle { cell, .. }
            | Deed::LoadBegins { cell, .. }
            | Deed::LoadEnds { cell, .. } => cells.iter().any(|own| own.index == *cell),
        };
        let mut atoms: Vec<&Atom> = claims.atoms.iter().filter(concerns).collect();
        // What ended first is tried first, which is mostly right.
        atoms.sort_by_key(|atom| atom.ended);
        let behind = atoms.iter().enumerate().map(|(index, atom)| {
            let others = atoms.iter().take(ATOMS_MAX).enumerate();
            let before = others.filter(|&(other_index, other)| {
                let is_earlier = other.event == atom.event && other.turn < atom.turn;
                // Of like atoms one order stands for all.
                is_earlier || other_index < index && other == atom
            });
            before.fold(0, |set, (index, _)| set | 1 << index)
        });
        let behind = behind.collect();
        let now = history.events.first().map_or(0, |event| match event.call {
            Call::Advance(ticks) => event.begun.ticks - ticks,
            _ => event.begun.ticks,
        });
        Search {
            atoms,
            behind,
            versions: &claims.versions,
            idle: history.idle,
            start: State::new(now),
            seen: HashSet::new(),
            n_steps: 0,
            furthest: 0,
        }
    }

    /// Whether the atoms that aren't in `done` can follow a state.
    fn explore(&mut self, done: u128, state: &State) -> bool {
        let is_to_come = |index: &usize| done >> index & 1 == 0;
        if done.count_ones() > self.furthest.count_ones() {
            self.furthest = done;
        }
        let to_come: Vec<usize> = (0..self.atoms.len()).filter(is_to_come).collect();
        // By their order, the first is the one that ended first.
        let Some(&first) = to_come.first() else {
            return true;
        };
        let first_ended = self.atoms[first].ended;
        for index in to_come {
            let atom = self.atoms[index];
            if atom.begun > first_ended || self.behind[index] & !done != 0 {
                continue;
            }
            self.n_steps += 1;
            let known = Known {
                atom,
                versions: self.versions,
                idle: self.idle,
            };
            for state in state.after(known) {
                let done = done | 1 << index;
                if self.seen.insert((done, state.clone())) && self.explore(done, &state) {
                    return true;
                }
            }
        }
        false
    }

    fn violation(&self, cells: Vec<Cell>) -> Violation {
        let what = if self.atoms.len() > ATOMS_MAX {
            "it is too long to be judged"
        } else {
            "no order of the operations explains the answers"
        };
        let is_left = |index: &usize| *index >= ATOMS_MAX || self.furthest >> index & 1 == 0;
        let left = (0..self.atoms.len()).filter(is_left);
        Violation {
            cells,
            what: what.to_owned(),
            left_over: left.map(|index| self.atoms[index].event).collect(),
        }
    }
}
