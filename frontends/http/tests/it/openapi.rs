//! The document against what is really answered.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::support::{Server, vendor};

/// The route of the document that a path is of.
fn route<'a>(document: &'a Value, path: &str) -> (&'a str, &'a Value) {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |route: &str| {
        let of_route: Vec<&str> = route.split('/').collect();
        of_route.len() == parts.len()
            && of_route
                .iter()
                .zip(&parts)
                .all(|(of_route, part)| of_route.starts_with('{') || of_route == part)
    };
    let paths = document["paths"].as_object().unwrap();
    let (route, item) = paths.iter().find(|(route, _)| fits(route)).unwrap();
    (route, item)
}

#[tokio::test]
async fn m_124_every_answer_is_documented_and_every_documented_status_is_answered() {
    let mut limited = vendor();
    limited
        .accounts
        .get_mut("acct")
        .unwrap()
        .operations_per_second = Some(larder_http::Bound::At(0));
    limited.accounts.get_mut("acct").unwrap().control_per_second = Some(larder_http::Bound::At(0));
    let open = Server::start().await;
    let limited = Server::with(&limited).await;
    let lost = super::levels::lost().await;
    let document = open.get("/openapi.json").await;
    assert_eq!(document.status, 200);
    let document = document.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));

    let mut seen = BTreeSet::new();
    let ops = [
        (
            "set-if",
            json!({ "key": "YQ", "value": "YQ", "ttl_seconds": 5, "condition": "absent" }),
        ),
        (
            "increment",
            json!({ "key": "Yg", "amount": 1, "ttl_seconds": 5 }),
        ),
        ("ttl", json!({ "key": "YQ" })),
        ("exists", json!({ "keys": ["YQ"] })),
        ("get-batch", json!({ "keys": ["YQ"] })),
        (
            "set-batch",
            json!({ "items": [{ "key": "YQ", "value": "YQ" }], "ttl_seconds": 5 }),
        ),
    ];
    let mut requests = Vec::new();
    for path in ["/cache/CACHE?key=a&", "/cache/CACHE/a?"] {
        for method in ["PUT", "GET", "HEAD", "DELETE"] {
            requests.push((method, format!("{path}ttl_seconds=5&token="), String::new()));
        }
    }
    for (op, body) in &ops {
        let path = format!("/caches/CACHE/items/{op}?token=");
        requests.push(("POST", path, body.to_string()));
    }
    let token = json!({ "permissions": [{ "role": "readonly" }], "ttl_seconds": 5 });
    for (method, path, body) in [
        ("GET", "/caches?token=", String::new()),
        ("PUT", "/caches/new?token=", String::new()),
        ("PUT", "/caches/other?token=", String::new()),
        ("PUT", "/caches/%20?token=", String::new()),
        ("POST", "/caches/CACHE/flush?token=", String::new()),
        ("POST", "/tokens?token=", token.to_string()),
        ("POST", "/tokens?token=", " ".repeat((1 << 20) + 1)),
        ("DELETE", "/caches/CACHE?token=", String::new()),
    ] {
        requests.push((method, path.to_owned(), body));
    }
    for (method, target, body) in &requests {
        for server in [&open, &limited, &lost] {
            for cache in ["other", "nope", "%20"] {
                for token in ["ADM", "NOTHING", "bad", "RW&token=RW"] {
                    let target = format!("{}{token}", target.replace("CACHE", cache));
                    let answer = server.send(method, &target, &[], body.as_bytes()).await;
                    let path = target.split('?').next().unwrap();
                    let (route, item) = route(&document, path);
                    let statuses = &item[method.to_lowercase()]["responses"];
                    let status = answer.status.to_string();
                    let is_documented = statuses.get(&status).is_some();
                    assert!(is_documented, "{method} {target}: {status} of {statuses}");
                    seen.insert((route.to_owned(), method.to_lowercase(), status));
                }
            }
        }
    }
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                let one = (path.clone(), method.clone(), status.clone());
                // What works in memory alone fails by a panic only, and a batch tells of each item: see the tests of levels.
                let rare = [
                    "post set-if",
                    "post increment",
                    "post set-batch",
                    "get caches",
                    "put {cacheName}",
                    "post tokens",
                ];
                let last = path.rsplit('/').next().unwrap();
                let of_caches = path.starts_with("/caches") || path == "/tokens";
                let is_rare = status == "500" && of_caches && {
                    let one = format!("{method} {last}");
                    rare.contains(&&*one)
                };
                assert!(is_rare || seen.contains(&one), "never answered: {one:?}");
            }
            let names = |within: &str| -> Vec<&str> {
                let all = operation["parameters"].as_array().unwrap().iter();
                all.filter(|one| one["in"] == within)
                    .map(|one| one["name"].as_str().unwrap())
                    .collect()
            };
            let known = names("query");
            let mut parameters = vec!["token"];
            if method == "put" && path.starts_with("/cache/") {
                parameters.insert(0, "ttl_seconds");
            }
            if path == "/cache/{cacheName}" {
                parameters.splice(0..0, ["key", "key_base64"]);
            }
            assert_eq!(known, parameters, "{method} {path}");
            for name in names("path") {
                assert!(path.contains(&format!("{{{name}}}")));
            }
            for one in operation["parameters"].as_array().unwrap() {
                let is_ttl = one["name"] == "ttl_seconds";
                let (of_type, is_needed) = (&one["schema"]["type"], one["in"] == "path" || is_ttl);
                assert_eq!(of_type, ["string", "integer"][usize::from(is_ttl)], "{one}");
                assert_eq!(one["required"], is_needed, "{one}");
            }
        }
    }
}
