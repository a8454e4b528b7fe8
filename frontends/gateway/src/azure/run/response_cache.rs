//! Whole responses: the least of `cache-lookup` and `cache-store`.
//!
//! # Idea         a response is stored under its URL and what it varies by, in a scope apart from values, as status, headers and body
//! # Costs        an operation of the engine, and a copy of the response
//! # Invariants   W1 only what a GET without a token of its own was answered with 200 is stored, unless the document allows tokens; W2 what
//!   sets a cookie, or forbids storing, is not stored
//! # Not here     revalidation

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use larder::{LevelView, Tag, WriteOptions};

use super::cache::Target;
use super::{Run, Stop, failed};
use crate::azure::policy::{Caching, LookupResponse, Policy, StoreResponse};
use crate::engine::{Parts, may_wait};
use crate::http::{Response, append, header};

/// Under which a response is looked up and stored.
pub(super) struct ResponseKey {
    parts: Vec<String>,
    caching: Caching,
}

impl Run<'_> {
    pub(super) fn lookup_response(
        &mut self,
        policy: &Policy,
        lookup: &LookupResponse,
    ) -> Result<(), Stop> {
        let headers = &self.request.headers;
        if self.request.method != Method::GET {
            self.note(policy, || "not a GET: not cached".to_owned());
            return Ok(());
        }
        if headers.contains_key(http::header::AUTHORIZATION) && !lookup.allows_private {
            self.note(policy, || "the request has a token: not cached".to_owned());
            return Ok(());
        }
        let key = ResponseKey {
            parts: self.response_parts(lookup),
            caching: lookup.caching,
        };
        let found = match self.responses(policy, key.caching)? {
            Some((view, target)) => with_parts(&key.parts, |parts| {
                may_wait(target.mode, || view.get(parts))
            }),
            None => None,
        };
        let found = found.and_then(|entry| decode(&entry));
        self.trace.looked_up(found.is_some());
        match found {
            Some(response) => {
                self.note(policy, || format!("hit: {}", key.parts.join("__")));
                Err(Stop::Answer(Box::new(response)))
            }
            None => {
                self.note(policy, || format!("miss: {}", key.parts.join("__")));
                self.response_key = Some(key);
                Ok(())
            }
        }
    }

    fn response_parts(&self, lookup: &LookupResponse) -> Vec<String> {
        let mut parts = vec![self.api.api.id.clone(), self.request.path.clone()];
        if lookup.vary_by_parameters.is_empty() {
            parts.push(self.request.query.clone().unwrap_or_default());
        }
        // With its kind and name: two policies that vary by other things never meet. One that is absent isn't one that is empty.
        let mut vary = |kind: &str, name: &str, value: Option<&str>| {
            parts.push(format!("{kind}:{name}"));
            parts.push(value.map_or_else(String::new, |value| format!("={value}")));
        };
        for name in &lookup.vary_by_parameters {
            let value = self.request.query_parameter(name);
            vary("query", name, value.as_deref());
        }
        for name in &lookup.vary_by_headers {
            // All of its lines: the first may be the same where others differ.
            let lines = self.request.headers.get_all(name).iter();
            let lines: Vec<_> = lines
                .map(|line| String::from_utf8_lossy(line.as_bytes()))
                .collect();
            let value = (!lines.is_empty()).then(|| lines.join("\n"));
            vary("header", name.as_str(), value.as_deref());
        }
        if lookup.vary_by_developer {
            let id = self.subscription.map(|subscription| &*subscription.id);
            vary("developer", "", id);
        }
        parts
    }

    pub(super) fn store_response(
        &mut self,
        policy: &Policy,
        store: &StoreResponse,
    ) -> Result<(), Stop> {
        let seconds = self.integer(&store.duration, policy)?;
        let (Some(key), Some(response)) = (self.response_key.take(), self.response.clone()) else {
            self.note(policy, || "nothing was looked up: not stored".to_owned());
            return Ok(());
        };
        if response.status != StatusCode::OK || is_private(&response.headers) {
            self.note(policy, || {
                "the response is not for others: not stored".to_owned()
            });
            return Ok(());
        }
        let Ok(seconds @ 1..) = u64::try_from(seconds) else {
            return Ok(());
        };
        let bytes = encode(&response);
        if bytes.len() > self.gateway.settings.value_bytes_max {
            self.warn(policy, "the response is too long to be stored");
            return Ok(());
        }
        if let Some((view, target)) = self.responses(policy, key.caching)? {
            let options = WriteOptions::new()
                .ttl(Duration::from_secs(seconds))
                .tag(Tag::Bytes);
            let put = with_parts(&key.parts, |parts| {
                may_wait(target.mode, || view.put(parts, bytes, options))
            });
            match put {
                Ok(_) => self.note(policy, || format!("stored: {}", key.parts.join("__"))),
                Err(error) => self.warn(policy, format!("not stored: {error}")),
            }
        }
        Ok(())
    }

    /// The scope of responses, apart from that of values.
    fn responses(
        &self,
        policy: &Policy,
        caching: Caching,
    ) -> Result<Option<(LevelView<'_>, Target<'_>)>, Stop> {
        let Some(target) = self.target(policy, caching, 0)? else {
            return Ok(None);
        };
        let scope = target.scope.scope("responses");
        let scope = scope.map_err(|error| failed(policy, error.to_string()))?;
        let view = self.gateway.engine.view(scope, target.view.options());
        Ok(Some((view, target)))
    }
}

/// Calls with the parts as one key.
fn with_parts<R>(parts: &[String], call: impl FnOnce(Parts<'_>) -> R) -> R {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    call(Parts(&parts))
}

/// Whether a response is for whom it was made alone.
fn is_private(headers: &HeaderMap) -> bool {
    let forbids = header(headers, "cache-control").is_some_and(|control| {
        let control = control.to_ascii_lowercase();
        ["no-store", "private", "no-cache"]
            .iter()
            .any(|word| control.contains(word))
    });
    forbids
        || headers.contains_key(http::header::SET_COOKIE)
        || header(headers, "vary").is_some_and(|vary| vary.contains('*'))
}

/// Status and headers as JSON, a line feed, and the body.
fn encode(response: &Response) -> Vec<u8> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Vec<(&str, String)> = response
        .headers
        .iter()
        .map(|(name, value)| (HeaderName::as_str(name), text(value)))
        .collect();
    let head = serde_json::json!({ "status": response.status.as_u16(), "headers": headers });
    let mut bytes = head.to_string().into_bytes();
    bytes.push(b'\n');
    bytes.extend_from_slice(&response.body);
    bytes
}

fn decode(bytes: &[u8]) -> Option<Response> {
    let end = memchr::memchr(b'\n', bytes)?;
    let head: serde_json::Value = serde_json::from_slice(&bytes[..end]).ok()?;
    let status = u16::try_from(head.get("status")?.as_u64()?).ok()?;
    let mut response = Response::new(StatusCode::from_u16(status).ok()?);
    for pair in head.get("headers")?.as_array()? {
        append(
            &mut response.headers,
            pair.get(0)?.as_str()?,
            pair.get(1)?.as_str()?,
        );
    }
    response.body = Bytes::copy_from_slice(&bytes[end + 1..]);
    Some(response)
}
