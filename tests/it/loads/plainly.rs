//! Loads into the cache itself, whose values are linked as those of plain inserts: alone in their stripe or among others, in a cache
//! that is full or not.

use std::thread::{scope, spawn};
use std::time::Duration;

use larder::{Cache, Ttl, WriteOptions};

use super::{SECOND, by_hand, gate, let_others_wait};
use crate::tools::{Census, Counted, ends, maintain_fully};

/// Calls `f` inside so many loads of other keys.
fn among(cache: &Cache<Counted>, census: &Census, n_loads: u64, f: &mut dyn FnMut()) {
    if n_loads == 0 {
        return f();
    }
    let load = || {
        among(cache, census, n_loads - 1, f);
        census.value(0)
    };
    let loaded = cache.get_or_insert_with(("other", n_loads), Ttl::DEFAULT, load);
    assert_eq!(loaded.unwrap().number, 0);
}

/// What the loader's own caller was given, what the one who waited was given, and what is there then.
type Answer = (u64, u64, Option<u64>);

/// Loads 1 under "k" among so many loads of one thread, with another caller waiting who would load 9; `act` comes between.
fn between(
    cache: &Cache<Counted>,
    n_others: u64,
    ttl: Ttl,
    act: fn(&Cache<Counted>, &Census),
) -> Answer {
    let census = Census::default();
    let (gate, pass) = gate();
    let mut pass = Some(pass);
    let answers = scope(|scope| {
        let own = scope.spawn(|| {
            let mut given = 0;
            among(cache, &census, n_others, &mut || {
                let load = || {
                    pass.take().expect("it is loaded once")();
                    census.value(1)
                };
                let entry = cache.get_or_insert_with("k", ttl, load);
                given = entry.unwrap().number;
            });
            given
        });
        gate.wait();
        let waited = scope.spawn(|| {
            let entry = cache.get_or_insert_with("k", ttl, || census.value(9));
            entry.unwrap().number
        });
        let_others_wait();
        act(cache, &census);
        gate.open();
        (own.join().unwrap(), waited.join().unwrap())
    });
    let left = cache.get("k").map(|entry| entry.number);
    maintain_fully(cache);
    (answers.0, answers.1, left)
}

#[test]
fn f04_what_comes_between_overtakes_a_load_into_the_cache_itself() {
    type Act = fn(&Cache<Counted>, &Census);
    let acts: [(&str, Act, Answer); 5] = [
        ("nothing", |_, _| {}, (1, 1, Some(1))),
        (
            "insert",
            |cache, census| drop(cache.insert("k", census.value(2)).unwrap()),
            (2, 2, Some(2)),
        ),
        (
            "remove",
            |cache, _| assert!(cache.remove("k").is_none()),
            (1, 9, Some(9)),
        ),
        ("clear", |cache, _| cache.clear(), (1, 9, Some(9))),
        (
            "other",
            |cache, census| drop(cache.insert("l", census.value(2)).unwrap()),
            (1, 1, Some(1)),
        ),
    ];
    ends("loads into the cache itself", move || {
        for (what, act, expected) in acts {
            for n_others in [0, 3, 12] {
                for ttl in [Ttl::DEFAULT, SECOND.into()] {
                    for n_before in [0, 2000] {
                        let (cache, _clock) = by_hand::<Counted>();
                        let census = Census::default();
                        for key in 0..n_before {
                            cache.insert(key, census.value(key)).unwrap();
                        }
                        let what =
                            format!("{what}, among {n_others}, {ttl:?}, with {n_before} before");
                        let answer = between(&cache, n_others, ttl, act);
                        if n_before == 0 {
                            assert_eq!(answer, expected, "{what}");
                        } else {
                            // Whatever landed may be evicted since.
                            assert_eq!(answer.0, expected.0, "{what}");
                            let finds_it = answer.1 == 1 || answer.2 == Some(1);
                            assert!(!finds_it || expected.1 == 1, "{what}: {answer:?}");
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn f30_who_waits_is_woken_where_a_value_finds_no_room_in_its_own_stripe() {
    ends("waits for a value that needs another stripe's room", || {
        for ttl in [None, Some(Duration::from_secs(1))] {
            let builder = Cache::<u64>::builder().max_entries(4).stripes(4);
            let cache = builder.build().unwrap();
            for key in 0..60u64 {
                let options = ttl.map_or(WriteOptions::new(), WriteOptions::from);
                let (gate, pass) = gate();
                let own = cache.clone();
                let loader = spawn(move || {
                    let load = || {
                        pass();
                        key
                    };
                    *own.get_or_insert_with(key, options, load).unwrap()
                });
                gate.wait();
                let other = cache.clone();
                let waiter = spawn(move || {
                    let entry = other.get_or_insert_with(key, options, || key);
                    *entry.unwrap()
                });
                let_others_wait();
                gate.open();
                assert_eq!((loader.join().unwrap(), waiter.join().unwrap()), (key, key));
            }
        }
    });
}
