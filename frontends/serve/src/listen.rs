//! Accepting, serving and draining connections.
//!
//! # Idea         a slot is taken before a connection is accepted, so what is beyond the cap waits in the kernel's queue and costs nothing
//! # Costs        a task a connection
//! # Invariants   SV1, SV2
//! # Not here     deadlines of a stream: module `paced`

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use crate::Connections;
use crate::paced::{Paced, Phase, Tracked};

/// Who is at the other end of a connection: an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request that had begun was answered.
    Wholly,
    /// Some connections were cut off when the time was over.
    CutOff {
        /// How many.
        connections: usize,
    },
}

/// Serves a router on a socket, over TLS if there is an acceptor, until `stop` is done; then accepts no more, lets requests in flight end, and returns.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    connections: Connections,
    router: Router,
    stop: impl Future<Output = ()>,
) -> Drained {
    let slots = Arc::new(Semaphore::new(connections.max));
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let (stream, peer, slot) = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accept(&listener, &slots) => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Mostly no file descriptor is free: others have to end first.
                    warn!(%error, "a connection could not be accepted");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        while tasks.try_join_next().is_some() {}
        let watcher = graceful.watcher();
        let (tls, router) = (tls.clone(), router.clone());
        tasks.spawn(async move {
            connection((stream, peer), tls, connections, router, watcher).await;
            drop(slot);
        });
    }
    drop(listener);
    info!("draining");
    tokio::select! {
        () = graceful.shutdown() => Drained::Wholly,
        () = sleep(connections.drain) => {
            while tasks.try_join_next().is_some() {}
            // Dropped with the set, the tasks end where they stand.
            Drained::CutOff { connections: tasks.len() }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned();
    let slot = slot.await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, Peer(peer), slot))
}

async fn connection(
    (stream, peer): (TcpStream, Peer),
    tls: Option<TlsAcceptor>,
    connections: Connections,
    router: Router,
    watcher: Watcher,
) {
    let Some(tls) = tls else {
        return speak((stream, peer), connections, router, watcher).await;
    };
    match timeout(connections.header, tls.accept(stream)).await {
        Ok(Ok(stream)) => speak((stream, peer), connections, router, watcher).await,
        Ok(Err(error)) => debug!(%error, "no TLS"),
        Err(_) => debug!("TLS took too long"),
    }
}

/// Speaks HTTP/1 on a stream until it ends.
async fn speak<S>(
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
        let answer = hyper::service::Service::call(&router, request.map(Body::new));
        async move {
            let answer = answer.await?;
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
