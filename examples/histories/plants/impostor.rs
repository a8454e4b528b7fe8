//! What faults do with calls.

use std::cell::RefCell;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Plant, Planted};
use crate::call::{Answer, Asks, Call, Cell, Form, Got, Left, Life, Loads, Made, Seen};
use crate::number::Number;
use crate::pace::pause;
use crate::subject::{Guest, Seat};

/// What a fault remembers of a key.
#[derive(Clone)]
pub(super) struct Past {
    cell: Cell,
    seen: Option<Seen>,
    written: Vec<Number>,
    /// When it was written last, among all keys.
    turn: usize,
    loading: Option<Number>,
    turnstile: Arc<Mutex<()>>,
    version: u64,
}

/// A guest that does one thing wrong.
pub(super) struct Impostor<'s> {
    planted: &'s Planted,
    history: u64,
    guest: Box<dyn Guest + 's>,
    owed: RefCell<Option<Cell>>,
}

impl Guest for Impostor<'_> {
    fn perform(&self, call: &Call) -> Answer {
        match (self.planted.plant, call) {
            (Plant::ComputeInTwo, Call::Compute { .. }) => self.compute(call),
            (Plant::ConditionInTwo, Call::PutIf { .. }) => self.put_if(call),
            (
                Plant::IncrementInTwo,
                &Call::Increment {
                    cell,
                    by,
                    initial,
                    life,
                },
            ) => match self.add(cell, life, |present| present.unwrap_or(initial).plus(by)) {
                Some(sum) => Answer::Sum(sum),
                None => Answer::Broke("the sum is too large".to_owned()),
            },
            (Plant::AppendInTwo, &Call::Append { cell, more, life }) => {
                let join = |present: Option<Number>| match present {
                    Some(value) => Some(value.joined(more)),
                    None => Some(more),
                };
                let joined = self.add(cell, life, join);
                Answer::Entry(joined.map(Seen::bare))
            }
            (Plant::InsertInTwo, Call::Insert { cell, .. }) => {
                let taken = self.entry(Call::Remove(*cell));
                pause();
                self.guest.perform(call);
                Answer::Entry(taken)
            }
            (Plant::LoadOver | Plant::LoadsInTwo | Plant::EarlyWaiter, Call::Load { .. }) => {
                self.load(call)
            }
            (Plant::Late | Plant::Revived, call) => self.remembering(call),
            (Plant::EarlyRemove, call) => self.early(call),
            (Plant::Comeback, Call::Remove(cell)) => {
                let taken = self.entry(Call::Remove(*cell));
                if let Some(Seen { value, .. }) = taken {
                    self.insert(*cell, value, Life::Endless);
                    pause();
                    self.guest.perform(call);
                }
                Answer::Entry(taken)
            }
            (Plant::Stale, Call::Read(cell)) => match self.guest.perform(call) {
                Answer::Entry(Some(seen)) => Answer::Entry(Some(self.two_writes_ago(*cell, seen))),
                answer => answer,
            },
            (Plant::Stale, Call::Insert { cell, value, .. }) => {
                let answer = self.guest.perform(call);
                self.past(*cell, |past| past.written.push(*value));
                answer
            }
            (Plant::LeftOver | Plant::Uncleared, call) => self.but_the_last(call),
            (Plant::Unused, Call::Read(cell)) => self.guest.perform(&Call::Peek(*cell)),
            (Plant::Heedless, Call::Clear(place)) => {
                for past in self.known(|cell| place.is_cleared_of(cell.place)) {
                    // Nothing is written where nothing is, so no load hears of it.
                    if self.entry(Call::Peek(past.cell)).is_some() {
                        self.guest.perform(&Call::Remove(past.cell));
                    }
                }
                Answer::Done
            }
            (Plant::Refreshed, call) => match self.guest.perform(call) {
                Answer::Entry(Some(seen)) => Answer::Entry(Some(Seen {
                    is_stale: seen.is_stale.map(|_| false),
                    ..seen
                })),
                answer => answer,
            },
            (Plant::Heedless, call) => {
                if let Some(cell) = call.cell() {
                    self.past(cell, |past| past.turn += 1);
                }
                self.guest.perform(call)
            }
            (Plant::AbsentOver, Call::Load { cell, .. }) => {
                let answer = self.guest.perform(call);
                if matches!(answer, Answer::Loaded(Some(_), Got::Nothing)) {
                    pause();
                    self.guest.perform(&Call::Remove(*cell));
                }
                answer
            }
            (
                Plant::TaskOver,
                Call::Load {
                    form: Form::Task, ..
                },
            ) => self.load(call),
            (Plant::NewVersions, call) => self.renumbered(call),
            (_, call) => self.guest.perform(call),
        }
    }
}

