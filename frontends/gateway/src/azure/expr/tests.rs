mod language;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::*;
use crate::http::{Method, Request, Response};
use crate::xml::Code;

/// The fixture of the specification.
struct Fixture {
    request: Request,
    response: Option<Arc<Response>>,
    variables: Variables,
    api: Api,
    subscription: Option<Subscription>,
    allow_path_climb: bool,
}

fn token(claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{}",
        part(r#"{"alg":"none"}"#),
        part(claims),
        part("s")
    )
}

fn fixture() -> Fixture {
    let bearer = format!("Bearer {}", token(r#"{"sub":"u42"}"#));
    let mut request =
        Request::new(Method::POST, "/a/b?n=1&m=x%20y").header("Authorization", &bearer);
    request.client = Some("203.0.113.7".parse().unwrap());
    let variables = [
        ("enduserid", Value::from("u42")),
        ("userprofile", "{...}".into()),
        ("nothing", Value::Null),
        ("number", 42.into()),
        ("digits", "42".into()),
        ("yes", true.into()),
        ("failed", Value::Null),
    ];
    let json = r#"{"m":"x","n":7,"b":true,"s":"true","z":null,"o":{"i":1}}"#;
    let mut variables: Variables = variables.into_iter().collect();
    variables.set("r", Value::Response(Arc::new(Response::text(201, json))));
    variables.set("t", Value::Response(Arc::new(Response::text(200, "plain"))));
    Fixture {
        request,
        response: Some(Arc::new(Response::text(200, ""))),
        variables,
        api: Api {
            id: "svc".into(),
            name: "Service".into(),
            service_url: Some(Url::parse("https://api.example/svc/").unwrap()),
        },
        subscription: Some(Subscription {
            key: "K1".into(),
            id: "s1".into(),
            product: Some("gold".into()),
        }),
        allow_path_climb: false,
    }
}

impl Fixture {
    fn facts(&self) -> Facts<'_> {
        Facts {
            request: &self.request,
            response: self.response.as_ref(),
            variables: &self.variables,
            api: &self.api,
            subscription: self.subscription.as_ref(),
            reject_null_in_key: true,
            allow_path_climb: self.allow_path_climb,
        }
    }

    fn value(&self, text: &str) -> Result<Value, EvalError> {
        compile(text).expect(text).evaluate(&self.facts())
    }

    fn check(&self, text: &str, expected: impl Into<Value>) {
        assert_eq!(self.value(text), Ok(expected.into()), "{text}");
    }

    fn check_error(&self, text: &str, expected: &str) {
        let error = self.value(text).expect_err(text);
        assert!(error.message.contains(expected), "{text}: {error}");
    }
}

fn compile(text: &str) -> Result<Expression, Finding> {
    Expression::compile(&Code::alone(text), Wanted::Value)
}

fn check_refused(text: &str, column: u32, expected: &str) {
    let finding = compile(text).expect_err(text);
    assert!(finding.message.contains(expected), "{text}: {finding}");
    assert_eq!(finding.at.column, column, "{text}: {finding}");
}

const SUBJECT: &str = r#"context.Request.Headers.GetValueOrDefault("Authorization","").Split(' ')[1].AsJwt()?.Subject"#;

#[test]
fn z_020_a_header_or_the_default() {
    let mut fixture = fixture();
    let text = r#"context.Request.Headers.GetValueOrDefault("authorization","")"#;
    let value = fixture.value(text).unwrap().to_text().unwrap();
    assert!(value.starts_with("Bearer "));
    fixture.request.headers.clear();
    fixture.check(text, "");
    let text = r#"context.Request.Headers.GetValueOrDefault("Authorization")"#;
    fixture.check(text, Value::Null);
}

#[test]
fn z_021_the_subject_of_the_token() {
    fixture().check(SUBJECT, "u42");
}

#[test]
fn z_022_a_header_without_a_second_word_is_an_error() {
    let mut fixture = fixture();
    fixture.request.headers.clear();
    fixture.check_error(SUBJECT, "out of range");
    fixture.request = Request::get("/").header("Authorization", "word");
    fixture.check_error(SUBJECT, "out of range");
}

#[test]
fn z_023_what_is_no_token_or_has_no_subject_is_null() {
    let mut fixture = fixture();
    for second in [
        "word",
        "a.b.c",
        "e30.e30.",
        &token("{}"),
        &token("[]"),
        &token(r#"{"sub":1}"#),
    ] {
        let header = format!("Bearer {second}");
        fixture.request = Request::get("/").header("Authorization", &header);
        fixture.check(SUBJECT, Value::Null);
    }
    let without = SUBJECT.replace("?.", ".");
    fixture.request = Request::get("/").header("Authorization", "Bearer word");
    fixture.check_error(&without, "of null");
}

#[test]
fn z_024_the_signature_is_not_looked_at() {
    let mut fixture = fixture();
    let forged = token(r#"{"sub":"admin"}"#).replace(&URL_SAFE_NO_PAD.encode("s"), "AAAA");
    fixture.request = Request::get("/").header("Authorization", &format!("Bearer {forged}"));
    fixture.check(SUBJECT, "admin");
}

#[test]
fn z_025_null_joins_as_empty() {
    let fixture = fixture();
    fixture.check(
        r#""userprofile-" + context.Variables["enduserid"]"#,
        "userprofile-u42",
    );
    fixture.check(
        r#""userprofile-" + context.Variables["nothing"]"#,
        "userprofile-",
    );
    fixture.check(
        r#"context.Variables["number"] + "-" + context.Variables["yes"] + 1 + true"#,
        "42-True1True",
    );
}

#[test]
fn z_026_a_key_with_a_null_part_is_an_error() {
    let fixture = fixture();
    for text in [
        r#""userprofile-" + context.Variables["nothing"]"#,
        r#"context.Variables["nothing"] + "-x""#,
        r#"$"userprofile-{context.Variables["nothing"]}""#,
        r#""a" + ("b" + (string)context.Variables["nothing"])"#,
        r#""a" + ((IResponse)context.Variables["r"]).Body.As<JObject>()["z"]"#,
    ] {
        let expression = compile(text).unwrap();
        let error = expression.key_text(&fixture.facts()).expect_err(text);
        assert!(error.message.contains("null"), "{error}");
        let mut facts = fixture.facts();
        facts.reject_null_in_key = false;
        assert!(expression.key_text(&facts).is_ok());
    }
}

#[test]
fn z_027_whether_a_variable_is_there() {
    let fixture = fixture();
    fixture.check(r#"!context.Variables.ContainsKey("userprofile")"#, false);
    fixture.check(r#"!context.Variables.ContainsKey("missing")"#, true);
    fixture.check(r#"context.Variables.ContainsKey("nothing")"#, true);
}

#[test]
fn z_028_a_variable_that_is_not_there_is_an_error() {
    fixture().check_error(r#"context.Variables["missing"]"#, "no variable \"missing\"");
}

#[test]
fn z_029_references_are_resolved() {
    let mut fixture = fixture();
    let text = r#"new Uri(new Uri("https://h/UserProfile/"),(string)context.Variables["enduserid"]).AbsoluteUri"#;
    fixture.check(text, "https://h/UserProfile/u42");
    fixture.variables.set("enduserid", Value::from("a b"));
    fixture.check(text, "https://h/UserProfile/a%20b");
}

#[test]
fn z_030_a_reference_leaves_neither_the_authority_nor_the_path() {
    let mut fixture = fixture();
    let text = r#"new Uri(new Uri("https://h/UserProfile/"),(string)context.Variables["enduserid"]).AbsoluteUri"#;
    let hosts = [
        "//evil.example/x",
        "https://evil.example/",
        "\\\\evil.example\\x",
        "/\\evil.example",
        "http://h/UserProfile/x",
        "https://h:444/UserProfile/x",
        "https://h@evil.example/",
        "https://u:p@h/UserProfile/",
        "javascript:alert(1)",
        "\thttps://evil.example/",
        "ht\ntps://evil.example/",
    ];
    for reference in hosts {
        fixture.variables.set("enduserid", Value::from(reference));
        fixture.value(text).expect_err(reference);
    }
    for reference in [
        "../admin",
        "/admin",
        "x/../../admin",
        "%2e%2e/admin",
        "..\\admin",
    ] {
        fixture.variables.set("enduserid", Value::from(reference));
        fixture.check_error(text, "leaves the path");
    }
    fixture.allow_path_climb = true;
    fixture.variables.set("enduserid", Value::from("../admin"));
    fixture.check(text, "https://h/admin");
    fixture
        .variables
        .set("enduserid", Value::from("//evil.example/x"));
    fixture.check_error(text, "another host");
}

#[test]
fn z_031_the_service_url() {
    let mut fixture = fixture();
    let text = r#"context.Api.ServiceUrl.ToString() + "api/ClientConfig/""#;
    fixture.check(text, "https://api.example/svc/api/ClientConfig/");
    fixture.api.service_url = None;
    fixture.check_error(text, "of null");
}

#[test]
fn z_032_the_body_of_a_response_and_of_none() {
    let fixture = fixture();
    fixture.check(
        r#"((IResponse)context.Variables["t"]).Body.As<string>()"#,
        "plain",
    );
    fixture.check_error(
        r#"((IResponse)context.Variables["failed"]).Body.As<string>()"#,
        "of null",
    );
    fixture.check_error(
        r#"((IResponse)context.Variables["enduserid"]).Body.As<string>()"#,
        "IResponse",
    );
}

#[test]
fn z_026_a_variable_that_was_made_of_a_null_is_no_key() {
    // Each sets `k`; then a key is made of it.
    let made_of_null = [
        r#""userprofile-" + context.Variables["nothing"]"#,
        r#"$"userprofile-{context.Variables["nothing"]}""#,
        r#""a" + context.Request.Headers.GetValueOrDefault("X-Absent")"#,
        r#""a" + context.Request.Url.Query.GetValueOrDefault("absent")"#,
        r#""a" + context.Variables.GetValueOrDefault<string>("absent")"#,
        r#"true ? "a" + context.Variables["nothing"] : "b""#,
        r#"("A" + context.Variables["nothing"]).ToLower()"#,
        r#"("a " + context.Variables["nothing"]).Split(' ')[0]"#,
        r#"new Uri(new Uri("https://h/u/"), "" + context.Variables["nothing"]).AbsoluteUri"#,
        r#"(string)null"#,
        r#"((IResponse)context.Variables["r"]).Body.As<JObject>()["z"]"#,
    ];
    let keys = [
        r#"context.Variables["k"]"#,
        r#"(string)context.Variables["k"]"#,
        r#""p-" + context.Variables["k"]"#,
        r#"$"p-{context.Variables["k"]}""#,
        r#"context.Variables.GetValueOrDefault<string>("k", "x")"#,
        r#"(true ? (string)context.Variables["k"] : "x")"#,
    ];
    for text in made_of_null {
        let mut fixture = fixture();
        let made = compile(text).unwrap().make(&fixture.facts()).unwrap();
        fixture.variables.set("k", made);
        // Through a second variable, too.
        let again = compile(r#"context.Variables["k"]"#).unwrap();
        let again = again.make(&fixture.facts()).unwrap();
        fixture.variables.set("k2", again);
        for key in keys {
            for key in [key.to_owned(), key.replace("\"k\"", "\"k2\"")] {
                let expression = compile(&key).unwrap();
                let error = expression.key_text(&fixture.facts());
                let error = error.expect_err(&format!("{text}, {key}"));
                assert!(error.message.contains("null"), "{error}");
                let mut facts = fixture.facts();
                facts.reject_null_in_key = false;
                assert!(expression.key_text(&facts).is_ok());
            }
        }
        // What only decides is no part of a key.
        let decided = r#"(string)context.Variables["k"] == "x" || !(context.Variables["k"] == null) ? "known" : "unknown""#;
        assert!(compile(decided).unwrap().key_text(&fixture.facts()).is_ok());
    }
    let whole = compile(r#""userprofile-" + context.Variables["enduserid"]"#).unwrap();
    let mut fixture = fixture();
    let made = whole.make(&fixture.facts()).unwrap();
    fixture.variables.set("k", made);
    let key = compile(keys[0]).unwrap().key_text(&fixture.facts());
    assert_eq!(key.as_deref(), Ok("userprofile-u42"));
}
