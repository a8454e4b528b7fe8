//! A server on a free port, and a client that sends what it is told to, byte by byte.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use larder::{Cache, Clock, Levels, ManualClock};
use larder_http::auth::{Grant, Items, Permission, Role, SigningKey, StaticKey};
use larder_http::{AccountSettings, App, Engine, Profile, Settings, router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The second at which the clock begins.
pub(crate) const EPOCH: u64 = 1_800_000_000;

pub(crate) const CACHE: &str = "/cache/default-cache";

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) clock: ManualClock,
    pub(crate) app: App,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<larder_serve::Drained>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.body.escape_ascii()))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }

    /// Checks status and code word.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, code: &str) {
        let body = self.body.escape_ascii();
        assert_eq!(self.status, status, "{body}");
        assert_eq!(self.code(), code, "{body}");
    }

    #[track_caller]
    pub(crate) fn is_value(&self, value: impl AsRef<[u8]>) {
        assert_eq!(self.status, 200, "{}", self.body.escape_ascii());
        assert_eq!(self.body, value.as_ref());
    }

    #[track_caller]
    pub(crate) fn is_stored(&self) {
        assert_eq!(self.status, 204, "{}", self.body.escape_ascii());
        assert!(self.body.is_empty());
    }
}

pub(crate) fn key(token: &str, permissions: Vec<Permission>) -> StaticKey {
    let grant = match permissions.is_empty() {
        true => Grant::SuperUser,
        false => Grant::Permissions(permissions),
    };
    StaticKey::of(token, "acct", grant)
}

pub(crate) fn permission(role: Role, cache: Option<&str>, items: Items) -> Permission {
    Permission {
        role,
        cache: cache.map(str::to_owned),
        items,
    }
}

pub(crate) fn secret(id: &str, letter: &str) -> SigningKey {
    // 48 letters of base64 are 36 bytes.
    SigningKey::hs256(id, &letter.repeat(48))
}

/// The settings of the specification's test server.
pub(crate) fn settings() -> Settings {
    let all = |role| vec![permission(role, None, Items::All)];
    let mut expired = key("EXP", all(Role::ReadWrite));
    expired.expires_at = Some(EPOCH);
    let mut account = AccountSettings::default();
    for name in ["default-cache", "other"] {
        account.caches.insert(name.into(), Default::default());
    }
    Settings {
        accounts: BTreeMap::from([("acct".into(), account)]),
        keys: vec![
            key("RW", all(Role::ReadWrite)),
            key("RO", all(Role::ReadOnly)),
            key("WO", all(Role::WriteOnly)),
            key("ADM", Vec::new()),
            // Good, and of no use for anything that is there.
            key(
                "NOTHING",
                vec![permission(Role::ReadOnly, Some("-"), Items::All)],
            ),
            expired,
        ],
        signing_keys: vec![secret("k1", "a")],
        ..Settings::default()
    }
}

pub(crate) fn vendor() -> Settings {
    Settings {
        profile: Profile::Vendor,
        ..settings()
    }
}

/// An engine whose clocks are moved by hand.
pub(crate) fn engine(clock: &ManualClock) -> Engine {
    let cache = Cache::builder().max_bytes(64 << 20).clock(clock.clone());
    let calendar = clock.clone();
    Engine {
        tier: None,
        cache: cache.build().unwrap(),
        levels: Levels::none(),
        level_options: Default::default(),
        clock: Arc::new(clock.clone()),
        calendar: Arc::new(move || {
            UNIX_EPOCH + Duration::from_secs(EPOCH) + Duration::from_nanos(calendar.now().0)
        }),
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(&settings()).await
    }

    pub(crate) async fn with(settings: &Settings) -> Self {
        let clock = ManualClock::new();
        Self::over(settings, engine(&clock), clock).await
    }

    pub(crate) async fn over(settings: &Settings, engine: Engine, clock: ManualClock) -> Self {
        let app = App::new(settings, engine).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let routes = router(app.clone());
        let tls = settings.tls.as_ref().map(|tls| tls.acceptor().unwrap());
        let stopped = async {
            let _ = stopped.await;
        };
        let served = larder_serve::serve(listener, tls, settings.connections, routes, stopped);
        Self {
            address,
            clock,
            app,
            stop: Some(stop),
            served: tokio::spawn(served),
        }
    }

    pub(crate) fn tick(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes as they are, and reads until the server closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = self.connect().await;
        // The server may answer and close before all is sent.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        let mut request = request.into_bytes();
        if !body.is_empty() || matches!(method, "PUT" | "POST") {
            request.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
        }
        request.extend(b"\r\n");
        request.extend(body);
        parse(&self.raw(&request).await)
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"").await
    }

    pub(crate) async fn put(&self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("PUT", target, &[], body.as_ref()).await
    }

    pub(crate) async fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, &[], b"").await
    }

    /// Puts under a key of `default-cache`, for a minute.
    pub(crate) async fn store(&self, key: &str, value: impl AsRef<[u8]>) {
        let target = format!("{CACHE}?key={key}&ttl_seconds=60&token=RW");
        self.put(&target, value).await.is_stored();
    }

    /// Gets a key of `default-cache`.
    pub(crate) async fn load(&self, key: &str) -> Answer {
        self.get(&format!("{CACHE}?key={key}&token=RW")).await
    }

    /// An operation on items of `default-cache`.
    pub(crate) async fn call(&self, op: &str, token: &str, body: serde_json::Value) -> Answer {
        let target = format!("/caches/default-cache/items/{op}?token={token}");
        self.send("POST", &target, &[], body.to_string().as_bytes())
            .await
    }
}

/// Reads an answer whose length is declared, or that ends with the connection.
pub(crate) fn parse(answer: &[u8]) -> Answer {
    let shown = answer.escape_ascii();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {shown}"));
    let head = str::from_utf8(&answer[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().splitn(3, ' ');
    assert_eq!(first.next(), Some("HTTP/1.1"), "{shown}");
    let status = first.next().unwrap().parse().unwrap();
    let reason = first.next().unwrap_or("").to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let headers: BTreeMap<String, String> = lines.map(header).collect();
    let body = answer[end + 4..].to_vec();
    Answer {
        status,
        reason,
        headers,
        body,
    }
}
