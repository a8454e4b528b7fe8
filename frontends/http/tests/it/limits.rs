//! Section 9: limits, at instants that stand still.

use std::time::Duration;

use larder_http::{Bound, Settings, Unlimited};
use serde_json::json;

use super::support::{CACHE, Server, settings, vendor};

async fn load_n(server: &Server, cache: &str, n: usize) {
    for _ in 0..n {
        let target = format!("/cache/{cache}?key=a&token=RW");
        server.get(&target).await.is(404, "KeyNotFound");
    }
}

async fn status(server: &Server, cache: &str) -> u16 {
    let target = format!("/cache/{cache}?key=a&token=RW");
    server.get(&target).await.status
}

#[tokio::test]
async fn m_110_m_111_m_112_m_113_m_114_a_hundred_a_second_and_cache() {
    let server = Server::with(&vendor()).await;
    load_n(&server, "default-cache", 98).await;
    // A deletion of nothing, and a hit, cost one each.
    server
        .delete(&format!("{CACHE}?key=a&token=RW"))
        .await
        .is_stored();
    server.store("b", "x").await;
    for _ in 0..3 {
        server.load("b").await.is(429, "LimitExceeded");
    }
    assert_eq!(status(&server, "other").await, 404);
    server.tick(Duration::from_millis(10));
    server.load("b").await.is_value("x");
    server.load("b").await.is(429, "LimitExceeded");
    // What was refused has used nothing up.
    server.tick(Duration::from_millis(10));
    server.load("b").await.is_value("x");
}

#[tokio::test]
async fn m_115_batches_cost_what_they_hold() {
    let keys = |n: usize| json!({ "keys": vec!["YQ"; n] });
    for (op, n, cost) in [("exists", 99, 50), ("exists", 0, 0), ("get-batch", 50, 50)] {
        let server = Server::with(&vendor()).await;
        assert_eq!(server.call(op, "RW", keys(n)).await.status, 200);
        load_n(&server, "default-cache", 100 - cost).await;
        server.load("a").await.is(429, "LimitExceeded");
    }
    let server = Server::with(&vendor()).await;
    let items = vec![json!({ "key": "YQ", "value": "YQ" }); 60];
    let batch = json!({ "items": items, "ttl_seconds": 60 });
    assert_eq!(server.call("set-batch", "RW", batch).await.status, 200);
    let answer = server.call("get-batch", "RW", keys(41)).await;
    answer.is(429, "LimitExceeded");
    assert_eq!(server.call("get-batch", "RW", keys(40)).await.status, 200);
    // What is more than a second's worth never passes, and isn't told to come back.
    server.tick(Duration::from_secs(10));
    let answer = server.call("get-batch", "RW", keys(101)).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, None));
}

#[tokio::test]
async fn m_116_bytes_of_requests_and_answers() {
    let server = Server::with(&vendor()).await;
    let target = format!("{CACHE}?key=a&ttl_seconds=60&token=RW");
    let body = vec![0; 600 << 10];
    server.put(&target, &body).await.is_stored();
    let refused = server.put(&target, &body).await;
    refused.is(429, "LimitExceeded");
    assert!(refused.message().contains("bytes"));
    server.tick(Duration::from_secs(1));
    server.put(&target, &body).await.is_stored();
    // An answer is charged after it is known: the first brings debt, which is waited for.
    server.load("a").await.is_value(&body);
    server.load("a").await.is(429, "LimitExceeded");
    server.tick(Duration::from_secs(1));
    let head = format!("{CACHE}?key=a&token=RW");
    assert_eq!(server.send("HEAD", &head, &[], b"").await.status, 200);
    server.load("a").await.is_value(&body);
}

#[tokio::test]
async fn m_117_what_is_refused_for_its_form_or_its_rights_costs_nothing() {
    let server = Server::with(&vendor()).await;
    for _ in 0..40 {
        for (query, status) in [
            ("key=a&token=bad", 401),
            ("key=a&token=WO", 403),
            ("key=&token=RW", 400),
        ] {
            let answer = server.get(&format!("{CACHE}?{query}")).await;
            assert_eq!(answer.status, status);
        }
        let long = format!("{CACHE}?key=a&ttl_seconds=86401&token=RW");
        server.put(&long, "x").await.is(400, "InvalidArgument");
    }
    load_n(&server, "default-cache", 100).await;
    server.load("a").await.is(429, "LimitExceeded");
}

