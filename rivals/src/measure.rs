//! Running one job on one contender with one or more threads, and what it took.
//!
//! # Idea         a thread takes a slice of keys and does the job on each; the time of an operation is its thread's time over their
//!   number. Jobs that ask for latencies read the clock around each operation, which the others don't
//! # Costs        threads are started a round, outside of what is timed
//! # Invariants   M1 all contenders of a row do the same job on the same keys; M2 where a thread churns beside another, the other one's
//!   operations alone are counted
//! # Not here     rounds, rows

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::contender::Contender;
use crate::keys;
use crate::kind::Kind;
use crate::latency::Latency;
use crate::threads::race;
use crate::time::now;

/// What is done with each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// An owned handle.
    Get,
    /// A byte in place.
    Read,
    /// An owned handle and a byte in place, in turn.
    GetAndRead,
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
    /// The same, and each operation is timed.
    TimedMix {
        /// As above.
        insert_each: usize,
    },
    /// The first thread gets, each timed; the others insert new keys for as long as that takes.
    TimedGetBesideChurn,
}

/// What a round gave.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Nanoseconds an operation, as one thread sees it.
    pub ns: f64,
    /// Looked for and found.
    pub n_hits: usize,
    /// Looked for.
    pub n_gets: usize,
    /// For jobs that time each operation.
    pub latency: Option<Latency>,
}

/// A contender that is set up, and as many threads as a row wants may be let loose on it.
pub trait Subject<T: Kind> {
    /// Does the job with a thread for each stream.
    fn run(&mut self, job: Job, streams: &[&[T::Key]], value: &T::Given) -> Outcome;

    /// Stores every key, untimed, and ends what was put off.
    fn fill(&mut self, keys: &[T::Key], value: &T::Given);

    /// The most threads that it can be given.
    fn threads_max(&self) -> usize;
}

/// A cache that threads share.
#[derive(Debug)]
pub struct Shared<C>(pub C);

impl<T: Kind, C: Sync> Subject<T> for Shared<C>
where
    for<'a> &'a C: Contender<T>,
{
    fn run(&mut self, job: Job, streams: &[&[T::Key]], value: &T::Given) -> Outcome {
        drive(
            streams.iter().map(|_| &self.0).collect(),
            job,
            streams,
            value,
        )
    }

    fn fill(&mut self, keys: &[T::Key], value: &T::Given) {
        let mut cache = &self.0;
        keys.iter().for_each(|key| cache.insert(key, value));
        cache.settled_len();
    }

    fn threads_max(&self) -> usize {
        usize::MAX
    }
}

/// A map for each thread.
#[derive(Debug)]
pub struct Private<C>(pub Vec<C>);

impl<T: Kind, C: Send> Subject<T> for Private<C>
where
    for<'a> &'a mut C: Contender<T>,
{
    fn run(&mut self, job: Job, streams: &[&[T::Key]], value: &T::Given) -> Outcome {
        let maps = self.0.iter_mut().take(streams.len()).collect();
        drive(maps, job, streams, value)
    }

    fn fill(&mut self, keys: &[T::Key], value: &T::Given) {
        for mut map in &mut self.0 {
            keys.iter().for_each(|key| map.insert(key, value));
        }
    }

    fn threads_max(&self) -> usize {
        self.0.len()
    }
}

/// What a thread found, and how long it waited for it.
#[derive(Default)]
struct Found {
    n_hits: usize,
    latency: Option<Latency>,
}

