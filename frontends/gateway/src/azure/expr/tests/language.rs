//! Operators, literals, casts, and what isn't in the language.

use super::*;

#[test]
fn z_033_subscription_address_status_and_operators() {
    let mut fixture = fixture();
    fixture.check("context.Subscription.Key", "K1");
    fixture.check("context.Request.IpAddress", "203.0.113.7");
    fixture.check("context.Response.StatusCode == 200", true);
    fixture.check("context.Response.StatusCode >= 201", false);
    fixture.check(
        "context.Response.StatusCode < 200 || context.Response.StatusCode != 201 && true",
        true,
    );
    // Each comparison below, at and above its limit.
    for (operator, holds) in [
        ("<", [true, false, false]),
        ("<=", [true, true, false]),
        (">", [false, false, true]),
        (">=", [false, true, true]),
        ("==", [false, true, false]),
        ("!=", [true, false, true]),
    ] {
        for (limit, holds) in [201, 200, 199].into_iter().zip(holds) {
            let text = format!("context.Response.StatusCode {operator} {limit}");
            fixture.check(&text, holds);
        }
    }
    // The right side isn't evaluated where the left one decides.
    fixture.check(r#"true || context.Variables["missing"] == null"#, true);
    fixture.check(r#"false && context.Variables["missing"] == null"#, false);
    fixture.response = None;
    fixture.check_error("context.Response.StatusCode == 200", "of null");
    assert!(
        compile("context.Response.StatusCode == 200")
            .unwrap()
            .uses_response()
    );
    assert!(!compile("context.Subscription.Key").unwrap().uses_response());
}

#[test]
fn z_034_literals_casts_and_defaults() {
    let fixture = fixture();
    fixture.check(r#""a\"b\\c\n\u0041""#, "a\"b\\c\nA");
    fixture.check("42", 42);
    fixture.check("-1", -1);
    fixture.check("true", true);
    fixture.check("null", Value::Null);
    fixture.check(r#"(string)context.Variables["enduserid"]"#, "u42");
    fixture.check(r#"(string)context.Variables["nothing"]"#, Value::Null);
    fixture.check(r#"(int)context.Variables["number"]"#, 42);
    fixture.check(r#"(bool)context.Variables["yes"]"#, true);
    fixture.check_error(r#"(string)context.Variables["number"]"#, "is not a string");
    fixture.check_error(r#"(int)context.Variables["yes"]"#, "is not an int");
    fixture.check_error(r#"(bool)context.Variables["digits"]"#, "is not a bool");
    fixture.check(r#"context.Variables.GetValueOrDefault<bool>("n")"#, false);
    fixture.check(r#"context.Variables.GetValueOrDefault<bool>("yes")"#, true);
    fixture.check(r#"context.Variables.GetValueOrDefault<int>("n")"#, 0);
    fixture.check(
        r#"context.Variables.GetValueOrDefault<string>("n")"#,
        Value::Null,
    );
    fixture.check(
        r#"context.Variables.GetValueOrDefault<string>("n", "d")"#,
        "d",
    );
}

#[test]
fn z_035_anything_else_does_not_load() {
    check_refused("System.IO", 1, "`System` is not known");
    check_refused("context.Deployment", 8, "no member `Deployment`");
    check_refused("context.Request.Body", 16, "no member `Body`");
    check_refused("1 + 2", 1, "`+` is not for");
    check_refused("\"a\" * 2", 5, "`*` is not expected");
    check_refused("\"a\".Substring(1)", 4, "no method `Substring`");
    check_refused("\"a\".ToLower(1)", 4, "no method `ToLower`");
    check_refused("context.Variables[1]", 18, "no index");
    check_refused("context.Variables[\"a\"] == \"b\"", 18, "`==` is not for");
    check_refused("(double)context.Variables[\"a\"]", 1, "a cast to `double`");
    check_refused("new List(1)", 1, "`new List`");
    check_refused("true ? 1 : \"a\"", 1, "one choice is");
    check_refused("(1", 3, "ends too early");
    check_refused("", 1, "ends too early");
    check_refused("1.5", 1, "not expected");
    check_refused("\"a", 3, "not closed");
    check_refused("99999999999999999999", 1, "too large");
    check_refused("context", 1, "a value is wanted");
    check_refused("x => x", 3, "not expected");
    check_refused("$\"{1\"", 5, "not expected");
}

#[test]
fn z_037_without_a_subscription_its_key_is_an_error() {
    let mut fixture = fixture();
    fixture.subscription = None;
    fixture.check_error("context.Subscription.Key", "of null");
    fixture.check("context.Subscription?.Key", Value::Null);
    fixture.check("context.Subscription == null", true);
}

#[test]
fn z_038_status_and_members_of_answers() {
    let mut fixture = fixture();
    let object = r#"((IResponse)context.Variables["r"]).Body.As<JObject>()"#;
    fixture.check(r#"((IResponse)context.Variables["r"]).StatusCode"#, 201);
    fixture.check(&format!("(string){object}[\"m\"]"), "x");
    fixture.check(&format!("(string){object}[\"n\"]"), "7");
    fixture.check(&format!("(int){object}[\"n\"]"), 7);
    fixture.check(&format!("(bool){object}[\"b\"]"), true);
    fixture.check(&format!("(bool){object}[\"s\"]"), true);
    fixture.check(&format!("(int){object}[\"o\"][\"i\"]"), 1);
    fixture.check(&format!("{object}[\"missing\"]"), Value::Null);
    fixture.check(&format!("(string){object}[\"z\"]"), Value::Null);
    fixture.check(&format!("{object}[\"missing\"] == null"), true);
    fixture.check(r#"(int)context.Variables["digits"]"#, 42);
    fixture.check_error(&format!("(string){object}[\"o\"]"), "is not a string");
    fixture.check_error(
        r#"((IResponse)context.Variables["t"]).Body.As<JObject>()["m"]"#,
        "no JSON",
    );
    fixture
        .variables
        .set("r", Value::Response(Arc::new(Response::text(200, "[1]"))));
    fixture.check_error(&format!("{object}[\"m\"]"), "no JSON object");
}

#[test]
fn z_039_url_method_product_case_interpolation_and_choice() {
    let fixture = fixture();
    fixture.check("context.Request.Url.Path", "/a/b");
    fixture.check(
        r#"context.Request.Url.Query.GetValueOrDefault("m","")"#,
        "x y",
    );
    fixture.check(
        r#"context.Request.Url.Query.GetValueOrDefault("q","d")"#,
        "d",
    );
    fixture.check("context.Request.Method", "POST");
    fixture.check("context.Product.Id", "gold");
    fixture.check(r#""ABc".ToLower()"#, "abc");
    fixture.check(
        r#"$"a-{context.Variables["number"]}-{{{"x"}}}""#,
        "a-42-{x}",
    );
    fixture.check(r#"$"""#, "");
    fixture.check(r#"context.Request.Method == "POST" ? "p" : "g""#, "p");
    fixture.check(r#"false ? "p" : true ? "q" : null"#, "q");
}

#[test]
fn depth_size_and_steps_are_bounded() {
    let deep = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    assert!(compile(&deep(20)).is_ok());
    check_refused(&deep(2_000), 33, "levels deep");
    let chain = |n: usize| format!("\"\"{}", "+\"a\"".repeat(n));
    assert!(compile(&chain(40)).is_ok());
    assert!(
        compile(&chain(500))
            .unwrap_err()
            .message
            .contains("levels deep")
    );
    assert!(
        compile(&chain(3_000))
            .unwrap_err()
            .message
            .contains("parts")
    );
    assert!(
        compile(&"!".repeat(5_000))
            .unwrap_err()
            .message
            .contains("levels deep")
    );

    let mut fixture = fixture();
    fixture
        .variables
        .set("long", Value::from("x".repeat(3 << 20)));
    let twice = r#"(string)context.Variables["long"] + (string)context.Variables["long"]"#;
    fixture.check_error(twice, "too long");
    let many = format!(
        "{}\"\"",
        r#"((string)context.Variables["long"]).ToLower() + "#.repeat(40)
    );
    fixture.check_error(&many, "too");
}

#[test]
fn errors_of_evaluation_have_their_place() {
    let error = fixture()
        .value(r#""a" + context.Variables["missing"]"#)
        .unwrap_err();
    assert_eq!(error.at.unwrap().column, 24);
}
