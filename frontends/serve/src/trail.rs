//! One request in the log: a span around all that it does, and a line at its end.
//!
//! # Idea         an id that whoever stands before this server has sent goes on to whomever it asks and back to the client; without one, one
//!   is made. Names of routes are written down, never addresses, in which tokens may stand.
//!   Layers of `tower-http` take any id that was sent, and what they write knows no route and no hits; so none is used here
//! # Costs        a span where the log's filter lets it pass; an id of 16 digits
//! # Invariants   TR1 an id that was sent is short and plain, or isn't taken
//! # Not here     who asks whom

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tracing::field::Empty;
use tracing::{Instrument, Span, debug, info, info_span};

/// The header of an id, in requests and answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ids are not taken.
const ID_BYTES_MAX: usize = 64;

/// A request's place in the log.
#[derive(Debug)]
pub struct Trail {
    span: Span,
    id: HeaderValue,
    method: Method,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End<'e> {
    /// By the name that the configuration gives it.
    pub route: &'e str,
    /// What was answered.
    pub status: StatusCode,
    /// How many values were found in the cache.
    pub hits: u64,
    /// How many weren't.
    pub misses: u64,
}

impl Trail {
    /// For a request with these headers.
    pub fn new(headers: &HeaderMap, method: &Method) -> Self {
        let sent = headers.get(REQUEST_ID).filter(|id| is_plain(id.as_bytes()));
        let id = sent.cloned().unwrap_or_else(new_id);
        let shown = id.to_str().unwrap_or_default();
        let span = info_span!(
            "request",
            id = shown,
            %method,
            route = Empty,
            status = Empty,
            hits = Empty,
            misses = Empty,
        );
        let method = method.clone();
        Self { span, id, method }
    }

    /// The request's id.
    pub fn id(&self) -> &HeaderValue {
        &self.id
    }

    /// Does something within the span.
    pub async fn follow<F: Future>(&self, future: F) -> F::Output {
        future.instrument(self.span.clone()).await
    }

    /// Says how it ended: at `info` if that is this server's fault, else at `debug`.
    pub fn end(&self, end: End<'_>) {
        let status = end.status.as_u16();
        self.span.record("route", end.route);
        self.span.record("status", status);
        self.span.record("hits", end.hits);
        self.span.record("misses", end.misses);
        let method = &self.method;
        self.span.in_scope(|| match end.status.is_server_error() {
            true => info!(%method, route = end.route, status, "answered"),
            false => debug!(%method, route = end.route, status, "answered"),
        });
    }
}

fn is_plain(id: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    !id.is_empty() && id.len() <= ID_BYTES_MAX && id.iter().all(is_part)
}

/// One that this process gives once, and others hardly ever: a count, hashed with keys of the process's own.
fn new_id() -> HeaderValue {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut hash = KEYS.hash_one(COUNT.fetch_add(1, Ordering::Relaxed));
    let mut digits = [0; 16];
    for digit in &mut digits {
        *digit = b"0123456789abcdef"[(hash & 15) as usize];
        hash >>= 4;
    }
    HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_sent_is_taken_if_it_is_short_and_plain() {
        let of = |sent: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(sent).unwrap());
            let trail = Trail::new(&headers, &Method::GET);
            trail.id().to_str().unwrap().to_owned()
        };
        assert_eq!(of("a-1_2.3:4/5+6="), "a-1_2.3:4/5+6=");
        assert_eq!(of(&"x".repeat(64)), "x".repeat(64));
        for refused in ["", "a b", "a\"b", "a;b"] {
            assert_ne!(of(refused), refused);
        }
        assert_eq!(of(&"x".repeat(65)).len(), 16);
    }

    #[test]
    fn no_two_ids_are_the_same() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 1000);
    }
}
