//! Accepting, serving and draining connections.
//!
//! # Idea         a slot is taken before a connection is accepted, so what is beyond the cap waits in the kernel's queue and costs nothing
//! # Costs        a task a connection
//! # Invariants   SV1, SV2
//! # Not here     deadlines of a stream: module `paced`

use std::convert::Infallible;
use std::io;
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

use crate::paced::{Deadlines, Paced, Phase, Tracked};

/// Where and how to serve.
#[derive(Clone)]
pub struct Listen {
    /// TLS, if it is to be spoken.
    pub tls: Option<TlsAcceptor>,
    /// How many connections there may be at a time; more wait to be accepted.
    pub connections_max: usize,
    /// How long a client may take for what.
    pub deadlines: Deadlines,
    /// How many bytes a request's line and headers may have together.
    pub head_bytes_max: usize,
    /// How many headers a request may have.
    pub headers_max: usize,
    /// How long requests in flight may take once the server is to stop; what takes longer is cut off.
    pub drain: Duration,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            tls: None,
            connections_max: 20_000,
            deadlines: Deadlines::default(),
            head_bytes_max: 128 << 10,
            headers_max: 100,
            drain: Duration::from_secs(10),
        }
    }
}

impl std::fmt::Debug for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listen")
            .field("tls", &self.tls.is_some())
            .field("connections_max", &self.connections_max)
            .field("deadlines", &self.deadlines)
            .finish_non_exhaustive()
    }
}

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

/// Serves a router on a socket until `stop` is done; then accepts no more, lets requests in flight end, and returns.
pub async fn serve(
    listener: TcpListener,
    listen: Listen,
    router: Router,
    stop: impl Future<Output = ()>,
) -> Drained {
    let slots = Arc::new(Semaphore::new(listen.connections_max));
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let (stream, slot) = tokio::select! {
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
        let (listen, router) = (listen.clone(), router.clone());
        tasks.spawn(async move {
            connection(stream, listen, router, watcher).await;
            drop(slot);
        });
    }
    drop(listener);
    info!("draining");
    tokio::select! {
        () = graceful.shutdown() => Drained::Wholly,
        () = sleep(listen.drain) => {
            while tasks.try_join_next().is_some() {}
            // Dropped with the set, the tasks end where they stand.
            Drained::CutOff { connections: tasks.len() }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned();
    let slot = slot.await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, slot))
}

async fn connection(stream: TcpStream, listen: Listen, router: Router, watcher: Watcher) {
    let Some(tls) = &listen.tls else {
        return speak(stream, &listen, router, watcher).await;
    };
    match timeout(listen.deadlines.header, tls.accept(stream)).await {
        Ok(Ok(stream)) => speak(stream, &listen, router, watcher).await,
        Ok(Err(error)) => debug!(%error, "no TLS"),
        Err(_) => debug!("TLS took too long"),
    }
}

/// Speaks HTTP/1 on a stream until it ends.
async fn speak<S>(stream: S, listen: &Listen, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let phase = Arc::new(Phase::default());
    let io = TokioIo::new(Paced::new(stream, Arc::clone(&phase), listen.deadlines));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
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
        .max_buf_size(listen.head_bytes_max)
        .max_headers(listen.headers_max)
        .serve_connection(io, service);
    if let Err(error) = watcher.watch(connection).await {
        debug!(%error, "a connection ended early");
    }
}
