//! What the frontend stands on: the engine, its levels and its clocks.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use larder::{Cache, Clock, LevelOptions, Levels, OnLevelError, SystemClock};
use larder_serve::{Level, OnError, Tier};

use crate::settings::SettingsError;

/// What the frontend stands on; other frontends may stand on the same.
#[derive(Clone)]
pub struct Engine {
    /// The cache; accounts are its tenants.
    pub cache: Cache<[u8]>,
    /// The further level, or none.
    pub levels: Levels,
    /// How it is used where a cache says nothing of its own.
    pub level_options: LevelOptions,
    /// What of the level is told to scrapers.
    pub tier: Option<Tier>,
    /// The clock of the cache, for rates of administration.
    pub clock: Arc<dyn Clock>,
    /// The calendar, for the ends of tokens.
    pub calendar: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Engine {
    /// A cache of so many bytes in memory alone, by the system's clocks.
    ///
    /// # Errors
    /// The engine doesn't take the bound.
    pub fn new(max_bytes: u64) -> Result<Self, SettingsError> {
        let cache = Cache::builder().max_bytes(max_bytes).build();
        Ok(Self {
            cache: cache.map_err(|error| SettingsError(format!("max_bytes: {error}")))?,
            levels: Levels::none(),
            level_options: LevelOptions::default().on_error(OnLevelError::Fail),
            tier: None,
            clock: Arc::new(SystemClock::new()),
            calendar: Arc::new(SystemTime::now),
        })
    }

    /// The same with the level of the settings, if they have one: it is started.
    ///
    /// # Errors
    /// What of the section can't be used.
    pub fn with_level(self, level: Option<&Level>) -> Result<Self, SettingsError> {
        let Some(level) = level else { return Ok(self) };
        let tier = level.start()?;
        // An item that is lost, or taken for absent, without a word is worse than an error, unless somebody says otherwise.
        let on_error = match level.on_error {
            Some(OnError::Ignore) => OnLevelError::Ignore,
            Some(OnError::Fail) | None => OnLevelError::Fail,
        };
        Ok(Self {
            levels: tier.levels().clone(),
            level_options: level.options().on_error(on_error),
            tier: Some(tier),
            ..self
        })
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("cache", &self.cache)
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}
