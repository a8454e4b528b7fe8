//! One connection: HTTP/1 on any stream.
//!
//! # Idea         hyper parses, the router answers, and the stream between the client and hyper keeps the deadlines
//! # Costs        see the library
//! # Not here     deadlines of a stream: module `paced`

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use crate::Connections;
use crate::paced::Paced;
use crate::phase::{Busy, Phase, Tracked};
use crate::refusal;
use crate::rest;
use crate::settings::HEAD_BYTES_MIN;

/// hyper's own limit on headers.
const HEADERS_AT_HAND: usize = 100;

/// Who is at the other end of a connection: an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What answers requests; a clone for each connection.
pub trait Handler: Clone + Send + Sync + Unpin + 'static {
    /// Answers one.
    fn handle(&self, peer: Peer, request: Request) -> impl Future<Output = Response> + Send;

    /// Completes the head of an answer that leaves, also of a refusal that is made before there is a request to handle. By itself it
    /// changes nothing.
    fn complete(&self, _headers: &mut HeaderMap) {}
}

/// A router's handlers find the [`Peer`] among the extensions.
impl Handler for Router {
    async fn handle(&self, peer: Peer, mut request: Request) -> Response {
        request.extensions_mut().insert(peer);
        let service = TowerToHyperService::new(self.clone());
        match Service::call(&service, request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }
}

/// Speaks HTTP/1 with a client on a stream until it ends.
pub async fn speak<S>((stream, peer): (S, Peer), connections: Connections, handler: impl Handler)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let never = GracefulShutdown::new();
    speak_until((stream, peer), connections, handler, never.watcher()).await;
}

/// As [`speak`], and no further request is read once the watcher is told to end.
pub(crate) async fn speak_until<S>(
    (stream, peer): (S, Peer),
    connections: Connections,
    handler: impl Handler,
    watcher: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let phase = Arc::new(Phase::default());
    let io = Paced::new(stream, handler.clone(), Arc::clone(&phase), connections);
    let io = TokioIo::new(io);
    let service = service_fn(move |request: Request<Incoming>| {
        let busy = Phase::begin(&phase);
        let (handler, contradicts) = (handler.clone(), phase.contradicts());
        async move {
            let has_body = !request.body().is_end_stream();
            let mut answer = match contradicts {
                true => refusal::answer(StatusCode::BAD_REQUEST, &connections),
                // In a place of its own: an idle connection keeps no room for the largest of requests.
                false => Box::pin(answer(&handler, peer, request, &busy)).await,
            };
            handler.complete(answer.headers_mut());
            if has_body && answer.status().is_client_error() {
                busy.refuse();
            }
            Ok::<_, Infallible>(answer.map(|body| Tracked::new(body, busy)))
        }
    });
    let mut builder = http1::Builder::new();
    // As many as hyper takes when nothing is said have their place at hand.
    if connections.headers_max != HEADERS_AT_HAND {
        builder.max_headers(connections.headers_max);
    }
    let connection = builder
        .timer(TokioTimer::new())
        // The stream knows better: it tells waiting for a request from waiting for the rest of one.
        .header_read_timeout(None)
        .max_buf_size(connections.head_bytes_max.max(HEAD_BYTES_MIN))
        .serve_connection(io, service);
    if let Err(error) = watcher.watch(connection).await {
        debug!(%error, "a connection ended early");
    }
}

/// Answers a request. The answer says that the connection ends, where a body of which the handler has left some keeps it from going on.
async fn answer(
    handler: &impl Handler,
    peer: Peer,
    request: Request<Incoming>,
    busy: &Busy,
) -> Response {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        let request = Request::from_parts(head, Body::empty());
        return handler.handle(peer, request).await;
    }
    let waits = head.headers.contains_key(header::EXPECT);
    let (body, rest) = rest::lend(body);
    let request = Request::from_parts(head, body);
    let mut answer = handler.handle(peer, request).await;
    if !rest.ends(waits).await {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
        busy.refuse();
    }
    answer
}
