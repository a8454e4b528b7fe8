//! What a thread of a history asks of a cache, and what it is told.
//!
//! # Idea         a history works on a few cells: keys, each in one place. Its calls name cells, and its values are numbers that no
//!   other call of the history writes
//! # Not here     who asks what (`plan`), who answers (`subject`), what should have been answered (`atoms`, `model`), how it's printed (`words`)

use crate::number::Number;
use crate::pace::Stamp;

/// A history has at most so many cells.
pub(crate) const CELLS_MAX: usize = 3;

/// A key of a history, and where it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) index: u8,
    pub(crate) place: Place,
}

/// A part of the cache; the inner scope is nested in the outer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Root,
    Outer,
    Inner,
}

impl Place {
    /// Whether what lives there ends when `self` is invalidated.
    pub(crate) fn holds(self, other: Place) -> bool {
        match self {
            Place::Root => false,
            Place::Outer => other != Place::Root,
            Place::Inner => other == Place::Inner,
        }
    }

    /// Whether what lives there goes when `self` is cleared: of the cache everything, of a scope what is in itself.
    pub(crate) fn is_cleared_of(self, other: Place) -> bool {
        self == Place::Root || self == other
    }
}

/// A time to live, in ticks of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Endless,
    Ticks(u64),
    /// Fresh for so many, and then stale for so many.
    Stale(u64, u64),
    /// As long as what is replaced, and stale when that would have been; endless if nothing is.
    Kept,
}

/// What a conditional write asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Absent,
    Present,
    /// The version that the thread saw last; in a call that was performed it stands as `Version`.
    LastSeen,
    Version(u64),
    Equal(Number),
    NotEqual(Number),
}

impl Asks {
    /// Whether it is so with what is there.
    pub(crate) fn holds(self, present: Option<Seen>) -> bool {
        match self {
            Asks::Absent => present.is_none(),
            Asks::Present => present.is_some(),
            Asks::LastSeen => false,
            Asks::Version(version) => present.is_some_and(|seen| seen.version == Some(version)),
            Asks::Equal(value) => present.is_some_and(|seen| seen.value == value),
            Asks::NotEqual(value) => present.is_none_or(|seen| seen.value != value),
        }
    }
}

/// What a computation makes of what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Makes {
    /// Its value, whatever is there.
    Value,
    /// Its value where there is none.
    Missing,
    /// Its value where there is one, which then lives as long as that would have.
    Successor,
    /// Nothing of what is unwanted; it keeps what isn't.
    Removal,
    /// Its value where there is none, and nothing of what there is.
    Opposite,
}

/// What becomes of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    Kept,
    Removed,
    Written(Life),
}

impl Makes {
    pub(crate) fn of(self, present: Option<Number>, life: Life) -> Made {
        match (self, present) {
            (Makes::Value, _) | (Makes::Missing | Makes::Opposite, None) => Made::Written(life),
            (Makes::Successor, Some(_)) => Made::Written(Life::Kept),
            (Makes::Opposite, Some(_)) => Made::Removed,
            (Makes::Removal, Some(value)) if value.is_unwanted() => Made::Removed,
            (Makes::Missing | Makes::Removal, Some(_))
            | (Makes::Successor | Makes::Removal, None) => Made::Kept,
        }
    }
}

/// What comes of a loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loads {
    Value,
    /// That there is none, which is to be remembered for so many ticks; zero: not at all.
    Absent(u64),
    Error,
    Panic,
    /// A value, unless its task is dropped before, after having been polled so often.
    Dropped(u32),
}

/// Which of the operations loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The one for loaders that have a value.
    Insert,
    /// The one for loaders that may find that there is none.
    Load,
    /// The same for tasks.
    Task,
}

/// What a load gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Got {
    Entry(Seen),
    /// That there is no value.
    Nothing,
    /// The loader's error or panic.
    Failure,
    /// The task was dropped.
    Dropped,
}

/// One operation. Movements of the clock are in ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Get(Cell),
    Read(Cell),
    Peek(Cell),
    Lookup(Cell),
    Contains(Cell),
    Ttl(Cell),
    /// Of cells in one place.
    GetMany(Vec<Cell>),
    Insert {
        cell: Cell,
        value: Number,
        life: Life,
    },
    Remove(Cell),
    RemoveIf(Cell),
    SetTtl {
        cell: Cell,
        life: Life,
        only: Only,
    },
    PutIf {
        cell: Cell,
        value: Number,
        life: Life,
        asks: Asks,
    },
    Compute {
        cell: Cell,
        value: Number,
        life: Life,
        makes: Makes,
    },
    /// Where there is nothing, it counts from `initial`.
    Increment {
        cell: Cell,
        by: u32,
        initial: Number,
        life: Life,
    },
    /// Where there is nothing, it stores that alone.
    Append {
        cell: Cell,
        more: Number,
        life: Life,
    },
    Load {
        cell: Cell,
        value: Number,
        life: Life,
        loads: Loads,
        form: Form,
    },
    /// Takes out what the cell holds if it is unwanted, and of the others nothing.
    Retain(Cell),
    Invalidate(Place),
    /// Takes out what there is, key by key.
    Clear(Place),
    Advance(u64),
    /// Some steps of maintenance, which nobody may notice.
    Maintain,
}

