//! `validate-jwt`.
//!
//! # Idea         keys stand in the document as base64, or in a file beside it as a set of JSON web keys
//! # Costs        once a document
//! # Invariants   L2 of the module above; a validator without a key doesn't load
//! # Not here     verification

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Surroundings;
use super::attributes::{Attributes, content, no_text, unknown_element};
use crate::azure::expr::Wanted;
use crate::azure::jwt::{Key, Validator};
use crate::azure::policy::{Act, Setting};
use crate::finding::Finding;
use crate::http::HeaderName;
use crate::xml::Element;

/// The seconds in a year: clocks don't differ by more.
const SKEW_SECONDS_MAX: u64 = 366 * 86_400;

pub(super) fn validate_jwt(element: &Element, around: &dyn Surroundings) -> Result<Act, Finding> {
    no_text(element)?;
    let attributes = Attributes::of(element);
    let header = attributes.header_name("header-name")?;
    let status = attributes.number("failed-validation-httpcode", 400..=599)?;
    let mut validator = Validator {
        header: header.unwrap_or(HeaderName::from_static("authorization")),
        scheme: attributes.literal("require-scheme")?,
        status: status
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or(401),
        message: attributes.literal("failed-validation-error-message")?,
        keys: Vec::new(),
        issuers: Vec::new(),
        audiences: Vec::new(),
        requires_expiry: attributes.flag("require-expiration-time")?.unwrap_or(true),
        skew: Duration::from_secs(
            attributes
                .number("clock-skew", 0..=SKEW_SECONDS_MAX)?
                .unwrap_or(0),
        ),
        variable: attributes.literal("output-token-variable-name")?,
    };
    attributes.finish()?;
    for inner in element.elements() {
        match &*inner.name {
            "issuer-signing-keys" => {
                for (key, text) in list(inner, "key")? {
                    let secret = STANDARD.decode(text.as_bytes());
                    let message = "<key> must be in base64, and not empty";
                    match secret {
                        Ok(secret) if !secret.is_empty() => {
                            validator.keys.push(Key::secret(&secret))
                        }
                        _ => return Err(Finding::error(key.at, message)),
                    }
                }
            }
            "jwks-file" => {
                let path = literal(inner)?;
                let wrong = |why: String| {
                    Finding::error(
                        inner.at,
                        format!("the key set {path:?} can't be read: {why}"),
                    )
                };
                let text = around
                    .file(&path)
                    .ok_or_else(|| wrong("there is no such file".to_owned()))?;
                validator.keys.extend(Key::of_set(&text).map_err(wrong)?);
            }
            "issuers" => validator
                .issuers
                .extend(list(inner, "issuer")?.into_iter().map(|(_, text)| text)),
            "audiences" => {
                validator
                    .audiences
                    .extend(list(inner, "audience")?.into_iter().map(|(_, text)| text));
            }
            _ => return Err(unknown_element(inner, "validate-jwt")),
        }
    }
    if validator.keys.is_empty() {
        let message = "<validate-jwt> names no key: give <issuer-signing-keys> or <jwks-file>";
        return Err(Finding::error(element.at, message));
    }
    Ok(Act::ValidateJwt(Box::new(validator)))
}

/// The texts of elements of one name.
fn list<'e>(element: &'e Element, name: &str) -> Result<Vec<(&'e Element, String)>, Finding> {
    no_text(element)?;
    Attributes::of(element).finish()?;
    let inner = element.elements().map(|inner| {
        if inner.name != name {
            return Err(unknown_element(inner, &element.name));
        }
        Ok((inner, literal(inner)?))
    });
    inner.collect()
}

fn literal(element: &Element) -> Result<String, Finding> {
    match content(element, Wanted::Text)? {
        Setting::Literal(text) => Ok(text),
        Setting::Code(code) => {
            let message = format!("<{}> cannot be an expression", element.name);
            Err(Finding::error(code.position(), message))
        }
    }
}
