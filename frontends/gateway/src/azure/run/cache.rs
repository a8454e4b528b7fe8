//! Looking values up, storing and removing them.
//!
//! # Idea         a word says which cache is meant, and that is a view of the engine in one of two modes; the rest is the engine's
//! # Costs        one operation of the engine each
//! # Invariants   K1 internal and external values are in scopes of their own: what is done to one is never seen in the other; K2 a cache
//!   that can't be reached is a miss, and a store into it a success
//! # Not here     deadlines, levels, eviction

use std::time::Duration;

use larder::{
    AdmitError, Cost, LevelLease, LevelMode, LevelOptions, LevelView, Lookup, Scope, WriteOptions,
};

use super::{Run, Stop, failed, refusal};
use crate::azure::expr::Value;
use crate::azure::policy::{Caching, LookupValue, Policy, RemoveValue, StoreValue};
use crate::engine::may_wait;
use crate::stored::Stored;

/// A cache, as one policy uses it.
pub(super) struct Target<'g> {
    pub(super) scope: Scope<'g, [u8]>,
    pub(super) view: LevelView<'g>,
    pub(super) mode: LevelMode,
}

impl Target<'_> {
    /// The value of a key, if there is one that can be read.
    pub(super) fn get(&self, key: &str) -> Option<Value> {
        let found = may_wait(self.mode, || self.view.get(key))?;
        Value::of_stored(Stored::of_entry(&found)?)
    }

    pub(super) fn lookup(&self, key: &str) -> Lookup<[u8]> {
        let within = self.view.options().timeout;
        may_wait(self.mode, || self.view.lookup(key, within))
    }

    /// Takes a value out; a cache that can't be reached has none that will be read.
    pub(super) fn remove(&self, key: &str) -> bool {
        may_wait(self.mode, || self.view.remove(key)).unwrap_or(false)
    }
}

/// The lease of a key, if it was asked for and granted; given back at its end.
pub(super) struct Leased<'t> {
    target: &'t Target<'t>,
    key: &'t str,
    lease: Option<LevelLease>,
}

impl<'t> Leased<'t> {
    pub(super) fn take(target: &'t Target<'t>, key: &'t str) -> Self {
        let asks = target.view.options().lease.is_some();
        let lease = asks.then(|| may_wait(target.mode, || target.view.lease(key)));
        Self {
            target,
            key,
            lease: lease.flatten(),
        }
    }

    /// Whether another gateway may have computed the value before it was granted.
    pub(super) fn is_granted(&self) -> bool {
        self.lease.is_some()
    }
}

impl Drop for Leased<'_> {
    fn drop(&mut self) {
        if let Some(lease) = self.lease {
            may_wait(self.target.mode, || {
                self.target.view.release(self.key, lease)
            });
        }
    }
}

