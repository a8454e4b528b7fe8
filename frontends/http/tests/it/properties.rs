//! Properties of any request:
//! 1. Any bytes in any field give a 4xx or a right answer: never a 5xx, never a panic, and the server goes on.
//! 2. What is put under any key is what is then got, byte by byte.

use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

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
    let paths = vec!["/cache/", "/caches/", "/caches", "/tokens", "/metrics", "/"];
    let ops = vec![
        "",
        "/flush",
        "/items/set-if",
        "/items/ttl",
        "/items/set-batch",
        "/items/exists",
    ];
    let request = (
        prop::sample::select(methods),
        prop::sample::select(paths),
        field(),
        prop::sample::select(ops),
        prop::collection::vec((names, field()), 0..5),
        prop::option::of(field()),
        prop::option::of(field()),
        prop::collection::vec(any::<u8>(), 0..200),
    );
    let mut runner = TestRunner::new(Config {
        cases: 1500,
        failure_persistence: None,
        ..Config::default()
    });
    let checked = runner.run(
        &request,
        |(method, path, name, op, query, authorization, accept, body)| {
            let mut bytes = format!("{method} {path}").into_bytes();
            bytes.extend(&name);
            bytes.extend(op.as_bytes());
            bytes.extend(b"?token=ADM&");
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
