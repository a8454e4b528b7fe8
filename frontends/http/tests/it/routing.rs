//! Section 1 of the specification: routes, paths, and what a query may hold besides.

use super::support::{CACHE, Server, settings};

#[tokio::test]
async fn m_001_get_put_and_delete_are_the_three_operations() {
    let server = Server::start().await;
    server.store("a", "1").await;
    server.load("a").await.is_value("1");
    let gone = server.delete(&format!("{CACHE}?key=a&token=RW")).await;
    gone.is_stored();
    server.load("a").await.is(404, "KeyNotFound");
}

#[tokio::test]
async fn m_002_names_are_split_before_they_are_decoded_and_decoded_once() {
    let mut settings = settings();
    let account = settings.accounts.get_mut("acct").unwrap();
    for name in ["my cache", "a/b", "50%25"] {
        account.caches.insert(name.into(), Default::default());
    }
    let server = Server::with(&settings).await;
    for (path, name) in [
        ("my%20cache", "my cache"),
        ("a%2Fb", "a/b"),
        ("50%2525", "50%25"),
    ] {
        let target = format!("/cache/{path}?key=a&ttl_seconds=60&token=RW");
        server.put(&target, name).await.is_stored();
        let cache = server.app.engine().cache.tenant("acct").unwrap();
        let stored = cache.cache(name).unwrap().get("a");
        assert_eq!(stored.as_deref(), Some(name.as_bytes()));
    }
}

