//! Who asks, and what they may: tokens are those of `larder-serve`, and here is how requests carry them and are refused.

mod credential;

pub(crate) use self::credential::credential;
pub use larder_serve::auth::*;

use crate::error::ApiError;

/// What a caller may, as an answer.
pub(crate) trait Rights {
    /// Whether they may do this to an item.
    fn may(&self, access: Access, cache: &str, key: &[u8]) -> Result<(), ApiError>;

    /// Whether they may administer caches.
    fn administers(&self) -> Result<(), ApiError>;
}

impl Rights for Caller {
    fn may(&self, access: Access, cache: &str, key: &[u8]) -> Result<(), ApiError> {
        if self.grant.allows(access, cache, key) {
            return Ok(());
        }
        Err(ApiError::denied(match access {
            Access::Read => "the token lacks the right to read this item",
            Access::Write => "the token lacks the right to write this item",
            Access::ReadWrite => "the token lacks the right to read and write this item",
        }))
    }

    fn administers(&self) -> Result<(), ApiError> {
        match self.grant {
            Grant::SuperUser => Ok(()),
            Grant::Permissions(_) => Err(ApiError::denied("the token is not a super user's")),
        }
    }
}
