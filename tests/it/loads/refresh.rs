//! When an entry is loaded anew: defaults, tenants, shares of the fresh time, jitter.

use std::time::Duration;

use larder::{
    Cache, Change, Condition, Entry, Limits, LoadError, LoadOptions, LongTtl, Lookup, ManualClock,
    Refusal, Ttl, WriteOptions,
};

use super::{NANOSECOND, SECOND, by_hand};

/// Checks that an entry which was just stored under "k" is fresh for the first time, and there for the second one.
fn check_spans(
    cache: &larder::OwnedScope<u64>,
    clock: &ManualClock,
    fresh: u32,
    hard: Option<u32>,
) {
    let (fresh, hard) = (fresh * SECOND, hard.map(|hard| hard * SECOND));
    assert_eq!(cache.ttl("k"), Some(hard));
    clock.advance(fresh - NANOSECOND);
    assert!(
        matches!(cache.lookup("k"), Lookup::Hit(_)),
        "fresh until {fresh:?}"
    );
    clock.advance(NANOSECOND);
    let Some(hard) = hard else {
        assert!(
            matches!(cache.lookup("k"), Lookup::Hit(_)),
            "what never ends is never stale"
        );
        return;
    };
    if hard > fresh {
        assert!(
            matches!(cache.lookup("k"), Lookup::Stale(_)),
            "stale from {fresh:?} on"
        );
        clock.advance(hard - fresh - NANOSECOND);
        assert!(matches!(cache.lookup("k"), Lookup::Stale(_)));
        clock.advance(NANOSECOND);
    }
    assert!(
        matches!(cache.lookup("k"), Lookup::Miss(_)),
        "gone at {hard:?}"
    );
}

#[test]
fn e25_the_stale_time_follows_whichever_default_holds() {
    let clock = ManualClock::new();
    let builder = Cache::<u64>::builder()
        .max_entries(100)
        .clock(clock.clone());
    let cache = builder.default_ttl(10 * SECOND).build().unwrap();
    let root = cache.scope("s").unwrap().into_owned();
    let limits = |default: Option<u32>, max: Option<u32>, long_ttl| Limits {
        default_ttl: default.map(|n| n * SECOND),
        ttl_max: max.map(|n| n * SECOND),
        long_ttl,
        ..Limits::default()
    };
    let tenant = cache
        .create_tenant("acme", limits(Some(7), None, LongTtl::Reject))
        .unwrap();
    let plain = tenant.default_cache().unwrap().scope().clone().into_owned();
    let named = tenant
        .create_cache("c", limits(Some(5), Some(15), LongTtl::Clamp))
        .unwrap();
    let named = named.scope().clone().into_owned();
    let tight = tenant
        .create_cache("d", limits(None, Some(6), LongTtl::Clamp))
        .unwrap();
    let tight = tight.scope().clone().into_owned();
    let stale = |ttl: Ttl| ttl.stale(20 * SECOND);
    let after = |seconds: u32| stale(Ttl::after(seconds * SECOND));
    let cases = [
        (&root, stale(Ttl::DEFAULT), 10, Some(30)),
        (&root, after(3), 3, Some(23)),
        (&root, stale(Ttl::NEVER), 99, None),
        (&root, stale(Ttl::KEEP), 10, Some(30)),
        (&plain, stale(Ttl::DEFAULT), 7, Some(27)),
        (&plain, Ttl::DEFAULT, 7, Some(7)),
        (&named, stale(Ttl::DEFAULT), 5, Some(15)),
        (&named, after(3), 3, Some(15)),
        (&named, after(40), 15, Some(15)),
        (&named, stale(Ttl::NEVER), 15, Some(15)),
        (&tight, stale(Ttl::DEFAULT), 6, Some(6)),
        (&tight, after(2), 2, Some(6)),
        (&tight, after(7), 6, Some(6)),
    ];
    for (scope, ttl, fresh, hard) in cases {
        scope.insert_with("k", 1, ttl).unwrap();
        check_spans(scope, &clock, fresh, hard);
        scope.remove("k");
        // The same by a load, and by a loader's own options.
        scope.get_or_insert_with("k", ttl, || 1).unwrap();
        check_spans(scope, &clock, fresh, hard);
        scope.remove("k");
        let load = || -> super::Brought<u64> { Ok(super::Loaded::With(1, ttl.into())) };
        scope.get_or_load("k", SECOND, load).unwrap().unwrap();
        check_spans(scope, &clock, fresh, hard);
        scope.remove("k");
    }
    named.insert_with("k", 1, after(3)).unwrap();
    let refused = limits(Some(5), Some(15), LongTtl::Reject);
    tenant.cache("c").unwrap().set_limits(refused).unwrap();
    let error = named.insert_with("k", 2, after(3)).unwrap_err();
    let expected = Refusal::TtlTooLong {
        ttl_max: 15 * SECOND,
    };
    assert_eq!(
        (error.refusal, error.value),
        (expected, 2),
        "both times together are above it"
    );
    let unused = || -> u64 { unreachable!("it can't be stored") };
    let answer = named.get_or_insert_with("l", after(3), unused);
    assert_eq!(answer.unwrap_err(), LoadError::Invalid(expected));
}

