//! The specification of the frontend, number by number, over a real socket and with a clock that is moved by hand.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod auth;
mod commands;
mod control;
mod corpora;
mod cors;
mod data;
mod errors;
mod faults;
mod figures;
mod items;
mod keys;
mod levels;
mod limits;
mod metrics;
mod openapi;
mod permissions;
mod program;
mod properties;
#[path = "../../../../tiers/valkey/tests/it/server.rs"]
#[allow(
    dead_code,
    unused_macros,
    unused_imports,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the level's own tests use more of it, and std"
)]
mod redis_server;
mod rests;
mod routing;
mod support;
mod tier;
mod times;
mod tls;
mod tokens;
mod vectors;
mod warm;
