//! A value that was loaded before a newer write, removal or invalidation is not stored over it, and no waiter is given what a
//! look-up then doesn't find.

use std::sync::mpsc;
use std::thread::spawn;
use std::time::Duration;

use larder::{Cache, Change, Condition, Limits, OwnedScope, Ttl};

use super::{Brought, Loaded, SECOND, by_hand, gate, let_others_wait};
use crate::tools::{Census, Counted, ends, maintain_fully};

/// What stands between the begin and the end of a load of "k".
type Act<'a> = &'a (dyn Fn(&OwnedScope<Counted>, &Census) + Sync);

/// Loads 1 under "k" in a scope, with another caller waiting who would load 9; `act` comes between. Says what the loader's own caller
/// was given, what the one who waited was given, and what is there then.
fn between(
    cache: &Cache<Counted>,
    scope: &OwnedScope<Counted>,
    act: Act<'_>,
) -> (u64, u64, Option<u64>) {
    let census = Census::default();
    let (gate, pass) = gate();
    let own = told({
        let (scope, census) = (scope.clone(), census.clone());
        move || {
            let load = || {
                pass();
                census.value(1)
            };
            let entry = scope.get_or_insert_with("k", Ttl::DEFAULT, load);
            entry.unwrap().number
        }
    });
    gate.wait();
    let waited = told({
        let (scope, census) = (scope.clone(), census.clone());
        move || {
            let entry = scope.get_or_insert_with("k", Ttl::DEFAULT, || census.value(9));
            entry.unwrap().number
        }
    });
    let_others_wait();
    act(scope, &census);
    gate.open();
    let (own, waited) = (own(), waited());
    let left = scope.get("k").map(|entry| entry.number);
    // Whatever isn't there has ended, once.
    maintain_fully(cache);
    assert_eq!(census.alive(), cache.len());
    assert_eq!(cache.stats().panics, 0);
    (own, waited, left)
}

/// Runs `f` in a thread; what this gives waits for the answer, and fails if there is none.
fn told(f: impl FnOnce() -> u64 + Send + 'static) -> impl FnOnce() -> u64 {
    let (tells, told) = mpsc::channel();
    let thread = spawn(move || tells.send(f()).unwrap());
    move || {
        let answer = told.recv_timeout(30 * SECOND).expect("a load hangs");
        thread.join().unwrap();
        answer
    }
}

/// A cache of one stripe and a scope of it.
fn scoped() -> (Cache<Counted>, OwnedScope<Counted>) {
    let (cache, _clock) = by_hand::<Counted>();
    let scope = cache.scope("outer").unwrap().scope("inner").unwrap();
    (cache.clone(), scope.into_owned())
}

fn insert(scope: &OwnedScope<Counted>, census: &Census, number: u64) {
    assert!(scope.insert("k", census.value(number)).unwrap().is_none());
}