fn drive<T: Kind, C: Contender<T>>(
    workers: Vec<C>,
    job: Job,
    streams: &[&[T::Key]],
    value: &T::Given,
) -> Outcome {
    let n_ops = streams[0].len();
    let is_over = AtomicBool::new(false);
    let numbered = workers.into_iter().zip(streams).enumerate().collect();
    let mut results = race(numbered, |(idx, (mut worker, keys))| match job {
        Job::TimedMix { insert_each } => timed_mix(&mut worker, insert_each, keys, value),
        Job::TimedGetBesideChurn if idx == 0 => {
            let found = timed_mix(&mut worker, usize::MAX, keys, value);
            is_over.store(true, Relaxed);
            found
        }
        Job::TimedGetBesideChurn => {
            churn_until(&mut worker, &is_over, value);
            Found::default()
        }
        _ => Found {
            n_hits: work(&mut worker, job, keys, value),
            latency: None,
        },
    });
    if job == Job::TimedGetBesideChurn {
        results.truncate(1);
    }
    let n_threads = results.len();
    let n_gets = match job {
        Job::Insert | Job::RemoveInsert => 0,
        Job::Mix { insert_each } | Job::TimedMix { insert_each } => {
            n_ops - n_ops.div_ceil(insert_each)
        }
        _ => n_ops,
    };
    Outcome {
        ns: results.iter().map(|result| result.0).sum::<u64>() as f64 / (n_ops * n_threads) as f64,
        n_hits: results.iter().map(|result| result.1.n_hits).sum(),
        n_gets: n_gets * n_threads,
        latency: results
            .into_iter()
            .filter_map(|result| result.1.latency)
            .reduce(Latency::with),
    }
}

/// Does the job; how many were found. Every stored byte that is read is 1, so the sum of them counts.
fn work<T: Kind, C: Contender<T>>(
    cache: &mut C,
    job: Job,
    keys: &[T::Key],
    value: &T::Given,
) -> usize {
    let mut n_hits = 0;
    match job {
        Job::Get => keys
            .iter()
            .for_each(|key| n_hits += usize::from(cache.get(key).unwrap_or(0))),
        Job::Read => keys
            .iter()
            .for_each(|key| n_hits += usize::from(cache.read(key).unwrap_or(0))),
        Job::GetAndRead => keys.chunks(2).for_each(|keys| {
            n_hits += usize::from(cache.get(&keys[0]).unwrap_or(0));
            if let Some(key) = keys.get(1) {
                n_hits += usize::from(cache.read(key).unwrap_or(0));
            }
        }),
        Job::GetMany => keys
            .chunks(32)
            .for_each(|keys| n_hits += cache.get_many(keys)),
        Job::Insert => keys.iter().for_each(|key| cache.insert(key, value)),
        Job::RemoveInsert => keys.iter().for_each(|key| {
            cache.remove(key);
            cache.insert(key, value);
        }),
        Job::Mix { insert_each } => {
            let mut until_insert = 0;
            for key in keys {
                if until_insert == 0 {
                    cache.insert(key, value);
                    until_insert = insert_each;
                } else {
                    n_hits += usize::from(cache.get(key).unwrap_or(0));
                }
                until_insert -= 1;
            }
        }
        Job::TimedMix { .. } | Job::TimedGetBesideChurn => {}
    }
    n_hits
}

/// As `Mix`, with the clock read around each operation; never an insert if `insert_each` is above the number of keys.
fn timed_mix<T: Kind, C: Contender<T>>(
    cache: &mut C,
    insert_each: usize,
    keys: &[T::Key],
    value: &T::Given,
) -> Found {
    let mut latency = Latency::new();
    let mut n_hits = 0;
    let mut until_insert = insert_each.saturating_sub(1);
    for key in keys {
        let begin = now();
        if until_insert == 0 {
            cache.insert(key, value);
            latency.insert(begin.elapsed());
            until_insert = insert_each;
        } else {
            let found = cache.get(key);
            latency.get(begin.elapsed());
            n_hits += usize::from(found.unwrap_or(0));
        }
        until_insert -= 1;
    }
    Found {
        n_hits,
        latency: Some(latency),
    }
}

/// Inserts keys that no one has seen, until told to end.
fn churn_until<T: Kind, C: Contender<T>>(cache: &mut C, is_over: &AtomicBool, value: &T::Given) {
    while !is_over.load(Relaxed) {
        cache.insert(&T::key(fresh(1)), value);
    }
}

/// The first of so many indices in a row that nobody was given before.
pub fn fresh(n_keys: u64) -> u64 {
    FRESH.fetch_add(n_keys, Relaxed)
}

static FRESH: AtomicU64 = AtomicU64::new(keys::FRESH_FIRST);

#[cfg(test)]
mod tests;
