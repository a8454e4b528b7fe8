//! Section 11: caches.

use std::time::Duration;

use serde_json::json;

use super::support::{Answer, Server, vendor};

async fn cache(server: &Server, method: &str, path: &str) -> Answer {
    let target = format!("/caches/{path}?token=ADM");
    server.send(method, &target, &[], b"").await
}

async fn store_in(server: &Server, cache: &str) {
    let target = format!("/cache/{cache}?key=a&ttl_seconds=60&token=RW");
    server.put(&target, "x").await.is_stored();
}

async fn load_from(server: &Server, cache: &str) -> Answer {
    let target = format!("/cache/{cache}?key=a&token=RW");
    server.get(&target).await
}

#[tokio::test]
async fn m_130_a_cache_is_made_once_and_keeps_its_items() {
    let server = Server::start().await;
    let made = cache(&server, "PUT", "new%20one").await;
    assert_eq!((made.status, made.body.len()), (201, 0));
    store_in(&server, "new%20one").await;
    cache(&server, "PUT", "new%20one")
        .await
        .is(409, "AlreadyExists");
    load_from(&server, "new%20one").await.is_value("x");
}

#[tokio::test]
async fn m_131_a_name_is_not_blank_and_the_vendors_caches_are_ten() {
    let server = Server::with(&vendor()).await;
    cache(&server, "PUT", "%20")
        .await
        .is(400, "InvalidArgument");
    for n in 0..8 {
        assert_eq!(cache(&server, "PUT", &format!("c{n}")).await.status, 201);
        server.tick(Duration::from_secs(1));
    }
    let refused = cache(&server, "PUT", "c8").await;
    refused.is(429, "LimitExceeded");
    assert!(refused.message().contains("10"));
    assert_eq!(refused.header("retry-after"), None);
}

#[tokio::test]
async fn m_131_the_vendors_control_operations_are_five_a_second() {
    let server = Server::with(&vendor()).await;
    for n in 0..5 {
        assert_eq!(cache(&server, "PUT", &format!("c{n}")).await.status, 201);
    }
    let refused = server.get("/caches?token=ADM").await;
    refused.is(429, "LimitExceeded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Items are another matter.
    load_from(&server, "c0").await.is(404, "KeyNotFound");
    server.tick(Duration::from_millis(200));
    assert_eq!(server.get("/caches?token=ADM").await.status, 200);
}

#[tokio::test]
async fn m_132_m_133_a_deleted_cache_is_gone_and_begins_anew() {
    let server = Server::start().await;
    store_in(&server, "other").await;
    load_from(&server, "other").await.is_value("x");
    cache(&server, "DELETE", "other").await.is_stored();
    load_from(&server, "other").await.is(404, "CacheNotFound");
    cache(&server, "DELETE", "other")
        .await
        .is(404, "CacheNotFound");
    assert_eq!(cache(&server, "PUT", "other").await.status, 201);
    load_from(&server, "other").await.is(404, "KeyNotFound");
    let engine = &server.app.engine().cache;
    let stats = engine
        .tenant("acct")
        .unwrap()
        .cache("other")
        .unwrap()
        .stats();
    assert_eq!((stats.hits, stats.misses(), stats.inserted), (0, 1, 0));
}

#[tokio::test]
async fn m_134_a_flush_takes_the_items_and_nothing_else() {
    let server = Server::with(&vendor()).await;
    store_in(&server, "other").await;
    let limits = server.get("/caches?token=ADM").await.json();
    for _ in 0..2 {
        cache(&server, "POST", "other/flush").await.is_stored();
        load_from(&server, "other").await.is(404, "KeyNotFound");
    }
    cache(&server, "POST", "nope/flush")
        .await
        .is(404, "CacheNotFound");
    server.tick(Duration::from_secs(1));
    assert_eq!(server.get("/caches?token=ADM").await.json(), limits);
}

#[tokio::test]
async fn m_135_the_caches_are_listed_by_name_with_their_limits() {
    let server = Server::with(&vendor()).await;
    cache(&server, "PUT", "a").await;
    let limits = json!({ "max_traffic_rate": 100, "max_throughput_kbps": 1024,
                         "max_item_size_kb": 1024, "max_ttl_seconds": 86_400 });
    let one = |name: &str| json!({ "name": name, "limits": limits });
    let all = json!({ "caches": [one("a"), one("default-cache"), one("other")], "next_token": "" });
    assert_eq!(server.get("/caches?token=ADM").await.json(), all);
    let open = Server::start().await;
    let listed = open.get("/caches?token=ADM").await.json();
    let limits = json!({ "max_traffic_rate": null, "max_throughput_kbps": null,
                         "max_item_size_kb": 16_384, "max_ttl_seconds": null });
    assert_eq!(listed["caches"][0]["limits"], limits);
}

#[tokio::test]
async fn what_is_answered_to_one_token_is_kept_by_no_cache() {
    let server = Server::start().await;
    let mint = br#"{"permissions":[{"role":"readonly"}],"ttl_seconds":60}"#;
    for (status, method, target, body) in [
        (200, "GET", "/caches?token=ADM", &b""[..]),
        (403, "GET", "/caches?token=RW", b""),
        (201, "POST", "/tokens?token=ADM", mint),
        (200, "GET", "/metrics?token=ADM", b""),
        (200, "GET", "/console/data?token=ADM", b""),
        (
            200,
            "POST",
            "/caches/other/items/exists?token=RO",
            br#"{"key":"YQ"}"#,
        ),
    ] {
        let answer = server.send(method, target, &[], body).await;
        assert_eq!(answer.status, status, "{target}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{target}");
    }
    for (target, kept) in [
        ("/console", Some("no-cache")),
        ("/openapi.json", None),
        ("/elsewhere", None),
    ] {
        let answer = server.get(target).await;
        assert_eq!(answer.header("cache-control"), kept, "{target}");
    }
}
