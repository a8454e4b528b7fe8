//! The state of a server: the engine, and what of the settings a request looks at.
//!
//! # Idea
//! The engine holds accounts as tenants and caches as their named caches, with all limits, so a request finds what it needs by name.
//! What a reload changes is one value that is swapped; the engine's limits are changed in place, so that items and counters stay.
//!
//! # Costs        a request: a load of the settings, and the engine's look-ups by name
//! # Invariants   AP1 nothing blocks a thread of the runtime: where a further level may be asked, the operation runs elsewhere
//! # Not here     parsing, answers

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;
use axum::http::{HeaderMap, HeaderValue};
use larder::{
    Cost, LevelMode, LevelOptions, LevelView, Limits, NamedCache, Rate, RateLimiter, Rates, Tenant,
};
use larder_serve::{Connections, Counts, Health, Tier};

use crate::admission::{Of, Refusals};
use crate::auth::{Caller, Keyring, RefusedToken, StaticKey, credential};
use crate::counts::OPERATIONS;
use crate::engine::Engine;
use crate::error::ApiError;
use crate::levels::{Modes, anywhere};
use crate::profile::CacheSettings;
use crate::query::Query;
use crate::settings::{Settings, SettingsError};

/// A server's state. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    live: ArcSwap<Live>,
    counts: Counts,
    refusals: Refusals,
    health: Health,
}

/// What a reload swaps.
pub(crate) struct Live {
    keyring: Keyring,
    pub(crate) accounts: BTreeMap<String, Account>,
    region: Option<String>,
    operator: Option<String>,
    takes_basic: bool,
    pub(crate) cors: Option<HeaderValue>,
    pub(crate) metrics_public: bool,
    pub(crate) permissions_max: Option<u64>,
    pub(crate) body_bytes_max: u64,
    pub(crate) connections: Connections,
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

    pub(crate) fn counts(&self) -> &Counts {
        &self.inner.counts
    }

    pub(crate) fn refusals(&self) -> &Refusals {
        &self.inner.refusals
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

    /// Who asks.
    pub(crate) fn caller(
        &self,
        query: &Query<'_>,
        headers: &HeaderMap,
    ) -> Result<Caller, ApiError> {
        let live = self.inner.live.load();
        let token = credential(query, headers, live.takes_basic)?;
        let token = token.ok_or(ApiError::unauthenticated("a token is needed"))?;
        let caller = live
            .keyring
            .authenticate(&token, self.now(), live.region.as_deref())
            .and_then(
                |caller| match live.accounts.contains_key(&*caller.account) {
                    true => Ok(caller),
                    false => Err(RefusedToken::Invalid),
                },
            );
        caller.map_err(|refused| {
            ApiError::unauthenticated(match refused {
                RefusedToken::Invalid => "the token is invalid",
                RefusedToken::Expired => "the token has expired",
                RefusedToken::Region => "the token is for another region",
            })
        })
    }

    /// A caller's account.
    pub(crate) fn tenant(&self, caller: &Caller) -> Result<Tenant<'_, [u8]>, ApiError> {
        Ok(self.engine().cache.tenant(&caller.account)?)
    }

    /// A cache of a caller's. That there is none costs the account what the operation would have.
    pub(crate) fn cache(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<NamedCache<'_, [u8]>, ApiError> {
        self.cache_of(&self.tenant(caller)?, caller, name)
    }

    fn cache_of<'a>(
        &self,
        tenant: &Tenant<'a, [u8]>,
        caller: &Caller,
        name: &str,
    ) -> Result<NamedCache<'a, [u8]>, ApiError> {
        let missing = match tenant.cache(name) {
            Ok(cache) => return Ok(cache),
            Err(error) => error.into(),
        };
        let cache = tenant.default_cache()?;
        let of = Of(tenant, &cache, [&*caller.account, name]);
        self.refusals().admit(of, Cost::calls(1), || Err(missing))
    }

    /// The limits of a cache, for an item that is to live so long.
    pub(crate) fn limits(
        &self,
        caller: &Caller,
        name: &str,
        ttl: Duration,
    ) -> Result<Limits, ApiError> {
        let limits = self.cache(caller, name)?.limits()?;
        match limits.ttl_max {
            Some(ttl_max) if ttl > ttl_max => Err(ApiError::ttl_too_long(ttl_max)),
            _ => Ok(limits),
        }
    }

    /// How a cache uses its levels.
    pub(crate) fn level_options(&self, caller: &Caller, name: &str) -> LevelOptions {
        let mut options = self.engine().level_options;
        // Without a section of a level no cache says anything of its own.
        if self.engine().tier.is_none() {
            return options;
        }
        let live = self.live();
        let account = live.accounts.get(&*caller.account);
        let mode = account.and_then(|account| account.modes.of(name));
        options.mode = mode.unwrap_or(options.mode);
        options
    }

    /// A cache through its levels.
    pub(crate) fn view<'a>(
        &'a self,
        cache: &NamedCache<'a, [u8]>,
        options: LevelOptions,
    ) -> LevelView<'a> {
        self.engine().levels.view(cache.scope(), options)
    }

    /// Admits an operation on a cache, and does it: here, or where it may block.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        caller: Caller,
        name: String,
        cost: Cost,
        operation: impl FnOnce(&NamedCache<'_, [u8]>, &LevelView<'_>) -> Result<R, ApiError>
        + Send
        + 'static,
    ) -> Result<R, ApiError> {
        let app = self.clone();
        let options = self.level_options(&caller, &name);
        let shares_rates = self.engine().tier.as_ref().is_some_and(Tier::shares_rates);
        anywhere(options.mode != LevelMode::L1 || shares_rates, move || {
            let tenant = app.tenant(&caller)?;
            let cache = app.cache_of(&tenant, &caller, &name)?;
            let of = Of(&tenant, &cache, [&*caller.account, &name]);
            app.refusals().admit(of, cost, || {
                app.refusals().admit_by_all(app.engine(), of, cost, || {
                    operation(&cache, &app.view(&cache, options))
                })
            })
        })
        .await
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("engine", self.engine())
            .finish_non_exhaustive()
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
        let cors = settings.cors.as_ref().map(|origin| origin.parse());
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
            region: settings.region.clone(),
            operator: settings.operator.clone(),
            takes_basic: settings.basic_auth,
            cors: cors
                .transpose()
                .map_err(|_| SettingsError("cors: not an origin".into()))?,
            metrics_public: settings.metrics_public,
            permissions_max,
            body_bytes_max: settings.body_bytes_max,
            connections: settings.connections,
        })
    }

    pub(crate) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The account whose super users see the figures of all.
    pub(crate) fn operator(&self) -> Option<&str> {
        self.operator.as_deref()
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

/// How long a look-up may wait for a further level.
pub(crate) fn patience(app: &App) -> Duration {
    app.engine().level_options.timeout
}