#[tokio::test]
async fn m_003_a_bad_escape_and_a_blank_name_are_invalid() {
    let server = Server::start().await;
    for name in ["%zz", "%2", "a%", "%20", "%09%20", "%FF"] {
        let answer = server.get(&format!("/cache/{name}?key=a&token=RW")).await;
        answer.is(400, "InvalidArgument");
        let caches = format!("/caches/{name}/flush?token=ADM");
        let answer = server.send("POST", &caches, &[], b"").await;
        answer.is(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn m_004_an_unknown_path_is_told_apart_from_a_miss() {
    let server = Server::start().await;
    for path in [
        "/cache",
        "/cache/",
        "/elsewhere",
        "/",
        "/caches/a/items/x",
        "//",
        // A key or a name that isn't there.
        "/cache/default-cache/",
        "/cache//a",
        "/cache//",
    ] {
        for method in ["GET", "PUT", "POST"] {
            let answer = server.send(method, path, &[], b"").await;
            answer.is(404, "NotFound");
            assert_eq!(answer.message(), "Not Found");
        }
    }
}

#[tokio::test]
async fn m_005_another_method_is_told_what_is_allowed() {
    let server = Server::start().await;
    for method in ["POST", "PATCH", "TRACE", "BREW"] {
        let answer = server
            .send(method, &format!("{CACHE}?key=a&token=RW"), &[], b"")
            .await;
        answer.is(405, "MethodNotAllowed");
        let allow = Some("GET, HEAD, PUT, DELETE, OPTIONS");
        assert_eq!(answer.header("allow"), allow);
    }
    for path in ["/caches/a/flush", "/tokens", "/caches", "/health/live"] {
        let answer = server.delete(path).await;
        answer.is(405, "MethodNotAllowed");
        assert!(answer.header("allow").is_some(), "{path}");
    }
}

#[tokio::test]
async fn m_006_head_is_get_without_the_body() {
    let server = Server::start().await;
    server.store("a", "12345").await;
    let target = format!("{CACHE}?key=a&token=RW");
    let (head, get) = (
        server.send("HEAD", &target, &[], b"").await,
        server.get(&target).await,
    );
    assert_eq!((head.status, head.body.len()), (200, 0));
    let mut headers = (head.headers.clone(), get.headers.clone());
    headers.0.remove("date");
    headers.1.remove("date");
    assert_eq!(headers.0, headers.1);
    assert_eq!(head.header("content-length"), Some("5"));
    let target = format!("{CACHE}?key=absent&token=RW");
    let head = server.send("HEAD", &target, &[], b"").await;
    let get = server.get(&target).await;
    assert_eq!((head.status, head.body.len()), (404, 0));
    for name in ["content-type", "content-length"] {
        assert_eq!(head.header(name), get.header(name));
    }
    assert_eq!(
        head.header("content-length"),
        Some(&*get.body.len().to_string())
    );
}

#[tokio::test]
async fn m_007_the_rest_of_the_path_is_the_key() {
    let server = Server::start().await;
    let by_path = format!("{CACHE}/dir/file.ts");
    let target = format!("{by_path}?ttl_seconds=60&token=RW");
    server.put(&target, "x").await.is_stored();
    server.load("dir/file.ts").await.is_value("x");
    server
        .get(&format!("{by_path}?token=RW"))
        .await
        .is_value("x");
    let head = server
        .send("HEAD", &format!("{by_path}?token=RW"), &[], b"")
        .await;
    assert_eq!(head.status, 200);
    // Decoded, its slashes kept; a plus in a path is a plus.
    let decoded = format!("{CACHE}/a%20b+c/?ttl_seconds=60&token=RW");
    server.put(&decoded, "y").await.is_stored();
    server.load("a%20b%2Bc/").await.is_value("y");
    let gone = server.delete(&format!("{by_path}?token=RW")).await;
    gone.is_stored();
    server.load("dir/file.ts").await.is(404, "KeyNotFound");
}

#[tokio::test]
async fn m_008_a_key_in_the_path_and_in_the_query_is_ambiguous() {
    let server = Server::start().await;
    for key in ["key=a", "key_base64=YQ", "key=a&key_base64=YQ"] {
        let answer = server.get(&format!("{CACHE}/a?{key}&token=RW")).await;
        answer.is(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn m_009_m_010_what_is_not_known_and_what_is_empty_is_ignored() {
    let server = Server::start().await;
    let target = format!("{CACHE}?key=a&value=zzz&role=origin&ttl_seconds=60&token=RW&value=%zz");
    server.put(&target, "body").await.is_stored();
    server.load("a").await.is_value("body");
    let target = format!("{CACHE}?key=b&token=RW&&ttl_seconds=30&");
    server.put(&target, "body").await.is_stored();
    server.load("b").await.is_value("body");
    // A GET has no time to live, so it may say any.
    let target = format!("{CACHE}?key=a&ttl_seconds=never&token=RW");
    server.get(&target).await.is_value("body");
}

#[tokio::test]
async fn m_011_a_parameter_given_twice_is_invalid() {
    let server = Server::start().await;
    for query in [
        "key=a&key=b&token=RW",
        "key=a&key=a&token=RW",
        "key_base64=YQ&key_base64=YQ&token=RW",
        "key=a&k%65y=a&token=RW",
        "key=a&token=RW&token=RW",
        // Known, though a GET has no use for it.
        "key=a&token=RW&ttl_seconds=5&ttl_seconds=5",
    ] {
        let target = format!("{CACHE}?{query}");
        server.get(&target).await.is(400, "InvalidArgument");
        server.delete(&target).await.is(400, "InvalidArgument");
    }
    let target = format!("{CACHE}?key=a&token=RW&ttl_seconds=5&ttl_seconds=5");
    server.put(&target, "").await.is(400, "InvalidArgument");
}

#[tokio::test]
async fn m_123_a_token_of_another_region_is_refused_where_there_is_one() {
    let mut settings = settings();
    settings.region = Some("us-west-2".into());
    let west = Server::with(&settings).await;
    let token = super::tokens::minted(&west, "readwrite").await;
    let target = format!("{CACHE}?key=a&token={token}");
    west.get(&target).await.is(404, "KeyNotFound");
    settings.region = Some("eu-west-1".into());
    let east = Server::with(&settings).await;
    east.get(&target).await.is(401, "Unauthenticated");
    settings.region = None;
    let nowhere = Server::with(&settings).await;
    nowhere.get(&target).await.is(404, "KeyNotFound");
}
