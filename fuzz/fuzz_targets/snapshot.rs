//! A snapshot, damaged as the fuzzer likes: what comes back was there, and what doesn't is told.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/inputs/snapshot.rs"]
mod snapshot;

fuzz_target!(|input: &[u8]| snapshot::run(input));
