//! Refusals before there is a request that a router could be asked.
//!
//! # Idea         they have the form that clients know from the router's: a code and a message, in JSON, and what a handler
//!   adds to every head
//! # Costs        none but of those who are refused
//! # Not here     when they are given: modules `paced` and `speak`

use std::time::SystemTime;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use httpdate::fmt_http_date;

use crate::Handler;

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

/// A refusal, after which the connection ends.
pub(crate) fn answer(status: StatusCode) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONNECTION, "close"),
    ];
    (status, headers, json(status)).into_response()
}

/// The same as bytes, completed as other answers are.
pub(crate) fn bytes(status: StatusCode, handler: &impl Handler) -> Vec<u8> {
    let (mut head, body) = (answer(status).into_parts().0, json(status));
    handler.complete(&mut head.headers);
    let (code, reason) = (status.as_str(), status.canonical_reason().unwrap_or(""));
    let (n, date) = (body.len(), fmt_http_date(SystemTime::now()));
    let mut bytes = format!("HTTP/1.1 {code} {reason}\r\n").into_bytes();
    for (name, value) in &head.headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(format!("content-length: {n}\r\ndate: {date}\r\n\r\n{body}").bytes());
    bytes
}
