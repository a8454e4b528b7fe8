//! Which levels each cache uses, where what may ask them is run, and what memory begins with.
//!
//! # Idea         a cache says it, or each cache of its account does, or the section of the level; read once, at the start and at a reload.
//!   What may ask a level takes a place among those who ask or wait to, and waits for a thread out of the time that the level has
//! # Costs        a request: two look-ups by name; one that asks: a thread of tokio's
//! # Invariants   LE1 a mode that needs a level is refused where there is none; LE2 nothing that may ask a further level
//!   blocks a thread of the runtime; LE3 what was put under one mode isn't found under another
//! # Not here     what the modes do: the engine's; places and threads: the pool of `larder-serve`

#[cfg(feature = "program")]
mod warm;

use std::collections::BTreeMap;

use larder::{Entry, LevelMode, LevelOptions, LevelView, Lookup, MissReason, OnLevelError};
use larder_serve::{Level, Mode, Pool, PoolError};

use crate::engine::Engine;
use crate::error::ApiError;
use crate::profile::AccountSettings;
use crate::settings::SettingsError;

/// The modes of an account's caches.
pub(crate) struct Modes {
    /// Of a cache that says nothing; `None`: as all others.
    each: Option<LevelMode>,
    caches: BTreeMap<String, LevelMode>,
}

impl Modes {
    pub(crate) fn new(
        name: &str,
        account: &AccountSettings,
        level: Option<&Level>,
    ) -> Result<Self, SettingsError> {
        let mode = |said: Option<Mode>, place: String| {
            let mode = |said| Mode::of(Some(said), level, &format!("accounts.{name}.{place}"));
            said.map(mode).transpose()
        };
        let each = mode(account.each_cache.level, "each_cache.level".into())?;
        let mut caches = BTreeMap::new();
        for (cache, said) in &account.caches {
            if let Some(mode) = mode(said.level, format!("caches.{cache}.level"))? {
                caches.insert(cache.clone(), mode);
            }
        }
        Ok(Self { each, caches })
    }

    /// The mode of a cache, also of one that was made by a request; `None`: as all others.
    pub(crate) fn of(&self, cache: &str) -> Option<LevelMode> {
        self.caches.get(cache).copied().or(self.each)
    }

    /// Empties the memory of an account's caches that used their levels otherwise before, or may have: what is there keeps to no bound
    /// of copies.
    pub(crate) fn stand_in(&self, before: Option<&Self>, account: &str, engine: &Engine) {
        // Without a section of a level there is one mode.
        let (Some(_), Ok(tenant)) = (&engine.tier, engine.cache.tenant(account)) else {
            return;
        };
        for (name, _) in tenant.caches() {
            let mode = |modes: &Self| modes.of(&name).unwrap_or(engine.level_options.mode);
            let is_same = before.is_some_and(|before| mode(before) == mode(self));
            if let (false, Ok(cache)) = (is_same, tenant.cache(&name)) {
                cache.flush();
            }
        }
    }
}

/// Runs what may ask a further level: here if it doesn't, or where it may block (LE2). It gets what is left of the level's time. If that is
/// none, it won't ask, and finds out as if the level had taken too long.
pub(crate) async fn anywhere<R: Send + 'static>(
    pool: &Pool,
    asks: bool,
    options: LevelOptions,
    work: impl FnOnce(LevelOptions) -> Result<R, ApiError> + Send + 'static,
) -> Result<R, ApiError> {
    if !asks {
        return work(options);
    }
    let done = pool.run(options.timeout, move |left| work(options.timeout(left)));
    // In a place of its own, lest each connection keep room for it.
    Box::pin(done).await.unwrap_or_else(|error| match error {
        PoolError::NoPlace { n_max } => Err(ApiError::no_place(n_max)),
        PoolError::Panicked => Err(ApiError::INTERNAL),
    })
}

/// The value of a key, else the copy of it that was there when the request came; `None`: there is none.
pub(crate) fn look_up(
    view: &LevelView<'_>,
    key: &[u8],
    copy: Option<Entry<[u8]>>,
) -> Result<Option<Entry<[u8]>>, ApiError> {
    match view.lookup(key, view.options().timeout) {
        Lookup::Hit(entry) | Lookup::Stale(entry) => return Ok(Some(entry)),
        Lookup::Miss(reason) if copy.is_none() => missed(view, reason)?,
        Lookup::Miss(_) | Lookup::Negative => {}
    }
    Ok(copy)
}

/// That nothing was found. An outage is no absence, where settings don't say that it is to be: the client must not take the key for
/// gone.
pub(crate) fn missed(view: &LevelView<'_>, reason: MissReason) -> Result<(), ApiError> {
    match (reason, view.options().on_error) {
        (MissReason::Unavailable | MissReason::Timeout, OnLevelError::Fail) => {
            Err(ApiError::INTERNAL)
        }
        _ => Ok(()),
    }
}
