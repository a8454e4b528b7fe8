//! Threads for what may block, and who waits for one.
//!
//! # Idea         who has work takes a place, among those who wait as well, and waits for a thread out of the time that the work has
//! # Costs        two semaphores and a thread of tokio's for each
//! # Invariants   PO1 those who work or wait are no more than there are places; PO2 nobody waits longer than the work may take
//! # Not here     what is done

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

/// How many may work at a time; tokio has more threads than that.
const THREADS_MAX: usize = 256;

/// See the module.
#[derive(Debug)]
pub struct Pool {
    n_max: usize,
    places: Arc<Semaphore>,
    threads: Arc<Semaphore>,
}

/// Why work gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// All places are taken.
    #[error("{n_max} are at work or wait")]
    NoPlace {
        /// How many there are.
        n_max: usize,
    },
    /// It panicked.
    #[error("it panicked")]
    Panicked,
}

impl Pool {
    /// So many places, and 256 threads at most.
    pub fn new(n_max: usize) -> Self {
        Self::with_threads(n_max, THREADS_MAX)
    }

    fn with_threads(n_max: usize, n_threads: usize) -> Self {
        let n_max = n_max.min(Semaphore::MAX_PERMITS);
        Self {
            n_max,
            places: Arc::new(Semaphore::new(n_max)),
            threads: Arc::new(Semaphore::new(n_threads)),
        }
    }

    /// Runs what may block and has so much time, which it is told is left once it has a thread. If none is left, it is run where it
    /// was asked for, and must not block.
    ///
    /// # Errors
    /// [`PoolError`].
    pub async fn run<R: Send + 'static>(
        &self,
        within: Duration,
        work: impl FnOnce(Duration) -> R + Send + 'static,
    ) -> Result<R, PoolError> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(PoolError::NoPlace { n_max: self.n_max });
        };
        let since = Instant::now();
        let thread = Arc::clone(&self.threads).acquire_owned();
        let Ok(Ok(thread)) = timeout(within, thread).await else {
            return Ok(work(Duration::ZERO));
        };
        let done = spawn_blocking(move || {
            // Also when nobody waits for it any more: whoever works has them.
            let _held = (place, thread);
            work(within.saturating_sub(since.elapsed()))
        });
        done.await.map_err(|_| PoolError::Panicked)
    }
}

#[cfg(test)]
mod tests;
