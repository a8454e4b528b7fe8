//! Tasks without a runtime: a future that a thread polls itself.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use crate::pace::pause;

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        pause();
        self.0.unpark();
    }
}

/// Polls a future until it ends, or drops it after so many polls; what it gave.
pub(crate) fn poll_for<F: Future>(future: F, n_polls_max: u32) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    for n_polls in 1..=n_polls_max {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        if n_polls < n_polls_max {
            thread::park();
        } else {
            pause();
        }
    }
    None
}

/// Lets the task be polled once more.
pub(crate) fn yield_once() -> impl Future<Output = ()> {
    let mut has_yielded = false;
    poll_fn(move |context| {
        if has_yielded {
            return Poll::Ready(());
        }
        has_yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
}
