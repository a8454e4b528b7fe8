//! Items: GET, HEAD, PUT and DELETE.
//!
//! # Idea
//! The checks come in one order: route and method, credential, who it is, parameters, rights, rates, the cache, sizes, and then the
//! operation. Each is a line below, in that order.
//!
//! # Costs        a PUT's body is held once and copied once, into its entry; a GET's value isn't copied
//! # Invariants   DA1 nothing of a PUT is done before its body is there as a whole
//! # Not here     what the engine keeps to: rates, sizes, times to live

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use larder::{Cost, Lookup};
use larder_serve::body::collect;

use crate::app::{App, patience};
use crate::auth::{Access, Caller, Rights};
use crate::error::{ApiError, body_error};
use crate::query::{Query, cache_name};
use crate::routes::gate;

const ALLOW: &str = "GET, HEAD, PUT, DELETE, OPTIONS";

/// An item that a request names.
struct Item {
    caller: Caller,
    cache: String,
    key: Vec<u8>,
}

/// Serves `/cache/{name}` and `/cache/{name}/{key}`.
pub(crate) async fn item(app: &App, request: Request) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    if let Some(answer) = gate(app, &head.method, ALLOW) {
        return answer;
    }
    let access = match head.method {
        Method::GET | Method::HEAD => Access::Read,
        _ => Access::Write,
    };
    let query = Query::parse(head.uri.query().unwrap_or(""));
    let caller = app.caller(&query, &head.headers)?;
    let names = head.uri.path().strip_prefix("/cache/").unwrap_or("");
    let (cache, of_path) = match names.split_once('/') {
        Some((cache, key)) => (cache, Some(key)),
        None => (names, None),
    };
    let item = Item {
        cache: cache_name(cache)?,
        key: query.key(of_path)?,
        caller,
    };
    let ttl = (head.method == Method::PUT)
        .then(|| query.ttl())
        .transpose()?;
    item.caller.may(access, &item.cache, &item.key)?;
    match (ttl, head.method) {
        (Some(ttl), _) => put(app, item, ttl, body).await,
        (None, Method::DELETE) => delete(app, item).await,
        (None, method) => get(app, item, method == Method::GET).await,
    }
}

async fn get(app: &App, item: Item, has_body: bool) -> Result<Response, ApiError> {
    let (key, within) = (item.key, patience(app));
    let found = app.run(
        item.caller,
        item.cache,
        Cost::calls(1),
        move |cache, view| {
            let entry = match view.lookup(key.as_slice(), within) {
                Lookup::Hit(entry) | Lookup::Stale(entry) => entry,
                Lookup::Negative => return Err(ApiError::KEY_NOT_FOUND),
                Lookup::Miss(reason) => {
                    return Err(ApiError::missed(reason, view.options().on_error));
                }
            };
            if has_body {
                cache.charge(entry.len() as u64);
            }
            Ok(Bytes::from(entry))
        },
    );
    let value = found.await?;
    let mut response = Response::new(Body::from(value));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    let for_nobody = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, for_nobody);
    Ok(response)
}

async fn put(app: &App, item: Item, ttl: Duration, body: Body) -> Result<Response, ApiError> {
    let limits = app.limits(&item.caller, &item.cache, ttl)?;
    let item_bytes_max = limits.item_bytes_max.unwrap_or(u64::MAX);
    let live = app.live();
    let key_bytes = item.key.len() as u64;
    let value_bytes_max = item_bytes_max
        .saturating_sub(key_bytes)
        .min(live.body_bytes_max);
    let value = collect(body, value_bytes_max, &live.connections)
        .await
        .map_err(|error| body_error(error, ApiError::item_size(item_bytes_max)))?;
    let cost = Cost::calls(1).and_bytes(value.len() as u64);
    let key = item.key;
    app.run(item.caller, item.cache, cost, move |_, view| {
        view.put(key.as_slice(), value, ttl)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

async fn delete(app: &App, item: Item) -> Result<Response, ApiError> {
    let key = item.key;
    app.run(item.caller, item.cache, Cost::calls(1), move |_, view| {
        view.remove(key.as_slice())?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}
