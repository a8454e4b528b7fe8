//! Validation of tokens.
//!
//! # Idea         signatures are jsonwebtoken's, with the keys that a document names; claims are compared here, by the gateway's calendar
//! # Costs        one verification a key of the token's family and id
//! # Invariants   J1 a token is good only if a key of the family of its algorithm verifies it: `none` never is, and no token is without the
//!   feature `signatures`; J2 an expiry is required unless the document says otherwise
//! # Not here     where the document stands

use std::fmt;
use std::time::{Duration, SystemTime};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{AlgorithmFamily, DecodingKey, Validation};
use serde_json::Value as Json;

use super::expr::Claims;
use crate::http::{HeaderMap, HeaderName};

/// What a token must be.
#[derive(Clone)]
pub struct Validator {
    /// The header that it stands in.
    pub header: HeaderName,
    /// The word that must stand before it.
    pub scheme: Option<String>,
    /// What is answered to a bad one.
    pub status: u16,
    /// In these words, if others than the reason are wanted.
    pub message: Option<String>,
    /// Whose signatures are good.
    pub keys: Vec<Key>,
    /// The issuers of which it may be; none: any.
    pub issuers: Vec<String>,
    /// The audiences, one of which it must be for; none: any.
    pub audiences: Vec<String>,
    /// Whether it must say when it expires.
    pub requires_expiry: bool,
    /// How far clocks may differ.
    pub skew: Duration,
    /// The variable for its claims.
    pub variable: Option<String>,
}

/// A key that verifies signatures.
#[derive(Clone)]
pub struct Key {
    id: Option<String>,
    key: DecodingKey,
}

impl Key {
    /// A shared secret.
    pub fn secret(secret: &[u8]) -> Self {
        Self {
            id: None,
            key: DecodingKey::from_secret(secret),
        }
    }

    /// The keys of a set in JSON (RFC 7517).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of_set(text: &str) -> Result<Vec<Self>, String> {
        let set: JwkSet = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let keys = set.keys.iter().map(|key| {
            Ok(Self {
                id: key.common.key_id.clone(),
                key: DecodingKey::from_jwk(key).map_err(|error| error.to_string())?,
            })
        });
        keys.collect()
    }

    fn may_verify(&self, family: AlgorithmFamily, id: Option<&str>) -> bool {
        let is_named = match (&self.id, id) {
            (Some(known), Some(id)) => known == id,
            _ => true,
        };
        is_named && self.key.family() == family
    }
}

impl Validator {
    /// Checks the token among the headers.
    ///
    /// # Errors
    /// Why it isn't good.
    pub fn check(&self, headers: &HeaderMap, now: SystemTime) -> Result<Claims, &'static str> {
        let value = headers.get(&self.header).ok_or("JWT not present.")?;
        let value = value.to_str().map_err(|_| "Invalid JWT.")?.trim();
        let token = match (value.split_once(' '), &self.scheme) {
            (Some((scheme, token)), Some(wanted)) if scheme.eq_ignore_ascii_case(wanted) => token,
            (_, Some(_)) => return Err("JWT scheme is missing or different."),
            (Some((scheme, token)), None) if scheme.eq_ignore_ascii_case("Bearer") => token,
            (_, None) => value,
        };
        let token = token.trim();
        let claims = self.verified(token)?;
        self.check_times(&claims, now)?;
        let one_of = |list: &[String], claim: Option<&Json>| match claim {
            _ if list.is_empty() => true,
            Some(Json::String(text)) => list.contains(text),
            Some(Json::Array(several)) => several
                .iter()
                .filter_map(Json::as_str)
                .any(|text| list.iter().any(|known| known == text)),
            _ => false,
        };
        if !one_of(
            &self.issuers,
            claims.get("iss").filter(|claim| claim.is_string()),
        ) {
            return Err("Issuer validation failed.");
        }
        if !one_of(&self.audiences, claims.get("aud")) {
            return Err("Audience validation failed.");
        }
        Claims::of_token(token).ok_or("Invalid JWT.")
    }

    fn verified(&self, token: &str) -> Result<Json, &'static str> {
        if !cfg!(feature = "signatures") {
            return Err("Signatures cannot be verified.");
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| "Invalid JWT.")?;
        let mut validation = Validation::new(header.alg);
        // Claims are compared here: by another clock, and with the vendor's defaults.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let family = header.alg.family();
        self.keys
            .iter()
            .filter(|key| key.may_verify(family, header.kid.as_deref()))
            .find_map(|key| jsonwebtoken::decode::<Json>(token, &key.key, &validation).ok())
            .map(|data| data.claims)
            .ok_or("Signature validation failed.")
    }

    fn check_times(&self, claims: &Json, now: SystemTime) -> Result<(), &'static str> {
        let now = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64());
        let skew = self.skew.as_secs_f64();
        match claims.get("exp") {
            Some(expiry) => match expiry.as_f64() {
                Some(expiry) if now < expiry + skew => {}
                Some(_) => return Err("JWT is expired."),
                None => return Err("Invalid JWT."),
            },
            None if self.requires_expiry => return Err("JWT has no expiry."),
            None => {}
        }
        match claims.get("nbf").map(Json::as_f64) {
            Some(Some(begin)) if now + skew < begin => Err("JWT is not yet valid."),
            Some(None) => Err("Invalid JWT."),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Validator {
    /// Shows no keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator")
            .field("header", &self.header)
            .field("n_keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
