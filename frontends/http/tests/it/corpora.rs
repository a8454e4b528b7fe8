//! What the fuzzer has kept, run through as a regression test. The fuzzer takes all signatures for good ones; here they are checked.

use std::fs;
use std::path::Path;

#[path = "inputs/request.rs"]
mod request;

#[test]
fn f43_requests_that_were_kept() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/http_request");
    let mut n = 0;
    for file in fs::read_dir(corpus).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        // What a fuzzer found on this machine is named by its hash, and would take minutes.
        if name.len() < 40 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            request::run(&fs::read(file.path()).unwrap());
            n += 1;
        }
    }
    assert!(n >= 5, "the corpus has {n} inputs");
}