impl<'s> Impostor<'s> {
    pub(super) fn new(planted: &'s Planted, seat: Seat, guest: Box<dyn Guest + 's>) -> Self {
        Impostor {
            planted,
            history: seat.history,
            guest,
            owed: RefCell::new(None),
        }
    }

    fn past<R>(&self, cell: Cell, f: impl FnOnce(&mut Past) -> R) -> R {
        let mut past = self.planted.past.lock();
        let turn = past.values().map(|past| past.turn).max().unwrap_or(0);
        f(past.entry((self.history, cell.index)).or_insert(Past {
            cell,
            seen: None,
            written: Vec::new(),
            turn,
            loading: None,
            turnstile: Arc::default(),
            version: 0,
        }))
    }

    fn entry(&self, call: Call) -> Option<Seen> {
        match self.guest.perform(&call) {
            Answer::Entry(seen) => seen,
            _ => None,
        }
    }

    fn insert(&self, cell: Cell, value: Number, life: Life) {
        self.guest.perform(&Call::Insert { cell, value, life });
    }

    fn compute(&self, call: &Call) -> Answer {
        let &Call::Compute {
            cell,
            value,
            life,
            makes,
        } = call
        else {
            return Answer::Done;
        };
        let was = self.entry(Call::Get(cell));
        pause();
        let is = match makes.of(was.map(|seen| seen.value), life) {
            Made::Kept => was,
            Made::Removed => {
                self.guest.perform(&Call::Remove(cell));
                None
            }
            Made::Written(life) => {
                self.insert(cell, value, life);
                Some(Seen::bare(value))
            }
        };
        let given = vec![was];
        Answer::Computed { given, was, is }
    }

    fn put_if(&self, call: &Call) -> Answer {
        let &Call::PutIf {
            cell,
            value,
            life,
            asks: Asks::Absent,
        } = call
        else {
            return self.guest.perform(call);
        };
        let seen = self.entry(Call::Peek(cell));
        pause();
        if seen.is_none() {
            self.insert(cell, value, life);
        }
        Answer::Put(seen.is_none(), seen)
    }

    /// Adds to what was there a moment ago.
    fn add(
        &self,
        cell: Cell,
        life: Life,
        added: impl FnOnce(Option<Number>) -> Option<Number>,
    ) -> Option<Number> {
        let present = self.entry(Call::Get(cell));
        pause();
        let value = added(present.map(|seen| seen.value))?;
        let life = present.map_or(life, |_| Life::Kept);
        self.insert(cell, value, life);
        Some(value)
    }

    fn load(&self, call: &Call) -> Answer {
        let &Call::Load {
            cell,
            value,
            life,
            loads,
            ..
        } = call
        else {
            return Answer::Done;
        };
        let turnstile = self.past(cell, |past| Arc::clone(&past.turnstile));
        let _alone = (self.planted.plant == Plant::LoadOver).then(|| turnstile.lock());
        if loads != Loads::Value {
            return self.guest.perform(call);
        }
        if self.planted.plant == Plant::EarlyWaiter {
            if let Some(value) = self.past(cell, |past| past.loading) {
                return Answer::Loaded(None, Got::Entry(Seen::bare(value)));
            }
            self.past(cell, |past| past.loading = Some(value));
            let answer = self.guest.perform(call);
            self.past(cell, |past| past.loading = None);
            return answer;
        }
        if let Some(seen) = self.entry(Call::Get(cell)) {
            return Answer::Loaded(None, Got::Entry(seen));
        }
        let from = self.planted.line.stamp();
        pause();
        let to = self.planted.line.stamp();
        self.insert(cell, value, life);
        Answer::Loaded(Some((from, to)), Got::Entry(Seen::bare(value)))
    }

