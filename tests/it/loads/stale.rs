//! Entries that are fresh, then stale, then gone; one caller loads them anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{scope, spawn};
use std::time::Duration;

use larder::{
    Cache, Change, Condition, Entry, LoadOptions, Lookup, ManualClock, MissReason, PutIf, Ttl,
};

use super::{Brought, Loaded, NANOSECOND, SECOND, by_hand, gate};
use crate::tools::{Census, Counted, ends, panics};

fn ttl() -> Ttl {
    Ttl::after(10 * SECOND).stale(20 * SECOND)
}

/// A cache with a value 1 under "k", stale from 10 seconds on and gone at 30.
fn stored() -> (Cache<u64>, ManualClock) {
    let (cache, clock) = by_hand();
    cache.insert_with("k", 1, ttl()).unwrap();
    (cache, clock)
}

/// Asks for "k" with a loader that fails; whether the loader was called.
fn fails(cache: &Cache<u64>, back_off: Duration) -> bool {
    let mut is_called = false;
    let options = LoadOptions::from(ttl()).back_off(back_off);
    let answer = cache.try_get_or_insert_with("k", options, || {
        is_called = true;
        Err::<u64, _>("failed")
    });
    let entry = answer.expect("the stale one is the answer");
    assert_eq!((*entry, entry.is_stale()), (1, true));
    is_called
}

#[test]
fn e46_fresh_then_stale_then_gone() {
    let (cache, clock) = stored();
    let unused = || -> u64 { unreachable!("it is fresh") };
    clock.advance(10 * SECOND - NANOSECOND);
    assert_eq!(*cache.get_or_insert_with("k", ttl(), unused).unwrap(), 1);
    assert!(matches!(cache.lookup("k"), Lookup::Hit(entry) if !entry.is_stale()));
    clock.advance(NANOSECOND);
    // Stale: each look-up finds it, and says so.
    assert!(matches!(cache.lookup("k"), Lookup::Stale(entry) if *entry == 1));
    assert_eq!(cache.lookup("k").entry().as_deref(), Some(&1));
    let found = [
        cache.get("k"),
        cache.peek("k"),
        cache.get_many(&["k"])[0].clone(),
    ];
    for entry in found.into_iter().chain([cache.iter().next()]) {
        let entry = entry.unwrap();
        assert!(entry.is_stale());
        assert_eq!(entry.ttl(), Some(20 * SECOND));
    }
    assert_eq!(cache.read("k", |value| *value), Some(1));
    assert_eq!(cache.ttl("k"), Some(Some(20 * SECOND)));
    clock.advance(20 * SECOND - NANOSECOND);
    assert!(cache.get("k").is_some_and(|entry| entry.is_stale()));
    clock.advance(NANOSECOND);
    assert!(matches!(
        cache.lookup("k"),
        Lookup::Miss(MissReason::Expired)
    ));
    assert!(cache.get("k").is_none() && !cache.contains_key("k"));
    assert_eq!(*cache.get_or_insert_with("k", ttl(), || 2).unwrap(), 2);
}

#[test]
fn e46_what_leaves_while_it_is_stale_is_told_as_stale() {
    type Act = fn(&Cache<u64>) -> Option<Entry<u64>>;
    let acts: [(&str, Act); 6] = [
        ("insert", |cache| cache.insert("k", 2).unwrap()),
        ("remove", |cache| cache.remove("k")),
        ("remove_if", |cache| cache.remove_if("k", |_| true)),
        ("compute", |cache| {
            let computed = cache.compute("k", |_| Change::Insert(2)).unwrap();
            assert!(!computed.is.unwrap().is_stale());
            computed.was
        }),
        ("put_if, stored", |cache| {
            match cache.put_if("k", 2, Ttl::KEEP, Condition::PRESENT).unwrap() {
                PutIf::Stored { replaced } => replaced,
                PutIf::Unmet { .. } => None,
            }
        }),
        ("put_if, unmet", |cache| {
            match cache
                .put_if("k", 2, Ttl::KEEP, Condition::equal(&3))
                .unwrap()
            {
                PutIf::Stored { .. } => None,
                PutIf::Unmet { present, .. } => present,
            }
        }),
    ];
    for (what, act) in acts {
        for (age, is_stale) in [(10 * SECOND - NANOSECOND, false), (10 * SECOND, true)] {
            let (cache, clock) = stored();
            clock.advance(age);
            let left = act(&cache).unwrap();
            assert_eq!((*left, left.is_stale()), (1, is_stale), "{what}");
            assert_eq!(left.ttl(), Some(30 * SECOND - age), "{what}");
        }
    }
    // So it is for the listener.
    let clock = ManualClock::new();
    let (tells, told) = std::sync::mpsc::channel();
    let tells = std::sync::Mutex::new(tells);
    let cache: Cache<u64> = Cache::builder()
        .max_entries(10)
        .clock(clock.clone())
        .listener(move |_, entry: Entry<u64>, _| {
            tells.lock().unwrap().send(entry.is_stale()).unwrap();
        })
        .build()
        .unwrap();
    for (age, is_stale) in [(10 * SECOND - NANOSECOND, false), (10 * SECOND, true)] {
        cache.insert_with("k", 1, ttl()).unwrap();
        clock.advance(age);
        cache.remove("k").unwrap();
        assert_eq!(told.recv().unwrap(), is_stale);
    }
}

