//! Who asks, and what they may.
//!
//! # Idea         a credential is found (`credential`), known by its hash or its signature (`keyring`), and stands for a [`Caller`]: an account
//!   and what it may do there (`permission`)
//! # Costs        a hash of the token, and a comparison with each static key; for a signed token, the check of its signature
//! # Invariants   AU1 tokens are compared in constant time; AU2 no token is kept, logged or answered but to whom it is minted for
//! # Not here     accounts' limits

mod claims;
mod credential;
mod keyring;
mod permission;

pub use self::claims::{Claims, MintError, check_claims};
pub(crate) use self::credential::credential;
pub use self::keyring::{KeyError, Keyring, RefusedToken, SigningKey, StaticKey, hash_of};
pub use self::permission::{Access, Grant, Items, Permission, Role};

use std::sync::Arc;

use crate::error::ApiError;

/// Somebody whose token is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose caches they use.
    pub account: Arc<str>,
    /// What they may.
    pub grant: Grant,
}

impl Caller {
    /// Whether they may do this to an item.
    pub(crate) fn may(&self, access: Access, cache: &str, key: &[u8]) -> Result<(), ApiError> {
        if self.grant.allows(access, cache, key) {
            return Ok(());
        }
        Err(ApiError::denied(match access {
            Access::Read => "the token lacks the right to read this item",
            Access::Write => "the token lacks the right to write this item",
            Access::ReadWrite => "the token lacks the right to read and write this item",
        }))
    }

    /// Whether they may administer caches.
    pub(crate) fn administers(&self) -> Result<(), ApiError> {
        match self.grant {
            Grant::SuperUser => Ok(()),
            Grant::Permissions(_) => Err(ApiError::denied("the token is not a super user's")),
        }
    }
}
