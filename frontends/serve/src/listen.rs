//! Accepting, serving and draining connections.
//!
//! # Idea         a slot is taken before a connection is accepted, so what is beyond the cap waits in the kernel's queue and costs nothing
//! # Costs        a task a connection
//! # Invariants   SV1, SV2
//! # Not here     what is spoken on a connection: module `speak`

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, info, warn};

use crate::Connections;
use crate::speak::{Handler, Peer, speak_until};

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

/// Serves a handler, such as a router, on a socket, over TLS if there is an acceptor, until `stop` is done; then accepts no more, lets requests in flight end, and returns.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    connections: Connections,
    handler: impl Handler,
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
        let (tls, handler) = (tls.clone(), handler.clone());
        tasks.spawn(async move {
            connection((stream, peer), tls, connections, handler, watcher).await;
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
    handler: impl Handler,
    watcher: Watcher,
) {
    let Some(tls) = tls else {
        return speak_until((stream, peer), connections, handler, watcher).await;
    };
    match timeout(connections.header, tls.accept(stream)).await {
        Ok(Ok(stream)) => speak_until((stream, peer), connections, handler, watcher).await,
        Ok(Err(error)) => debug!(%error, "no TLS"),
        Err(_) => debug!("TLS took too long"),
    }
}
