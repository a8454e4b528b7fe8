//! The policy's tables are made anew where a stripe's entries have become many more or fewer: large blocks, whose coming and going takes the
//! allocator long. At each of them another thread writes to the same stripe, so none may come or go under its lock.

use std::alloc::Layout;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::{Cache, Capacity};

/// Above all else that a cache of entries as here asks for at once.
const LARGE: usize = 16 << 10;
/// A thread that is given so long to write, and hasn't, is locked out.
const PATIENCE: Duration = Duration::from_secs(10);

const MANY: u64 = 30_000;
const FEW: u64 = 3_000;

#[derive(Clone, Copy, Default)]
struct Watch {
    is_on: bool,
    /// Large blocks that came and went.
    n_came: u64,
    n_went: u64,
    /// Those during which the other thread was locked out.
    n_locked: u64,
    /// Bytes of those that are there, and the most that were.
    bytes: u64,
    peak: u64,
}

thread_local!(static WATCH: Cell<Watch> = const { Cell::new(OFF) });

const OFF: Watch = Watch {
    is_on: false,
    n_came: 0,
    n_went: 0,
    n_locked: 0,
    bytes: 0,
    peak: 0,
};

/// Writes that the other thread was asked for, and those that it has done.
static ASKED: AtomicU64 = AtomicU64::new(0);
static DONE: AtomicU64 = AtomicU64::new(0);

/// A block comes, or goes. A failure is noted, since a panic in an allocator would be the end of the process.
#[allow(
    clippy::disallowed_methods,
    reason = "it gives up on a thread that doesn't come, however the cache's clock goes"
)]
pub(super) fn watch(layout: Layout, comes: bool) {
    let mut seen = WATCH.get();
    if !seen.is_on || layout.size() < LARGE {
        return;
    }
    if comes {
        seen.n_came += 1;
        seen.bytes += layout.size() as u64;
        seen.peak = seen.peak.max(seen.bytes);
    } else {
        seen.n_went += 1;
        seen.bytes -= layout.size() as u64;
    }
    let asked = ASKED.fetch_add(1, Ordering::SeqCst) + 1;
    let begun = Instant::now();
    // Who was locked out once won't be waited for again.
    while seen.n_locked == 0 && DONE.load(Ordering::SeqCst) < asked {
        if begun.elapsed() > PATIENCE {
            seen.n_locked += 1;
        }
        thread::yield_now();
    }
    WATCH.set(seen);
}

/// What was seen since the last time, while `work` was done; the peak begins with what is there.
fn watched(work: impl FnOnce()) -> Watch {
    let before = WATCH.get();
    WATCH.set(Watch {
        is_on: true,
        bytes: before.bytes,
        peak: before.bytes,
        ..OFF
    });
    work();
    let seen = WATCH.get();
    WATCH.set(Watch {
        is_on: false,
        ..seen
    });
    assert_eq!(
        seen.n_locked, 0,
        "a large block came or went under the lock"
    );
    assert_eq!(
        seen.peak,
        before.bytes.max(seen.bytes),
        "the old tables are gone before new ones are made"
    );
    seen
}

/// Ends the other thread, also where the test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn no_large_block_comes_or_goes_under_a_stripes_lock() {
    let builder = Cache::<u64>::builder().max_entries(MANY).stripes(1);
    let cache = builder.build().unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = End(&is_over);
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                let asked = ASKED.load(Ordering::SeqCst);
                if DONE.load(Ordering::SeqCst) < asked {
                    cache.remove("absent");
                    DONE.store(asked, Ordering::SeqCst);
                }
                thread::yield_now();
            }
        });
        let mut keys = 0..;
        let mut insert = |n: u64| {
            for key in keys.by_ref().take(n as usize) {
                cache.insert(key, key).unwrap();
            }
        };
        let bound = |n| cache.set_capacity(Capacity::entries(n)).unwrap();
        let maintain = || while cache.maintain(64).more {};

        let first = watched(|| insert(MANY + 1));
        assert_eq!((first.n_came, first.n_went), (3, 0), "it is full");
        let kept = watched(|| insert(MANY));
        assert_eq!((kept.n_came, kept.n_went), (0, 0), "it is as full");
        // Fewer, by maintenance; more; fewer, by writes.
        bound(FEW);
        let lowered = watched(maintain);
        assert_eq!((lowered.n_came, lowered.n_went), (2, 3));
        bound(MANY);
        let raised = watched(|| insert(MANY));
        assert_eq!((raised.n_came, raised.n_went), (3, 2));
        bound(FEW);
        let lowered = watched(|| insert(MANY));
        assert_eq!((lowered.n_came, lowered.n_went), (2, 3));
        cache.clear();
        let cleared = watched(maintain);
        assert_eq!((cleared.n_came, cleared.n_went), (0, 2));
    });
}
