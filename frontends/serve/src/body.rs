//! A request's body: read whole, but never more of it than may be, nor for longer.
//!
//! # Idea         who declares too much is refused before a byte is read, who sends too much at the first byte beyond. Bytes are counted
//!   as they come, not as they are declared, so who sends nothing takes no room from others
//! # Costs        a body that came with its head isn't copied; others are, once; an atomic addition a frame
//! # Invariants   BO1 never more than `bytes_max` and one frame are held; BO2 what is counted in [`Budget`] is given back when the body is
//!   dropped, or the reading of it
//! # Not here     what the bytes mean

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// With it, all bodies would have more bytes than they may have together.
    NoRoom,
}

/// How many bytes the bodies have together that are being read, or were and are still held. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    held_bytes: Arc<AtomicU64>,
}

/// A body that was read; counted until it is dropped.
#[derive(Debug)]
pub struct Held {
    bytes: Bytes,
    _share: Share,
}

/// What one body has of all.
#[derive(Debug)]
struct Share {
    held_bytes: Arc<AtomicU64>,
    n_bytes: u64,
}

impl Budget {
    /// Reads a body of so many bytes at most, while all have no more than `together_max`; tells with each piece how many have come.
    ///
    /// # Errors
    /// [`BodyError`]; the rest of the body is unread then, and the connection ends with the answer.
    pub async fn collect(
        &self,
        body: Body,
        bytes_max: u64,
        together_max: u64,
        connections: &Connections,
        tell: impl FnMut(u64),
    ) -> Result<Held, BodyError> {
        let mut share = Share {
            held_bytes: Arc::clone(&self.held_bytes),
            n_bytes: 0,
        };
        let grow = |n_bytes| share.grow(n_bytes, together_max);
        let bytes = read(body, bytes_max, connections, grow, tell).await?;
        Ok(Held {
            bytes,
            _share: share,
        })
    }

    /// How many bytes they have at the moment.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Takes more, if there is room.
    fn grow(&mut self, n_bytes: u64, together_max: u64) -> bool {
        let sum = |held: u64| held.checked_add(n_bytes).filter(|all| *all <= together_max);
        let taken = self
            .held_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
        if taken.is_ok() {
            self.n_bytes += n_bytes;
        }
        taken.is_ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held_bytes.fetch_sub(self.n_bytes, Ordering::Relaxed);
    }
}

impl Deref for Held {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Counted until the last clone is dropped.
impl From<Held> for Bytes {
    fn from(held: Held) -> Self {
        Self::from_owner(held)
    }
}

/// Reads a body; each frame has to be granted its bytes.
async fn read(
    mut body: Body,
    bytes_max: u64,
    connections: &Connections,
    mut grow: impl FnMut(u64) -> bool,
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
        if !grow(data.len() as u64) {
            return Err(BodyError::NoRoom);
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

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn bodies_count_until_they_are_dropped_and_no_further_than_they_may() {
        let (bodies, connections) = (Budget::default(), Connections::default());
        let read =
            |text: &'static str| bodies.collect(Body::from(text), 4, 7, &connections, |_| ());
        let first = Bytes::from(read("1234").await.unwrap());
        assert_eq!((&*first, bodies.held_bytes()), (&b"1234"[..], 4));
        assert_eq!(read("12345").await.unwrap_err(), BodyError::TooLarge);
        assert_eq!(read("1234").await.unwrap_err(), BodyError::NoRoom);
        let second = read("123").await.unwrap();
        assert_eq!(bodies.held_bytes(), 7);
        drop(first);
        assert_eq!(read("1234").await.unwrap().len(), 4);
        drop(second);
        assert_eq!(bodies.held_bytes(), 0);
    }

    #[tokio::test]
    async fn what_was_read_of_a_body_that_is_given_up_counts_no_more() {
        let (bodies, connections) = (Budget::default(), Connections::default());
        let first = futures_util::stream::iter([Ok::<_, std::convert::Infallible>("12")]);
        let endless =
            futures_util::stream::StreamExt::chain(first, futures_util::stream::pending());
        let mut reading =
            Box::pin(bodies.collect(Body::from_stream(endless), 9, 9, &connections, |_| ()));
        let waits = std::future::poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx).is_pending()));
        assert!(waits.await);
        assert_eq!(bodies.held_bytes(), 2);
        drop(reading);
        assert_eq!(bodies.held_bytes(), 0);
    }
}
