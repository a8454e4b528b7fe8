//! What reaches a backend, and what comes back.

use axum::body::Body;
use axum::http::header;
use axum::http::{Response, StatusCode};
use hyper::ext::ReasonPhrase;
use larder_gateway::http::HeaderName;

use crate::support::{Backend, Gateway, NOTHING};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_to_the_backend_and_its_answer_comes_back() {
    let backend = Backend::new(|_| {
        let mut answer = Response::new(Body::from("stored"));
        *answer.status_mut() = StatusCode::CREATED;
        let headers = answer.headers_mut();
        headers.insert("x-theirs", "1".parse().unwrap());
        headers.insert("keep-alive", "timeout=5".parse().unwrap());
        headers.append("set-cookie", "a=1".parse().unwrap());
        headers.append("set-cookie", "b=2".parse().unwrap());
        let reason = ReasonPhrase::from_static(b"Made Just Now");
        answer.extensions_mut().insert(reason);
        answer
    })
    .await;
    let gateway = Gateway::new(NOTHING, &backend).await;
    let answer = gateway
        .raw("PUT /a%20b/c?x=1&y=%2F HTTP/1.1\r\nHost: gateway\r\nX-Mine: 1\r\nConnection: x-hop, keep-alive, via, x-forwarded-for, x-request-id\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Forwarded-For: 9.9.9.9\r\nContent-Length: 5\r\n\r\nhello")
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (201, "stored"));
    assert!(
        answer.head.starts_with("HTTP/1.1 201 Made Just Now\r\n"),
        "{}",
        answer.head
    );
    assert_eq!(answer.header("x-theirs"), Some("1"));
    assert_eq!(answer.header("keep-alive"), None);
    assert_eq!(answer.header("content-length"), Some("6"));
    assert_eq!(answer.head.matches("set-cookie").count(), 2);

    let [seen] = &backend.take()[..] else {
        panic!("it was asked once")
    };
    assert_eq!(seen.line, "PUT /a%20b/c?x=1&y=%2F");
    assert_eq!(&seen.body[..], b"hello");
    let names: Vec<_> = seen.headers.keys().map(HeaderName::as_str).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    let expected = [
        "content-length",
        "host",
        "via",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-mine",
        "x-request-id",
    ];
    assert_eq!(sorted, expected);
    assert_eq!(seen.headers[header::HOST], backend.address.to_string());
    assert_eq!(seen.headers[header::VIA], "1.1 larder-gateway");
    let forwarded: Vec<_> = seen.headers.get_all("x-forwarded-for").iter().collect();
    // What the client said there it could have made up.
    assert_eq!(forwarded, ["127.0.0.1"]);
    let id = seen.headers["x-request-id"].to_str().unwrap();
    assert_eq!(answer.header("x-request-id"), Some(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_bodies_say_nothing_of_a_length() {
    let backend = Backend::new(|path| {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = match path {
            "/none" => StatusCode::NO_CONTENT,
            "/same" => StatusCode::NOT_MODIFIED,
            _ => StatusCode::OK,
        };
        if path == "/head" {
            *answer.body_mut() = Body::from("twelve bytes");
        }
        answer
    })
    .await;
    let gateway = Gateway::new(NOTHING, &backend).await;
    for (path, status) in [("/none", 204), ("/same", 304)] {
        let answer = gateway.get(path).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-length"), None, "{path}");
    }
    let answer = gateway.raw("HEAD /head HTTP/1.1\r\nHost: g\r\n\r\n").await;
    assert_eq!(
        (answer.status, answer.header("content-length")),
        (200, None)
    );
    assert_eq!(gateway.get("/head").await.body, "twelve bytes");
    assert_eq!(
        gateway.get("/empty").await.header("content-length"),
        Some("0")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_takes_many_requests() {
    use tokio::io::AsyncWriteExt as _;
    let backend = Backend::saying("same").await;
    let gateway = Gateway::new(NOTHING, &backend).await;
    let mut stream = tokio::net::TcpStream::connect(gateway.address)
        .await
        .unwrap();
    for n in 0..3 {
        let request = format!(
            "POST /{n} HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = crate::support::Answer::read(&mut stream, false).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "same"));
        let seen = backend.take().remove(0);
        assert_eq!(
            (seen.line, &seen.body[..]),
            (format!("POST /{n}"), &b"abcde"[..])
        );
        // It has a length, and no coding of the client's.
        assert_eq!(seen.headers[header::CONTENT_LENGTH], "5");
        assert!(!seen.headers.contains_key(header::TRANSFER_ENCODING));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn z_146_the_api_with_the_longest_prefix_takes_a_request() {
    let backend = Backend::saying("here").await;
    let gateway = Gateway::with(NOTHING, &backend, |settings| {
        let mut longer = settings.azure.apis[0].clone();
        longer.id = "longer".into();
        longer.prefix = "/shop/v2".into();
        longer.backend = Some(format!("{}deep/", backend.url()).parse().unwrap());
        settings.azure.apis[0].prefix = "/shop".into();
        settings.azure.apis.push(longer);
    })
    .await;
    assert_eq!(gateway.get("/shop/v2/cart").await.status, 200);
    assert_eq!(gateway.get("/shop/v20/cart").await.status, 200);
    assert_eq!(gateway.get("/else").await.status, 404);
    assert_eq!(backend.lines(), ["GET /deep/cart", "GET /v20/cart"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trusted_proxy_says_is_passed_on() {
    let backend = Backend::saying("ok").await;
    let gateway = Gateway::with(NOTHING, &backend, |settings| settings.behind_proxy = true).await;
    let request = "GET / HTTP/1.1\r\nHost: g\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Request-Id: of-the-proxy\r\n\r\n";
    let answer = gateway.raw(request).await;
    assert_eq!(answer.header("x-request-id"), Some("of-the-proxy"));
    let seen = backend.take().remove(0).headers;
    let forwarded: Vec<_> = seen.get_all("x-forwarded-for").iter().collect();
    assert_eq!(forwarded, ["9.9.9.9", "127.0.0.1"]);
    assert_eq!(seen["x-forwarded-proto"], "https");
    assert_eq!(seen["x-request-id"], "of-the-proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_a_policys_own_request_is_framed_anew() {
    // What frames the partner's answer, and what is of its connection, is not this answer's.
    let document = |url: &str| {
        format!(
            r#"<policies><inbound>
    <send-request mode="new" response-variable-name="r"><set-url>{url}x</set-url></send-request>
    <return-response response-variable-name="r"><set-body>four</set-body></return-response>
</inbound></policies>"#
        )
    };
    let backend = Backend::new(|_| {
        let chunks = ["one, ", "two"].map(Ok::<_, std::convert::Infallible>);
        let mut answer = Response::new(Body::from_stream(futures_util::stream::iter(chunks)));
        answer
            .headers_mut()
            .insert("connection", "x-theirs".parse().unwrap());
        answer
            .headers_mut()
            .insert("x-theirs", "1".parse().unwrap());
        answer
    })
    .await;
    let allow = |settings: &mut larder_gateway::program::Settings| {
        settings.backends.hosts.push(backend.address.to_string());
    };
    let gateway = Gateway::with(&document(&backend.url()), &backend, allow).await;
    let answer = gateway.get("/").await;
    assert_eq!((answer.status, &*answer.body), (200, "four"));
    assert_eq!(answer.header("content-length"), Some("4"));
    assert_eq!(answer.header("x-theirs"), None);
}
