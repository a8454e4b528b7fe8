//! The program, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(
    clippy::disallowed_methods,
    reason = "what a client waits for is told by the system's clock"
)]

mod bundles;
mod commands;
mod edges;
mod limits;
mod proxy;
mod reload;
mod scenarios;
mod serving;
mod support;
mod timeouts;
mod tls;
