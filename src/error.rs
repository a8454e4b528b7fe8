//! What an operation answers when it refuses: one small enum each.

mod work;

use std::error::Error;
use std::fmt;
use std::time::Duration;

pub use work::{AppendError, ComputeError, IncrementError, LoadError};

/// The longest key, in encoded bytes: its parts, and for a key of several parts one byte a part (three for a part
/// above 240 bytes).
pub const MAX_KEY_BYTES: usize = 65_535;

/// Why a key was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The key has no parts, or is a single part of no bytes.
    Empty,
    /// The key is longer than [`MAX_KEY_BYTES`] once encoded.
    TooLong {
        /// The encoded length.
        len_bytes: usize,
        /// The length that would have been accepted.
        max_bytes: usize,
    },
}

impl KeyError {
    #[cold]
    pub(crate) fn too_long(len_bytes: usize) -> Self {
        Self::TooLong {
            len_bytes,
            max_bytes: MAX_KEY_BYTES,
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "key is empty; it needs at least one byte, or two parts"),
            Self::TooLong {
                len_bytes,
                max_bytes,
            } => write!(
                f,
                "key is {len_bytes} bytes long when encoded; at most {max_bytes} are accepted"
            ),
        }
    }
}

impl Error for KeyError {}

/// Why an insert was refused. The cache is as it was before, but for entries that were evicted to make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The key is empty or too long.
    Key(KeyError),
    /// The time to live is zero.
    ZeroTtl,
    /// The entry can't fit, however much is evicted.
    TooLarge {
        /// What the entry would be charged, its overhead included; `u64::MAX` if that isn't representable.
        bytes: u64,
        /// The largest charge that fits.
        bytes_max: u64,
    },
    /// The cache may hold no entry at all: its capacity is zero, or that of the tenant or the named cache, in entries.
    NoCapacity,
    /// Room could not be made in a bounded number of passes: readers hold what was evicted, other threads took it, or the bound leaves none
    /// beside the engine's structure, as one of a few hundred bytes.
    NoRoom,
    /// The allocator gave no memory for the entry.
    OutOfMemory,
    /// The tenant or named cache that the scope belongs to was deleted.
    Closed,
    /// The time to live is longer than the tenant or the named cache allows.
    TtlTooLong {
        /// The longest that is allowed.
        ttl_max: Duration,
    },
    /// The key is longer than the tenant or the named cache allows.
    KeyTooLong {
        /// The length of the encoded key.
        key_bytes: u64,
        /// The longest that is allowed.
        key_bytes_max: u64,
    },
    /// Key and value together are larger than the tenant or the named cache allows.
    ItemTooLarge {
        /// The sum of their bytes.
        item_bytes: u64,
        /// The largest that is allowed.
        item_bytes_max: u64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Key(error) => error.fmt(f),
            Refusal::ZeroTtl => TtlError::Zero.fmt(f),
            Refusal::TooLarge { bytes, bytes_max } => {
                write!(
                    f,
                    "the entry needs {bytes} bytes with its overhead, and at most {bytes_max} fit the cache"
                )
            }
            Refusal::NoCapacity => {
                f.write_str("a capacity of zero, of the cache or of the tenant, stores nothing; raise it")
            }
            Refusal::NoRoom => {
                f.write_str(
                "no room: what was evicted is still being read, so try again later, or the bound is too low for the engine's structure",
            )
            }
            Refusal::OutOfMemory => f.write_str("the allocator has no memory for the entry"),
            Refusal::Closed => f.write_str(
                "the tenant or named cache was deleted; create it again and take a new view of it",
            ),
            Refusal::TtlTooLong { ttl_max } => TtlError::TooLong { ttl_max: *ttl_max }.fmt(f),
            Refusal::KeyTooLong {
                key_bytes,
                key_bytes_max,
            } => write!(
                f,
                "the key is {key_bytes} bytes long when encoded; at most {key_bytes_max} are allowed here"
            ),
            Refusal::ItemTooLarge {
                item_bytes,
                item_bytes_max,
            } => write!(
                f,
                "key and value are {item_bytes} bytes together; at most {item_bytes_max} are allowed here"
            ),
        }
    }
}

impl Error for Refusal {}

