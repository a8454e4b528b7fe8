//! Refusals before there is a request that a router could be asked.
//!
//! # Idea         they have the form that clients know from the router's: a code and a message, in JSON
//! # Costs        none but of those who are refused
//! # Not here     when they are given: modules `paced` and `speak`

use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use httpdate::fmt_http_date;

/// The status that an answer of hyper's own begins with, if it is a refusal.
pub(crate) fn status_of(answer: &[u8]) -> Option<StatusCode> {
    let status = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let status = StatusCode::from_bytes(status).ok()?;
    status.is_client_error().then_some(status)
}

fn json(status: StatusCode) -> String {
    let message = match status {
        StatusCode::REQUEST_TIMEOUT => "the request took too long",
        StatusCode::URI_TOO_LONG => "the address is too long",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "the headers are too many or too long",
        _ => "the request is malformed",
    };
    format!(r#"{{"code":"InvalidArgument","message":"{message}"}}"#)
}

/// A whole answer, as bytes.
pub(crate) fn bytes(status: StatusCode) -> Vec<u8> {
    let body = json(status);
    let (code, reason) = (status.as_str(), status.canonical_reason().unwrap_or(""));
    let (n, date) = (body.len(), fmt_http_date(SystemTime::now()));
    let headers = [
        "content-type: application/json",
        &format!("content-length: {n}"),
        "connection: close",
        &format!("date: {date}"),
    ];
    let headers = headers.join("\r\n");
    format!("HTTP/1.1 {code} {reason}\r\n{headers}\r\n\r\n{body}").into_bytes()
}

/// An answer to a request whose length is said in two ways.
pub(crate) fn contradiction() -> Response {
    let mut response = Response::new(Body::from(json(StatusCode::BAD_REQUEST)));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
