//! Letting threads loose at once, and what each took.
//!
//! # Idea         one thread is measured in its own processor time, which neighbours on the machine disturb less; more are measured in
//!   real time, or their waiting for each other would go unseen
//! # Costs        threads are started outside of what is timed
//! # Invariants   TH1 no thread begins before all are there
//! # Not here     what they do

use std::sync::Barrier;
use std::thread;

use crate::time::{now, thread_ns};

/// Lets each worker do its work; what each took in nanoseconds, and what came of it.
pub fn race<W: Send, R: Send>(workers: Vec<W>, work: impl Fn(W) -> R + Sync) -> Vec<(u64, R)> {
    if workers.len() == 1 {
        return workers
            .into_iter()
            .map(|worker| {
                let begin = thread_ns();
                let result = work(worker);
                (thread_ns() - begin, result)
            })
            .collect();
    }
    let barrier = &Barrier::new(workers.len());
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = workers
            .into_iter()
            .map(|worker| {
                scope.spawn(move || {
                    barrier.wait();
                    let begin = now();
                    let result = work(worker);
                    (begin.elapsed().as_nanos() as u64, result)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no worker panics"))
            .collect()
    })
}
