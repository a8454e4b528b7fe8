//! The way out: what all answers have in common.
//!
//! # Idea         handlers say what went wrong; here it becomes a body that the client can read, headers for other origins are added, and the
//!   answer is counted and logged. The line of the log names the route and never the address, in which tokens may stand
//! # Costs        a walk over the `Accept` header of requests that are refused
//! # Invariants   RE1 every answer goes through here, those of panics and unknown routes as well
//! # Not here     what went wrong

use std::any::Any;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::{debug, error, info};

use crate::app::App;
use crate::counts::Operation;
use crate::error::ApiError;

/// The middleware.
pub(crate) async fn respond(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_plain = wants_plain(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        write_error(&mut response, &error, is_plain);
    }
    if let Some(origin) = &app.live().cors {
        let name = header::ACCESS_CONTROL_ALLOW_ORIGIN;
        response.headers_mut().insert(name, origin.clone());
    }
    let route = route.as_ref().map_or("", MatchedPath::as_str);
    let status = response.status();
    app.counts().add(operation(&method, route) as usize, status);
    if status.is_server_error() {
        info!(%method, route, status = status.as_u16(), "answered");
    } else {
        debug!(%method, route, status = status.as_u16(), "answered");
    }
    response
}

/// What a panic in a handler is answered.
pub(crate) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    // The message may hold what the client sent, so it stays with the panic hook.
    error!("a handler panicked");
    ApiError::INTERNAL.into_response()
}

fn write_error(response: &mut Response, error: &ApiError, is_plain: bool) {
    if is_plain {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        *response.body_mut() = Body::from(error.message.to_string());
        return;
    }
    let body = serde_json::json!({ "code": error.code, "message": error.message });
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    *response.body_mut() = Body::from(body.to_string());
}

/// Whether the first range of `Accept` that decides between the two forms is for text.
fn wants_plain(headers: &HeaderMap) -> bool {
    let ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    for range in ranges {
        match range.split(';').next().unwrap_or("").trim() {
            "text/plain" => return true,
            "application/json" | "application/*" | "*/*" => return false,
            _ => {}
        }
    }
    false
}

fn operation(method: &Method, route: &str) -> Operation {
    if route.starts_with("/cache/") {
        return match *method {
            Method::GET | Method::HEAD => Operation::Get,
            Method::PUT => Operation::Put,
            Method::DELETE => Operation::Delete,
            _ => Operation::Other,
        };
    }
    if route.contains("/items/") {
        return Operation::Items;
    }
    if route.starts_with("/caches") || route == "/tokens" {
        return Operation::Control;
    }
    Operation::Other
}

/// An answer in JSON.
pub(crate) fn json(body: String) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body).into_response()
}
