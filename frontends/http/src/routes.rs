//! Which handler a path has.
//!
//! # Idea         a route takes every method, and its handler says which it knows; so what is refused is refused in one form
//! # Costs        the router's
//! # Invariants   RO1 names in paths are split on `/` before they are decoded, by the handlers, from the path as it came
//! # Not here     handlers

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::error::ApiError;
use crate::{data, respond};

/// All routes of a server.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/cache/{name}", any(data::item))
        .route("/cache/{name}/{*key}", any(data::item))
        .fallback(|| async { ApiError::not_found() })
        .with_state(app.clone())
        .layer(CatchPanicLayer::custom(respond::panicked))
        .layer(from_fn_with_state(app, respond::respond))
}

/// The answer to OPTIONS on a path that exists: asked without a token, told to other origins if they may ask.
pub(crate) fn options(app: &App, allow: &'static str) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    if app.live().cors.is_some() {
        let methods = HeaderValue::from_static("GET, HEAD, PUT, DELETE");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let names = HeaderValue::from_static("Authorization, Content-Type");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    response
}
