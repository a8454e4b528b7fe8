//! Section 8: what refusals look like.

use super::support::{CACHE, Server, settings, vendor};

#[tokio::test]
async fn m_100_m_102_a_refusal_is_an_object_with_a_code_and_a_message() {
    let server = Server::start().await;
    for (method, target, status, code) in [
        (
            "GET",
            "/cache/default-cache?token=RW",
            400,
            "InvalidArgument",
        ),
        ("GET", "/cache/default-cache?key=a", 401, "Unauthenticated"),
        (
            "GET",
            "/cache/default-cache?key=a&token=WO",
            403,
            "PermissionDenied",
        ),
        (
            "GET",
            "/cache/default-cache?key=a&token=RW",
            404,
            "KeyNotFound",
        ),
        ("GET", "/cache/nope?key=a&token=RW", 404, "CacheNotFound"),
        ("GET", "/nowhere", 404, "NotFound"),
        ("POST", "/cache/default-cache", 405, "MethodNotAllowed"),
        ("PUT", "/caches/other?token=ADM", 409, "AlreadyExists"),
    ] {
        let answer = server.send(method, target, &[], b"").await;
        answer.is(status, code);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.json().as_object().unwrap().len(), 2);
        let head = server.send("HEAD", target, &[], b"").await;
        assert!(head.body.is_empty());
    }
    let answer = server.call("increment", "RW", serde_json::json!({}));
    answer.await.is(400, "InvalidArgument");
}

#[tokio::test]
async fn m_101_who_asks_for_text_gets_the_message_alone() {
    let server = Server::start().await;
    let target = format!("{CACHE}?key=a&token=RW");
    for (accept, is_plain) in [
        ("text/plain", true),
        ("text/html, text/plain;q=0.5", true),
        ("text/plain, application/json", true),
        ("application/json, text/plain", false),
        ("Text/Plain; charset=utf-8", true),
        ("text/*, */*;q=0.5", true),
        ("application/json;q=0.1, text/plain;q=0.2", true),
        ("text/plain;q=0.5, application/json;q=0.9", false),
        ("text/plain;q=0", false),
        ("*/*", false),
        ("text/html", false),
        (",;,", false),
    ] {
        let answer = server
            .send("GET", &target, &[("Accept", accept)], b"")
            .await;
        assert_eq!(answer.status, 404);
        let kind = answer.header("content-type").unwrap();
        if is_plain {
            assert_eq!(
                (kind, &*answer.body),
                ("text/plain; charset=utf-8", &b"Key Not Found"[..])
            );
        } else {
            answer.is(404, "KeyNotFound");
        }
    }
}

