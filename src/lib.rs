#![doc = include_str!("../README.md")]
//!
//! # What is where
//!
//! | for | see |
//! |---|---|
//! | a cache | [`Cache`] and all its operations, [`Builder`], [`Capacity`]; [`WeakCache`] |
//! | what is in it | [`Value`], and [`Source`] for what it is made from; [`Key`] for what names it; [`Entry`] for what is handed out |
//! | how long it lives | [`Ttl`], [`WriteOptions`], [`Expiry`]; [`Janitor`]; [`Clock`] and [`ManualClock`] |
//! | loads | [`LoadOptions`], [`Loaded`], [`Lookup`] |
//! | changes in one step | [`Condition`], [`Change`], [`Counter`], [`Append`] |
//! | parts of a cache | [`Scope`], [`OwnedScope`] |
//! | who shares it | [`Tenant`], [`NamedCache`], [`Limits`], [`Rates`]; [`Budget`] for several caches in one bound |
//! | what may be refused | [`BuildError`]; [`InsertError`] and its [`Refusal`]; [`LoadError`], [`TtlError`], [`ScopeError`], [`TenantError`], [`AdmitError`] |
//! | how it does | [`Stats`], [`Curve`], [`HotKey`] |
//! | beyond the process | [`Snapshot`], [`Restored`]; [`Levels`], [`Level`], [`LevelOptions`]; [`Codec`] |
//! | limits without a cache | [`Limiter`], [`RateLimiter`] |
//!
//! # Features
//!
//! None is on by default, and none changes what the others do.
//!
//! | feature | what it brings |
//! |---|---|
//! | `metrics` | `Stats::publish`: the counters of a snapshot through the `metrics` crate |
//! | `tracing` | events whose targets begin with `larder`: at the level `INFO` that bounds were changed, at `DEBUG` what maintenance did and why a write was refused |
//! | `serde` | `Serde`: a [`Codec`] for whatever serde can write |
// The models leave the upper floors out, without which parts of the lower ones look unused.
#![cfg_attr(engine_loom, allow(dead_code, unreachable_pub, unused_imports))]

// What tests share with tests/it and fuzz/ names the crate from outside.
#[cfg(test)]
#[cfg(not(engine_loom))]
extern crate self as larder;

mod budget;
#[cfg(not(engine_loom))]
mod builder;
#[cfg(not(engine_loom))]
mod cache;
#[cfg(not(engine_loom))]
mod charter;
mod clock;
#[cfg(not(engine_loom))]
mod codec;
#[cfg(not(engine_loom))]
mod common;
mod contain;
#[cfg(not(engine_loom))]
mod curve;
#[allow(unsafe_code)]
mod entry;
mod error;
#[cfg(not(engine_loom))]
mod expiry;
/// Parts of the engine that are fuzzed by themselves.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::entry::fuzz::run as entry;
    pub use crate::wheel::fuzz::run as wheel;
}
mod flight;
mod gcra;
mod hash;
#[cfg(not(engine_loom))]
mod hot_keys;
#[cfg(test)]
#[cfg(not(engine_loom))]
mod invariants;
#[cfg(not(engine_loom))]
mod janitor;
mod key;
#[cfg(not(engine_loom))]
mod lanes;
#[cfg(not(engine_loom))]
mod level;
#[cfg(not(engine_loom))]
mod limiter;
mod limits;
mod lineage;
#[cfg(not(engine_loom))]
mod members;
/// What the model checker works on; no part of the crate's interface.
#[cfg(engine_loom)]
#[doc(hidden)]
#[allow(unsafe_code)]
pub mod model;
#[cfg(not(engine_loom))]
mod notes;
#[cfg(not(engine_loom))]
mod policy;
#[cfg(all(feature = "metrics", not(engine_loom)))]
mod publish;
#[allow(unsafe_code)]
mod reclaim;
mod rings;
#[cfg(test)]
#[cfg(not(engine_loom))]
mod scaling;
#[cfg(test)]
#[cfg(not(engine_loom))]
mod scenarios;
#[cfg(not(engine_loom))]
mod scope;
#[cfg(not(engine_loom))]
mod scope_parts;
mod shares;
#[cfg(not(engine_loom))]
mod snapshot;
#[cfg(not(engine_loom))]
mod stats;
#[cfg(not(engine_loom))]
mod store;
#[cfg(not(engine_loom))]
mod stripe;
mod sync;
#[allow(unsafe_code)]
mod table;
mod tally;
#[cfg(not(engine_loom))]
mod tenant;
mod terms;
mod turn;
mod wheel;
/// The timing wheel by itself, to be measured; no part of the crate's interface.
#[cfg(all(feature = "_wheel", not(engine_loom)))]
#[doc(hidden)]
pub use wheel::alone::{Timer, Timers};

