//! The client: calls over HTTP/1, with TLS where the URL says so.
//!
//! # Idea         hyper's pool of connections; what a call asks is sent as it is, and the whole answer is waited for
//! # Costs        an answer is held once, up to its limit
//! # Invariants   C1 a call ends within its time, the way through names, connections and bodies included; C2 redirections aren't followed,
//!   so nobody is asked but who was checked
//! # Not here     who may be asked; how long a connection may take: module `timed`

mod timed;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body as _;
use hyper::ext::ReasonPhrase;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tower_service::Service;
use tracing::{debug, warn};

use self::timed::{CONNECT_WITHIN, Timed};
use super::settings::{Backends, SettingsError};
use crate::http::{Call, Response, remove_hop_by_hop};
use crate::upstream::{Boxed, SendError, Upstream};

/// Asks backends and whom policies name. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    pool: Pool<Timed<HttpsConnector<HttpConnector<Names>>>, Full<Bytes>>,
    answer_bytes_max: u64,
    ended: Arc<[AtomicU64; ENDS.len()]>,
}

/// How calls end.
const ENDS: [&str; 4] = ["answered", "timed-out", "too-large", "failed"];

impl Client {
    /// A client within these limits.
    ///
    /// # Errors
    /// Certificates can't be read.
    pub fn new(of: &Backends) -> Result<Self, SettingsError> {
        let mut http = HttpConnector::new_with_resolver(Names {
            fixed: Arc::new(of.addresses.clone()),
            system: GaiResolver::new(),
        });
        http.enforce_http(false);
        http.set_nodelay(true);
        let connect_within = Duration::from_millis(of.connect_ms);
        // Of several addresses each has its part of it.
        http.set_connect_timeout(Some(connect_within));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust(of)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(of.idle_max)
            .pool_idle_timeout(Duration::from_millis(of.idle_ms))
            .build(Timed::new(connector, connect_within));
        Ok(Self {
            pool,
            answer_bytes_max: of.answer_bytes_max,
            ended: Arc::default(),
        })
    }

    /// How many calls ended in which way.
    pub(super) fn ended(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.ended.iter();
        ENDS.into_iter()
            .zip(counts.map(|count| count.load(Ordering::Relaxed)))
    }

    async fn exchange(&self, mut call: Call) -> Result<Response, SendError> {
        let failed = |error: &dyn Error| SendError::Failed(causes(error));
        remove_hop_by_hop(&mut call.headers);
        let mut request = hyper::Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() = call.url.as_str().parse().map_err(|error| failed(&error))?;
        *request.headers_mut() = call.headers;
        let answer = self.pool.request(request).await;
        let (head, body) = answer.map_err(|error| failed(&error))?.into_parts();
        if body.size_hint().lower() > self.answer_bytes_max {
            return Err(SendError::TooLarge);
        }
        let bytes_max = usize::try_from(self.answer_bytes_max).unwrap_or(usize::MAX);
        let body = Limited::new(body, bytes_max).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => SendError::TooLarge,
            false => SendError::Failed(causes(&*error)),
        })?;
        let reason = head.extensions.get::<ReasonPhrase>();
        Ok(Response {
            status: head.status,
            reason: reason.map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned()),
            headers: head.headers,
            body: body.to_bytes(),
        })
    }
}

impl Upstream for Client {
    fn send(&self, call: Call) -> Boxed<'_, Result<Response, SendError>> {
        Box::pin(async move {
            let host = call.url.host_str().unwrap_or_default().to_owned();
            let (within, connect_within) = (call.within, call.connect_within);
            let exchange = self.exchange(call);
            let answer = match connect_within {
                Some(connect) => timeout(within, CONNECT_WITHIN.scope(connect, exchange)).await,
                None => timeout(within, exchange).await,
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(_) => Err(SendError::TimedOut),
            };
            let end = match &answer {
                Ok(_) => 0,
                Err(SendError::TimedOut) => 1,
                Err(SendError::TooLarge) => 2,
                Err(_) => 3,
            };
            self.ended[end].fetch_add(1, Ordering::Relaxed);
            if let Err(error) = &answer {
                debug!(host, %error, "no answer");
            }
            answer
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("answer_bytes_max", &self.answer_bytes_max)
            .finish_non_exhaustive()
    }
}

/// Who has which address: as the settings say, and otherwise the system.
#[derive(Clone)]
struct Names {
    fixed: Arc<BTreeMap<String, SocketAddr>>,
    system: GaiResolver,
}

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Boxed<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        if let Some(address) = self.fixed.get(name.as_str()) {
            let addresses = vec![*address].into_iter();
            return Box::pin(std::future::ready(Ok(addresses)));
        }
        let found = self.system.call(name);
        Box::pin(async move { Ok(found.await?.collect::<Vec<_>>().into_iter()) })
    }
}

/// Whom TLS trusts: the system's authorities, and those of the settings.
fn trust(of: &Backends) -> Result<ClientConfig, SettingsError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        warn!(%error, "certificates of the system");
    }
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = &of.authorities {
        let refused = |error: &dyn fmt::Display| {
            SettingsError(format!("backends.authorities: {}: {error}", path.display()))
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| refused(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| refused(&error))?;
            roots.add(certificate).map_err(|error| refused(&error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::of(&error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// An error and what it came from.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
