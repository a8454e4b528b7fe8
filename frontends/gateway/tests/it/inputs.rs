//! Any bytes as documents and expressions: what is read, run or refused, and what holds of it in each case.
//!
//! - Nothing panics, and what is refused is refused at a place of the text.
//! - An answer has no header that frames it or is of a connection (P1).
//! - A value is of the type that was checked, and a part of the context is no value.
//! - What is evaluated twice is the same twice; a key is what the expression is, or refused.
//! - A reference stays below its base (Z-30).

use std::sync::Arc;

use larder::Cache;
use larder_gateway::apigee::condition::Condition;
use larder_gateway::azure::expr::{Api, Expression, Facts, Subscription, Value, Variables, Wanted};
use larder_gateway::azure::read::{Document, read};
use larder_gateway::azure::{ApiSettings, Gateway, Settings};
use larder_gateway::engine::{Engine, Time};
use larder_gateway::finding::Finding;
use larder_gateway::http::{Call, Request, Response};
use larder_gateway::trace::Trace;
use larder_gateway::upstream::{Boxed, Reach, SendError, Upstream};
use larder_gateway::xml::Code;

/// Reads a document of each kind, and runs one that can be.
pub(crate) fn document(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match read(&text, &()) {
        Ok(document) => {
            are_in(&text, &document.warnings);
            answer(document);
        }
        Err(findings) => are_in(&text, &findings),
    }
    match larder_gateway::apigee::read::read(&text) {
        Ok((_, warnings)) => are_in(&text, &warnings),
        Err(findings) => are_in(&text, &findings),
    }
}

fn are_in(text: &str, findings: &[Finding]) {
    let n_lines = text.split('\n').count();
    for finding in findings {
        let line = usize::try_from(finding.at.line).unwrap_or(usize::MAX);
        assert!((1..=n_lines).contains(&line), "{finding}");
    }
}

/// Answers with what no answer of a gateway may have.
struct Framed;

impl Upstream for Framed {
    fn send(&self, _: Call) -> Boxed<'_, Result<Response, SendError>> {
        let response = Response::text(200, r#"{"a":"b"}"#)
            .header("Transfer-Encoding", "chunked")
            .header("Content-Length", "3")
            .header("Connection", "X-Mine")
            .header("X-Mine", "1");
        Box::pin(std::future::ready(Ok(response)))
    }
}

/// Headers that no answer has.
const FRAMING: [&str; 4] = [
    "connection",
    "content-length",
    "keep-alive",
    "transfer-encoding",
];

fn answer(document: Document) {
    let time = Time::system();
    let cache = Cache::builder().max_bytes(1 << 20).clock(time.clone());
    let engine = Engine::new(cache.build().expect("a cache can be built"), time);
    let url = "http://h.example/base/".parse().ok();
    let settings = Settings {
        subscription_required: false,
        ..Settings::default()
    };
    let apis = vec![ApiSettings::new("api", url, document)];
    let gateway = Gateway::new(engine, Reach::new(Framed, ["h.example"]), settings, apis);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().expect("a runtime starts");
    for trace in [Trace::on(), Trace::off()] {
        let request = Request::get("/p?q=1").header("Authorization", "Bearer e30.e30.x");
        let handled = runtime.block_on(gateway.handle(request, trace));
        for name in FRAMING {
            assert_eq!(handled.response.headers.get(name), None);
        }
    }
}

/// Reads an expression and a condition, and evaluates what can be read.
pub(crate) fn expression(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(condition) = Condition::new(&text) {
        condition.holds(&|name| (name.len() % 2 == 0).then(|| name.into()));
    }
    evaluate(&text, "//x/../y z");
}

/// Evaluates an expression that is spelled by the input, over a variable that is in it; whether it could be read.
pub(crate) fn evaluation(input: &[u8]) -> bool {
    let (count, rest) = input.split_first().unwrap_or((&0, &[]));
    let (letters, text) = rest.split_at(usize::from(*count / 2).min(rest.len()));
    let ty = ["text", "uri"][usize::from(count % 2)];
    let mut spelled = String::new();
    spell(&mut letters.iter().copied(), ty, DEPTH, &mut spelled);
    for value in evaluate(&spelled, &String::from_utf8_lossy(text)) {
        if let Value::Uri(url) = value {
            assert_eq!(url.host_str(), Some("h.example"), "{spelled}");
            assert!(url.path().starts_with("/base/"), "{spelled}: {url}");
        }
    }
    Expression::compile(&Code::alone(&spelled), Wanted::Value).is_ok()
}

/// Levels of what is spelled.
const DEPTH: usize = 6;

