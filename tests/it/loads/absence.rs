//! Entries that say that there is no value: nobody sees them but `get_or_load` and `lookup`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use larder::{
    Cache, Change, Condition, Limits, Lookup, MissReason, RemovalCause, Ttl, Usage, Value,
};

use super::{Brought, Loaded, ManualClock, SECOND, by_hand};
use crate::tools::{Census, Counted, SetAtEnd, maintain_fully};

/// Has the cache know for so many seconds that "k" is absent.
fn learn<V: Value>(cache: &Cache<V>, seconds: u32) {
    let load = || -> Brought<V> { Ok(Loaded::Absent(seconds * SECOND)) };
    assert!(
        cache
            .get_or_load("k", Ttl::DEFAULT, load)
            .unwrap()
            .is_none()
    );
}

fn is_negative<V: Value>(cache: &Cache<V>) -> bool {
    matches!(cache.lookup("k"), Lookup::Negative)
}

/// A cache that knows for ten seconds that "k" is absent.
fn learned() -> (Cache<u64>, ManualClock) {
    let (cache, clock) = by_hand();
    learn(&cache, 10);
    (cache, clock)
}

#[test]
fn e46_an_absence_is_known_for_as_long_as_the_loader_says() {
    let (cache, clock) = learned();
    let unused = || -> Brought<u64> { unreachable!("it is known") };
    for step in 1..=10 {
        assert!(
            cache
                .get_or_load("k", Ttl::DEFAULT, unused)
                .unwrap()
                .is_none()
        );
        assert!(is_negative(&cache));
        clock.advance(if step < 10 {
            SECOND
        } else {
            SECOND - super::NANOSECOND
        });
    }
    assert!(is_negative(&cache), "a nanosecond before its end");
    clock.advance(super::NANOSECOND);
    assert!(matches!(
        cache.lookup("k"),
        Lookup::Miss(MissReason::Absent)
    ));
    let load = || -> Brought<u64> { Ok(Loaded::Value(1)) };
    let loaded = cache.get_or_load("k", Ttl::DEFAULT, load).unwrap();
    assert_eq!(loaded.as_deref(), Some(&1));
    let stats = cache.stats();
    assert_eq!(
        (stats.expired, stats.inserted, stats.live_entries),
        (1, 2, 1)
    );
}

#[test]
fn e46_no_look_up_finds_an_absence() {
    let (cache, _clock) = learned();
    assert!(cache.get("k").is_none() && cache.peek("k").is_none());
    assert!(cache.read("k", |_| ()).is_none() && !cache.contains_key("k"));
    assert!(cache.get_many(&["k", "l"]).iter().all(Option::is_none));
    assert_eq!((cache.ttl("k"), cache.iter().count()), (None, 0));
    assert_eq!(cache.set_ttl("k", None), Ok(false));
    assert_eq!(
        cache.increase_ttl("k", 99 * SECOND),
        Ok(larder::TtlChange::Absent)
    );
    assert_eq!(
        cache.decrease_ttl("k", SECOND),
        Ok(larder::TtlChange::Absent)
    );
    assert!(cache.remove_if("k", |_| true).is_none());
    assert_eq!(cache.retain(|_| false), 0);
    assert!(is_negative(&cache), "none of this has changed it");
    assert_eq!(cache.len(), 1, "it takes room, and so it counts");
}

#[test]
fn e46_each_write_over_an_absence_finds_nothing_there() {
    type Act = fn(&Cache<u64>) -> bool;
    let acts: [(&str, Act); 8] = [
        ("insert", |cache| cache.insert("k", 1).unwrap().is_none()),
        ("put_if absent", |cache| {
            let put = cache.put_if("k", 1, Ttl::DEFAULT, Condition::ABSENT);
            matches!(put.unwrap(), larder::PutIf::Stored { replaced: None })
        }),
        ("put_if not equal", |cache| {
            let put = cache.put_if("k", 1, Ttl::DEFAULT, Condition::not_equal(&1));
            put.unwrap().is_stored()
        }),
        ("compute", |cache| {
            let computed = cache.compute("k", |present| {
                assert!(present.is_none());
                Change::Insert(1)
            });
            let computed = computed.unwrap();
            computed.was.is_none() && computed.is.as_deref() == Some(&1)
        }),
        ("increment", |_| {
            let (cache, _clock) = by_hand::<i64>();
            learn(&cache, 10);
            cache.increment("k", 1, 0, Ttl::DEFAULT) == Ok(1)
        }),
        ("load of a value", |cache| {
            *cache.get_or_insert_with("k", Ttl::DEFAULT, || 1).unwrap() == 1
        }),
        ("insert with a time to live", |cache| {
            let replaced = cache.insert_with_ttl("k", 1, SECOND).unwrap();
            replaced.is_none() && cache.ttl("k") == Some(Some(SECOND))
        }),
        ("insert, the same by KEEP", |cache| {
            cache.insert_with("k", 1, Ttl::KEEP).unwrap().is_none()
        }),
    ];
    for (what, act) in acts {
        let (cache, _clock) = learned();
        assert!(act(&cache), "{what}");
        if what != "increment" {
            assert_eq!(cache.get("k").as_deref(), Some(&1), "{what}");
            assert_eq!((cache.len(), cache.iter().count()), (1, 1), "{what}");
            assert!(!is_negative(&cache));
        }
    }
}

