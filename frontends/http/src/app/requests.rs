//! What requests do with the state: who asks, what they may have, where they run.
//!
//! # Idea         the checks of a request in their order, each a call that says what is wrong
//! # Costs        a request: a load of the settings, and the engine's look-ups by name
//! # Invariants   AP1 of the module above
//! # Not here     parsing, answers

use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use larder::{Cost, Entry, LevelMode, LevelOptions, LevelView, Limits, NamedCache, Tenant};
use larder_serve::Tier;
use larder_serve::body::{BodyError, Held};

use super::App;
use crate::admission::Of;
use crate::auth::{Caller, RefusedToken, credential};
use crate::error::{ApiError, NO_ROOM};
use crate::levels::anywhere;
use crate::query::Query;

impl App {
    /// Who asks, and by which parameters.
    pub(crate) fn caller<'h>(&self, head: &'h Parts) -> Result<(Caller, Query<'h>), ApiError> {
        let live = self.inner.live.load();
        let query = Query::parse(head.uri.query().unwrap_or(""));
        let token = credential(&query, &head.headers, live.settings.basic_auth)?;
        let token = token.ok_or(ApiError::unauthenticated("a token is needed"))?;
        let (now, region) = (self.now(), live.settings.region.as_deref());
        let has_account = |caller: &Caller| live.accounts.contains_key(&*caller.account);
        let refused = match live.keyring.authenticate(&token, now, region) {
            Ok(caller) if has_account(&caller) => return Ok((caller, query)),
            Ok(_) | Err(RefusedToken::Invalid) => "the token is invalid",
            Err(RefusedToken::Expired) => "the token has expired",
            Err(RefusedToken::Early) => "the token is not good yet",
            Err(RefusedToken::Region) => "the token is for another region",
        };
        Err(ApiError::unauthenticated(refused))
    }

    /// A caller's account.
    pub(crate) fn tenant(&self, caller: &Caller) -> Result<Tenant<'_, [u8]>, ApiError> {
        Ok(self.engine().cache.tenant(&caller.account)?)
    }

    /// A cache of a caller's. That there is none costs the account what the operation would have.
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
        let refusals = &self.inner.refusals;
        refusals.admit(of, Cost::calls(1), || Err(missing))
    }

    /// The limits of a cache whose rates would admit an operation, and which allows an item to live so long.
    pub(crate) fn limits(
        &self,
        caller: &Caller,
        name: &str,
        ttl: Duration,
        cost: impl FnOnce(&Limits) -> Cost,
    ) -> Result<Limits, ApiError> {
        let tenant = self.tenant(caller)?;
        let cache = self.cache_of(&tenant, caller, name)?;
        let limits = cache.limits()?;
        let of = Of(&tenant, &cache, [&*caller.account, name]);
        drop(self.inner.refusals.reserve(of, cost(&limits))?);
        match limits.ttl_max {
            Some(ttl_max) if ttl > ttl_max => Err(ApiError::ttl_too_long(ttl_max)),
            _ => Ok(limits),
        }
    }

    /// Says to whom finds no room how much there is in all.
    pub(crate) fn explained(&self, error: ApiError, caller: &Caller, name: &str) -> ApiError {
        match error.message == NO_ROOM {
            true => self.no_room(caller, name).unwrap_or(error),
            false => error,
        }
    }

    fn no_room(&self, caller: &Caller, name: &str) -> Result<ApiError, ApiError> {
        let tenant = self.tenant(caller)?;
        let of = [tenant.limits()?, tenant.cache(name)?.limits()?].map(|limits| limits.max_bytes);
        let server = self.engine().cache.capacity().max_bytes;
        Ok(ApiError::storage(server, of))
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

    /// The copies of these keys, if all are in memory; no use of them. `None` where copies don't answer, or need no looking for.
    pub(crate) fn copies<'k>(
        &self,
        caller: &Caller,
        name: &str,
        keys: impl IntoIterator<Item = &'k Vec<u8>>,
    ) -> Option<Vec<Entry<[u8]>>> {
        if self.level_options(caller, name).mode != LevelMode::L1L2 {
            return None;
        }
        let cache = self.tenant(caller).ok()?.cache(name).ok()?;
        let copies = keys.into_iter().map(|key| cache.peek(key.as_slice()));
        copies.collect()
    }

    /// Reads a request's body, of so many bytes at most, else with this error; never more than the settings allow of any.
    pub(crate) async fn body(
        &self,
        body: Body,
        bound: Option<(u64, ApiError)>,
    ) -> Result<Held, ApiError> {
        let live = self.live();
        let own = (
            live.body_bytes_max,
            ApiError::body_size(live.body_bytes_max),
        );
        let bound = bound.filter(|(bytes_max, _)| *bytes_max <= own.0);
        let (bytes_max, too_large) = bound.unwrap_or(own);
        let (together_max, connections) =
            (live.settings.bodies_bytes_max, &live.settings.connections);
        let bodies = &self.inner.bodies;
        let read = bodies.collect(body, bytes_max, together_max, connections, |_| ());
        read.await.map_err(|error| match error {
            BodyError::TooLarge => too_large,
            BodyError::TooSlow => ApiError::body_time(connections),
            BodyError::Broken => ApiError::invalid("the body ended early or is not well-formed"),
            BodyError::NoRoom => ApiError::no_room(together_max),
        })
    }

    /// Admits an operation on a cache, and does it: here, or where it may block. What finds all that it needs at hand, as
    /// [`copies`](Self::copies) says, asks no level.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        caller: Caller,
        name: String,
        cost: Cost,
        is_at_hand: bool,
        operation: impl FnOnce(&NamedCache<'_, [u8]>, &LevelView<'_>) -> Result<R, ApiError>
        + Send
        + 'static,
    ) -> Result<R, ApiError> {
        let app = self.clone();
        let mut options = self.level_options(&caller, &name);
        if is_at_hand {
            options.mode = LevelMode::L1;
        }
        let shares_rates = self.engine().tier.as_ref().is_some_and(Tier::shares_rates);
        let asks = options.mode != LevelMode::L1 || shares_rates;
        if asks {
            // What is refused takes no place of those who wait.
            self.limits(&caller, &name, Duration::ZERO, |_| cost)?;
        }
        let work = move |options| {
            let tenant = app.tenant(&caller)?;
            let cache = app.cache_of(&tenant, &caller, &name)?;
            let of = Of(&tenant, &cache, [&*caller.account, &name]);
            let refusals = &app.inner.refusals;
            let done = refusals.admit(of, cost, || {
                let operation = || operation(&cache, &app.view(&cache, options));
                match options.timeout.is_zero() {
                    // It can't ask any more: each server keeps to the rates alone then.
                    true => operation(),
                    false => refusals.admit_by_all(app.engine(), of, cost, operation),
                }
            });
            done.map_err(|error| app.explained(error, &caller, &name))
        };
        anywhere(self.pool(), asks, options, work).await
    }
}
