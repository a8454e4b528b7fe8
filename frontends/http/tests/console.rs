//! The console, over a real socket, and in a real browser where there is one:
//! - the page comes to anybody and the figures to super users, of their own account or as operators of all;
//! - `page`: a person signs in by the keyboard, sees figures move, finds no sideways scrolling on a phone, and signs out.

#![allow(
    clippy::unwrap_used,
    reason = "all of this is test code, its helpers included"
)]

#[path = "console/browser.rs"]
mod browser;
#[path = "console/page.rs"]
mod page;

use std::net::SocketAddr;

use larder_http::auth::{Grant, StaticKey};
use larder_http::{AccountSettings, App, Bound, CacheSettings, Engine, Settings, router};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server with two accounts; the second has a cache that refuses soon.
struct Server {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

/// The super users' tokens, and one that isn't.
const ONE: &str = "super-user-of-one";
const TWO: &str = "super-user-of-two";
const READER: &str = "reader-of-one";

impl Server {
    async fn start(operator: Option<&str>) -> Server {
        let mut settings = Settings {
            operator: operator.map(str::to_owned),
            ..Settings::default()
        };
        let metered = CacheSettings {
            operations_per_second: Some(Bound::At(2)),
            max_bytes: Some(Bound::At(1 << 20)),
            ..CacheSettings::default()
        };
        for (account, caches) in [
            (
                "one",
                vec![
                    ("default-cache", CacheSettings::default()),
                    ("sessions", CacheSettings::default()),
                ],
            ),
            ("two", vec![("metered", metered)]),
        ] {
            let caches = caches
                .into_iter()
                .map(|(name, cache)| (name.to_owned(), cache));
            let account_settings = AccountSettings {
                caches: caches.collect(),
                ..AccountSettings::default()
            };
            settings
                .accounts
                .insert(account.to_owned(), account_settings);
        }
        let reads = serde_json::from_str(r#"[{"role":"readonly"}]"#).unwrap();
        settings.keys = vec![
            StaticKey::of(ONE, "one", Grant::SuperUser),
            StaticKey::of(TWO, "two", Grant::SuperUser),
            StaticKey::of(READER, "one", Grant::Permissions(reads)),
        ];
        let app = App::new(&settings, Engine::new(6 << 20).unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = settings.connections;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            larder_serve::serve(listener, None, connections, router(app), stopped).await
        });
        Server {
            address,
            stop: Some(stop),
        }
    }

    /// Sends a head and a body on a connection of its own; status line and headers, and the body.
    async fn ask(&self, line: &str, token: Option<&str>, body: &[u8]) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let token = token.map_or(String::new(), |token| format!("Authorization: {token}\r\n"));
        let head = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        (head, answer[end + 4..].to_vec())
    }

    async fn status(&self, line: &str, token: Option<&str>) -> u16 {
        let (head, _) = self.ask(line, token, b"").await;
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    async fn figures(&self, token: &str) -> Value {
        let (head, body) = self.ask("GET /console/data", Some(token), b"").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(
            head.to_lowercase().contains("cache-control: no-store"),
            "{head}"
        );
        serde_json::from_slice(&body).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
    }
}

fn names(parts: &Value) -> Vec<&str> {
    let parts = parts.as_array().unwrap();
    parts
        .iter()
        .map(|part| part["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_page_comes_to_anybody_and_says_what_it_may_do() {
    let server = Server::start(None).await;
    let (head, body) = server.ask("GET /console", None, b"").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let head = head.to_lowercase();
    assert!(
        head.contains("content-type: text/html; charset=utf-8"),
        "{head}"
    );
    assert!(
        head.contains("content-security-policy: default-src 'none'; script-src 'sha256-"),
        "{head}"
    );
    assert!(head.contains("frame-ancestors 'none'"), "{head}");
    assert!(
        String::from_utf8(body)
            .unwrap()
            .contains("<title>Larder console</title>")
    );
    assert_eq!(server.status("POST /console", None).await, 405);
    assert_eq!(server.status("OPTIONS /console", None).await, 204);
    let (head, body) = server.ask("HEAD /console", None, b"").await;
    assert!(
        head.starts_with("HTTP/1.1 200") && body.is_empty(),
        "{head}"
    );
}

#[tokio::test]
async fn figures_are_for_super_users_and_of_their_own_account() {
    let server = Server::start(None).await;
    let line = "GET /console/data";
    assert_eq!(server.status(line, None).await, 401);
    assert_eq!(server.status(line, Some("nobody's")).await, 401);
    assert_eq!(server.status(line, Some(READER)).await, 403);
    assert_eq!(server.status("POST /console/data", Some(ONE)).await, 405);
    let figures = server.figures(ONE).await;
    assert_eq!(names(&figures["tenants"]), ["one"]);
    assert_eq!(figures["title"], "Account one");
    assert_eq!(
        names(&figures["tenants"][0]["caches"]),
        ["default-cache", "sessions"]
    );
    assert!(!figures.to_string().contains("two"), "{figures}");
}

#[tokio::test]
async fn the_operators_super_users_see_all_accounts() {
    let server = Server::start(Some("one")).await;
    let figures = server.figures(ONE).await;
    assert_eq!(names(&figures["tenants"]), ["one", "two"]);
    assert_eq!(figures["capacity_bytes"], 6 << 20);
    assert_eq!(names(&server.figures(TWO).await["tenants"]), ["two"]);
}

#[tokio::test]
async fn figures_tell_what_requests_did() {
    let server = Server::start(Some("one")).await;
    let item = "/cache/metered?key=k";
    let put = format!("PUT {item}&ttl_seconds=60");
    let (head, _) = server.ask(&put, Some(TWO), &[7; 1000]).await;
    assert!(head.starts_with("HTTP/1.1 204"), "{head}");
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(server.status(&format!("GET {item}"), Some(TWO)).await);
    }
    let n_of = |status: u16| statuses.iter().filter(|seen| **seen == status).count();
    assert_eq!(n_of(200) + n_of(429), 40, "{statuses:?}");
    assert!(n_of(429) > 0, "{statuses:?}");
    let figures = server.figures(ONE).await;
    let two = &figures["tenants"][1];
    let cache = &two["caches"][0];
    assert_eq!(cache["hits"], n_of(200));
    assert_eq!(
        (&cache["inserted"], &cache["entries"]),
        (&1.into(), &1.into())
    );
    assert!(cache["bytes"].as_u64().unwrap() > 1000);
    assert_eq!(
        (&cache["max_bytes"], &cache["rates"][0]["limit"]),
        (&(1 << 20).into(), &2.into())
    );
    assert!(cache["rates"][0]["refused"].as_u64().unwrap() >= n_of(429) as u64);
    assert_eq!(
        figures["whole"]["rates"][0]["refused"],
        cache["rates"][0]["refused"]
    );
    assert_eq!(figures["whole"]["hits"], two["hits"]);
    assert_eq!(two["curve"].as_array().unwrap().len(), 7);
}
