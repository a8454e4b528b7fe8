//! Conditions over a few variables, in each way that they may be written.

use super::*;

fn get(name: &str) -> Option<Var> {
    Some(match name {
        "lookupcache.LC.Get-X.cachehit" => false.into(),
        "t" => "text".into(),
        "n" => 42.into(),
        "digits" => "42".into(),
        "path" => "/a/b/c".into(),
        "fault.name" => "EntryCannotBeCached".into(),
        _ => return None,
    })
}

fn check(text: &str, expected: bool) {
    let condition = Condition::new(text).unwrap_or_else(|at| panic!("{text}: at {at}"));
    assert_eq!(condition.holds(&get), expected, "{text}");
}

#[test]
fn a_064_names_with_dots_and_dashes_are_compared_in_each_way() {
    for text in [
        "is false",
        "== false",
        "= \"false\"",
        "equals false",
        "!= true",
        "is not true",
        "isnot true",
    ] {
        check(&format!("lookupcache.LC.Get-X.cachehit {text}"), true);
    }
    check("lookupcache.LC.Get-X.cachehit", false);
    check("not lookupcache.LC.Get-X.cachehit", true);
    check("!(lookupcache.LC.Get-X.cachehit = true)", true);
}

#[test]
fn a_016_faults_are_compared_by_name() {
    check("fault.name = \"EntryCannotBeCached\"", true);
    check(
        "(fault.name == \"CacheNotFound\") or (fault.name = \"EntryCannotBeCached\")",
        true,
    );
}

#[test]
fn operators_bind_as_written() {
    check("t = \"x\" or t = \"text\" and n > 41", true);
    check("t = \"text\" && n >= 43 || false", false);
    check("missing = null and t != null", true);
    check("missing > 1", false);
    check(
        "n >= 42 and n <= 42 and not (n > 42) and not (n < 42)",
        true,
    );
    check("n >= 43 or n <= 41 or n > 42 or n < 42 or n != 42", false);
    check("n = digits and n < 100 and -1 < n", true);
    check(
        "t ~ \"te*\" and t matches \"*x*\" and not (t ~ \"e*\")",
        true,
    );
    check(
        "path MatchesPath \"/a/*/c\" and path ~/ \"/a/**\" and not (path ~/ \"/a/*\")",
        true,
    );
    check("order.by = null and isnotaword = null", true);
}

#[test]
fn a_014_a_064_each_operator_of_the_vendors_has_a_sign_and_words() {
    for (left, operators, holds, fails) in [
        (
            "t",
            &["=", "==", "Is", "Equals"][..],
            "\"text\"",
            "\"TEXT\"",
        ),
        ("t", &["!=", "IsNot", "NotEquals"], "\"TEXT\"", "\"text\""),
        ("t", &[":=", "EqualsCaseInsensitive"], "\"tEXT\"", "\"tex\""),
        ("n", &[">", "GreaterThan"], "41", "42"),
        ("n", &["<", "LesserThan"], "43", "42"),
        ("n", &[">=", "GreaterThanOrEquals"], "42", "43"),
        ("n", &["<=", "LesserThanOrEquals"], "42", "41"),
        ("t", &["~", "Matches", "Like"], "\"t*t\"", "\"t*x\""),
        (
            "path",
            &["~/", "MatchesPath", "LikePath"],
            "\"/a/**\"",
            "\"/a/*\"",
        ),
        ("t", &["=|", "StartsWith"], "\"te\"", "\"ex\""),
    ] {
        for operator in operators {
            check(&format!("{left} {operator} {holds}"), true);
            check(&format!("{left} {operator} {fails}"), false);
        }
    }
    check("missing := null and not (missing := \"x\")", true);
    check("missing =| \"\" or t =| null", false);
    check("likely = null and startswith = null", true);
    for refused in ["t ~~ \"te.*\"", "t JavaRegex \"te.*\""] {
        assert_eq!(Condition::new(refused).map_err(|at| at > 1), Err(true));
    }
}

#[test]
fn what_is_no_condition_is_refused_at_its_place() {
    for text in [
        "", "a =", "a = (", "(a", "a b", "a = \"x", "a = = b", "and a",
    ] {
        assert!(Condition::new(text).is_err(), "{text}");
    }
    assert!(Condition::new(&format!("{}a", "not ".repeat(31))).is_ok());
    assert!(Condition::new(&format!("{}a", "not ".repeat(40))).is_err());
    assert!(Condition::new(&"(".repeat(10_000)).is_err());
}