#[test]
fn e46_a_reload_that_succeeds_replaces_the_entry_and_its_times() {
    let (cache, clock) = stored();
    for round in 2..6 {
        clock.advance(15 * SECOND);
        let before = cache.get("k").unwrap();
        let after = cache.get_or_insert_with("k", ttl(), || round).unwrap();
        assert_eq!((*after, after.is_stale()), (round, false));
        assert!(after.version() > before.version());
        assert_eq!(cache.ttl("k"), Some(Some(30 * SECOND)));
        assert!(matches!(cache.lookup("k"), Lookup::Hit(_)));
    }
    assert_eq!(cache.stats().replaced, 4);
    // With what the loader says instead.
    clock.advance(15 * SECOND);
    let load = || -> Brought<u64> { Ok(Loaded::With(9, SECOND.into())) };
    let loaded = cache.get_or_load("k", ttl(), load).unwrap().unwrap();
    assert_eq!((*loaded, cache.ttl("k")), (9, Some(Some(SECOND))));
    // A loader that finds nothing and has nothing remembered leaves the stale one (Z-93).
    let (cache, clock) = stored();
    clock.advance(15 * SECOND);
    let load = || -> Brought<u64> { Ok(Loaded::Absent(Duration::ZERO)) };
    assert!(cache.get_or_load("k", ttl(), load).unwrap().is_none());
    assert_eq!(cache.get("k").as_deref(), Some(&1));
}

#[test]
fn e46_of_those_who_find_it_stale_one_loads_and_the_rest_get_the_stale_one() {
    const THREADS: u64 = 8;
    ends("many callers of a stale entry", || {
        let (cache, clock) = by_hand::<Counted>();
        let census = Census::default();
        let load = |number| census.value(number);
        cache.insert_with("k", load(0), ttl()).unwrap();
        for round in 1..40 {
            clock.advance(10 * SECOND);
            let (at_once, n_answered) = (Barrier::new(THREADS as usize), AtomicU64::new(0));
            let n_loaded: u64 = scope(|scope| {
                let call = || {
                    let mut loads = 0;
                    at_once.wait();
                    let entry = cache.get_or_insert_with("k", ttl(), || {
                        loads += 1;
                        // It ends when all others have been answered.
                        while n_answered.load(Ordering::Relaxed) < THREADS - 1 {
                            std::thread::yield_now();
                        }
                        load(round)
                    });
                    let entry = entry.unwrap();
                    let expected = if loads == 1 {
                        (round, false)
                    } else {
                        (round - 1, true)
                    };
                    assert_eq!((entry.number, entry.is_stale()), expected);
                    n_answered.fetch_add(1, Ordering::Relaxed);
                    loads
                };
                let callers: Vec<_> = (0..THREADS).map(|_| scope.spawn(call)).collect();
                callers
                    .into_iter()
                    .map(|caller| caller.join().unwrap())
                    .sum()
            });
            assert_eq!(n_loaded, 1);
            assert_eq!(cache.get("k").map(|entry| entry.number), Some(round));
        }
        drop(cache);
        assert_eq!(census.alive(), 0);
    });
}