impl<S> From<InsertError<S>> for Refusal {
    fn from(error: InsertError<S>) -> Self {
        error.refusal
    }
}

/// A refused insert, with the value that was not stored.
///
/// With a value that was borrowed it is an error that borrows, which `?` can't turn into a boxed one; its [`Refusal`] can be:
///
/// ```
/// use std::error::Error;
/// use larder::{Cache, Refusal};
///
/// fn store(cache: &Cache<[u8]>, value: &[u8]) -> Result<(), Box<dyn Error>> {
///     cache.insert("key", value).map_err(Refusal::from)?;
///     Ok(())
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct InsertError<S> {
    /// Why it was refused.
    pub refusal: Refusal,
    /// The value, as it was given.
    pub value: S,
}

impl<S> fmt::Debug for InsertError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsertError")
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

impl<S> fmt::Display for InsertError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl<S> Error for InsertError<S> {}

/// Why a time to live was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TtlError {
    /// It is zero.
    Zero,
    /// It is longer than the tenant or the named cache allows.
    TooLong {
        /// The longest that is allowed.
        ttl_max: Duration,
    },
}

impl fmt::Display for TtlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TtlError::Zero => f.write_str(
                "the time to live is zero; give at least a nanosecond, or remove the entry instead",
            ),
            TtlError::TooLong { ttl_max } => {
                write!(
                    f,
                    "the time to live is too long; at most {ttl_max:?} is allowed here"
                )
            }
        }
    }
}

impl Error for TtlError {}

impl From<TtlError> for Refusal {
    fn from(error: TtlError) -> Self {
        match error {
            TtlError::Zero => Refusal::ZeroTtl,
            TtlError::TooLong { ttl_max } => Refusal::TtlTooLong { ttl_max },
        }
    }
}

/// Why a cache could not be built, or its capacity not be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// Neither `max_bytes` nor `max_entries` was set.
    NoBound,
    /// A bound is beyond what can be counted: 2^61 bytes, or 2^40 entries.
    BoundTooLarge {
        /// The bound that was asked for.
        bound: u64,
        /// The largest one that is taken.
        bound_max: u64,
    },
    /// The number of stripes is zero, no power of two, or above 1024.
    Stripes(usize),
    /// The default time to live, or the time to idle, is zero.
    Ttl(TtlError),
    /// `max_bytes` is set for a value type that owns memory elsewhere, and there is no weigher to say how much.
    NoWeigher,
    /// A bound of a kind that the cache was not built with, or taken away from one that it was built with.
    OtherBound,
    /// A bound on bytes of its own for a cache whose bytes a [`Budget`](crate::Budget) bounds.
    OfBudget,
    /// A bound on bytes below what tenants are guaranteed together.
    BelowGuarantees {
        /// The sum of guarantees, which is the lowest bound that would be taken.
        guaranteed: u64,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::NoBound => {
                f.write_str("a cache needs a bound: set max_bytes, max_entries, or both")
            }
            BuildError::BoundTooLarge { bound, bound_max } => {
                write!(
                    f,
                    "a bound of {bound} is too large; at most {bound_max} can be counted"
                )
            }
            BuildError::Stripes(n) => {
                write!(
                    f,
                    "{n} stripes were asked for; take a power of two from 1 to 1024"
                )
            }
            BuildError::Ttl(TtlError::Zero) => f.write_str(
                "the default time to live or the time to idle is zero; give at least a nanosecond, or leave it out",
            ),
            BuildError::Ttl(error) => error.fmt(f),
            BuildError::NoWeigher => f.write_str(
                "max_bytes was set for a value type that owns memory elsewhere; \
                 set a weigher that says how many bytes, or max_entries instead",
            ),
            BuildError::OtherBound => f.write_str(
                "the bounds of a cache keep their kind; give those that it was built with",
            ),
            BuildError::OfBudget => f.write_str(
                "the bytes of this cache are bounded by its budget: leave max_bytes out, or change the bound by Budget::set_max_bytes",
            ),
            BuildError::BelowGuarantees { guaranteed } => write!(
                f,
                "tenants are guaranteed {guaranteed} bytes together; give at least that, or lower guarantees first"
            ),
        }
    }
}

impl Error for BuildError {}
