//! The engine through its public API: one binary, a file per feature.
#![cfg(not(engine_loom))]
#![allow(
    clippy::unwrap_used,
    reason = "all of this is test code, its helpers included"
)]
#![allow(
    clippy::disallowed_types,
    reason = "tests see the public API alone, and so have std's locks"
)]

mod atomic;
mod basics;
mod budget;
mod curve;
mod faults_accounts;
mod faults_callbacks;
mod faults_clock;
mod faults_ends;
mod faults_keys;
mod faults_memory;
mod faults_panics;
mod faults_readers;
mod faults_time;
mod level;
mod limiter;
mod loads;
mod scopes;
mod stats;
mod tenants;
mod terms;
mod tools;
mod traits;
mod vocabulary;
