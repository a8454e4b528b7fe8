//! What a request's line says: parameters, names in the path.
//!
//! # Idea         parameters are found first and read later, in the order of checks; so a caller without rights isn't told what is wrong
//!   with the rest
//! # Costs        one walk over the query
//! # Invariants   QU1 a parameter that is known is read once or refused; what isn't known is never an error
//! # Not here     credentials of headers: module `credential`

use std::borrow::Cow;
use std::time::Duration;

use larder_serve::from_base64;
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// A parameter as it stands in the query, undecoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Given<'a> {
    #[default]
    No,
    Once(&'a str),
    Twice,
}

impl<'a> Given<'a> {
    fn once(self, name: &str) -> Result<Option<&'a str>, ApiError> {
        match self {
            Self::No => Ok(None),
            Self::Once(value) => Ok(Some(value)),
            Self::Twice => Err(ApiError::invalid(format!("{name} is given twice"))),
        }
    }
}

/// The parameters that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Query<'a> {
    key: Given<'a>,
    key_base64: Given<'a>,
    token: Given<'a>,
    ttl_seconds: Given<'a>,
}

impl<'a> Query<'a> {
    pub(crate) fn parse(query: &'a str) -> Self {
        let mut found = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match &*Cow::from(percent_decode_str(name)) {
                b"key" => &mut found.key,
                b"key_base64" => &mut found.key_base64,
                b"token" => &mut found.token,
                b"ttl_seconds" => &mut found.ttl_seconds,
                _ => continue,
            };
            *slot = match slot {
                Given::No => Given::Once(value),
                _ => Given::Twice,
            };
        }
        found
    }

    /// The token, without one look at it. A raw `+` stays: tokens hold no spaces.
    pub(crate) fn token(&self) -> Result<Option<Vec<u8>>, ApiError> {
        let token = self.token.once("token")?;
        token.map(|token| decoded(token, "token")).transpose()
    }

    /// The key: of the path, or of one of the two parameters.
    pub(crate) fn key(&self, of_path: Option<&str>) -> Result<Vec<u8>, ApiError> {
        let text = self.key.once("key")?;
        let base64 = self.key_base64.once("key_base64")?;
        let key = match (of_path, text, base64) {
            (None, None, None) => {
                return Err(ApiError::invalid("key or key_base64 is needed"));
            }
            (Some(path), None, None) => decoded_text(path, "the key in the path")?.into_bytes(),
            (None, Some(text), None) => decoded_text(&spaced(text), "key")?.into_bytes(),
            (None, None, Some(base64)) => {
                let base64 = decoded(base64, "key_base64")?;
                from_base64(&base64).ok_or(ApiError::invalid("key_base64 is not base64"))?
            }
            _ => return Err(ApiError::invalid("the key is given in more than one way")),
        };
        if key.is_empty() {
            return Err(ApiError::invalid("the key is empty"));
        }
        Ok(key)
    }

    /// The time to live, where one is needed; elsewhere it may be any, though not two.
    pub(crate) fn ttl(&self, is_needed: bool) -> Result<Option<Duration>, ApiError> {
        let ttl = self.ttl_seconds.once("ttl_seconds")?;
        if !is_needed {
            return Ok(None);
        }
        let ttl = ttl.ok_or(ApiError::invalid("ttl_seconds is needed"))?;
        let ttl = decoded(&spaced(ttl), "ttl_seconds")?;
        let all_digits = !ttl.is_empty() && ttl.iter().all(u8::is_ascii_digit);
        let seconds = all_digits.then(|| str::from_utf8(&ttl).ok()?.parse().ok());
        ttl_of(seconds.flatten()).map(Some)
    }
}

/// A time to live in seconds, which has to be a whole number above zero.
pub(crate) fn ttl_of(seconds: Option<u64>) -> Result<Duration, ApiError> {
    match seconds {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err(ApiError::invalid(
            "ttl_seconds is not a whole number above zero",
        )),
    }
}

/// The name of a cache, from a segment of the path.
pub(crate) fn cache_name(segment: &str) -> Result<String, ApiError> {
    let name = decoded_text(segment, "the cache name")?;
    if name.trim().is_empty() {
        return Err(ApiError::invalid("the cache name is blank"));
    }
    Ok(name)
}

/// A form's spaces.
fn spaced(text: &str) -> Cow<'_, str> {
    match text.contains('+') {
        true => text.replace('+', " ").into(),
        false => text.into(),
    }
}

/// Decodes percent escapes, each of which has to be one.
fn decoded(text: &str, what: &str) -> Result<Vec<u8>, ApiError> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return Ok(bytes.to_vec());
    }
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    for (at, _) in escapes {
        if !is_hex(at + 1) || !is_hex(at + 2) {
            return Err(ApiError::invalid(format!(
                "{what} has a bad percent escape"
            )));
        }
    }
    Ok(percent_decode_str(text).collect())
}

fn decoded_text(text: &str, what: &str) -> Result<String, ApiError> {
    let bytes = decoded(text, what)?;
    String::from_utf8(bytes).map_err(|_| ApiError::invalid(format!("{what} is not UTF-8")))
}
