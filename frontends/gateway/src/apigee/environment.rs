//! Environments: their caches and what those are told.
//!
//! # Idea         an environment is a tenant of the engine; a cache of it is a cache of the tenant. What is said of a cache, and isn't the
//!   engine's to know, is kept here beside its name
//! # Costs        administration takes a lock; a policy takes it shared
//! # Invariants   E1 no entry is here; E2 a cache that is described here was made in the engine
//! # Not here     the paths under which this is administered

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder::{Expiry, LevelMode, LevelOptions, LevelView, Limits, NamedCache, Scope, TenantError};
use parking_lot::RwLock;
use serde_json::Value as Json;

use super::key::Fragments;
use super::{rendered, text};
use crate::engine::{Engine, Parts};

/// What an environment is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentOptions {
    /// How many caches it may have.
    pub caches_max: usize,
    /// How many entries a cache may have in memory; further ones evict others of the same cache.
    pub items_max: u64,
    /// The longest value that is kept in both levels.
    pub value_bytes_max: u64,
    /// The longest key, as it is rendered.
    pub key_bytes_max: usize,
    /// How caches use their levels that say nothing themselves, where there is a further one.
    pub mode: LevelMode,
    /// How long an operation may take in the further level, where a policy doesn't say.
    pub level_timeout: Duration,
    /// How long a copy stays in the process; `None`: as long as the entry.
    pub l1_lifetime: Option<Duration>,
    /// Whether keys are their rendered texts, as with the vendor.
    pub string_keys: bool,
    /// Whether a variable that isn't there counts as an empty one in keys.
    pub unresolved_is_empty: bool,
}

impl Default for EnvironmentOptions {
    fn default() -> Self {
        Self {
            caches_max: 100,
            items_max: 2_500_000,
            value_bytes_max: 262_144,
            key_bytes_max: 2_048,
            mode: LevelMode::L1L2,
            level_timeout: Duration::from_millis(500),
            l1_lifetime: Some(Duration::from_secs(1)),
            string_keys: false,
            unresolved_is_empty: false,
        }
    }
}

/// What is said of a cache.
#[derive(Debug, Clone, Default)]
pub struct CacheSettings {
    /// As it was said, to be told again.
    pub told: serde_json::Map<String, Json>,
    /// How long entries are kept that say nothing themselves.
    pub expiry: Option<Expiry>,
    /// Values longer than this are not kept.
    pub element_bytes_max: Option<u64>,
    /// Which levels it uses; `None`: those of the environment.
    pub mode: Option<LevelMode>,
}

/// Why a cache wasn't made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateError {
    /// There is one of the name.
    AlreadyExists,
    /// There are as many as there may be.
    TooMany,
    /// The name can't be one.
    Name(String),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyExists => "there is a cache of that name",
            Self::TooMany => "there are as many caches as there may be",
            Self::Name(why) => why,
        })
    }
}

impl std::error::Error for CreateError {}

/// An environment of an organisation. Clones are the same.
#[derive(Debug, Clone)]
pub struct Environment {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    organization: String,
    name: String,
    tenant: String,
    engine: Engine,
    options: EnvironmentOptions,
    caches: RwLock<BTreeMap<String, CacheSettings>>,
}

/// The names of the narrowest scope: organisation, environment, application, endpoint.
const SCOPE_PARTS_MAX: usize = 4;

/// The name under which the shared cache is shown.
pub(super) const SHARED: &str = "shared";

impl Environment {
    /// An environment over an engine.
    ///
    /// # Errors
    /// A name that can't be one.
    pub fn new(
        engine: Engine,
        organization: &str,
        name: &str,
        options: EnvironmentOptions,
    ) -> Result<Self, TenantError> {
        // With its length, so that no two pairs make one name.
        let tenant = format!("apigee/{}/{organization}/{name}", organization.len());
        // The shared cache beside the others, whose own bound each of them keeps to.
        let n_caches = options.caches_max as u64 + 1;
        engine.tenant(&tenant)?.set_limits(Limits {
            caches_max: Some(options.caches_max),
            max_entries: Some(options.items_max.saturating_mul(n_caches)),
            ..Limits::default()
        })?;
        Ok(Self {
            shared: Arc::new(Shared {
                organization: organization.to_owned(),
                name: name.to_owned(),
                tenant,
                engine,
                options,
                caches: RwLock::default(),
            }),
        })
    }

