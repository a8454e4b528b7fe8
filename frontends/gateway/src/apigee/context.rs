//! The message context: what a request's policies read and write by name.
//!
//! # Idea         variables that policies set are in a map; those of messages and of the place in the flow are looked up when they are asked
//!   for
//! # Costs        a reading of a message's part copies it
//! # Invariants   V1 what is read-only is never written by name: `set` refuses it
//! # Not here     policies

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use larder::{Flow, Standpoint};
use url::form_urlencoded;

use super::environment::SHARED;
use super::read::is_writable;
use super::var::Var;
use crate::http::{HeaderMap, Request, Response, header, set};

/// A message that a policy made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) status: Option<StatusCode>,
    pub(super) reason: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Default for Message {
    fn default() -> Self {
        Self {
            method: Method::GET,
            status: None,
            reason: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self {
            method: Method::GET,
            status: Some(response.status),
            reason: response.reason,
            headers: response.headers,
            body: response.body,
        }
    }
}

/// Where a request stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) organization: String,
    pub(super) environment: String,
    pub(super) application: String,
    pub(super) revision: String,
    pub(super) proxy: String,
    pub(super) target: String,
    pub(super) base_path: String,
    pub(super) path_suffix: String,
    pub(super) flow: Flow,
}

/// What a request's policies read and write.
#[derive(Debug, Clone)]
pub struct Context {
    pub(super) request: Request,
    pub(super) response: Option<Response>,
    /// What is answered since something failed.
    pub(super) error: Option<Response>,
    pub(super) messages: HashMap<String, Message>,
    pub(super) place: Place,
    variables: HashMap<String, Var>,
    told: Vec<Told>,
}

/// What a look-up tells in variables of its own, which are made when they are asked for.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) policy: Arc<str>,
    pub(super) is_hit: bool,
    pub(super) key: String,
    /// `None`: the shared one.
    pub(super) cache: Option<Arc<str>>,
    pub(super) assign_to: Arc<str>,
}

impl Context {
    pub(super) fn new(request: Request, place: Place) -> Self {
        Self {
            request,
            response: None,
            error: None,
            messages: HashMap::new(),
            place,
            variables: HashMap::new(),
            told: Vec::new(),
        }
    }

