//! Section 2: keys.

use super::support::{CACHE, Server};

/// Gets by a query that holds a key.
async fn get(server: &Server, query: &str) -> super::support::Answer {
    server.get(&format!("{CACHE}?{query}&token=RW")).await
}

#[tokio::test]
async fn m_020_m_021_one_key_is_needed_and_not_two() {
    let server = Server::start().await;
    server.store("a", "x").await;
    for query in ["", "x=1", "key=a&key_base64=YQ", "key=a&key_base64=Yg"] {
        get(&server, query).await.is(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn m_022_m_024_m_025_text_and_base64_padded_or_not_are_one_item() {
    let server = Server::start().await;
    server.store("example_key", "x").await;
    get(&server, "key_base64=ZXhhbXBsZV9rZXk")
        .await
        .is_value("x");
    get(&server, "key_base64=ZXhhbXBsZV9rZXk%3D")
        .await
        .is_value("x");
    get(&server, "key_base64=ZXhhbXBsZV9rZXk=")
        .await
        .is_value("x");
    // The bytes fb ef ff fe are ++__/g in a mixture of both alphabets.
    let put = format!("{CACHE}?key_base64=--___g&ttl_seconds=60&token=RW");
    server.put(&put, "y").await.is_stored();
    for form in ["++//%2Fg", "%2B%2B%2F%2F%2Fg==", "-%2B_/_g", "++///g"] {
        get(&server, &format!("key_base64={form}"))
            .await
            .is_value("y");
    }
}

#[tokio::test]
async fn m_023_a_binary_key_is_its_bytes() {
    let server = Server::start().await;
    let put = format!("{CACHE}?key_base64=AP8vXw&ttl_seconds=60&token=RW");
    server.put(&put, "x").await.is_stored();
    get(&server, "key_base64=AP8vXw").await.is_value("x");
    let cache = &server.app.engine().cache;
    let cache = cache
        .tenant("acct")
        .unwrap()
        .cache("default-cache")
        .unwrap();
    let key: &[u8] = &[0x00, 0xff, 0x2f, 0x5f];
    assert_eq!(cache.get(key).as_deref(), Some(&b"x"[..]));
}

#[tokio::test]
async fn m_026_what_is_no_base64_is_invalid() {
    let server = Server::start().await;
    for text in [
        "YQ.", "Y", "YWJjZ", "YQ=", "YWI==", "YQ===", "=", "YR", "YWK", "Y%20Q", "Y+%7F",
    ] {
        let answer = get(&server, &format!("key_base64={text}")).await;
        answer.is(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn m_027_m_028_text_is_utf_8() {
    let server = Server::start().await;
    server.store("caf%C3%A9", "x").await;
    get(&server, "key_base64=Y2Fmw6k").await.is_value("x");
    for text in ["%FF", "a%C3", "%ED%A0%80", "%zz", "%", "%4"] {
        let answer = get(&server, &format!("key={text}")).await;
        answer.is(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn m_029_an_empty_key_is_invalid() {
    let server = Server::start().await;
    for query in ["key=", "key_base64=", "key"] {
        get(&server, query).await.is(400, "InvalidArgument");
        let put = format!("{CACHE}?{query}&ttl_seconds=60&token=RW");
        server.put(&put, "x").await.is(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn m_030_a_raw_plus_is_a_space_in_a_key_alone() {
    let server = Server::start().await;
    server.store("a+b", "space").await;
    get(&server, "key=a%20b").await.is_value("space");
    server.store("a%2Bb", "plus").await;
    get(&server, "key_base64=YSti").await.is_value("plus");
    get(&server, "key=a+b").await.is_value("space");
    // Of a token it is a part: see the tokens with a plus below.
    let mut settings = super::support::settings();
    let all = super::support::permission(
        larder_http::auth::Role::ReadWrite,
        None,
        larder_http::auth::Items::All,
    );
    settings.keys.push(super::support::key("P+Q", vec![all]));
    let server = Server::with(&settings).await;
    for token in ["P+Q", "P%2BQ"] {
        let answer = server.get(&format!("{CACHE}?key=a&token={token}")).await;
        answer.is(404, "KeyNotFound");
    }
    let answer = server.get(&format!("{CACHE}?key=a&token=P%20Q")).await;
    answer.is(401, "Unauthenticated");
}

#[tokio::test]
async fn m_030_keys_are_compared_byte_by_byte() {
    let server = Server::start().await;
    server.store("a", "lower").await;
    get(&server, "key=A").await.is(404, "KeyNotFound");
    get(&server, "key=a%20").await.is(404, "KeyNotFound");
}
