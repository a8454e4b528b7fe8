//! The state of a server: the engine, and what of the settings a request looks at.
//!
//! # Idea
//! The engine holds accounts as tenants and caches as their named caches, with all limits, so a request finds what it needs by name.
//! What a reload changes is one value that is swapped; the engine's limits are changed in place, so that items and counters stay.
//!
//! # Costs        none but at the start and at a reload
//! # Invariants   AP1 nothing blocks a thread of the runtime: where a further level may be asked, the operation runs elsewhere
//! # Not here     what requests do with it: module `requests`

mod requests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use arc_swap::ArcSwap;
use axum::http::HeaderValue;
use larder::{Limits, Rate, RateLimiter, Rates};
use larder_serve::body::Budget;
use larder_serve::words::RIGHT;
use larder_serve::{Counts, Health, Pool};

use crate::admission::Refusals;
use crate::auth::{Caller, Keyring, StaticKey};
use crate::counts::OPERATIONS;
use crate::engine::Engine;
use crate::error::ApiError;
use crate::levels::Modes;
use crate::profile::CacheSettings;
use crate::settings::{Settings, SettingsError};

/// A server's state. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    engine: Engine,
    live: ArcSwap<Live>,
    pub(crate) counts: Counts,
    pub(crate) refusals: Refusals,
    pool: Pool,
    bodies: Budget,
    health: Health,
}

/// What a reload swaps.
pub(crate) struct Live {
    pub(crate) keyring: Keyring,
    pub(crate) accounts: BTreeMap<String, Account>,
    /// As they are written; the fields beside say what some come to.
    pub(crate) settings: Settings,
    pub(crate) cors: Option<HeaderValue>,
    pub(crate) permissions_max: Option<u64>,
    pub(crate) body_bytes_max: u64,
}

pub(crate) struct Account {
    /// The limits of a cache that is made by a request.
    cache_limits: Limits,
    pub(crate) modes: Modes,
    control: Arc<RateLimiter>,
    control_rates: Rates,
}