    pub(super) fn standpoint(&self) -> Standpoint<'_> {
        let place = &self.place;
        Standpoint {
            organization: &place.organization,
            environment: &place.environment,
            application: &place.application,
            proxy: &place.proxy,
            target: &place.target,
            flow: place.flow,
        }
    }

    /// A variable's value; `None` if there is none.
    pub fn get(&self, name: &str) -> Option<Var> {
        if let Some(var) = self.variables.get(name) {
            return Some(var.clone());
        }
        let (head, rest) = name.split_once('.').unwrap_or((name, ""));
        let place = &self.place;
        let text = |text: &str| (!text.is_empty()).then(|| Var::from(text));
        match (head, rest) {
            ("lookupcache", rest) => self.of_lookup(rest),
            ("request", rest) => self.of_request(rest),
            ("response", rest) => of_response(self.response.as_ref()?, rest),
            ("error", rest) => of_response(self.error.as_ref()?, rest),
            ("message", rest) => match self.error.as_ref().or(self.response.as_ref()) {
                Some(response) => of_response(response, rest),
                None => self.of_request(rest),
            },
            ("proxy", "pathsuffix") => Some(Var::from(&*place.path_suffix)),
            ("proxy", "basepath") => Some(Var::from(&*place.base_path)),
            ("proxy", "name") => text(&place.proxy),
            ("apiproxy", "name") => text(&place.application),
            ("apiproxy", "revision") => text(&place.revision),
            ("environment", "name") => text(&place.environment),
            ("organization", "name") => text(&place.organization),
            ("target", "name") => text(&place.target),
            ("client", "ip") => self.request.client.map(|client| client.to_string().into()),
            _ => self.of_message(name),
        }
    }

    /// A variable's text; `None` if it has none. A header's isn't copied.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        match name.strip_prefix("request.header.") {
            Some(of) => header(&self.request.headers, of),
            None => Some(self.get(name)?.to_text()?.to_string().into()),
        }
    }

    /// What the last look-up of a policy told, whose name may have dots.
    fn of_lookup(&self, rest: &str) -> Option<Var> {
        let (policy, what) = rest.rsplit_once('.')?;
        let told = self
            .told
            .iter()
            .rev()
            .find(|told| *told.policy == *policy)?;
        Some(match what {
            "cachehit" => told.is_hit.into(),
            "cachekey" => Var::from(&*told.key),
            "cachename" => Var::from(told.cache.as_deref().unwrap_or(SHARED)),
            "assignto" => Var::Text(Arc::clone(&told.assign_to)),
            _ => return None,
        })
    }

    fn of_request(&self, rest: &str) -> Option<Var> {
        let request = &self.request;
        Some(match rest.split_once('.') {
            Some(("header", name)) => Var::from(&*header(&request.headers, name)?),
            Some(("queryparam", name)) => request.query_parameter(name)?.into(),
            Some(("formparam", name)) => self.form_parameter(name)?.into(),
            _ => match rest {
                "" => Var::Handle("a message"),
                "verb" => Var::from(request.method.as_str()),
                "content" => content(&request.body),
                "path" => Var::from(&*request.path),
                "querystring" => Var::from(request.query.as_deref().unwrap_or_default()),
                "uri" => match &request.query {
                    Some(query) => format!("{}?{query}", request.path).into(),
                    None => Var::from(&*request.path),
                },
                _ => return None,
            },
        })
    }

    fn form_parameter(&self, name: &str) -> Option<String> {
        let of_type = header(&self.request.headers, "content-type")?;
        if !of_type
            .trim_start()
            .starts_with("application/x-www-form-urlencoded")
        {
            return None;
        }
        form_urlencoded::parse(&self.request.body)
            .find_map(|(known, value)| (known == name).then(|| value.into_owned()))
    }

    /// A part of a message that a policy made: names of such may have dots.
    fn of_message(&self, name: &str) -> Option<Var> {
        if self.messages.contains_key(name) {
            return Some(Var::Handle("a message"));
        }
        self.messages.iter().find_map(|(known, message)| {
            let rest = name.strip_prefix(known)?.strip_prefix('.')?;
            match rest.split_once('.') {
                Some(("header", name)) => Some(Var::from(&*header(&message.headers, name)?)),
                Some(("status", "code")) => Some(i64::from(message.status?.as_u16()).into()),
                _ if rest == "content" => Some(content(&message.body)),
                _ if rest == "verb" => Some(Var::from(message.method.as_str())),
                _ => None,
            }
        })
    }

    /// Sets a variable; false if it can't be written, or not to that.
    pub fn set(&mut self, name: &str, var: Var) -> bool {
        if !is_writable(name) {
            return false;
        }
        let (head, rest) = name.split_once('.').unwrap_or((name, ""));
        let response = match head {
            "request" => return self.set_request(rest, &var),
            "response" => &mut self.response,
            "error" => &mut self.error,
            "message" if self.error.is_some() => &mut self.error,
            "message" if self.response.is_some() => &mut self.response,
            "message" => return self.set_request(rest, &var),
            _ => {
                self.variables.insert(name.to_owned(), var);
                return true;
            }
        };
        let (Some(response), Some(text)) = (response, var.to_text()) else {
            return false;
        };
        match rest.split_once('.') {
            Some(("header", name)) => set(&mut response.headers, name, &text),
            Some(("status", "code")) => match text
                .parse()
                .ok()
                .and_then(|code| StatusCode::from_u16(code).ok())
            {
                Some(status) => {
                    response.status = status;
                    true
                }
                None => false,
            },
            _ if rest == "content" => {
                response.body = body(&var, &text);
                true
            }
            _ => false,
        }
    }

    fn set_request(&mut self, rest: &str, var: &Var) -> bool {
        let Some(text) = var.to_text() else {
            return false;
        };
        let request = &mut self.request;
        match rest.split_once('.') {
            Some(("header", name)) => set(&mut request.headers, name, &text),
            Some(("queryparam", name)) => {
                request.remove_query_parameter(name);
                let mut query =
                    form_urlencoded::Serializer::new(request.query.take().unwrap_or_default());
                request.query = Some(query.append_pair(name, &text).finish());
                true
            }
            _ => match (rest, Method::from_bytes(text.as_bytes())) {
                ("content", _) => {
                    request.body = body(var, &text);
                    true
                }
                ("verb", Ok(method)) => {
                    request.method = method;
                    true
                }
                _ => false,
            },
        }
    }

    /// Notes what a look-up tells.
    pub(super) fn tell(&mut self, told: Told) {
        self.told.push(told);
    }

    /// Sets a variable that is read-only to policies' names.
    pub(super) fn put(&mut self, name: String, var: Var) {
        self.variables.insert(name, var);
    }
}

fn body(var: &Var, text: &str) -> Bytes {
    match var {
        Var::Bytes(bytes) => bytes.clone(),
        _ => Bytes::copy_from_slice(text.as_bytes()),
    }
}

/// A body as a text, if it is one.
fn content(body: &Bytes) -> Var {
    match std::str::from_utf8(body) {
        Ok(text) => Var::from(text),
        Err(_) => Var::Bytes(body.clone()),
    }
}

fn of_response(response: &Response, rest: &str) -> Option<Var> {
    Some(match rest.split_once('.') {
        Some(("header", name)) => Var::from(&*header(&response.headers, name)?),
        Some(("status", "code")) => i64::from(response.status.as_u16()).into(),
        Some(("reason", "phrase")) => {
            let known = response
                .reason
                .as_deref()
                .or(response.status.canonical_reason());
            Var::from(known.unwrap_or_default())
        }
        _ => match rest {
            "" => Var::Handle("a message"),
            "content" => content(&response.body),
            _ => return None,
        },
    })
}