#[test]
fn e46_a_reload_that_fails_leaves_the_stale_one_and_pauses_double() {
    let (cache, clock) = by_hand();
    let long = Ttl::after(10 * SECOND).stale(1_000_000 * SECOND);
    cache.insert_with("k", 1, long).unwrap();
    clock.advance(10 * SECOND);
    for n_failures in 0..10u32 {
        assert!(fails(&cache, 3 * SECOND), "{n_failures}");
        let pause = 3 * SECOND * (1 << n_failures.min(6));
        assert!(!fails(&cache, 3 * SECOND), "at once");
        clock.advance(pause - NANOSECOND);
        assert!(!fails(&cache, 3 * SECOND), "{n_failures}: before {pause:?}");
        clock.advance(NANOSECOND);
    }
    // A load that succeeds begins anew.
    let loaded = cache.get_or_insert_with("k", long, || 1).unwrap();
    assert!(!loaded.is_stale());
    clock.advance(10 * SECOND);
    assert!(fails(&cache, 3 * SECOND));
    clock.advance(3 * SECOND);
    assert!(fails(&cache, 3 * SECOND));
}

#[test]
fn e46_a_stale_entry_stays_until_its_hard_deadline_and_then_errors_are_told() {
    let (cache, clock) = stored();
    clock.advance(10 * SECOND);
    let mut n_calls = 0;
    for second in 10..30 {
        n_calls += u32::from(fails(&cache, SECOND));
        assert_eq!(cache.ttl("k"), Some(Some((30 - second) * SECOND)));
        clock.advance(SECOND);
    }
    // At 10, and 1, 3, 7 and 15 seconds later.
    assert_eq!(n_calls, 5);
    let answer = cache.try_get_or_insert_with("k", ttl(), || Err::<u64, _>("failed"));
    assert_eq!(answer.unwrap_err(), larder::LoadError::Loader("failed"));
    assert!(cache.get("k").is_none());
}

#[test]
fn e46_a_reload_that_panics_or_is_refused_leaves_the_stale_one() {
    let (cache, clock) = stored();
    clock.advance(10 * SECOND);
    for n_failures in 0..4u32 {
        let load = || -> u64 { std::panic::resume_unwind(Box::new("provoked")) };
        assert!(panics(|| drop(cache.get_or_insert_with("k", ttl(), load))));
        assert!(!fails(&cache, SECOND), "paused");
        let pause = SECOND * (1 << n_failures);
        clock.advance(pause - NANOSECOND);
        assert!(!fails(&cache, SECOND));
        clock.advance(NANOSECOND);
    }
    assert!(fails(&cache, SECOND));
    let clock = ManualClock::new();
    let builder = Cache::<[u8]>::builder().max_bytes(1 << 16);
    let cache = builder.clock(clock.clone()).build().unwrap();
    cache.insert_with("k", "stale", ttl()).unwrap();
    clock.advance(10 * SECOND);
    let loaded = cache
        .get_or_insert_with("k", ttl(), || vec![0; 1 << 17])
        .unwrap();
    assert_eq!((&*loaded, loaded.is_stale()), (&b"stale"[..], true));
    // What can't be asked for is no failure of the load.
    clock.advance(SECOND);
    let unused = || -> Vec<u8> { unreachable!("it can't be stored") };
    let answer = cache.get_or_insert_with("k", Duration::ZERO, unused);
    assert!(matches!(answer, Err(larder::LoadError::Invalid(_))));
    let loaded = cache.get_or_insert_with("k", ttl(), || b"new".to_vec());
    assert!(!loaded.unwrap().is_stale());
}

#[test]
fn e46_a_reload_that_finds_another_load_at_it_is_no_failure() {
    ends("a reload beside a load", || {
        let (cache, clock) = by_hand();
        let (gate, pass) = gate();
        let own = cache.clone();
        let loader = spawn(move || {
            let load = || {
                pass();
                9
            };
            *own.get_or_insert_with("k", ttl(), load).unwrap()
        });
        gate.wait();
        // The load began before this, so its value is not for the key any more; but it is still at it when this one is stale.
        cache.insert_with("k", 1, ttl()).unwrap();
        clock.advance(10 * SECOND);
        for _ in 0..3 {
            assert!(!fails(&cache, SECOND), "another one is at it");
        }
        gate.open();
        assert_eq!(loader.join().unwrap(), 1);
        clock.advance(SECOND - NANOSECOND);
        assert!(!fails(&cache, SECOND), "a pause after who was met");
        clock.advance(NANOSECOND);
        assert!(fails(&cache, SECOND), "nobody has failed yet");
        clock.advance(SECOND - NANOSECOND);
        assert!(!fails(&cache, SECOND), "the first pause");
        clock.advance(NANOSECOND);
        assert!(fails(&cache, SECOND));
    });
}

