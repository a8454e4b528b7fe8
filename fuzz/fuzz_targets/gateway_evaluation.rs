//! Expressions that are spelled by a grammar: a value or an error, the same twice, and references that stay below their base.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../frontends/gateway/tests/it/inputs.rs"]
mod inputs;

fuzz_target!(|input: &[u8]| {
    inputs::evaluation(input);
});
