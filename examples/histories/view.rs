//! The calls on one key, as calls of the cache's interface.
//!
//! # Idea         an arm for each operation, which turns the call into arguments and what comes back into an answer; the text is the
//!   same for the cache and its scopes, which have the same methods and no common trait
//! # Not here     calls that concern no single place: module `subject`

use std::borrow::Borrow as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use larder::{
    Change, Condition, Entry, LoadError, LoadOptions, Loaded, Lookup, PutIf, Ttl, TtlChange,
    WriteOptions,
};

use crate::call::{Answer, Asks, Call, Cell, Form, Got, Left, Life, Loads, Made, Only, Seen};
use crate::content::{Content, Owner, Within};
use crate::pace::{Line, Stamp, pause};
use crate::task::{poll_for, yield_once};

/// Whom a call is from, and how its answer is understood.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'l> {
    pub(crate) owner: Owner,
    pub(crate) tick_ns: u64,
    pub(crate) line: &'l Line,
}

impl Asked<'_> {
    fn at(self, cell: Cell) -> Self {
        Asked {
            owner: Owner { cell, ..self.owner },
            ..self
        }
    }

    fn ticks(self, ticks: u64) -> Duration {
        Duration::from_nanos(ticks * self.tick_ns)
    }

    fn options(self, life: Life) -> WriteOptions {
        match life {
            Life::Endless => WriteOptions::new(),
            Life::Ticks(ticks) => self.ticks(ticks).into(),
            Life::Stale(fresh, stale) => {
                let ttl = Ttl::after(self.ticks(fresh));
                ttl.stale(self.ticks(stale)).into()
            }
            Life::Kept => Ttl::KEEP.into(),
        }
    }

    fn load_options(self, life: Life) -> LoadOptions {
        LoadOptions::from(self.options(life)).back_off(self.ticks(1))
    }

    fn left(self, left: Option<Duration>) -> Left {
        left.map_or(Left::Forever, |left| {
            // The clock moves by whole ticks; what isn't one comes out as a number that nothing explains.
            let (nanos, tick) = (left.as_nanos(), u128::from(self.tick_ns));
            let ticks = (nanos % tick == 0).then_some(nanos / tick);
            Left::Ticks(ticks.and_then(|n| n.try_into().ok()).unwrap_or(u64::MAX))
        })
    }

    fn seen<V: Content + ?Sized>(self, entry: &Entry<V>) -> Result<Seen, Answer> {
        if !entry.is_of(self.owner) {
            return Err(foreign());
        }
        Ok(Seen {
            value: entry.number(),
            version: Some(entry.version()),
            left: self.left(entry.ttl()),
            is_stale: Some(entry.is_stale()),
        })
    }

    fn maybe_seen<V: Content + ?Sized>(
        self,
        entry: Option<&Entry<V>>,
    ) -> Result<Option<Seen>, Answer> {
        entry.map(|entry| self.seen(entry)).transpose()
    }

    fn entry<V: Content + ?Sized>(self, entry: Option<Entry<V>>) -> Result<Answer, Answer> {
        self.maybe_seen(entry.as_ref()).map(Answer::Entry)
    }
}

fn foreign() -> Answer {
    Answer::Broke("it answered the value of another key".to_owned())
}

fn broke(error: impl ToString) -> Answer {
    Answer::Broke(error.to_string())
}

/// From when to when a loader ran.
type Moments = std::cell::Cell<Option<(Stamp, Stamp)>>;

/// What a loader fails with.
#[derive(Debug)]
struct Failed;

