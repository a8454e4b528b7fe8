//! Properties of any request:
//! 1. Any bytes in any field give a 4xx or a right answer: never a 5xx, never a panic, and the server goes on.
//! 2. What is put under any key is what is then got, byte by byte.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::support::Server;

fn escaped(bytes: &[u8]) -> String {
    percent_encode(bytes, NON_ALPHANUMERIC).to_string()
}

/// Bytes as they stand, escaped, or mostly well-formed.
fn field() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| escaped(&bytes).into_bytes()),
        "[%+=&;a-zA-Z0-9_/.-]{0,30}".prop_map(String::into_bytes),
        prop::sample::select(vec![
            "RW",
            "ADM",
            "default-cache",
            "other",
            "a",
            "60",
            "YQ",
            "%"
        ])
        .prop_map(|word| word.as_bytes().to_vec()),
    ]
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn f43_m_037_any_bytes_in_any_field_are_no_error_of_the_server() {
    let runtime = runtime();
    let server = runtime.block_on(Server::start());
    let names = prop::sample::select(vec!["key", "key_base64", "token", "ttl_seconds", "x", ""]);
    let methods = vec!["GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS"];
    let paths = vec![
        "/cache/",
        "/caches/",
        "/caches",
        "/tokens",
        "/metrics",
        "/console/data",
        "/",
    ];
    let ops = vec!["", "/flush", "/key", "/items/set-if", "/items/x"];
    let request = (
        prop::sample::select(methods),
        prop::sample::select(paths),
        field(),
        prop::sample::select(ops),
        prop::collection::vec((names, field()), 0..5),
        prop::option::of(field()),
        prop::option::of(field()),
        (any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)),
    );
    let mut runner = TestRunner::new(Config {
        cases: 1500,
        failure_persistence: None,
        ..Config::default()
    });
    let checked = runner.run(
        &request,
        |(method, path, name, op, query, authorization, accept, (has_token, body))| {
            let mut bytes = format!("{method} {path}").into_bytes();
            bytes.extend(&name);
            bytes.extend(op.as_bytes());
            bytes.extend(if has_token { &b"?token=ADM&"[..] } else { b"?" });
            for (name, value) in &query {
                bytes.extend(name.bytes().chain(*b"="));
                bytes.extend(value);
                bytes.push(b'&');
            }
            let mut head = String::new();
            write!(
                head,
                " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}",
                body.len()
            )
            .unwrap();
            bytes.extend(head.bytes());
            for (name, value) in [("Authorization", &authorization), ("Accept", &accept)] {
                if let Some(value) = value {
                    bytes.extend(format!("\r\n{name}: ").bytes());
                    bytes.extend(value);
                }
            }
            bytes.extend(b"\r\n\r\n");
            bytes.extend(&body);
            let answer = runtime.block_on(server.raw(&bytes));
            // Bytes that end the line make other requests, or none that is whole: those are closed.
            if !answer.is_empty() {
                let status = str::from_utf8(&answer[9..12]).unwrap().to_owned();
                prop_assert!(
                    status.as_str() < "500",
                    "{}: {}",
                    status,
                    answer.escape_ascii()
                );
            }
            Ok(())
        },
    );
    checked.unwrap();
    let ready = runtime.block_on(server.get("/health/ready"));
    assert_eq!((ready.status, &*ready.body), (200, &b"ready\n"[..]));
}

