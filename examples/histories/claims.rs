//! Which answer of which operation claims what.
//!
//! # Idea         a `match` over calls and their answers, an arm for each operation; what is wrong by itself is said at once
//! # Not here     atoms: module `atoms`

use crate::atoms::{After, Before, Claims, Deed, Maker, Outcome};
use crate::call::{Answer, Call, Cell, Left, Life, Loads, Made, Only, Place, Seen};
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
            (
                Call::Get(cell) | Call::Read(cell) | Call::Peek(cell) | Call::Lookup(cell),
                Answer::Entry(seen),
            ) => self.step(*cell, Before::of(*seen), After::Same),
            (Call::GetMany(cells), Answer::Entries(entries)) if cells.len() == entries.len() => {
                let mut found = cells.iter().zip(entries);
                found.try_for_each(|(cell, seen)| self.step(*cell, Before::of(*seen), After::Same))
            }
            (Call::Contains(cell), Answer::Flag(is_there)) => {
                let there = is_there.then_some(Before::Something(Left::Untold));
                self.step(*cell, there.unwrap_or(Before::Nothing), After::Same)
            }
            (Call::Ttl(cell), Answer::Left(left)) => {
                let before = left.map_or(Before::Nothing, Before::Something);
                self.step(*cell, before, After::Same)
            }
            (&Call::Insert { cell, value, life }, Answer::Entry(replaced)) => {
                self.step(cell, Before::of(*replaced), After::Value(value, life))
            }
            (Call::Remove(cell), Answer::Entry(taken)) => {
                self.step(*cell, Before::of(*taken), After::Nothing)
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
            (Call::Load { .. }, Answer::Loaded(ran, seen)) => self.load(*ran, *seen),
            (Call::Retain(cell), Answer::Counted(asked, n)) => self.retain(*cell, asked, *n),
            (Call::Invalidate(place), Answer::Done) => {
                self.end(*place);
                Ok(())
            }
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

    /// What was asked about was there when it was; what the last answer decided is the call's effect.
    fn remove_if(&mut self, cell: Cell, asked: &[Seen], taken: Option<Seen>) -> Result<(), String> {
        for seen in asked {
            self.step(cell, Before::This(*seen), After::Same)?;
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
            self.step(cell, Before::of(seen), After::Value(value, life))
        } else {
            self.step(cell, Before::of_other_time(seen), After::Same)
        }
    }

    /// Each entry that the closure was given was there at that time; the last one, still, when the change was made.
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
            self.step(cell, Before::of(*seen), After::Same)?;
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
        let before = Before::This(Seen {
            value,
            version: None,
            left: Left::Untold,
        });
        let kept = Life::Kept;
        self.step(cell, before, After::Value(sum, kept))
    }

    fn load(&mut self, ran: Option<(Stamp, Stamp)>, seen: Option<Seen>) -> Result<(), String> {
        let &Call::Load {
            cell,
            value,
            life,
            loads,
        } = &self.event.call
        else {
            return Ok(());
        };
        let Some((from, to)) = ran else {
            let Some(seen) = seen else {
                return Err("it failed without having run the loader".to_owned());
            };
            return self.step(cell, Before::of_other_time(Some(seen)), After::Same);
        };
        let outcome = match (loads, seen) {
            (Loads::Error | Loads::Panic, None) => Outcome::Failed,
            (Loads::Value, Some(seen)) => {
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
        let (begun, ended, cell) = (self.event.begun, self.event.ended, cell.index);
        self.push_within(Deed::LoadBegins(cell), begun, from);
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
            self.step(cell, Before::This(*seen), After::Same)?;
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
