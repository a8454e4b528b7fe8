//! The second level of the settings: the external cache of Azure's words, and what the caches of an environment share.
//!
//! # Idea         the section is that of all servers; what a policy does without the level is the policies' to say, and not the section's
//! # Costs        none but at the start
//! # Invariants   LV1 what can't be used is told by `check` as well, which calls no server
//! # Not here     the engine's levels

use std::sync::Arc;
use std::time::Duration;

use larder::{Cache, LevelMode, Levels, MemoryLevel, Rate};
use larder_serve::{Mode, Tier};

use super::settings::{Settings, SettingsError};
use crate::apigee::EnvironmentOptions;
use crate::engine::{Engine, GiveBack, SharedRates, Time};

/// How the settings' level is stood on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The servers that it names.
    Real,
    /// One in memory, as if they were there: for what is only looked at.
    Played,
}

/// The rates of all gateways of a level.
struct Together(Tier);

impl SharedRates for Together {
    fn take(&self, name: &[&str], rate: Rate, n_calls: u64) -> Result<GiveBack, Option<Duration>> {
        let taken = self.0.take(&[(name, Some(rate))], n_calls);
        let taken = taken.map_err(|spent| spent.retry_after)?;
        Ok(GiveBack(Box::new(|| taken.give_back())))
    }
}

impl Settings {
    /// An engine on the system's clock, with the level if there is one.
    pub(super) fn engine(
        &self,
        standing: Standing,
    ) -> Result<(Engine, Option<Tier>), SettingsError> {
        let time = Time::system();
        let cache = Cache::builder()
            .max_bytes(self.max_bytes)
            .clock(time.clone())
            .build()
            .map_err(|error| SettingsError(format!("max_bytes: {error}")))?;
        let engine = Engine::new(cache, time);
        self.check_level()?;
        Ok(match (&self.level, standing) {
            (None, _) => (engine, None),
            (Some(level), Standing::Real) => {
                let tier = level.start().map_err(|error| SettingsError::of(&error))?;
                let engine = engine.with_levels(tier.levels().clone());
                let engine = match tier.shares_rates() {
                    true => engine.with_shared_rates(Arc::new(Together(tier.clone()))),
                    false => engine,
                };
                (engine, Some(tier))
            }
            (Some(level), Standing::Played) => {
                let levels = Levels::new(MemoryLevel::new(), level.name_space.as_bytes());
                (engine.with_levels(levels), None)
            }
        })
    }

    /// Refuses what of the section can't be used, and modes that need it where it isn't there.
    pub(super) fn check_level(&self) -> Result<(), SettingsError> {
        if let Some(level) = &self.level {
            level.check().map_err(|error| SettingsError::of(&error))?;
            if level.on_error.is_some() {
                let why = "level.on_error: a gateway's policies say what becomes of a request: leave it out";
                return Err(SettingsError(why.into()));
            }
        }
        if self.azure.lease_ms.is_some() && self.level.is_none() {
            let why = "azure.lease_ms: it needs a second level, which all gateways ask: a section [level]";
            return Err(SettingsError(why.into()));
        }
        self.internal_mode()?;
        for (name, entry) in &self.apigee.caches {
            let place = format!("apigee.caches.{name}.level");
            self.mode(entry.level, &place)?;
        }
        Ok(())
    }

    /// Where the internal cache of Azure's words is: in memory, unless something else is said.
    pub(super) fn internal_mode(&self) -> Result<LevelMode, SettingsError> {
        let said = self.azure.internal.unwrap_or(Mode::L1);
        self.mode(Some(said), "azure.internal")
    }

    fn mode(&self, said: Option<Mode>, place: &str) -> Result<LevelMode, SettingsError> {
        let mode = Mode::of(said, self.level.as_ref(), &place);
        mode.map_err(|error| SettingsError::of(&error))
    }

    /// What an environment is told of its levels.
    pub(super) fn environment_options(&self) -> EnvironmentOptions {
        let known = EnvironmentOptions::default();
        match &self.level {
            Some(level) => EnvironmentOptions {
                mode: level.mode.into(),
                l1_lifetime: Some(level.l1_lifetime),
                level_timeout: level.timeout,
                ..known
            },
            None => known,
        }
    }
}
