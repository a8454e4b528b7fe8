//! The specification of the frontend, number by number, over a real socket and with a clock that is moved by hand.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod auth;
mod control;
mod data;
mod errors;
mod faults;
mod items;
mod keys;
mod levels;
mod limits;
mod metrics;
mod openapi;
mod permissions;
mod program;
mod properties;
mod routing;
mod support;
mod tls;
mod tokens;
mod vectors;
