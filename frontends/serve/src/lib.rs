//! What Larder's servers have in common: connections with limits and deadlines, draining, tokens, logs, metrics, signals.
//!
//! # Idea
//! A server is a [`Handler`], such as a router; [`serve`] accepts, bounds and times its connections until it is told to stop, and then drains them, and
//! [`Run`] does that for a program, from its start to its end. What a handler does is not known here.
//!
//! ```text
//! accept (a slot each) -> TLS? -> paced stream: idle, header and write deadlines, refusals before a request -> HTTP/1 -> handler
//! handler -> body::collect: size and deadline of a request's body
//! ```
//!
//! HTTP/2 is not offered, so none of its floods is possible.
//!
//! # Costs        a connection: its task, a timer and hyper's buffers; while it is idle, no buffer is held
//! # Invariants   SV1 there are never more connections than slots; SV2 each wait for a client ends by a deadline
//! # Not here     routes, configuration files

pub mod auth;
mod base64;
pub mod body;
mod counts;
mod framing;
mod health;
mod level;
#[cfg(feature = "program")]
mod listen;
#[cfg(feature = "program")]
mod logs;
mod metrics;
mod paced;
mod phase;
mod pool;
#[cfg(feature = "program")]
mod read;
mod refusal;
mod rest;
#[cfg(feature = "program")]
mod run;
mod settings;
mod speak;
#[cfg(feature = "program")]
mod tls;
mod trail;
mod warm;
pub mod words;

pub use self::base64::{from_base64, to_base64};
pub use self::counts::Counts;
pub use self::health::Health;
pub use self::level::{
    Level, LevelBreaker, LevelKind, LevelSettingsError, LevelTls, Mode, OnError, Spent, Taken, Tier,
};
#[cfg(feature = "program")]
pub use self::listen::{Drained, serve};
#[cfg(feature = "program")]
pub use self::logs::say;
pub use self::metrics::scrape;
pub use self::pool::{Pool, PoolError};
#[cfg(feature = "program")]
pub use self::read::read_settings;
#[cfg(feature = "program")]
pub use self::run::{Run, SetupError};
pub use self::settings::{Connections, Log, Tls};
pub use self::speak::{Handler, Peer, speak};
#[cfg(feature = "program")]
pub use self::tls::TlsError;
pub use self::trail::{End, REQUEST_ID, Trail};
pub use self::warm::{Warm, WarmError, Warmed};
