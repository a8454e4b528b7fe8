//! Admission: what the rates of a cache and of its account say to an operation, and how often they refused.
//!
//! # Idea         the engine decides; a refusal is counted here by whose rate it was, for the console, since the engine counts none
//! # Costs        what is admitted: a lock of the engine's where there are rates. A refusal: a lock, and two names copied
//! # Invariants   AD1 only caches that exist are counted for, so the counts are bounded as they are
//! # Not here     the rates

use std::collections::BTreeMap;
use std::time::Duration;

use larder::{AdmitError, Cost, Metered, NamedCache, Rate, Reserved, Tenant, Whose};
use parking_lot::Mutex;

use crate::engine::Engine;
use crate::error::ApiError;

/// How often rates refused: of operations, and of bytes, by an account and its cache or [`WHOLE_ACCOUNT`].
pub(crate) type Counted = BTreeMap<(String, String), [u64; 2]>;

/// No cache has a blank name.
pub(crate) const WHOLE_ACCOUNT: &str = "";

/// What rates are of: an account and a cache, and their names.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a>(
    pub(crate) &'a Tenant<'a, [u8]>,
    pub(crate) &'a NamedCache<'a, [u8]>,
    pub(crate) [&'a str; 2],
);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Counted>);

impl Refusals {
    /// What an operation takes of the rates of the cache and of its account, or which of them refuses it. What isn't kept costs nothing.
    pub(crate) fn reserve<'r>(
        &self,
        of: Of<'r>,
        cost: Cost,
    ) -> Result<Reserved<'r, [u8]>, ApiError> {
        match of.1.reserve(cost) {
            Ok(reserved) => Ok(reserved),
            Err(AdmitError::Exceeded { whose, limit }) => {
                self.refuse(of, whose, limit.which, limit.retry_after)
            }
            Err(_) => Err(ApiError::CACHE_NOT_FOUND),
        }
    }

    /// Does an operation if the rates of the cache and of its account admit it, or says which refuses it. What is refused in the end,
    /// for whatever it is, costs nothing.
    pub(crate) fn admit<R>(
        &self,
        of: Of<'_>,
        cost: Cost,
        operation: impl FnOnce() -> Result<R, ApiError>,
    ) -> Result<R, ApiError> {
        let reserved = self.reserve(of, cost)?;
        let done = operation();
        if done.as_ref().err().is_none_or(ApiError::costs) {
            reserved.keep();
        }
        done
    }

    /// Does what the server admits if the rates of operations admit it that all servers of its level keep to together. May block.
    pub(crate) fn admit_by_all<R>(
        &self,
        engine: &Engine,
        of: Of<'_>,
        cost: Cost,
        operation: impl FnOnce() -> Result<R, ApiError>,
    ) -> Result<R, ApiError> {
        let Some(tier) = engine.tier.as_ref().filter(|tier| tier.shares_rates()) else {
            return operation();
        };
        let [account, name] = of.2;
        let rates = [
            (&[account][..], of.0.limits()?.rates.operations),
            (&[account, name], of.1.limits()?.rates.operations),
        ];
        let taken = match tier.take(&rates, cost.calls) {
            Ok(taken) => taken,
            Err(spent) => {
                let whose = [Whose::Tenant, Whose::Cache][spent.idx];
                return self.refuse(of, whose, Metered::Operations, spent.retry_after);
            }
        };
        let done = operation();
        if done.as_ref().err().is_some_and(|error| !error.costs()) {
            taken.give_back();
        }
        done
    }

    /// Counts a refusal, and says it.
    fn refuse<R>(
        &self,
        of: Of<'_>,
        whose: Whose,
        which: Metered,
        retry_after: Option<Duration>,
    ) -> Result<R, ApiError> {
        let (words, name, limits) = match whose {
            Whose::Tenant => ("account", WHOLE_ACCOUNT, of.0.limits()?),
            Whose::Cache => ("cache", of.2[1], of.1.limits()?),
        };
        let (is_bytes, rates) = (which == Metered::Bytes, limits.rates);
        let names = (of.2[0].to_owned(), name.to_owned());
        self.0.lock().entry(names).or_default()[usize::from(is_bytes)] += 1;
        let rate = [rates.operations, rates.bytes][usize::from(is_bytes)];
        let rate = rate.map_or(0, Rate::burst_tokens);
        let message = format!("{words} limit exceeded: {rate} {which} a second");
        Err(ApiError::limit(message, retry_after))
    }

    /// Forgets a cache that is deleted.
    pub(crate) fn forget(&self, account: &str, name: &str) {
        let names = (account.to_owned(), name.to_owned());
        self.0.lock().remove(&names);
    }

    pub(crate) fn counted(&self) -> Counted {
        self.0.lock().clone()
    }
}
