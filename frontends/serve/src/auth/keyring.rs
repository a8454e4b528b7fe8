//! The tokens that are known: static ones by their hashes, signed ones by the keys that sign them.
//!
//! # Idea
//! Keys rotate by being several: tokens are signed with the first key that can sign, and good by any key of the list. A token names
//! its key and its algorithm, but is only ever checked by the algorithm that the configuration gives to the key.
//!
//! # Costs        see the module above
//! # Invariants   KR1 a static token is compared with all static keys, whichever fits
//! # Not here     what a token allows

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::claims::{Claims, MintError, check_permissions};
use super::{Caller, Grant, Permission};
use crate::from_base64;

/// A token that is listed in the configuration, by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticKey {
    /// The SHA-256 of the token, in hexadecimal digits: what a server's command prints.
    pub sha256: String,
    /// Whose caches it is for.
    pub account: String,
    /// The second from which on it is no longer good, since 1970; `None`: never.
    pub expires_at: Option<u64>,
    /// Whether it allows everything in its account.
    #[serde(default)]
    pub super_user: bool,
    /// What it allows otherwise.
    #[serde(default)]
    pub permissions: Vec<Permission>,
}

impl StaticKey {
    /// What the configuration has to say of a token, for it to be good without an end.
    pub fn of(token: &str, account: &str, grant: Grant) -> Self {
        let (super_user, permissions) = grant.parts();
        Self {
            sha256: hex::encode(hash_of(token.as_bytes())),
            account: account.to_owned(),
            expires_at: None,
            super_user,
            permissions,
        }
    }
}

#[cfg(feature = "program")]
impl StaticKey {
    /// As a file of settings has it: an entry of the list `keys`.
    ///
    /// # Errors
    /// None that is known of.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&std::collections::BTreeMap::from([("keys", [self])]))
    }
}

/// A key that tokens are signed with, or were.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKey {
    /// Its name, which tokens carry.
    pub id: String,
    /// `HS256`, `EdDSA` or `ES256`.
    pub algorithm: String,
    /// HS256: at least 32 bytes, in base64.
    pub secret: Option<String>,
    /// HS256: the file that holds the secret, instead.
    pub secret_file: Option<PathBuf>,
    /// Else: the file of the public key, in PEM.
    pub public_key_file: Option<PathBuf>,
    /// Else: the file of the private key, in PEM; without one, the key only checks.
    pub private_key_file: Option<PathBuf>,
}

impl SigningKey {
    /// A key of HS256 with this secret, in base64.
    pub fn hs256(id: &str, secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            algorithm: "HS256".into(),
            secret: Some(secret.to_owned()),
            secret_file: None,
            public_key_file: None,
            private_key_file: None,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Why a key of the settings can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key of {of}: {reason}")]
pub struct KeyError {
    /// The account of a static key, or the name of a signing key.
    pub of: String,
    /// What is wrong.
    pub reason: String,
}

/// Why a token isn't good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedToken {
    /// It is unknown, malformed, or wrongly signed.
    Invalid,
    /// Its time is over.
    Expired,
    /// Its time is not yet there.
    Early,
    /// It is for another region.
    Region,
}

/// All keys.
#[derive(Default)]
pub struct Keyring {
    statics: Vec<Known>,
    signing: Vec<Signing>,
}

struct Known {
    hash: [u8; 32],
    expires_at: Option<u64>,
    caller: Caller,
}

struct Signing {
    id: String,
    algorithm: Algorithm,
    check: DecodingKey,
    sign: Option<EncodingKey>,
}

/// The hash by which a static token is known.
pub fn hash_of(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl Keyring {
    /// Reads the keys of a configuration, and the files that they name.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn new(
        statics: &[StaticKey],
        signing: &[SigningKey],
        permissions_max: Option<u64>,
    ) -> Result<Self, KeyError> {
        let known = |key: &StaticKey| Known::new(key, permissions_max);
        Ok(Self {
            statics: statics.iter().map(known).collect::<Result<_, _>>()?,
            signing: signing.iter().map(Signing::new).collect::<Result<_, _>>()?,
        })
    }

    /// Whose a token is, and what it allows, at a second since 1970.
    ///
    /// # Errors
    /// [`RefusedToken`].
    pub fn authenticate(
        &self,
        token: &[u8],
        now: u64,
        region: Option<&str>,
    ) -> Result<Caller, RefusedToken> {
        let hash = hash_of(token);
        let mut found = None;
        for known in &self.statics {
            if known.hash.ct_eq(&hash).into() {
                found = Some(known);
            }
        }
        let Some(known) = found else {
            return self.authenticate_signed(token, now, region);
        };
        if known.expires_at.is_some_and(|end| now >= end) {
            return Err(RefusedToken::Expired);
        }
        Ok(known.caller.clone())
    }

    fn authenticate_signed(
        &self,
        token: &[u8],
        now: u64,
        region: Option<&str>,
    ) -> Result<Caller, RefusedToken> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| RefusedToken::Invalid)?;
        if header.crit.is_some() {
            return Err(RefusedToken::Invalid);
        }
        let may_be = |key: &&Signing| header.kid.as_ref().is_none_or(|id| *id == key.id);
        let claims = self
            .signing
            .iter()
            .filter(may_be)
            .find_map(|key| key.claims(token));
        let claims = claims.ok_or(RefusedToken::Invalid)?;
        if now >= claims.exp {
            return Err(RefusedToken::Expired);
        }
        if claims.nbf.is_some_and(|begin| now < begin) {
            return Err(RefusedToken::Early);
        }
        if let (Some(here), Some(there)) = (region, &claims.region)
            && here != there
        {
            return Err(RefusedToken::Region);
        }
        Ok(Caller {
            account: claims.account.as_str().into(),
            grant: claims.grant(),
        })
    }

    /// Signs a token.
    ///
    /// # Errors
    /// [`MintError::NoKey`].
    pub fn mint(&self, claims: &Claims) -> Result<String, MintError> {
        let mut keys = self.signing.iter();
        let (key, sign) = keys
            .find_map(|key| Some((key, key.sign.as_ref()?)))
            .ok_or(MintError::NoKey)?;
        let mut header = Header::new(key.algorithm);
        header.kid = Some(key.id.clone());
        jsonwebtoken::encode(&header, claims, sign).map_err(|_| MintError::NoKey)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("n_static", &self.statics.len())
            .field("n_signing", &self.signing.len())
            .finish()
    }
}

