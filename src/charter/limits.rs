//! What tenants and named caches are given, as users state it.
//!
//! # Idea         plain values; what they come to is in the charter
//! # Invariants   none
//! # Not here     memory shares, rates: modules `shares`, `limits`

use std::time::Duration;

use crate::error::TtlError;
use crate::limits::Rates;

/// What a tenant, or a named cache of a tenant, is given and may take. The default is no limit and no guarantee.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use larder::{Limits, Rate, Rates};
///
/// let limits = Limits {
///     guaranteed_bytes: 16 << 20,
///     max_bytes: Some(64 << 20),
///     rates: Rates {
///         operations: Some(Rate::per_second(10_000)),
///         ..Rates::UNLIMITED
///     },
///     ttl_max: Some(Duration::from_secs(86_400)),
///     ..Limits::default()
/// };
/// assert_eq!(limits.item_bytes_max, None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Charged bytes that nobody else's inserts take away, but for those of a sibling that has nothing to give where their tenant has its
    /// maximum of entries. The guarantees of all tenants fit the cache's capacity, those of a
    /// tenant's named caches its own guarantee. What isn't used is lent. The engine's own structure is paid from the capacity too: leave
    /// a fifth of it unguaranteed, or the last inserts within a guarantee may find no room.
    pub guaranteed_bytes: u64,
    /// Charged bytes that are never exceeded; an insert beyond evicts the tenant's own entries.
    pub max_bytes: Option<u64>,
    /// Entries that are never exceeded, a tenant's with those of all its named caches; an insert beyond evicts one of the same named
    /// cache, or else of the tenant. Entries that are due, or that a flush has ended, count until they are swept.
    pub max_entries: Option<u64>,
    /// What `admit` lets pass.
    pub rates: Rates,
    /// The largest sum of a key's and a value's bytes.
    pub item_bytes_max: Option<u64>,
    /// The longest key, in encoded bytes.
    pub key_bytes_max: Option<u64>,
    /// The time to live where an insert names none; without it, that of the tenant, then of the cache.
    pub default_ttl: Option<Duration>,
    /// The longest time to live. An entry can't be without one then. 584 years and more are no limit.
    pub ttl_max: Option<Duration>,
    /// What happens to a time to live above `ttl_max`, unless the call says that it is to be [cut](crate::Ttl::clamped).
    pub long_ttl: LongTtl,
    /// The number of named caches; of no meaning for a named cache.
    pub caches_max: Option<usize>,
}

/// What happens to a time to live above the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LongTtl {
    /// The insert is refused.
    #[default]
    Reject,
    /// The maximum is taken instead.
    Clamp,
}

impl Limits {
    /// What contradicts itself.
    pub(crate) fn check(&self) -> Result<(), TtlError> {
        let times = [self.default_ttl, self.ttl_max];
        if times.into_iter().flatten().any(|ttl| ttl.is_zero()) {
            return Err(TtlError::Zero);
        }
        match (self.default_ttl, self.ttl_max) {
            (Some(ttl), Some(ttl_max)) if ttl > ttl_max => Err(TtlError::TooLong { ttl_max }),
            _ => Ok(()),
        }
    }

    pub(crate) fn max_entries(&self) -> u64 {
        self.max_entries.unwrap_or(u64::MAX)
    }

    pub(crate) fn max_bytes(&self) -> u64 {
        self.max_bytes.unwrap_or(u64::MAX)
    }
}
