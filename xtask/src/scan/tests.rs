//! Properties: C1; nothing of a comment or text is left; code, lifetimes and raw identifiers stay.

use super::*;

#[track_caller]
fn check(source: &str, expected: &str) {
    let code = code(source.as_bytes());
    assert_eq!(code.len(), source.len());
    let code = String::from_utf8(code).unwrap();
    assert_eq!(code.lines().count(), source.lines().count());
    let shown: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(shown.join(" "), expected);
}

#[test]
fn comments_go() {
    check("a // unsafe\nb", "a b");
    check("a /* x /* y */ z */ b", "a b");
    check("/// docs\nfn f() {}\n//! more", "fn f() {}");
    check("a /* never closed", "a");
}

#[test]
fn texts_go() {
    check(r#"f("unsafe \" // no comment") + 1"#, "f( ) + 1");
    check(
        r##"f(r#"a "quoted" one"#, b"x", br"\", c"z")"##,
        "f( , , , )",
    );
    check("x = \"two\nlines\"; y", "x = ; y");
    check("\"never closed", "");
}

#[test]
fn characters_go_and_lifetimes_stay() {
    check(
        r"match c { '\'' | '\\' | '{' | '\u{1F600}' => 'x' }",
        "match c { | | | => }",
    );
    check(
        "fn f<'a>(x: &'a str, y: &'static str)",
        "fn f<'a>(x: &'a str, y: &'static str)",
    );
    check("let r#type = b'{';", "let r#type = b ;");
}

#[test]
fn test_items_go_and_their_files_are_named() {
    let source = "use a;\n#[cfg(test)]\nuse b;\n#[cfg(test)]\nmod tests { fn x() {} }\n#[cfg(any(test, fuzzing))]\n\
                  #[path = \"m.rs\"]\nmod model;\n#[cfg(not(test))]\nuse c;\n#[cfg(engine_loom)]\nuse d;";
    let (rest, modules) = without_tests(&code(source.as_bytes()));
    let rest = String::from_utf8(rest).unwrap();
    let shown: Vec<&str> = words(rest.as_bytes()).map(|(_, word)| word).collect();
    assert_eq!(
        shown,
        [
            "use",
            "a",
            "cfg",
            "not",
            "test",
            "use",
            "c",
            "cfg",
            "engine_loom",
            "use",
            "d"
        ]
    );
    assert_eq!(modules, ["model"]);
    assert_eq!(rest.len(), source.len());
}

#[test]
fn no_input_makes_it_panic() {
    // Every short text over the bytes that mean something to the scanner.
    let alphabet = br#"'"\/*#rb{}[x"#;
    for code_point in 0..alphabet.len().pow(5) {
        let mut rest = code_point;
        let text: Vec<u8> = (0..5)
            .map(|_| {
                let byte = alphabet[rest % alphabet.len()];
                rest /= alphabet.len();
                byte
            })
            .collect();
        let out = code(&text);
        assert_eq!(out.len(), text.len());
        without_tests(&out);
    }
}
