//! Sections 1 and 7: a connection after a request whose body nobody reads.

use tokio::io::AsyncWriteExt;

use super::support::{CACHE, Server, parse};

/// Requests that are answered without a look at their bodies, each with its status.
fn unread() -> [(u16, String); 7] {
    let of = |status, method: &str, target: &str| (status, format!("{method} {target} HTTP/1.1"));
    [
        of(401, "PUT", &format!("{CACHE}?key=a&ttl_seconds=60")),
        of(
            403,
            "PUT",
            &format!("{CACHE}?key=a&ttl_seconds=60&token=RO"),
        ),
        of(400, "PUT", &format!("{CACHE}?key=a&token=RW")),
        of(405, "POST", CACHE),
        of(404, "PUT", "/elsewhere"),
        of(204, "DELETE", &format!("{CACHE}?key=a&token=RW")),
        of(204, "POST", "/caches/other/flush?token=ADM"),
    ]
}

#[tokio::test]
async fn m_012_m_098_a_connection_goes_on_after_a_short_body_that_nobody_reads() {
    let server = Server::start().await;
    server.store("b", "1").await;
    let last =
        format!("GET {CACHE}?key=b&token=RW HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    for (status, line) in unread() {
        for body in [
            "Content-Length: 5\r\n\r\nabcde",
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        ] {
            let both = format!("{line}\r\nHost: x\r\n{body}{last}");
            let answers = server.raw(both.as_bytes()).await;
            let text = String::from_utf8(answers).unwrap();
            let at = text.rfind("HTTP/1.1 ").unwrap();
            assert_ne!(at, 0, "{line}: one answer, and the end: {text}");
            let (first, second) = text.split_at(at);
            let first = parse(first.as_bytes());
            assert_eq!((first.status, first.header("connection")), (status, None));
            parse(second.as_bytes()).is_value("1");
        }
    }
}

#[tokio::test]
async fn m_012_m_091_m_098_after_another_body_it_ends_as_the_answer_says() {
    let server = Server::start().await;
    for (status, line) in unread() {
        for (header, n_sent) in [
            // None of it comes, or all of it, or its client waits to be told to go on.
            ("Content-Length: 5", 0),
            ("Content-Length: 1000000", 1_000_000),
            ("Content-Length: 5\r\nExpect: 100-continue", 0),
        ] {
            let mut stream = server.connect().await;
            let head = format!("{line}\r\nHost: x\r\n{header}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&vec![b'x'; n_sent]).await.unwrap();
            let mut answer = Vec::new();
            let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
            read.await.unwrap();
            let answer = parse(&answer);
            let (said, status) = ((answer.status, answer.header("connection")), status);
            assert_eq!(said, (status, Some("close")), "{line}, {header}");
        }
    }
}

#[tokio::test]
async fn m_091_who_sends_more_than_may_be_can_send_it_all() {
    let server = Server::start().await;
    let n_bytes = 40 << 20;
    let head = format!("PUT {CACHE}?key=a&ttl_seconds=60&token=RW HTTP/1.1\r\nHost: x\r\n");
    let mut stream = server.connect().await;
    let head = format!("{head}Content-Length: {n_bytes}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server ends its side at once, and reads on for a while.
    stream.write_all(&vec![b'x'; n_bytes]).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
    read.await.unwrap();
    parse(&answer).is(429, "LimitExceeded");
}
