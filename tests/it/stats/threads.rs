//! Counters while threads count and end.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use larder::{Cache, Clock, Limits, Nanos, Stats};

use crate::tools::{SEEDS, ends};

/// More than a thread has places for.
const N_TENANTS: usize = 150;

struct World {
    cache: Cache<[u8]>,
    /// Hits and misses that callers saw, of each tenant and, last, of the cache without them.
    seen: Vec<[AtomicUsize; 2]>,
}

impl World {
    fn new() -> World {
        let cache: Cache<[u8]> = Cache::builder().max_bytes(64 << 20).build().unwrap();
        for number in 0..N_TENANTS {
            let tenant = cache.create_tenant(&name(number), Limits::default());
            let named = tenant.unwrap().create_cache("c", Limits::default());
            named.unwrap().insert(0u64, [1]).unwrap();
        }
        cache.insert(0u64, [1]).unwrap();
        World {
            cache,
            seen: (0..=N_TENANTS).map(|_| Default::default()).collect(),
        }
    }

    /// Looks a key up that is there, or not, as one of those who do.
    fn look(&self, who: usize, is_there: bool) {
        let key = u64::from(!is_there);
        let found = if who == N_TENANTS {
            self.cache.read(key, |_| ()).is_some()
        } else {
            let tenant = self.cache.tenant(&name(who)).unwrap();
            let scope = tenant.cache("c").unwrap().scope();
            scope.get(key).is_some()
        };
        assert_eq!(found, is_there);
        self.seen[who][usize::from(!found)].fetch_add(1, Ordering::Relaxed);
    }

    /// Where the counters differ from what callers saw.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |who: &str, stats: Stats, seen: [u64; 2]| {
            if looked(stats) != seen {
                faults.push(format!("{who}: {:?} instead of {seen:?}", looked(stats)));
            }
        };
        let mut sum = [0; 2];
        for (who, seen) in self.seen.iter().enumerate() {
            let seen = seen.each_ref().map(|n| n.load(Ordering::Relaxed) as u64);
            sum = [sum[0] + seen[0], sum[1] + seen[1]];
            if who < N_TENANTS {
                let tenant = self.cache.tenant(&name(who)).unwrap();
                let named = tenant.cache("c").unwrap();
                check(&format!("cache of {who}"), named.stats(), seen);
                check(&format!("tenant {who}"), tenant.stats(), seen);
            }
        }
        check("all", self.cache.stats(), sum);
        faults
    }
}

fn name(number: usize) -> String {
    format!("tenant {number}")
}

fn looked(stats: Stats) -> [u64; 2] {
    [stats.hits, stats.misses()]
}

/// E-91. Threads end meanwhile and others come, so that tables are folded whole, and who counts for more than there are places
/// has them change hands; some stay with few, whose counts are in their tables in the end.
#[test]
fn e91_hits_and_misses_are_exact_once_quiet() {
    let world = World::new();
    let (quiet, checked) = (std::sync::Barrier::new(5), std::sync::Barrier::new(5));
    thread::scope(|scope| {
        for number in 0..4 {
            let (world, quiet, checked) = (&world, &quiet, &checked);
            scope.spawn(move || {
                for step in 0..20_000 {
                    world.look(number * 7, step % 3 > 0);
                    world.look(N_TENANTS, step % 5 > 0);
                }
                quiet.wait();
                checked.wait();
            });
        }
        thread::scope(|scope| {
            for number in 0..4 {
                let world = &world;
                scope.spawn(move || {
                    for life in 0..10 {
                        let live = move || {
                            for step in 0..1_000 {
                                let who = (step * 31 + life * number) % (N_TENANTS + 1);
                                world.look(who, step % 7 > 2);
                            }
                        };
                        thread::scope(|scope| {
                            scope.spawn(live);
                        });
                    }
                });
            }
        });
        quiet.wait();
        let faults = world.faults();
        checked.wait();
        assert!(faults.is_empty(), "{faults:?}");
    });
    assert!(world.faults().is_empty(), "{:?}", world.faults());
}

