//! Any parts: a key leads to its own entry and to no other, and the entry tells its parts.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/it/inputs/keys.rs"]
mod keys;

fuzz_target!(|input: &[u8]| keys::run(input));
