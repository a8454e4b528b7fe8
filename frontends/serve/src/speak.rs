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
use crate::phase::{Phase, Tracked};
use crate::refusal;

/// Who is at the other end of a connection: an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Speaks HTTP/1 with a client on a stream until it ends.
pub async fn speak<S>((stream, peer): (S, Peer), connections: Connections, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let never = GracefulShutdown::new();
    speak_until((stream, peer), connections, router, never.watcher()).await;
}

/// As [`speak`], and no further request is read once the watcher is told to end.
pub(crate) async fn speak_until<S>(
    (stream, peer): (S, Peer),
    connections: Connections,
    router: Router,
    watcher: Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let phase = Arc::new(Phase::default());
    let io = TokioIo::new(Paced::new(stream, Arc::clone(&phase), connections));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let busy = Phase::begin(&phase);
        let has_body = !request.body().is_end_stream();
        let answer = match phase.contradicts() {
            true => Err(refusal::contradiction()),
            false => Ok(Service::call(&router, request.map(Body::new))),
        };
        async move {
            let answer = match answer {
                Ok(answer) => answer.await?,
                Err(refused) => refused,
            };
            if has_body && answer.status().is_client_error() {
                busy.refuse();
            }
            Ok::<_, Infallible>(answer.map(|body| Tracked::new(body, busy)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The stream knows better: it tells waiting for a request from waiting for the rest of one.
        .header_read_timeout(None)
        .max_buf_size(connections.head_bytes_max)
        .max_headers(connections.headers_max)
        .serve_connection(io, service);
    if let Err(error) = watcher.watch(connection).await {
        debug!(%error, "a connection ended early");
    }
}
