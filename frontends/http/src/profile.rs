//! Limits as they are written, and what they come to.
//!
//! # Idea         a limit is a number, or `"unlimited"`, or isn't said; then the caches' of its account hold, and then the profile's
//! # Costs        none but at the start and at a reload
//! # Invariants   none of its own
//! # Not here     keeping them: that is the engine's

use std::collections::BTreeMap;
use std::time::Duration;

use larder::{Limits, Rate, Rates};
use larder_serve::Mode;
use larder_serve::words::word;
use serde::{Deserialize, Deserializer};

/// What holds where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// No rates, no bound on times to live, items of up to 16 MiB, any number of caches.
    #[default]
    Open,
    /// The vendor's of 2023 and 2024.
    Vendor,
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        word(from, &[("open", Self::Open), ("vendor", Self::Vendor)])
    }
}

/// A limit that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a limit is a whole number, or \"unlimited\"")]
pub enum Bound {
    /// So much.
    At(u64),
    /// As much as there is.
    None(Unlimited),
}

/// The word for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlimited {
    /// The word.
    Unlimited,
}

impl Bound {
    /// The limit, where this or else `default` says one.
    pub(crate) fn or(said: Option<Self>, default: Option<u64>) -> Option<u64> {
        match said {
            Some(Self::At(limit)) => Some(limit),
            Some(Self::None(_)) => None,
            None => default,
        }
    }
}

/// An account: limits that all its caches share, and its caches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSettings {
    /// Operations a second, in all caches.
    pub operations_per_second: Option<Bound>,
    /// Bytes a second, in all caches.
    pub bytes_per_second: Option<Bound>,
    /// Calls a second that administer caches.
    pub control_per_second: Option<Bound>,
    /// How many caches.
    pub caches_max: Option<Bound>,
    /// Bytes that nobody else takes away.
    pub guaranteed_bytes: u64,
    /// Bytes that are never exceeded.
    pub max_bytes: Option<Bound>,
    /// What holds for a cache that says nothing.
    pub each_cache: CacheSettings,
    /// The caches that there are from the start.
    pub caches: BTreeMap<String, CacheSettings>,
}

/// A cache: its limits, and where its items are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSettings {
    /// Operations a second.
    pub operations_per_second: Option<Bound>,
    /// Bytes a second, of requests and answers.
    pub bytes_per_second: Option<Bound>,
    /// Key and value together.
    pub item_bytes_max: Option<Bound>,
    /// The longest time to live.
    pub ttl_seconds_max: Option<Bound>,
    /// Bytes that no other cache takes away, of those that the account is guaranteed.
    pub guaranteed_bytes: Option<u64>,
    /// Bytes that are never exceeded.
    pub max_bytes: Option<Bound>,
    /// Which levels it uses.
    pub level: Option<Mode>,
}

impl Profile {
    /// The limits of an account.
    pub(crate) fn account(self, said: &AccountSettings) -> Limits {
        let caches_max = self.is_vendor().then_some(10);
        let caches_max = Bound::or(said.caches_max, caches_max);
        Limits {
            rates: rates(
                Bound::or(said.operations_per_second, None),
                Bound::or(said.bytes_per_second, None),
            ),
            guaranteed_bytes: said.guaranteed_bytes,
            max_bytes: Bound::or(said.max_bytes, None),
            caches_max: caches_max.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            ..Limits::default()
        }
    }

    /// The rates of an account's administration.
    pub(crate) fn control(self, said: &AccountSettings) -> Rates {
        let default = self.is_vendor().then_some(5);
        rates(Bound::or(said.control_per_second, default), None)
    }

    /// The limits of a cache, by what is said of it and of each cache of its account.
    pub(crate) fn cache(self, said: &CacheSettings, each: &CacheSettings) -> Limits {
        let vendor = self.is_vendor();
        let item_default = if vendor { 1 << 20 } else { 16 << 20 };
        let of = |field: fn(&CacheSettings) -> Option<Bound>, default: Option<u64>| {
            Bound::or(field(said).or(field(each)), default)
        };
        let guaranteed = said.guaranteed_bytes.or(each.guaranteed_bytes);
        Limits {
            rates: rates(
                of(|one| one.operations_per_second, vendor.then_some(100)),
                of(|one| one.bytes_per_second, vendor.then_some(1 << 20)),
            ),
            item_bytes_max: of(|one| one.item_bytes_max, Some(item_default)),
            ttl_max: of(|one| one.ttl_seconds_max, vendor.then_some(86_400))
                .map(Duration::from_secs),
            guaranteed_bytes: guaranteed.unwrap_or(0),
            max_bytes: of(|one| one.max_bytes, None),
            ..Limits::default()
        }
    }

    /// How many permissions a token may have.
    pub(crate) fn permissions_max(self, said: Option<Bound>) -> Option<u64> {
        Bound::or(said, self.is_vendor().then_some(10))
    }

    fn is_vendor(self) -> bool {
        self == Self::Vendor
    }
}

fn rates(operations: Option<u64>, bytes: Option<u64>) -> Rates {
    Rates {
        operations: operations.map(Rate::per_second),
        bytes: bytes.map(Rate::per_second),
    }
}
