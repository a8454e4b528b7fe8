//! Caches and tokens: what super users administer.
//!
//! # Idea         named caches of the account's tenant are made, ended and listed; the engine keeps their limits
//! # Costs        a lock that other administration takes too
//! # Invariants   CO1 nobody but a super user learns which caches there are, and only those of the account
//! # Not here     limits that are configured: module `profile`

use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use larder::{LevelMode, Limits, Rate};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::{Caller, Grant, MintError, Permission, Rights, Wanted};
use crate::error::ApiError;
use crate::levels::anywhere;
use crate::query::cache_name;
use crate::respond;

/// No list of permissions is longer.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// Serves `/caches`.
pub(crate) async fn caches(app: App, request: Request) -> Result<Response, ApiError> {
    let (head, _) = request.into_parts();
    let caller = administrator(&app, &head, || Ok(()))?.0;
    let caches = app.tenant(&caller)?.caches();
    let described = |(name, limits): &(String, Limits)| {
        let per_second = |rate: Option<Rate>| rate.map(|rate| rate.burst_tokens());
        let kib = |bytes: u64| bytes / 1024;
        json!({ "name": name, "limits": {
            "max_traffic_rate": per_second(limits.rates.operations),
            "max_throughput_kbps": per_second(limits.rates.bytes).map(kib),
            "max_item_size_kb": limits.item_bytes_max.map(kib),
            "max_ttl_seconds": limits.ttl_max.map(|ttl| ttl.as_secs()),
        } })
    };
    let caches: Vec<Value> = caches.iter().map(described).collect();
    let body = json!({ "caches": caches, "next_token": "" });
    Ok(respond::json(body.to_string()))
}

/// Serves `/caches/{name}`.
pub(crate) async fn cache(app: App, request: Request) -> Result<Response, ApiError> {
    let (head, _) = request.into_parts();
    let (caller, name) = administrator(&app, &head, || named(&head))?;
    if head.method == Method::PUT {
        let limits = app.live().cache_limits(&caller);
        app.tenant(&caller)?.create_cache(&name, limits)?;
        return Ok(StatusCode::CREATED.into_response());
    }
    let (of, options) = (app.clone(), app.level_options(&caller, &name));
    let work = move |options| {
        let tenant = of.tenant(&caller)?;
        let view_before = of.view(&tenant.cache(&name)?, options);
        if !tenant.delete_cache(&name) {
            return Err(ApiError::CACHE_NOT_FOUND);
        }
        of.inner.refusals.forget(&caller.account, &name);
        // Or a cache of the same name would find what the further level still holds.
        view_before.purge()?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    anywhere(app.pool(), options.mode != LevelMode::L1, options, work).await
}

/// Serves `/caches/{name}/flush`.
pub(crate) async fn flush(app: App, request: Request) -> Result<Response, ApiError> {
    let (head, _) = request.into_parts();
    let (caller, name) = administrator(&app, &head, || named(&head))?;
    let (of, options) = (app.clone(), app.level_options(&caller, &name));
    let work = move |options| {
        let cache = of.tenant(&caller)?.cache(&name)?;
        of.view(&cache, options).purge()?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    anywhere(app.pool(), options.mode != LevelMode::L1, options, work).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    permissions: Vec<Permission>,
    ttl_seconds: Option<Value>,
    id: Option<String>,
}

/// Serves `/tokens`.
pub(crate) async fn tokens(app: App, request: Request) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let (caller, _) = app.caller(&head)?;
    let too_large = ApiError {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        ..ApiError::body_size(BODY_BYTES_MAX)
    };
    let body = app.body(body, Some((BODY_BYTES_MAX, too_large))).await?;
    let form: Form = crate::items::read(&body)?;
    caller.administers()?;
    let live = app.live();
    let refused = |error: MintError| match error {
        MintError::NoKey => ApiError::precondition(error.to_string()),
        _ => ApiError::invalid(error.to_string()),
    };
    let wanted = Wanted {
        account: caller.account.to_string(),
        grant: Grant::Permissions(form.permissions),
        id: form.id,
        ttl_seconds: form.ttl_seconds.as_ref().and_then(Value::as_i64),
        region: live.settings.region.clone(),
    };
    let claims = wanted.claims(app.now(), live.permissions_max);
    let claims = claims.map_err(refused)?;
    live.admit_control(&caller)?;
    let token = live.keyring.mint(&claims).map_err(refused)?;
    let body = json!({ "token": token, "expires_at": claims.exp });
    let mut response = respond::json(body.to_string());
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// The super user who asks, and what else of the request is read once it is known who asks.
fn administrator<T>(
    app: &App,
    head: &Parts,
    read: impl FnOnce() -> Result<T, ApiError>,
) -> Result<(Caller, T), ApiError> {
    let (caller, _) = app.caller(head)?;
    let read = read()?;
    caller.administers()?;
    app.live().admit_control(&caller)?;
    Ok((caller, read))
}

fn named(head: &Parts) -> Result<String, ApiError> {
    cache_name(head.uri.path().split('/').nth(2).unwrap_or(""))
}
