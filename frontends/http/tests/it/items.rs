//! Section 12: the other operations on items.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Server, engine, settings, vendor};

const SECOND: Duration = Duration::from_secs(1);
/// The key `k` in base64.
const K: &str = "aw";

async fn result(server: &Server, op: &str, body: Value) -> Value {
    let answer = server.call(op, "RW", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body.escape_ascii());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()["result"].clone()
}

#[tokio::test]
async fn m_140_m_155_the_truth_table_of_set_if() {
    let server = Server::start().await;
    // Stored if absent, if equal, if different.
    for (condition, stored) in [
        ("absent", [true, false, false]),
        ("if-not-exists", [true, false, false]),
        ("present", [false, true, true]),
        ("equal", [false, true, false]),
        ("not-equal", [true, false, true]),
        ("present-and-not-equal", [false, false, true]),
        ("absent-or-equal", [true, true, false]),
    ] {
        for (present, is_stored) in [None, Some("equal"), Some("other")].iter().zip(stored) {
            server.delete("/cache/default-cache?key=k&token=RW").await;
            if let Some(value) = present {
                server.store("k", value).await;
            }
            let mut body =
                json!({ "key": K, "value": "bmV3", "ttl_seconds": 5, "condition": condition });
            if condition.contains("equal") {
                body["compare"] = json!("ZXF1YWw");
            }
            let word = if is_stored { "Stored" } else { "NotStored" };
            assert_eq!(
                result(&server, "set-if", body).await,
                word,
                "{condition} {present:?}"
            );
            let ttl = result(&server, "exists", json!({ "key": K })).await;
            assert_eq!(ttl, json!(is_stored || present.is_some()));
            // The time to live is the new one only where it is stored.
            server.tick(5 * SECOND);
            let left = server.load("k").await;
            match (is_stored, present) {
                (false, Some(value)) => left.is_value(value),
                _ => left.is(404, "KeyNotFound"),
            }
        }
    }
}

#[tokio::test]
async fn m_140_what_has_expired_is_absent_and_a_bad_time_to_live_is_refused_first() {
    let server = Server::start().await;
    server.store("k", "x").await;
    server.tick(60 * SECOND);
    let body = |condition: &str, ttl: Value| json!({ "key": K, "value": "eQ", "ttl_seconds": ttl, "condition": condition });
    assert_eq!(
        result(&server, "set-if", body("present", json!(5))).await,
        "NotStored"
    );
    assert_eq!(
        result(&server, "set-if", body("absent", json!(5))).await,
        "Stored"
    );
    for ttl in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("5"),
        json!(null),
        json!(1e30),
    ] {
        let answer = server.call("set-if", "RW", body("absent", ttl)).await;
        answer.is(400, "InvalidArgument");
    }
    for (condition, compare) in [
        ("equal", Value::Null),
        ("absent", json!("YQ")),
        ("odd", json!("YQ")),
    ] {
        let mut body = body(condition, json!(5));
        body["compare"] = compare;
        server
            .call("set-if", "RW", body)
            .await
            .is(400, "InvalidArgument");
    }
    let vendor = Server::with(&vendor()).await;
    let answer = vendor
        .call("set-if", "RW", body("present", json!(86_401)))
        .await;
    answer.is(400, "InvalidArgument");
}

async fn add(server: &Server, amount: i64) -> Value {
    let body = json!({ "key": K, "amount": amount, "ttl_seconds": 10 });
    let answer = server.call("increment", "RW", body).await;
    match answer.status {
        200 => answer.json()["value"].clone(),
        _ => json!(answer.code()),
    }
}

#[tokio::test]
async fn m_141_m_142_m_146_m_155_a_number_is_counted_and_keeps_its_time() {
    let server = Server::start().await;
    assert_eq!(add(&server, 10).await, 10);
    server.load("k").await.is_value("10");
    server.tick(6 * SECOND);
    assert_eq!(add(&server, 90).await, 100);
    assert_eq!(add(&server, -1000).await, -900);
    assert_eq!(add(&server, 0).await, -900);
    server.load("k").await.is_value("-900");
    server.tick(4 * SECOND);
    server.load("k").await.is(404, "KeyNotFound");
    assert_eq!(add(&server, -5).await, -5);
}

