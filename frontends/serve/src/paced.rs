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
//! Nothing is written while no request is being answered and all answers have left, but what hyper says to a head that it can't read:
//! that is given the form of other refusals. Who is refused while still sending is read from for a little while, so that the answer
//! isn't lost with the connection.
//!
//! # Costs        one timer a connection, made when it first waits; an atomic word, written twice a request; the search of `framing`
//! # Invariants   PA1 the word's count grows with each request, so a deadline of an earlier one is never taken for the present one's;
//!   PA2 hyper flushes only once all that it had to write is written
//! # Not here     the deadline of a request's body: module `body`

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::framing::Framing;
use crate::phase::{BUSY, HEAD, IDLE, PHASES, Phase};
use crate::refusal;
use crate::{Connections, Handler};

/// How long, and for how many bytes, who was refused may go on sending: all of what the longest body has where nothing is said.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 64 << 20;

/// See the module.
pub(crate) struct Paced<S, H> {
    stream: S,
    /// Who completes the heads of refusals.
    handler: H,
    phase: Arc<Phase>,
    connections: Connections,
    /// The phase that the deadline of reading is of.
    timed: u64,
    deadline: Instant,
    reading: Option<Pin<Box<Sleep>>>,
    writing: Option<Stall>,
    framing: Framing,
    /// After how many requests all was written that was to be (PA2).
    flushed: u64,
    refusal: Option<Refusal>,
    /// How much was read after the end, once that is being done.
    lingered: Option<usize>,
}

/// What is written instead of an answer of hyper's own.
struct Refusal {
    bytes: Vec<u8>,
    n_written: usize,
    /// How many bytes hyper's has.
    n_instead: usize,
}

/// A client that didn't take what was written at once.
struct Stall {
    /// Of which request.
    phase: u64,
    since: Instant,
    n_bytes: u64,
    timer: Pin<Box<Sleep>>,
}

impl<S, H> Paced<S, H> {
    pub(crate) fn new(stream: S, handler: H, phase: Arc<Phase>, connections: Connections) -> Self {
        Self {
            stream,
            handler,
            phase,
            connections,
            timed: u64::MAX,
            deadline: Instant::now(),
            reading: None,
            writing: None,
            framing: Framing::default(),
            flushed: 0,
            refusal: None,
            lingered: None,
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
        if self.timed != phase {
            self.timed = phase;
            self.deadline = Instant::now() + limit;
        }
        let until = self.deadline;
        let timer = self
            .reading
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        // One that is early is set anew when it rings, which few live to see.
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        ready!(timer.as_mut().poll(cx));
        if timer.deadline() < until {
            timer.as_mut().reset(until);
            ready!(timer.as_mut().poll(cx));
        }
        Poll::Ready(())
    }

    /// Whether what is written now is of hyper's own.
    fn is_before_any_answer(&self) -> bool {
        let phase = self.phase.load();
        phase & PHASES != BUSY && self.flushed == phase & !PHASES
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

impl<S: AsyncRead + AsyncWrite + Unpin, H: Handler> AsyncRead for Paced<S, H> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let n_before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) else {
            ready!(this.poll_late(cx));
            return Poll::Ready(this.late(cx));
        };
        let came = &buf.filled()[n_before..];
        if let Some(number) = this.framing.follow(came) {
            this.phase.contradicts.store(number, Ordering::Relaxed);
        }
        let phase = this.phase.load();
        if !came.is_empty() && phase & PHASES == IDLE {
            this.phase.set((phase & !PHASES) | HEAD);
        } else if phase & PHASES == HEAD {
            // Who sends a byte now and then never has it wait, so the time is looked at here as well.
            if this.poll_late(cx).is_ready() {
                return Poll::Ready(this.late(cx));
            }
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, H: Handler> AsyncWrite for Paced<S, H> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.refuses(buf, buf.len()) {
            return this.poll_refusal(cx);
        }
        let wrote = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.wrote(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = bufs.first().map_or(&[][..], |first| first);
        if this.refuses(first, bufs.iter().map(|buf| buf.len()).sum()) {
            return this.poll_refusal(cx);
        }
        let wrote = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.wrote(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(flushed) = Pin::new(&mut this.stream).poll_flush(cx) {
            let phase = this.phase.load();
            if phase & PHASES != BUSY {
                this.flushed = phase & !PHASES;
            }
            return Poll::Ready(flushed);
        }
        ready!(this.poll_stalled(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingered.is_none() {
            let Poll::Ready(ended) = Pin::new(&mut this.stream).poll_shutdown(cx) else {
                // TLS says that it ends, and a client has to take that too.
                ready!(this.poll_stalled(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            };
            ended?;
        }
        if this.phase.is_refused.load(Ordering::Relaxed) {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, H: Handler> Paced<S, H> {
    /// The end of a head's time. The client is told, if it takes that at once.
    fn late<T>(&mut self, cx: &mut Context<'_>) -> io::Result<T> {
        if self.phase.load() & PHASES == HEAD && self.is_before_any_answer() {
            let bytes = refusal::bytes(
                StatusCode::REQUEST_TIMEOUT,
                &self.connections,
                &self.handler,
            );
            let stream = Pin::new(&mut self.stream);
            if stream.poll_write(cx, &bytes).is_ready() {
                let _ = Pin::new(&mut self.stream).poll_flush(cx);
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Whether what begins so, and is so long, is a refusal of hyper's own.
    fn refuses(&mut self, begin: &[u8], n_instead: usize) -> bool {
        if self.refusal.is_none() && self.is_before_any_answer() {
            self.refusal = refusal::status_of(begin).map(|status| Refusal {
                bytes: refusal::bytes(status, &self.connections, &self.handler),
                n_written: 0,
                n_instead,
            });
        }
        self.refusal.is_some()
    }

    /// Writes the refusal; hyper's own counts as written once it is.
    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while let Some(refusal) = &mut self.refusal {
            let rest = &refusal.bytes[refusal.n_written..];
            if rest.is_empty() {
                let n_instead = refusal.n_instead;
                self.refusal = None;
                self.phase.refuse();
                return Poll::Ready(Ok(n_instead));
            }
            let wrote = Pin::new(&mut self.stream).poll_write(cx, rest);
            let Poll::Ready(n) = wrote else {
                ready!(self.poll_stalled(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            };
            match n? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => refusal.n_written += n,
            }
        }
        Poll::Ready(Ok(0))
    }

    /// Reads what still comes, for a little while.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = Instant::now() + LINGER;
        let timer = self
            .reading
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        let n_read = self.lingered.get_or_insert_with(|| {
            timer.as_mut().reset(until);
            0
        });
        let mut bytes = [0; 4096];
        while timer.as_mut().poll(cx).is_pending() && *n_read < LINGER_BYTES_MAX {
            let mut buf = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => *n_read += buf.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S, H> Paced<S, H> {
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

#[cfg(test)]
mod tests;
