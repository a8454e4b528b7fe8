//! What numbers of the Azure-style specification say, where HTTP shows it: over sockets.

use axum::body::Body;
use axum::http::Response;
use futures_util::future::join_all;
use larder_gateway::program::{Settings, SubscriptionEntry};

use crate::support::{Answer, Backend, Gateway, NOTHING};

fn subscribed(settings: &mut Settings) {
    let keys = ["K1", "K2"];
    settings.azure.subscriptions = keys
        .map(|key| SubscriptionEntry {
            key: key.to_owned(),
            id: format!("subscription {key}"),
            product: None,
        })
        .into();
}

async fn get(gateway: &Gateway, path: &str, headers: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: g\r\n{headers}\r\n");
    gateway.raw(&request).await
}

/// Policies that may ask the backend themselves.
async fn asking(document: &str, backend: &Backend) -> Gateway {
    Gateway::with(document, backend, |settings| {
        settings.backends.hosts.push(backend.address.to_string());
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn z_036_z_037_who_has_no_good_key_is_refused_and_keys_reach_no_backend() {
    let backend = Backend::saying("ok").await;
    let gateway = Gateway::with(NOTHING, &backend, subscribed).await;
    for headers in ["", "Ocp-Apim-Subscription-Key: K3\r\n"] {
        let answer = get(&gateway, "/x", headers).await;
        assert_eq!(answer.status, 401, "{headers}");
        assert!(
            answer.body.contains(r#""statusCode":401"#),
            "{}",
            answer.body
        );
    }
    assert!(backend.take().is_empty());
    let both = "Ocp-Apim-Subscription-Key: K1\r\n";
    assert_eq!(
        get(&gateway, "/x?a=1&subscription-key=K2", both)
            .await
            .status,
        200
    );
    assert_eq!(
        get(&gateway, "/x?subscription-key=K2", "").await.status,
        200
    );
    let seen = backend.take();
    assert_eq!((&*seen[0].line, &*seen[1].line), ("GET /x?a=1", "GET /x"));
    assert!(!seen[0].headers.contains_key("ocp-apim-subscription-key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn z_022_z_026_z_028_z_047_an_evaluation_error_is_500_and_on_error_runs() {
    let backend = Backend::saying("ok").await;
    for value in [
        r#"context.Request.Headers.GetValueOrDefault("Authorization","").Split(' ')[1]"#,
        r#""p-" + context.Request.Headers.GetValueOrDefault("X-Absent")"#,
        r#"context.Variables["missing"]"#,
        r#""""#,
    ] {
        let document = format!(
            r#"<policies><inbound><cache-lookup-value key="@({value})" variable-name="v" /></inbound>
            <on-error><set-header name="X-Error"><value>1</value></set-header></on-error></policies>"#
        );
        let gateway = Gateway::new(&document, &backend).await;
        let answer = gateway.get("/").await;
        assert_eq!(
            (answer.status, answer.header("x-error")),
            (500, Some("1")),
            "{value}"
        );
        assert!(!answer.body.contains("null"), "{}", answer.body);
    }
    assert!(backend.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn z_100_z_101_z_105_a_subscriptions_rate_is_told_in_headers_and_refused_with_429() {
    let backend = Backend::saying("ok").await;
    let document = r#"<inbound><rate-limit calls="2" renewal-period="60" retry-after-header-name="X-Wait"
        remaining-calls-header-name="X-Left" total-calls-header-name="X-Total" /></inbound>"#;
    let gateway = Gateway::with(document, &backend, subscribed).await;
    for key in ["K1", "K2"] {
        let headers = format!("Ocp-Apim-Subscription-Key: {key}\r\n");
        for (status, left) in [(200, "1"), (200, "0"), (429, "0")] {
            let answer = get(&gateway, "/", &headers).await;
            assert_eq!(
                (answer.status, answer.header("x-left")),
                (status, Some(left))
            );
            assert_eq!(answer.header("x-total"), Some("2"));
            let wait = answer
                .header("x-wait")
                .map(|wait| wait.parse::<u64>().unwrap());
            assert_eq!(
                wait.is_some_and(|wait| (1..=60).contains(&wait)),
                status == 429
            );
        }
    }
    assert_eq!(backend.take().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn z_130_z_133_a_quota_is_refused_with_403_until_its_period_ends() {
    let backend = Backend::saying("0123456789").await;
    for limit in [r#"calls="1""#, r#"bandwidth="1""#] {
        let document = format!(
            r#"<inbound><quota-by-key {limit} renewal-period="3600" counter-key="k" /></inbound>"#
        );
        let gateway = Gateway::new(&document, &backend).await;
        let post = format!(
            "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 1020\r\n\r\n{}",
            "x".repeat(1020)
        );
        assert_eq!(gateway.raw(&post).await.status, 200, "{limit}");
        let refused = gateway.get("/").await;
        assert_eq!(refused.status, 403, "{limit}");
        let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&seconds), "{seconds}");
        assert!(
            refused.body.contains(r#""statusCode":403"#),
            "{}",
            refused.body
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn z_142_z_143_z_144_z_145_z_149_requests_of_policies_own() {
    let backend = Backend::new(|path| {
        let mut answer = Response::new(Body::from("theirs"));
        if path == "/missing" {
            *answer.status_mut() = axum::http::StatusCode::NOT_FOUND;
        }
        answer
    })
    .await;
    let document = |url: &str, ignores: bool| {
        format!(
            r#"<inbound><send-request response-variable-name="r" timeout="5" ignore-error="{ignores}"><set-url>{url}</set-url>
            <set-header name="X-Own"><value>1</value></set-header></send-request>
            <return-response><set-body>@(context.Variables["r"] == null ? "null" : "" + ((IResponse)context.Variables["r"]).StatusCode)</set-body></return-response></inbound>"#
        )
    };
    let (closed, url) = (crate::limits::silent().await, backend.url());
    let gone = closed.1.clone();
    drop(closed);
    for (url, ignores, expected) in [
        (format!("{url}there"), false, (200, "200")),
        (format!("{url}missing"), false, (200, "404")),
        (gone.clone(), true, (200, "null")),
        (gone.clone(), false, (500, "")),
        ("http://169.254.169.254/".to_owned(), true, (200, "null")),
        ("http://169.254.169.254/".to_owned(), false, (500, "")),
    ] {
        let gateway = Gateway::with(&document(&url, ignores), &backend, |settings| {
            let hosts = [
                backend.address.to_string(),
                gone[7..].trim_end_matches('/').to_owned(),
            ];
            settings.backends.hosts.extend(hosts);
        })
        .await;
        let answer = get(&gateway, "/", "Authorization: secret\r\n").await;
        assert_eq!(answer.status, expected.0, "{url} {ignores}");
        assert!(
            expected.1.is_empty() || answer.body == expected.1,
            "{url} {ignores}: {}",
            answer.body
        );
    }
    let seen = backend.take();
    assert_eq!(seen.len(), 2);
    let headers = &seen[0].headers;
    assert!(headers.contains_key("x-own") && !headers.contains_key("authorization"));
}

#[tokio::test(flavor = "multi_thread")]
async fn z_147_z_152_what_is_replaced_has_the_length_and_encoding_that_it_is_sent_with() {
    use std::io::Write as _;
    let backend = Backend::new(|path| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"an old word").unwrap();
        let (body, encoding) = match path {
            "/gzip" => (gzip.finish().unwrap(), Some("gzip")),
            "/zstd" => (b"an old word".to_vec(), Some("zstd")),
            _ => (b"an old word".to_vec(), None),
        };
        let mut answer = Response::new(Body::from(body));
        if let Some(encoding) = encoding {
            let headers = answer.headers_mut();
            headers.insert("content-encoding", encoding.parse().unwrap());
        }
        answer
    })
    .await;
    let document = r#"<outbound><find-and-replace from="old" to="much newer" /></outbound>"#;
    let gateway = Gateway::new(document, &backend).await;
    for (path, body, encoding) in [
        ("/", "an much newer word", None),
        ("/gzip", "an much newer word", None),
        ("/zstd", "an old word", Some("zstd")),
    ] {
        let answer = gateway.get(path).await;
        assert_eq!(
            (&*answer.body, answer.header("content-encoding")),
            (body, encoding)
        );
        let length = body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(&*length), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn z_146_z_148_answers_at_once_and_other_backends() {
    let backend = Backend::saying("ok").await;
    let document = format!(
        r#"<policies><inbound><choose><when condition="@(context.Request.Url.Path == "/at-once")">
          <return-response><set-status code="202" reason="Fine" /><set-header name="X-A"><value>1</value></set-header><set-body>body</set-body></return-response>
        </when></choose><set-backend-service base-url="{}v2/" /></inbound></policies>"#,
        backend.url()
    );
    let gateway = asking(&document, &backend).await;
    let answer = gateway.get("/at-once").await;
    assert!(
        answer.head.starts_with("HTTP/1.1 202 Fine\r\n"),
        "{}",
        answer.head
    );
    assert_eq!((&*answer.body, answer.header("x-a")), ("body", Some("1")));
    assert_eq!(gateway.get("/items?a=b").await.body, "ok");
    assert_eq!(backend.lines(), ["GET /v2/items?a=b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn z_150_whole_responses_come_from_the_cache() {
    let backend = Backend::saying("page").await;
    let document = r#"<policies><inbound><cache-lookup><vary-by-header>Accept</vary-by-header></cache-lookup></inbound>
        <outbound><cache-store duration="60" /></outbound></policies>"#;
    let gateway = Gateway::new(document, &backend).await;
    let mut bodies = Vec::new();
    for accept in ["a", "a", "b"] {
        let answer = get(&gateway, "/page?q=1", &format!("Accept: {accept}\r\n")).await;
        assert_eq!(answer.header("content-length"), Some("4"));
        bodies.push((answer.status, answer.body));
    }
    assert_eq!(bodies, vec![(200, "page".to_owned()); 3]);
    assert_eq!(backend.take().len(), 2);
    for _ in 0..2 {
        let post = "POST /page?q=1 HTTP/1.1\r\nHost: g\r\nAccept: a\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(gateway.raw(post).await.status, 200);
    }
    assert_eq!(backend.take().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn z_021_z_151_a_token_is_validated_before_its_subject_is_used() {
    let backend = Backend::saying("ok").await;
    let document = r#"<policies><inbound><validate-jwt header-name="Authorization"><issuer-signing-keys><key>c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0</key></issuer-signing-keys></validate-jwt>
        <return-response><set-body>@(context.Request.Headers.GetValueOrDefault("Authorization","").Split(' ')[1].AsJwt()?.Subject)</set-body></return-response></inbound></policies>"#;
    let gateway = Gateway::new(document, &backend).await;
    let token = |secret: &[u8]| {
        let claims = serde_json::json!({ "sub": "u42", "exp": 4_102_444_800_u64 });
        let key = jsonwebtoken::EncodingKey::from_secret(secret);
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
    };
    let answer = |token: String| {
        let header = format!("Authorization: Bearer {token}\r\n");
        let gateway = &gateway;
        async move { get(gateway, "/", &header).await }
    };
    let good = answer(token(b"secret-secret-secret-secret")).await;
    assert_eq!((good.status, &*good.body), (200, "u42"));
    assert_eq!(answer(token(b"another-another-another")).await.status, 401);
    assert_eq!(gateway.get("/").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn z_090_z_097_of_many_clients_at_once_one_has_the_value_computed() {
    let backend = Backend::saying("computed").await;
    let document = format!(
        r#"<inbound><cache-value key="k" variable-name="v" expires-after="60"><value>
          <send-request response-variable-name="r"><set-url>{}value</set-url></send-request>
          <set-variable name="v" value="@(((IResponse)context.Variables["r"]).Body.As<string>())" />
        </value></cache-value><return-response><set-body>@((string)context.Variables["v"])</set-body></return-response></inbound>"#,
        backend.url()
    );
    let gateway = asking(&document, &backend).await;
    let answers = join_all((0..20).map(|_| gateway.get("/"))).await;
    assert!(
        answers
            .iter()
            .all(|answer| (answer.status, &*answer.body) == (200, "computed"))
    );
    assert_eq!(backend.lines(), ["GET /value"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s_5_1_s_5_2_a_token_that_the_backend_refuses_is_fetched_anew() {
    // The second token that is given out is the good one.
    let backend = Backend::new(|path| {
        use std::sync::atomic::{AtomicU64, Ordering};
        static ISSUED: AtomicU64 = AtomicU64::new(0);
        let text = match path {
            "/token" => {
                let n = ISSUED.fetch_add(1, Ordering::Relaxed) + 1;
                format!(r#"{{"access_token":"t{n}","expires_in":30}}"#)
            }
            _ => "ok".to_owned(),
        };
        let mut answer = Response::new(Body::from(text));
        if path == "/items" && ISSUED.load(Ordering::Relaxed) == 1 {
            *answer.status_mut() = axum::http::StatusCode::UNAUTHORIZED;
        }
        answer
    })
    .await;
    let document = format!(
        r#"<policies><inbound><cache-lookup-value key="token" variable-name="token" />
        <choose><when condition="@(!context.Variables.ContainsKey("token"))">
          <send-request response-variable-name="r"><set-url>{}token</set-url></send-request>
          <set-variable name="token" value="@((string)((IResponse)context.Variables["r"]).Body.As<JObject>()["access_token"])" />
          <cache-store-value key="token" value="@((string)context.Variables["token"])" duration="@((int)((IResponse)context.Variables["r"]).Body.As<JObject>()["expires_in"])" />
        </when></choose>
        <set-header name="Authorization"><value>@("Bearer " + (string)context.Variables["token"])</value></set-header></inbound>
        <outbound><choose><when condition="@(context.Response.StatusCode == 401)"><cache-remove-value key="token" /></when></choose></outbound></policies>"#,
        backend.url()
    );
    let gateway = asking(&document, &backend).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(gateway.get("/items").await.status);
    }
    assert_eq!(statuses, [401, 200, 200, 200]);
    let seen = backend.take();
    let tokens = seen.iter().filter(|seen| seen.line == "GET /token").count();
    assert_eq!(
        (
            tokens,
            seen.last().unwrap().headers["authorization"]
                .to_str()
                .unwrap()
        ),
        (2, "Bearer t2")
    );
}
