//! Section 3: where the token is, and in which order a request is checked.

use std::time::Duration;

use super::support::{Answer, CACHE, EPOCH, Server, key, permission, settings};
use larder_http::auth::{Items, Role, hash_of};

async fn with_header(server: &Server, value: &str) -> Answer {
    let target = format!("{CACHE}?key=a");
    let headers = [("Authorization", value)];
    server.send("GET", &target, &headers, b"").await
}

#[tokio::test]
async fn m_031_m_032_m_034_a_token_in_the_query_or_in_the_header() {
    let server = Server::start().await;
    server.store("a", "x").await;
    server.load("a").await.is_value("x");
    for value in ["RW", "Bearer RW", "bearer RW", "BEARER   RW", " RW "] {
        with_header(&server, value).await.is_value("x");
    }
    with_header(&server, "Token RW")
        .await
        .is(401, "Unauthenticated");
}

#[tokio::test]
async fn m_033_two_credentials_are_invalid_equal_or_not() {
    let server = Server::start().await;
    for token in ["RW", "RO", "nonsense", ""] {
        let target = format!("{CACHE}?key=a&token={token}");
        let headers = [("Authorization", "RW")];
        let answer = server.send("GET", &target, &headers, b"").await;
        answer.is(400, "InvalidArgument");
    }
    let twice = [("Authorization", "RW"), ("Authorization", "RW")];
    let target = format!("{CACHE}?key=a");
    let answer = server.send("GET", &target, &twice, b"").await;
    answer.is(400, "InvalidArgument");
}

#[tokio::test]
async fn m_035_basic_is_behind_a_setting() {
    // momento:RW
    let basic = "Basic bW9tZW50bzpSVw==";
    let server = Server::start().await;
    with_header(&server, basic).await.is(401, "Unauthenticated");
    let mut settings = settings();
    settings.basic_auth = true;
    let server = Server::with(&settings).await;
    with_header(&server, basic).await.is(404, "KeyNotFound");
    with_header(&server, "RW").await.is(404, "KeyNotFound");
    // Another user, no colon, no base64.
    for value in ["Basic b3RoZXI6Ulc=", "Basic UlcK", "Basic ***"] {
        let answer = with_header(&server, value).await;
        answer.is(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn m_036_m_039_m_040_no_credential_is_unauthenticated() {
    let server = Server::start().await;
    for query in ["key=a", "key=a&token=", "key=a&token"] {
        let answer = server.get(&format!("{CACHE}?{query}")).await;
        answer.is(401, "Unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test]
async fn m_037_m_040_an_unknown_malformed_or_expired_token_is_unauthenticated() {
    let server = Server::start().await;
    for token in ["EXP", "rw", "RWx", "%00", "%FF%FE", "a.b.c", "..", "%20RW"] {
        let answer = server.get(&format!("{CACHE}?key=a&token={token}")).await;
        answer.is(401, "Unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    // Those whose hashes begin or end as that of a token that is good.
    let good = hash_of(b"RW");
    for at in [0, 31] {
        let alike = (0..).map(|n: u32| n.to_string());
        let mut alike = alike.filter(|token| hash_of(token.as_bytes())[at] == good[at]);
        let target = format!("{CACHE}?key=a&token={}", alike.next().unwrap());
        server.get(&target).await.is(401, "Unauthenticated");
    }
}

#[tokio::test]
async fn m_038_a_right_that_is_lacking_is_denied() {
    let server = Server::start().await;
    let target = format!("{CACHE}?key=a&ttl_seconds=60&token=RO");
    server.put(&target, "x").await.is(403, "PermissionDenied");
}

#[tokio::test]
async fn m_041_checks_come_in_one_order() {
    let server = Server::start().await;
    let put = |target: &'static str| server.put(target, "x");
    // Route and method, before the credential.
    let answer = server.send("POST", "/cache/nope?token=RW&token=RW", &[], b"");
    answer.await.is(405, "MethodNotAllowed");
    server.get("/x?token=RW&token=RW").await.is(404, "NotFound");
    // The credential's form, before who it is.
    put("/cache/nope?token=bad&token=bad")
        .await
        .is(400, "InvalidArgument");
    put("/cache/nope?token=%zz")
        .await
        .is(400, "InvalidArgument");
    // Who it is, before the parameters.
    put("/cache/default-cache?token=bad")
        .await
        .is(401, "Unauthenticated");
    put("/cache/%zz?key=&token=bad")
        .await
        .is(401, "Unauthenticated");
    // Parameters, before rights.
    let both = put("/cache/default-cache?key=a&ttl_seconds=x&token=RO").await;
    both.is(400, "InvalidArgument");
    // Rights, before there is a cache.
    put("/cache/nope?key=a&ttl_seconds=5&token=RO")
        .await
        .is(403, "PermissionDenied");
    // Parameters, before there is a cache.
    put("/cache/nope?key=a&ttl_seconds=x&token=RW")
        .await
        .is(400, "InvalidArgument");
    put("/cache/nope?key=a&ttl_seconds=5&token=RW")
        .await
        .is(404, "CacheNotFound");
}

#[tokio::test]
async fn m_041_rates_of_the_account_come_before_the_cache_and_its_own_after() {
    let mut settings = super::support::vendor();
    let account = settings.accounts.get_mut("acct").unwrap();
    account.operations_per_second = Some(larder_http::Bound::At(1));
    let server = Server::with(&settings).await;
    server.load("a").await.is(404, "KeyNotFound");
    let target = "/cache/nope?key=a&token=RW";
    server.get(target).await.is(429, "LimitExceeded");
    server
        .get("/cache/nope?key=a&token=WO")
        .await
        .is(403, "PermissionDenied");
    // Before sizes and times of an item as well, whose refusals nobody is told to come back after.
    let large = format!("{CACHE}?key=a&ttl_seconds=60&token=RW");
    let long = format!("{CACHE}?key=a&ttl_seconds=86401&token=RW");
    for (target, body) in [(&large, vec![b'x'; 1 << 20]), (&long, vec![b'x'])] {
        let refused = server.put(target, &body).await;
        refused.is(429, "LimitExceeded");
        assert!(
            refused.message().contains("account"),
            "{}",
            refused.message()
        );
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    server.tick(Duration::from_secs(1));
    let refused = server.put(&large, vec![b'x'; 1 << 20]).await;
    assert!(
        refused.message().contains("item size"),
        "{}",
        refused.message()
    );
    server.put(&long, "x").await.is(400, "InvalidArgument");
    server.get(target).await.is(404, "CacheNotFound");
}

#[tokio::test]
async fn m_064_a_token_is_good_until_its_last_second_and_not_in_it() {
    let mut settings = settings();
    let all = permission(Role::ReadWrite, None, Items::All);
    let mut short = key("SHORT", vec![all]);
    short.expires_at = Some(EPOCH + 10);
    settings.keys.push(short);
    let server = Server::with(&settings).await;
    let signed = super::tokens::mint_for(&server, "readwrite", 10).await;
    server.tick(Duration::from_secs(9));
    for token in ["SHORT", &signed] {
        let answer = server.get(&format!("{CACHE}?key=a&token={token}")).await;
        answer.is(404, "KeyNotFound");
    }
    server.tick(Duration::from_secs(1));
    for token in ["SHORT", &signed] {
        let answer = server.get(&format!("{CACHE}?key=a&token={token}")).await;
        answer.is(401, "Unauthenticated");
        assert!(answer.message().contains("expired"));
    }
}