impl<'g> Run<'g> {
    /// The cache that a word stands for; `None` if there is none.
    pub(super) fn target(
        &self,
        policy: &Policy,
        caching: Caching,
        bytes: usize,
    ) -> Result<Option<Target<'g>>, Stop> {
        let engine = &self.gateway.engine;
        let settings = &self.gateway.settings;
        let (mode, is_internal) = match (caching, engine.has_level()) {
            (Caching::External | Caching::PreferExternal, true) => (LevelMode::L2, false),
            (Caching::External, false) => return Ok(None),
            (Caching::Internal, true) => (settings.internal, true),
            (Caching::Internal | Caching::PreferExternal, false) => (LevelMode::L1, false),
        };
        let unusable =
            |error: &dyn std::fmt::Display| failed(policy, format!("the cache: {error}"));
        let cache = match self.values.get() {
            Some(cache) => cache,
            None => {
                let found = self.gateway.values().map_err(|error| unusable(&error))?;
                self.values.get_or_init(|| found)
            }
        };
        let cost = Cost::calls(1).and_bytes(bytes as u64);
        let mut scope = cache.admit(cost).map_err(|error| match error {
            AdmitError::Exceeded { limit, .. } => self.too_many(limit.retry_after),
            error => unusable(&error),
        })?;
        if is_internal {
            scope = scope.scope("internal").map_err(|error| unusable(&error))?;
        }
        let options = LevelOptions::new(mode)
            .timeout(settings.cache_timeout)
            .l1_lifetime(Some(settings.internal_lifetime))
            .lease(settings.lease);
        Ok(Some(Target {
            view: engine.view(scope.clone(), options),
            scope,
            mode,
        }))
    }

    pub(super) fn lookup_value(
        &mut self,
        policy: &Policy,
        lookup: &LookupValue,
    ) -> Result<(), Stop> {
        let key = self.key(&lookup.key, policy)?;
        let target = self.target(policy, lookup.caching, 0)?;
        let found = target.and_then(|target| target.get(&key));
        self.trace.looked_up(found.is_some());
        match found {
            Some(value) => {
                self.note(policy, || {
                    format!("hit: {key} -> {} = {value}", lookup.variable)
                });
                self.variables.set(&*lookup.variable, value);
            }
            None => {
                self.note(policy, || format!("miss: {key}"));
                self.set_default(policy, &lookup.variable, lookup.default.as_ref())?;
            }
        }
        Ok(())
    }

    pub(super) fn set_default(
        &mut self,
        policy: &Policy,
        variable: &str,
        default: Option<&crate::azure::policy::Setting>,
    ) -> Result<(), Stop> {
        if let Some(default) = default {
            let made = self.made(default)?;
            let value = &made.value;
            self.note(policy, || format!("{variable} = {value}, the default"));
            self.variables.set(variable, made);
        }
        Ok(())
    }

    pub(super) fn store_value(&mut self, policy: &Policy, store: &StoreValue) -> Result<(), Stop> {
        let key = self.key(&store.key, policy)?;
        let value = self.value(&store.value)?;
        let seconds = self.integer(&store.duration, policy)?;
        if value.is_null() {
            self.note(policy, || format!("null is not stored: {key}"));
            return Ok(());
        }
        let Some(stored) = value.to_stored() else {
            return Err(failed(policy, format!("{value} cannot be stored")));
        };
        let Some(target) = self.target(policy, store.caching, stored.to_bytes().len())? else {
            self.note(policy, || {
                format!("there is no external cache: {key} is not stored")
            });
            return Ok(());
        };
        match u64::try_from(seconds) {
            Ok(1..) => self.put(
                policy,
                &target,
                &key,
                &stored,
                Duration::from_secs(seconds.unsigned_abs()),
            ),
            _ => {
                target.remove(&key);
                self.note(policy, || {
                    format!("{seconds} s are no time to live: {key} is removed")
                });
            }
        }
        Ok(())
    }

    /// Puts a value. One that isn't taken leaves none that is older.
    pub(super) fn put(
        &mut self,
        policy: &Policy,
        target: &Target<'_>,
        key: &str,
        stored: &Stored,
        ttl: impl Into<larder::Ttl>,
    ) {
        let bytes = stored.to_bytes();
        let bytes_max = self.gateway.settings.value_bytes_max;
        if bytes.len() > bytes_max {
            target.remove(key);
            let message = format!(
                "{key} is not stored: {} bytes are more than {bytes_max}",
                bytes.len()
            );
            self.warn(policy, message);
            return;
        }
        let options = WriteOptions::new().ttl(ttl).tag(stored.tag());
        let put = may_wait(target.mode, || target.view.put(key, &bytes[..], options));
        match put {
            Ok(_) => self.note(policy, || format!("stored: {key}")),
            Err(error) => {
                let message = format!("{key} is not stored: {error}");
                target.remove(key);
                self.warn(policy, message);
            }
        }
    }

    pub(super) fn remove_value(
        &mut self,
        policy: &Policy,
        remove: &RemoveValue,
    ) -> Result<(), Stop> {
        let key = self.key(&remove.key, policy)?;
        if let Some(target) = self.target(policy, remove.caching, 0)? {
            let was_there = target.remove(&key);
            self.note(policy, || match was_there {
                true => format!("removed: {key}"),
                false => format!("nothing to remove: {key}"),
            });
        }
        Ok(())
    }

    /// That the tenant's own rates are exceeded.
    fn too_many(&self, retry_after: Option<Duration>) -> Stop {
        let seconds = retry_after.map(super::limits::whole_seconds);
        let message = super::limits::rate_message(seconds);
        let mut response = refusal(http::StatusCode::TOO_MANY_REQUESTS, &message);
        if let Some(seconds) = seconds {
            crate::http::set(&mut response.headers, "retry-after", &seconds.to_string());
        }
        Stop::Refused(Box::new(response))
    }
}
