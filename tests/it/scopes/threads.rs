//! E-44: a put that races an invalidation lands wholly before it, or wholly after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use larder::{Cache, OwnedScope};

use crate::tools::{SetAtEnd, maintain_fully};

const KEYS: u64 = 40;
/// Rounds that are run at least; and how many of them must have met a write, a read.
const ROUNDS: u64 = 100;
const MET: u64 = 20;
const READS_A_ROUND: u64 = 10;
const ROUNDS_MAX: u64 = 1_000_000;

/// How the threads come by their views.
#[derive(Clone, Copy)]
enum Views {
    Held,
    EachTime,
}

/// What the threads share.
struct Race {
    /// A value is the round that ran after its write had looked where it is to land: the weigher stores it. A round noted
    /// before the call would prove nothing, for the call may begin after any number of rounds.
    cache: Cache<AtomicU64>,
    /// The round that runs; raised before the invalidation that ends the one before.
    begun: Arc<AtomicU64>,
    /// The last round whose invalidation has returned.
    ended: AtomicU64,
    is_over: AtomicBool,
    n_reads: AtomicU64,
    writes_met: AtomicU64,
    reads_met: AtomicU64,
}

/// The scope that is written to; the one above it is ended in every second round.
fn inner(cache: &Cache<AtomicU64>) -> OwnedScope<AtomicU64> {
    let outer = cache.scope("outer").unwrap();
    outer.prefix("inner").unwrap().into_owned()
}

impl Race {
    fn write(&self, views: Views, seed: u64) {
        let held = inner(&self.cache);
        for n in seed.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let round = self.begun.load(Ordering::Acquire);
            let answer = match views {
                Views::Held => held.insert(n % KEYS, AtomicU64::new(0)),
                Views::EachTime => inner(&self.cache).insert(n % KEYS, AtomicU64::new(0)),
            };
            assert!(answer.is_ok());
            let is_met = self.begun.load(Ordering::Acquire) != round;
            self.writes_met
                .fetch_add(u64::from(is_met), Ordering::Relaxed);
            if n % 7 == 0 {
                held.remove(n % KEYS);
            }
        }
    }

    fn read(&self, views: Views) {
        let _over = SetAtEnd(&self.is_over);
        let held = inner(&self.cache);
        for n in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            // What was begun in a round up to this one has ended before this operation begins.
            let ended = self.ended.load(Ordering::Acquire);
            let check = |round: &AtomicU64| {
                let round = round.load(Ordering::Relaxed);
                assert!(round > ended, "{round} was found, and {ended} had ended");
            };
            let key = n % KEYS;
            let fresh;
            let view = match views {
                Views::Held => &held,
                Views::EachTime => {
                    fresh = inner(&self.cache);
                    &fresh
                }
            };
            match n % 5 {
                0 => drop(view.get(key).map(|entry| check(&entry))),
                1 => drop(view.read(key, |round| check(round))),
                2 => view
                    .get_many(&[key, key + 1])
                    .iter()
                    .flatten()
                    .for_each(|entry| check(entry)),
                3 => view.iter().for_each(|entry| check(&entry)),
                _ => drop(view.remove(key).map(|entry| check(&entry))),
            }
            let is_met = self.ended.load(Ordering::Acquire) != ended;
            self.reads_met
                .fetch_add(u64::from(is_met), Ordering::Relaxed);
            self.n_reads.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ends round after round.
    fn end_rounds(&self) {
        let scopes = [
            self.cache.scope("outer").unwrap().into_owned(),
            inner(&self.cache),
        ];
        for round in 1..ROUNDS_MAX {
            let (writes, reads) = (&self.writes_met, &self.reads_met);
            let met = writes
                .load(Ordering::Relaxed)
                .min(reads.load(Ordering::Relaxed));
            if round > ROUNDS && met > MET {
                return;
            }
            self.begun.store(round + 1, Ordering::Release);
            scopes[round as usize % 2].invalidate();
            self.ended.store(round, Ordering::Release);
            // What is still wrong then is to be seen before the next round hides it.
            let n_reads = self.n_reads.load(Ordering::Relaxed);
            while self.n_reads.load(Ordering::Relaxed) < n_reads + READS_A_ROUND {
                if self.is_over.load(Ordering::Relaxed) {
                    return;
                }
                thread::yield_now();
            }
        }
        panic!("no write or read has met an invalidation");
    }
}

fn race(views: Views, stripes: usize, max_entries: u64) {
    let begun = Arc::new(AtomicU64::new(1));
    let round = Arc::clone(&begun);
    let cache = Cache::builder()
        .max_entries(max_entries)
        .stripes(stripes)
        .weigher(move |_, value: &AtomicU64| {
            value.store(round.load(Ordering::Acquire), Ordering::Relaxed);
            0
        })
        .build()
        .unwrap();
    let race = Race {
        cache,
        begun,
        ended: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        n_reads: AtomicU64::new(0),
        writes_met: AtomicU64::new(0),
        reads_met: AtomicU64::new(0),
    };
    thread::scope(|threads| {
        let _over = SetAtEnd(&race.is_over);
        threads.spawn(|| race.write(views, 0));
        threads.spawn(|| race.write(views, 11));
        threads.spawn(|| race.read(views));
        race.end_rounds();
    });
    inner(&race.cache).invalidate();
    maintain_fully(&race.cache);
    let stats = race.cache.stats();
    assert_eq!(
        (stats.live_entries, stats.unreachable_bytes),
        (0, 0),
        "{stats:?}"
    );
}

#[test]
fn e44_what_began_before_an_invalidation_is_gone_for_held_views() {
    race(Views::Held, 1, 1000);
    race(Views::Held, 4, 30);
}

#[test]
fn e44_what_began_before_an_invalidation_is_gone_for_views_of_each_operation() {
    race(Views::EachTime, 1, 30);
    race(Views::EachTime, 4, 1000);
}

/// What returned before an invalidation is gone after it, and what begins after it stays, whatever others do meanwhile.
#[test]
fn e44_what_comes_after_an_invalidation_stays() {
    let cache: Cache<AtomicU64> = Cache::builder().max_entries(1000).build().unwrap();
    let (n_others, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|threads| {
        threads.spawn(|| {
            let held = inner(&cache);
            while !is_over.load(Ordering::Relaxed) {
                let n = n_others.fetch_add(1, Ordering::Relaxed);
                held.insert(KEYS + n % 50, AtomicU64::new(n)).unwrap();
                cache.maintain(5);
            }
        });
        let _over = SetAtEnd(&is_over);
        let held = inner(&cache);
        let number = |scope: &OwnedScope<AtomicU64>, key| {
            scope.read(key, |number| number.load(Ordering::Relaxed))
        };
        for n in (0..).take_while(|&n| n < 3000 || n_others.load(Ordering::Relaxed) < 1000) {
            let scope = if n % 3 == 0 {
                inner(&cache)
            } else {
                held.clone()
            };
            scope.insert(n % KEYS, AtomicU64::new(n)).unwrap();
            assert_eq!(number(&held, n % KEYS), Some(n));
            assert_eq!(number(&inner(&cache), n % KEYS), Some(n));
            held.invalidate();
            assert!(number(&scope, n % KEYS).is_none());
            assert!(number(&inner(&cache), n % KEYS).is_none());
        }
    });
}
