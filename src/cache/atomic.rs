//! Changes that depend on what is there: conditional writes, computations, counters.
//!
//! # Idea         whoever changes an entry looks at it without a lock, says what is to be, and the write goes through only if the very
//!   entry that was looked at is still there; else it is looked at again. Who loses too often asks to be alone with the key
//! # Costs        as `get` and `insert`, for each time that the entry is looked at

use super::condition::{Asked, Condition, PutIf};
use super::counter::{Append, Counter, sealed};
use super::lead::Lead;
use super::view::View;
use super::wrote::Wrote;
use crate::entry::{Entry, Source, Value};
use crate::error::{AppendError, ComputeError, IncrementError, InsertError, Refusal};
use crate::flight::{Loading, Waited};
use crate::key::{Key, with_key};
use crate::stats::RemovalCause;
use crate::store::is_telling;
use crate::stripe::{Begun, Condition as StripeCondition, Task};
use crate::sync::thread_id;
use crate::terms::{Ttl, WriteOptions};

/// Times that a computation is overtaken by other writes before it asks to be alone with its key.
const LOST_MAX: usize = 8;
/// ... and then, which only its own writes of the key can bring about.
const LOST_ALONE_MAX: usize = 64;

/// What a computation wants of its key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change<S> {
    /// Nothing is changed.
    Keep,
    /// The entry is taken out, if there is one.
    Remove,
    /// A value is stored, with the default time to live.
    Insert(S),
    /// A value is stored, with these options; [`Ttl::KEEP`] leaves its times as they are.
    InsertWith(S, WriteOptions),
}

/// What there was before a computation, and what there is after it.
#[derive(Debug)]
pub struct Computed<V: Value + ?Sized> {
    /// The entry that the last call of the closure was given.
    pub was: Option<Entry<V>>,
    /// The entry that there is now.
    pub is: Option<Entry<V>>,
}

impl<V: Value + ?Sized> Clone for Computed<V> {
    fn clone(&self) -> Self {
        Self {
            was: self.was.clone(),
            is: self.is.clone(),
        }
    }
}

