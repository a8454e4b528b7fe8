//! Tokens: which are known, what they allow, how they are minted.
//!
//! # Idea         a token is known by its hash or by its signature (`keyring`), and stands for a [`Caller`]: an account and what it may do
//!   there (`permission`). What a signed one says, and the rules by which one is minted, are its `claims`
//! # Costs        a hash of the token, and a comparison with each static key; for a signed token, the check of its signature
//! # Invariants   AU1 tokens are compared in constant time; AU2 no token is kept, logged or answered but to whom it is minted for
//! # Not here     where a request has its token, what it is answered; accounts' limits

mod claims;
mod header;
mod keyring;
mod permission;

use std::sync::Arc;

pub use self::claims::{Claims, MintError, Wanted};
pub use self::header::of_header_value;
pub use self::keyring::{KeyError, Keyring, RefusedToken, SigningKey, StaticKey, hash_of};
pub use self::permission::{Access, Grant, Items, Permission, Role};

/// Somebody whose token is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose caches they use.
    pub account: Arc<str>,
    /// What they may.
    pub grant: Grant,
}