#[test]
fn e46_refresh_ahead_loads_before_the_entry_is_stale() {
    for (share, due) in [
        (0.5, 5),
        (0.8, 8),
        (1.0, 10),
        (7.0, 10),
        (f64::NAN, 10),
        (f64::INFINITY, 10),
    ] {
        let (cache, clock) = by_hand::<u64>();
        let ttl = Ttl::after(10 * SECOND)
            .stale(5 * SECOND)
            .refresh_ahead(share);
        let mut now = 0;
        let mut value = 1;
        cache.insert_with("k", value, ttl).unwrap();
        for _ in 0..3 {
            for second in 1..=due {
                let unused = || -> u64 { unreachable!("{share}: not before {due}, at {second}") };
                assert_eq!(*cache.get_or_insert_with("k", ttl, unused).unwrap(), value);
                clock.advance(SECOND);
                now += 1;
            }
            let entry = cache.get_or_insert_with("k", ttl, || {
                let inner = || -> u64 { unreachable!("one loads") };
                let inner = cache.get_or_insert_with("k", ttl, inner).unwrap();
                assert_eq!((*inner, inner.is_stale()), (value, due == 10));
                value + 1
            });
            value += 1;
            assert_eq!(*entry.unwrap(), value, "{share}: at {now}");
            assert_eq!(cache.ttl("k"), Some(Some(15 * SECOND)));
        }
    }
}

#[test]
fn e46_refresh_ahead_without_a_stale_time_ends_at_its_deadline() {
    let (cache, clock) = by_hand::<u64>();
    let ttl = Ttl::after(10 * SECOND).refresh_ahead(0.5);
    cache.insert_with("k", 1, ttl).unwrap();
    clock.advance(5 * SECOND);
    let answer = cache.try_get_or_insert_with("k", ttl, || Err::<u64, _>("failed"));
    let entry = answer.unwrap();
    assert_eq!((*entry, entry.is_stale()), (1, false), "it is fresh still");
    clock.advance(5 * SECOND);
    assert!(cache.get("k").is_none());
}

#[test]
fn f11_entries_that_are_not_to_be_loaded_anew_never_are() {
    let (cache, clock) = by_hand::<u64>();
    let unused = || -> u64 { unreachable!("it is there") };
    // Each caller's options count for what it stores, not for what is there.
    let stale = Ttl::after(SECOND).stale(SECOND);
    for ttl in [
        Ttl::NEVER,
        Ttl::NEVER.stale(SECOND).refresh_ahead(0.1),
        Ttl::DEFAULT.stale(SECOND),
    ] {
        cache.insert_with("k", 1, ttl).unwrap();
        for _ in 0..100 {
            clock.advance(100_000 * SECOND);
            let entry = cache.get_or_insert_with("k", stale, unused).unwrap();
            assert_eq!((entry.is_stale(), entry.ttl()), (false, None));
        }
    }
}

