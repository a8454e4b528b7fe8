//! What a look-up settles is answered without the stripe's lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::spawn;

use larder::{Cache, Clock, LoadOptions, ManualClock, Nanos, Ttl};

use super::{Brought, Loaded, SECOND};
use crate::tools::ends;

/// A clock that stands still in one reading, which a write makes under its stripe's lock.
#[derive(Debug)]
struct Held {
    clock: ManualClock,
    is_held: Arc<AtomicBool>,
    gate: Mutex<(Sender<()>, Receiver<()>)>,
}

impl Clock for Held {
    fn now(&self) -> Nanos {
        if self.is_held.swap(false, Ordering::Relaxed) {
            let (entered, leave) = &*self.gate.lock().unwrap();
            entered.send(()).unwrap();
            leave.recv().unwrap();
        }
        self.clock.now()
    }
}

/// Calls `f` while another thread is inside a write of the cache's only stripe. Its key "k" is known to be absent, and "v" has a value.
/// Says how often the absence was found.
fn during_a_write(what: &'static str, f: impl FnOnce(&Cache<u64>) + Send + 'static) -> u64 {
    ends(what, move || {
        let (enters, entered) = mpsc::channel();
        let (leave, leaves) = mpsc::channel();
        let is_held = Arc::new(AtomicBool::new(false));
        let clock = Held {
            clock: ManualClock::new(),
            is_held: Arc::clone(&is_held),
            gate: Mutex::new((enters, leaves)),
        };
        let builder = Cache::<u64>::builder().max_entries(100).stripes(1);
        let cache = builder.clock(clock).build().unwrap();
        let absent = || -> Brought<u64> { Ok(Loaded::Absent(9 * SECOND)) };
        let answer = cache.get_or_load("k", Ttl::DEFAULT, absent).unwrap();
        assert!(answer.is_none());
        cache.insert("v", 1).unwrap();
        is_held.store(true, Ordering::Relaxed);
        let own = cache.clone();
        let writer = spawn(move || own.insert_with_ttl("other", 2, SECOND).unwrap());
        entered.recv().unwrap();
        assert!(!cache.contains_key("other"));
        f(&cache);
        leave.send(()).unwrap();
        writer.join().unwrap();
        assert!(cache.contains_key("other"));
        cache.stats().negative_hits
    })
}

#[test]
fn e46_values_and_absences_are_known_without_a_lock() {
    let n_found = during_a_write("a value", |cache| {
        let unused = || -> u64 { unreachable!("it is there") };
        let found = cache.get_or_insert_with("v", Ttl::DEFAULT, unused);
        assert_eq!(*found.unwrap(), 1);
    });
    assert_eq!(n_found, 0);
    let n_found = during_a_write("an absence", |cache| {
        let unused = || -> Brought<u64> { unreachable!("it is known") };
        let answer = cache.get_or_load("k", Ttl::DEFAULT, unused);
        assert!(answer.unwrap().is_none());
    });
    assert_eq!(n_found, 1);
    let n_found = during_a_write("an absence, for a task", |cache| {
        let unused =
            std::future::poll_fn(|_| -> Poll<Brought<u64>> { unreachable!("it is known") });
        let load = cache.get_or_load_async("k", LoadOptions::new(), unused);
        let mut context = Context::from_waker(Waker::noop());
        match std::pin::pin!(load).poll(&mut context) {
            Poll::Ready(answer) => assert!(answer.unwrap().is_none()),
            Poll::Pending => panic!("nobody is waited for"),
        }
    });
    assert_eq!(n_found, 1);
}