    /// The organisation's name.
    pub fn organization(&self) -> &str {
        &self.shared.organization
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// The engine's tenant.
    pub fn tenant(&self) -> &str {
        &self.shared.tenant
    }

    /// What it was told.
    pub fn options(&self) -> &EnvironmentOptions {
        &self.shared.options
    }

    /// Makes a cache.
    ///
    /// # Errors
    /// [`CreateError`].
    pub fn create_cache(&self, name: &str, settings: CacheSettings) -> Result<(), CreateError> {
        let mut caches = self.shared.caches.write();
        if caches.contains_key(name) {
            return Err(CreateError::AlreadyExists);
        }
        let made = self
            .shared
            .engine
            .tenant(&self.shared.tenant)
            .and_then(|tenant| tenant.create_cache(name, self.limits()).map(|_| ()));
        match made {
            Ok(()) => {}
            Err(TenantError::TooManyCaches { .. }) => return Err(CreateError::TooMany),
            Err(TenantError::AlreadyExists) => return Err(CreateError::AlreadyExists),
            Err(error) => return Err(CreateError::Name(error.to_string())),
        }
        caches.insert(name.to_owned(), settings);
        Ok(())
    }

    /// Changes what is said of a cache, but for its levels if nothing is said of those; false if there is none of the name. If it uses
    /// its levels otherwise from now on, what is in memory goes: it would keep to no bound of copies.
    pub fn update_cache(&self, name: &str, settings: CacheSettings) -> bool {
        let before = self.mode(Some(name));
        match self.shared.caches.write().get_mut(name) {
            Some(known) => {
                let mode = settings.mode.or(known.mode);
                *known = CacheSettings { mode, ..settings };
            }
            None => return false,
        }
        if let Some(cache) = self.cache(Some(name)) {
            // They contradict nothing; who was deleted meanwhile needs none.
            let _ = cache.set_limits(self.limits());
            if before != self.mode(Some(name)) {
                cache.flush();
            }
        }
        true
    }

    /// Those of each cache.
    fn limits(&self) -> Limits {
        Limits {
            max_entries: Some(self.shared.options.items_max),
            ..Limits::default()
        }
    }

    /// Deletes a cache and all that is in it, in both levels; false if there is none of the name.
    pub fn delete_cache(&self, name: &str) -> bool {
        let mode = self.mode(Some(name));
        let Some(cache) = self.cache(Some(name)) else {
            return false;
        };
        if !self.forget_cache(name) {
            return false;
        }
        // After it, or what is put meanwhile would be found in a new cache of the name.
        let _ = self.view(cache.scope(), mode).purge();
        true
    }

    /// Has a cache here no more; what others have of it in a further level stays. False if there is none of the name.
    pub fn forget_cache(&self, name: &str) -> bool {
        if self.shared.caches.write().remove(name).is_none() {
            return false;
        }
        if let Ok(tenant) = self.shared.engine.tenant(&self.shared.tenant) {
            tenant.delete_cache(name);
        }
        true
    }

    /// Ends all entries of a cache, in both levels; false if there is none of the name.
    pub fn clear(&self, name: Option<&str>) -> bool {
        let Some(cache) = self.cache(name) else {
            return false;
        };
        // Where the level can't be reached, this process reads none of its records again before they have ended there.
        let _ = self.view(cache.scope(), self.mode(name)).purge();
        true
    }

    /// Removes what is stored under a key that is rendered so, whichever its parts are (256 readings at most); false if there is no such cache.
    pub fn clear_key(&self, name: &str, rendered: &str) -> bool {
        let Some(cache) = self.cache(Some(name)) else {
            return false;
        };
        let mode = self.mode(Some(name));
        if self.shared.options.string_keys {
            text::remove(self, &cache, mode, rendered);
            return true;
        }
        for parts in rendered::readings(rendered) {
            for (scope, length) in self.scopes(&cache, &parts) {
                let _ = self.view(scope, mode).remove(Fragments(&parts[length..]));
            }
        }
        true
    }

    /// The same for all that is stored under a prefix, whatever its fragments are.
    pub fn clear_prefix(&self, name: &str, rendered: &str) -> bool {
        let Some(cache) = self.cache(Some(name)) else {
            return false;
        };
        let mode = self.mode(Some(name));
        if self.shared.options.string_keys {
            text::purge(self, &cache, mode, rendered);
            return true;
        }
        for parts in rendered::readings(rendered) {
            for (scope, length) in self.scopes(&cache, &parts) {
                if length == parts.len() {
                    let _ = self.view(scope, mode).purge();
                }
            }
        }
        true
    }

    /// The scopes that the first parts of a key can mean, each with how many it takes: a prefix that was given, or the names of a place
    /// in this environment.
    fn scopes<'c>(
        &self,
        cache: &NamedCache<'c, [u8]>,
        parts: &[&str],
    ) -> Vec<(Scope<'c, [u8]>, usize)> {
        let mut scopes = Vec::new();
        let prefix = parts
            .first()
            .and_then(|prefix| cache.scope().prefix(*prefix).ok());
        scopes.extend(prefix.map(|scope| (scope, 1)));
        if parts.starts_with(&[self.organization(), self.name()]) {
            for length in 2..=parts.len().min(SCOPE_PARTS_MAX) {
                let scope = cache.scope().scope(Parts(&parts[..length])).ok();
                scopes.extend(scope.map(|scope| (scope, length)));
            }
        }
        scopes
    }

