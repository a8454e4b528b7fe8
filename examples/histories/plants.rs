//! Planted faults: wrappers around the cache that do one thing wrong, to see that it is found.
//!
//! # Idea         a fault keeps calls from reaching the cache as they are: it makes two of one, answers too early, or from memory. Most have
//!   been seen in real caches
//! # Not here     a cache without faults: module `subject`

mod impostor;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::family::Family;
use crate::pace::Line;
use crate::subject::{Guest, Seat, Subject};

use impostor::{Impostor, Past};

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    ComputeInTwo,
    ConditionInTwo,
    IncrementInTwo,
    AppendInTwo,
    InsertInTwo,
    LoadOver,
    LoadsInTwo,
    EarlyWaiter,
    Late,
    Revived,
    EarlyRemove,
    Comeback,
    Stale,
    LeftOver,
    NewVersions,
    Unused,
    Uncleared,
    Heedless,
    Refreshed,
    AbsentOver,
    TaskOver,
}

impl Plant {
    pub(crate) const EACH: [Plant; 21] = [
        Plant::ComputeInTwo,
        Plant::ConditionInTwo,
        Plant::IncrementInTwo,
        Plant::AppendInTwo,
        Plant::InsertInTwo,
        Plant::LoadOver,
        Plant::LoadsInTwo,
        Plant::EarlyWaiter,
        Plant::Late,
        Plant::Revived,
        Plant::EarlyRemove,
        Plant::Comeback,
        Plant::Stale,
        Plant::LeftOver,
        Plant::NewVersions,
        Plant::Unused,
        Plant::Uncleared,
        Plant::Heedless,
        Plant::Refreshed,
        Plant::AbsentOver,
        Plant::TaskOver,
    ];

    pub(crate) fn named(name: &str) -> Option<Plant> {
        Plant::EACH.into_iter().find(|plant| plant.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        self.description().0
    }

    pub(crate) fn what(self) -> &'static str {
        self.description().1
    }

    /// Where it is likely to show.
    pub(crate) fn family(self) -> Family {
        self.description().2
    }

    fn description(self) -> (&'static str, &'static str, Family) {
        use Family::{Appends, Atomic, Counters, Idle, Loads, Plain, Scopes, Stale, Time};
        match self {
            Plant::ComputeInTwo => ("compute", "computes by a get and a write", Atomic),
            Plant::ConditionInTwo => ("put-if", "puts if absent by a look and an insert", Atomic),
            Plant::IncrementInTwo => ("increment", "adds by a get and an insert", Counters),
            Plant::AppendInTwo => ("append", "appends by a get and an insert", Appends),
            Plant::InsertInTwo => ("insert", "removes the old value before the new one", Plain),
            Plant::LoadOver => ("load", "stores what it loaded over newer writes", Loads),
            Plant::LoadsInTwo => ("herd", "has several callers load one key at once", Loads),
            Plant::EarlyWaiter => ("waiter", "gives waiters what isn't stored yet", Loads),
            Plant::Late => ("late", "serves a value once more after its deadline", Time),
            Plant::Revived => (
                "revive",
                "gives an expired value another time to live",
                Time,
            ),
            Plant::EarlyRemove => ("remove", "answers a removal before it removes", Plain),
            Plant::Comeback => (
                "comeback",
                "brings a removed value back for a moment",
                Plain,
            ),
            Plant::Stale => ("stale", "reads what was there two writes ago", Plain),
            Plant::LeftOver => ("invalidate", "misses the entry written last", Scopes),
            Plant::NewVersions => ("versions", "begins versions anew after a removal", Plain),
            Plant::Unused => ("use", "takes a read for no use of the entry", Idle),
            Plant::Uncleared => (
                "clear",
                "leaves the entry written last when it clears",
                Plain,
            ),
            Plant::Heedless => ("heedless", "clears without a word to the loads", Loads),
            Plant::Refreshed => ("fresh", "says of a stale value that it is fresh", Stale),
            Plant::AbsentOver => (
                "absence",
                "stores over newer writes that there is nothing",
                Loads,
            ),
            Plant::TaskOver => ("task", "stores what a task loaded over newer writes", Loads),
        }
    }

    /// Puts it before a subject.
    pub(crate) fn before(self, real: Arc<dyn Subject>, line: &Arc<Line>) -> Arc<dyn Subject> {
        Arc::new(Planted {
            plant: self,
            real,
            line: Arc::clone(line),
            past: Mutex::default(),
        })
    }
}

struct Planted {
    plant: Plant,
    real: Arc<dyn Subject>,
    line: Arc<Line>,
    past: Mutex<HashMap<(u64, u8), Past>>,
}

impl Subject for Planted {
    fn guest<'s>(&'s self, seat: Seat) -> Box<dyn Guest + 's> {
        Box::new(Impostor::new(self, seat, self.real.guest(seat)))
    }
}
