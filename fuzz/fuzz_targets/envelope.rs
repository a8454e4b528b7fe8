//! Records of the further level: any bytes are refused without a panic, and damage to a record that is whole is seen.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tiers/valkey/tests/it/inputs/envelope.rs"]
mod envelope;

fuzz_target!(|input: &[u8]| envelope::run(input));
