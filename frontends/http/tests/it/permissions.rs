//! Section 4: what tokens allow.

use super::support::{CACHE, Server, key, permission, settings};
use larder_http::auth::{Items, Role};
use serde_json::json;

async fn statuses(server: &Server, token: &str) -> [u16; 3] {
    let target = format!("{CACHE}?key=a&token={token}");
    let put = format!("{target}&ttl_seconds=60");
    [
        server.put(&put, "x").await.status,
        server.get(&target).await.status,
        server.delete(&target).await.status,
    ]
}

#[tokio::test]
async fn m_050_m_053_m_054_each_role_allows_what_its_name_says() {
    let server = Server::start().await;
    assert_eq!(statuses(&server, "RW").await, [204, 200, 204]);
    assert_eq!(statuses(&server, "RO").await, [403, 404, 403]);
    assert_eq!(statuses(&server, "WO").await, [204, 403, 204]);
    assert_eq!(statuses(&server, "ADM").await, [204, 200, 204]);
    server.store("a", "x").await;
    let target = format!("{CACHE}?key=a&token=RO");
    server.get(&target).await.is_value("x");
    assert_eq!(server.send("HEAD", &target, &[], b"").await.status, 200);
    let target = format!("{CACHE}?key=a&token=WO");
    assert_eq!(server.send("HEAD", &target, &[], b"").await.status, 403);
}

/// A server that knows one more token.
async fn knowing(permissions: Vec<larder_http::auth::Permission>) -> Server {
    let mut settings = settings();
    settings.keys.push(key("T", permissions));
    let account = settings.accounts.get_mut("acct").unwrap();
    for name in ["c1", "c2", "demo"] {
        account.caches.insert(name.into(), Default::default());
    }
    Server::with(&settings).await
}

async fn put(server: &Server, cache: &str, key: &str) -> u16 {
    let target = format!("/cache/{cache}?key={key}&ttl_seconds=60&token=T");
    server.put(&target, "x").await.status
}

async fn get(server: &Server, cache: &str, key: &str) -> u16 {
    let target = format!("/cache/{cache}?key={key}&token=T");
    server.get(&target).await.status
}

#[tokio::test]
async fn m_051_a_permission_is_for_one_cache_or_for_all() {
    let one = permission(Role::ReadWrite, Some("c1"), Items::All);
    let server = knowing(vec![one]).await;
    assert_eq!(put(&server, "c1", "a").await, 204);
    assert_eq!(put(&server, "c2", "a").await, 403);
    assert_eq!(put(&server, "nope", "a").await, 403);
    let server = knowing(vec![permission(Role::ReadWrite, None, Items::All)]).await;
    assert_eq!(put(&server, "c2", "a").await, 204);
    assert_eq!(put(&server, "nope", "a").await, 404);
}

#[tokio::test]
async fn m_052_a_permission_is_for_all_items_one_or_a_prefix_and_never_for_two_of_these() {
    let only = Items::Key(vec![0xff, 0x00]);
    let server = knowing(vec![permission(Role::ReadWrite, None, only)]).await;
    let target = |key: &str| format!("/cache/c1?key_base64={key}&token=T");
    server.get(&target("_wA")).await.is(404, "KeyNotFound");
    server
        .get(&target("_wAA"))
        .await
        .is(403, "PermissionDenied");
    server.get(&target("_w")).await.is(403, "PermissionDenied");
    let both = json!([{ "role": "readonly", "key": "a", "key_prefix": "b" }]);
    let read = serde_json::from_value::<Vec<larder_http::auth::Permission>>(both);
    assert!(read.is_err());
}

