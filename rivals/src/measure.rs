//! Running one job on one contender with one or more threads, and what it took.
//!
//! # Idea         a thread takes a slice of keys and does the job on each; the time of an operation is its thread's time over their number
//! # Costs        threads are started a round, outside of what is timed
//! # Invariants   M1 threads begin together; M2 one thread: processor time; more: real time
//! # Not here     rounds, rows

use std::sync::Barrier;
use std::thread;

use crate::contender::Contender;
use crate::keys::{Key, VALUE};
use crate::time::{now, thread_ns};

/// What is done with each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// An owned handle.
    Get,
    /// A byte in place.
    Read,
    /// Handles of 32 keys at once; counted a key.
    GetMany,
    /// A value is stored.
    Insert,
    /// Out and in again: two operations, counted as one.
    RemoveInsert,
    /// Gets, but that each so-many-th key is inserted.
    Mix {
        /// 20: five of a hundred are inserts.
        insert_each: usize,
    },
}

/// What a round gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    /// Nanoseconds an operation, as one thread sees it.
    pub ns: f64,
    /// Looked for and found.
    pub n_hits: usize,
    /// Looked for.
    pub n_gets: usize,
}

/// A contender that is set up, and as many threads as a row wants may be let loose on it.
pub trait Subject {
    /// Does the job with a thread for each stream.
    fn run(&mut self, job: Job, streams: &[&[Key]]) -> Outcome;

    /// Stores every key, untimed.
    fn fill(&mut self, keys: &[Key]);

    /// Entries at this moment.
    fn settled_len(&mut self) -> usize;
}

/// A cache that threads share.
#[derive(Debug)]
pub struct Shared<C>(pub C);

impl<C: Sync> Subject for Shared<C>
where
    for<'a> &'a C: Contender,
{
    fn run(&mut self, job: Job, streams: &[&[Key]]) -> Outcome {
        drive(streams.iter().map(|_| &self.0).collect(), job, streams)
    }

    fn fill(&mut self, keys: &[Key]) {
        let mut cache = &self.0;
        keys.iter().for_each(|key| cache.insert(key, &VALUE));
    }

    fn settled_len(&mut self) -> usize {
        (&self.0).settled_len()
    }
}

/// A map for each thread.
#[derive(Debug)]
pub struct Private<C>(pub Vec<C>);

impl<C: Send> Subject for Private<C>
where
    for<'a> &'a mut C: Contender,
{
    fn run(&mut self, job: Job, streams: &[&[Key]]) -> Outcome {
        drive(
            self.0.iter_mut().take(streams.len()).collect(),
            job,
            streams,
        )
    }

    fn fill(&mut self, keys: &[Key]) {
        for mut map in &mut self.0 {
            keys.iter().for_each(|key| map.insert(key, &VALUE));
        }
    }

    fn settled_len(&mut self) -> usize {
        self.0.first_mut().map_or(0, |mut map| map.settled_len())
    }
}

fn drive<C: Contender>(mut workers: Vec<C>, job: Job, streams: &[&[Key]]) -> Outcome {
    if let ([worker], [keys]) = (&mut workers[..], streams) {
        let begin = thread_ns();
        let hits = work(worker, job, keys);
        let ns = thread_ns() - begin;
        return outcome(job, keys.len(), &[(ns, hits)]);
    }
    let barrier = Barrier::new(streams.len());
    let barrier = &barrier;
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = workers
            .into_iter()
            .zip(streams)
            .map(|(mut worker, keys)| {
                scope.spawn(move || {
                    barrier.wait();
                    let begin = now();
                    let hits = work(&mut worker, job, keys);
                    (begin.elapsed().as_nanos() as u64, hits)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no job panics"))
            .collect()
    });
    outcome(job, streams[0].len(), &results)
}

fn outcome(job: Job, n_ops: usize, threads: &[(u64, usize)]) -> Outcome {
    let ns: u64 = threads.iter().map(|thread| thread.0).sum();
    let n_gets = match job {
        Job::Insert | Job::RemoveInsert => 0,
        Job::Mix { insert_each } => n_ops - n_ops.div_ceil(insert_each),
        Job::Get | Job::Read | Job::GetMany => n_ops,
    };
    Outcome {
        ns: ns as f64 / (n_ops * threads.len()) as f64,
        n_hits: threads.iter().map(|thread| thread.1).sum(),
        n_gets: n_gets * threads.len(),
    }
}

/// Does the job; how many were found. Every stored byte that is read is 1, so the sum of them counts.
fn work<C: Contender>(cache: &mut C, job: Job, keys: &[Key]) -> usize {
    let mut n_hits = 0;
    match job {
        Job::Get => keys
            .iter()
            .for_each(|key| n_hits += usize::from(cache.get(key).unwrap_or(0))),
        Job::Read => keys
            .iter()
            .for_each(|key| n_hits += usize::from(cache.read(key).unwrap_or(0))),
        Job::GetMany => keys
            .chunks(32)
            .for_each(|keys| n_hits += cache.get_many(keys)),
        Job::Insert => keys.iter().for_each(|key| cache.insert(key, &VALUE)),
        Job::RemoveInsert => keys.iter().for_each(|key| {
            cache.remove(key);
            cache.insert(key, &VALUE);
        }),
        Job::Mix { insert_each } => {
            let mut until_insert = 0;
            for key in keys {
                if until_insert == 0 {
                    cache.insert(key, &VALUE);
                    until_insert = insert_each;
                } else {
                    n_hits += usize::from(cache.get(key).unwrap_or(0));
                }
                until_insert -= 1;
            }
        }
    }
    n_hits
}
