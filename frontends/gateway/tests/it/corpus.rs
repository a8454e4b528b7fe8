//! The corpus of documents, good and bad, each with what is expected to be found.

use std::fs;
use std::path::Path;

use larder_gateway::finding::Finding;

use crate::world::Around;

#[path = "../../../../tests/it/inputs/kept.rs"]
mod kept;

/// The findings of a document of the corpus, and whether it loads.
fn findings(name: &str, text: &str) -> (Vec<Finding>, bool) {
    match name.starts_with("azure") {
        true => match larder_gateway::azure::read::read(text, &Around) {
            Ok(document) => (document.warnings, true),
            Err(findings) => (findings, false),
        },
        false => match larder_gateway::apigee::read::read(text) {
            Ok((_, warnings)) => (warnings, true),
            Err(findings) => (findings, false),
        },
    }
}

#[test]
fn every_document_has_the_findings_that_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut n_documents = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let expected = text.lines().next().unwrap_or_default();
        let expected = expected
            .strip_prefix("<!-- expect: ")
            .and_then(|line| line.strip_suffix(" -->"));
        let (findings, loads) = findings(&name, &text);
        assert_eq!(loads, !name.contains("-bad-"), "{name}: {findings:?}");
        let found = |expected: &str| {
            findings
                .iter()
                .any(|finding| finding.to_string().contains(expected))
        };
        match expected {
            Some(expected) => assert!(found(expected), "{name}: {findings:?}"),
            None => assert!(findings.is_empty(), "{name}: {findings:?}"),
        }
        n_documents += 1;
    }
    assert!(n_documents >= 40, "{n_documents}");
}

/// Seeds for expressions, which documents hold within attributes.
const EXPRESSIONS: [&str; 4] = [
    r#"new Uri(new Uri("https://h/UserProfile/"),(string)context.Variables["a"]).AbsoluteUri"#,
    r#"context.Request.Headers.GetValueOrDefault("Authorization","").Split(' ')[1].AsJwt()?.Subject"#,
    r#"$"a{((IResponse)context.Variables["r"]).Body.As<JObject>()["a"]}b" + (true ? "x" : null)"#,
    r#"lookupcache.L.cachehit is false and (a = "1" or not b)"#,
];

#[test]
fn damaged_documents_and_expressions_are_refused_or_run_and_never_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = fs::read_dir(folder).unwrap();
    let mut seeds: Vec<Vec<u8>> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    seeds.sort();
    seeds.extend(EXPRESSIONS.map(|text| text.as_bytes().to_vec()));
    // A generator of its own, so that the test repeats itself.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).unwrap_or(0)
    };
    const BYTES: &[u8] = b"<>&\"'@(){}[]?.$=!-#; \n\\\xC3\xA9x1";
    for seed in &seeds {
        for _ in 0..40 {
            let mut input = seed.clone();
            for _ in 0..=draw(4) {
                let at = draw(input.len());
                match draw(4) {
                    0 => input.insert(at, BYTES[draw(BYTES.len())]),
                    1 if !input.is_empty() => drop(input.remove(at)),
                    2 => input.truncate(at),
                    _ => {
                        let other = &seeds[draw(seeds.len())];
                        let from = draw(other.len());
                        let to = (from + draw(40)).min(other.len());
                        input.splice(at..at, other[from..to].iter().copied());
                    }
                }
            }
            crate::inputs::document(&input);
            crate::inputs::expression(&input);
        }
    }
}

#[test]
fn what_the_grammar_spells_can_mostly_be_read() {
    let inputs = (0..u8::MAX).map(|first| {
        let letters = (0..40_u8).map(move |at| at.wrapping_mul(first | 1) ^ first);
        [first].into_iter().chain(letters).collect::<Vec<u8>>()
    });
    let n_read = inputs
        .filter(|input| crate::inputs::evaluation(input))
        .count();
    assert!(n_read > 200, "{n_read}");
}

#[test]
fn what_the_fuzzer_has_kept_is_refused_or_run_and_never_panics() {
    kept::each("gateway_documents", crate::inputs::document);
    kept::each("gateway_expressions", crate::inputs::expression);
    kept::each("gateway_evaluation", |input| {
        crate::inputs::evaluation(input);
    });
}