/// What there is of each type; a word in capitals stands for another.
const GRAMMAR: [(&str, &[&str]); 4] = [
    (
        "text",
        &[
            r#""x y""#,
            r#"(string)context.Variables["a"]"#,
            r#"TEXT + TEXT"#,
            r#"$"p{TEXT}-{INT}""#,
            r#"TEXT.ToLower()"#,
            r#"TEXT.Split(' ')[INT]"#,
            r#"BOOL ? TEXT : TEXT"#,
            r#"URI.AbsoluteUri"#,
            r#"TEXT.AsJwt()?.Subject"#,
            r#"context.Request.Headers.GetValueOrDefault(TEXT, TEXT)"#,
            r#"context.Request.Url.Query.GetValueOrDefault("q", TEXT)"#,
            r#"((IResponse)context.Variables["r"]).Body.As<string>()"#,
            r#"(string)((IResponse)context.Variables["r"]).Body.As<JObject>()[TEXT]"#,
            r#"context.Variables.GetValueOrDefault<string>(TEXT)"#,
            r#"(string)null"#,
            r#"context.Subscription.Key"#,
        ],
    ),
    (
        "int",
        &[
            "0",
            "1",
            "9223372036854775807",
            "context.Response.StatusCode",
            "(int)TEXT",
            r#"context.Variables.GetValueOrDefault<int>("n", INT)"#,
        ],
    ),
    (
        "bool",
        &[
            "true",
            "TEXT == TEXT",
            "INT >= INT",
            "!(BOOL)",
            "BOOL && BOOL || BOOL",
            "context.Variables.ContainsKey(TEXT)",
        ],
    ),
    (
        "uri",
        &[
            r#"new Uri("https://h.example/base/")"#,
            "new Uri(URI, TEXT)",
            "context.Api.ServiceUrl",
        ],
    ),
];

fn spell(letters: &mut impl Iterator<Item = u8>, ty: &str, depth: usize, out: &mut String) {
    let forms = GRAMMAR.iter().find(|(known, _)| *known == ty);
    let forms = forms.map_or(&[][..], |(_, forms)| forms);
    // Without letters, and far down, what comes first ends it.
    let letter = letters.next().filter(|_| depth > 0).unwrap_or(0);
    let mut rest = forms[usize::from(letter) % forms.len()];
    while let Some(at) = rest.find(|part: char| part.is_ascii_uppercase()) {
        let word = ["TEXT", "BOOL", "INT", "URI"].into_iter();
        let mut word = word.filter(|word| rest[at..].starts_with(word));
        let (head, tail) = rest.split_at(at);
        out.push_str(head);
        match word.next() {
            Some(word) => {
                out.push('(');
                spell(letters, &word.to_ascii_lowercase(), depth - 1, out);
                out.push(')');
                rest = &tail[word.len()..];
            }
            None => {
                out.push_str(&tail[..1]);
                rest = &tail[1..];
            }
        }
    }
    out.push_str(rest);
}

/// Evaluates a text as an expression, in each way that there is; what came of it.
fn evaluate(text: &str, variable: &str) -> Vec<Value> {
    let code = Code::alone(text);
    let compiled = Expression::compile(&code, Wanted::Value);
    if let Err(finding) = &compiled {
        are_in(text, std::slice::from_ref(finding));
    }
    let condition = Expression::compile(&code, Wanted::Boolean).ok();
    let response = Arc::new(Response::text(200, r#"{"a":"b","x y":null}"#));
    let variables = [
        ("a", Value::text(variable)),
        ("r", Value::Response(Arc::clone(&response))),
        ("n", Value::Null),
    ];
    let variables: Variables = variables.into_iter().collect();
    let api = Api {
        id: "a".to_owned(),
        name: "a".to_owned(),
        service_url: "https://h.example/base/".parse().ok(),
    };
    let request = Request::get("/p?q=1").header("Authorization", "Bearer e30.e30.x");
    let subscription = Subscription {
        key: "k".to_owned(),
        id: "s".to_owned(),
        product: None,
    };
    let mut values = Vec::new();
    for is_known in [false, true] {
        let facts = Facts {
            request: &request,
            response: is_known.then_some(&response),
            variables: &variables,
            api: &api,
            subscription: is_known.then_some(&subscription),
            reject_null_in_key: true,
            allow_path_climb: false,
        };
        if let Ok(expression) = &compiled {
            values.extend(value(expression, &facts));
        }
        if let Some(condition) = &condition {
            let value = condition.evaluate(&facts);
            assert!(matches!(value, Ok(Value::Bool(_)) | Err(_)), "{value:?}");
        }
    }
    values
}

fn value(expression: &Expression, facts: &Facts<'_>) -> Option<Value> {
    let value = expression.evaluate(facts);
    assert_eq!(value, expression.evaluate(facts));
    let key = expression.key_text(facts);
    match (&value, &key) {
        (Ok(value), Ok(key)) => assert_eq!(value.to_text().as_deref(), Some(&**key)),
        (Err(_), Ok(key)) => panic!("{expression:?} has no value, and is a key: {key}"),
        (_, Err(_)) => {}
    }
    // By way of a variable it is a key as well as at once, and no better one.
    if let Ok(made) = expression.make(facts) {
        let mut variables = Variables::new();
        variables.set("v", made);
        let facts = Facts {
            variables: &variables,
            ..*facts
        };
        let read = Code::alone(r#"context.Variables["v"]"#);
        let read = Expression::compile(&read, Wanted::Value).expect("it can be read");
        assert_eq!(read.key_text(&facts).ok(), key.ok(), "{expression:?}");
    }
    assert!(!matches!(value, Ok(Value::Part(_))), "{expression:?}");
    value.ok()
}
