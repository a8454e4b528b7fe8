//! Any bytes as documents, expressions and conditions: what is read, evaluated or refused, and never panics.

use std::collections::HashMap;
use std::sync::Arc;

use larder_gateway::apigee::condition::Condition;
use larder_gateway::azure::expr::{Api, Expression, Facts, Value, Wanted};
use larder_gateway::http::{Request, Response};
use larder_gateway::xml::Code;

/// Reads and evaluates an input in each way that there is.
pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Err(findings) = larder_gateway::azure::read::read(&text, &()) {
        let n_lines = text.split('\n').count();
        for finding in findings {
            let line = usize::try_from(finding.at.line).unwrap_or(usize::MAX);
            assert!((1..=n_lines).contains(&line), "{finding}");
        }
    }
    let _ = larder_gateway::apigee::read::read(&text);
    if let Ok(condition) = Condition::new(&text) {
        condition.holds(&|name| (name.len() % 2 == 0).then(|| name.into()));
    }
    evaluate(&text);
}

fn evaluate(text: &str) {
    let Ok(expression) = Expression::compile(&Code::alone(text), Wanted::Value) else {
        return;
    };
    let response = Arc::new(Response::text(200, r#"{"a":"b"}"#));
    let variables = HashMap::from([
        ("a".to_owned(), Value::text("//x/../y z")),
        ("r".to_owned(), Value::Response(Arc::clone(&response))),
        ("n".to_owned(), Value::Null),
    ]);
    let api = Api {
        id: "a".to_owned(),
        name: "a".to_owned(),
        service_url: "https://h.example/base/".parse().ok(),
    };
    let request = Request::get("/p?q=1").header("Authorization", "Bearer e30.e30.x");
    let facts = Facts {
        request: &request,
        response: Some(&response),
        variables: &variables,
        api: &api,
        subscription: None,
        reject_null_in_key: true,
        allow_path_climb: false,
    };
    let _ = expression.evaluate(&facts);
    let _ = expression.evaluate_key(&facts);
}
