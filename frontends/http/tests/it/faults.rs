//! Faults 41 to 46 of docs/faults.md. Deadlines pass on a clock that jumps to the next timer when nothing else is to be done.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::support::{CACHE, Server, parse, settings};

/// Reads until the server closes; what came.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

fn head(method: &str, key: &str, more: &str) -> Vec<u8> {
    let target = format!("{CACHE}?key={key}&ttl_seconds=60&token=RW");
    format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{more}\r\n").into_bytes()
}

/// Sends a byte a second, until the server closes; what it answered.
async fn drip(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = stream.split();
    let dripping = async {
        for byte in bytes {
            if writer.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        std::future::pending().await
    };
    let mut answer = Vec::new();
    let reading = async {
        let _ = reader.read_to_end(&mut answer).await;
    };
    tokio::select! {
        () = dripping => {}
        () = reading => {}
    }
    answer
}

#[tokio::test(start_paused = true)]
async fn f41_a_head_has_to_come_in_time_dripping_or_not() {
    let server = Server::start().await;
    let begun = Instant::now();
    let mut silent = server.connect().await;
    silent.write_all(b"GET /cache").await.unwrap();
    parse(&rest(&mut silent).await).is(408, "InvalidArgument");
    let took = begun.elapsed().as_secs();
    assert!((10..12).contains(&took), "{took}");

    let begun = Instant::now();
    let mut dripping = server.connect().await;
    let answer = drip(&mut dripping, &head("GET", "a", "")).await;
    parse(&answer).is(408, "InvalidArgument");
    let took = begun.elapsed().as_secs();
    assert!((10..13).contains(&took), "{took}");
    server.load("a").await.is(404, "KeyNotFound");
}

#[tokio::test(start_paused = true)]
async fn f41_a_body_has_to_come_in_time() {
    let server = Server::start().await;
    let begun = Instant::now();
    let mut stream = server.connect().await;
    let request = head("PUT", "a", "Content-Length: 100\r\n");
    stream.write_all(&request).await.unwrap();
    let answer = parse(&drip(&mut stream, &[b'x'; 99]).await);
    answer.is(400, "InvalidArgument");
    let took = begun.elapsed().as_secs();
    assert!((15..18).contains(&took), "{took}");
    server.load("a").await.is(404, "KeyNotFound");
}

#[tokio::test(start_paused = true)]
async fn f41_an_idle_connection_ends() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let begun = Instant::now();
    stream.write_all(&head("GET", "a", "")).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with(b"HTTP/1.1 404"));
    let took = begun.elapsed().as_secs();
    assert!((75..78).contains(&took), "{took}");
    let mut fresh = server.connect().await;
    assert_eq!(rest(&mut fresh).await, b"");
}

#[tokio::test(start_paused = true)]
async fn f41_an_answer_has_to_be_taken_in_time() {
    let server = Server::start().await;
    let target = format!("{CACHE}?key=a&ttl_seconds=600&token=RW");
    let value = vec![b'x'; (16 << 20) - 1];
    server.put(&target, &value).await.is_stored();
    let mut stream = server.connect().await;
    stream.write_all(&head("GET", "a", "")).await.unwrap();
    // Nothing is read until the server has given up.
    let stats = || server.app.engine().cache.stats().hits;
    while stats() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(2000)).await;
    let answer = rest(&mut stream).await;
    assert!(answer.len() < value.len(), "{}", answer.len());
    server.load("b").await.is(404, "KeyNotFound");
}

#[tokio::test]
async fn f41_there_are_no_more_connections_than_the_cap() {
    let mut settings = settings();
    settings.connections.max = 2;
    let server = Server::with(&settings).await;
    let first = server.connect().await;
    let second = server.connect().await;
    let mut third = server.connect().await;
    let request = head("GET", "a", "Connection: close\r\n");
    third.write_all(&request).await.unwrap();
    // It is in the kernel's queue, and served as soon as another one ends.
    let mut one = [0];
    let early = tokio::time::timeout(Duration::from_millis(50), third.peek(&mut one));
    assert!(early.await.is_err());
    drop(first);
    parse(&rest(&mut third).await).is(404, "KeyNotFound");
    drop(second);
}

#[tokio::test]
async fn f42_a_length_that_contradicts_itself_is_malformed() {
    let server = Server::start().await;
    let status = async |more: &str, body: &[u8]| {
        let mut request = head("PUT", "a", more);
        request.extend(body);
        let answer = server.raw(&request).await;
        String::from_utf8(answer).unwrap()
    };
    for more in [
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: x\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
    ] {
        let answer = status(more, b"xyz").await;
        parse(answer.as_bytes()).is(400, "InvalidArgument");
    }
    // Both forms of a length: refused, and no further request is read from the connection.
    let smuggled = [&b"1\r\nx\r\n0\r\n\r\n"[..], &head("GET", "a", "")].concat();
    for both in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "transfer-encoding: chunked\r\nCONTENT-LENGTH: 3\r\n",
    ] {
        let answer = status(both, &smuggled).await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        let answer = parse(answer.as_bytes());
        answer.is(400, "InvalidArgument");
        assert_eq!(answer.header("connection"), Some("close"));
    }
    // The same after a good request on the same connection, all in one piece; and the body of that one is not taken for a head.
    let text = head(
        "PUT",
        "a",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    );
    let mut good = head("PUT", "b", &format!("Content-Length: {}\r\n", text.len()));
    good.extend(&text);
    let answer = String::from_utf8(server.raw(&[good, text.clone(), smuggled].concat()).await);
    let answer = answer.unwrap();
    let (first, second) = answer.split_at(answer.rfind("HTTP/1.1").unwrap());
    assert!(first.starts_with("HTTP/1.1 204"), "{answer}");
    parse(second.as_bytes()).is(400, "InvalidArgument");
    server.load("b").await.is_value(text);
    server.load("a").await.is(404, "KeyNotFound");
    // Nor is a length taken that hides in a line of unlikely length, even if it comes in pieces.
    for more in [
        format!("Content-Length:{}3\r\n", " ".repeat(260)),
        format!("Content-Length: {}3\r\n", "0".repeat(300)),
    ] {
        let answer = status(&more, b"xyz").await;
        parse(answer.as_bytes()).is(400, "InvalidArgument");
    }
    // What is compressed is bytes like others.
    let bomb = "Content-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n";
    assert!(
        status(bomb, b"\x1f\x8b\x08\x00")
            .await
            .starts_with("HTTP/1.1 204")
    );
    server.load("a").await.is_value(b"\x1f\x8b\x08\x00");
}

