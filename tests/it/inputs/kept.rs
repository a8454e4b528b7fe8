//! What the fuzzer has kept, for the tests of each package that a target is of.

use std::fs;
use std::path::Path;

/// Runs every input of a target that has a name; none where the repository isn't around the package. What a fuzzer found on this machine is
/// named by its hash, and would take minutes.
pub(crate) fn each(target: &str, run: fn(&[u8])) {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut corpora = above.map(|folder| folder.join("fuzz/corpus"));
    let Some(corpora) = corpora.find(|corpora| corpora.is_dir()) else {
        return;
    };
    let mut n = 0;
    for file in fs::read_dir(corpora.join(target)).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if name.len() < 40 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            run(&fs::read(file.path()).unwrap());
            n += 1;
        }
    }
    assert!(n >= 5, "the corpus of {target} has {n} inputs");
}
