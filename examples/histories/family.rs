//! Kinds of plans: which calls are likely in them, and where their keys live.
//!
//! # Idea         a history is short, so that a family should meet itself often
//! # Not here     the drawing itself: module `plan`

use crate::call::{CELLS_MAX, Place};

/// Which calls a plan is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Reads and writes that know no time.
    Plain,
    /// Deadlines, and a clock that moves.
    Time,
    /// Scopes that end.
    Scopes,
    /// Writes that depend on what is there.
    Atomic,
    /// Numbers that are added to.
    Counters,
    /// Bytes that are appended to.
    Appends,
    /// Loaders, and what is written while they run.
    Loads,
    /// Values that are loaded anew.
    Stale,
    /// Entries that end when they aren't used.
    Idle,
    /// Everything but counters and appends.
    All,
}

impl Family {
    /// Those whose values can't be added to.
    pub(crate) const OF_VALUES: [Family; 8] = [
        Family::Plain,
        Family::Time,
        Family::Scopes,
        Family::Atomic,
        Family::Loads,
        Family::Stale,
        Family::Idle,
        Family::All,
    ];

    pub(crate) const EACH: [Family; 10] = [
        Family::Plain,
        Family::Time,
        Family::Scopes,
        Family::Atomic,
        Family::Counters,
        Family::Appends,
        Family::Loads,
        Family::Stale,
        Family::Idle,
        Family::All,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Family::Plain => "plain",
            Family::Time => "time",
            Family::Scopes => "scopes",
            Family::Atomic => "atomic",
            Family::Counters => "counters",
            Family::Appends => "appends",
            Family::Loads => "loads",
            Family::Stale => "stale",
            Family::Idle => "idle",
            Family::All => "all",
        }
    }

    /// Each kind of call with how likely it is.
    pub(crate) fn weights(self) -> &'static [(Kind, u64)] {
        use Kind::*;
        match self {
            Family::Plain => &[
                (Look, 30),
                (GetMany, 5),
                (Insert, 20),
                (Remove, 9),
                (RemoveIf, 9),
                (Retain, 2),
                (Clear, 3),
                (Maintain, 1),
            ],
            Family::Time => &[
                (Look, 30),
                (GetMany, 4),
                (Insert, 18),
                (SetTtl, 12),
                (Advance, 14),
                (Remove, 4),
                (RemoveIf, 5),
                (Maintain, 2),
            ],
            Family::Scopes => &[
                (Look, 30),
                (GetMany, 4),
                (Insert, 24),
                (Invalidate, 14),
                (Clear, 2),
                (Remove, 5),
                (RemoveIf, 4),
                (Retain, 1),
                (Maintain, 2),
            ],
            Family::Atomic => &[
                (Look, 20),
                (Insert, 8),
                (PutIf, 25),
                (Compute, 25),
                (Remove, 6),
                (SetTtl, 3),
                (Advance, 5),
            ],
            Family::Counters => &[
                (Look, 15),
                (Increment, 50),
                (Insert, 4),
                (Remove, 6),
                (SetTtl, 3),
                (Advance, 5),
            ],
            Family::Appends => &[
                (Look, 15),
                (Append, 45),
                (Insert, 5),
                (Remove, 6),
                (PutIf, 3),
                (Compute, 3),
                (SetTtl, 3),
                (Advance, 6),
            ],
            Family::Loads => &[
                (Look, 12),
                (Load, 45),
                (Insert, 10),
                (Remove, 10),
                (Clear, 3),
                (Compute, 4),
                (Advance, 4),
            ],
            Family::Stale => &[
                (Look, 14),
                (Load, 40),
                (Insert, 12),
                (Advance, 18),
                (Remove, 5),
                (SetTtl, 4),
                (PutIf, 3),
                (Compute, 4),
                (Clear, 1),
                (Maintain, 1),
            ],
            Family::Idle => &[
                (Look, 40),
                (GetMany, 3),
                (Insert, 14),
                (Advance, 24),
                (Remove, 3),
                (RemoveIf, 2),
                (PutIf, 5),
                (Compute, 4),
                (Load, 6),
                (SetTtl, 3),
                (Maintain, 2),
            ],
            Family::All => &[
                (Look, 26),
                (GetMany, 3),
                (Insert, 14),
                (SetTtl, 4),
                (Advance, 7),
                (Invalidate, 6),
                (Remove, 6),
                (RemoveIf, 3),
                (PutIf, 7),
                (Compute, 7),
                (Load, 12),
                (Retain, 1),
                (Clear, 2),
                (Maintain, 2),
            ],
        }
    }

    /// Places where its cells are, drawn from.
    pub(crate) fn places(self) -> &'static [Place] {
        use Place::*;
        match self {
            Family::Plain | Family::Time | Family::Idle => &[Root],
            Family::Scopes => &[Outer, Inner, Outer],
            Family::Atomic | Family::Counters | Family::Appends => &[Root, Root, Root, Outer],
            Family::Loads | Family::Stale => &[Root, Root, Outer],
            Family::All => &[Root, Outer, Inner],
        }
    }

    pub(crate) fn cells_max(self) -> u64 {
        match self {
            Family::Scopes | Family::All => CELLS_MAX as u64,
            _ => 2,
        }
    }

    /// Whether some of its values go stale.
    pub(crate) fn goes_stale(self) -> bool {
        matches!(self, Family::Appends | Family::Stale | Family::All)
    }

    /// Of how many writes one has a deadline.
    pub(crate) fn timed_one_of(self) -> u64 {
        match self {
            Family::Plain => u64::MAX >> 32,
            Family::Time | Family::Stale => 1,
            Family::Idle => 4,
            _ => 2,
        }
    }
}

/// Kinds of calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Look,
    GetMany,
    Insert,
    Remove,
    RemoveIf,
    SetTtl,
    PutIf,
    Compute,
    Increment,
    Append,
    Load,
    Retain,
    Invalidate,
    Clear,
    Advance,
    Maintain,
}
