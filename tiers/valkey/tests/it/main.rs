//! The level through its public API, on real servers and on a faulty one: one binary, a file per matter.
#![allow(
    clippy::unwrap_used,
    reason = "all of this is test code, its helpers included"
)]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests see the public API alone, and so have std's locks and clock"
)]

mod apigee;
mod clusters;
mod corpora;
mod down;
mod faults;
mod faulty;
mod leases;
mod protocol;
mod rates;
mod records;
mod replaces;
mod server;
mod tracking;
mod typed;
mod world;
