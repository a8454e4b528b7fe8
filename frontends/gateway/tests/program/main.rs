//! The program, over real sockets.

// Clippy doesn't see that functions beside the tests are tests' as well. Each example brings the stage along.
#![allow(clippy::unwrap_used, clippy::duplicate_mod, clippy::disallowed_methods)]

mod bundles;
mod commands;
mod edges;
mod limits;
mod proxy;
mod scenarios;
mod serving;
mod support;
mod tls;
