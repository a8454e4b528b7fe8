//! Any text as a policy document of each kind: refused at a place of the text, or read and run.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../frontends/gateway/tests/it/inputs.rs"]
mod inputs;

fuzz_target!(|input: &[u8]| inputs::document(input));