    /// Remembers what was found, and answers it once more where there is nothing.
    fn remembering(&self, call: &Call) -> Answer {
        let answer = self.guest.perform(call);
        match (call, &answer) {
            (Call::Get(cell) | Call::Peek(cell), Answer::Entry(Some(seen))) => {
                self.past(*cell, |past| past.seen = Some(*seen));
            }
            (Call::Get(cell), Answer::Entry(None)) if self.planted.plant == Plant::Late => {
                let seen = self.past(*cell, |past| past.seen.take());
                let left = Left::Ticks(1);
                return Answer::Entry(seen.map(|seen| Seen { left, ..seen }));
            }
            (&Call::SetTtl { cell, life, .. }, Answer::Ttl(None))
                if self.planted.plant == Plant::Revived =>
            {
                if let Some(seen) = self.past(cell, |past| past.seen.take()) {
                    self.insert(cell, seen.value, life);
                    return Answer::Ttl(Some(true));
                }
            }
            (call, _) if call.writes() => {
                if let Some(cell) = call.cell() {
                    self.past(cell, |past| past.seen = None);
                }
            }
            _ => {}
        }
        answer
    }

    /// Removals are done when the thread calls again.
    fn early(&self, call: &Call) -> Answer {
        if let Some(cell) = self.owed.take() {
            self.guest.perform(&Call::Remove(cell));
        }
        let Call::Remove(cell) = call else {
            return self.guest.perform(call);
        };
        self.owed.replace(Some(*cell));
        self.guest.perform(&Call::Peek(*cell))
    }

    fn two_writes_ago(&self, cell: Cell, seen: Seen) -> Seen {
        let value = self.past(cell, |past| past.written.iter().rev().nth(2).copied());
        value.map_or(seen, Seen::bare)
    }

    /// What it remembers of such keys of its history.
    fn known(&self, is_such: impl Fn(Cell) -> bool) -> Vec<Past> {
        let past = self.planted.past.lock();
        let own = past.iter().filter(|(key, _)| key.0 == self.history);
        let such = own.map(|(_, past)| past).filter(|past| is_such(past.cell));
        such.cloned().collect()
    }

    /// Invalidates, or clears, by removing what it knows of, but for what was written last.
    fn but_the_last(&self, call: &Call) -> Answer {
        let mut known = match (self.planted.plant, call) {
            (Plant::LeftOver, Call::Invalidate(place)) => {
                self.known(|cell| place.holds(cell.place))
            }
            (Plant::Uncleared, Call::Clear(place)) => {
                self.known(|cell| place.is_cleared_of(cell.place))
            }
            _ => {
                let answer = self.guest.perform(call);
                if let Some(cell) = call.cell().filter(|_| call.writes()) {
                    self.past(cell, |past| past.turn += 1);
                }
                return answer;
            }
        };
        known.sort_by_key(|past| past.turn);
        known.pop();
        for past in known {
            self.guest.perform(&Call::Remove(past.cell));
        }
        Answer::Done
    }

    fn renumbered(&self, call: &Call) -> Answer {
        let answer = self.guest.perform(call);
        let (Some(cell), Answer::Entry(Some(seen))) = (call.cell(), &answer) else {
            return answer;
        };
        let Some(version) = seen.version else {
            return answer;
        };
        let start = self.past(cell, |past| {
            let start = past.version;
            if matches!(call, Call::Remove(_)) {
                past.version = version;
            }
            start
        });
        let version = Some(version.saturating_sub(start));
        Answer::Entry(Some(Seen { version, ..*seen }))
    }
}
