//! A start with what a file holds.
//!
//! # Idea         what is restored is looked at where the modes of caches are
//! # Costs        those of the file, and a look at each cache
//! # Invariants   LE3 of the module above
//! # Not here     the file: `larder-serve`

use std::collections::BTreeMap;

use larder::LevelMode;
use larder_serve::{SetupError, Warm, Warmed};

use super::Modes;
use crate::app::{App, apply};
use crate::settings::Settings;

/// As if all were in memory alone.
const MEMORY: Modes = Modes {
    each: Some(LevelMode::L1),
    caches: BTreeMap::new(),
};

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
                Some(account) => account.modes.stand_in(Some(&MEMORY), &name, engine),
                None => drop(engine.cache.delete_tenant(&name)),
            }
        }
        Ok(apply(settings, engine).map(|()| warmed)?)
    }
}