#[tokio::test]
async fn m_104_a_rate_says_when_to_come_back_and_a_size_does_not() {
    let server = Server::with(&vendor()).await;
    for _ in 0..100 {
        server.load("a").await.is(404, "KeyNotFound");
    }
    let answer = server.load("a").await;
    answer.is(429, "LimitExceeded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let server = Server::with(&vendor()).await;
    let put = format!("{CACHE}?key=a&ttl_seconds=60&token=RW");
    server.put(&put, vec![0; 1 << 19]).await.is_stored();
    for _ in 0..2 {
        server.load("a").await.is_value(vec![0; 1 << 19]);
    }
    let answer = server.put(&put, vec![0; 1 << 19]).await;
    answer.is(429, "LimitExceeded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    server.tick(std::time::Duration::from_secs(1));
    let answer = server.put(&put, vec![0; 1 << 20]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, None));
    // An answer beyond what there is: a second until that is made up for, and one for what is asked.
    let mut slow = settings();
    let account = slow.accounts.get_mut("acct").unwrap();
    account.each_cache.bytes_per_second = Some(larder_http::Bound::At(1000));
    let server = Server::with(&slow).await;
    server.store("a", vec![0; 1000]).await;
    server.tick(std::time::Duration::from_secs(1));
    for _ in 0..2 {
        server.load("a").await.is_value(vec![0; 1000]);
    }
    let answer = server.put(&put, vec![0; 1000]).await;
    answer.is(429, "LimitExceeded");
    assert_eq!(answer.header("retry-after"), Some("2"));
    // Half a second is a second to who counts whole ones, and never less than it takes.
    let answer = server.put(&put, vec![0; 500]).await;
    answer.is(429, "LimitExceeded");
    assert_eq!(answer.header("retry-after"), Some("2"));
    server.tick(std::time::Duration::from_secs(2));
    server.put(&put, vec![0; 1000]).await.is_stored();
}

#[tokio::test]
async fn m_106_messages_name_what_is_wrong_and_never_what_was_sent() {
    let mut settings = settings();
    settings
        .accounts
        .get_mut("acct")
        .unwrap()
        .operations_per_second = Some(larder_http::Bound::At(1));
    let server = Server::with(&settings).await;
    let marker = "Zq7marker";
    for (target, named) in [
        (
            format!("{CACHE}?key=a&ttl_seconds={marker}&token=RW"),
            "ttl_seconds",
        ),
        (
            format!("{CACHE}?key_base64={marker}.&ttl_seconds=1&token=RW"),
            "key_base64",
        ),
        (
            format!("{CACHE}?key={marker}%FF&ttl_seconds=1&token=RW"),
            "key",
        ),
        (format!("{CACHE}?key={marker}&ttl_seconds=1"), "needed"),
        (
            format!("{CACHE}?key={marker}&ttl_seconds=1&token={marker}"),
            "invalid",
        ),
        (
            format!("{CACHE}?key={marker}&ttl_seconds=1&token=EXP"),
            "expired",
        ),
        (
            format!("{CACHE}?key={marker}&ttl_seconds=1&token=RO"),
            "write",
        ),
        (
            format!("/cache/{marker}%zz?key=a&ttl_seconds=1&token=RW"),
            "cache name",
        ),
    ] {
        let answer = server.put(&target, marker).await;
        assert!(matches!(answer.status, 400 | 401 | 403));
        let message = answer.message();
        assert!(message.contains(named), "{target}: {message}");
        assert!(
            !message.contains(marker) && !message.contains("EXP"),
            "{message}"
        );
    }
    let body = format!("{{\"key\": \"{marker}\", \"{marker}\": {marker}}}");
    let target = "/caches/default-cache/items/set-if?token=RW";
    let answer = server.send("POST", target, &[], body.as_bytes()).await;
    answer.is(400, "InvalidArgument");
    assert!(!answer.message().contains(marker));
    server.load(marker).await.is(404, "KeyNotFound");
    let refused = server.load(marker).await;
    refused.is(429, "LimitExceeded");
    assert!(refused.message().contains("account"));
    assert!(refused.message().contains('1'), "{}", refused.message());
}

#[tokio::test]
async fn m_106_of_a_body_is_said_what_would_be_right() {
    let server = Server::start().await;
    let marker = "Zq7marker";
    let bogus = format!("x`, expected {marker}; it has to be {marker} at line {marker}");
    let increment = "/caches/default-cache/items/increment?token=RW";
    let tokens = "/tokens?token=ADM";
    for (target, body, right) in [
        (
            increment,
            r#"{"key":"YQ","amount":1}"#.to_owned(),
            "missing field `ttl_seconds`",
        ),
        (
            increment,
            r#"{"key":"a.","amount":1,"ttl_seconds":1}"#.to_owned(),
            "a key or a value is not base64",
        ),
        (
            increment,
            r#"{"key":"","amount":1,"ttl_seconds":1}"#.to_owned(),
            "the key is empty",
        ),
        (
            increment,
            format!(r#"{{"{bogus}":"YQ"}}"#),
            "expected one of `key`, `amount`",
        ),
        (
            increment,
            format!(r#"{{"key":"YQ","amount":"{bogus}","ttl_seconds":1}}"#),
            "expected i64",
        ),
        (
            tokens,
            format!(r#"{{"permissions":[{{"role":"{bogus}"}}],"ttl_seconds":60}}"#),
            r#"expected "readwrite" or "readonly" or "writeonly""#,
        ),
        (
            tokens,
            r#"{"permissions":[{"role":"readonly","key":"a","key_prefix":"a"}],"ttl_seconds":60}"#
                .to_owned(),
            "a permission has a key and a prefix",
        ),
    ] {
        let answer = server.send("POST", target, &[], body.as_bytes()).await;
        answer.is(400, "InvalidArgument");
        let message = answer.message();
        assert!(message.contains(right), "{body}: {message}");
        assert!(!message.contains(marker), "{body}: {message}");
    }
}
