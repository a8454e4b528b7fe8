//! A server from its start to its end, as the operating system's signals have it.

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{debug, error, info, warn};

use crate::{Connections, Drained, Handler, Health, Tls, serve};

/// Files that a server has open besides its connections, and some.
const OTHER_FILES: u64 = 64;

/// What goes wrong while a server is set up.
pub type SetupError = Box<dyn Error + Send + Sync>;

/// What is run.
#[derive(Debug)]
pub struct Run<'a, H = Router> {
    /// Where to listen.
    pub listen: SocketAddr,
    /// TLS, or none.
    pub tls: Option<&'a Tls>,
    /// Connections.
    pub connections: Connections,
    /// What is served.
    pub router: H,
    /// What it tells of its health.
    pub health: Health,
}

impl<H: Handler> Run<'_, H> {
    /// Listens, says so by `started`, and serves until SIGTERM or SIGINT; then drains. Each SIGHUP calls `reload`.
    ///
    /// # Errors
    /// What prevents it from listening, or what `started` fails with.
    pub fn to_the_end(
        self,
        started: impl FnOnce() -> Result<(), SetupError>,
        mut reload: impl FnMut() -> Result<(), SetupError> + Send + 'static,
    ) -> Result<(), SetupError> {
        // Each connection is an open file, and the common default allows a thousand.
        let files = rlimit::increase_nofile_limit(u64::MAX);
        let connections = bounded(self.connections, files.unwrap_or(u64::MAX));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let drained = runtime.block_on(async {
            let tls = self.tls.map(Tls::acceptor).transpose()?;
            let bound = TcpListener::bind(self.listen).await;
            let listener = bound.map_err(|error| format!("{}: {error}", self.listen))?;
            let [terminate, interrupt, mut hang_up] = signals()?;
            let reloads = tokio::spawn(async move {
                while hang_up.recv().await.is_some() {
                    match reload() {
                        Ok(()) => info!("the settings were read anew"),
                        Err(error) => error!(%error, "the settings stay as they are"),
                    }
                }
            });
            let address = listener.local_addr()?;
            info!(%address, tls = tls.is_some(), "listening");
            debug!(n_max = connections.max, "connections");
            started()?;
            let stop = async {
                first_of(terminate, interrupt).await;
                self.health.stop();
            };
            let drained = serve(listener, tls, connections, self.router, stop).await;
            reloads.abort();
            Ok::<_, SetupError>(drained)
        })?;
        match drained {
            Drained::Wholly => info!("every request was answered"),
            Drained::CutOff { connections } => warn!(connections, "cut off"),
        }
        // What blocks outside of the runtime isn't waited for.
        runtime.shutdown_background();
        Ok(())
    }
}

/// As many connections as there may be files for; more would be accepted and fail, where they could wait.
fn bounded(connections: Connections, files: u64) -> Connections {
    let n_max = files.saturating_sub(OTHER_FILES).max(1);
    let n_max = usize::try_from(n_max).unwrap_or(usize::MAX);
    Connections {
        max: connections.max.min(n_max),
        ..connections
    }
}

fn signals() -> std::io::Result<[Signal; 3]> {
    Ok([
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    ])
}

async fn first_of(mut one: Signal, mut other: Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_no_more_than_files_allow() {
        let max = |files| bounded(Connections::default(), files).max;
        assert_eq!(max(u64::MAX), Connections::default().max);
        assert_eq!([max(1024), max(64), max(0)], [960, 1, 1]);
    }
}
