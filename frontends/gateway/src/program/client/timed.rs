//! Connections within a time, TLS included.
//!
//! # Idea         the connector below bounds the way through addresses alone; a peer that accepts and then says nothing would hold a task
//!   for as long as it likes
//! # Costs        a boxed future a connection
//! # Invariants   TI1 a connection is there within the client's time, or within the call's if that is shorter
//! # Not here     answers

use std::error::Error;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use tokio::task_local;
use tokio::time::timeout;
use tower_service::Service;

use crate::upstream::Boxed;

task_local! {
    /// What the call says whose task this is: connectors are told the address alone.
    pub(super) static CONNECT_WITHIN: Duration;
}

/// A connector with a time for all of it.
#[derive(Clone)]
pub(super) struct Timed<C> {
    inner: C,
    within: Duration,
}

impl<C> Timed<C> {
    pub(super) fn new(inner: C, within: Duration) -> Self {
        Self { inner, within }
    }
}

type AnyError = Box<dyn Error + Send + Sync>;

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri, Error = AnyError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = AnyError;
    type Future = Boxed<'static, Result<C::Response, AnyError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let of_call = CONNECT_WITHIN.try_with(|within| *within);
        let within = of_call.map_or(self.within, |within| within.min(self.within));
        let connected = self.inner.call(uri);
        Box::pin(async move {
            match timeout(within, connected).await {
                Ok(connected) => connected,
                Err(_) => Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "no connection in time",
                ))?,
            }
        })
    }
}
