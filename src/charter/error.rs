//! Why a tenant or a named cache is refused, and why it refuses.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::Whose;
use crate::error::TtlError;
use crate::limits::LimitExceeded;
use crate::lineage::ScopeError;
use crate::shares::ShareError;

/// Why a tenant or a named cache could not be made, found or changed. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TenantError {
    /// There is no tenant of this name, or it was deleted.
    NoSuchTenant,
    /// The tenant has no cache of this name, or it was deleted.
    NoSuchCache,
    /// The name is taken.
    AlreadyExists,
    /// The name is blank or too long.
    Name(ScopeError),
    /// The tenant has as many named caches as it may have.
    TooManyCaches {
        /// How many it may have.
        n_max: usize,
    },
    /// The times to live are zero, or the default is longer than the maximum.
    Ttl(TtlError),
    /// The guarantees and maxima of memory contradict each other, or others'.
    Share(ShareError),
}

impl fmt::Display for TenantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchTenant => f.write_str("there is no such tenant; create it first"),
            Self::NoSuchCache => f.write_str("the tenant has no such cache; create it first"),
            Self::AlreadyExists => {
                f.write_str("the name is taken; delete its owner or choose another")
            }
            Self::Name(error) => error.fmt(f),
            Self::TooManyCaches { n_max } => write!(
                f,
                "the tenant has {n_max} named caches, which is what it may have; delete one first"
            ),
            Self::Ttl(TtlError::Zero) => f.write_str(
                "the default time to live or the longest one is zero; give at least a nanosecond, or none for no limit",
            ),
            Self::Ttl(TtlError::TooLong { ttl_max }) => write!(
                f,
                "the default time to live is longer than the longest that is allowed, which is {ttl_max:?}; shorten it, or allow longer ones"
            ),
            Self::Share(error) => error.fmt(f),
        }
    }
}

impl Error for TenantError {}

impl From<ScopeError> for TenantError {
    fn from(error: ScopeError) -> Self {
        match error {
            ScopeError::Closed => Self::NoSuchTenant,
            error => Self::Name(error),
        }
    }
}

impl From<TtlError> for TenantError {
    fn from(error: TtlError) -> Self {
        Self::Ttl(error)
    }
}

impl From<ShareError> for TenantError {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::NoSuchPool => Self::NoSuchTenant,
            error => Self::Share(error),
        }
    }
}

/// Why an operation was not admitted. Nothing was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdmitError {
    /// It came too early.
    Exceeded {
        /// Whose limit it was.
        whose: Whose,
        /// Which one, and when the same operation would pass.
        limit: LimitExceeded,
    },
    /// The tenant or the named cache was deleted.
    Closed,
}

impl AdmitError {
    /// The time after which the same operation passes, unless others come first; to be rounded up where it is told in seconds. `None`:
    /// never.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Exceeded { limit, .. } => limit.retry_after,
            Self::Closed => None,
        }
    }
}

impl fmt::Display for AdmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exceeded { whose, limit } => {
                let whose = match whose {
                    Whose::Tenant => "tenant",
                    Whose::Cache => "named cache",
                };
                write!(f, "limit of the {whose}: {limit}")
            }
            Self::Closed => f.write_str(
                "the tenant or the named cache was deleted; create it again and take a new view of it",
            ),
        }
    }
}

impl Error for AdmitError {}
