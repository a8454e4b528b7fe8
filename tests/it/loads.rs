//! Loading through the public API. By file:
//! - `flights`: one load a key, errors, panics, time-outs, refusals (faults 29 and 30, E-46);
//! - `inside`: loaders that use the cache, circles of waits (fault 31);
//! - `listeners`: listeners that load and write (faults 31 and 32), and what never gives way (fault 21);
//! - `overtaken`: loads that began before a newer write (fault 4);
//! - `plainly`: the same in the cache itself, and who waits there (faults 4 and 30);
//! - `absence`: entries that say that there is no value;
//! - `stale`: entries that are loaded anew;
//! - `refresh`: the times of such entries: defaults, tenants, shares, jitter;
//! - `known`: what is answered without a lock;
//! - `tasks`: futures that are dropped, and time-outs (fault 30);
//! - `ends`: caches that end during a load (fault 26), deadlines and pauses at the edges (fault 11).

mod absence;
mod ends;
mod flights;
mod inside;
mod known;
mod listeners;
mod lives;
mod overtaken;
mod plainly;
mod refresh;
mod stale;
mod tasks;

use std::sync::mpsc;
use std::time::Duration;

use larder::{Cache, LoadError, Loaded, ManualClock, Value};

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

/// A cache of one stripe, so that all keys share a lock, under a clock that is moved by hand.
fn by_hand<V: Value + ?Sized>() -> (Cache<V>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_entries(1000).stripes(1);
    (builder.clock(clock.clone()).build().unwrap(), clock)
}

/// What a loader that can fail, or find nothing, gives.
type Brought<S> = Result<Loaded<S>, &'static str>;

/// What a load without an entry answers.
type Failed<S> = LoadError<S, &'static str>;

/// Holds a loader up, and lets it go.
struct Gate {
    entered: mpsc::Receiver<()>,
    leave: mpsc::Sender<()>,
}

/// A gate, and what a loader calls to stand before it.
fn gate() -> (Gate, impl FnOnce() + Send + 'static) {
    let (enters, entered) = mpsc::channel();
    let (leave, leaves) = mpsc::channel();
    let pass = move || {
        enters.send(()).unwrap();
        leaves.recv().unwrap();
    };
    (Gate { entered, leave }, pass)
}

impl Gate {
    /// Waits until the loader stands before it.
    fn wait(&self) {
        self.entered.recv_timeout(30 * SECOND).unwrap();
    }

    fn open(self) {
        self.leave.send(()).unwrap();
    }
}

/// Lets threads that are about to wait do so. Nothing is wrong if they come later: they find what there is then.
fn let_others_wait() {
    for _ in 0..200 {
        std::thread::yield_now();
    }
}
