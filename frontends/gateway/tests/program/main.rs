//! The program, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(
    clippy::disallowed_methods,
    reason = "what a client waits for is told by the system's clock"
)]

mod apigee_numbers;
mod azure_numbers;
mod bundles;
mod commands;
mod edges;
mod level;
mod limits;
mod logs;
mod proxy;
#[path = "../../../../tiers/valkey/tests/it/server.rs"]
#[allow(
    dead_code,
    unused_macros,
    unused_imports,
    clippy::disallowed_types,
    reason = "the level's own tests use more of it, and std"
)]
mod redis_server;
mod reload;
mod scenarios;
mod serving;
mod settings;
mod support;
mod timeouts;
mod tls;
mod together;
