//! A further level of the Larder cache engine on Valkey or Redis: one server, Sentinel or Cluster.
//!
//! [`Valkey`] is a [`larder::Level`]: several processes, each with a cache of its own, share what is stored on the servers. How a
//! cache uses both is [`larder::LevelOptions`].
//!
//! # Failures
//! Each call is over in its time, whatever the servers do; a connection whose call wasn't answered in time is closed, so no answer is
//! ever taken for another's. A server that fails some times in a row is left alone for a while ([`Breaking`]). What is
//! stored stands in an envelope: what is damaged, foreign, of another version or of another key is a miss, and is counted
//! ([`ValkeyStats`]).
//!
//! # Features
//! `tls` (by default): connections by TLS. `zstd` (by default): long values may be compressed ([`Config::compress_from`]), and are read.

mod breaker;
mod config;
mod conn;
mod counts;
mod envelope;
mod fault;
mod frame;
mod lease;
mod node;
mod rate;
mod room;
mod servers;
mod stream;
mod time;
#[cfg(feature = "tls")]
mod tls;
mod tracking;
mod valkey;

pub use config::{Address, Breaking, Config, ConfigError, Protocol, Servers};
pub use counts::ValkeyStats;
pub use envelope::{Flaw, open, seal};
pub use rate::{RateRefusal, RateTaken, SharedRate};
#[cfg(feature = "tls")]
pub use tls::Tls;
pub use valkey::Valkey;

/// The README's program, as a doc test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
