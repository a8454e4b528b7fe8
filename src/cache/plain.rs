//! The straight way of most inserts, from key and value to the stripe's lock.
//!
//! # Idea         what a plain insert lacks (a scope, a weigher, who watches, options but a time to live) isn't asked for
//! # Costs        one hash, one allocation or none, one hold of the lock
//! # Invariants   none of its own
//! # Not here     all other writes: `put`

use super::how::How;
use super::put::log_refusal;
use super::view::{View, at};
use crate::entry::{Draft, Entry, Parts, Plan, Source, Value};
use crate::error::{InsertError, Refusal};
use crate::key::KeyRef;
use crate::store::Placed;
use crate::stripe::{ENTRY_SHARE, Stay, Write};
use crate::terms::WriteOptions;

impl<V: Value + ?Sized> View<'_, V> {
    /// An insert, without options if there are none. If they say at most how long the entry stays, that is `stay`.
    #[inline(always)]
    pub(super) fn insert_encoded<S>(
        self,
        key: KeyRef<'_>,
        value: S,
        options: Option<&WriteOptions>,
        stay: Option<Stay>,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        S: Source<V>,
    {
        match stay {
            Some(stay) if self.local().is_none() && self.inner.writes_plainly() => {
                self.insert_plain(key, value, stay)
            }
            _ => self.insert_on(key, value, options),
        }
    }

    /// The most frequent of them: into the cache itself, with a time to live at most, where no entry carries more than key and value. The
    /// whole way in one piece, for all types of keys.
    #[inline(never)]
    fn insert_plain<S>(
        self,
        key: KeyRef<'_>,
        value: S,
        stay: Stay,
    ) -> Result<Option<Entry<V>>, InsertError<S>>
    where
        S: Source<V>,
    {
        let store = &self.inner.store;
        let probe = at(None, key);
        let hash = probe.hash(store.hasher());
        let Some(plan) = Plan::<V>::new(Parts::plain(probe), value.n_elements()) else {
            let refusal = store.too_large(u64::MAX);
            return Err(refused(refusal, value));
        };
        let cost = plan.charge_bytes() + ENTRY_SHARE;
        if !store.takes_small(cost) {
            return self.insert_how(key, value, &How::plain(stay.into()));
        }
        let mut reservation = store.reservation(hash);
        let husk = reservation.reserve_small();
        let (draft, kept) = Draft::new::<V, S>(plan, husk, value)
            .map_err(|value| refused(Refusal::OutOfMemory, value))?;
        let Err((put, slot)) = store.put_plain(hash, draft, cost, stay, &mut reservation) else {
            return Ok(None);
        };
        match store.place(hash, slot, &Write::plain(stay), put) {
            Placed::Done(replaced) => Ok(replaced.map(|block| self.last(block))),
            Placed::Refused { draft, refusal } => {
                let value = draft.undo::<V, S>(kept);
                Err(refused(refusal, value))
            }
            Placed::Unmet { .. } | Placed::Ended { .. } => {
                unreachable!("there is no condition, and no life to end")
            }
        }
    }
}

/// A refusal, which is told to the log.
#[cold]
fn refused<S>(refusal: Refusal, value: S) -> InsertError<S> {
    let error = InsertError { refusal, value };
    log_refusal(&error);
    error
}
