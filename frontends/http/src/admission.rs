//! Admission: what the rates of a cache and of its account say to an operation, and how often they refused.
//!
//! # Idea         the engine decides; a refusal is counted here by whose rate it was, for the console, since the engine counts none
//! # Costs        what is admitted: a lock of the engine's where there are rates. A refusal: a lock, and two names copied
//! # Invariants   AD1 only caches that exist are counted for, so the counts are bounded as they are
//! # Not here     the rates

use std::collections::BTreeMap;

use larder::{AdmitError, Cost, Metered, NamedCache, Tenant, Whose};
use parking_lot::Mutex;

use crate::error::{ApiError, rate_limit};

/// How often rates refused: of operations, and of bytes, by an account and its cache or [`WHOLE_ACCOUNT`].
pub(crate) type Counted = BTreeMap<(String, String), [u64; 2]>;

/// No cache has a blank name.
pub(crate) const WHOLE_ACCOUNT: &str = "";

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Counted>);

impl Refusals {
    /// Does an operation if the rates of the cache and of its account admit it, or says which refuses it. What is refused in the end,
    /// for whatever it is, costs nothing.
    pub(crate) fn admit<R>(
        &self,
        tenant: &Tenant<'_, [u8]>,
        cache: &NamedCache<'_, [u8]>,
        [account, name]: [&str; 2],
        cost: Cost,
        operation: impl FnOnce() -> Result<R, ApiError>,
    ) -> Result<R, ApiError> {
        let (whose, limits, name, limit) = match cache.reserve(cost) {
            Ok(reserved) => {
                let done = operation();
                if done.as_ref().err().is_none_or(ApiError::costs) {
                    reserved.keep();
                }
                return done;
            }
            Err(AdmitError::Exceeded { whose, limit }) => match whose {
                Whose::Tenant => ("account", tenant.limits()?, WHOLE_ACCOUNT, limit),
                Whose::Cache => ("cache", cache.limits()?, name, limit),
            },
            Err(_) => return Err(ApiError::CACHE_NOT_FOUND),
        };
        let which = usize::from(limit.which == Metered::Bytes);
        let names = (account.to_owned(), name.to_owned());
        self.0.lock().entry(names).or_default()[which] += 1;
        Err(rate_limit(whose, limits.rates, limit))
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