impl Known {
    fn new(key: &StaticKey, permissions_max: Option<u64>) -> Result<Self, KeyError> {
        let refused = |reason: String| KeyError {
            of: key.account.clone(),
            reason,
        };
        let mut hash = [0; 32];
        hex::decode_to_slice(&key.sha256, &mut hash)
            .map_err(|_| refused("sha256 has to be the 64 hexadecimal digits of the token's hash, as `token --static` prints them".into()))?;
        let grant = if key.super_user {
            Grant::SuperUser
        } else {
            check_permissions(&key.permissions, permissions_max)
                .map_err(|error| refused(error.to_string()))?;
            Grant::Permissions(key.permissions.clone())
        };
        Ok(Self {
            hash,
            expires_at: key.expires_at,
            caller: Caller {
                account: Arc::from(key.account.as_str()),
                grant,
            },
        })
    }
}

impl Signing {
    fn new(key: &SigningKey) -> Result<Self, KeyError> {
        let of = key.id.clone();
        Self::read(key).map_err(|reason| KeyError { of, reason })
    }

    fn read(key: &SigningKey) -> Result<Self, String> {
        let file = |path: &Option<PathBuf>| match path {
            Some(path) => std::fs::read(path)
                .map(Some)
                .map_err(|error| format!("{}: {error}", path.display())),
            None => Ok(None),
        };
        let public = || file(&key.public_key_file)?.ok_or("public_key_file is needed".to_owned());
        let private = || file(&key.private_key_file);
        let pem = |error: jsonwebtoken::errors::Error| error.to_string();
        let (algorithm, check, sign) = match key.algorithm.as_str() {
            "HS256" => {
                let secret = match (&key.secret, file(&key.secret_file)?) {
                    (Some(secret), None) => secret.clone().into_bytes(),
                    (None, Some(secret)) => secret,
                    _ => return Err("secret or secret_file is needed, not both".into()),
                };
                let secret = from_base64(secret.trim_ascii()).filter(|bytes| bytes.len() >= 32);
                let secret = secret.ok_or("the secret is not base64 of 32 bytes or more")?;
                let sign = EncodingKey::from_secret(&secret);
                let check = DecodingKey::from_secret(&secret);
                (Algorithm::HS256, check, Some(sign))
            }
            "EdDSA" => {
                let check = DecodingKey::from_ed_pem(&public()?).map_err(pem)?;
                let sign = private()?.map(|key| EncodingKey::from_ed_pem(&key));
                (Algorithm::EdDSA, check, sign.transpose().map_err(pem)?)
            }
            "ES256" => {
                let check = DecodingKey::from_ec_pem(&public()?).map_err(pem)?;
                let sign = private()?.map(|key| EncodingKey::from_ec_pem(&key));
                (Algorithm::ES256, check, sign.transpose().map_err(pem)?)
            }
            _ => return Err("algorithm is none of HS256, EdDSA, ES256".into()),
        };
        Ok(Self {
            id: key.id.clone(),
            algorithm,
            check,
            sign,
        })
    }

    /// The claims of a token, if this key signed it. When it ends is judged by the caller, whose clock decides.
    fn claims(&self, token: &[u8]) -> Option<Claims> {
        let mut rules = Validation::new(self.algorithm);
        rules.validate_exp = false;
        rules.validate_aud = false;
        let data = jsonwebtoken::decode(token, &self.check, &rules);
        data.ok().map(|data| data.claims)
    }
}
