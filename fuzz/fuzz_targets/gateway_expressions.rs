//! Any text as an expression or a condition: refused, or of the type that was checked.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../frontends/gateway/tests/it/inputs.rs"]
mod inputs;

fuzz_target!(|input: &[u8]| inputs::expression(input));
