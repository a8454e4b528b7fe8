//! Which levels each cache uses, where what may ask them is run, and what memory begins with.
//!
//! # Idea         a cache says it, or each cache of its account does, or the section of the level; read once, at the start and at a reload
//! # Costs        a request: two look-ups by name
//! # Invariants   LE1 a mode that needs a level is refused where there is none; LE2 nothing that may ask a further level
//!   blocks a thread of the runtime; LE3 what was put under one mode isn't found under another
//! # Not here     what the modes do: the engine's

use std::collections::BTreeMap;

use larder::LevelMode;
use larder_serve::{Level, Mode, SetupError, Warm, Warmed};

use crate::app::{App, apply};
use crate::engine::Engine;
use crate::error::ApiError;
use crate::profile::AccountSettings;
use crate::settings::{Settings, SettingsError};

/// The modes of an account's caches.
pub(crate) struct Modes {
    /// Of a cache that says nothing; `None`: as all others.
    each: Option<LevelMode>,
    caches: BTreeMap<String, LevelMode>,
}

impl Modes {
    /// As if all were in memory alone.
    pub(crate) const MEMORY: Self = Self {
        each: Some(LevelMode::L1),
        caches: BTreeMap::new(),
    };

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

impl App {
    /// Restores what a file of the settings holds, and has it written from now on. What somebody has who is no longer in the settings
    /// goes, and what is in the memory of caches that use a further level, which has it as well.
    ///
    /// # Errors
    /// What of the section can't be used.
    pub fn warm(&self, settings: &Settings, warm: &Warm) -> Result<Warmed, SetupError> {
        let (engine, live) = (self.engine(), self.live());
        let warmed = warm.start(&engine.cache)?;
        for (name, _) in engine.cache.tenants() {
            match live.accounts.get(&name) {
                Some(account) => account.modes.stand_in(Some(&Modes::MEMORY), &name, engine),
                None => drop(engine.cache.delete_tenant(&name)),
            }
        }
        Ok(apply(settings, engine).map(|()| warmed)?)
    }
}

/// Runs what may ask a further level: here if it doesn't, or where it may block (LE2).
pub(crate) async fn anywhere<R: Send + 'static>(
    asks: bool,
    work: impl FnOnce() -> Result<R, ApiError> + Send + 'static,
) -> Result<R, ApiError> {
    if !asks {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(ApiError::INTERNAL))
}
