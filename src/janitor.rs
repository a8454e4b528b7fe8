//! The optional thread that does the cache's maintenance when nobody calls.

use std::fmt;
use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::cache::Cache;
use crate::entry::Value;
use crate::sync::{Arc, Condvar, Mutex};

/// Steps that one call of `maintain` is given; between two calls the thread sees whether it was stopped.
const STEPS: usize = 4096;

/// A thread that calls [`Cache::maintain`] at an interval, so that the memory of expired entries comes back at the
/// latest that long after their deadline, and a lowered bound is reached, though nobody uses the cache.
///
/// It ends when this handle is dropped or stopped, which waits for it, or when the cache itself is gone. So keep the handle beside the
/// cache: one that is bound to `_`, or to nothing, ends at once.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// let cache: larder::Cache<str> = larder::Cache::builder().max_bytes(1 << 20).build()?;
/// let janitor = larder::Janitor::start(&cache, Duration::from_millis(100))?;
/// cache.insert_with_ttl("session", "data", Duration::from_secs(1800))?;
/// janitor.stop();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the thread ends when this handle is dropped"]
pub struct Janitor {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Bell {
    stopped: Mutex<bool>,
    rung: Condvar,
}

impl Janitor {
    /// Starts the thread.
    ///
    /// # Errors
    /// What the operating system says when it gives no thread.
    pub fn start<V: Value + ?Sized>(cache: &Cache<V>, interval: Duration) -> io::Result<Self> {
        let bell = Arc::new(Bell::default());
        let heard = Arc::clone(&bell);
        let cache = cache.downgrade();
        let thread = thread::Builder::new()
            .name("larder-janitor".to_owned())
            .spawn(move || {
                while !heard.rings_within(interval) {
                    // The cache is held during a call only, so that it can end.
                    while let Some(cache) = cache.upgrade() {
                        let done = cache.maintain(STEPS);
                        // Without a step, what is left waits for a reader, not for us.
                        if !done.more || done.steps == 0 || heard.is_stopped() {
                            break;
                        }
                    }
                    if cache.has_ended() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            bell,
            thread: Some(thread),
        })
    }

    /// Ends the thread, and waits until it has.
    pub fn stop(self) {
        drop(self);
    }
}

impl Bell {
    /// Waits for the bell; true if it was rung.
    fn rings_within(&self, wait_max: Duration) -> bool {
        let mut stopped = self.stopped.lock();
        if !*stopped {
            self.rung.wait_for(&mut stopped, wait_max);
        }
        *stopped
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.lock()
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        *self.bell.stopped.lock() = true;
        self.bell.rung.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // It can't have panicked: maintenance contains what user code panics with.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Janitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Janitor").finish_non_exhaustive()
    }
}
