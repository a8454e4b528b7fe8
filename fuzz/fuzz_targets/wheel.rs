//! The timing wheel alone, near the end of time and elsewhere, against a map that is searched in full.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| larder::fuzzing::wheel(input));