#[tokio::test]
async fn m_113_m_117_m_143_what_fails_on_what_is_there_costs_nothing_either() {
    let server = Server::with(&vendor()).await;
    server.store("text", "abcxyz").await;
    server.store("top", i64::MAX.to_string()).await;
    let add = |key: &str| json!({ "key": key, "amount": 1, "ttl_seconds": 60 });
    for _ in 0..150 {
        // `text` and `top`, in base64.
        for key in ["dGV4dA", "dG9w"] {
            let refused = server.call("increment", "RW", add(key)).await;
            refused.is(400, "FailedPrecondition");
        }
    }
    load_n(&server, "default-cache", 97).await;
    let done = server.call("increment", "RW", add("bg")).await;
    assert_eq!(done.status, 200);
    let refused = server.call("increment", "RW", add("dGV4dA")).await;
    refused.is(429, "LimitExceeded");
}

fn with_account(limit: u64) -> Settings {
    let mut settings = vendor();
    let account = settings.accounts.get_mut("acct").unwrap();
    account.operations_per_second = Some(Bound::At(limit));
    settings
}

#[tokio::test]
async fn m_118_the_account_has_a_limit_over_those_of_its_caches() {
    let server = Server::with(&with_account(150)).await;
    load_n(&server, "default-cache", 100).await;
    load_n(&server, "other", 50).await;
    let target = "/cache/other?key=a&token=RW";
    for _ in 0..5 {
        let refused = server.get(target).await;
        refused.is(429, "LimitExceeded");
        assert!(refused.message().contains("account"));
    }
    // Nothing was charged for it: 1/150 s later there is one for the account, and 50 for the cache.
    server.tick(Duration::from_micros(6667));
    assert_eq!(status(&server, "other").await, 404);
    assert_eq!(status(&server, "other").await, 429);
}

#[tokio::test]
async fn m_119_a_raised_limit_holds_after_a_reload_and_nothing_is_lost() {
    let server = Server::with(&with_account(50)).await;
    server.store("kept", "x").await;
    load_n(&server, "default-cache", 49).await;
    server.load("a").await.is(429, "LimitExceeded");
    server.app.reload(&with_account(110)).unwrap();
    load_n(&server, "default-cache", 50).await;
    // The cache's own limit is next.
    server.load("a").await.is(429, "LimitExceeded");
    let mut settings = with_account(110);
    let account = settings.accounts.get_mut("acct").unwrap();
    account.each_cache.operations_per_second = Some(Bound::None(Unlimited::Unlimited));
    server.app.reload(&settings).unwrap();
    server.load("kept").await.is_value("x");
    let cache = &server.app.engine().cache;
    let stats = cache
        .tenant("acct")
        .unwrap()
        .cache("default-cache")
        .unwrap()
        .stats();
    assert_eq!((stats.hits, stats.misses()), (1, 99));
}

#[tokio::test]
async fn m_119_settings_that_can_t_be_used_change_nothing() {
    let server = Server::start().await;
    let mut broken = settings();
    broken.keys[0].sha256 = "no hash".into();
    assert!(server.app.reload(&broken).is_err());
    let mut broken = settings();
    broken.keys[0].account = "nobody".into();
    assert!(server.app.reload(&broken).is_err());
    server.store("a", "x").await;
}

#[tokio::test]
async fn m_154_the_values_of_a_batch_are_no_more_than_a_body_may_have() {
    let mut settings = settings();
    settings.body_bytes_max = 100;
    let server = Server::with(&settings).await;
    server.store("a", [b'x'; 40]).await;
    let get = async |n: usize| {
        let keys = json!({ "keys": vec!["YQ"; n] });
        server.call("get-batch", "RW", keys).await
    };
    assert_eq!(get(2).await.json()["result"].as_array().unwrap().len(), 2);
    let refused = get(3).await;
    refused.is(429, "LimitExceeded");
    assert!(
        refused.message().contains("100 bytes together"),
        "{}",
        refused.message()
    );
    assert_eq!(refused.header("retry-after"), None);
}

#[tokio::test]
async fn m_104_m_106_m_154_a_batch_has_a_hundred_thousand_items_at_most() {
    let server = Server::start().await;
    let keys = vec!["YQ"; 100_001];
    let item = json!({ "key": "YQ", "value": "YQ" });
    let items = vec![item; 100_001];
    let most = json!({ "keys": keys[1..] });
    for op in ["exists", "get-batch"] {
        assert_eq!(server.call(op, "RW", most.clone()).await.status, 200);
    }
    for (op, body) in [
        ("exists", json!({ "keys": keys })),
        ("get-batch", json!({ "keys": keys })),
        ("set-batch", json!({ "ttl_seconds": 60, "items": items })),
    ] {
        let refused = server.call(op, "RW", body).await;
        assert_eq!(refused.status, 429, "{op}");
        refused.is(429, "LimitExceeded");
        let said = "batch size limit exceeded: a batch may have 100000 items";
        assert_eq!(refused.message(), said);
        assert_eq!(refused.header("retry-after"), None);
    }
    server.load("a").await.is(404, "KeyNotFound");
}
