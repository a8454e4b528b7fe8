//! Sections 5 to 7: GET, PUT and DELETE.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use larder_http::{Bound, Unlimited};

use super::support::{CACHE, Server, settings, vendor};

const SECOND: Duration = Duration::from_secs(1);

async fn put_for(server: &Server, key: &str, ttl: &str) -> super::support::Answer {
    let target = format!("{CACHE}?key={key}&ttl_seconds={ttl}&token=RW");
    server.put(&target, "x").await
}

#[tokio::test]
async fn m_070_get_returns_the_bytes() {
    let server = Server::start().await;
    server.store("a", "example value").await;
    let answer = server.load("a").await;
    answer.is_value("example value");
    let kind = Some("application/octet-stream");
    assert_eq!(answer.header("content-type"), kind);
}

#[tokio::test]
async fn m_071_m_072_any_bytes_are_a_value_and_none_as_well() {
    let server = Server::start().await;
    let all: Vec<u8> = (0..=255).collect();
    server.store("all", &all).await;
    server.load("all").await.is_value(&all);
    server.store("none", "").await;
    let answer = server.load("none").await;
    answer.is_value("");
    assert_eq!(answer.header("content-length"), Some("0"));
}

#[tokio::test]
async fn m_073_m_074_a_miss_and_a_missing_cache_are_told_apart() {
    let server = Server::start().await;
    let miss = server.load("absent").await;
    miss.is(404, "KeyNotFound");
    assert!(miss.message().contains("Key Not Found"));
    assert_eq!(miss.reason, "Not Found");
    let nowhere = server.get("/cache/nope?key=a&token=RW").await;
    nowhere.is(404, "CacheNotFound");
    assert!(nowhere.message().contains("Cache Not Found"));
}

#[tokio::test]
async fn m_075_m_076_an_item_is_gone_at_its_deadline_which_reading_does_not_move() {
    let server = Server::start().await;
    put_for(&server, "a", "5").await.is_stored();
    server.tick(4 * SECOND);
    server.load("a").await.is_value("x");
    server.load("a").await.is_value("x");
    server.tick(SECOND - Duration::from_nanos(1));
    server.load("a").await.is_value("x");
    server.tick(Duration::from_nanos(1));
    server.load("a").await.is(404, "KeyNotFound");
}