/// What was read once is never taken back, while threads count for more than they have places for, and end.
#[test]
fn e91_sums_do_not_go_down() {
    const N_THREADS: usize = 4;
    let world = World::new();
    let n_running = AtomicUsize::new(N_THREADS);
    thread::scope(|scope| {
        for number in 0..N_THREADS {
            let (world, n_running) = (&world, &n_running);
            scope.spawn(move || {
                for life in 0..40 {
                    let live = move || {
                        for step in 0..500 {
                            let who = (step * 13 + life * number) % (N_TENANTS + 1);
                            world.look(if step % 2 == 0 { number } else { who }, true);
                        }
                    };
                    thread::scope(|scope| {
                        scope.spawn(live);
                    });
                }
                n_running.fetch_sub(1, Ordering::Release);
            });
        }
        let tenants = [0, 1, 100].map(|who| world.cache.tenant(&name(who)).unwrap());
        let mut before = [0; 4];
        while n_running.load(Ordering::Acquire) > 0 {
            let of_tenants = tenants.each_ref().map(|tenant| tenant.stats().hits);
            let of_cache = world.cache.stats().hits;
            let now = [of_tenants[0], of_tenants[1], of_tenants[2], of_cache];
            for (now, before) in now.iter().zip(before) {
                assert!(*now >= before, "{now} after {before}");
            }
            before = now;
        }
    });
    assert!(world.faults().is_empty(), "{:?}", world.faults());
}

thread_local! {
    static STOPS: Cell<bool> = const { Cell::new(false) };
}

/// A clock that stops a thread of the test's choice where it asks for the time: under the lock of a stripe.
#[derive(Debug, Default)]
struct Stopping {
    has_stopped: AtomicBool,
    may_go_on: AtomicBool,
}

#[derive(Debug, Clone)]
struct StoppingClock(Arc<Stopping>);

impl Clock for StoppingClock {
    fn now(&self) -> Nanos {
        if STOPS.get() {
            self.0.has_stopped.store(true, Ordering::Release);
            wait_for(&self.0.may_go_on);
        }
        Nanos(1)
    }
}

fn wait_for(flag: &AtomicBool) {
    while !flag.load(Ordering::Acquire) {
        thread::yield_now();
    }
}

/// A key whose stripe, of two, is this one.
fn key_of(stripe: u64) -> [u8; 8] {
    let [a, b, c, d] = SEEDS;
    let state = ahash::RandomState::with_seeds(a, b, c, d);
    let mut keys = (0..u64::MAX).map(u64::to_le_bytes);
    let is_there = |key: &[u8; 8]| {
        let mut hasher = state.build_hasher();
        hasher.write(key);
        hasher.finish() >> 63 == stripe
    };
    keys.find(is_there).unwrap()
}

/// E-93: who reads the counters waits for a stripe that is written; meanwhile others write to the stripe that it has looked at,
/// and look up.
#[test]
fn e93_nobody_waits_for_who_reads_the_counters() {
    ends("a write beside a reading of counters", || {
        let stopping = Arc::new(Stopping::default());
        let builder = Cache::builder().max_bytes(1 << 20).stripes(2);
        let builder = builder.clock(StoppingClock(Arc::clone(&stopping)));
        let cache: Cache<[u8]> = builder.hash_seeds(SEEDS).build().unwrap();
        let tenant = cache.create_tenant("t", Limits::default()).unwrap();
        let tenant = tenant.default_cache().unwrap();
        let (first, second) = (key_of(0), key_of(1));
        thread::scope(|scope| {
            scope.spawn(|| {
                STOPS.set(true);
                let ttl = Duration::from_secs(9);
                cache.insert_with_ttl(second, [1], ttl).unwrap();
            });
            wait_for(&stopping.has_stopped);
            let (sender, receiver) = mpsc::channel();
            let cache = &cache;
            scope.spawn(move || {
                sender.send(()).unwrap();
                cache.stats()
            });
            receiver.recv().unwrap();
            for _ in 0..2_000 {
                cache.insert(first, [1]).unwrap();
                assert!(cache.get(first).is_some() && tenant.get(first).is_none());
                thread::yield_now();
            }
            stopping.may_go_on.store(true, Ordering::Release);
        });
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses()), (2_000, 2_000));
    });
}
