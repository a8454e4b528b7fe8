//! Which handler a path has.
//!
//! # Idea
//! A route takes every method, and its handler says which it knows; so what is refused is refused in one form. Items have no route: their
//! path is told from all others by a look, and most requests are of them.
//!
//! Layers of `tower-http` stand before the routes. Before items there is none: a layer that catches panics, as one that traces, has each
//! body in a further box. A panic is caught by what such a layer is made of, for all paths.
//!
//! # Costs        items: that look; else, the router's
//! # Invariants   RO1 names in paths are split on `/` before they are decoded, by the handlers, from the path as it came; RO2 after a panic
//!   all is good for others, as all is that no lock guards
//! # Not here     handlers

use std::panic::AssertUnwindSafe;
use std::pin::pin;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use futures_util::FutureExt;
use larder_serve::{Handler, Peer};
use tower_http::set_header::SetResponseHeaderLayer;
use tracing::error;

use crate::app::App;
use crate::error::ApiError;
use crate::items::Op;
use crate::respond::Asked;
use crate::{console, control, data, items, openapi, operations};

/// All routes of a server.
pub fn router(app: App) -> Routes {
    let mut router = Router::new();
    for (name, op) in Op::ALL {
        let serve = move |app, request| items::serve(app, op, request);
        router = router.route(&format!("/caches/{{name}}/items/{name}"), of(POST, serve));
    }
    let no_store = SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, FOR_NOBODY);
    let others = router
        .route("/caches", of(GET, control::caches))
        .route("/caches/{name}", of("PUT, DELETE, OPTIONS", control::cache))
        .route("/caches/{name}/flush", of(POST, control::flush))
        .route("/tokens", of(POST, control::tokens))
        .route("/metrics", of(GET, operations::metrics))
        .route("/console/data", of(GET, console::data))
        .route_layer(no_store)
        .route("/console", of(GET, console::page))
        .route("/openapi.json", of(GET, openapi::document))
        .merge(app.health().routes().with_state(()))
        .method_not_allowed_fallback(not_get)
        .fallback(|| async { ApiError::NOT_FOUND })
        .with_state(app.clone());
    Routes { app, others }
}

/// What is answered to one token, no cache may keep.
pub(crate) const FOR_NOBODY: HeaderValue = HeaderValue::from_static("no-store");
const GET: &str = "GET, HEAD, OPTIONS";
const POST: &str = "POST, OPTIONS";

/// A route of these methods.
fn of<F>(
    allow: &'static str,
    handler: impl Fn(App, Request) -> F + Clone + Send + Sync + 'static,
) -> MethodRouter<App>
where
    F: Future<Output = Result<Response, ApiError>> + Send,
{
    any(async move |State(app): State<App>, request: Request| {
        match gate(&app, request.method(), allow) {
            Some(answer) => answer,
            None => handler(app, request).await,
        }
    })
}

/// See [`router`].
#[derive(Debug, Clone)]
pub struct Routes {
    app: App,
    others: Router,
}

impl Handler for Routes {
    async fn handle(&self, peer: Peer, request: Request) -> Response {
        let is_item = names_item(request.uri().path());
        let asked = Asked::of(&request, is_item);
        // Pinned here, since an argument would take the room twice.
        let answer = pin!(async {
            match is_item {
                true => data::item(&self.app, request).await.into_response(),
                false => self.others.handle(peer, request).await,
            }
        });
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        let answer = answer.unwrap_or_else(|_| {
            // The message may hold what a client sent, so it stays with the panic hook.
            error!("a handler panicked");
            ApiError::INTERNAL.into_response()
        });
        asked.respond(&self.app, answer)
    }

    /// Told to other origins if they may ask, whatever is answered.
    fn complete(&self, headers: &mut HeaderMap) {
        if let Some(origin) = self.app.live().cors.clone() {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
    }
}

/// Whether a path is that of an item: `/cache/{name}` or `/cache/{name}/{key}`.
fn names_item(path: &str) -> bool {
    let Some(names) = path.strip_prefix("/cache/") else {
        return false;
    };
    match names.split_once('/') {
        Some((cache, key)) => !cache.is_empty() && !key.is_empty(),
        None => !names.is_empty(),
    }
}

/// What is answered to another method than GET by routes that know it alone.
async fn not_get(State(app): State<App>, method: Method) -> Result<Response, ApiError> {
    gate(&app, &method, GET).unwrap_or(Err(ApiError::NOT_FOUND))
}

/// What a request is answered whose method isn't one of `allow`; for OPTIONS that is no error.
pub(crate) fn gate(
    app: &App,
    method: &Method,
    allow: &'static str,
) -> Option<Result<Response, ApiError>> {
    if *method == Method::OPTIONS {
        return Some(Ok(options(app, allow)));
    }
    let is_allowed = allow.split(", ").any(|one| one == method.as_str());
    (!is_allowed).then(|| Err(ApiError::method_not_allowed(allow)))
}

/// The answer to OPTIONS on a path that exists: asked without a token, told to other origins if they may ask.
fn options(app: &App, allow: &'static str) -> Response {
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