#[test]
fn e46_conditions_on_a_present_value_do_not_hold_for_an_absence() {
    let (cache, _clock) = learned();
    let held = [
        Condition::PRESENT,
        Condition::equal(&1),
        Condition::present_and_not_equal(&1),
        Condition::version(0),
        Condition::version(1),
    ];
    for condition in held {
        let put = cache.put_if("k", 1, Ttl::DEFAULT, condition).unwrap();
        assert!(matches!(
            put,
            larder::PutIf::Unmet {
                value: 1,
                present: None
            }
        ));
    }
    assert!(is_negative(&cache));
}

#[test]
fn e46_what_takes_an_absence_out_gives_nothing() {
    type Act = fn(&Cache<u64>);
    let acts: [(&str, Act); 4] = [
        ("remove", |cache| assert!(cache.remove("k").is_none())),
        ("clear", |cache| cache.clear()),
        ("insert_until", |cache| {
            let past = std::time::SystemTime::UNIX_EPOCH;
            assert!(cache.insert_until("k", 1, past).unwrap().is_none());
        }),
        ("compute", |cache| {
            let computed = cache.compute("k", |_| Change::<u64>::Remove).unwrap();
            assert!(computed.was.is_none() && computed.is.is_none());
        }),
    ];
    for (what, act) in acts {
        let (cache, _clock) = learned();
        act(&cache);
        assert!(matches!(cache.lookup("k"), Lookup::Miss(_)), "{what}");
        assert!(cache.is_empty(), "{what}");
        let load = || -> Brought<u64> { Ok(Loaded::Value(1)) };
        assert!(
            cache
                .get_or_load("k", Ttl::DEFAULT, load)
                .unwrap()
                .is_some()
        );
    }
}

#[test]
fn e46_neither_listener_nor_weigher_hears_of_an_absence_and_its_bytes_come_back() {
    let census = Census::default();
    let n_weighed = Arc::new(AtomicU64::new(0));
    let heard: Arc<Mutex<Vec<(u64, RemovalCause)>>> = Arc::default();
    let (weighs, ear) = (n_weighed.clone(), heard.clone());
    let clock = ManualClock::new();
    let cache: Cache<Counted> = Cache::builder()
        .max_bytes(1 << 20)
        .stripes(1)
        .clock(clock.clone())
        .weigher(move |_, _: &Counted| weighs.fetch_add(1, Ordering::Relaxed))
        .listener(move |_, value: larder::Entry<Counted>, cause| {
            ear.lock().unwrap().push((value.number, cause))
        })
        .build()
        .unwrap();
    let check = |n_live: u64| {
        maintain_fully(&cache);
        let stats = cache.stats();
        let left = stats.evicted + stats.expired + stats.removed + stats.invalidated;
        assert_eq!(stats.inserted, stats.live_entries + stats.replaced + left);
        assert_eq!(stats.live_entries, n_live);
        assert_eq!(stats.live_bytes > 0, n_live > 0);
        assert_eq!((stats.garbage_bytes, stats.panics), (0, 0));
        assert_eq!(
            heard.lock().unwrap().len() as u64 + census.alive() as u64,
            n_weighed.load(Ordering::Relaxed)
        );
    };
    // Over one another, over a value, under a value; taken out, expired, cleared.
    learn(&cache, 10);
    check(1);
    drop(cache.remove("k"));
    check(0);
    learn(&cache, 10);
    // The wheel's grain later than its end.
    clock.advance(11 * SECOND);
    check(0);
    learn(&cache, 10);
    cache.insert("k", census.value(1)).unwrap();
    check(1);
    drop(cache.remove("k"));
    check(0);
    cache
        .insert_with("k", census.value(2), Ttl::after(SECOND).stale(SECOND))
        .unwrap();
    clock.advance(SECOND);
    learn(&cache, 10);
    assert!(is_negative(&cache), "it took the place of a stale value");
    check(1);
    cache.clear();
    check(0);
    let told = [(1, RemovalCause::Removed), (2, RemovalCause::Replaced)];
    assert_eq!(*heard.lock().unwrap(), told);
    learn(&cache, 10);
    drop(cache);
    assert_eq!((heard.lock().unwrap().len(), census.alive()), (2, 0));
}

