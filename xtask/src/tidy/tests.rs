//! Properties: each rule fires on a planted violation, at its line, and stays silent on the nearest lawful code.

use super::*;

#[track_caller]
fn check(path: &str, text: &str, expected: &[&str]) {
    let found = findings(&[Source::new(path, text.as_bytes())]);
    let shown: Vec<String> = found
        .iter()
        .map(|finding| format!("{}: {}", finding.line, finding.message))
        .collect();
    assert_eq!(shown.len(), expected.len(), "{shown:?}");
    for (shown, expected) in shown.iter().zip(expected) {
        assert!(shown.contains(expected), "{shown:?} lacks {expected:?}");
    }
}

#[test]
fn an_upward_import_is_found() {
    check("src/wheel.rs", "use crate::rings::Rings;\n", &[]);
    check(
        "src/wheel.rs",
        "\nuse crate::store::Store;\n",
        &["2: `wheel` (floor 2) imports from `store` (floor 4)"],
    );
    check(
        "src/wheel.rs",
        "use crate::policy;\n",
        &["`policy` (floor 2)"],
    );
    check(
        "src/wheel/level.rs",
        "use crate::wheel::Wheel;\nuse super::Slot;\n",
        &[],
    );
    check(
        "src/lib.rs",
        "pub use crate::cache::Cache;\nmod cache;\n",
        &[],
    );
}

#[test]
fn an_import_is_found_in_a_group_a_path_and_through_super() {
    check(
        "src/table.rs",
        "use crate::{\n    sync::Lock,\n    stripe::{A, B},\n};\n",
        &["3: `table`"],
    );
    check(
        "src/table.rs",
        "fn f() { crate::cache::g(); }\n",
        &["1: `table`"],
    );
    check(
        "src/table.rs",
        "use super::cache::Cache;\n",
        &["1: `table`"],
    );
    check(
        "src/table/word.rs",
        "use super::super::cache::Cache;\n",
        &["1: `table`"],
    );
    check("src/table/word.rs", "use super::cache_line::Line;\n", &[]);
    check(
        "src/hash.rs",
        "use crate::Cache;\n",
        &["`Cache` from the crate's root"],
    );
    check("src/entry.rs", "pub(in crate::store) fn f() {}\n", &[]);
}

#[test]
fn tests_may_import_from_anywhere() {
    check(
        "src/wheel.rs",
        "#[cfg(test)]\nmod tests { use crate::store::Store; }\n",
        &[],
    );
    check(
        "src/wheel.rs",
        "#[cfg(test)]\nuse crate::store::Store;\nuse crate::store::Other;\n",
        &["3: "],
    );
    let sources = [
        Source::new("src/wheel.rs", b"#[cfg(test)]\nmod tests;\n"),
        Source::new(
            "src/wheel/tests.rs",
            b"use crate::store::Store;\nuse std::sync::Barrier;\n",
        ),
        Source::new("src/wheel/level.rs", b"use crate::store::Store;\n"),
    ];
    let found = findings(&sources);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].path, "src/wheel/level.rs");
}

#[test]
fn a_module_outside_the_table_is_found() {
    check(
        "src/helpers.rs",
        "use crate::sync::Lock;\n",
        &["1: the module `helpers` is not in the table"],
    );
}

#[test]
fn the_doors_are_kept() {
    check(
        "src/sync.rs",
        "use std::sync::Arc;\nuse loom::sync::Mutex;\nfn f() { Instant::now(); }\n",
        &[],
    );
    check("src/sync/fence.rs", "use std::sync::atomic::fence;\n", &[]);
    check(
        "src/store.rs",
        "use std::sync::Arc;\n",
        &["1: `std::sync` outside `sync`"],
    );
    check(
        "src/store.rs",
        "use std::{fmt, sync::Arc};\n",
        &["`std::sync`"],
    );
    check(
        "src/store.rs",
        "use core::sync::atomic::AtomicU8;\n",
        &["`core::sync`"],
    );
    check("src/store.rs", "use loom::sync::Arc;\n", &["`loom`"]);
    check(
        "src/store.rs",
        "use parking_lot::Mutex;\n",
        &["`parking_lot`"],
    );
    check(
        "src/clock.rs",
        "fn f() {\n    std::time::Instant::now();\n}\n",
        &["2: `Instant::now`"],
    );
    check(
        "src/store.rs",
        "// std::sync is banned\nconst A: &str = \"std::sync::Arc\";\nuse crate::sync::Arc;\n",
        &[],
    );
}

#[test]
fn unsafe_is_kept_in_its_modules() {
    check("src/entry/layout.rs", "unsafe fn f() {}\n", &[]);
    check(
        "src/wheel.rs",
        "// no unsafe here\n#![deny(unsafe_code)]\n",
        &[],
    );
    check(
        "src/wheel.rs",
        "fn f() { unsafe { g() } }\n",
        &["1: unsafe has no place in `wheel`"],
    );
    check(
        "src/wheel.rs",
        "#[cfg(test)]\nmod tests { unsafe fn f() {} }\n",
        &["2: unsafe"],
    );
}

#[test]
fn a_long_file_is_found() {
    check("tests/it/map.rs", &"// a line\n".repeat(400), &[]);
    check(
        "tests/it/map.rs",
        &"// a line\n".repeat(401),
        &["401: 401 lines, above 400"],
    );
}

#[test]
fn a_mark_needs_its_issue() {
    let mark = MARK_FOR_TESTS;
    check("benches/main.rs", &format!("// {mark}(#12): later\n"), &[]);
    check(
        "benches/main.rs",
        &format!("// all done\n// {mark}: later\n"),
        &["2: "],
    );
    check(
        "benches/main.rs",
        &format!("// {mark}(#): later\n"),
        &["1: "],
    );
    check(
        "benches/main.rs",
        &format!("// {mark}(somebody): later\n"),
        &["1: "],
    );
    check("src/wheel.rs", "fn f() { todo() }\n", &[]);
}

#[test]
fn a_byte_beyond_ascii_is_found() {
    check(
        "examples/quickstart.rs",
        "// caf\u{e9}\n",
        &["1: the byte 0xC3 is not ASCII"],
    );
}

#[test]
fn the_repository_itself_is_walked() {
    let report = run(&crate::run::root()).unwrap();
    assert!(report.n_files > 5, "{} files", report.n_files);
}

/// In pieces, so that this file passes the rule that it tests.
const MARK_FOR_TESTS: &str = concat!("TO", "DO");
