//! One request, explained: which policy did what.
//!
//! # Idea         the policies run as they do behind the listener, with a trace; so keys are rendered and hits are hits
//! # Costs        no concern
//! # Invariants   none
//! # Not here     the sentences: each policy's own

use std::io::{self, Write};

use bytes::Bytes;

use super::settings::SettingsError;
use super::site::Site;
use crate::http::{HeaderName, HeaderValue, Method, Request, header};
use crate::trace::Trace;

/// More headers than a request has.
const HEADERS_MAX: usize = 100;

/// Reads a request as it would be sent: a line, headers, an empty line and a body. A line alone will do, and so will a method and a
/// path.
///
/// # Errors
/// What is wrong with it.
///
/// # Examples
/// ```
/// use larder_gateway::program::parse_request;
///
/// let request = parse_request(b"GET /flights/871?x=1")?;
/// assert_eq!((&*request.path, request.query.as_deref()), ("/flights/871", Some("x=1")));
///
/// let request = parse_request(b"POST /a HTTP/1.1\nHost: here\nX-User: u42\n\nbody\n")?;
/// assert_eq!(&request.headers["x-user"], "u42");
/// assert_eq!(&request.body[..], b"body\n");
/// # Ok::<(), larder_gateway::program::SettingsError>(())
/// ```
pub fn parse_request(bytes: &[u8]) -> Result<Request, SettingsError> {
    let refused = |error: &dyn std::fmt::Display| SettingsError(format!("the request: {error}"));
    let mut text = bytes.to_vec();
    let line_end = text.iter().position(|&byte| byte == b'\n');
    let line = &text[..line_end.unwrap_or(text.len())];
    let words = line.split(|byte| byte.is_ascii_whitespace());
    if words.filter(|word| !word.is_empty()).count() == 2 {
        let end = line.trim_ascii_end().len();
        text.splice(end..end, *b" HTTP/1.1");
    }
    let has_head = text.windows(2).any(|pair| pair == b"\n\n")
        || text.windows(4).any(|four| four == b"\r\n\r\n");
    if !has_head {
        text.truncate(text.trim_ascii_end().len());
        text.extend_from_slice(b"\r\n\r\n");
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed.parse(&text).map_err(|error| refused(&error))?;
    let httparse::Status::Complete(body) = status else {
        return Err(refused(&"it ends within its headers"));
    };
    let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes());
    let target = parsed.path.unwrap_or_default();
    if !target.starts_with('/') {
        return Err(refused(&"its target doesn't begin with a slash"));
    }
    let mut request = Request::new(method.map_err(|error| refused(&error))?, target);
    for header in parsed.headers.iter() {
        let name = HeaderName::try_from(header.name).map_err(|error| refused(&error))?;
        let value = HeaderValue::from_bytes(header.value).map_err(|error| refused(&error))?;
        request.headers.append(name, value);
    }
    request.body = Bytes::copy_from_slice(&text[body..]);
    Ok(request)
}

/// Has a request answered, and tells step by step what was done.
///
/// # Errors
/// The output's.
pub async fn tell(site: &Site, request: Request, out: &mut impl Write) -> io::Result<()> {
    let (method, path) = (&request.method, &request.path);
    match &request.query {
        Some(query) => writeln!(out, "{method} {path}?{query}")?,
        None => writeln!(out, "{method} {path}")?,
    }
    let (response, trace) = site.handle(request, Trace::on()).await;
    for step in trace.steps() {
        writeln!(out, "{step}")?;
    }
    if trace.n_dropped() > 0 {
        writeln!(out, "and {} more steps", trace.n_dropped())?;
    }
    let reason = response.reason.as_deref();
    let reason = reason.or(response.status.canonical_reason()).unwrap_or("");
    let status = response.status.as_u16();
    write!(out, "-> {status} {reason}, {} bytes", response.body.len())?;
    match header(&response.headers, "content-type") {
        Some(kind) => writeln!(out, " of {kind}"),
        None => writeln!(out),
    }
}
