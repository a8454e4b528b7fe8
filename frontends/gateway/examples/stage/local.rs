//! Servers on free ports of this machine: of the examples, and of the tests.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use axum::Router;
use larder_gateway::program::ApiEntry;
use larder_serve::Connections;
use tokio::net::TcpListener;

/// A free port of this machine alone.
pub(crate) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Serves a router for as long as the runtime lives, and tells where it is.
pub(crate) async fn serve(router: Router, connections: Connections) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(ANY).await?;
    let address = listener.local_addr()?;
    let forever = std::future::pending();
    let serving = larder_serve::serve(listener, None, connections, router, forever);
    tokio::spawn(serving);
    Ok(address)
}

/// An API that takes all requests, in front of a backend.
pub(crate) fn api(document: &str, backend: url::Url) -> ApiEntry {
    ApiEntry {
        id: "api".to_owned(),
        name: None,
        prefix: String::new(),
        document: PathBuf::from(document),
        backend: Some(backend),
        operations: Vec::new(),
    }
}