#[tokio::test]
async fn m_055_what_reveals_and_changes_needs_both_rights() {
    let server = Server::start().await;
    server.store("k", "1").await;
    let b64 = "aw";
    for (op, body) in [
        (
            "set-if",
            json!({ "key": b64, "value": "MQ", "ttl_seconds": 60, "condition": "absent" }),
        ),
        (
            "ttl",
            json!({ "key": b64, "mode": "increase", "ttl_seconds": 60 }),
        ),
        (
            "ttl",
            json!({ "key": b64, "mode": "decrease", "ttl_seconds": 60 }),
        ),
        (
            "ttl",
            json!({ "key": b64, "mode": "update", "ttl_seconds": 60 }),
        ),
        (
            "increment",
            json!({ "key": b64, "amount": 1, "ttl_seconds": 60 }),
        ),
    ] {
        for token in ["WO", "RO"] {
            let answer = server.call(op, token, body.clone()).await;
            answer.is(403, "PermissionDenied");
        }
        assert_eq!(server.call(op, "RW", body).await.status, 200);
    }
    for (op, body) in [
        ("ttl", json!({ "key": b64 })),
        ("exists", json!({ "key": b64 })),
        ("get-batch", json!({ "keys": [b64] })),
    ] {
        server
            .call(op, "WO", body.clone())
            .await
            .is(403, "PermissionDenied");
        assert_eq!(server.call(op, "RO", body).await.status, 200);
    }
    let batch = json!({ "items": [{ "key": b64, "value": "MQ" }], "ttl_seconds": 60 });
    let answer = server.call("set-batch", "RO", batch.clone()).await;
    answer.is(403, "PermissionDenied");
    assert_eq!(server.call("set-batch", "WO", batch).await.status, 200);
}

#[tokio::test]
async fn m_056_any_one_permission_allows() {
    let server = knowing(vec![
        permission(Role::ReadOnly, Some("demo"), Items::Key(b"mappings".into())),
        permission(Role::ReadWrite, Some("demo"), Items::Key(b"hits".into())),
    ])
    .await;
    assert_eq!(get(&server, "demo", "mappings").await, 404);
    assert_eq!(put(&server, "demo", "mappings").await, 403);
    assert_eq!(put(&server, "demo", "hits").await, 204);
    assert_eq!(get(&server, "demo", "hits").await, 200);
    for (cache, key) in [("demo", "hit"), ("demo", "hits2"), ("c1", "hits")] {
        assert_eq!(get(&server, cache, key).await, 403);
    }
}

#[tokio::test]
async fn m_057_a_key_and_a_prefix_of_one_cache() {
    let server = knowing(vec![
        permission(Role::WriteOnly, Some("c1"), Items::Key(b"cow".into())),
        permission(Role::WriteOnly, Some("c1"), Items::Prefix(b"pet".into())),
    ])
    .await;
    for key in ["cow", "pet-fish", "pet"] {
        assert_eq!(put(&server, "c1", key).await, 204);
    }
    for (cache, key) in [("c1", "foo"), ("c2", "cow"), ("c2", "pet-bird")] {
        assert_eq!(put(&server, cache, key).await, 403);
    }
    for (cache, key) in [
        ("c1", "cow"),
        ("c1", "pet"),
        ("c1", "pet-none"),
        ("c2", "cow"),
    ] {
        assert_eq!(get(&server, cache, key).await, 403);
    }
}

#[tokio::test]
async fn m_058_a_prefix_is_bytes_in_their_case() {
    let prefix = Items::Prefix(b"MYTENANTID-".into());
    let server = knowing(vec![permission(Role::ReadWrite, None, prefix)]).await;
    assert_eq!(put(&server, "c1", "MYTENANTID-1").await, 204);
    assert_eq!(put(&server, "c1", "mytenantid-1").await, 403);
    assert_eq!(put(&server, "c1", "MYTENANTID").await, 403);
}

#[tokio::test]
async fn m_059_only_a_super_user_administers() {
    let server = Server::start().await;
    for (method, path) in [
        ("PUT", "/caches/new"),
        ("DELETE", "/caches/other"),
        ("DELETE", "/caches/nope"),
        ("POST", "/caches/other/flush"),
        ("GET", "/caches"),
        ("GET", "/metrics"),
    ] {
        for token in ["RW", "RO", "WO"] {
            let target = format!("{path}?token={token}");
            let answer = server.send(method, &target, &[], b"").await;
            answer.is(403, "PermissionDenied");
        }
    }
    let caches = server.get("/caches?token=ADM").await.json();
    assert_eq!(caches["caches"].as_array().unwrap().len(), 2);
}
