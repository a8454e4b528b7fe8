//! What two servers may read in two ways, and paths that lead elsewhere.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, Backend, Gateway, NOTHING};

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_two_lengths_smuggle_no_request() {
    let backend = Backend::saying("ok").await;
    let gateway = Gateway::new(NOTHING, &backend).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: g\r\n\r\n";
    let length = smuggled.len() + 5;
    for framing in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
        "Content-Length: 5\r\nContent-Length: 6".to_owned(),
        "Content-Length: 5, 6".to_owned(),
        "Content-Length: +5".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding : chunked".to_owned(),
        "X-A: 1\r\n Transfer-Encoding: chunked\r\nContent-Length: 5".to_owned(),
    ] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let request = format!("POST /outer HTTP/1.1\r\nHost: g\r\n{framing}\r\n\r\n0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = Answer::read(&mut stream, false).await;
        let seen = backend.take();
        match answer.status {
            400 => assert!(seen.is_empty(), "{framing}"),
            // Of two framings the one by chunks holds, and what is sent on is framed anew.
            200 => {
                assert_eq!(seen.len(), 1, "{framing}");
                assert_eq!(seen[0].line, "POST /outer");
                assert!(
                    framing.contains("chunked") && seen[0].body.is_empty(),
                    "{framing}"
                );
                let framed = &seen[0].headers;
                assert!(!framed.contains_key("transfer-encoding"), "{framing}");
                assert!(
                    framed
                        .get("content-length")
                        .is_none_or(|length| length == "0")
                );
            }
            status => panic!("{framing}: {status}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_is_needed_and_its_name_goes_no_further() {
    let backend = Backend::saying("ok").await;
    let gateway = Gateway::new(NOTHING, &backend).await;
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\n\r\n", 200),
        (
            "GET http://evil.example/x HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            200,
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (
            "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            405,
        ),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET /../admin HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (
            "GET /a/%2e%2E/%2e%2e/admin HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
        ),
    ];
    for (request, status) in cases {
        assert_eq!(gateway.raw(request).await.status, status, "{request}");
    }
    let seen = backend.take();
    let lines: Vec<_> = seen.iter().map(|seen| seen.line.as_str()).collect();
    assert_eq!(lines, ["GET /", "GET /x"]);
    let ours = backend.address.to_string();
    assert!(seen.iter().all(|seen| seen.headers["host"] == ours));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_to_be_told_to_go_on_is_told() {
    let backend = Backend::saying("ok").await;
    let gateway = Gateway::new(NOTHING, &backend).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hi").await.unwrap();
    assert_eq!(Answer::read(&mut stream, false).await.status, 200);
    let seen = backend.take();
    assert_eq!(&seen[0].body[..], b"hi");
    assert!(!seen[0].headers.contains_key("expect"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_leaves_the_others_alone() {
    let backend = Backend::saying("ok").await;
    let gateway = Gateway::new(NOTHING, &backend).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let half = b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 100\r\n\r\nhalf";
    stream.write_all(half).await.unwrap();
    drop(stream);
    assert_eq!(gateway.get("/").await.status, 200);
    assert_eq!(backend.lines(), ["GET /"]);
}
