//! Section 12: times to live that are told, and that are none.

use std::time::Duration;

use serde_json::{Value, json};

use larder::ManualClock;
use larder_http::Engine;

use super::support::{Server, settings};

/// `k`, in base64.
const K: &str = "aw";

#[tokio::test]
async fn m_151_m_152_what_is_left_is_told_and_what_is_negative_refused() {
    let server = Server::start().await;
    let left = async || server.call("ttl", "RO", json!({ "key": K })).await.json();
    assert_eq!(left().await, json!({ "result": "Miss" }));
    server.store("k", "x").await;
    server.tick(Duration::from_millis(1500));
    assert_eq!(left().await, json!({ "result": "Hit", "ttl_ms": 58_500 }));
    for mode in ["update", "increase", "decrease"] {
        for ttl in [json!(-1), json!(0), json!(0.5), Value::Null] {
            let body = json!({ "key": K, "mode": mode, "ttl_seconds": ttl });
            server
                .call("ttl", "RW", body)
                .await
                .is(400, "InvalidArgument");
        }
    }
    let body = json!({ "key": K, "ttl_seconds": 5 });
    server
        .call("ttl", "RW", body)
        .await
        .is(400, "InvalidArgument");
    server.tick(Duration::from_millis(58_500));
    assert_eq!(left().await, json!({ "result": "Miss" }));
}

#[tokio::test]
async fn m_140_m_141_m_151_m_154_what_is_no_time_to_live_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    server.store("k", "1").await;
    for ttl in [
        json!(-1),
        json!(0),
        json!(0.5),
        json!(1e3),
        json!("5"),
        json!(1e20),
        json!(true),
        json!([5]),
        json!({ "seconds": [5] }),
        Value::Null,
    ] {
        let item = json!({ "key": K, "value": "Mg", "ttl_seconds": ttl });
        for (op, body) in [
            (
                "set-if",
                json!({ "key": K, "value": "Mg", "condition": "present", "ttl_seconds": ttl }),
            ),
            (
                "increment",
                json!({ "key": K, "amount": 1, "ttl_seconds": ttl }),
            ),
            ("set-batch", json!({ "items": [item] })),
            (
                "set-batch",
                json!({ "items": [{ "key": K, "value": "Mg" }], "ttl_seconds": ttl }),
            ),
        ] {
            let refused = server.call(op, "RW", body).await;
            refused.is(400, "InvalidArgument");
            assert!(refused.message().contains("ttl_seconds"), "{op} {ttl}");
        }
    }
    server.load("k").await.is_value("1");
}

#[tokio::test]
async fn m_152_no_more_is_left_than_was_given() {
    // By the system's clocks, of which one is behind the other.
    let engine = Engine::new(1 << 20).unwrap();
    let server = Server::over(&settings(), engine, ManualClock::new()).await;
    for _ in 0..50 {
        server.store("k", "x").await;
        let left = server.call("ttl", "RW", json!({ "key": K })).await.json();
        let left_ms = left["ttl_ms"].as_u64().unwrap();
        assert!((50_000..=60_000).contains(&left_ms), "{left_ms}");
    }
}
