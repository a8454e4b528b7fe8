//! What the frontend stands on: the engine, its levels and its clocks.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use larder::{Cache, Clock, LevelOptions, Levels, SystemClock};

use crate::settings::SettingsError;

/// What the frontend stands on; other frontends may stand on the same.
#[derive(Clone)]
pub struct Engine {
    /// The cache; accounts are its tenants.
    pub cache: Cache<[u8]>,
    /// The further level, or none.
    pub levels: Levels,
    /// How it is used. Writes that it fails are answered as failures, whatever is said here.
    pub level_options: LevelOptions,
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
            level_options: LevelOptions::default(),
            clock: Arc::new(SystemClock::new()),
            calendar: Arc::new(SystemTime::now),
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
