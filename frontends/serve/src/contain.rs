//! Work whose panics end with it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Gives what some work gives, or `instead` if it panics. What is left behind by a panic has to be good for others, as all is that no
/// lock guards.
pub async fn contained<R>(work: impl Future<Output = R>, instead: impl Fn() -> R) -> R {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| {
            // The message may hold what a client sent, so it stays with the panic hook.
            tracing::error!("a handler panicked");
            Poll::Ready(instead())
        })
    })
    .await
}
