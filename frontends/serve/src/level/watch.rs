//! Whether the servers are there, for the log and the metrics.
//!
//! # Idea         a thread asks each second, and says what changed; requests find out for themselves
//! # Costs        a thread, and a round trip each second
//! # Invariants   WA1 the thread ends with the value that stands for it, at once
//! # Not here     what requests make of it

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use tracing::{info, warn};

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    is_up: Arc<AtomicBool>,
    /// Ends the thread when it is dropped.
    _stop: Sender<()>,
}

const PERIOD: Duration = Duration::from_secs(1);

impl Watch {
    /// Asks once, says what came of it, and goes on asking; `check` says in words why they aren't there. Where no thread can be had, it asks no more.
    pub(super) fn start(
        servers: String,
        check: impl Fn() -> Result<(), String> + Send + 'static,
    ) -> Self {
        let is_up = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = channel();
        let told = Arc::clone(&is_up);
        let mut last = check();
        say(&servers, &last);
        told.store(last.is_ok(), Ordering::Relaxed);
        let watch = move || {
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                let answer = check();
                if answer.is_ok() != last.is_ok() {
                    say(&servers, &answer);
                }
                told.store(answer.is_ok(), Ordering::Relaxed);
                last = answer;
            }
        };
        let thread = thread::Builder::new().name("larder-level".into());
        drop(thread.spawn(watch));
        Self { is_up, _stop: stop }
    }

    pub(super) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }
}

fn say(servers: &str, answer: &Result<(), String>) {
    match answer {
        Ok(()) => info!(servers, "the second level is there"),
        Err(error) => warn!(
            servers,
            %error,
            "the second level is away: what needs it is served from memory or fails, until it is back"
        ),
    }
}