#[test]
fn e46_who_misses_during_a_reload_waits_for_it() {
    ends("a reload that outlives its entry", || {
        for is_success in [true, false] {
            let (cache, clock) = stored();
            clock.advance(10 * SECOND);
            let (gate, pass) = gate();
            let own = cache.clone();
            let loader = spawn(move || {
                let load = || {
                    pass();
                    if is_success { Ok(2) } else { Err("failed") }
                };
                let entry = own.try_get_or_insert_with("k", ttl(), load).unwrap();
                *entry
            });
            gate.wait();
            clock.advance(20 * SECOND);
            let own = cache.clone();
            let waiter = spawn(move || *own.get_or_insert_with("k", ttl(), || 3).unwrap());
            super::let_others_wait();
            assert!(cache.get("k").is_none());
            let impatient = LoadOptions::from(ttl()).timeout(Duration::ZERO);
            let unused = || -> u64 { unreachable!("somebody loads it") };
            let answer = cache.get_or_insert_with("k", impatient, unused);
            assert!(matches!(answer, Err(larder::LoadError::TimedOut)));
            gate.open();
            // What a caller of before the deadline is given, if nothing else, is what was there then.
            assert_eq!(loader.join().unwrap(), if is_success { 2 } else { 1 });
            assert_eq!(waiter.join().unwrap(), if is_success { 2 } else { 3 });
        }
    });
}

#[test]
fn e46_a_loader_that_asks_for_the_stale_key_inside_gets_the_stale_one() {
    ends("a reload inside itself", || {
        let (cache, clock) = stored();
        clock.advance(10 * SECOND);
        let loaded = cache.get_or_insert_with("k", ttl(), || {
            let unused = || -> u64 { unreachable!("one loads") };
            let inner = cache.get_or_insert_with("k", ttl(), unused).unwrap();
            assert!(inner.is_stale());
            *inner + 1
        });
        assert_eq!(*loaded.unwrap(), 2);
    });
}

#[test]
fn f29_reloads_by_threads_that_fail_at_random_have_one_winner_at_a_time() {
    ends("reloads that fail at random", || {
        let (cache, clock) = by_hand::<Counted>();
        let census = Census::default();
        let (n_inside, number) = (AtomicU64::new(0), AtomicU64::new(0));
        let ttl = Ttl::after(SECOND).stale(100_000 * SECOND);
        cache.insert_with("k", census.value(0), ttl).unwrap();
        scope(|scope| {
            for thread in 0..4u64 {
                let (cache, census, clock, n_inside, number) =
                    (&cache, &census, &clock, &n_inside, &number);
                scope.spawn(move || {
                    for i in 0..3000u64 {
                        let load = || {
                            assert_eq!(n_inside.fetch_add(1, Ordering::Relaxed), 0);
                            std::thread::yield_now();
                            n_inside.fetch_sub(1, Ordering::Relaxed);
                            match i % 3 {
                                0 => Err("failed"),
                                1 => std::panic::resume_unwind(Box::new("provoked")),
                                _ => Ok(census.value(number.fetch_add(1, Ordering::Relaxed) + 1)),
                            }
                        };
                        let options = LoadOptions::from(ttl).back_off(NANOSECOND);
                        let load = || cache.try_get_or_insert_with("k", options, load);
                        if let Ok(entry) = catch_unwind(AssertUnwindSafe(load)) {
                            assert!(entry.unwrap().number <= number.load(Ordering::Relaxed));
                        }
                        if i % 4 == thread {
                            clock.advance(SECOND / 2);
                        }
                    }
                });
            }
        });
        assert!(number.into_inner() > 10);
        assert_eq!(cache.stats().panics, 0);
        drop(cache);
        assert_eq!(census.alive(), 0);
    });
}
