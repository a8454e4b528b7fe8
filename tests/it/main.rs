//! The engine through its public API: one binary, a file per feature.
#![cfg(not(engine_loom))]

mod basics;