    /// Empties the memory of caches that use a further level, and has no others than those that are described: what is in memory came from
    /// elsewhere, and would keep to no bound of copies.
    pub fn stand_in(&self) {
        let Ok(tenant) = self.shared.engine.tenant(&self.shared.tenant) else {
            return;
        };
        for (name, _) in tenant.caches() {
            if !self.knows(&name) {
                tenant.delete_cache(&name);
            }
        }
        let described = self.caches();
        for name in described.iter().map(|name| Some(&name[..])).chain([None]) {
            if let (true, Some(cache)) = (self.mode(name) != LevelMode::L1, self.cache(name)) {
                cache.flush();
            }
        }
    }

    /// What is said of the caches, by their names.
    pub fn described(&self) -> BTreeMap<String, CacheSettings> {
        self.shared.caches.read().clone()
    }

    /// The names of the caches, sorted; the shared one isn't among them.
    pub fn caches(&self) -> Vec<String> {
        self.shared.caches.read().keys().cloned().collect()
    }

    /// What is said of a cache.
    pub fn cache_settings(&self, name: &str) -> Option<CacheSettings> {
        self.shared.caches.read().get(name).cloned()
    }

    /// How long a cache keeps what says nothing itself, and how long a value it keeps at all.
    pub(super) fn keeping(&self, name: &str) -> (Option<Expiry>, Option<u64>) {
        let caches = self.shared.caches.read();
        let said = caches.get(name);
        said.map_or((None, None), |said| (said.expiry, said.element_bytes_max))
    }

    /// Whether a cache is described.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.shared.caches.read().contains_key(name)
    }

    /// A cache of the engine; `None` if it isn't there. Without a name, the shared one.
    pub(super) fn cache(&self, name: Option<&str>) -> Option<NamedCache<'_, [u8]>> {
        let tenant = self.shared.engine.tenant(&self.shared.tenant).ok()?;
        match name {
            Some(name) => tenant.cache(name).ok(),
            None => tenant.default_cache().ok(),
        }
    }

    /// How a cache uses its levels. Without a name, the shared one.
    pub(super) fn mode(&self, name: Option<&str>) -> LevelMode {
        if !self.shared.engine.has_level() {
            return LevelMode::L1;
        }
        let caches = self.shared.caches.read();
        let said = name.and_then(|name| caches.get(name)?.mode);
        said.unwrap_or(self.shared.options.mode)
    }

    /// A scope through the levels.
    pub(super) fn view<'c>(&'c self, scope: Scope<'c, [u8]>, mode: LevelMode) -> LevelView<'c> {
        let Shared {
            engine, options, ..
        } = &*self.shared;
        let levels = LevelOptions::new(mode)
            .timeout(options.level_timeout)
            .l1_lifetime(options.l1_lifetime)
            .value_bytes_max(Some(options.value_bytes_max));
        engine.view(scope, levels)
    }
}
