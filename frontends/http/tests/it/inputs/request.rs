//! Any request, from its line to its body, through the server's router without a socket: an answer that isn't the server's fault.
//!
//! Input: a request as text, its line, its headers, an empty line and the body; lines end with `\n`.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use larder_http::auth::{Grant, SigningKey, StaticKey};
use larder_http::{App, Engine, Settings, router};
use larder_serve::{Handler, Peer};

/// A server with one account and one cache; `ADM` may do everything, `RW` what items need.
fn app() -> App {
    let mut settings = Settings {
        curve_entries: 0,
        cors: Some("*".to_owned()),
        basic_auth: true,
        ..Settings::default()
    };
    let account = settings.accounts.entry("a".to_owned()).or_default();
    account
        .caches
        .entry("default-cache".to_owned())
        .or_default();
    let all = serde_json::from_str(r#"[{"role":"readwrite"}]"#).unwrap();
    settings.keys = vec![
        StaticKey::of("ADM", "a", Grant::SuperUser),
        StaticKey::of("RW", "a", Grant::Permissions(all)),
    ];
    settings.signing_keys = vec![SigningKey::hs256("k", &"a".repeat(48))];
    App::new(&settings, Engine::new(1 << 20).unwrap()).unwrap()
}

/// The request, if a server would get as far as to hand it on.
fn request(input: &[u8]) -> Option<Request<Body>> {
    let mut rest = input;
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, after) = rest.split_at(end);
        rest = &after[1..];
        Some(line)
    };
    let first = line()?;
    let space = first.iter().position(|byte| *byte == b' ')?;
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::from_bytes(&first[..space]).ok()?;
    *request.uri_mut() = first[space + 1..].try_into().ok()?;
    // What a server refuses before it looks for a route.
    if !request.uri().path().starts_with('/') {
        return None;
    }
    loop {
        let line = line()?;
        if line.is_empty() {
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        request.headers_mut().append(name, value);
    }
    *request.body_mut() = Body::from(rest.to_vec());
    Some(request)
}

pub(crate) fn run(input: &[u8]) {
    let Some(request) = request(input) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let is_head = request.method() == Method::HEAD;
    let answer = async {
        let peer = Peer(([127, 0, 0, 1], 1).into());
        let response = router(app()).handle(peer, request).await;
        let (head, body) = response.into_parts();
        (head, to_bytes(body, usize::MAX).await.unwrap())
    };
    let answer =
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), answer).await });
    let (head, body) = answer.expect("an answer comes");
    assert!(!head.status.is_server_error(), "{}", head.status);
    if head.status.is_client_error() && !is_head {
        let kind = &head.headers[header::CONTENT_TYPE];
        if kind == "application/json" {
            let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert!(
                error["code"].is_string() && error["message"].is_string(),
                "{error}"
            );
        } else {
            assert_eq!(kind, "text/plain; charset=utf-8");
        }
    }
    if head.status == StatusCode::UNAUTHORIZED {
        assert!(head.headers.contains_key(header::WWW_AUTHENTICATE));
    }
}
