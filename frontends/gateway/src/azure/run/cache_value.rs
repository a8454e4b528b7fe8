//! Getting a value, or having it computed once for all who wait.
//!
//! # Idea
//! The engine's load: of callers who miss a key one runs the block, the others wait. A value past its refresh time is stale to the
//! engine: one caller runs the block, and the old value is used where that brings none. Where values are external, the engine's
//! own cache holds no value, only the turn of whoever runs the block.
//!
//! # Costs
//! A hit is one look-up.
//!
//! # Invariants
//! - C1 A block that sets nothing stores nothing, and takes nothing away.
//! - C2 What stops the block stops the request that ran it, and no other.
//!
//! # Not here
//! Waiting: the engine's.

use std::time::Duration;

use larder::{LevelMode, LoadError, LoadOptions, Loaded, Lookup, Ttl, WriteOptions};

use super::cache::{Leased, Target};
use super::{Run, Stop, failed};
use crate::azure::expr::Value;
use crate::azure::policy::{CacheValue, Policy, Setting};
use crate::stored::Stored;

/// How long a value is kept if nothing is said.
const EXPIRES_SECONDS: i64 = 28_800;

/// What a block brought.
enum Computed {
    /// A value to be stored, and its times.
    Stored(Stored, Ttl),
    /// A value that isn't stored: what the block set stays set.
    Kept,
    /// Nothing.
    Nothing,
}

/// Why a load ends without a value for the engine.
enum Ended {
    Kept,
    Nothing,
    Found(Value),
    Stopped(Stop),
}

/// What a cache has of a value, as far as it can be read.
enum There {
    Fresh(Option<Value>),
    /// Or nothing.
    Stale(Option<Value>),
}

impl There {
    fn of(found: Lookup<[u8]>) -> Self {
        let value = |entry| Stored::of_entry(&entry).and_then(Value::of_stored);
        match found {
            Lookup::Hit(entry) => Self::Fresh(value(entry)),
            Lookup::Stale(entry) => Self::Stale(value(entry)),
            _ => Self::Stale(None),
        }
    }
}

