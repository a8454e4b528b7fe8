//! Which handler a path has.
//!
//! # Idea         a route takes every method, and its handler says which it knows; so what is refused is refused in one form. Items have
//!   no route: their path is told from all others by a look, and most requests are of them
//! # Costs        items: that look; else, the router's
//! # Invariants   RO1 names in paths are split on `/` before they are decoded, by the handlers, from the path as it came
//! # Not here     handlers

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use larder_serve::{Handler, Peer, contained};

use crate::app::App;
use crate::error::ApiError;
use crate::items::Op;
use crate::respond::Asked;
use crate::{console, control, data, items, openapi, operations};

/// All routes of a server.
pub fn router(app: App) -> Routes {
    let mut router = Router::new();
    for (name, op) in Op::ALL {
        let serve = move |state: State<App>, request: Request| items::serve(state, op, request);
        router = router.route(&format!("/caches/{{name}}/items/{name}"), any(serve));
    }
    let others = router
        .route("/caches", any(control::caches))
        .route("/caches/{name}", any(control::cache))
        .route("/caches/{name}/flush", any(control::flush))
        .route("/tokens", any(control::tokens))
        .route("/openapi.json", any(openapi::document))
        .route("/metrics", any(operations::metrics))
        .route("/console", any(console::page))
        .route("/console/data", any(console::data))
        .with_state(app.clone())
        .merge(app.health().routes())
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed("GET, HEAD") })
        .fallback(|| async { ApiError::NOT_FOUND });
    Routes { app, others }
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
        let answer = async {
            match is_item {
                true => data::item(&self.app, request).await.into_response(),
                false => self.others.handle(peer, request).await,
            }
        };
        let answer = contained(answer, || ApiError::INTERNAL.into_response()).await;
        asked.respond(&self.app, answer)
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
