//! What several tests need: values that count their ends, keys of chosen hash, calls that must end.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use larder::{Cache, Value};

/// A value that counts how many of its kind are alive, and fails when one ends twice.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) number: u64,
    alive: Arc<AtomicUsize>,
}

/// How many values are alive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Census(Arc<AtomicUsize>);

impl Census {
    pub(crate) fn value(&self, number: u64) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted {
            number,
            alive: Arc::clone(&self.0),
        }
    }

    pub(crate) fn alive(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.alive.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "a value ended twice");
    }
}

/// Runs maintenance until there is nothing left to do.
pub(crate) fn maintain_fully<V: Value + ?Sized>(cache: &Cache<V>) {
    for _ in 0..1_000_000 {
        if !cache.maintain(1000).more {
            return;
        }
    }
    panic!("maintenance does not end");
}

/// Runs `f` in a thread of its own, and fails if it hangs.
pub(crate) fn ends<R: Send + 'static>(what: &str, f: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let answer = f();
        let _ = sender.send(());
        answer
    });
    match receiver.recv_timeout(Duration::from_secs(120)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what} hangs"),
        // It has ended, or panicked and says so here.
        _ => thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

/// Raises a flag when the scope that it stands in ends, by a panic too, so that no thread waits for ever.
pub(crate) struct SetAtEnd<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Contains a panic that a test provokes; whether `f` panicked.
pub(crate) fn panics(f: impl FnOnce()) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err()
}

/// The seeds of a cache whose keys are chosen by `keys_with`.
pub(crate) const SEEDS: [u64; 4] = [11, 22, 33, 44];

/// Keys of eight bytes whose hashes under `SEEDS` agree in the bits of `mask`.
pub(crate) fn keys_with(mask: u64, n: usize) -> Vec<[u8; 8]> {
    let [a, b, c, d] = SEEDS;
    let state = ahash::RandomState::with_seeds(a, b, c, d);
    (0..u64::MAX)
        .map(u64::to_le_bytes)
        .filter(|key| {
            let mut hasher = state.build_hasher();
            hasher.write(key);
            hasher.finish() & mask == 0
        })
        .take(n)
        .collect()
}
