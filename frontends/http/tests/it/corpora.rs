//! What the fuzzer has kept, run through as a regression test. The fuzzer takes all signatures for good ones; here they are checked.

#[path = "../../../../tests/it/inputs/kept.rs"]
mod kept;
#[path = "inputs/request.rs"]
mod request;

#[test]
fn f43_requests_that_were_kept() {
    kept::each("http_request", request::run);
}
