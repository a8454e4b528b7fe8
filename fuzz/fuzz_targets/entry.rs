//! The block of an entry: whatever its parts are, each is read back as it was written, and none reaches into another.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| larder::fuzzing::entry(input));
