//! What a handler leaves of a request's body.
//!
//! # Idea
//! Who refuses a request, or has no use for its body, drops it unread. The connection can go on only after the body's end, and many clients
//! send a body after its head, so whether the end is there already is chance. So what is dropped comes back: a short rest is waited for a
//! little, and thrown away, and before any other the answer says that the connection ends with it.
//!
//! # Costs        an allocation a request with a body; a wait of who sends a body that isn't wanted, and sends it late
//! # Invariants   RS1 of a rest no more than [`REST_BYTES_MAX`] and a frame is read, and for no longer than [`REST_TIME_MAX`]; RS2 a body that
//!   somebody still reads is left to them
//! # Not here     what still comes before a connection is closed: module `paced`

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::oneshot::{self, Receiver, Sender};
use tokio::time::timeout;

/// Less would be a new connection for each refusal of a small value; more, traffic that is of no use.
const REST_BYTES_MAX: u64 = 64 << 10;
/// Time for a packet that was sent right after the head.
const REST_TIME_MAX: Duration = Duration::from_millis(100);

/// A body that comes back when it is dropped before its end.
struct Lent<B> {
    body: Option<B>,
    owner: Option<Sender<B>>,
}

/// Who a body comes back to.
pub(crate) struct Rest<B>(Receiver<B>);

/// A body for a handler, and what of it the handler will have left.
pub(crate) fn lend<B>(body: B) -> (Body, Rest<B>)
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<axum::BoxError>,
{
    let (owner, rest) = oneshot::channel();
    let lent = Lent {
        body: Some(body),
        owner: Some(owner),
    };
    (Body::new(lent), Rest(rest))
}

impl<B: HttpBody<Data = Bytes> + Unpin> Rest<B> {
    /// Once the request is answered: whether its body ends soon, so that another can come after it on the connection. Who `waits` to be told
    /// to go on isn't told.
    pub(crate) async fn ends(mut self, waits: bool) -> bool {
        match self.0.try_recv() {
            Ok(rest) if waits || rest.size_hint().lower() > REST_BYTES_MAX => false,
            Ok(rest) => timeout(REST_TIME_MAX, discard(rest)).await.unwrap_or(false),
            // It was read to its end, or still is being read.
            Err(_) => true,
        }
    }
}

/// Reads a body to its end, if that comes soon.
async fn discard(mut body: impl HttpBody<Data = Bytes> + Unpin) -> bool {
    let mut n_left = REST_BYTES_MAX;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return false;
        };
        let n_bytes = frame.data_ref().map_or(0, Bytes::len);
        let Some(left) = n_left.checked_sub(n_bytes as u64) else {
            return false;
        };
        n_left = left;
    }
    true
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Lent<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) || body.is_end_stream() {
            self.owner = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.as_ref().map(B::size_hint);
        hint.unwrap_or(SizeHint::with_exact(0))
    }
}

impl<B> Drop for Lent<B> {
    fn drop(&mut self) {
        if let Some((body, owner)) = self.body.take().zip(self.owner.take()) {
            // After the answer nobody waits for it.
            let _ = owner.send(body);
        }
    }
}