#[tokio::test]
async fn m_143_m_144_m_145_what_is_no_number_or_becomes_none_is_left_as_it_is() {
    let server = Server::start().await;
    for text in [
        "abcxyz",
        "",
        "%2B5",
        "%205",
        "5%20",
        "1.0",
        "0x1",
        "-",
        "%FF",
        "9223372036854775808",
    ] {
        server.store("k", "").await;
        let value: Vec<u8> = match text {
            "%2B5" => b"+5".into(),
            "%205" => b" 5".into(),
            "5%20" => b"5 ".into(),
            "%FF" => vec![0xff],
            text => text.into(),
        };
        server.store("k", &value).await;
        assert_eq!(add(&server, 1).await, "FailedPrecondition", "{text}");
        server.load("k").await.is_value(&value);
    }
    for (value, amount) in [
        ("9223372036854775807", 1),
        ("-9223372036854775808", -1),
        ("5", i64::MAX),
    ] {
        server.store("k", value).await;
        assert_eq!(add(&server, amount).await, "FailedPrecondition");
        server.load("k").await.is_value(value);
    }
    server.store("k", "-9223372036854775808").await;
    assert_eq!(add(&server, i64::MAX).await, -1);
    let beyond = r#"{"key":"aw","amount":9223372036854775808,"ttl_seconds":5}"#;
    let target = "/caches/default-cache/items/increment?token=RW";
    let answer = server.send("POST", target, &[], beyond.as_bytes()).await;
    answer.is(400, "InvalidArgument");
}

async fn ttl(server: &Server, mode: &str, seconds: u64) -> Value {
    let body = json!({ "key": K, "mode": mode, "ttl_seconds": seconds });
    result(server, "ttl", body).await
}

#[tokio::test]
async fn m_147_m_148_m_149_m_150_times_to_live_are_set_raised_and_lowered() {
    let server = Server::start().await;
    for mode in ["update", "increase", "decrease"] {
        assert_eq!(ttl(&server, mode, 5).await, "Miss");
    }
    server.store("k", "x").await;
    assert_eq!(ttl(&server, "update", 5).await, "Set");
    assert_eq!(ttl(&server, "increase", 3).await, "NotSet");
    assert_eq!(ttl(&server, "increase", 5).await, "NotSet");
    assert_eq!(ttl(&server, "increase", 6).await, "Set");
    assert_eq!(ttl(&server, "decrease", 7).await, "NotSet");
    assert_eq!(ttl(&server, "decrease", 6).await, "NotSet");
    assert_eq!(ttl(&server, "decrease", 5).await, "Set");
    server.tick(5 * SECOND);
    assert_eq!(ttl(&server, "update", 5).await, "Miss");
}

#[tokio::test]
async fn m_153_keys_exist_in_the_order_of_the_request() {
    let server = Server::start().await;
    server.store("a", "").await;
    server.store("b", "x").await;
    let of = async |keys: Value| result(&server, "exists", json!({ "keys": keys })).await;
    assert_eq!(of(json!([])).await, json!([]));
    assert_eq!(
        of(json!(["YQ", "bWlzc2luZw", "Yg=="])).await,
        json!([true, false, true])
    );
    assert_eq!(
        of(json!(["Yw", "YQ", "YQ"])).await,
        json!([false, true, true])
    );
    let one = async |key: &str| result(&server, "exists", json!({ "key": key })).await;
    assert_eq!(
        (one("YQ").await, one("Yw").await),
        (json!(true), json!(false))
    );
    let both = json!({ "key": "YQ", "keys": [] });
    server
        .call("exists", "RW", both)
        .await
        .is(400, "InvalidArgument");
}