/// What the cache and its scopes can do.
pub(crate) trait View {
    fn perform(self, asked: Asked<'_>, call: &Call) -> Answer;
}

/// One text for three types.
macro_rules! perform {
    ($view:expr, $asked:expr, $call:expr, $content:ty) => {
        (|| {
            let (view, asked, call): (_, Asked<'_>, &Call) = ($view, $asked, $call);
            let owner = asked.owner;
            Ok(match call {
                Call::Get(_) => asked.entry(view.get(owner))?,
                Call::Peek(_) => asked.entry(view.peek(owner))?,
                Call::Lookup(_) => match view.lookup(owner) {
                    Lookup::Hit(entry) | Lookup::Stale(entry) => asked.entry(Some(entry))?,
                    Lookup::Miss(_) => Answer::Entry(None),
                    Lookup::Negative => Answer::Negative,
                },
                Call::Read(_) => {
                    let read = view.read(owner, |value: &$content| {
                        pause();
                        (value.is_of(owner), value.number())
                    });
                    match read {
                        Some((false, _)) => Err(foreign())?,
                        read => Answer::Entry(read.map(|(_, value)| Seen::bare(value))),
                    }
                }
                Call::Contains(_) => Answer::Flag(view.contains_key(owner)),
                Call::Ttl(_) => Answer::Left(view.ttl(owner).map(|left| asked.left(left))),
                Call::GetMany(cells) => {
                    let owners: Vec<Owner> =
                        cells.iter().map(|cell| asked.at(*cell).owner).collect();
                    let entries = view.get_many(&owners).into_iter().zip(cells);
                    let seen =
                        entries.map(|(entry, cell)| asked.at(*cell).maybe_seen(entry.as_ref()));
                    Answer::Entries(seen.collect::<Result<_, _>>()?)
                }
                &Call::Insert { value, life, .. } => {
                    let value = <$content>::made(owner, value);
                    let replaced = match life {
                        Life::Endless => view.insert(owner, value),
                        Life::Ticks(ticks) => {
                            view.insert_with_ttl(owner, value, asked.ticks(ticks))
                        }
                        Life::Stale(..) | Life::Kept => {
                            view.insert_with(owner, value, asked.options(life))
                        }
                    };
                    asked.entry(replaced.map_err(broke)?)?
                }
                Call::Remove(_) => asked.entry(view.remove(owner))?,
                Call::RemoveIf(_) => {
                    let mut given = Vec::new();
                    let taken = view.remove_if(owner, |entry| {
                        given.push(asked.seen(entry));
                        pause();
                        entry.number().is_unwanted()
                    });
                    let given = given.into_iter().collect::<Result<_, _>>()?;
                    Answer::Asked(given, asked.maybe_seen(taken.as_ref())?)
                }
                &Call::SetTtl { life, only, .. } => {
                    let ttl = match life {
                        Life::Ticks(ticks) => Some(asked.ticks(ticks)),
                        Life::Endless | Life::Stale(..) | Life::Kept => None,
                    };
                    let change = match (only, ttl) {
                        (Only::Longer, Some(ttl)) => view.increase_ttl(owner, ttl),
                        (Only::Shorter, Some(ttl)) => view.decrease_ttl(owner, ttl),
                        _ => {
                            let is_there = view.set_ttl(owner, ttl).map_err(broke)?;
                            Ok(if is_there {
                                TtlChange::Set
                            } else {
                                TtlChange::Absent
                            })
                        }
                    };
                    Answer::Ttl(match change.map_err(broke)? {
                        TtlChange::Set => Some(true),
                        TtlChange::NotSet => Some(false),
                        TtlChange::Absent => None,
                    })
                }
                &Call::PutIf {
                    value, life, asks, ..
                } => {
                    let compared = match asks {
                        Asks::Equal(number) | Asks::NotEqual(number) => number,
                        _ => value,
                    };
                    let (value, compared) = (
                        <$content>::made(owner, value),
                        <$content>::made(owner, compared),
                    );
                    let condition = match asks {
                        Asks::Absent => Condition::ABSENT,
                        Asks::Present => Condition::PRESENT,
                        Asks::Version(version) => Condition::version(version),
                        Asks::LastSeen => Condition::version(0),
                        Asks::Equal(_) => Condition::equal(compared.borrow()),
                        Asks::NotEqual(_) => Condition::not_equal(compared.borrow()),
                    };
                    match view
                        .put_if(owner, value, asked.options(life), condition)
                        .map_err(broke)?
                    {
                        PutIf::Stored { replaced } => {
                            Answer::Put(true, asked.maybe_seen(replaced.as_ref())?)
                        }
                        PutIf::Unmet { present, .. } => {
                            Answer::Put(false, asked.maybe_seen(present.as_ref())?)
                        }
                    }
                }
                &Call::Compute {
                    value, life, makes, ..
                } => {
                    let mut given = Vec::new();
                    let computed = view.compute(owner, |entry: Option<&Entry<$content>>| {
                        given.push(asked.maybe_seen(entry));
                        pause();
                        match makes.of(entry.map(|entry| entry.number()), life) {
                            Made::Kept => Change::Keep,
                            Made::Removed => Change::Remove,
                            Made::Written(life) => Change::InsertWith(
                                <$content>::made(owner, value),
                                asked.options(life),
                            ),
                        }
                    });
                    let computed = computed.map_err(broke)?;
                    Answer::Computed {
                        given: given.into_iter().collect::<Result<_, _>>()?,
                        was: asked.maybe_seen(computed.was.as_ref())?,
                        is: asked.maybe_seen(computed.is.as_ref())?,
                    }
                }
                &Call::Load {
                    value,
                    life,
                    loads,
                    form,
                    ..
                } => {
                    // When the loader began, and when it ended; a task's may be dropped in between.
                    let ran = Moments::default();
                    let loaded = || -> Result<Loaded<<$content as Content>::Made>, Failed> {
                        ran.set(ran.get().map(|(from, _)| (from, asked.line.stamp())));
                        match loads {
                            Loads::Value | Loads::Dropped(_) => {
                                Ok(Loaded::Value(<$content>::made(owner, value)))
                            }
                            Loads::Absent(ticks) => Ok(Loaded::Absent(asked.ticks(ticks))),
                            Loads::Error => Err(Failed),
                            Loads::Panic => resume_unwind(Box::new(Failed)),
                        }
                    };
                    let begin = || {
                        let from = asked.line.stamp();
                        ran.set(Some((from, from)));
                        pause();
                    };
                    let load = || {
                        begin();
                        pause();
                        loaded()
                    };
                    let options = asked.load_options(life);
                    let got = catch_unwind(AssertUnwindSafe(|| match form {
                        Form::Insert => {
                            let value = || match load()? {
                                Loaded::Value(value) => Ok(value),
                                _ => Err(Failed),
                            };
                            let entry = view.try_get_or_insert_with(owner, options, value);
                            Some(entry.map(Some))
                        }
                        Form::Load => Some(view.get_or_load(owner, options, load)),
                        Form::Task => {
                            let load = async {
                                begin();
                                yield_once().await;
                                pause();
                                loaded()
                            };
                            let n_polls_max = match loads {
                                Loads::Dropped(n) => n,
                                _ => u32::MAX,
                            };
                            let task = view.get_or_load_async(owner, options, load);
                            poll_for(task, n_polls_max)
                        }
                    }));
                    let got = match got {
                        Ok(None) => Got::Dropped,
                        Ok(Some(Ok(entry))) => match asked.maybe_seen(entry.as_ref())? {
                            Some(seen) => Got::Entry(seen),
                            None => Got::Nothing,
                        },
                        Ok(Some(Err(LoadError::Loader(Failed)))) => Got::Failure,
                        Ok(Some(Err(error))) => Err(broke(format!("{error:?}")))?,
                        Err(panic) if panic.is::<Failed>() => Got::Failure,
                        Err(panic) => resume_unwind(panic),
                    };
                    Answer::Loaded(ran.get(), got)
                }
                Call::Retain(_) => {
                    let mut given = Vec::new();
                    let n_taken = view.retain(|entry| {
                        if !entry.is_of(owner) {
                            return true;
                        }
                        given.push(asked.seen(entry));
                        pause();
                        !entry.number().is_unwanted()
                    });
                    Answer::Counted(given.into_iter().collect::<Result<_, _>>()?, n_taken)
                }
                Call::Increment { .. }
                | Call::Append { .. }
                | Call::Invalidate(_)
                | Call::Clear(_)
                | Call::Advance(_)
                | Call::Maintain => Answer::Done,
            })
        })()
    };
}

impl<V: Content + ?Sized> View for Within<'_, V> {
    fn perform(self, asked: Asked<'_>, call: &Call) -> Answer {
        // Either is an answer; the errors are those that no operation may give.
        let answer = match (self, call) {
            (
                place,
                &Call::Increment {
                    by, initial, life, ..
                },
            ) => V::increment(place, asked.owner, by, initial, asked.options(life))
                .map(Answer::Sum)
                .map_err(broke),
            (place, &Call::Append { more, life, .. }) => {
                V::append(place, asked.owner, more, asked.options(life))
                    .map_err(broke)
                    .and_then(|joined| asked.entry(Some(joined)))
            }
            (Within::Cache(view), call) => perform!(view, asked, call, V),
            (Within::Scope(view), call) => perform!(view, asked, call, V),
            (Within::Owned(view), call) => perform!(view, asked, call, V),
        };
        answer.unwrap_or_else(|broke| broke)
    }
}
