//! What a history is to do, drawn from its seed.
//!
//! # Idea         a plan is a list of calls for each thread, and a few before and after them. Families of plans differ in which calls
//!   are likely; a history is short, so that a family should meet itself often
//! # Not here     when threads pause (`pace`), the caches that plans run on (`subject`)

use crate::call::{Asks, CELLS_MAX, Call, Cell, Form, Life, Loads, Makes, Only, Place};
use crate::draw::Draw;
use crate::family::{Family, Kind};
use crate::number::{APPENDS_MAX, INCREMENTS_MAX, Number};
use crate::pace::Temper;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) family: Family,
    pub(crate) temper: Temper,
    /// Whether threads ask for scopes anew with each call.
    pub(crate) asks_anew: bool,
    pub(crate) cells: Vec<Cell>,
    /// Done by the first thread before the others begin.
    pub(crate) before: Vec<Call>,
    pub(crate) threads: Vec<Vec<Call>>,
    /// Done by the first thread after the others have ended.
    pub(crate) after: Vec<Call>,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn draw(seed: u64, n_threads: usize, family: Family) -> Plan {
        let mut draw = Draw::new(seed);
        let temper = match draw.below(6) {
            0 => Temper::Calm,
            1..4 => Temper::Restless,
            _ => Temper::Polite,
        };
        let n_cells = 1 + draw.below(family.cells_max()) * draw.below(2);
        let cells: Vec<Cell> = (0..n_cells)
            .map(|index| Cell {
                index: index as u8,
                place: draw.of(family.places()),
            })
            .collect();
        let mut maker = Maker {
            family,
            cells: &cells,
            draw,
            n_writes: 0,
            n_increments: 0,
            n_appends: 0,
        };
        let n_calls_max = 2 + maker.draw.below(4);
        let before = maker.before();
        let threads = (0..n_threads)
            .map(|_| {
                let n_calls = 2 + maker.draw.below(n_calls_max - 1);
                (0..n_calls).map(|_| maker.call()).collect()
            })
            .collect();
        let asks_anew = maker.draw.below(2) == 0;
        let after = cells.iter().map(|&cell| Call::Peek(cell)).collect();
        Plan {
            seed,
            family,
            temper,
            asks_anew,
            before,
            threads,
            after,
            cells,
        }
    }
}

struct Maker<'a> {
    family: Family,
    cells: &'a [Cell],
    draw: Draw,
    n_writes: u32,
    n_increments: u32,
    n_appends: usize,
}

