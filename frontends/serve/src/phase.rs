//! In which phase a connection is, as those who serve it and the stream below tell each other.
//!
//! # Idea         one word: a phase, and above it the number of requests so far
//! # Costs        relaxed loads and stores
//! # Invariants   PA1
//! # Not here     what follows from a phase: module `paced`

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body as HttpBody, Frame, SizeHint};

pub(crate) const IDLE: u64 = 0;
pub(crate) const HEAD: u64 = 1;
pub(crate) const BUSY: u64 = 2;
/// The phase's bits; above them requests are counted.
pub(crate) const PHASES: u64 = 3;

/// In which phase a connection is: the number of its request, and one of the three words above.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    word: AtomicU64,
    /// The connection, which waits for its client while the answer is still being made: its idleness begins afterwards.
    pub(crate) reader: AtomicWaker,
    /// The number of the first request whose length two may read in two ways; 0: none.
    pub(crate) contradicts: AtomicU64,
    /// Whether a request was refused that may still be coming.
    pub(crate) is_refused: AtomicBool,
}

impl Phase {
    /// A request has come, and is being answered until what is returned is dropped.
    pub(crate) fn begin(this: &Arc<Self>) -> Busy {
        this.set(((this.load() | PHASES) + 1) | BUSY);
        Busy(Arc::clone(this))
    }

    /// Whether the length of the request that is being answered, or of one before, may be read in two ways.
    pub(crate) fn contradicts(&self) -> bool {
        let number = self.contradicts.load(Ordering::Relaxed);
        number != 0 && number <= self.load() / (PHASES + 1)
    }

    pub(crate) fn refuse(&self) {
        self.is_refused.store(true, Ordering::Relaxed);
    }

    // Relaxed throughout: one task reads and writes it; a body that is dropped elsewhere wakes that task afterwards.
    pub(crate) fn load(&self) -> u64 {
        self.word.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, word: u64) {
        self.word.store(word, Ordering::Relaxed);
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Phase>);

impl Busy {
    /// The request is refused, perhaps before it was read to its end.
    pub(crate) fn refuse(&self) {
        self.0.refuse();
    }
}

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
