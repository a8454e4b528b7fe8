//! From answers to what they claim: each call becomes atoms, that is steps of the model with what must be true before them.
//!
//! # Idea
//! An atom happens at one moment between its call's beginning and end. It says what its cell must hold at that moment
//! (`Before`), and what the cell holds afterwards (`After`). Nearly every operation is one atom of that form. Calls that see keys one after
//! another (`get_many`), or that look several times (`remove_if`, `compute`), are several atoms with the same bounds. Where a call looks
//! again because the last look was overtaken, its looks have turns: they come in their order, and what it does at last comes after them.
//!
//! # Invariants
//! - A1 An atom says no more than the operation promises: a right cache satisfies the atoms of each of its histories.
//!
//! # Not here
//! Which answer claims what: module `claims`. Whether the moments exist: module `search`.

use std::collections::HashMap;

use crate::call::{Call, Cell, Left, Life, Only, Seen};
use crate::history::{Event, History};
use crate::number::Number;
use crate::pace::Stamp;

/// One step, somewhere between two places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Atom {
    /// The event it comes from, by its index in the history.
    pub(crate) event: usize,
    /// Of one event's, those of a lower turn come before.
    pub(crate) turn: u32,
    pub(crate) begun: u64,
    pub(crate) ended: u64,
    /// What the clock showed during the event, in its order.
    pub(crate) readings: Vec<u64>,
    pub(crate) deed: Deed,
}

/// What an atom does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    /// The clock shows that from then on. Not a step of a cell.
    Advance(u64),
    /// The cells of these indices hold nothing any more.
    End(Vec<u8>),
    /// The loads of a cell are overtaken.
    Overtake(u8),
    Step {
        cell: u8,
        before: Before,
        after: After,
    },
    /// The first half of a look beside a change of the hard deadline: what is there, and when that ends it.
    LooksAtHard {
        cell: u8,
        before: Before,
        look: usize,
    },
    /// The second half, by a use or not: what is left is told by the earlier of both deadlines.
    LooksAtIdle {
        cell: u8,
        look: usize,
        left: Left,
        after: After,
    },
    /// A load finds nothing, or what is stale, and nobody who loads; the same event ends it.
    LoadBegins {
        cell: u8,
        /// It doesn't begin where it is known that there is nothing.
        accepts_absent: bool,
    },
    LoadEnds {
        cell: u8,
        outcome: Outcome,
    },
}

/// What a cell must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Any,
    /// No value.
    Nothing,
    /// Neither a value nor what says that there is none.
    Void,
    /// What says that there is none.
    Absence,
    Something(Left),
    This(Seen),
}

impl Before {
    pub(crate) fn of(seen: Option<Seen>) -> Before {
        seen.map_or(Before::Nothing, Before::This)
    }

    /// The same, seen in a handle that may have been made before or after the moment of the atom, with other times left.
    pub(crate) fn of_other_time(seen: Option<Seen>) -> Before {
        let told = |seen| Seen {
            left: Left::Untold,
            is_stale: None,
            ..seen
        };
        Before::of(seen.map(told))
    }

    /// The same without the time that is left, and that time.
    fn without_left(self) -> (Before, Left) {
        let untold = Left::Untold;
        match self {
            Before::Something(left) => (Before::Something(untold), left),
            Before::This(seen) => {
                let left = seen.left;
                let seen = Seen {
                    left: untold,
                    ..seen
                };
                (Before::This(seen), left)
            }
            Before::Any | Before::Nothing | Before::Void | Before::Absence => (self, untold),
        }
    }
}

/// What it holds then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Same,
    /// The same, and it was used.
    Used,
    /// The same, and it was used or not.
    MaybeUsed,
    Nothing,
    MaybeNothing,
    Value(Number, Life),
    /// The same for another time; or, not set, for the time that it had, which was not to be changed.
    Life {
        life: Life,
        only: Only,
        is_set: bool,
    },
}

/// What the caller of a load was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing was loaded.
    Failed,
    /// That there is no value, known for so many ticks.
    Absence(u64),
    /// What it loaded.
    Own { value: Number, life: Life },
    /// A value that is newer, and of which another atom tells.
    Other,
}

/// What a history claims.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims {
    pub(crate) atoms: Vec<Atom>,
    /// The version of each value that was seen with one.
    pub(crate) versions: HashMap<Number, u64>,
}

/// The claims of one event, as they are made.
pub(crate) struct Maker<'a> {
    pub(crate) history: &'a History,
    pub(crate) event: &'a Event,
    pub(crate) index: usize,
    /// The turn of the next atom.
    pub(crate) turn: u32,
    pub(crate) claims: &'a mut Claims,
}

impl Maker<'_> {
    /// A step at some moment of the call.
    pub(crate) fn step(&mut self, cell: Cell, before: Before, after: After) -> Result<(), String> {
        if let Before::This(seen) = before {
            self.saw(seen)?;
        }
        let cell = cell.index;
        self.push(Deed::Step {
            cell,
            before,
            after,
        });
        Ok(())
    }

    /// A look of which the answer may tell what is left. The hard deadline and the idle one are words of their own, read one after the other:
    /// beside a call that moves the hard one, that may happen in between.
    pub(crate) fn look(&mut self, cell: Cell, before: Before, after: After) -> Result<(), String> {
        let (untold, left) = before.without_left();
        if left == Left::Untold || !self.is_beside_set_ttl(cell) {
            return self.step(cell, before, after);
        }
        if let Before::This(seen) = before {
            self.saw(seen)?;
        }
        let (cell, look) = (cell.index, self.claims.atoms.len());
        self.push(Deed::LooksAtHard {
            cell,
            before: untold,
            look,
        });
        self.push(Deed::LooksAtIdle {
            cell,
            look,
            left,
            after,
        });
        Ok(())
    }

    /// Whether there are idle deadlines, and a call that may move the hard one overlaps.
    pub(crate) fn is_beside_set_ttl(&self, cell: Cell) -> bool {
        let mut others = self.history.writes_during(self.event, cell);
        self.history.idle.is_some() && others.any(|call| matches!(call, Call::SetTtl { .. }))
    }

    /// A value has one version in all its life.
    pub(crate) fn saw(&mut self, seen: Seen) -> Result<(), String> {
        let Some(version) = seen.version else {
            return Ok(());
        };
        let known = *self.claims.versions.entry(seen.value).or_insert(version);
        if known == version {
            return Ok(());
        }
        let value = seen.value;
        Err(format!(
            "{value} has version {version}, and had {known} elsewhere"
        ))
    }

    pub(crate) fn push(&mut self, deed: Deed) {
        self.push_within(deed, self.event.begun, self.event.ended);
    }

    /// The same within bounds of its own.
    pub(crate) fn push_within(&mut self, deed: Deed, begun: Stamp, ended: Stamp) {
        let event = self.event;
        let advances = self.history.events.iter().filter(|other| {
            matches!(other.call, Call::Advance(_))
                && event.begun < other.ended
                && other.ended <= event.ended
        });
        let mut readings = vec![event.begun.ticks];
        readings.extend(advances.map(|advance| advance.ended.ticks));
        self.claims.atoms.push(Atom {
            event: self.index,
            turn: self.turn,
            begun: begun.place,
            ended: ended.place,
            readings,
            deed,
        });
    }
}