impl<'a, V: Value + ?Sized> View<'a, V> {
    pub(crate) fn put_if<K, S>(
        self,
        key: &K,
        value: S,
        options: WriteOptions,
        condition: &Condition<'_, V>,
    ) -> Result<PutIf<V, S>, InsertError<S>>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        let mut value = value;
        loop {
            let how = match self.how(options) {
                Ok(how) => how,
                Err(error) => {
                    let refusal = error.into();
                    return Err(InsertError { refusal, value });
                }
            };
            let seen = self.get(key, false);
            let asked = match condition.0 {
                Asked::Version(asked) => seen.as_ref().map(Entry::version) == Some(asked),
                _ => condition.holds(seen.as_deref()),
            };
            if !asked {
                // A key that can't be in a cache is never there, and is refused as by every write.
                if seen.is_none()
                    && let Err(error) = with_key(key, |_| ())
                {
                    let refusal = Refusal::Key(error);
                    return Err(InsertError { refusal, value });
                }
                let present = seen;
                return Ok(PutIf::Unmet { value, present });
            }
            // What is asked of the value was true of this very entry; the rest can be said to the stripe.
            let (how, is_final) = match condition.0 {
                Asked::Present => (how.only(StripeCondition::Present), true),
                Asked::Absent | Asked::Version(_) => (how.only_over(seen.as_ref()), true),
                _ => (how.only_over(seen.as_ref()), false),
            };
            match self.write(key, value, &how)? {
                Wrote::Stored { replaced, .. } => return Ok(PutIf::Stored { replaced }),
                Wrote::Unmet { unstored, present } => {
                    value = unstored.undo();
                    if is_final {
                        return Ok(PutIf::Unmet { value, present });
                    }
                }
                Wrote::Ended { unstored } => value = unstored.undo(),
            }
        }
    }

    pub(crate) fn compute<K, S>(
        self,
        key: &K,
        mut f: impl FnMut(Option<&Entry<V>>) -> Change<S>,
    ) -> Result<Computed<V>, ComputeError<S>>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        for _ in 0..LOST_MAX {
            if let Some(computed) = self.compute_once(key, &mut f, false)? {
                return Ok(computed);
            }
        }
        let Some(alone) = self.alone(key) else {
            return Err(ComputeError::Reentrant);
        };
        // Those who wait for this thread while its closure waits for them are told so.
        let _here = alone
            .as_ref()
            .map(|lead| Loading::begin(lead.work.flight.as_deref()));
        for _ in 0..LOST_ALONE_MAX {
            if let Some(computed) = self.compute_once(key, &mut f, true)? {
                return Ok(computed);
            }
        }
        Err(ComputeError::Reentrant)
    }

    /// One attempt; `None` if another write came between.
    fn compute_once<K, S>(
        self,
        key: &K,
        f: &mut impl FnMut(Option<&Entry<V>>) -> Change<S>,
        is_alone: bool,
    ) -> Result<Option<Computed<V>>, ComputeError<S>>
    where
        K: Key + ?Sized,
        S: Source<V>,
    {
        let home = self.home();
        let was = self.get(key, true);
        let (value, options) = match f(was.as_ref()) {
            Change::Keep => {
                let is = was.clone();
                return Ok(Some(Computed { was, is }));
            }
            Change::Remove => {
                let store = &self.inner.store;
                let is_done = match &was {
                    Some(entry) => {
                        self.note_block_gone(entry.block());
                        store.remove_block(entry.block(), RemovalCause::Removed)
                    }
                    None => {
                        let place = home.map(|home| home.word);
                        let removed = with_key(key, |key| {
                            let at = self.at(place, key);
                            self.note_gone(at.hash);
                            store.remove_absence(at.hash, &at.probe)
                        });
                        removed.unwrap_or(true)
                    }
                };
                return Ok(is_done.then_some(Computed { was, is: None }));
            }
            Change::Insert(value) => (value, WriteOptions::new()),
            Change::InsertWith(value, options) => (value, options),
        };
        let mut how = match self.how(options) {
            Ok(how) => how.only_over(was.as_ref()),
            Err(error) => {
                let refusal = error.into();
                return Err(ComputeError::Refused(InsertError { refusal, value }));
            }
        };
        (how.write.home, how.write.is_alone, how.wants) = (home, is_alone, true);
        match self
            .write(key, value, &how)
            .map_err(ComputeError::Refused)?
        {
            Wrote::Stored { stored, .. } => Ok(Some(Computed { was, is: stored })),
            Wrote::Unmet { unstored, .. } | Wrote::Ended { unstored } => {
                drop(unstored.undo());
                Ok(None)
            }
        }
    }

    /// Has other writers of a key wait, until what this gives is dropped; `None` in it where that can't be had, which is no harm, since it is
    /// a courtesy of theirs. None at all if one of them waits for this thread.
    fn alone<K: Key + ?Sized>(self, key: &K) -> Option<Option<Lead<'a, V>>> {
        let answer = with_key(key, |key| {
            loop {
                let at = self.at(self.place(), key);
                let begun = self.inner.store.begin_work(
                    at.hash,
                    &at.probe,
                    Task::Compute,
                    Some(thread_id()),
                );
                let begun = match begun {
                    Begun::Waits(ticket) => match self.wait(ticket, at, Task::Compute, None) {
                        Ok(begun) => begun,
                        Err(Waited::Landed | Waited::Leads) => continue,
                        Err(Waited::Cycle) if is_telling() => return Some(None),
                        Err(Waited::Cycle) => return None,
                        Err(Waited::TimedOut | Waited::OutOfMemory) => return Some(None),
                    },
                    begun => begun,
                };
                return Some(match begun {
                    Begun::Leads(work) => Some(Lead::new(self, at.hash, work, true)),
                    _ => None,
                });
            }
        });
        answer.unwrap_or(Some(None))
    }

    pub(crate) fn increment<K>(
        self,
        key: &K,
        by: i64,
        initial: i64,
        options: WriteOptions,
    ) -> Result<i64, IncrementError>
    where
        K: Key + ?Sized,
        V: Counter,
    {
        // Also where a present one keeps its own times: whether the call is right doesn't depend on what is there.
        if let Err(error) = self.lifetime(options.ttl) {
            return Err(IncrementError::Refused(error.into()));
        }
        let mut failure = None;
        let mut sum = initial;
        let computed = self.compute(key, |present| {
            failure = None;
            let (before, options) = match present {
                None => (Some(initial), options),
                Some(entry) => {
                    let kept = WriteOptions::from(Ttl::KEEP).tag(entry.tag());
                    (sealed::Counter::number(&**entry), kept)
                }
            };
            let after = before.map(|before| before.checked_add(by));
            match after {
                Some(Some(after)) => {
                    sum = after;
                    Change::InsertWith(V::made(after), options)
                }
                Some(None) => {
                    failure = Some(IncrementError::Overflow);
                    Change::Keep
                }
                None => {
                    failure = Some(IncrementError::NotANumber);
                    Change::Keep
                }
            }
        });
        match (computed, failure) {
            (Err(ComputeError::Refused(error)), _) => Err(IncrementError::Refused(error.refusal)),
            (Err(ComputeError::Reentrant), _) => Err(IncrementError::Refused(Refusal::NoRoom)),
            (Ok(_), Some(failure)) => Err(failure),
            (Ok(_), None) => Ok(sum),
        }
    }

    pub(crate) fn append<K>(
        self,
        key: &K,
        more: &V,
        options: WriteOptions,
    ) -> Result<Entry<V>, AppendError>
    where
        K: Key + ?Sized,
        V: Append,
    {
        // As above.
        if let Err(error) = self.lifetime(options.ttl) {
            return Err(AppendError::Refused(error.into()));
        }
        let computed = self.compute(key, |present| match present {
            None => Change::InsertWith(V::alone(more), options),
            Some(entry) => {
                let kept = WriteOptions::from(Ttl::KEEP).tag(entry.tag());
                Change::InsertWith(sealed::Append::joined(&**entry, more), kept)
            }
        });
        match computed {
            Ok(Computed {
                is: Some(entry), ..
            }) => Ok(entry),
            Ok(_) | Err(ComputeError::Reentrant) => Err(AppendError::Refused(Refusal::NoRoom)),
            Err(ComputeError::Refused(error)) => Err(AppendError::Refused(error.refusal)),
        }
    }
}
