//! Section 10: what web pages of other origins are told.

use std::sync::Arc;
use std::time::Duration;

use larder::ManualClock;
use larder_http::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Answer, CACHE, Server, engine, parse, settings};

const ORIGIN: &str = "access-control-allow-origin";

fn open_to(origin: Option<&str>, mut settings: Settings) -> Settings {
    settings.cors = origin.map(str::to_owned);
    settings
}

#[tokio::test]
async fn m_120_with_a_setting_other_origins_may_ask() {
    let mut settings = settings();
    settings.cors = Some("*".into());
    let server = Server::with(&settings).await;
    let item = format!("{CACHE}/a");
    for path in [
        CACHE,
        &item,
        "/caches",
        "/caches/a",
        "/caches/a/flush",
        "/caches/a/items/ttl",
        "/tokens",
        "/metrics",
        "/console",
        "/openapi.json",
        "/health/live",
        "/health/ready",
    ] {
        let answer = server.send("OPTIONS", path, &[], b"").await;
        answer.is_stored();
        let methods = answer.header("access-control-allow-methods");
        assert_eq!(methods, Some("GET, HEAD, PUT, DELETE"));
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(headers, Some("Authorization, Content-Type"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
}

#[tokio::test]
async fn m_121_without_it_options_tells_the_methods_alone() {
    let server = Server::start().await;
    let answer = server.send("OPTIONS", CACHE, &[], b"").await;
    answer.is_stored();
    let allow = Some("GET, HEAD, PUT, DELETE, OPTIONS");
    assert_eq!(answer.header("allow"), allow);
    let cross = |name: &&String| name.starts_with("access-control");
    assert_eq!(answer.headers.keys().find(cross), None);
    let health = server.send("OPTIONS", "/health/live", &[], b"").await;
    health.is_stored();
    assert_eq!(health.header("allow"), Some("GET, HEAD, OPTIONS"));
    let answer = server.load("a").await;
    assert_eq!(answer.headers.keys().find(cross), None);
    server
        .send("OPTIONS", "/x", &[], b"")
        .await
        .is(404, "NotFound");
}

/// Sends bytes as they are, and reads the last answer until the server closes.
async fn last_of(server: &Server, request: impl AsRef<[u8]>) -> Answer {
    let answer = server.raw(request.as_ref()).await;
    let last = answer.windows(9).rposition(|part| part == b"HTTP/1.1 ");
    parse(&answer[last.unwrap_or(0)..])
}

/// What is refused before a route is looked for, each with its status.
async fn refused_early(mut settings: Settings) -> Vec<(u16, Answer)> {
    let kept = format!("PUT {CACHE}?key=a&ttl_seconds=60&token=RW HTTP/1.1\r\nHost: x\r\n");
    let line = format!("{kept}Connection: close\r\n");
    let body = |n: usize| format!("Content-Length: {n}\r\n\r\n{}", "x".repeat(n));
    let (many, long) = ("h: x\r\n".repeat(200), "x".repeat(1 << 20));
    let mut answers = Vec::new();
    let server = Server::with(&settings).await;
    for (status, request) in [
        // The head: its form, its lengths, and two that contradict each other.
        (400, "bad\r\n\r\n".into()),
        (400, "GET / HTTP/9.9\r\n\r\n".into()),
        (400, format!("{line}H\u{e9}: x\r\n\r\n")),
        (400, format!("{line}Content-Length: x\r\n\r\n")),
        (400, format!("{line}Transfer-Encoding: gzip\r\n\r\n")),
        (
            400,
            format!("{line}Transfer-Encoding: chunked\r\n{}", body(3)),
        ),
        (
            400,
            format!("{line}Content-Length: {}3\r\n\r\nxyz", "0".repeat(300)),
        ),
        (431, format!("{line}{many}\r\n")),
        (431, format!("{line}h: {long}\r\n\r\n")),
        (414, format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000))),
        // The same after an answer on the same connection.
        (400, format!("{kept}{}bad\r\n\r\n", body(3))),
        // The body: its length, said and come, and its form.
        (429, format!("{line}{}", body(65))),
        (
            429,
            format!("{line}Transfer-Encoding: chunked\r\n\r\n41\r\n{long}"),
        ),
        (429, format!("{line}{}", body(33))),
        (
            400,
            format!("{line}Transfer-Encoding: chunked\r\n\r\nno size\r\n"),
        ),
    ] {
        answers.push((status, last_of(&server, request).await));
    }
    // Too slow: the head, and the body, of which the second half doesn't come.
    settings.connections.header = Duration::from_millis(50);
    settings.connections.body = Duration::from_millis(50);
    let server = Server::with(&settings).await;
    for (status, begun) in [
        (408, line.clone()),
        (400, format!("{line}Content-Length: 8\r\n\r\nhalf")),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answers.push((status, parse(&answer)));
    }
    answers
}

fn narrow() -> Settings {
    let mut settings = settings();
    settings.body_bytes_max = 64;
    settings.bodies_bytes_max = 64;
    let account = settings.accounts.get_mut("acct").unwrap();
    account.each_cache.item_bytes_max = Some(larder_http::Bound::At(33));
    settings
}

#[tokio::test]
async fn m_120_what_is_refused_before_it_has_a_route_carries_the_origin_too() {
    for origin in ["*", "https://pages.example"] {
        for (status, answer) in refused_early(open_to(Some(origin), narrow())).await {
            assert_eq!(answer.status, status, "{answer:?}");
            assert_eq!(answer.header(ORIGIN), Some(origin), "{answer:?}");
            assert!(answer.header("content-type").is_some(), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn m_121_what_is_refused_before_it_has_a_route_carries_none_without_it() {
    for (status, answer) in refused_early(narrow()).await {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header(ORIGIN), None, "{answer:?}");
    }
}

/// What routes and their handlers answer, panics included, each with its status.
async fn answered(origin: Option<&str>) -> Vec<(u16, Answer)> {
    let mut settings = open_to(origin, settings());
    let account = settings.accounts.get_mut("acct").unwrap();
    account.control_per_second = Some(larder_http::Bound::At(0));
    let server = Server::with(&settings).await;
    server.store("a", "x").await;
    let mut answers = Vec::new();
    for (status, method, target) in [
        (200, "GET", "/cache/default-cache?key=a&token=RW"),
        (200, "HEAD", "/cache/default-cache?key=a&token=RW"),
        (400, "GET", "/cache/default-cache?token=RW"),
        (401, "GET", "/cache/default-cache?key=a"),
        (
            403,
            "PUT",
            "/cache/default-cache?key=a&ttl_seconds=1&token=RO",
        ),
        (404, "GET", "/cache/default-cache?key=b&token=RW"),
        (404, "GET", "/cache/nope?key=b&token=RW"),
        (404, "GET", "/elsewhere"),
        (404, "OPTIONS", "/elsewhere"),
        (405, "POST", "/cache/default-cache"),
        (405, "DELETE", "/health/live"),
        (429, "GET", "/caches?token=ADM"),
        (200, "GET", "/metrics?token=ADM"),
        (200, "GET", "/console"),
        (200, "GET", "/openapi.json"),
        (200, "GET", "/health/ready"),
        (204, "DELETE", "/cache/default-cache?key=a&token=RW"),
    ] {
        answers.push((status, server.send(method, target, &[], b"").await));
    }
    server.app.health().stop();
    answers.push((503, server.get("/health/ready").await));
    let clock = ManualClock::new();
    let mut engine = engine(&clock);
    engine.calendar = Arc::new(|| panic!("as planned"));
    let server = Server::over(&settings, engine, clock).await;
    for target in ["/cache/default-cache?key=a&token=RW", "/caches?token=RW"] {
        answers.push((500, server.get(target).await));
    }
    answers
}

#[tokio::test]
async fn m_120_every_answer_carries_the_origin_and_none_without_the_setting() {
    for origin in [Some("*"), None] {
        for (status, answer) in answered(origin).await {
            assert_eq!(answer.status, status, "{answer:?}");
            assert_eq!(answer.header(ORIGIN), origin, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn m_120_a_reload_changes_the_origin_also_on_connections_that_are_open() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    for origin in [None, Some("*"), Some("https://pages.example"), None] {
        server.app.reload(&open_to(origin, settings())).unwrap();
        let request = b"GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = vec![0; 1024];
        let n = stream.read(&mut answer).await.unwrap();
        assert_eq!(parse(&answer[..n]).header(ORIGIN), origin);
    }
}
