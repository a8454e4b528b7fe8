//! Fault 34, of `docs/faults.md`, for clocks: whatever reading of an operation panics, nothing leaks, nothing hangs, and the cache goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use larder::{
    Cache, Change, Clock, Condition, LoadOptions, Loaded, ManualClock, Nanos, Ttl, WeakCache,
};

use crate::tools::{Census, Counted, ends, maintain_fully, panics};

const SECOND: Duration = Duration::from_secs(1);

/// A clock that panics at one reading.
#[derive(Debug, Clone)]
struct Fragile {
    clock: ManualClock,
    /// Readings until then.
    n_left: Arc<AtomicU64>,
}

impl Fragile {
    fn new() -> Self {
        Self {
            clock: ManualClock::new(),
            n_left: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }

    /// Panics once, after so many readings.
    fn panic_after(&self, n_readings: u64) {
        self.n_left.store(n_readings, Ordering::Relaxed);
    }

    /// Panics no more; whether it was still to do so.
    fn mend(&self) -> bool {
        self.n_left.swap(u64::MAX, Ordering::Relaxed) < u64::MAX / 2
    }
}

impl Clock for Fragile {
    fn now(&self) -> Nanos {
        let is_last = self.n_left.fetch_sub(1, Ordering::Relaxed) == 0;
        assert!(!is_last, "provoked");
        self.clock.now()
    }
}

/// What is there before the operation.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    Fresh,
    Stale,
    Expired,
    Negative,
}

impl Before {
    const ALL: [Self; 5] = [
        Self::Nothing,
        Self::Fresh,
        Self::Stale,
        Self::Expired,
        Self::Negative,
    ];

    /// A cache in which that is so.
    fn cache(self, census: &Census, clock: &Fragile) -> Cache<Counted> {
        let cache: Cache<Counted> = Cache::builder()
            .max_entries(100)
            .stripes(1)
            .default_ttl(100 * SECOND)
            .time_to_idle(90 * SECOND)
            .clock(clock.clone())
            .build()
            .unwrap();
        let ttl = Ttl::after(SECOND).stale(SECOND);
        match self {
            Self::Nothing => {}
            Self::Negative => {
                let load = || Ok::<Loaded<Counted>, ()>(Loaded::Absent(SECOND));
                assert!(cache.get_or_load("k", ttl, load).unwrap().is_none());
            }
            Self::Fresh | Self::Stale | Self::Expired => {
                drop(cache.insert_with("k", census.value(0), ttl).unwrap());
            }
        }
        let passed = match self {
            Self::Stale => SECOND,
            Self::Expired => 2 * SECOND,
            Self::Nothing | Self::Fresh | Self::Negative => Duration::ZERO,
        };
        clock.clock.advance(passed);
        cache
    }
}

/// Has each reading of an operation panic, whatever there was before it.
fn check(what: &'static str, act: fn(&Cache<Counted>, &Census)) {
    ends(what, move || {
        let mut n_panics = 0;
        for before in Before::ALL {
            for n_readings in 0.. {
                let (census, clock) = (Census::default(), Fragile::new());
                let cache = before.cache(&census, &clock);
                clock.panic_after(n_readings);
                n_panics += u64::from(panics(|| act(&cache, &census)));
                let is_over = clock.mend();
                // What is there holds: it is found, replaced, and loaded anew by whoever comes.
                drop(cache.get("k"));
                let loaded = cache.get_or_insert_with("k", Ttl::NEVER, || census.value(7));
                drop(loaded.unwrap());
                drop(cache.insert("k", census.value(8)).unwrap());
                assert_eq!(cache.get("k").map(|entry| entry.number), Some(8));
                maintain_fully(&cache);
                let (n_alive, n_entries) = (census.alive(), cache.len());
                assert_eq!(n_alive, n_entries, "{what}, {before:?}: {n_readings}");
                drop(cache);
                assert_eq!(census.alive(), 0, "{what}, {before:?}: {n_readings}");
                if is_over {
                    break;
                }
            }
        }
        assert!(n_panics > 0, "{what}");
    });
}

#[test]
fn f34_writes_under_a_clock_that_panics() {
    check("insert", |cache, census| {
        drop(cache.insert("k", census.value(1)).unwrap());
    });
    check("insert until", |cache, census| {
        let deadline = SystemTime::now() + 50 * SECOND;
        drop(cache.insert_until("k", census.value(1), deadline).unwrap());
    });
    check("put_if absent", |cache, census| {
        let put = cache.put_if("k", census.value(1), SECOND, Condition::ABSENT);
        drop(put.unwrap());
    });
    check("put_if present", |cache, census| {
        let put = cache.put_if("k", census.value(1), Ttl::KEEP, Condition::PRESENT);
        drop(put.unwrap());
    });
    check("compute", |cache, census| {
        let computed = cache.compute("k", |_| Change::Insert(census.value(1)));
        drop(computed.unwrap());
    });
    check("compute, remove", |cache, _| {
        let computed = cache.compute("k", |_| Change::<Counted>::Remove);
        drop(computed.unwrap());
    });
}

