//! The values of expressions and variables.
//!
//! # Idea         what C# has behind `object`, so far as expressions need it; shared parts are counted, not copied
//! # Costs        a clone is a counter at most
//! # Invariants   none
//! # Not here     operations: they are the evaluator's

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::Value as Json;
use url::Url;

use crate::http::Response;
use crate::stored::Stored;

/// A value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// `bool`
    Bool(bool),
    /// `int` and `long`
    Int(i64),
    /// `double`: only out of the cache.
    Float(f64),
    /// `string`; a `char` is one of a single character.
    Text(Arc<str>),
    /// `byte[]`: only out of the cache.
    Bytes(Bytes),
    /// `string[]`
    Texts(Arc<[Arc<str>]>),
    /// `JObject`, `JToken`
    Json(Arc<Json>),
    /// `Jwt`
    Jwt(Arc<Claims>),
    /// `Uri`
    Uri(Arc<Url>),
    /// `IResponse`
    Response(Arc<Response>),
    /// A part of the context, which only an expression holds.
    Part(Part),
}

/// A part of the context.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// `context`
    Context,
    /// `context.Request`
    Request,
    /// `context.Request.Headers`
    Headers,
    /// `context.Request.Url`
    Url,
    /// `context.Request.Url.Query`
    Query,
    /// `context.Variables`
    Variables,
    /// `context.Api`
    Api,
    /// `context.Product`
    Product,
    /// `context.Subscription`
    Subscription,
    /// `IResponse.Body`
    Body(Arc<Response>),
}

/// What a token says. Its signature isn't checked: that is the task of `validate-jwt`.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// `sub`
    pub subject: Option<Arc<str>>,
}

impl Claims {
    /// Reads a token's claims; `None` if it is no token.
    pub fn of_token(token: &str) -> Option<Self> {
        let mut parts = token.trim().split('.');
        let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || signature.is_empty() && header.is_empty() {
            return None;
        }
        let object = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            let json: Json = serde_json::from_slice(&bytes).ok()?;
            json.is_object().then_some(json)
        };
        object(header)?;
        let claims = object(claims)?;
        let subject = claims.get("sub").and_then(Json::as_str).map(Arc::from);
        Some(Self { subject })
    }
}

impl Value {
    /// A text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Arc::from(text.as_ref()))
    }

    /// Whether it is null, JSON's null included.
    pub fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Json(json) => json.is_null(),
            _ => false,
        }
    }

    /// The value as text, as `ToString` gives it; empty for null. `None` of what has no text.
    pub fn to_text(&self) -> Option<Arc<str>> {
        Some(match self {
            Self::Null => Arc::from(""),
            Self::Text(text) => Arc::clone(text),
            Self::Bool(boolean) => Arc::from(if *boolean { "True" } else { "False" }),
            Self::Int(integer) => integer.to_string().into(),
            Self::Float(float) => float.to_string().into(),
            Self::Uri(url) => url.as_str().into(),
            Self::Json(json) => match &**json {
                Json::Null => Arc::from(""),
                Json::String(text) => text.as_str().into(),
                Json::Bool(boolean) => Arc::from(if *boolean { "True" } else { "False" }),
                json => json.to_string().into(),
            },
            Self::Bytes(_) | Self::Texts(_) | Self::Jwt(_) | Self::Response(_) | Self::Part(_) => {
                return None;
            }
        })
    }

    /// The value as a whole number: one, or a text or JSON value that reads as one.
    pub fn to_integer(&self) -> Option<i64> {
        match self {
            Self::Int(integer) => Some(*integer),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Json(json) => match &**json {
                Json::Number(number) => number.as_i64(),
                Json::String(text) => text.trim().parse().ok(),
                _ => None,
            },
            _ => None,
        }
    }

    /// What is stored of it; `None` of null, and of what can't be.
    pub fn to_stored(&self) -> Option<Stored> {
        Some(match self {
            Self::Text(text) => Stored::Text((**text).to_owned()),
            Self::Bool(boolean) => Stored::Boolean(*boolean),
            Self::Int(integer) => Stored::Integer(*integer),
            Self::Float(float) => Stored::Float(*float),
            Self::Bytes(bytes) => Stored::Bytes(bytes.clone()),
            Self::Uri(url) => Stored::Text(url.as_str().to_owned()),
            Self::Json(json) if !json.is_null() => Stored::Json(json.to_string()),
            _ => return None,
        })
    }

    /// What was stored; `None` if it isn't what it says.
    pub fn of_stored(stored: Stored) -> Option<Self> {
        Some(match stored {
            Stored::Text(text) => Self::Text(text.into()),
            Stored::Boolean(boolean) => Self::Bool(boolean),
            Stored::Integer(integer) => Self::Int(integer),
            Stored::Float(float) => Self::Float(float),
            Stored::Bytes(bytes) => Self::Bytes(bytes),
            Stored::Json(text) => Self::Json(Arc::new(serde_json::from_str(&text).ok()?)),
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Bool(boolean)
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Int(integer)
    }
}

impl fmt::Display for Value {
    /// For traces: shortened, and with what has no text by its type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 120;
        match self {
            Self::Null => return f.write_str("null"),
            Self::Bytes(bytes) => return write!(f, "{} bytes", bytes.len()),
            Self::Response(response) => return write!(f, "a response {}", response.status),
            _ => {}
        }
        let Some(text) = self.to_text() else {
            return f.write_str("an object");
        };
        match text.char_indices().nth(SHOWN_MAX) {
            Some((end, _)) => write!(f, "{:?}... ({} bytes)", &text[..end], text.len()),
            None if matches!(self, Self::Text(_)) => write!(f, "{text:?}"),
            None => f.write_str(&text),
        }
    }
}
