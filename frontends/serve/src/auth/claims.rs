//! What a signed token says, and the rules by which one is minted.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Grant, Permission};

/// The longest life of a minted token: 25 hours.
const LIFETIME_MAX_SECONDS: i64 = 25 * 3600;
/// The longest name of a token.
const ID_CHARS_MAX: usize = 64;

/// The claims of a signed token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Whose caches it is for.
    pub account: String,
    /// The second from which on it is no longer good, since 1970.
    pub exp: u64,
    /// The second before which it is not yet good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The region that it is for; `None`: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether it allows everything in its account.
    #[serde(default)]
    pub super_user: bool,
    /// What it allows.
    #[serde(default)]
    pub permissions: Vec<Permission>,
}

impl Claims {
    pub(super) fn grant(self) -> Grant {
        if self.super_user {
            Grant::SuperUser
        } else {
            Grant::Permissions(self.permissions)
        }
    }
}

/// Why a token is not minted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// It would allow nothing.
    #[error("permissions has to name at least one permission")]
    NoPermissions,
    /// Two of its permissions are for the same items of the same caches.
    #[error("permissions has two entries for the same cache and items")]
    SameItems,
    /// It has more permissions than a token may have.
    #[error("permissions may have {n_max} entries")]
    TooManyPermissions {
        /// How many it may have.
        n_max: u64,
    },
    /// It would live not at all, for ever, or too long.
    #[error("ttl_seconds has to be a whole number from 1 to {LIFETIME_MAX_SECONDS}")]
    Lifetime,
    /// Its name is too long.
    #[error("id may have {ID_CHARS_MAX} characters")]
    Id,
    /// There is no key to sign with.
    #[error("no key is configured that tokens could be signed with: see signing_keys")]
    NoKey,
}

/// What a token is asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whose caches it is to be for.
    pub account: String,
    /// What it is to allow.
    pub grant: Grant,
    /// Its name.
    pub id: Option<String>,
    /// How long it is to be good.
    pub ttl_seconds: Option<i64>,
    /// The region that it is to be for.
    pub region: Option<String>,
}

impl Wanted {
    /// What it says if it is minted in this second since 1970.
    ///
    /// # Errors
    /// [`MintError`].
    pub fn claims(self, now: u64, permissions_max: Option<u64>) -> Result<Claims, MintError> {
        if let Grant::Permissions(permissions) = &self.grant {
            check_permissions(permissions, permissions_max)?;
        }
        let is_long = |id: &String| id.chars().count() > ID_CHARS_MAX;
        if self.id.as_ref().is_some_and(is_long) {
            return Err(MintError::Id);
        }
        let lifetimes = 1..=LIFETIME_MAX_SECONDS;
        let ttl = self.ttl_seconds.filter(|ttl| lifetimes.contains(ttl));
        let (super_user, permissions) = self.grant.parts();
        Ok(Claims {
            account: self.account,
            exp: now.saturating_add(ttl.ok_or(MintError::Lifetime)?.unsigned_abs()),
            nbf: None,
            jti: self.id,
            region: self.region,
            super_user,
            permissions,
        })
    }
}

/// The rules for what a token allows, signed or not.
pub(super) fn check_permissions(
    permissions: &[Permission],
    n_max: Option<u64>,
) -> Result<(), MintError> {
    if permissions.is_empty() {
        return Err(MintError::NoPermissions);
    }
    if let Some(n_max) = n_max.filter(|&n_max| permissions.len() as u64 > n_max) {
        return Err(MintError::TooManyPermissions { n_max });
    }
    let mut selected = HashSet::new();
    let mut all = permissions.iter();
    if !all.all(|one| selected.insert((&one.cache, &one.items))) {
        return Err(MintError::SameItems);
    }
    Ok(())
}
