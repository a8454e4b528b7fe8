//! What becomes of a load that a caller leads: its loader runs, and what that brings is stored.
//!
//! # Idea         what was loaded goes the way of a write, on condition that the key was not written meanwhile
//! # Costs        those of a write
//! # Invariants   Z1 of `load`: the right to load ends with each of these, whatever comes of it
//! # Not here     who leads, and who waits: `load`; what most loads bring: `plain`

use super::how::How;
use super::lead::{Lead, Stopwatch};
use super::load::LoadAnswer;
use super::loading::Loaded;
use super::view::View;
use super::wrote::Wrote;
use crate::entry::{Source, Value};
use crate::error::{InsertError, LoadError};
use crate::flight::Loading;
use crate::key::KeyRef;
use crate::stripe::Condition;

/// Runs a loader, and has what it brings stored.
#[inline(always)]
pub(super) fn run<'a, V, S, E>(
    lead: Lead<'a, V>,
    load: impl FnOnce() -> Result<Loaded<S>, E>,
    settle: impl FnOnce(Lead<'a, V>, Loaded<S>) -> LoadAnswer<V, S, E>,
) -> LoadAnswer<V, S, E>
where
    V: Value + ?Sized,
    S: Source<V>,
{
    let stopwatch = Stopwatch::start(lead.view.tally());
    let flight = lead.work.flight.clone();
    // Also while the value is stored: that may run a listener, or drop values, which ask for this very key.
    let _loading = Loading::begin(flight.as_deref());
    let loaded = load();
    stopwatch.stop(loaded.is_ok());
    settle(lead, loaded.map_err(LoadError::Loader)?)
}

impl<V: Value + ?Sized> View<'_, V> {
    /// Stores what was loaded.
    pub(super) fn settle<S, E>(
        self,
        key: KeyRef<'_>,
        lead: Lead<'_, V>,
        how: How<'_>,
        loaded: Loaded<S>,
    ) -> LoadAnswer<V, S, E>
    where
        S: Source<V>,
    {
        let (value, spans) = match loaded {
            Loaded::Value(value) => (value, Ok((how.write.lifetime, how.tag, how.is_copy))),
            Loaded::With(value, options) => {
                let lifetime = self.lifetime(options.ttl);
                let spans = lifetime.map(|lifetime| (lifetime, options.tag, options.is_copy));
                (value, spans)
            }
            Loaded::Absent(ttl) => {
                if let Ok(lifetime) = self.lifetime(ttl.into()) {
                    let mut how = how.only(Condition::Load(lead.work.id));
                    how.write.lifetime = lifetime;
                    // Where there is no room for it, it is asked for again; the refusal is counted.
                    let _ = self.write_absent(key, &how);
                }
                lead.land();
                return Ok(None);
            }
        };
        let (lifetime, tag, is_copy) = match spans {
            Ok(spans) => spans,
            Err(error) => {
                let refusal = error.into();
                return Err(LoadError::Refused(InsertError { refusal, value }));
            }
        };
        let mut how = how.only(Condition::Load(lead.work.id));
        (how.write.lifetime, how.tag, how.wants) = (lifetime, tag, true);
        how.is_copy = is_copy;
        let wrote = self.write_encoded(key, value, &how);
        self.landed(lead, wrote)
    }

    /// The answer of a load whose value was written, or not.
    pub(super) fn landed<S, E>(
        self,
        lead: Lead<'_, V>,
        wrote: Result<Wrote<V, S>, InsertError<S>>,
    ) -> LoadAnswer<V, S, E>
    where
        S: Source<V>,
    {
        match wrote.map_err(LoadError::Refused)? {
            Wrote::Stored { stored, .. } => {
                lead.land_written();
                Ok(stored)
            }
            Wrote::Unmet { unstored, present } => {
                lead.land_written();
                let Some(present) = present else {
                    return Ok(Some(unstored.into_entry(self)));
                };
                drop(unstored.undo());
                Ok(Some(present))
            }
            Wrote::Ended { unstored } => {
                lead.land();
                Ok(Some(unstored.into_entry(self)))
            }
        }
    }
}
