//! The section `[warm]`: what the cache holds, in a file, so that the next process begins with it.
//!
//! # Idea
//! The file is read before anything is served, and written now and then by a thread, and once more at the end. What it is and what isn't in
//! it is the engine's matter.
//!
//! # Costs
//! At the start an insert for each entry; a pass over the cache for each time that it is written, beside all requests.
//!
//! # Invariants
//! - WM1 A file that isn't there, or is damaged, never keeps a server from starting: it starts with what is whole in it.
//! - WM2 After [`finish`](Warmed::finish) nothing is written any more.
//!
//! # Not here
//! Which caches may have what was restored: the servers'.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use larder::{Cache, RestoreError};
use serde::Deserialize;
use tracing::{info, warn};

use crate::settings::ms;

/// The section. The commented example files have it one by one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warm {
    /// The file; its folder has to be there.
    pub file: PathBuf,
    /// How often it is written; zero: at the end alone.
    #[serde(rename = "interval_ms", default = "interval", deserialize_with = "ms")]
    pub interval: Duration,
}

fn interval() -> Duration {
    Duration::from_secs(300)
}

/// Why the section can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("warm.file: {}: {why}", path.display())]
pub struct WarmError {
    path: PathBuf,
    why: &'static str,
}

/// A cache that is written to its file. Dropped, it isn't any more.
pub struct Warmed {
    cache: Cache<[u8]>,
    file: PathBuf,
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Warm {
    /// Whether it can be used. Nothing is read or written.
    ///
    /// # Errors
    /// [`WarmError`].
    pub fn check(&self) -> Result<(), WarmError> {
        let folder = self.file.parent().map(|folder| match folder {
            folder if folder == Path::new("") => Path::new("."),
            folder => folder,
        });
        let why = match folder {
            Some(folder) if folder.is_dir() && !self.file.is_dir() => return Ok(()),
            Some(folder) if !folder.is_dir() => "its folder isn't there",
            _ => "it is a folder, and has to be a file in one",
        };
        Err(WarmError {
            path: self.file.clone(),
            why,
        })
    }

    /// Restores what the file holds, says in the log what came of it, and has it written from now on.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn start(&self, cache: &Cache<[u8]>) -> Result<Warmed, WarmError> {
        self.check()?;
        restore(cache, &self.file);
        let (stop, stopped) = channel();
        let (writes, file, interval) = (cache.clone(), self.file.clone(), self.interval);
        let write_now_and_then = move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                write(&writes, &file);
            }
        };
        let thread = (!interval.is_zero()).then(|| {
            let thread = thread::Builder::new().name("larder-warm".into());
            thread.spawn(write_now_and_then)
        });
        let thread = thread.transpose().unwrap_or_else(|error| {
            warn!(%error, "no thread can be had: the cache is written at the end alone");
            None
        });
        Ok(Warmed {
            cache: cache.clone(),
            file: self.file.clone(),
            stop,
            thread,
        })
    }
}

impl Warmed {
    /// Writes the cache for the last time.
    pub fn finish(mut self) {
        // Ends the thread once it has written what it is about to.
        self.stop = channel().0;
        if let Some(thread) = self.thread.take() {
            // A panic in it was told by then.
            let _ = thread.join();
        }
        write(&self.cache, &self.file);
    }
}

impl fmt::Debug for Warmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warmed")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

fn restore(cache: &Cache<[u8]>, file: &Path) {
    match cache.restore(file) {
        Ok(restored) if restored.is_whole => {
            let (entries, expired) = (restored.entries, restored.expired);
            info!(file = %file.display(), entries, expired, "the cache is as it was");
        }
        // WM1
        Ok(restored) => {
            let (entries, damaged_bytes) = (restored.entries, restored.damaged_bytes);
            warn!(file = %file.display(), entries, damaged_bytes, "the file is damaged or cut: what is whole is restored");
        }
        Err(RestoreError::Io(error)) if error.kind() == ErrorKind::NotFound => {
            info!(file = %file.display(), "there is no file yet: the cache is empty");
        }
        Err(error) => warn!(file = %file.display(), %error, "nothing is restored"),
    }
}

fn write(cache: &Cache<[u8]>, file: &Path) {
    match cache.snapshot(file) {
        Ok(written) => {
            let (entries, bytes) = (written.entries, written.bytes);
            info!(file = %file.display(), entries, bytes, "the cache is written");
        }
        Err(error) => warn!(file = %file.display(), %error, "the cache isn't written"),
    }
}