#[cfg(not(engine_loom))]
pub use builder::Builder;
#[cfg(not(engine_loom))]
pub use cache::{
    Append, Cache, Capacity, Change, Computed, Condition, Counter, Iter, LoadOptions, Loaded,
    Lookup, Maintained, MissReason, PutIf, TtlChange, WeakCache,
};
#[cfg(not(engine_loom))]
pub use charter::{AdmitError, Limits, LongTtl, TenantError, Whose};
#[cfg(not(engine_loom))]
pub use clock::{Clock, ManualClock, Nanos, SystemClock};
#[cfg(all(feature = "serde", not(engine_loom)))]
pub use codec::Serde;
#[cfg(not(engine_loom))]
pub use codec::{Codec, CodecError, Encoding};
#[cfg(not(engine_loom))]
pub use common::Budget;
#[cfg(not(engine_loom))]
pub use curve::{Curve, CurvePoint};
#[cfg(not(engine_loom))]
pub use entry::{Entry, Source, Value};
#[cfg(not(engine_loom))]
pub use error::{
    AppendError, BuildError, ComputeError, IncrementError, InsertError, LoadError, Refusal,
    TtlError,
};
#[cfg(not(engine_loom))]
pub use expiry::{Expiry, ExpiryError};
#[cfg(not(engine_loom))]
pub use hot_keys::HotKey;
#[cfg(not(engine_loom))]
pub use janitor::Janitor;
#[cfg(not(engine_loom))]
pub use key::{Key, KeyError, KeyParts, KeyWriter, MAX_KEY_BYTES, Part};
#[cfg(not(engine_loom))]
pub use level::{
    Hold, Level, LevelAnswer, LevelCall, LevelChanges, LevelError, LevelKey, LevelLease, LevelMode,
    LevelOptions, LevelPut, LevelPutError, LevelRecord, LevelRefusal, LevelScope, LevelStats,
    LevelView, Levels, MemoryLevel, NotAcrossLevels, OnLevelError, Seen, Stamp,
};
#[cfg(not(engine_loom))]
pub use limiter::{
    Algorithm, Anchor, Cost, LimitError, Limiter, LimiterBuildError, LimiterBuilder, Reservation,
    Standing,
};
#[cfg(not(engine_loom))]
pub use limits::{LimitExceeded, Metered, Rate, RateLimiter, Rates, Tab};
#[cfg(not(engine_loom))]
pub use lineage::ScopeError;
#[cfg(not(engine_loom))]
pub use scope::{OwnedScope, Scope};
#[cfg(not(engine_loom))]
pub use scope_parts::*;
#[cfg(not(engine_loom))]
pub use shares::ShareError;
#[cfg(not(engine_loom))]
pub use snapshot::{RestoreError, Restored, Snapshot, SnapshotError};
#[cfg(not(engine_loom))]
pub use stats::{RemovalCause, Stats};
#[cfg(not(engine_loom))]
pub use tenant::{NamedCache, Reserved, Tenant, Usage};
#[cfg(not(engine_loom))]
pub use terms::{Tag, Ttl, WriteOptions};
