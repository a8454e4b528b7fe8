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

use crate::{Connections, Handler};

/// The status that an answer of hyper's own begins with, if it is a refusal.
pub(crate) fn status_of(answer: &[u8]) -> Option<StatusCode> {
    let status = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let status = StatusCode::from_bytes(status).ok()?;
    status.is_client_error().then_some(status)
}

/// hyper's own limit on addresses.
const ADDRESS_BYTES_MAX: usize = 65_534;

fn json(status: StatusCode, connections: &Connections) -> String {
    let message = match status {
        StatusCode::REQUEST_TIMEOUT => {
            let ms = connections.header.as_millis();
            format!("the request took too long: its head may take {ms} ms")
        }
        StatusCode::URI_TOO_LONG => {
            format!("the address is too long: it may have {ADDRESS_BYTES_MAX} bytes")
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            let (n, bytes) = (connections.headers_max, connections.head_bytes_max);
            format!(
                "the headers are too many or too long: there may be {n}, and {bytes} bytes of the whole head"
            )
        }
        _ => "the request is malformed".into(),
    };
    format!(r#"{{"code":"InvalidArgument","message":"{message}"}}"#)
}

/// A refusal, after which the connection ends.
pub(crate) fn answer(status: StatusCode, connections: &Connections) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONNECTION, "close"),
    ];
    (status, headers, json(status, connections)).into_response()
}

/// The same as bytes, completed as other answers are.
pub(crate) fn bytes(
    status: StatusCode,
    connections: &Connections,
    handler: &impl Handler,
) -> Vec<u8> {
    let body = json(status, connections);
    let (mut head, _) = answer(status, connections).into_parts();
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
