//! A request's body: read whole, but never more of it than may be, nor for longer.
//!
//! # Idea         who declares too much is refused before a byte is read, who sends too much at the first byte beyond
//! # Costs        a body that came with its head isn't copied; others are, once
//! # Invariants   BO1 never more than `bytes_max` and one frame are held
//! # Not here     what the bytes mean

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::Connections;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// It is, or says that it is, longer than may be.
    TooLarge,
    /// It took too long.
    TooSlow,
    /// The client went away, or what it sent isn't well-formed.
    Broken,
}

/// Reads a body.
///
/// # Errors
/// [`BodyError`]; the rest of the body is unread then, and the connection ends with the answer.
pub async fn collect(
    body: Body,
    bytes_max: u64,
    connections: &Connections,
) -> Result<Bytes, BodyError> {
    collect_telling(body, bytes_max, connections, |_| ()).await
}

/// The same, telling with each piece how many bytes have come.
///
/// # Errors
/// As [`collect`].
pub async fn collect_telling(
    mut body: Body,
    bytes_max: u64,
    connections: &Connections,
    mut tell: impl FnMut(u64),
) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > bytes_max {
        return Err(BodyError::TooLarge);
    }
    let since = Instant::now();
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        if body.is_end_stream() {
            break;
        }
        let n_read = (first.len() + rest.len()) as u64;
        let until = since + connections.body + connections.pace(n_read);
        let frame = timeout_at(until, body.frame());
        let frame = match frame.await.map_err(|_| BodyError::TooSlow)? {
            None => break,
            Some(frame) => frame.map_err(|_| BodyError::Broken)?,
        };
        // Trailers are of no meaning here.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() as u64 > bytes_max - n_read {
            return Err(BodyError::TooLarge);
        }
        tell(n_read + data.len() as u64);
        if n_read == 0 {
            first = data;
        } else {
            rest.extend_from_slice(&std::mem::take(&mut first));
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        Ok(first)
    } else {
        Ok(rest.freeze())
    }
}
