//! The console: one page, and the figures that it shows.
//!
//! # Idea
//! The page is static, needs no token and asks for nothing from elsewhere; it asks for the figures every two seconds, with a super user's
//! token that a person gives it. What a second brought is the difference of two answers, so nothing is kept here.
//!
//! # Costs        an answer locks each stripe in turn, as reading counters does, and walks the caches
//! # Invariants   CS1 the page runs no script and takes no style but its own, by their hashes; CS2 a super user sees their own account,
//!   those of the operator's account all
//! # Not here     figures for programs: `/metrics`

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use larder::{Limits, Rate, Stats, Tenant, TenantError, Usage};
use serde_json::{Value, json};

use crate::admission::{Counted, WHOLE_ACCOUNT};
use crate::app::App;
use crate::auth::{Caller, Rights, hash_of};
use crate::error::ApiError;
use crate::respond;

const PAGE: &str = include_str!("console/page.html");

/// Serves `/console`.
pub(crate) async fn page(_: App, _: Request) -> Result<Response, ApiError> {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, PAGE).into_response())
}

/// What the page may do: run its script, take its style, and ask this server (CS1).
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |tag: &str| {
        let (_, rest) = PAGE.split_once(&format!("<{tag}>")).unwrap_or_default();
        let (text, _) = rest.split_once(&format!("</{tag}>")).unwrap_or_default();
        let hash = hash_of(text.as_bytes());
        base64::engine::general_purpose::STANDARD.encode(hash)
    };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash("script"),
        hash("style")
    )
});

/// Serves `/console/data`: the figures, for super users.
pub(crate) async fn data(app: App, request: Request) -> Result<Response, ApiError> {
    let (head, _) = request.into_parts();
    let (caller, _) = app.caller(&head)?;
    caller.administers()?;
    Ok(respond::json(figures(&app, &caller)?.to_string()))
}

/// What the page is told: when by the engine's clock, all together, and by account.
fn figures(app: &App, caller: &Caller) -> Result<Value, ApiError> {
    let accounts = app.accounts();
    let sees_all =
        accounts.len() == 1 || app.live().settings.operator.as_deref() == Some(&*caller.account);
    let cache = &app.engine().cache;
    let refusals = app.inner.refusals.counted();
    let seen = |account: &&String| sees_all || **account == *caller.account;
    let tenants: Vec<Value> = accounts
        .iter()
        .filter(seen)
        .map(|account| of_tenant(&cache.tenant(account)?, account, &refusals))
        .collect::<Result<_, TenantError>>()?;
    let refused = refusals
        .iter()
        .filter(|((account, _), _)| seen(&account))
        .fold([0; 2], |sum, (_, own)| [sum[0] + own[0], sum[1] + own[1]]);
    let mut capacity_bytes = cache.capacity().max_bytes;
    let (title, mut whole) = if sees_all {
        let stats = cache.stats();
        let used = [stats.live_entries, cache.weight()];
        let whole = part("", stats, used, &Limits::default(), refused);
        ("The whole cache".into(), whole)
    } else {
        let tenant = cache.tenant(&caller.account)?;
        let (limits, usage) = (tenant.limits()?, tenant.usage());
        capacity_bytes = [limits.max_bytes, capacity_bytes]
            .into_iter()
            .flatten()
            .min();
        let used = [usage.entries, usage.bytes];
        let whole = part("", tenant.stats(), used, &limits, refused);
        (format!("Account {}", caller.account), whole)
    };
    if let [only] = tenants.as_slice() {
        // Their look-ups are the same.
        whole["curve"] = only["curve"].clone();
    }
    let at_ms = app.engine().clock.now().0 / 1_000_000;
    Ok(json!({
        "at_ms": at_ms, "title": title, "capacity_bytes": capacity_bytes, "whole": whole, "tenants": tenants
    }))
}

fn of_tenant(
    tenant: &Tenant<'_, [u8]>,
    account: &str,
    refusals: &Counted,
) -> Result<Value, TenantError> {
    let one = |name: &str, cache: &str, stats, usage: Usage, limits: &Limits| {
        let refused = refusals.get(&(account.to_owned(), cache.to_owned()));
        let used = [usage.entries, usage.bytes];
        part(
            name,
            stats,
            used,
            limits,
            refused.copied().unwrap_or_default(),
        )
    };
    let (stats, usage) = (tenant.stats(), tenant.usage());
    let mut whole = one(account, WHOLE_ACCOUNT, stats, usage, &tenant.limits()?);
    let caches = tenant.caches().into_iter().filter_map(|(name, limits)| {
        // Who deletes it meanwhile takes it off the list.
        let cache = tenant.cache(&name).ok()?;
        Some(one(&name, &name, cache.stats(), cache.usage(), &limits))
    });
    whole["caches"] = caches.collect();
    let curve = tenant.curve();
    whole["curve"] = curve.map_or(Value::Null, |curve| {
        let points = curve.points.iter().filter(|_| curve.n_references > 0);
        points
            .map(|point| json!({ "factor": point.factor, "hit_ratio": point.hit_ratio }))
            .collect()
    });
    Ok(whole)
}

/// The figures of one line. Each rate's burst is what it lets pass in a second.
fn part(
    name: &str,
    stats: Stats,
    [entries, bytes]: [u64; 2],
    limits: &Limits,
    [operations_refused, bytes_refused]: [u64; 2],
) -> Value {
    let burst = |rate: Option<Rate>| rate.map(Rate::burst_tokens);
    json!({
        "name": name, "hits": stats.hits, "misses": stats.misses(), "inserted": stats.inserted,
        "left": {
            "expired": stats.expired, "evicted": stats.evicted, "replaced": stats.replaced,
            "removed": stats.removed, "invalidated": stats.invalidated
        },
        "entries": entries, "bytes": bytes,
        "guaranteed_bytes": limits.guaranteed_bytes, "max_bytes": limits.max_bytes,
        "rates": [
            { "limit": burst(limits.rates.operations), "refused": operations_refused },
            { "limit": burst(limits.rates.bytes), "refused": bytes_refused }
        ],
        "curve": null, "caches": []
    })
}

#[cfg(test)]
mod tests;