impl Maker<'_> {
    /// Mostly, something is there when the threads begin; not where they are to load it.
    fn before(&mut self) -> Vec<Call> {
        let mut calls = Vec::new();
        for &cell in self.cells {
            let is_there = self.draw.below(4) > 0;
            if is_there != matches!(self.family, Family::Loads) {
                calls.push(self.insert(cell));
            }
        }
        calls
    }

    fn call(&mut self) -> Call {
        let cell = self.draw.of(self.cells);
        let weights = self.family.weights();
        let sum = weights.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.draw.below(sum);
        let kind = weights.iter().find(|(_, weight)| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        match kind.map_or(Kind::Look, |(kind, _)| *kind) {
            Kind::Look => self.look(cell),
            Kind::GetMany => self.get_many(cell),
            Kind::Insert => self.insert(cell),
            Kind::Remove => Call::Remove(cell),
            Kind::RemoveIf => Call::RemoveIf(cell),
            Kind::SetTtl => self.set_ttl(cell),
            Kind::PutIf => self.put_if(cell),
            Kind::Compute => self.compute(cell),
            Kind::Increment if self.n_increments < INCREMENTS_MAX => self.increment(cell),
            Kind::Append if self.n_appends < APPENDS_MAX => self.append(cell),
            Kind::Increment | Kind::Append => Call::Remove(cell),
            Kind::Load => self.load(cell),
            Kind::Retain => Call::Retain(cell),
            Kind::Invalidate => Call::Invalidate(self.draw.of(&[Place::Outer, Place::Inner])),
            Kind::Clear => Call::Clear(self.draw.of(&[Place::Root, cell.place])),
            Kind::Advance => Call::Advance(1 + self.draw.below(3)),
            Kind::Maintain => Call::Maintain,
        }
    }

    fn look(&mut self, cell: Cell) -> Call {
        let knows_time = self.family != Family::Plain;
        match self.draw.below(if knows_time { 13 } else { 11 }) {
            0..4 => Call::Get(cell),
            4..7 => Call::Read(cell),
            7..9 => Call::Peek(cell),
            9 => Call::Contains(cell),
            10 => Call::Lookup(cell),
            _ => Call::Ttl(cell),
        }
    }

    /// The cells of that one's place, that one perhaps twice.
    fn get_many(&mut self, cell: Cell) -> Call {
        let here = |other: &&Cell| other.place == cell.place;
        let mut cells: Vec<Cell> = self.cells.iter().filter(here).copied().collect();
        if cells.len() < CELLS_MAX && self.draw.below(2) == 0 {
            cells.push(cell);
        }
        Call::GetMany(cells)
    }

    fn insert(&mut self, cell: Cell) -> Call {
        let (value, mut life) = self.written();
        if matches!(self.family, Family::Time | Family::Stale) && self.draw.below(8) == 0 {
            life = Life::Kept;
        }
        Call::Insert { cell, value, life }
    }

    fn set_ttl(&mut self, cell: Cell) -> Call {
        let ticks = Life::Ticks(1 + self.draw.below(3));
        let (life, only) = match self.draw.below(6) {
            0 => (Life::Endless, Only::Always),
            1 => (ticks, Only::Longer),
            2 => (ticks, Only::Shorter),
            _ => (ticks, Only::Always),
        };
        Call::SetTtl { cell, life, only }
    }

    fn put_if(&mut self, cell: Cell) -> Call {
        let other = Number::of_write(1 + self.draw.below(u64::from(self.n_writes) + 1) as u32);
        let asks = match self.draw.below(7) {
            0..2 => Asks::Absent,
            2 => Asks::Present,
            3..5 => Asks::LastSeen,
            5 => Asks::Equal(other),
            _ => Asks::NotEqual(other),
        };
        let (value, life) = self.written();
        Call::PutIf {
            cell,
            value,
            life,
            asks,
        }
    }

    fn compute(&mut self, cell: Cell) -> Call {
        let makes = self.draw.of(&[
            Makes::Value,
            Makes::Missing,
            Makes::Successor,
            Makes::Removal,
            Makes::Opposite,
        ]);
        let (value, life) = self.written();
        Call::Compute {
            cell,
            value,
            life,
            makes,
        }
    }

    fn increment(&mut self, cell: Cell) -> Call {
        let by = Number::increment(self.n_increments);
        self.n_increments += 1;
        let (initial, life) = self.written();
        Call::Increment {
            cell,
            by,
            initial,
            life,
        }
    }

    fn append(&mut self, cell: Cell) -> Call {
        self.n_appends += 1;
        let (more, life) = self.written();
        Call::Append { cell, more, life }
    }

    fn load(&mut self, cell: Cell) -> Call {
        let form = self.draw.of(&[Form::Insert, Form::Load, Form::Task]);
        let loads = match (self.draw.below(9), form) {
            (0, _) => Loads::Error,
            (1, _) => Loads::Panic,
            (2..4, Form::Load | Form::Task) => Loads::Absent(self.draw.below(4)),
            (4, Form::Task) => Loads::Dropped(1 + self.draw.below(3) as u32),
            _ => Loads::Value,
        };
        let (value, life) = self.written();
        Call::Load {
            cell,
            value,
            life,
            loads,
            form,
        }
    }

    /// What the next write writes, and for how long.
    fn written(&mut self) -> (Number, Life) {
        self.n_writes += 1;
        let is_timed = self.draw.below(self.family.timed_one_of()) == 0;
        let ticks = 1 + self.draw.below(3);
        let life = if is_timed && self.family.goes_stale() && self.draw.below(4) > 0 {
            Life::Stale(ticks, 1 + self.draw.below(4))
        } else if is_timed {
            Life::Ticks(ticks)
        } else {
            Life::Endless
        };
        (Number::of_write(self.n_writes), life)
    }
}