/// Whether another time to live is given in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    Always,
    Longer,
    Shorter,
}

impl Call {
    /// The one cell that it concerns, if it is one.
    pub(crate) fn cell(&self) -> Option<Cell> {
        match self {
            Call::Get(cell)
            | Call::Read(cell)
            | Call::Peek(cell)
            | Call::Lookup(cell)
            | Call::Contains(cell)
            | Call::Ttl(cell)
            | Call::Remove(cell)
            | Call::RemoveIf(cell)
            | Call::Retain(cell)
            | Call::Insert { cell, .. }
            | Call::SetTtl { cell, .. }
            | Call::PutIf { cell, .. }
            | Call::Compute { cell, .. }
            | Call::Increment { cell, .. }
            | Call::Append { cell, .. }
            | Call::Load { cell, .. } => Some(*cell),
            Call::GetMany(_)
            | Call::Invalidate(_)
            | Call::Clear(_)
            | Call::Advance(_)
            | Call::Maintain => None,
        }
    }

    /// Whether it concerns a cell.
    pub(crate) fn concerns(&self, cell: Cell) -> bool {
        match self {
            Call::GetMany(cells) => cells.contains(&cell),
            Call::Invalidate(place) => place.holds(cell.place),
            Call::Clear(place) => place.is_cleared_of(cell.place),
            call => call.cell() == Some(cell),
        }
    }

    /// Whether it may change what a cell holds.
    pub(crate) fn writes(&self) -> bool {
        !matches!(
            self,
            Call::Get(_)
                | Call::Read(_)
                | Call::Peek(_)
                | Call::Lookup(_)
                | Call::Contains(_)
                | Call::Ttl(_)
                | Call::GetMany(_)
                | Call::Advance(_)
                | Call::Maintain
        )
    }
}

impl Seen {
    /// A value of which nothing else is told.
    pub(crate) fn bare(value: Number) -> Seen {
        Seen {
            value,
            version: None,
            left: Left::Untold,
            is_stale: None,
        }
    }
}

/// An entry as a caller saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) value: Number,
    /// Absent where the operation doesn't show it.
    pub(crate) version: Option<u64>,
    pub(crate) left: Left,
    /// Likewise.
    pub(crate) is_stale: Option<bool>,
}

/// The time that an entry had left to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// The operation doesn't show it.
    Untold,
    Forever,
    Ticks(u64),
}

/// What an operation answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The entry that was found, replaced, taken out or joined.
    Entry(Option<Seen>),
    /// That a loader has found that there is none.
    Negative,
    Entries(Vec<Option<Seen>>),
    Flag(bool),
    /// Whether there is an entry, and if so whether it has the new time to live.
    Ttl(Option<bool>),
    Left(Option<Left>),
    /// What a predicate was asked about, and what was taken out then.
    Asked(Vec<Seen>, Option<Seen>),
    /// The same, for a call that says only how many it took out.
    Counted(Vec<Seen>, usize),
    /// Whether a conditional write was done, and what it replaced, or what is there instead.
    Put(bool, Option<Seen>),
    /// What a computation was given each time, what there was before it, and what there is after it.
    Computed {
        given: Vec<Option<Seen>>,
        was: Option<Seen>,
        is: Option<Seen>,
    },
    Sum(Number),
    /// From when to when the loader ran, if it did, and what the call gave.
    Loaded(Option<(Stamp, Stamp)>, Got),
    Done,
    /// What no operation may answer: an error, a panic, another key's value.
    Broke(String),
}

impl Answer {
    /// The version of an entry that was seen, if one was.
    pub(crate) fn version(&self) -> Option<u64> {
        let seen = match self {
            Answer::Entry(seen)
            | Answer::Asked(_, seen)
            | Answer::Put(_, seen)
            | Answer::Computed { is: seen, .. } => *seen,
            Answer::Loaded(_, Got::Entry(seen)) => Some(*seen),
            _ => None,
        };
        seen.and_then(|seen| seen.version)
    }
}