impl App {
    /// Sets accounts and caches up in the engine.
    ///
    /// # Errors
    /// What of the settings can't be used.
    pub fn new(settings: &Settings, engine: Engine) -> Result<Self, SettingsError> {
        let live = Live::new(settings, &engine, None)?;
        apply(settings, &engine)?;
        let inner = Inner {
            engine,
            live: ArcSwap::from_pointee(live),
            counts: Counts::new(&OPERATIONS),
            refusals: Refusals::default(),
            pool: Pool::new(settings.level_requests_max),
            bodies: Budget::default(),
            health: Health::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Takes up other keys and limits; items and counters stay. What is no longer listed stays as well, with its old limits. Of a cache
    /// that uses its levels otherwise from now on, what is in memory goes.
    ///
    /// # Errors
    /// What of the settings can't be used; keys and most limits are as before then.
    pub fn reload(&self, settings: &Settings) -> Result<(), SettingsError> {
        let before = self.live();
        let live = Live::new(settings, self.engine(), Some(&before))?;
        apply(settings, self.engine())?;
        self.inner.live.store(Arc::new(live));
        for (name, account) in &self.live().accounts {
            let known = before.accounts.get(name).map(|known| &known.modes);
            account.modes.stand_in(known, name, self.engine());
        }
        Ok(())
    }

    /// What it tells of its health.
    pub fn health(&self) -> &Health {
        &self.inner.health
    }

    /// What it stands on.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn live(&self) -> Arc<Live> {
        self.inner.live.load_full()
    }

    /// Where what may ask the further level is run.
    pub(crate) fn pool(&self) -> &Pool {
        &self.inner.pool
    }

    /// The accounts by name.
    pub(crate) fn accounts(&self) -> Vec<String> {
        self.live().accounts.keys().cloned().collect()
    }

    /// The second that it is, since 1970.
    pub(crate) fn now(&self) -> u64 {
        let now = (self.engine().calendar)().duration_since(UNIX_EPOCH);
        now.map_or(0, |since| since.as_secs())
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl Live {
    fn new(
        settings: &Settings,
        engine: &Engine,
        before: Option<&Self>,
    ) -> Result<Self, SettingsError> {
        let permissions_max = settings.profile.permissions_max(settings.permissions_max);
        let keyring = Keyring::new(&settings.keys, &settings.signing_keys, permissions_max);
        let unknown = |key: &&StaticKey| !settings.accounts.contains_key(&key.account);
        if let Some(key) = settings.keys.iter().find(unknown) {
            let reason = format!("keys: there is no account {}", key.account);
            return Err(SettingsError(reason));
        }
        let operates = |name: &&String| !settings.accounts.contains_key(*name);
        if let Some(name) = settings.operator.as_ref().filter(operates) {
            return Err(SettingsError(format!(
                "operator: there is no account {name}"
            )));
        }
        let cors = settings.cors.as_deref().map(origin).transpose()?;
        let mut accounts = BTreeMap::new();
        for (name, account) in &settings.accounts {
            let rates = settings.profile.control(account);
            let known = before.and_then(|before| before.accounts.get(name));
            let control = known.map(|known| Arc::clone(&known.control));
            let control = control.unwrap_or_else(|| {
                Arc::new(RateLimiter::with_clock(rates, Arc::clone(&engine.clock)))
            });
            control.set_rates(rates);
            let said = CacheSettings::default();
            let cache_limits = settings.profile.cache(&said, &account.each_cache);
            let account = Account {
                cache_limits,
                modes: Modes::new(name, account, settings.level.as_ref())?,
                control,
                control_rates: rates,
            };
            accounts.insert(name.clone(), account);
        }
        Ok(Self {
            keyring: keyring.map_err(|error| SettingsError(error.to_string()))?,
            accounts,
            cors,
            permissions_max,
            // One that is longer than all together may be would never pass.
            body_bytes_max: settings.body_bytes_max.min(settings.bodies_bytes_max),
            settings: settings.clone(),
        })
    }

    /// The limits of a cache that a caller makes.
    pub(crate) fn cache_limits(&self, caller: &Caller) -> Limits {
        let account = self.accounts.get(&*caller.account);
        account.map_or(Limits::default(), |account| account.cache_limits)
    }

    /// Admits a call that administers caches.
    pub(crate) fn admit_control(&self, caller: &Caller) -> Result<(), ApiError> {
        let Some(account) = self.accounts.get(&*caller.account) else {
            return Ok(());
        };
        account.control.check(1, 0).map_err(|limit| {
            let rate = account.control_rates.operations;
            let rate = rate.map_or(0, Rate::burst_tokens);
            let message = format!("control limit exceeded: {rate} operations a second");
            ApiError::limit(message, limit.retry_after)
        })
    }
}

/// An origin as browsers send it, or `*`.
fn origin(said: &str) -> Result<HeaderValue, SettingsError> {
    let host = said.split_once("://").map_or("", |(_, host)| host);
    let is_host = |byte: u8| {
        byte.is_ascii_graphic() && !b"/?#@,*".contains(&byte) && !byte.is_ascii_uppercase()
    };
    let is_origin = !host.is_empty() && host.bytes().all(is_host);
    let value = (is_origin || said == "*").then(|| HeaderValue::from_str(said).ok());
    let right =
        "an origin as browsers send it, such as \"https://app.example\", without a path, or \"*\"";
    value
        .flatten()
        .ok_or_else(|| SettingsError(format!("cors: {said:?} can't be meant{RIGHT}{right}")))
}

/// Makes the accounts and caches of the settings, or gives them their limits.
pub(crate) fn apply(settings: &Settings, engine: &Engine) -> Result<(), SettingsError> {
    for (name, account) in &settings.accounts {
        let limits = settings.profile.account(account);
        let refused =
            |error: larder::TenantError| SettingsError(format!("account {name}: {error}"));
        let tenant = match engine.cache.tenant(name) {
            Ok(tenant) => {
                tenant.set_limits(limits).map_err(refused)?;
                tenant
            }
            Err(_) => engine.cache.create_tenant(name, limits).map_err(refused)?,
        };
        if settings.curve_entries > 0 {
            tenant
                .track_curve(settings.curve_entries)
                .map_err(refused)?;
        }
        let unsaid = CacheSettings::default();
        let of = |cache: &str| {
            let said = account.caches.get(cache).unwrap_or(&unsaid);
            settings.profile.cache(said, &account.each_cache)
        };
        for (cache, _) in tenant.caches() {
            if let Ok(made) = tenant.cache(&cache) {
                made.set_limits(of(&cache)).map_err(refused)?;
            }
        }
        for cache in account.caches.keys() {
            if tenant.cache(cache).is_err() {
                tenant.create_cache(cache, of(cache)).map_err(refused)?;
            }
        }
    }
    Ok(())
}