impl Run<'_> {
    pub(super) async fn cache_value(
        &mut self,
        policy: &Policy,
        value: &CacheValue,
    ) -> Result<(), Stop> {
        let key = self.key(&value.key, policy)?;
        let target = self.target(policy, value.caching, 0)?;
        let always =
            matches!(&value.refresh_after, Some(Setting::Literal(text)) if text.trim() == "0");
        let limit = self.gateway.settings.request_timeout;
        let ended = match &target {
            Some(target) if !always => {
                let load = async {
                    match target.mode {
                        LevelMode::L1 => self.load(policy, value, target, &key).await,
                        _ => self.load_external(policy, value, target, &key).await,
                    }
                };
                match tokio::time::timeout(limit, load).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        return Err(failed(
                            policy,
                            "another request computes the value, and takes too long",
                        ));
                    }
                }
            }
            target => self.compute_now(policy, value, target.as_ref(), &key).await,
        };
        match ended {
            Ended::Stopped(stop) => Err(stop),
            Ended::Found(found) => {
                self.note(policy, || format!("{} = {found}", value.variable));
                self.variables.set(&*value.variable, found);
                Ok(())
            }
            Ended::Kept => Ok(()),
            Ended::Nothing => {
                self.note(policy, || format!("no value: {key}"));
                self.set_default(policy, &value.variable, value.default.as_ref())
            }
        }
    }

    /// In the engine's own cache.
    async fn load(
        &mut self,
        policy: &Policy,
        value: &CacheValue,
        target: &Target<'_>,
        key: &str,
    ) -> Ended {
        let Ok(scope) = target.view.atomic().cloned() else {
            return Ended::Nothing;
        };
        let mut stopped = None;
        let mut is_kept = false;
        let mut is_stored = false;
        let mut was_run = false;
        let load = async {
            was_run = true;
            match self.compute(policy, value).await {
                Ok(Computed::Stored(stored, ttl)) => {
                    is_stored = true;
                    let options = WriteOptions::new().ttl(ttl).tag(stored.tag());
                    Ok(Loaded::With(stored.to_bytes().into_owned(), options))
                }
                Ok(Computed::Kept) => {
                    is_kept = true;
                    Err(())
                }
                Ok(Computed::Nothing) => Err(()),
                Err(stop) => {
                    stopped = Some(stop);
                    Err(())
                }
            }
        };
        // A failed refresh is tried again with the next request.
        let options = LoadOptions::new().back_off(Duration::from_nanos(1));
        let loaded = scope.get_or_load_async(key, options, load).await;
        self.trace.looked_up(!was_run);
        self.note(policy, || match was_run {
            true => format!("the block was run for {key}"),
            false => format!("hit: {key}"),
        });
        if let Some(stop) = stopped {
            return Ended::Stopped(stop);
        }
        match loaded {
            Ok(_) if is_kept => {
                scope.remove(key);
                Ended::Kept
            }
            // What the block set is set already.
            Ok(_) if is_stored => Ended::Kept,
            Ok(Some(entry)) => match Stored::of_entry(&entry).and_then(Value::of_stored) {
                Some(found) => Ended::Found(found),
                None => Ended::Nothing,
            },
            Err(LoadError::Refused(error)) => {
                self.warn(policy, format!("{key} is not stored: {}", error.refusal));
                Ended::Kept
            }
            Err(LoadError::Loader(())) if is_kept => Ended::Kept,
            Err(LoadError::Loader(())) | Ok(None) => Ended::Nothing,
            Err(error) => Ended::Stopped(failed(policy, format!("{key}: {error:?}"))),
        }
    }

    /// In the external cache; the turn is the engine's own.
    async fn load_external(
        &mut self,
        policy: &Policy,
        value: &CacheValue,
        target: &Target<'_>,
        key: &str,
    ) -> Ended {
        if let Lookup::Hit(entry) = target.lookup(key)
            && let Some(found) = Stored::of_entry(&entry).and_then(Value::of_stored)
        {
            self.trace.looked_up(true);
            return Ended::Found(found);
        }
        self.trace.looked_up(false);
        let turns = self
            .gateway
            .engine
            .cache()
            .scope(("turns", self.gateway.tenant()));
        let turns = match turns {
            Ok(turns) => turns,
            Err(error) => return Ended::Stopped(failed(policy, error.to_string())),
        };
        let load = async {
            let mut there = There::of(target.lookup(key));
            let mut leased = None;
            if !matches!(there, There::Fresh(_)) {
                leased = Some(Leased::take(target, key));
            }
            if leased.as_ref().is_some_and(Leased::is_granted) {
                there = There::of(target.lookup(key));
            }
            let stale = match there {
                There::Fresh(found) => {
                    return Err::<Loaded<Vec<u8>>, _>(found.map_or(Ended::Nothing, Ended::Found));
                }
                There::Stale(found) => found,
            };
            Err(self
                .compute_and_put(policy, value, Some(target), key, stale)
                .await)
        };
        match turns.get_or_load_async(key, LoadOptions::new(), load).await {
            Err(LoadError::Loader(ended)) => ended,
            Ok(_) => Ended::Nothing,
            Err(error) => Ended::Stopped(failed(policy, format!("{key}: {}", error_text(&error)))),
        }
    }

    /// Without a look at what is stored, unless the block brings nothing.
    async fn compute_now(
        &mut self,
        policy: &Policy,
        value: &CacheValue,
        target: Option<&Target<'_>>,
        key: &str,
    ) -> Ended {
        let stale = target.and_then(|target| target.get(key));
        self.compute_and_put(policy, value, target, key, stale)
            .await
    }

    async fn compute_and_put(
        &mut self,
        policy: &Policy,
        value: &CacheValue,
        target: Option<&Target<'_>>,
        key: &str,
        stale: Option<Value>,
    ) -> Ended {
        match (self.compute(policy, value).await, target) {
            (Err(stop), _) => Ended::Stopped(stop),
            (Ok(Computed::Stored(stored, ttl)), Some(target)) => {
                self.put(policy, target, key, &stored, ttl);
                Ended::Kept
            }
            (Ok(Computed::Kept), Some(target)) => {
                target.remove(key);
                Ended::Kept
            }
            (Ok(Computed::Stored(..) | Computed::Kept), None) => Ended::Kept,
            (Ok(Computed::Nothing), _) => stale.map_or(Ended::Nothing, Ended::Found),
        }
    }

    /// Runs the block, and sees what it set.
    async fn compute(&mut self, policy: &Policy, value: &CacheValue) -> Result<Computed, Stop> {
        let before = self.variables.remove(&value.variable);
        let run = self.block(&value.block).await;
        let is_set = self
            .variables
            .get(&value.variable)
            .is_some_and(|value| !value.is_null());
        if !is_set {
            self.variables.remove(&value.variable);
            if let Some(before) = before {
                self.variables.set(&*value.variable, before);
            }
            return run.map(|()| Computed::Nothing);
        }
        run?;
        let seconds = |setting: &Option<Setting>| match setting {
            Some(setting) => self.integer(setting, policy).map(Some),
            None => Ok(None),
        };
        let expires = seconds(&value.expires_after)?.unwrap_or(EXPIRES_SECONDS);
        let refresh = seconds(&value.refresh_after)?.unwrap_or(expires);
        let stored = self
            .variables
            .get(&value.variable)
            .and_then(Value::to_stored);
        let Some(stored) = stored else {
            return Err(failed(
                policy,
                format!("what `{}` holds cannot be stored", value.variable),
            ));
        };
        let Some(expires) = u64::try_from(expires).ok().filter(|&expires| expires > 0) else {
            return Ok(Computed::Kept);
        };
        if stored.to_bytes().len() > self.gateway.settings.value_bytes_max {
            self.warn(policy, "the value is too long to be stored");
            return Ok(Computed::Kept);
        }
        let refresh = u64::try_from(refresh).unwrap_or(0).min(expires);
        let fresh = Duration::from_secs(refresh).max(Duration::from_nanos(1));
        let stale = Duration::from_secs(expires).saturating_sub(fresh);
        Ok(Computed::Stored(stored, Ttl::after(fresh).stale(stale)))
    }
}

fn error_text(error: &LoadError<Vec<u8>, Ended>) -> &'static str {
    match error {
        LoadError::TimedOut | LoadError::TaskTimeout => "the wait took too long",
        LoadError::Reentrant => "the block asks for its own key",
        LoadError::OutOfMemory => "there is no memory",
        _ => "it can't be a key",
    }
}