#[tokio::test]
async fn m_077_no_intermediary_keeps_a_value() {
    let server = Server::start().await;
    server.store("a", "x").await;
    let cached = server.load("a").await;
    assert_eq!(cached.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn m_080_a_put_is_answered_with_nothing() {
    let server = Server::start().await;
    let answer = put_for(&server, "a", "5").await;
    answer.is_stored();
    assert_eq!(
        (answer.reason.as_str(), answer.header("content-type")),
        ("No Content", None)
    );
}

#[tokio::test]
async fn m_081_the_body_is_stored_whatever_it_says_it_is() {
    let server = Server::start().await;
    let body = b"a=1&b=%zz+{}\r\n\x00\xff";
    for kind in [
        "application/octet-stream",
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ] {
        let target = format!("{CACHE}?key=a&ttl_seconds=5&token=RW");
        let headers = [("Content-Type", kind)];
        let answer = server.send("PUT", &target, &headers, body).await;
        answer.is_stored();
        server.load("a").await.is_value(body);
    }
    server.store("b", body).await;
    server.load("b").await.is_value(body);
}

#[tokio::test]
async fn m_082_m_083_m_084_a_time_to_live_is_a_whole_number_above_zero() {
    let server = Server::start().await;
    let target = format!("{CACHE}?key=a&token=RW");
    server.put(&target, "x").await.is(400, "InvalidArgument");
    for ttl in [
        "-1",
        "1.5",
        "abc",
        "",
        "1e3",
        "+5",
        "%2B5",
        "%205",
        "0x10",
        "5%20",
        "0",
        "000",
        "%D9%A5",
        "99999999999999999999999",
        "18446744073709551616",
        "%zz",
    ] {
        let answer = put_for(&server, "a", ttl).await;
        answer.is(400, "InvalidArgument");
        assert!(answer.message().contains("ttl_seconds"));
    }
    server.load("a").await.is(404, "KeyNotFound");
}

#[tokio::test]
async fn m_085_leading_zeros_are_taken() {
    let server = Server::start().await;
    put_for(&server, "a", "0300").await.is_stored();
    server.tick(299 * SECOND);
    server.load("a").await.is_value("x");
    server.tick(SECOND);
    server.load("a").await.is(404, "KeyNotFound");
}

#[tokio::test]
async fn m_086_the_vendors_items_live_a_day_at_most() {
    let server = Server::with(&vendor()).await;
    put_for(&server, "a", "86400").await.is_stored();
    let answer = put_for(&server, "a", "86401").await;
    answer.is(400, "InvalidArgument");
    assert!(answer.message().contains("86400"));
    server.tick(86_399 * SECOND);
    server.load("a").await.is_value("x");
}

#[tokio::test]
async fn m_087_without_a_maximum_any_time_to_live_is_taken() {
    let server = Server::start().await;
    for ttl in ["4294967296", "18446744073709551615"] {
        put_for(&server, ttl, ttl).await.is_stored();
        server.tick(100 * 365 * 86_400 * SECOND);
        server.load(ttl).await.is_value("x");
    }
    server.load("4294967296").await.is(404, "KeyNotFound");
    let mut settings = vendor();
    let account = settings.accounts.get_mut("acct").unwrap();
    account.each_cache.ttl_seconds_max = Some(Bound::None(Unlimited::Unlimited));
    let server = Server::with(&settings).await;
    put_for(&server, "a", "4294967296").await.is_stored();
    server.tick(4_294_967_295 * SECOND);
    server.load("a").await.is_value("x");
}

#[tokio::test]
async fn m_088_a_put_replaces_value_and_time_to_live() {
    let server = Server::start().await;
    put_for(&server, "a", "100").await.is_stored();
    server.tick(50 * SECOND);
    let target = format!("{CACHE}?key=a&ttl_seconds=10&token=RW");
    server.put(&target, "new").await.is_stored();
    server.tick(9 * SECOND);
    server.load("a").await.is_value("new");
    server.tick(SECOND);
    server.load("a").await.is(404, "KeyNotFound");
}

#[tokio::test]
async fn m_089_m_097_a_missing_cache_is_not_made() {
    let server = Server::start().await;
    let target = "/cache/nope?key=a&ttl_seconds=5&token=RW";
    server.put(target, "x").await.is(404, "CacheNotFound");
    server.delete(target).await.is(404, "CacheNotFound");
    let caches = server.get("/caches?token=ADM").await;
    assert!(!String::from_utf8(caches.body).unwrap().contains("nope"));
}

#[tokio::test]
async fn m_090_an_item_has_key_and_value_within_the_limit() {
    let server = Server::with(&vendor()).await;
    let limit = 1 << 20;
    let target = format!("{CACHE}?key=key&ttl_seconds=60&token=RW");
    server.put(&target, vec![b'x'; limit - 3]).await.is_stored();
    server.tick(SECOND);
    let answer = server.put(&target, vec![b'y'; limit - 2]).await;
    answer.is(429, "LimitExceeded");
    assert!(answer.message().contains("item size"));
    assert!(answer.message().contains("1048576"));
    assert_eq!(answer.header("retry-after"), None);
    server.load("key").await.is_value(vec![b'x'; limit - 3]);
}

#[tokio::test]
async fn m_091_what_is_too_long_is_refused_before_it_is_read() {
    let server = Server::with(&vendor()).await;
    let head = format!("PUT {CACHE}?key=a&ttl_seconds=60&token=RW HTTP/1.1\r\nHost: x\r\n");
    // Declared, and not a byte of it sent.
    let declared = format!("{head}Content-Length: 1073741824\r\n\r\n");
    let answer = super::support::parse(&server.raw(declared.as_bytes()).await);
    answer.is(429, "LimitExceeded");
    // In chunks, without an end.
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..20 {
        chunked.extend(b"10000\r\n");
        chunked.extend(vec![b'x'; 0x10000]);
        chunked.extend(b"\r\n");
    }
    let answer = super::support::parse(&server.raw(&chunked).await);
    answer.is(429, "LimitExceeded");
    server.load("a").await.is(404, "KeyNotFound");
}

#[tokio::test]
async fn m_091_a_body_has_a_limit_whatever_the_items_is() {
    let mut settings = settings();
    settings.body_bytes_max = 10;
    let server = Server::with(&settings).await;
    server.store("a", "0123456789").await;
    let target = format!("{CACHE}?key=a&ttl_seconds=60&token=RW");
    let refused = server.put(&target, "0123456789a").await;
    refused.is(429, "LimitExceeded");
    assert!(
        refused.message().contains("a body may have 10 bytes"),
        "{}",
        refused.message()
    );
    assert_eq!(refused.header("retry-after"), None);
    let keys = server.call("exists", "RW", serde_json::json!({ "keys": [] }));
    keys.await.is(429, "LimitExceeded");
}

/// Puts until that is answered with this status.
async fn until(server: &Server, target: &str, body: &str, status: u16) -> super::support::Answer {
    for _ in 0..5_000 {
        let answer = server.put(target, body).await;
        if answer.status == status {
            return answer;
        }
        tokio::task::yield_now().await;
    }
    panic!("never answered {status}");
}

#[tokio::test]
async fn m_091_m_104_bodies_in_flight_have_so_many_bytes_together() {
    let mut settings = settings();
    settings.bodies_bytes_max = 10;
    let server = Server::with(&settings).await;
    let target = |key: &str| format!("{CACHE}?key={key}&ttl_seconds=60&token=RW");
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n",
        target("a")
    );
    let mut refused = None;
    for is_finished in [false, true] {
        let mut slow = server.connect().await;
        slow.write_all(format!("{head}123456").as_bytes())
            .await
            .unwrap();
        // Its bytes count once they are read.
        let answer = until(&server, &target("b"), "12345", 429).await;
        // Four are left.
        server.put(&target("b"), "1234").await.is_stored();
        refused = Some(answer);
        if is_finished {
            slow.write_all(b"78").await.unwrap();
            let mut answer = [0; 12];
            tokio::io::AsyncReadExt::read_exact(&mut slow, &mut answer)
                .await
                .unwrap();
            assert_eq!(&answer, b"HTTP/1.1 204");
        }
        drop(slow);
        // Finished or given up, they are free again.
        until(&server, &target("b"), "0123456789", 204).await;
    }
    let refused = refused.unwrap();
    refused.is(429, "LimitExceeded");
    assert!(
        refused.message().contains("10 bytes together"),
        "{}",
        refused.message()
    );
    assert_eq!(refused.header("retry-after"), Some("1"));
    server.load("a").await.is_value("12345678");
    // What never fits isn't told to come back.
    let refused = server.put(&target("b"), "0123456789a").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, None));
}

#[tokio::test]
async fn m_092_f46_a_client_that_goes_away_stores_nothing() {
    let server = Server::start().await;
    server.store("a", "old").await;
    let head = format!("PUT {CACHE}?key=a&ttl_seconds=60&token=RW HTTP/1.1\r\nHost: x\r\n");
    for rest in [
        "Content-Length: 10\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
    ] {
        let mut stream = server.connect().await;
        let request = format!("{head}{rest}");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
        assert!(answer.is_empty() || super::support::parse(&answer).status == 400);
        server.load("a").await.is_value("old");
    }
}

#[tokio::test]
async fn m_095_m_096_m_098_a_delete_leaves_nothing_and_says_so_of_nothing_too() {
    let server = Server::start().await;
    server.store("a", "x").await;
    let target = format!("{CACHE}?key=a&token=RW");
    for _ in 0..2 {
        server.delete(&target).await.is_stored();
        server.load("a").await.is(404, "KeyNotFound");
    }
    server.store("a", "x").await;
    let answer = server.send("DELETE", &target, &[], b"a body").await;
    answer.is_stored();
    server.load("a").await.is(404, "KeyNotFound");
}
