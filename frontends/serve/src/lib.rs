//! What Larder's servers have in common: connections with limits and deadlines, draining, logs, metrics, signals.
//!
//! # Idea
//! A server is a router and a [`Listen`]; [`serve`] accepts, bounds and times connections until it is told to stop, and then
//! drains them. What a router does is not known here.
//!
//! ```text
//! accept (a slot each) -> TLS? -> paced stream: idle, header and write deadlines -> HTTP/1 -> router
//! router -> body::collect: size and deadline of a request's body
//! ```
//!
//! HTTP/2 is not offered, so none of its floods is possible.
//!
//! # Costs        a connection: its task, a timer and hyper's buffers; while it is idle, no buffer is held
//! # Invariants   SV1 there are never more connections than slots; SV2 each wait for a client ends by a deadline
//! # Not here     routes, tokens, configuration files

pub mod body;
mod listen;
mod logs;
mod metrics;
mod paced;
mod signals;
mod tls;

pub use self::listen::{Drained, Listen, serve};
pub use self::logs::{LogFormat, start_logs};
pub use self::metrics::scrape;
pub use self::paced::Deadlines;
pub use self::signals::{hang_ups, terminated};
pub use self::tls::{TlsError, tls_from_pem};