#[test]
fn e46_absences_are_bounded_and_evicted_as_values_are() {
    let cache: Cache<[u8]> = Cache::builder().max_bytes(1 << 18).build().unwrap();
    for i in 0..20_000u64 {
        let load = || -> Brought<Vec<u8>> { Ok(Loaded::Absent(3600 * SECOND)) };
        assert!(cache.get_or_load(i, Ttl::DEFAULT, load).unwrap().is_none());
    }
    let stats = cache.stats();
    assert!(
        stats.evicted > 10_000 && stats.live_bytes <= 1 << 18,
        "{stats:?}"
    );
    assert_eq!(stats.inserted, stats.live_entries + stats.evicted);
    // Where there is no room for it at all, it is asked for each time.
    let cache: Cache<[u8]> = Cache::builder().max_entries(0).build().unwrap();
    let mut n_loads = 0;
    for _ in 0..3 {
        let answer = cache.get_or_load("k", Ttl::DEFAULT, || -> Brought<Vec<u8>> {
            n_loads += 1;
            Ok(Loaded::Absent(SECOND))
        });
        assert!(answer.unwrap().is_none());
    }
    assert_eq!((n_loads, cache.stats().refused), (3, 3));
}

#[test]
fn e46_a_zero_absence_is_not_remembered_and_a_tenants_maximum_holds() {
    let (cache, clock) = by_hand::<u64>();
    learn(&cache, 0);
    assert!(cache.is_empty() && !is_negative(&cache));
    for (long_ttl, is_remembered) in [
        (larder::LongTtl::Reject, false),
        (larder::LongTtl::Clamp, true),
    ] {
        let limits = Limits {
            ttl_max: Some(5 * SECOND),
            long_ttl,
            ..Limits::default()
        };
        let tenant = cache.create_tenant("acme", limits).unwrap();
        let scope = tenant.default_cache().unwrap().scope().clone().into_owned();
        let load = || -> Brought<u64> { Ok(Loaded::Absent(10 * SECOND)) };
        assert!(
            scope
                .get_or_load("k", Ttl::DEFAULT, load)
                .unwrap()
                .is_none()
        );
        let is_there = || matches!(scope.lookup("k"), Lookup::Negative);
        assert_eq!(
            (is_there(), scope.len()),
            (is_remembered, usize::from(is_remembered))
        );
        clock.advance(5 * SECOND);
        assert!(!is_there());
        clock.advance(SECOND);
        maintain_fully(&cache);
        assert_eq!(tenant.usage(), Usage::default());
        assert!(cache.delete_tenant("acme"));
    }
}

#[test]
fn e46_an_absence_ends_with_its_scope() {
    let (cache, _clock) = by_hand::<u64>();
    let scope = cache.scope("s").unwrap();
    let load = || -> Brought<u64> { Ok(Loaded::Absent(10 * SECOND)) };
    for _ in 0..3 {
        assert!(
            scope
                .get_or_load("k", Ttl::DEFAULT, load)
                .unwrap()
                .is_none()
        );
        assert!(matches!(scope.lookup("k"), Lookup::Negative));
        assert!(
            matches!(cache.lookup("k"), Lookup::Miss(_)),
            "the root's key is another"
        );
        scope.invalidate();
        assert!(matches!(scope.lookup("k"), Lookup::Miss(_)));
        maintain_fully(&cache);
        assert_eq!((scope.len(), cache.len()), (0, 0));
    }
}

#[test]
fn f6_a_key_that_is_always_one_or_the_other_is_never_missed() {
    let cache: Cache<u64> = Cache::builder().max_entries(100).build().unwrap();
    // It is due to be loaded anew at once, and a load then says that there is none.
    let due = Ttl::after(Duration::from_nanos(1)).stale(1000 * SECOND);
    cache.insert_with("k", 1, due).unwrap();
    let is_over = AtomicBool::new(false);
    let n_looked = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let found = cache.lookup("k");
                    assert!(!matches!(found, Lookup::Miss(_)), "{found:?}");
                    n_looked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = SetAtEnd(&is_over);
        for n in 0..20_000 {
            cache.insert_with("k", n, due).unwrap();
            learn(&cache, 1000);
            if n % 64 == 0 {
                // With one core, the others come by this alone.
                thread::yield_now();
            }
        }
    });
    assert!(n_looked.into_inner() > 0);
}
