//! Requests, responses and outgoing calls, whole in memory.
//!
//! # Idea         both kinds of policies read and change the same messages; the listener and the client translate at the edge
//! # Costs        bodies are shared, not copied
//! # Invariants   H1 a path begins with `/` and has no query; H2 no length of a body is kept in headers: who sends a message
//!   states the length that its body has
//! # Not here     sockets; limits on sizes, which hold where a message is read

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;
use url::form_urlencoded;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, as it was sent.
    pub path: String,
    /// What stands behind the question mark, as it was sent.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Who asks.
    pub client: Option<IpAddr>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, path_and_query: &str) -> Self {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path_and_query, None),
        };
        Self {
            method,
            path: path.to_owned(),
            query,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            client: None,
        }
    }

    /// A `GET`.
    pub fn get(path_and_query: &str) -> Self {
        Self::new(Method::GET, path_and_query)
    }

    /// The same with one more header; one that can't be sent is left out.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        append(&mut self.headers, name, value);
        self
    }

    /// The first value of a query parameter, decoded.
    pub fn query_parameter(&self, name: &str) -> Option<String> {
        let query = self.query.as_deref()?;
        form_urlencoded::parse(query.as_bytes())
            .find_map(|(known, value)| (known == name).then(|| value.into_owned()))
    }

    /// Takes a query parameter out; the others stay as they were sent.
    pub fn remove_query_parameter(&mut self, name: &str) {
        let Some(query) = &self.query else { return };
        let is_kept = |pair: &&str| {
            let mut parsed = form_urlencoded::parse(pair.as_bytes());
            parsed.next().is_none_or(|(known, _)| known != name)
        };
        let kept: Vec<&str> = query.split('&').filter(is_kept).collect();
        self.query = (!kept.is_empty()).then(|| kept.join("&"));
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// A reason phrase of its own.
    pub reason: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// A response without headers and body.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            reason: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// A response with a text, of the given status if it is one.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self {
            body: Bytes::from(body.into()),
            ..Self::new(status)
        }
    }

    /// The same with one more header; one that can't be sent is left out.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        append(&mut self.headers, name, value);
        self
    }

    /// The body as text; what is no UTF-8 shows as U+FFFD.
    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A call to somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long the answer may take, its body included.
    pub within: Duration,
    /// How long a new connection may take, TLS included; `None`: as the client was told.
    pub connect_within: Option<Duration>,
}

/// The first value of a header as text; `None` if it is absent. What is no UTF-8 shows as U+FFFD.
pub fn header<'m>(headers: &'m HeaderMap, name: &str) -> Option<std::borrow::Cow<'m, str>> {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
}

/// Adds a header; whether it can be sent.
pub fn append(headers: &mut HeaderMap, name: &str, value: &str) -> bool {
    let Some((name, value)) = pair(name, value) else {
        return false;
    };
    headers.append(name, value);
    true
}

/// Sets a header in place of all of its name; whether it can be sent.
pub fn set(headers: &mut HeaderMap, name: &str, value: &str) -> bool {
    let Some((name, value)) = pair(name, value) else {
        return false;
    };
    headers.insert(name, value);
    true
}

fn pair(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::try_from(name).ok()?;
    Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
}

/// The headers that are of one connection, and not of the message (RFC 9110, 7.6.1), and those that who sends it states anew.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Takes out what must not be passed on to the next connection: what `Connection` names, too.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in &OF_THE_CONNECTION {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_a_connection_is_not_passed_on() {
        let request = Request::get("/").header("Connection", "close, X-Mine");
        let request = request.header("X-Mine", "1").header("Host", "here");
        let mut headers = request.header("Accept", "a").headers;
        remove_hop_by_hop(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["accept"]);
    }

    #[test]
    fn query_parameters_are_decoded_and_removed_one_by_one() {
        let mut request = Request::get("/p?a=1&key=x%20y&key=2&b");
        assert_eq!(request.query_parameter("key").as_deref(), Some("x y"));
        request.remove_query_parameter("key");
        assert_eq!(request.query.as_deref(), Some("a=1&b"));
        request.remove_query_parameter("a");
        request.remove_query_parameter("b");
        assert_eq!(request.query, None);
    }
}
