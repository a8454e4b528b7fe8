//! Which answer of which operation claims what.
//!
//! # Idea         a `match` over calls and their answers, an arm for each operation; what is wrong by itself is said at once
//! # Not here     atoms: module `atoms`

use crate::atoms::{After, Before, Claims, Deed, Maker, Outcome};
use crate::call::{Answer, Call, Cell, Form, Got, Left, Life, Loads, Made, Only, Place, Seen};
use crate::history::History;
use crate::pace::Stamp;

/// The claims of a history.
///
/// # Errors
/// The event with an answer that is wrong by itself, and what is wrong with it.
pub(crate) fn claims(history: &History) -> Result<Claims, (usize, String)> {
    let mut claims = Claims::default();
    for (index, event) in history.events.iter().enumerate() {
        let mut maker = Maker {
            history,
            event,
            index,
            turn: 0,
            claims: &mut claims,
        };
        maker.claim().map_err(|what| (index, what))?;
    }
    Ok(claims)
}

impl Maker<'_> {
    fn claim(&mut self) -> Result<(), String> {
        match (&self.event.call, &self.event.answer) {
            (_, Answer::Broke(how)) => Err(how.clone()),
            (Call::Get(cell) | Call::Read(cell), Answer::Entry(seen)) => self.used(*cell, *seen),
            (Call::Peek(cell), Answer::Entry(seen)) => {
                self.look(*cell, Before::of(*seen), After::Same)
            }
            (Call::Lookup(cell), answer) => self.lookup(*cell, answer),
            (Call::GetMany(cells), Answer::Entries(entries)) if cells.len() == entries.len() => {
                let mut found = cells.iter().zip(entries);
                found.try_for_each(|(cell, seen)| self.used(*cell, *seen))
            }
            (Call::Contains(cell), Answer::Flag(is_there)) => {
                let there = is_there.then_some(Before::Something(Left::Untold));
                self.step(*cell, there.unwrap_or(Before::Nothing), After::Same)
            }
            (Call::Ttl(cell), Answer::Left(left)) => {
                let before = left.map_or(Before::Nothing, Before::Something);
                self.look(*cell, before, After::Same)
            }
            (&Call::Insert { cell, value, life }, Answer::Entry(replaced)) => {
                self.step(cell, self.taken(*replaced), After::Value(value, life))
            }
            (Call::Remove(cell), Answer::Entry(taken)) => {
                self.step(*cell, self.taken(*taken), After::Nothing)
            }
            (Call::RemoveIf(cell), Answer::Asked(asked, taken)) => {
                self.remove_if(*cell, asked, *taken)
            }
            (Call::SetTtl { .. }, Answer::Ttl(done)) => self.set_ttl(*done),
            (Call::PutIf { .. }, Answer::Put(is_stored, seen)) => self.put_if(*is_stored, *seen),
            (Call::Compute { .. }, Answer::Computed { given, was, is }) => {
                self.compute(given, *was, *is)
            }
            (Call::Increment { .. }, Answer::Sum(_)) => self.increment(),
            (Call::Append { .. }, Answer::Entry(Some(seen))) => self.append(*seen),
            (Call::Load { .. }, Answer::Loaded(ran, got)) => self.load(*ran, *got),
            (Call::Retain(cell), Answer::Counted(asked, n)) => self.retain(*cell, asked, *n),
            (Call::Invalidate(place), Answer::Done) => {
                self.end(*place);
                Ok(())
            }
            (Call::Clear(place), Answer::Done) => self.clear(*place),
            (Call::Advance(_), Answer::Done) => {
                self.push(Deed::Advance(self.event.ended.ticks));
                Ok(())
            }
            (Call::Maintain, Answer::Done) => Ok(()),
            (call, answer) => Err(format!("{call} can't answer {answer}")),
        }
    }

    fn end(&mut self, place: Place) {
        let ended = self.history.cells.iter();
        let ended = ended.filter(|cell| place.holds(cell.place));
        self.push(Deed::End(ended.map(|cell| cell.index).collect()));
    }

    /// Loads that began before are overtaken. What was there when the call began goes at some moment; what came meanwhile may go as well, and
    /// what was written over before it came to go is gone by that.
    fn clear(&mut self, place: Place) -> Result<(), String> {
        for &cell in &self.history.cells {
            if !place.is_cleared_of(cell.place) {
                continue;
            }
            self.push(Deed::Overtake(cell.index));
            if !self.history.is_written_during(self.event, cell) {
                self.step(cell, Before::Any, After::Nothing)?;
                continue;
            }
            // In the next life of its scope a key is elsewhere, and the walk may come by once more.
            let others = self.history.writes_during(self.event, cell);
            let n_ends = others.filter(|call| matches!(call, Call::Invalidate(_)));
            for _ in 0..=n_ends.count() {
                self.step(cell, Before::Any, After::MaybeNothing)?;
            }
        }
        Ok(())
    }

    /// A look that counts as a use. Where it doesn't tell what is left, it is one at a moment of its own beside a change of that.
    fn used(&mut self, cell: Cell, seen: Option<Seen>) -> Result<(), String> {
        let tells_left = seen.is_some_and(|seen| seen.left != Left::Untold);
        if tells_left || !self.is_beside_set_ttl(cell) {
            return self.look(cell, Before::of(seen), After::Used);
        }
        self.step(cell, Before::of(seen), After::MaybeUsed)?;
        self.may_use(cell)
    }

    /// What the second look finds is no use.
    fn lookup(&mut self, cell: Cell, answer: &Answer) -> Result<(), String> {
        match answer {
            Answer::Entry(Some(seen)) => self.look(cell, Before::This(*seen), After::MaybeUsed),
            Answer::Entry(None) => self.step(cell, Before::Void, After::Same),
            Answer::Negative => self.step(cell, Before::Absence, After::Same),
            answer => Err(format!("it can't answer {answer}")),
        }
    }

    /// A look that an operation made on its way, and of which it doesn't tell.
    fn may_use(&mut self, cell: Cell) -> Result<(), String> {
        match self.history.idle {
            None => Ok(()),
            Some(_) => self.step(cell, Before::Any, After::MaybeUsed),
        }
    }

    /// An entry that was taken out. Whether a use of it that came at the same moment moved its idle deadline is told by neither of both.
    fn taken(&self, seen: Option<Seen>) -> Before {
        let told = |seen: Seen| match self.history.idle {
            None => seen,
            Some(_) => Seen {
                left: Left::Untold,
                ..seen
            },
        };
        Before::of(seen.map(told))
    }

    /// What was asked about was there when it was, one after the other; what the last answer decided is the call's effect.
    fn remove_if(&mut self, cell: Cell, asked: &[Seen], taken: Option<Seen>) -> Result<(), String> {
        for seen in asked {
            self.look(cell, Before::This(*seen), After::Same)?;
            self.turn += 1;
        }
        let wants = asked.last().filter(|last| last.value.is_unwanted());
        match (wants, taken) {
            (Some(last), Some(taken)) if taken == *last => {
                // By then it may have other times left than in the handle that the predicate was given.
                self.step(cell, Before::of_other_time(Some(taken)), After::Nothing)
            }
            (_, Some(taken)) => Err(format!("it took {taken}, and wasn't told to")),
            // Another was quicker, and then there was nothing.
            (Some(_), None) => self.step(cell, Before::Nothing, After::Same),
            (None, None) if asked.is_empty() => self.step(cell, Before::Nothing, After::Same),
            (None, None) => Ok(()),
        }
    }

    fn set_ttl(&mut self, done: Option<bool>) -> Result<(), String> {
        let Call::SetTtl { cell, life, only } = self.event.call else {
            return Ok(());
        };
        let Some(is_set) = done else {
            return self.step(cell, Before::Nothing, After::Same);
        };
        if !is_set && only == Only::Always {
            return Err("it is to be set in any case".to_owned());
        }
        let there = Before::Something(Left::Untold);
        self.step(cell, there, After::Life { life, only, is_set })
    }

    fn put_if(&mut self, is_stored: bool, seen: Option<Seen>) -> Result<(), String> {
        let Call::PutIf {
            cell,
            value,
            life,
            asks,
        } = self.event.call
        else {
            return Ok(());
        };
        if asks.holds(seen) != is_stored {
            return Err("that isn't what it was asked for".to_owned());
        }
        if is_stored {
            self.step(cell, self.taken(seen), After::Value(value, life))
        } else {
            self.step(cell, Before::of_other_time(seen), After::Same)
        }
    }

    /// Each entry that the closure was given was there at that time, one after the other; the last one, still, when the change was made.
    fn compute(
        &mut self,
        given: &[Option<Seen>],
        was: Option<Seen>,
        is: Option<Seen>,
    ) -> Result<(), String> {
        let Call::Compute {
            cell,
            value,
            life,
            makes,
        } = self.event.call
        else {
            return Ok(());
        };
        for seen in given {
            self.used(cell, *seen)?;
            self.turn += 1;
        }
        if given.last() != Some(&was) {
            return Err("what it says was there isn't what the closure was given".to_owned());
        }
        let made = makes.of(was.map(|seen| seen.value), life);
        let is_right = match made {
            Made::Kept => is == was,
            Made::Removed => is.is_none(),
            Made::Written(_) => is.is_some_and(|seen| seen.value == value),
        };
        if !is_right {
            return Err(format!("it was told to {made}"));
        }
        let before = Before::of_other_time(was);
        match made {
            Made::Kept => Ok(()),
            Made::Removed => self.step(cell, before, After::Nothing),
            Made::Written(life) => {
                is.map_or(Ok(()), |seen| self.saw(seen))?;
                self.step(cell, before, After::Value(value, life))
            }
        }
    }

    /// The sum says what it was added to.
    fn increment(&mut self) -> Result<(), String> {
        let (
            &Call::Increment {
                cell,
                by,
                initial,
                life,
            },
            &Answer::Sum(sum),
        ) = (&self.event.call, &self.event.answer)
        else {
            return Ok(());
        };
        if Some(sum) == initial.plus(by) {
            return self.step(cell, Before::Nothing, After::Value(sum, life));
        }
        let Some(value) = sum.minus(by) else {
            return Err("the sum is less than what was added".to_owned());
        };
        let before = Before::This(Seen::bare(value));
        let kept = Life::Kept;
        self.step(cell, before, After::Value(sum, kept))
    }

    /// The joined value says what it was joined from.
    fn append(&mut self, joined: Seen) -> Result<(), String> {
        let Call::Append { cell, more, life } = self.event.call else {
            return Ok(());
        };
        self.saw(joined)?;
        if joined.value == more {
            return self.step(cell, Before::Nothing, After::Value(more, life));
        }
        let Some(value) = joined.value.without(more) else {
            return Err("what it appended isn't at the end".to_owned());
        };
        let before = Before::This(Seen::bare(value));
        self.step(cell, before, After::Value(joined.value, Life::Kept))
    }

    fn load(&mut self, ran: Option<(Stamp, Stamp)>, got: Got) -> Result<(), String> {
        let &Call::Load {
            cell,
            value,
            life,
            loads,
            form,
        } = &self.event.call
        else {
            return Ok(());
        };
        self.may_use(cell)?;
        let (begun, ended) = (self.event.begun, self.event.ended);
        let Some((from, to)) = ran else {
            return match got {
                Got::Entry(seen) => self.step(cell, Before::of_other_time(Some(seen)), After::Same),
                Got::Nothing if form != Form::Insert => {
                    self.step(cell, Before::Absence, After::Same)
                }
                Got::Dropped => Ok(()),
                Got::Nothing | Got::Failure => {
                    Err("it failed without having run the loader".to_owned())
                }
            };
        };
        let outcome = match (loads, got) {
            (Loads::Error | Loads::Panic, Got::Failure) | (Loads::Dropped(_), Got::Dropped) => {
                Outcome::Failed
            }
            // The stale one that was to be loaded anew.
            (Loads::Error, Got::Entry(seen)) => {
                let deed = Deed::Step {
                    cell: cell.index,
                    before: Before::of_other_time(Some(seen)),
                    after: After::Same,
                };
                self.saw(seen)?;
                self.push_within(deed, begun, from);
                Outcome::Failed
            }
            (Loads::Absent(ticks), Got::Nothing) => Outcome::Absence(ticks),
            (Loads::Value | Loads::Dropped(_), Got::Entry(seen)) => {
                // What is not stored has no version.
                if seen.version != Some(0) {
                    self.saw(seen)?;
                }
                if seen.value == value {
                    Outcome::Own { value, life }
                } else {
                    // A newer value, which the call may have found at any time.
                    self.step(cell, Before::of_other_time(Some(seen)), After::Same)?;
                    Outcome::Other
                }
            }
            _ => return Err("the loader's outcome isn't the call's".to_owned()),
        };
        // Who found a stale value loads it anew, whatever has become of it by then.
        let mut others = self.history.writes_during(self.event, cell);
        let accepts_absent = form != Form::Insert
            && !others.any(|call| {
                matches!(
                    call,
                    Call::Load {
                        loads: Loads::Absent(_),
                        ..
                    }
                )
            });
        let cell = cell.index;
        let begins = Deed::LoadBegins {
            cell,
            accepts_absent,
        };
        self.push_within(begins, begun, from);
        self.push_within(Deed::LoadEnds { cell, outcome }, to, ended);
        Ok(())
    }

    /// A walk sees what is there throughout; what comes, goes or is replaced meanwhile it may see or not.
    fn retain(&mut self, cell: Cell, asked: &[Seen], n_taken: usize) -> Result<(), String> {
        let is_disturbed = self.history.is_written_during(self.event, cell);
        if !is_disturbed && asked.len() > 1 {
            return Err("it walked over the same key twice".to_owned());
        }
        let unwanted = asked.iter().filter(|seen| seen.value.is_unwanted());
        if n_taken > unwanted.count() {
            return Err("it took more than it was told to".to_owned());
        }
        if asked.is_empty() && !is_disturbed {
            return self.step(cell, Before::Nothing, After::Same);
        }
        for seen in asked {
            self.look(cell, Before::This(*seen), After::Same)?;
        }
        match asked {
            // With one that is unwanted, the count says whether it went.
            [one] if n_taken == 1 => {
                self.step(cell, Before::of_other_time(Some(*one)), After::Nothing)
            }
            _ => Ok(()),
        }
    }
}
