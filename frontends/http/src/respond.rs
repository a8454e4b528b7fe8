//! The way out: what all answers have in common.
//!
//! # Idea         handlers say what went wrong; here it becomes a body that the client can read, and the answer is counted and
//!   logged. The line of the log names the operation and never the address, in which tokens may stand
//! # Costs        a walk over the `Accept` header of requests that are refused
//! # Invariants   RE1 every answer goes through here, those of panics and unknown routes as well
//! # Not here     what went wrong

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use tracing::{debug, info};

use crate::app::App;
use crate::counts::{OPERATIONS, Operation};
use crate::error::ApiError;

/// What of a request decides on the form of its answer, and on where it is counted.
pub(crate) struct Asked {
    is_plain: bool,
    operation: Operation,
}

impl Asked {
    pub(crate) fn of(request: &Request, is_item: bool) -> Self {
        let operation = match is_item {
            true => of_item(request.method()),
            false => of_path(request.uri().path()),
        };
        Self {
            is_plain: wants_plain(request.headers()),
            operation,
        }
    }

    /// Completes an answer.
    pub(crate) fn respond(self, app: &App, mut response: Response) -> Response {
        if let Some(error) = response.extensions_mut().remove::<ApiError>() {
            write_error(&mut response, &error, self.is_plain);
        }
        let (operation, status) = (self.operation as usize, response.status());
        app.inner.counts.add(operation, status);
        let (operation, status) = (OPERATIONS[operation], status.as_u16());
        match status >= 500 {
            true => info!(operation, status, "answered"),
            false => debug!(operation, status, "answered"),
        }
        response
    }
}

fn write_error(response: &mut Response, error: &ApiError, is_plain: bool) {
    // A router says how long the body was that it had from the handler: none.
    response.headers_mut().remove(header::CONTENT_LENGTH);
    let (kind, body) = match is_plain {
        true => ("text/plain; charset=utf-8", error.message.to_string()),
        false => {
            let body = serde_json::json!({ "code": error.code, "message": error.message });
            ("application/json", body.to_string())
        }
    };
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    *response.body_mut() = Body::from(body);
}

/// Whether the ranges of `Accept` would rather have text than JSON: by their weights, and of equals by the first.
fn wants_plain(headers: &HeaderMap) -> bool {
    let ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let (mut is_plain, mut best) = (false, 0.0);
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or("");
        let is = |known: &str| kind.eq_ignore_ascii_case(known);
        let of_text = is("text/plain") || is("text/*");
        if !of_text && !is("application/json") && !is("application/*") && !is("*/*") {
            continue;
        }
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let weight = weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0));
        if weight > best {
            (is_plain, best) = (of_text, weight);
        }
    }
    is_plain
}

fn of_item(method: &Method) -> Operation {
    match *method {
        Method::GET | Method::HEAD => Operation::Get,
        Method::PUT => Operation::Put,
        Method::DELETE => Operation::Delete,
        _ => Operation::Other,
    }
}

fn of_path(path: &str) -> Operation {
    match path.strip_prefix("/caches") {
        Some(rest) if rest.contains("/items/") => Operation::Items,
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Operation::Control,
        _ if path == "/tokens" => Operation::Control,
        _ => Operation::Other,
    }
}

/// An answer in JSON.
pub(crate) fn json(body: String) -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body).into_response()
}