#[tokio::test]
async fn m_154_batches_answer_item_by_item() {
    let server = Server::start().await;
    let items = json!([{ "key": "YQ", "value": "AP8" }, { "key": "Yg", "value": "" }]);
    let body = json!({ "items": items, "ttl_seconds": 5 });
    let stored = json!({ "result": "Stored" });
    assert_eq!(
        result(&server, "set-batch", body).await,
        json!([stored, stored])
    );
    let found = result(&server, "get-batch", json!({ "keys": ["Yg", "Yw", "YQ"] })).await;
    let hit = |value: &str| json!({ "result": "Hit", "value": value });
    assert_eq!(found, json!([hit(""), { "result": "Miss" }, hit("AP8")]));
    let items = json!([{ "key": "YQ", "value": "MQ", "ttl_seconds": 2 },
                       { "key": "Yg", "value": "Mg", "ttl_seconds": 4 }]);
    result(&server, "set-batch", json!({ "items": items })).await;
    server.tick(3 * SECOND);
    let found = result(&server, "exists", json!({ "keys": ["YQ", "Yg"] })).await;
    assert_eq!(found, json!([false, true]));
    for items in [
        json!([{ "key": "YQ", "value": "MQ" }]),
        json!([{ "key": "YQ", "value": "MQ", "ttl_seconds": 0 }]),
        json!([{ "key": "YQ", "value": "MQ", "ttl_seconds": 5 }, { "key": "YQ", "value": "MQ" }]),
    ] {
        let answer = server
            .call("set-batch", "RW", json!({ "items": items }))
            .await;
        answer.is(400, "InvalidArgument");
    }
    // One of all, or one of each: never both.
    let items = json!([{ "key": "YQ", "value": "MQ", "ttl_seconds": 5 }]);
    let both = json!({ "items": items, "ttl_seconds": 5 });
    let refused = server.call("set-batch", "RW", both).await;
    refused.is(400, "InvalidArgument");
    assert_eq!(
        result(
            &server,
            "set-batch",
            json!({ "items": [], "ttl_seconds": 5 })
        )
        .await,
        json!([])
    );
}

#[tokio::test]
async fn m_154_an_item_that_is_refused_leaves_the_others() {
    let mut settings = settings();
    let account = settings.accounts.get_mut("acct").unwrap();
    account.each_cache.item_bytes_max = Some(larder_http::Bound::At(4));
    let server = Server::with(&settings).await;
    let items = json!([{ "key": "YQ", "value": "YWFhYWFh" }, { "key": "Yg", "value": "MQ" }]);
    let done = result(
        &server,
        "set-batch",
        json!({ "items": items, "ttl_seconds": 5 }),
    )
    .await;
    assert_eq!(
        (&done[0]["result"], &done[0]["code"]),
        (&json!("Error"), &json!("LimitExceeded"))
    );
    assert_eq!(done[1]["result"], "Stored");
    server.load("b").await.is_value("1");
}

#[tokio::test]
async fn m_155_bodies_that_are_not_the_form_are_invalid() {
    let server = Server::start().await;
    for op in [
        "set-if",
        "increment",
        "ttl",
        "exists",
        "get-batch",
        "set-batch",
    ] {
        for body in [
            "",
            "{",
            "[]",
            "null",
            "1e999",
            "{\"key\":1}",
            "{\"key\":\"***\"}",
            "{\"key\":\"\"}",
            "{\"keys\":[\"\"]}",
            "\u{feff}{}",
            "{\"keys\":[],\"more\":1}",
            "{\"key\":\"YQ\",\"key\":\"YQ\"}",
        ] {
            let target = format!("/caches/default-cache/items/{op}?token=RW");
            let answer = server.send("POST", &target, &[], body.as_bytes()).await;
            answer.is(400, "InvalidArgument");
        }
        let answer = server
            .get(&format!("/caches/default-cache/items/{op}"))
            .await;
        answer.is(405, "MethodNotAllowed");
        let answer = server
            .send("POST", &format!("/caches/nope/items/{op}"), &[], b"")
            .await;
        answer.is(401, "Unauthenticated");
    }
    let body = json!({ "keys": ["YQ"] });
    let target = "/caches/nope/items/exists?token=RW";
    let answer = server
        .send("POST", target, &[], body.to_string().as_bytes())
        .await;
    answer.is(404, "CacheNotFound");
}

#[tokio::test]
async fn e_100_e_101_e_102_the_engine_is_shared_and_sees_the_same_items() {
    let clock = larder::ManualClock::new();
    let engine = engine(&clock);
    let cache = engine.cache.clone();
    cache
        .create_tenant("another", larder::Limits::default())
        .unwrap();
    cache
        .tenant("another")
        .unwrap()
        .create_cache("default-cache", Default::default())
        .unwrap();
    let server = Server::over(&settings(), engine, clock).await;
    server.store("k", "text").await;
    let here = cache
        .tenant("acct")
        .unwrap()
        .cache("default-cache")
        .unwrap();
    assert_eq!(here.get("k").as_deref(), Some(&b"text"[..]));
    here.insert("other", b"by another frontend").unwrap();
    server.load("other").await.is_value("by another frontend");
    let there = cache
        .tenant("another")
        .unwrap()
        .cache("default-cache")
        .unwrap();
    assert!(there.get("k").is_none());
    there.insert("theirs", b"x").unwrap();
    server.load("theirs").await.is(404, "KeyNotFound");
}