#[test]
fn f04_a_newer_value_stays_and_is_what_all_are_given() {
    let acts: [(&str, Act<'_>); 5] = [
        ("insert", &|scope, census| insert(scope, census, 2)),
        ("put_if", &|scope, census| {
            let put = scope.put_if("k", census.value(2), Ttl::DEFAULT, Condition::ABSENT);
            assert!(put.unwrap().is_stored());
        }),
        ("compute", &|scope, census| {
            let computed = scope.compute("k", |_| Change::Insert(census.value(2)));
            assert!(computed.unwrap().was.is_none());
        }),
        ("one after the other", &|scope, census| {
            insert(scope, census, 3);
            assert_eq!(scope.remove("k").unwrap().number, 3);
            insert(scope, census, 2);
        }),
        ("many", &|scope, census| {
            for number in (2..50).rev() {
                drop(scope.insert("k", census.value(number)).unwrap());
            }
        }),
    ];
    for (what, act) in acts {
        let (cache, scope) = scoped();
        let (own, waited, left) = between(&cache, &scope, act);
        assert_eq!((own, left), (2, Some(2)), "{what}");
        // Who comes late may find one of those before it.
        let is_late = matches!(what, "one after the other" | "many");
        assert!(
            waited == 2 || is_late && (2..50).contains(&waited),
            "{what}"
        );
    }
}

#[test]
fn f04_what_was_removed_meanwhile_stays_away_and_who_waited_loads_anew() {
    let acts: [(&str, Act<'_>); 7] = [
        ("remove of what is absent", &|scope, _| {
            assert!(scope.remove("k").is_none());
        }),
        ("insert, remove", &|scope, census| {
            insert(scope, census, 2);
            assert!(scope.remove("k").is_some());
        }),
        ("insert, remove_if", &|scope, census| {
            insert(scope, census, 2);
            assert!(scope.remove_if("k", |_| true).is_some());
        }),
        ("clear", &|scope, _| scope.clear()),
        ("insert, compute to nothing", &|scope, census| {
            insert(scope, census, 2);
            let computed = scope.compute("k", |_| Change::<Counted>::Remove);
            assert!(computed.unwrap().is.is_none());
        }),
        ("compute to nothing of what is absent", &|scope, _| {
            let computed = scope.compute("k", |_| Change::<Counted>::Remove);
            assert!(computed.unwrap().was.is_none());
        }),
        ("a deadline that has passed", &|scope, census| {
            let past = std::time::SystemTime::UNIX_EPOCH;
            assert!(
                scope
                    .insert_until("k", census.value(2), past)
                    .unwrap()
                    .is_none()
            );
        }),
    ];
    for (what, act) in acts {
        let (cache, scope) = scoped();
        let answer = between(&cache, &scope, act);
        // Who comes late may find what was there for a moment.
        let is_late = answer == (1, 2, None) && what.starts_with("insert, ");
        assert!(answer == (1, 9, Some(9)) || is_late, "{what}: {answer:?}");
    }
}

#[test]
fn f04_what_ends_with_its_scope_stays_away() {
    type Ends = fn(&Cache<Counted>, &OwnedScope<Counted>);
    let ends: [(&str, Ends); 3] = [
        ("clear of the whole cache", |cache, _| cache.clear()),
        ("invalidate", |_, scope| scope.invalidate()),
        ("invalidate from above", |cache, _| {
            cache.scope("outer").unwrap().invalidate();
        }),
    ];
    for (what, end) in ends {
        let (cache, scope) = scoped();
        let answer = between(&cache, &scope, &|scope, _| end(&cache, scope));
        assert_eq!(answer, (1, 9, Some(9)), "{what}");
    }
    let (cache, scope) = scoped();
    let (own, waited, left) = between(&cache, &scope, &|scope, census| {
        scope.invalidate();
        drop(scope.insert("k", census.value(2)).unwrap());
    });
    // Its own caller has what it loaded for the scope as it was; who comes between the two loads in the scope as it is.
    assert_eq!((own, left), (1, Some(2)));
    assert!(waited == 2 || waited == 9);
}

#[test]
fn f04_what_was_loaded_for_a_deleted_tenant_is_nowhere() {
    ends("loads for a tenant that is deleted", || {
        for is_named in [false, true] {
            let (cache, _clock) = by_hand::<Counted>();
            let census = Census::default();
            let limits = Limits::default();
            let tenant = cache.create_tenant("acme", limits).unwrap();
            let view = match is_named {
                false => tenant.default_cache().unwrap(),
                true => tenant.create_cache("c", limits).unwrap(),
            };
            let scope = view.scope().clone().into_owned();
            let (gate, pass) = gate();
            let (own, load) = (scope.clone(), census.clone());
            let loader = spawn(move || {
                let load = || {
                    pass();
                    load.value(1)
                };
                own.get_or_insert_with("k", Ttl::DEFAULT, load)
                    .map(|entry| entry.number)
            });
            gate.wait();
            let own = scope.clone();
            let waiter = spawn(move || {
                let load = || -> Brought<Counted> { Err("loaded for nobody") };
                own.get_or_load("k", Ttl::DEFAULT, load).is_err()
            });
            let_others_wait();
            assert!(match is_named {
                false => cache.delete_tenant("acme"),
                true => tenant.delete_cache("c"),
            });
            gate.open();
            let loaded = loader.join().unwrap();
            assert!(matches!(loaded, Ok(1)) || loaded.is_err());
            assert!(waiter.join().unwrap());
            assert!(scope.get("k").is_none());
            maintain_fully(&cache);
            drop(loaded);
            assert_eq!((census.alive(), cache.len()), (0, 0));
            // The next of its name is empty.
            if !is_named {
                let tenant = cache.create_tenant("acme", limits).unwrap();
                assert!(tenant.default_cache().unwrap().is_empty());
            }
        }
    });
}

#[test]
fn f04_what_is_no_write_of_the_key_overtakes_nothing() {
    let acts: [(&str, Act<'_>); 9] = [
        ("look-ups", &|scope, _| {
            assert!(scope.get("k").is_none() && !scope.contains_key("k"));
            assert_eq!((scope.len(), scope.iter().count()), (0, 0));
        }),
        ("a condition that doesn't hold", &|scope, census| {
            let put = scope.put_if("k", census.value(2), Ttl::DEFAULT, Condition::PRESENT);
            assert!(!put.unwrap().is_stored());
        }),
        ("a computation that changes nothing", &|scope, _| {
            let computed = scope.compute("k", |_| Change::<Counted>::Keep);
            assert!(computed.unwrap().is.is_none());
        }),
        ("a value that is refused", &|scope, census| {
            assert!(
                scope
                    .insert_with_ttl("k", census.value(2), Duration::ZERO)
                    .is_err()
            );
        }),
        ("a predicate without an entry", &|scope, _| {
            assert!(scope.remove_if("k", |_| true).is_none());
            assert_eq!(scope.retain(|_| false), 0);
        }),
        ("a new time to live for nothing", &|scope, _| {
            assert_eq!(scope.set_ttl("k", None), Ok(false));
        }),
        ("other keys", &|scope, census| {
            scope.insert("l", census.value(2)).unwrap();
            scope.insert(("k", "k"), census.value(2)).unwrap();
            scope.remove("l");
        }),
        ("the same key elsewhere", &|scope, census| {
            let nested = scope.scope("nested").unwrap();
            nested.insert("k", census.value(2)).unwrap();
            nested.remove("m");
            nested.clear();
            nested.invalidate();
        }),
        ("maintenance", &|scope, _| {
            assert!(scope.is_empty());
        }),
    ];
    for (what, act) in acts {
        let (cache, scope) = scoped();
        let census = Census::default();
        let root = &|scope: &OwnedScope<Counted>, inner: &Census| {
            act(scope, inner);
            // In the root, and in a scope beside, the key is another one.
            drop(cache.insert("k", inner.value(3)).unwrap());
            drop(cache.remove("k"));
            let beside = cache.scope("beside").unwrap();
            beside.insert("k", census.value(3)).unwrap();
            beside.clear();
            maintain_fully(&cache);
        };
        assert_eq!(between(&cache, &scope, root), (1, 1, Some(1)), "{what}");
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn f04_that_an_entry_expires_or_is_evicted_during_its_reload_overtakes_nothing() {
    for is_evicted in [false, true] {
        let clock = larder::ManualClock::new();
        let builder = Cache::<u64>::builder().max_entries(1).stripes(1);
        let cache = builder.clock(clock.clone()).build().unwrap();
        let ttl = Ttl::after(SECOND).stale(SECOND);
        cache.insert_with("k", 1, ttl).unwrap();
        clock.advance(SECOND);
        let loaded = cache.get_or_insert_with("k", ttl, || {
            if is_evicted {
                // Whoever reloads holds it, and so others would go first.
                cache.insert("other", 0).unwrap();
                assert!(!cache.contains_key("k"));
            } else {
                clock.advance(2 * SECOND);
                maintain_fully(&cache);
                assert_eq!(cache.stats().expired, 1);
            }
            2
        });
        assert_eq!(*loaded.unwrap(), 2);
        assert_eq!(cache.get("k").as_deref(), Some(&2), "evicted: {is_evicted}");
    }
}

#[test]
fn f04_a_reload_is_overtaken_as_a_load_is() {
    type Act = fn(&Cache<u64>);
    let acts: [(&str, Act, u64, Option<u64>); 7] = [
        (
            "insert",
            |cache| drop(cache.insert("k", 3).unwrap()),
            3,
            Some(3),
        ),
        (
            "remove",
            |cache| assert!(cache.remove("k").is_some()),
            2,
            None,
        ),
        (
            "remove_if",
            |cache| assert!(cache.remove_if("k", |_| true).is_some()),
            2,
            None,
        ),
        (
            "retain",
            |cache| assert_eq!(cache.retain(|_| false), 1),
            2,
            None,
        ),
        ("clear", |cache| cache.clear(), 2, None),
        (
            "compute",
            |cache| drop(cache.compute("k", |_| Change::Insert(3)).unwrap()),
            3,
            Some(3),
        ),
        (
            "set_ttl",
            |cache| assert!(cache.set_ttl("k", None).unwrap()),
            2,
            Some(2),
        ),
    ];
    for (what, act, given, left) in acts {
        for is_absence in [false, true] {
            let (cache, clock) = by_hand::<u64>();
            let ttl = Ttl::after(SECOND).stale(SECOND);
            cache.insert_with("k", 1, ttl).unwrap();
            clock.advance(SECOND);
            let loaded = cache.get_or_load("k", ttl, || -> Brought<u64> {
                act(&cache);
                Ok(match is_absence {
                    false => Loaded::Value(2),
                    true => Loaded::Absent(SECOND),
                })
            });
            let loaded = loaded.unwrap().as_deref().copied();
            let left = if is_absence {
                left.filter(|_| what != "set_ttl")
            } else {
                left
            };
            assert_eq!(cache.get("k").as_deref().copied(), left, "{what}");
            if !is_absence {
                assert_eq!(loaded, Some(given), "{what}");
            }
            let is_negative = matches!(cache.lookup("k"), larder::Lookup::Negative);
            assert_eq!(is_negative, is_absence && what == "set_ttl", "{what}");
        }
    }
}
