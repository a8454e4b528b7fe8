//! A gateway on a free port, a backend that does as it is told, and a client that sends byte by byte.

#[path = "../../examples/stage/local.rs"]
mod local;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Response};
use larder_gateway::program::{App, Settings};
use larder_serve::{Connections, Drained, Log};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use self::local::{ANY, api};

/// What a backend saw.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A backend.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Backend {
    /// One that answers by a function of the path.
    pub(crate) async fn new(
        answer: impl Fn(&str) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let of = Arc::clone(&seen);
        let serve = move |request: Request<Body>| {
            let (seen, answer) = (Arc::clone(&of), answer.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 30).await.unwrap();
                let path = head.uri.path().to_owned();
                seen.lock().push(Seen {
                    line: format!("{} {}", head.method, head.uri),
                    headers: head.headers,
                    body,
                });
                answer(&path)
            }
        };
        let router = Router::new().fallback(serve);
        let address = local::serve(router, Connections::default()).await.unwrap();
        Self { address, seen }
    }

    /// One that answers all with the same text.
    pub(crate) async fn saying(text: &'static str) -> Self {
        Self::new(move |_| Response::new(Body::from(text))).await
    }

    /// What it saw since the last time.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock())
    }

    /// The lines of that.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.take().into_iter().map(|seen| seen.line).collect()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// Files of one test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("program-{}-{number}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn with(self, name: &str, text: &str) -> Self {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<Drained>,
    _folder: Folder,
}

impl Gateway {
    /// Policies in front of a backend.
    pub(crate) async fn new(document: &str, backend: &Backend) -> Self {
        Self::with(document, backend, |_| ()).await
    }

    /// The same with other settings.
    pub(crate) async fn with(
        document: &str,
        backend: &Backend,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        // A panic of a test's own server is told by the test.
        static LOGS: Once = Once::new();
        LOGS.call_once(|| {
            let log = Log {
                filter: "error".into(),
                ..Log::default()
            };
            log.start().unwrap();
        });
        let folder = Folder::new().with("policy.xml", document);
        let mut settings = Settings {
            folder: folder.0.clone(),
            ..Settings::default()
        };
        settings.azure.apis = vec![api("policy.xml", backend.url().parse().unwrap())];
        change(&mut settings);
        let app = App::new(&settings, |_| ()).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = TcpListener::bind(ANY).await.unwrap();
        let health = app.health().clone();
        let until = async move {
            let _ = stopped.await;
            health.stop();
        };
        let connections = settings.connections;
        let admin = local::serve(app.admin_router(), connections);
        Self {
            address: listener.local_addr().unwrap(),
            admin: admin.await.unwrap(),
            stop: Some(stop),
            served: tokio::spawn(larder_serve::serve(
                listener,
                None,
                connections,
                app.router(),
                until,
            )),
            _folder: folder,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        get(self.address, path).await
    }

    /// Sends what it is given, and reads one answer.
    pub(crate) async fn raw(&self, request: &str) -> Answer {
        raw(self.address, request).await
    }

    /// The same at the address of administrators.
    pub(crate) async fn at_admin(&self, request: &str) -> Answer {
        raw(self.admin, request).await
    }
}

/// What a gateway answers that is served for as long as the runtime lives.
pub(crate) async fn answer(app: &App, path: &str) -> String {
    let address = local::serve(app.router(), Connections::default()).await;
    get(address.unwrap(), path).await.body
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    raw(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n"),
    )
    .await
}

async fn raw(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    Answer::read(&mut stream, request.starts_with("HEAD")).await
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Reads one answer; that to a HEAD has no body, whatever it says.
    pub(crate) async fn read(stream: &mut TcpStream, is_head: bool) -> Self {
        Self::try_read(stream, is_head).await.unwrap()
    }

    pub(crate) async fn try_read(stream: &mut TcpStream, is_head: bool) -> io::Result<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap();
        let mut answer = Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: String::new(),
        };
        let length = answer
            .header("content-length")
            .map(|length| length.parse().unwrap());
        let has_none = is_head || matches!(answer.status, 204 | 304);
        if let (false, Some(length)) = (has_none, length) {
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            answer.body = String::from_utf8(body).unwrap();
        }
        assert_eq!(
            answer.header("transfer-encoding"),
            None,
            "whole bodies have a length"
        );
        Ok(answer)
    }
}

/// A document that changes nothing.
pub(crate) const NOTHING: &str = "<policies><inbound /></policies>";