fn ttls(ttl: Ttl, n: u64) -> Vec<Duration> {
    let (cache, _clock) = by_hand::<u64>();
    let stored = |i| -> Entry<u64> {
        cache.insert_with(i % 100, i, ttl).unwrap();
        cache.get(i % 100).unwrap()
    };
    (0..n).map(|i| stored(i).ttl().unwrap()).collect()
}

#[test]
fn e46_jitter_shortens_by_up_to_its_share() {
    let long = 100 * SECOND;
    let drawn = ttls(Ttl::after(long).jitter(0.3), 4000);
    assert!(drawn.iter().all(|ttl| (70 * SECOND..=long).contains(ttl)));
    let (shortest, longest) = (drawn.iter().min().unwrap(), drawn.iter().max().unwrap());
    assert!(*shortest < 71 * SECOND && *longest > 99 * SECOND);
    let mean = drawn.iter().sum::<Duration>() / 4000;
    assert!((84 * SECOND..86 * SECOND).contains(&mean), "{mean:?}");
    let mut distinct = drawn;
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() > 3990, "{}", distinct.len());
    // No share, and what is none.
    for share in [0.0, -0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
        assert!(
            ttls(Ttl::after(long).jitter(share), 100)
                .iter()
                .all(|ttl| *ttl == long)
        );
    }
    // All of it at the most, and never nothing.
    for share in [1.0, 2.0, f64::INFINITY] {
        let drawn = ttls(Ttl::after(long).jitter(share), 1000);
        assert!(drawn.iter().all(|ttl| *ttl <= long) && drawn.iter().any(|ttl| *ttl < 5 * SECOND));
        assert!(
            ttls(Ttl::after(NANOSECOND).jitter(share), 100)
                .iter()
                .all(|ttl| *ttl == NANOSECOND)
        );
    }
}

#[test]
fn e46_jitter_moves_the_stale_time_and_keeps_its_length() {
    let ttl = Ttl::after(100 * SECOND).stale(50 * SECOND).jitter(0.5);
    let mut drawn = Vec::new();
    for _ in 0..50 {
        let (cache, clock) = by_hand::<u64>();
        // One after the other of the same cache's draws, each at its own edge.
        for _ in 0..4 {
            let entry = cache
                .get_or_insert_with("k", WriteOptions::from(ttl), || 1)
                .unwrap();
            let hard = entry.ttl().unwrap();
            let fresh = hard - 50 * SECOND;
            assert!((50 * SECOND..=100 * SECOND).contains(&fresh));
            drawn.push(fresh);
            clock.advance(fresh - NANOSECOND);
            assert!(matches!(cache.lookup("k"), Lookup::Hit(_)));
            clock.advance(NANOSECOND);
            assert!(matches!(cache.lookup("k"), Lookup::Stale(_)));
            clock.advance(50 * SECOND - NANOSECOND);
            assert!(matches!(cache.lookup("k"), Lookup::Stale(_)));
            clock.advance(NANOSECOND);
            assert!(matches!(cache.lookup("k"), Lookup::Miss(_)));
        }
    }
    drawn.sort_unstable();
    drawn.dedup();
    assert!(drawn.len() > 100, "each cache has its own");
}

/// Writes 2 over a value 1 that was stored with those times, `age` seconds ago; what becomes of its times is to be as if it had not been.
fn check_kept(what: &str, write: fn(&Cache<i64>), ttl: Ttl, age: u32) {
    let (cache, clock) = by_hand::<i64>();
    let (twin, twins_clock) = by_hand::<i64>();
    for (cache, clock) in [(&cache, &clock), (&twin, &twins_clock)] {
        cache.insert_with("k", 1, ttl).unwrap();
        clock.advance(age * SECOND);
    }
    write(&cache);
    let mut n_loads = 0;
    for second in age..40 {
        let (own, other) = (cache.get("k"), twin.get("k"));
        let name = format!("{what}, {ttl:?}, {age}: {second}");
        assert_eq!(own.is_some(), other.is_some(), "{name}");
        let (Some(own), Some(other)) = (own, other) else {
            break;
        };
        assert_eq!((*own, own.is_stale()), (2, other.is_stale()), "{name}");
        assert_eq!(own.ttl(), other.ttl(), "{name}");
        // Loaded anew at the same moments.
        let [own, other] = [&cache, &twin].map(|cache| {
            let mut is_loaded = false;
            let load = || {
                is_loaded = true;
                Err::<i64, &str>("failed")
            };
            cache.try_get_or_insert_with("k", ttl, load).unwrap();
            is_loaded
        });
        assert_eq!(own, other, "{name}");
        n_loads += u32::from(own);
        clock.advance(SECOND);
        twins_clock.advance(SECOND);
    }
    assert_eq!(n_loads > 0, ttl.stale(Duration::ZERO) != ttl, "{what}");
}