#[tokio::test]
async fn f43_what_is_too_long_or_too_deep_is_a_short_refusal() {
    let server = Server::start().await;
    let many: String = (0..10_000).map(|n| format!("h{n}: x\r\n")).collect();
    let large = format!("h: {}\r\n", "x".repeat(1 << 20));
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(8 << 20));
    for (request, status) in [
        (head("GET", "a", &many), 431),
        (head("GET", "a", &large), 431),
        (long.into_bytes(), 431),
        (
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(70_000)).into_bytes(),
            414,
        ),
        (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), 400),
        (b"GET  HTTP/1.1\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/1.1\r\nH\xffst: x\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/1.1\r\n: x\r\n\r\n".to_vec(), 400),
        (b"\x16\x03\x01\x02\x00\x01".repeat(100), 400),
        // After an answer that has left.
        (b"\r\n\r\n[]\r\n\r\n".to_vec(), 400),
    ] {
        let answer = parse(&server.raw(&request).await);
        let shown = request[..40.min(request.len())].escape_ascii();
        assert_eq!(answer.status, status, "{shown}");
        answer.is(status, "InvalidArgument");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(answer.header("date").is_some() && answer.body.len() < 200);
    }
    let deep = "[".repeat(100_000);
    for op in ["set-if", "exists", "set-batch"] {
        let target = format!("/caches/default-cache/items/{op}?token=RW");
        for body in [&deep, &format!("{{\"keys\":{deep}")] {
            let answer = server.send("POST", &target, &[], body.as_bytes()).await;
            answer.is(400, "InvalidArgument");
            assert!(answer.body.len() < 200);
        }
    }
    let key = "x".repeat(60_000);
    server.store(&key, "long").await;
    server.load(&key).await.is_value("long");
}

#[tokio::test]
async fn f43_a_refusal_follows_the_answers_before_it_whatever_they_hold() {
    let server = Server::start().await;
    let value = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    server.store("v", value).await;
    for bad in [&b"bad\r\n\r\n"[..], b"\x00"] {
        let answer = server.raw(&[&head("GET", "v", ""), bad].concat()).await;
        let answer = String::from_utf8(answer).unwrap();
        let (first, second) = answer.split_at(answer.rfind("HTTP/1.1").unwrap());
        assert_eq!(parse(first.as_bytes()).body, value, "{answer}");
        parse(second.as_bytes()).is(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn f44_http_2_is_not_spoken() {
    let server = Server::start().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    let answer = server.raw(preface).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"));
}

#[tokio::test]
async fn f46_what_is_in_flight_is_finished_when_the_server_ends() {
    let mut server = Server::start().await;
    let mut idle = server.connect().await;
    let mut stream = server.connect().await;
    let request = head("PUT", "a", "Content-Length: 8\r\nExpect: 100-continue\r\n");
    stream.write_all(&request).await.unwrap();
    // The handler waits for the body from here on.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.stop.take().unwrap().send(()).unwrap();
    assert_eq!(rest(&mut idle).await, b"");
    stream.write_all(b"in-time!").await.unwrap();
    let answer = parse(&rest(&mut stream).await);
    answer.is_stored();
    assert_eq!(server.served.await.unwrap(), larder_serve::Drained::Wholly);
    assert!(TcpStream::connect(server.address).await.is_err());
    let cache = server.app.engine().cache.tenant("acct").unwrap();
    let stored = cache.cache("default-cache").unwrap().get("a");
    assert_eq!(stored.as_deref(), Some(&b"in-time!"[..]));
}

#[tokio::test(start_paused = true)]
async fn f46_what_takes_too_long_is_cut_off() {
    let mut settings = settings();
    settings.connections.drain = Duration::from_secs(1);
    let mut server = Server::with(&settings).await;
    let mut stream = server.connect().await;
    let request = head("PUT", "a", "Content-Length: 8\r\nExpect: 100-continue\r\n");
    stream.write_all(&request).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    server.stop.take().unwrap().send(()).unwrap();
    let cut = larder_serve::Drained::CutOff { connections: 1 };
    assert_eq!(server.served.await.unwrap(), cut);
    assert_eq!(rest(&mut stream).await, b"");
}

#[tokio::test]
async fn f46_a_client_that_goes_away_leaves_its_connection_to_others() {
    let mut settings = settings();
    settings.connections.max = 1;
    let server = Server::with(&settings).await;
    server.store("a", vec![b'x'; 1 << 20]).await;
    for _ in 0..20 {
        let mut stream = server.connect().await;
        stream.write_all(&head("GET", "a", "")).await.unwrap();
        drop(stream);
    }
    server.load("b").await.is(404, "KeyNotFound");
}
