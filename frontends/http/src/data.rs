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

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use larder::{Cost, Limits};

use crate::app::App;
use crate::auth::{Access, Caller, Rights};
use crate::error::ApiError;
use crate::levels::look_up;
use crate::query::cache_name;
use crate::routes::{FOR_NOBODY, gate};

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
    let (caller, query) = app.caller(&head)?;
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
    let ttl = query.ttl(head.method == Method::PUT)?;
    item.caller.may(access, &item.cache, &item.key)?;
    match (ttl, head.method) {
        // Connections that wait for nothing keep no room for it.
        (Some(ttl), _) => Box::pin(put(app, item, ttl, body)).await,
        (None, Method::DELETE) => delete(app, item).await,
        (None, method) => get(app, item, method == Method::GET).await,
    }
}

async fn get(app: &App, item: Item, has_body: bool) -> Result<Response, ApiError> {
    let (caller, cache, key) = (item.caller, item.cache, item.key);
    let copy = app.copies(&caller, &cache, [&key]);
    let (cost, is_at_hand) = (Cost::calls(1), copy.is_some());
    let found = app.run(caller, cache, cost, is_at_hand, move |cache, view| {
        let copy = copy.and_then(|mut copies| copies.pop());
        let entry = look_up(view, &key, copy)?.ok_or(ApiError::KEY_NOT_FOUND)?;
        if has_body {
            cache.charge(entry.len() as u64);
        }
        Ok(Bytes::from(entry))
    });
    let value = found.await?;
    let mut response = Response::new(Body::from(value));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, FOR_NOBODY);
    Ok(response)
}

async fn put(app: &App, item: Item, ttl: Duration, body: Body) -> Result<Response, ApiError> {
    let (declared, key_bytes) = (body.size_hint().lower(), item.key.len() as u64);
    let item_bytes_max = |limits: &Limits| limits.item_bytes_max.unwrap_or(u64::MAX);
    let limits = app.limits(&item.caller, &item.cache, ttl, |limits| {
        // What is larger than may be is refused for that.
        let is_small = declared.saturating_add(key_bytes) <= item_bytes_max(limits);
        Cost::calls(1).and_bytes(if is_small { declared } else { 0 })
    })?;
    let bytes_max = item_bytes_max(&limits);
    let value_bytes_max = bytes_max.saturating_sub(key_bytes);
    let bound = (value_bytes_max, ApiError::item_size(bytes_max));
    let value = app.body(body, Some(bound)).await?;
    let cost = Cost::calls(1).and_bytes(value.len() as u64);
    let key = item.key;
    app.run(item.caller, item.cache, cost, false, move |_, view| {
        view.put(key.as_slice(), value, ttl)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

async fn delete(app: &App, item: Item) -> Result<Response, ApiError> {
    let (key, cost) = (item.key, Cost::calls(1));
    app.run(item.caller, item.cache, cost, false, move |_, view| {
        view.remove(key.as_slice())?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}
