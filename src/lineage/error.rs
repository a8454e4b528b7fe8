//! Why a scope was refused.

use std::error::Error;
use std::fmt;

use super::DEPTH_MAX;
use crate::error::KeyError;

/// Why a scope could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopeError {
    /// The name has no parts, or is a single part of no bytes.
    Empty,
    /// The name is longer than a key may be, once encoded.
    TooLong {
        /// The encoded length.
        len_bytes: usize,
        /// The length that would have been accepted.
        max_bytes: usize,
    },
    /// Scopes are nested too deep; a tenant and a named cache count as one level each.
    TooDeep {
        /// The depth that would have been accepted.
        depth_max: usize,
    },
    /// The tenant or the named cache that the scope belongs to was deleted.
    Closed,
    /// All of the 2^44 ids of this cache were used.
    OutOfIds,
}

impl ScopeError {
    pub(super) fn too_deep() -> Self {
        Self::TooDeep {
            depth_max: usize::from(DEPTH_MAX),
        }
    }
}

impl From<KeyError> for ScopeError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Empty => Self::Empty,
            KeyError::TooLong {
                len_bytes,
                max_bytes,
            } => Self::TooLong {
                len_bytes,
                max_bytes,
            },
        }
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "the name of the scope is empty; it needs at least one byte, or two parts",
            ),
            Self::TooLong {
                len_bytes,
                max_bytes,
            } => write!(
                f,
                "the name of the scope is {len_bytes} bytes long when encoded; at most {max_bytes} are accepted"
            ),
            Self::TooDeep { depth_max } => {
                write!(
                    f,
                    "scopes nest at most {depth_max} deep, tenant and named cache included"
                )
            }
            Self::Closed => {
                f.write_str("the tenant or named cache of the scope was deleted; ask for it again")
            }
            Self::OutOfIds => f.write_str("all ids of scopes were used; build a new cache"),
        }
    }
}

impl Error for ScopeError {}