#[test]
fn e46_who_keeps_the_time_to_live_keeps_the_fresh_time() {
    type Write = fn(&Cache<i64>);
    let writes: [(&str, Write); 8] = [
        ("insert", |cache| {
            assert!(cache.insert_with("k", 2, Ttl::KEEP).unwrap().is_some());
        }),
        ("put_if present", |cache| {
            let put = cache.put_if("k", 2, Ttl::KEEP, Condition::PRESENT);
            assert!(put.unwrap().is_stored());
        }),
        ("put_if equal", |cache| {
            let put = cache.put_if("k", 2, Ttl::KEEP, Condition::equal(&1));
            assert!(put.unwrap().is_stored());
        }),
        ("compute", |cache| {
            let change = |_: Option<&Entry<i64>>| Change::InsertWith(2, Ttl::KEEP.into());
            assert_eq!(cache.compute("k", change).unwrap().is.as_deref(), Some(&2));
        }),
        ("increment", |cache| {
            assert_eq!(cache.increment("k", 1, 0, Ttl::DEFAULT), Ok(2));
        }),
        ("two writes", |cache| {
            cache.insert_with("k", 7, Ttl::KEEP).unwrap();
            cache.insert_with("k", 2, Ttl::KEEP).unwrap();
        }),
        ("times of its own", |cache| {
            let ttl = Ttl::KEEP.stale(5 * SECOND).refresh_ahead(0.1);
            assert!(cache.insert_with("k", 2, ttl).unwrap().is_some());
        }),
        ("a write while it is loaded", |cache| {
            let load = || {
                cache.insert_with("k", 2, Ttl::KEEP).unwrap();
                3
            };
            let options = LoadOptions::from(Ttl::NEVER);
            if *cache.get_or_insert_with("k", options, load).unwrap() == 1 {
                cache.insert_with("k", 2, Ttl::KEEP).unwrap();
            }
        }),
    ];
    let ttls = [
        Ttl::after(10 * SECOND).stale(20 * SECOND),
        Ttl::after(10 * SECOND)
            .stale(20 * SECOND)
            .refresh_ahead(0.5),
        Ttl::after(20 * SECOND),
    ];
    for (what, write) in writes {
        for ttl in ttls {
            for age in [0, 3, 7, 15] {
                check_kept(what, write, ttl, age);
            }
        }
    }
}

#[test]
fn e46_where_nothing_is_replaced_the_default_is_kept_and_stale_as_asked() {
    let clock = ManualClock::new();
    let builder = Cache::<u64>::builder().max_entries(100);
    let builder = builder.clock(clock.clone()).default_ttl(10 * SECOND);
    let cache = builder.build().unwrap();
    let ttl = Ttl::KEEP.stale(5 * SECOND);
    cache.insert_with("k", 1, ttl).unwrap();
    assert_eq!(cache.ttl("k"), Some(Some(15 * SECOND)));
    clock.advance(10 * SECOND);
    assert!(matches!(cache.lookup("k"), Lookup::Stale(_)));
    cache.insert_with("l", 1, Ttl::KEEP).unwrap();
    clock.advance(10 * SECOND - NANOSECOND);
    let unused = || -> u64 { unreachable!("it is fresh for all its time") };
    let found = cache.get_or_insert_with("l", ttl, unused).unwrap();
    assert_eq!((*found, found.is_stale()), (1, false));
    clock.advance(NANOSECOND);
    assert!(matches!(cache.lookup("l"), Lookup::Miss(_)));
}