/// What may stand in a field of JSON: what is meant, and what isn't.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_u64..100).prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[A-Za-z0-9_+/=-]{0,8}".prop_map(Value::from),
        prop::sample::select(vec!["YQ", "absent", "equal", "update", "readonly", "k"])
            .prop_map(Value::from),
    ];
    let names = prop::sample::select(NAMES.to_vec());
    leaf.prop_recursive(3, 12, 4, move |inner| {
        let object = prop::collection::btree_map(names.clone(), inner.clone(), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            object.prop_map(|fields| {
                let fields = fields.into_iter();
                Value::Object(
                    fields
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

const NAMES: [&str; 15] = [
    "key",
    "keys",
    "value",
    "ttl_seconds",
    "condition",
    "compare",
    "amount",
    "mode",
    "items",
    "permissions",
    "id",
    "role",
    "cache",
    "key_prefix",
    "x",
];

/// Of each operation, a body that is as it has to be.
fn good(op: &str) -> Value {
    match op {
        "set-if" => {
            json!({ "key": "YQ", "value": "YQ", "ttl_seconds": 5, "condition": "equal", "compare": "YQ" })
        }
        "increment" => json!({ "key": "Yg", "amount": 1, "ttl_seconds": 5 }),
        "ttl" => json!({ "key": "YQ", "mode": "update", "ttl_seconds": 5 }),
        "exists" => json!({ "keys": ["YQ"] }),
        "get-batch" => json!({ "keys": ["YQ", "Yg"] }),
        "set-batch" => json!({ "items": [{ "key": "YQ", "value": "YQ" }], "ttl_seconds": 5 }),
        _ => json!({ "permissions": [{ "role": "readonly" }], "ttl_seconds": 5, "id": "k" }),
    }
}

#[test]
fn f43_m_155_anything_in_any_field_of_json_is_no_error_of_the_server() {
    let runtime = runtime();
    let server = runtime.block_on(Server::start());
    let ops = [
        "set-if",
        "increment",
        "ttl",
        "exists",
        "get-batch",
        "set-batch",
        "tokens",
    ];
    let changes = prop::collection::btree_map(prop::sample::select(NAMES.to_vec()), json(), 0..3);
    let mut runner = TestRunner::new(Config {
        cases: 1500,
        failure_persistence: None,
        ..Config::default()
    });
    let mut statuses = BTreeMap::new();
    let request = (prop::sample::select(ops.to_vec()), changes);
    let counted = RefCell::new(&mut statuses);
    let checked = runner.run(&request, |(op, changes)| {
        let mut body = good(op);
        for (name, value) in changes {
            body[name] = value;
        }
        let target = match op {
            "tokens" => "/tokens?token=ADM".to_owned(),
            op => format!("/caches/other/items/{op}?token=RW"),
        };
        let body = body.to_string();
        let answer = runtime.block_on(server.send("POST", &target, &[], body.as_bytes()));
        let status = answer.status;
        prop_assert!(status < 500, "{op} {body}: {status}");
        prop_assert!(matches!(status, 200 | 201) || answer.json()["code"].is_string());
        *counted.borrow_mut().entry((op, status < 300)).or_insert(0) += 1;
        Ok(())
    });
    checked.unwrap();
    // Both ways are gone, of each operation.
    assert_eq!(statuses.len(), 2 * ops.len(), "{statuses:?}");
}

#[test]
fn m_023_m_071_what_is_put_is_what_is_got() {
    let runtime = runtime();
    let server = runtime.block_on(Server::start());
    let key = prop::collection::vec(any::<u8>(), 1..100);
    let value = prop::collection::vec(any::<u8>(), 0..2000);
    let mut runner = TestRunner::new(Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    });
    let checked = runner.run(&(key, value), |(key, value)| {
        use base64::Engine as _;
        let base64 = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&key);
        let target = format!("/cache/other?key_base64={base64}&ttl_seconds=60&token=RW");
        let (put, got) = runtime
            .block_on(async { (server.put(&target, &value).await, server.get(&target).await) });
        prop_assert_eq!(put.status, 204);
        prop_assert_eq!(got.status, 200);
        prop_assert_eq!(&got.body, &value);
        if let Ok(text) = String::from_utf8(key) {
            let target = format!("/cache/other?key={}&token=RW", escaped(text.as_bytes()));
            let got = runtime.block_on(server.get(&target));
            prop_assert_eq!(&got.body, &value);
        }
        Ok(())
    });
    checked.unwrap();
}
