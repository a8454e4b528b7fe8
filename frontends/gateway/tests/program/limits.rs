//! Times and sizes: who takes too long, and what is too large.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{ANY, Answer, Backend, Gateway, NOTHING};

/// Somebody who takes connections, and never answers.
pub(crate) async fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_before_the_backend_hears_of_it() {
    let backend = Backend::saying("ok").await;
    let small = |settings: &mut larder_gateway::program::Settings| settings.body_bytes_max = 10;
    let gateway = Gateway::with(NOTHING, &backend, small).await;
    let post = async |rest: &str| {
        let request = format!("POST / HTTP/1.1\r\nHost: g\r\n{rest}");
        gateway.raw(&request).await
    };
    assert_eq!(
        post("Content-Length: 10\r\n\r\n0123456789").await.status,
        200
    );
    backend.take();
    // Not a byte of this one is sent.
    let answer = post("Content-Length: 11\r\n\r\n").await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("too large"), "{}", answer.body);
    let chunks = "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n";
    assert_eq!(post(chunks).await.status, 413);
    assert!(backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_takes_too_long_is_refused() {
    let backend = Backend::saying("ok").await;
    let hasty = |settings: &mut larder_gateway::program::Settings| {
        settings.connections.body = Duration::from_millis(50);
    };
    let gateway = Gateway::with(NOTHING, &backend, hasty).await;
    let slow = "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 11\r\n\r\nhello";
    assert_eq!(gateway.raw(slow).await.status, 408);
    assert!(backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_never_answers_is_given_up() {
    let backend = Backend::saying("ok").await;
    let (silent, url) = silent().await;
    let gateway = Gateway::with(NOTHING, &backend, |settings| {
        settings.azure.apis[0].backend = Some(url.parse().unwrap());
        settings.backends.timeout_ms = Some(100);
    })
    .await;
    let since = Instant::now();
    assert_eq!(gateway.get("/").await.status, 504);
    assert!(since.elapsed() >= Duration::from_millis(100));
    drop(silent);
    assert_eq!(gateway.get("/").await.status, 502);
    let metrics = crate::support::get(gateway.admin, "/metrics").await.body;
    assert!(
        metrics.contains(r#"larder_gateway_calls_total{end="timed-out"} 1"#),
        "{metrics}"
    );
    assert!(metrics.contains(r#"larder_gateway_calls_total{end="failed"} 1"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_stops_halfway_is_given_up() {
    let backend = Backend::saying("ok").await;
    let (silent, url) = silent().await;
    let gateway = Gateway::with(NOTHING, &backend, |settings| {
        settings.azure.apis[0].backend = Some(url.parse().unwrap());
        settings.backends.timeout_ms = Some(200);
    })
    .await;
    let half = async {
        let (mut stream, _) = silent.accept().await.unwrap();
        // The request has been sent by then.
        stream.read_u8().await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
        stream.write_all(head).await.unwrap();
        stream
    };
    let (answer, _stream) = tokio::join!(gateway.get("/"), half);
    assert_eq!(answer.status, 504);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_large_is_not_kept() {
    let backend = Backend::saying("0123456789 and more").await;
    let small = |settings: &mut larder_gateway::program::Settings| {
        settings.backends.answer_bytes_max = 10;
    };
    let gateway = Gateway::with(NOTHING, &backend, small).await;
    assert_eq!(gateway.get("/").await.status, 502);
    let metrics = crate::support::get(gateway.admin, "/metrics").await.body;
    assert!(
        metrics.contains(r#"larder_gateway_calls_total{end="too-large"} 1"#),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_too_many_requests_at_once_the_last_are_told_to_come_back() {
    let backend = Backend::saying("ok").await;
    let (silent, url) = silent().await;
    let gateway = Gateway::with(NOTHING, &backend, |settings| {
        settings.azure.apis[0].backend = Some(url.parse().unwrap());
        settings.requests_max = 1;
    })
    .await;
    let mut first = TcpStream::connect(gateway.address).await.unwrap();
    first
        .write_all(b"GET / HTTP/1.1\r\nHost: g\r\n\r\n")
        .await
        .unwrap();
    // The first is under way when the backend has been reached.
    let (mut asked, _) = silent.accept().await.unwrap();
    let refused = gateway.get("/").await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate";
    asked.write_all(answer).await.unwrap();
    assert_eq!(Answer::read(&mut first, false).await.body, "late");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_slowly_takes_no_place_but_that_of_a_slow_sender() {
    let backend = Backend::saying("ok").await;
    let gateway = Gateway::with(NOTHING, &backend, |settings| {
        settings.requests_max = 1;
        settings.bodies_max = 1;
        settings.bodies_grace_ms = u64::MAX;
    })
    .await;
    let mut slow = TcpStream::connect(gateway.address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    // Its body is being read once it is told to send it.
    assert_eq!(Answer::read(&mut slow, false).await.status, 100);
    assert_eq!(gateway.get("/").await.status, 200);
    let refused = gateway
        .raw(&head.replace("Expect: 100-continue\r\n", ""))
        .await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    slow.write_all(b"late").await.unwrap();
    assert_eq!(Answer::read(&mut slow, false).await.body, "ok");
    assert_eq!(backend.lines(), ["GET /", "POST /"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_senders_keep_no_other_body_out() {
    const N_SLOW: usize = 8;
    let backend = Backend::saying("ok").await;
    let gateway = Gateway::with(NOTHING, &backend, |settings| {
        settings.bodies_max = N_SLOW;
        settings.bodies_grace_ms = 0;
    })
    .await;
    let head = "POST / HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    let mut slow = Vec::new();
    for _ in 0..N_SLOW {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(Answer::read(&mut stream, false).await.status, 100);
        slow.push(stream);
    }
    let body = "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\n\r\nsoon";
    for _ in 0..3 {
        assert_eq!(gateway.raw(body).await.status, 200);
    }
    // Each came to the place of one of them; it is free again, and so the others are left alone.
    let mut statuses = Vec::new();
    for stream in &mut slow {
        // Who lost his place has been answered.
        let _ = stream.write_all(b"late").await;
        statuses.push(Answer::read(stream, false).await.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 408]);
    assert_eq!(backend.lines().len(), 3 + N_SLOW - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_of_places_is_too_large() {
    let backend = Backend::saying("ok").await;
    let gateway = Gateway::with(NOTHING, &backend, |settings| {
        settings.requests_max = usize::MAX;
        settings.bodies_max = usize::MAX;
    })
    .await;
    let request = "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(gateway.raw(request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn z_112_beyond_the_rate_the_answer_is_429_with_headers() {
    let backend = Backend::saying("ok").await;
    let document = r#"<inbound><rate-limit-by-key calls="2" renewal-period="60" counter-key="@(context.Request.IpAddress)" remaining-calls-header-name="X-Left" total-calls-header-name="X-Calls" /></inbound>"#;
    let gateway = Gateway::new(document, &backend).await;
    for left in ["1", "0"] {
        let answer = gateway.get("/").await;
        assert_eq!((answer.status, answer.header("x-left")), (200, Some(left)));
        assert_eq!(answer.header("x-calls"), Some("2"));
    }
    let answer = gateway.get("/").await;
    assert_eq!(answer.status, 429);
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert!(
        answer.body.contains(r#""statusCode":429"#),
        "{}",
        answer.body
    );
    assert_eq!(backend.take().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_in_memory_have_so_many_bytes_together_until_they_are_answered() {
    let backend = Backend::saying("ok").await;
    let (silent, url) = silent().await;
    let gateway = Gateway::with(NOTHING, &backend, |settings| {
        settings.azure.apis[0].backend = Some(url.parse().unwrap());
        settings.bodies_bytes_max = 10;
    })
    .await;
    let post = |n: usize| format!("POST / HTTP/1.1\r\nHost: g\r\nContent-Length: {n}\r\n\r\n");
    let mut first = TcpStream::connect(gateway.address).await.unwrap();
    let request = post(6) + "abcdef";
    first.write_all(request.as_bytes()).await.unwrap();
    // Its body was read when the backend has been reached.
    let (mut asked, _) = silent.accept().await.unwrap();
    let refused = gateway.raw(&(post(5) + "ghijk")).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate";
    asked.write_all(answer).await.unwrap();
    assert_eq!(Answer::read(&mut first, false).await.body, "late");
    drop(asked);
    // What it had is free.
    let again = tokio::spawn(async move {
        let (mut asked, _) = silent.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"ghijk") {
            assert_ne!(asked.read_buf(&mut request).await.unwrap(), 0);
        }
        asked.write_all(answer).await
    });
    assert_eq!(gateway.raw(&(post(5) + "ghijk")).await.body, "late");
    again.await.unwrap().unwrap();
}