/// A value that looks into its cache when it ends, for which that may not be locked.
struct Curious(WeakCache<Self>);

impl Drop for Curious {
    fn drop(&mut self) {
        if let Some(cache) = self.0.upgrade() {
            drop(cache.remove("another"));
        }
    }
}

#[test]
fn f34_a_value_ends_unlocked_when_the_clock_panics_in_its_plain_insert() {
    ends("a plain insert", || {
        let mut n_panics = 0;
        for (default_ttl, key) in [(Some(SECOND), "new"), (Some(SECOND), "k"), (None, "k")] {
            for n_readings in 0.. {
                let clock = Fragile::new();
                let mut builder = Cache::<Curious>::builder();
                if let Some(ttl) = default_ttl {
                    builder = builder.default_ttl(ttl);
                }
                let builder = builder.max_entries(100).stripes(1);
                let cache = builder.clock(clock.clone()).build().unwrap();
                let value = || Curious(cache.downgrade());
                drop(cache.insert_with_ttl("k", value(), SECOND).unwrap());
                clock.panic_after(n_readings);
                n_panics += u64::from(panics(|| drop(cache.insert(key, value()).unwrap())));
                let is_over = clock.mend();
                drop(cache.insert(key, value()).unwrap());
                assert!(cache.contains_key(key));
                if is_over {
                    break;
                }
            }
        }
        assert!(n_panics > 0);
    });
}

#[test]
fn f34_removals_under_a_clock_that_panics() {
    check("remove", |cache, _| drop(cache.remove("k")));
    check("remove_if", |cache, _| drop(cache.remove_if("k", |_| true)));
    check("retain", |cache, _| {
        cache.retain(|_| false);
    });
    check("clear", |cache, _| cache.clear());
    check("set_ttl", |cache, _| {
        cache.set_ttl("k", Some(SECOND)).unwrap();
    });
    check("maintain", |cache, _| maintain_fully(cache));
}

#[test]
fn f34_look_ups_under_a_clock_that_panics() {
    check("get", |cache, _| drop(cache.get("k")));
    check("lookup", |cache, _| drop(cache.lookup("k")));
    check("walk", |cache, _| drop(cache.iter().collect::<Vec<_>>()));
}

#[test]
fn f34_loads_under_a_clock_that_panics() {
    check("load", |cache, census| {
        let loaded = cache.get_or_insert_with("k", SECOND, || census.value(1));
        drop(loaded.unwrap());
    });
    check("load of an absence", |cache, _| {
        let load = || Ok::<Loaded<Counted>, ()>(Loaded::Absent(SECOND));
        drop(cache.get_or_load("k", SECOND, load).unwrap());
    });
    check("load that fails", |cache, _| {
        let load = || Err::<Counted, ()>(());
        drop(cache.try_get_or_insert_with("k", SECOND, load));
    });
}

#[test]
fn f34_what_an_insert_has_gathered_when_the_clock_panics_goes_back() {
    /// Bytes that an entry takes which needs room of all stripes.
    const LARGE: usize = 200 << 10;
    let left_after = |n_readings| {
        let clock = Fragile::new();
        let builder = Cache::<[u8]>::builder().max_bytes(1 << 19).stripes(4);
        let cache = builder.clock(clock.clone()).build().unwrap();
        for i in 0..100_u64 {
            cache.insert_with_ttl(i, vec![0; 10 << 10], SECOND).unwrap();
        }
        clock.panic_after(n_readings);
        let is_stored = !panics(|| {
            cache.insert_with_ttl("k", vec![1; LARGE], SECOND).unwrap();
        });
        clock.mend();
        assert_eq!(cache.contains_key("k"), is_stored);
        cache.clear();
        maintain_fully(&cache);
        (is_stored, cache.weight())
    };
    let (is_stored, empty) = left_after(u64::MAX / 4);
    assert!(is_stored);
    let mut n_panics = 0;
    for n_readings in 0.. {
        let (is_stored, weight) = left_after(n_readings);
        assert!(weight < empty + LARGE as u64 / 20, "{n_readings}: {weight}");
        if is_stored {
            break;
        }
        n_panics += 1;
    }
    assert!(n_panics > 1, "{n_panics}");
}

