//! A stream whose client has to keep pace: deadlines for the next request, for the rest of its head, and for taking the answer.
//!
//! # Idea
//! The service says when a request is being answered; so bytes that come before are of a head, and none that come are idleness. A
//! reader of answers is given a time, and more of it for what it has taken, so that one which takes a byte now and then isn't
//! given for ever.
//!
//! ```text
//! Idle --first byte--> Head --request complete--> Busy --answer handed over--> Idle
//! ```
//!
//! # Costs        one timer a connection, made when it first waits; an atomic word, written twice a request
//! # Invariants   PA1 the word's count grows with each request, so a deadline of an earlier one is never taken for the present one's
//! # Not here     the deadline of a request's body: module `body`

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::Connections;

const IDLE: u64 = 0;
const HEAD: u64 = 1;
const BUSY: u64 = 2;
/// The phase's bits; above them requests are counted.
const PHASES: u64 = 3;

/// In which phase a connection is: the number of its request, and one of the three words above.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    word: AtomicU64,
    /// The connection, which waits for its client while the answer is still being made: its idleness begins afterwards.
    reader: AtomicWaker,
}

impl Phase {
    /// A request has come, and is being answered until what is returned is dropped.
    pub(crate) fn begin(this: &Arc<Self>) -> Busy {
        this.set(((this.load() | PHASES) + 1) | BUSY);
        Busy(Arc::clone(this))
    }

    // Relaxed throughout: one task reads and writes it; a body that is dropped elsewhere wakes that task afterwards.
    fn load(&self) -> u64 {
        self.word.load(Ordering::Relaxed)
    }

    fn set(&self, word: u64) {
        self.word.store(word, Ordering::Relaxed);
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Phase>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set((self.0.load() & !PHASES) | IDLE);
        self.0.reader.wake();
    }
}

/// The body of an answer, which ends the request's phase when it has been handed over.
pub(crate) struct Tracked {
    body: Body,
    _busy: Busy,
}

impl Tracked {
    pub(crate) fn new(body: Body, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// See the module.
pub(crate) struct Paced<S> {
    stream: S,
    phase: Arc<Phase>,
    connections: Connections,
    /// The phase that the reading timer is of.
    timed: u64,
    reading: Option<Pin<Box<Sleep>>>,
    writing: Option<Stall>,
}

/// A client that didn't take what was written at once.
struct Stall {
    /// Of which request.
    phase: u64,
    since: Instant,
    n_bytes: u64,
    timer: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    pub(crate) fn new(stream: S, phase: Arc<Phase>, connections: Connections) -> Self {
        Self {
            stream,
            phase,
            connections,
            timed: u64::MAX,
            reading: None,
            writing: None,
        }
    }

    /// Called when nothing can be read: whether the client has taken too long.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let phase = self.phase.load();
        let limit = match phase & PHASES {
            IDLE => self.connections.idle,
            HEAD => self.connections.header,
            // The body has a deadline of its own, and a client may well wait for the answer in silence.
            _ => {
                self.phase.reader.register(cx.waker());
                // It may have ended before the waker was there.
                if self.phase.load() != phase {
                    cx.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
        };
        let timer = self
            .reading
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if self.timed != phase {
            self.timed = phase;
            timer.as_mut().reset(Instant::now() + limit);
        }
        timer.as_mut().poll(cx)
    }

    /// Called when nothing can be written, likewise.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let phase = self.phase.load() & !PHASES;
        let grace = self.connections.write;
        let stall = self.writing.get_or_insert_with(|| Stall {
            phase,
            since: Instant::now(),
            n_bytes: 0,
            timer: Box::pin(tokio::time::sleep(grace)),
        });
        if stall.phase != phase {
            (stall.phase, stall.since, stall.n_bytes) = (phase, Instant::now(), 0);
        }
        let until = stall.since + grace + self.connections.pace(stall.n_bytes);
        stall.timer.as_mut().reset(until);
        stall.timer.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let n_before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) else {
            ready!(this.poll_late(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        if buf.filled().len() > n_before && this.phase.load() & PHASES == IDLE {
            this.phase.set((this.phase.load() & !PHASES) | HEAD);
        }
        if this.phase.load() & PHASES == HEAD {
            // Who sends a byte now and then never has it wait, so the time is looked at here as well.
            ready_or(this.poll_late(cx))?;
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.wrote(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.wrote(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(flushed) = Pin::new(&mut this.stream).poll_flush(cx) {
            return Poll::Ready(flushed);
        }
        ready!(this.poll_stalled(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S> Paced<S> {
    fn wrote(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match (&wrote, &mut self.writing) {
            (Poll::Pending, _) => {
                ready!(self.poll_stalled(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            (Poll::Ready(Ok(n)), Some(stall)) => {
                stall.n_bytes = stall.n_bytes.saturating_add(*n as u64);
                wrote
            }
            _ => wrote,
        }
    }
}

fn ready_or(late: Poll<()>) -> io::Result<()> {
    match late {
        Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
        Poll::Pending => Ok(()),
    }
}
