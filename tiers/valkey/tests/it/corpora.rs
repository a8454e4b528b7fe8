//! What the fuzzer has kept, run through as a regression test.

#[path = "inputs/envelope.rs"]
mod envelope;
#[path = "../../../../tests/it/inputs/kept.rs"]
mod kept;

#[test]
fn f50_records_that_were_kept() {
    kept::each("envelope", envelope::run);
}