/// A cache with a stale value 0 under "k", and a clock that panics from the next reading on.
fn stale_and_broken() -> (Cache<Counted>, Census, Fragile) {
    let (census, clock) = (Census::default(), Fragile::new());
    let cache = Before::Stale.cache(&census, &clock);
    (cache, census, clock)
}

#[test]
fn f34_a_reload_that_panics_under_a_clock_that_does_unwinds_once() {
    let (cache, census, clock) = stale_and_broken();
    let load = || -> Counted {
        clock.panic_after(0);
        std::panic::resume_unwind(Box::new("provoked"))
    };
    assert!(panics(|| drop(cache.get_or_insert_with("k", SECOND, load))));
    assert!(!clock.mend(), "the clock was read, and panicked");
    assert_eq!(cache.stats().panics, 1);
    // The pause counts from when it was read last.
    clock.clock.advance(SECOND / 2);
    let unused = || -> Counted { unreachable!("paused") };
    assert!(
        cache
            .get_or_insert_with("k", SECOND, unused)
            .unwrap()
            .is_stale()
    );
    let own = LoadOptions::from(SECOND).back_off(SECOND / 4);
    let (cache, other, clock) = stale_and_broken();
    let load = || {
        clock.panic_after(0);
        Err::<Counted, ()>(())
    };
    let stale = cache.try_get_or_insert_with("k", own, load);
    assert_eq!(stale.unwrap().number, 0);
    clock.mend();
    clock.clock.advance(SECOND / 4);
    let loaded = cache.get_or_insert_with("k", own, || other.value(2));
    assert_eq!(loaded.unwrap().number, 2);
    drop((cache, census));
    assert_eq!(other.alive(), 0);
}

#[test]
fn f34_a_task_that_is_dropped_while_it_reloads_unwinds_under_no_clock() {
    let (cache, census, clock) = stale_and_broken();
    let never = std::future::pending::<Result<Loaded<Counted>, ()>>();
    let mut load = Box::pin(cache.get_or_load_async("k", SECOND, never));
    let mut context = Context::from_waker(Waker::noop());
    assert!(load.as_mut().poll(&mut context).is_pending());
    clock.panic_after(0);
    drop(load);
    assert!(!clock.mend());
    assert_eq!(cache.stats().panics, 1);
    clock.clock.advance(SECOND / 2);
    assert!(cache.get("k").is_some_and(|entry| entry.is_stale()));
    drop(cache);
    assert_eq!(census.alive(), 0);
}

/// Whatever reading of a load's panics, also one after its value was stored, whoever waits for it goes on.
#[test]
fn f30_f34_who_waits_for_a_load_whose_clock_panics_goes_on() {
    let mut n_stored = 0;
    for n_readings in 0.. {
        let clock = Fragile::new();
        let census = Census::default();
        let cache: Cache<Counted> = Cache::builder()
            .max_entries(100)
            .stripes(1)
            .clock(clock.clone())
            .build()
            .unwrap();
        let options = || LoadOptions::from(Ttl::after(SECOND));
        let mut context = Context::from_waker(Waker::noop());
        let bring = |number| {
            let value = census.value(number);
            async move { Ok::<_, &str>(Loaded::Value(value)) }
        };
        // The leader's loader waits once, so that another comes to wait for it.
        let mut polled = false;
        let slowly = std::future::poll_fn(move |_| {
            if std::mem::replace(&mut polled, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let value = bring(1);
        let leads = cache.get_or_load_async("k", options(), async move {
            slowly.await;
            value.await
        });
        let mut leads = Box::pin(leads);
        assert!(leads.as_mut().poll(&mut context).is_pending());
        let mut waits = Box::pin(cache.get_or_load_async("k", options(), bring(2)));
        assert!(waits.as_mut().poll(&mut context).is_pending());
        clock.panic_after(n_readings);
        let panicked = panics(|| drop(leads.as_mut().poll(&mut context)));
        let was_spared = clock.mend();
        assert_eq!(panicked, !was_spared);
        n_stored += u64::from(panicked && cache.contains_key("k"));
        drop(leads);
        let Poll::Ready(answer) = waits.as_mut().poll(&mut context) else {
            panic!("the waiter hangs after {n_readings} readings");
        };
        assert!([1, 2].contains(&answer.unwrap().unwrap().number));
        drop(waits);
        if was_spared {
            break;
        }
    }
    assert!(n_stored > 0, "a reading comes after the value is stored");
}
