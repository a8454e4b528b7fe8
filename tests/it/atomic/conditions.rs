//! What `put_if` asks of the present entry.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::scope;
use std::time::Duration;

use larder::{Cache, Condition, KeyError, Loaded, PutIf, Refusal, Ttl};

use super::{SECOND, by_hand};
use crate::tools::{Census, ends};

/// What may be there when a value is put; "new" is what is put, "v" what is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Present {
    Nothing,
    Expired,
    Removed,
    Negative,
    Equal,
    Different,
    StaleEqual,
    StaleDifferent,
}

impl Present {
    const ALL: [Self; 8] = [
        Self::Nothing,
        Self::Expired,
        Self::Removed,
        Self::Negative,
        Self::Equal,
        Self::Different,
        Self::StaleEqual,
        Self::StaleDifferent,
    ];

    /// A cache in which that is so, and the value that look-ups find.
    fn cache(self) -> (Cache<str>, Option<&'static str>) {
        let (cache, clock) = by_hand::<str>();
        let stale = Ttl::after(SECOND).stale(SECOND);
        let store =
            |value, ttl: Ttl| assert!(cache.insert_with("k", value, ttl).unwrap().is_none());
        let value = match self {
            Self::Nothing => None,
            Self::Expired => {
                store("v", Ttl::after(SECOND));
                None
            }
            Self::Removed => {
                store("v", Ttl::NEVER);
                cache.remove("k").unwrap();
                None
            }
            Self::Negative => {
                let load = || Ok::<Loaded<&str>, ()>(Loaded::Absent(9 * SECOND));
                assert!(cache.get_or_load("k", Ttl::NEVER, load).unwrap().is_none());
                None
            }
            Self::Equal | Self::StaleEqual => Some("v"),
            Self::Different | Self::StaleDifferent => Some("w"),
        };
        if let Some(value) = value {
            store(value, stale);
        }
        if !matches!(self, Self::Equal | Self::Different) {
            clock.advance(SECOND);
        }
        (cache, value)
    }
}

#[test]
fn m140_the_truth_table_of_conditions() {
    // Stored where the key is absent, where it is equal, where it is different.
    let table: [(Condition<'_, str>, [bool; 3]); 6] = [
        (Condition::ABSENT, [true, false, false]),
        (Condition::PRESENT, [false, true, true]),
        (Condition::equal("v"), [false, true, false]),
        (Condition::not_equal("v"), [true, false, true]),
        (Condition::present_and_not_equal("v"), [false, false, true]),
        (Condition::absent_or_equal("v"), [true, true, false]),
    ];
    for (condition, [absent, equal, different]) in table {
        for what in Present::ALL {
            let (cache, value) = what.cache();
            let expected = match value {
                None => absent,
                Some("v") => equal,
                Some(_) => different,
            };
            // The conditions aren't `Copy`, and one is asked for more than once.
            let condition = same(&condition);
            let name = format!("{condition:?} of {what:?}");
            let before = (cache.ttl("k"), cache.get("k").map(|entry| entry.version()));
            let put = cache
                .put_if("k", "new".to_owned(), 5 * SECOND, condition)
                .unwrap();
            assert_eq!(put.is_stored(), expected, "{name}");
            match put {
                PutIf::Stored { replaced } => {
                    assert_eq!(replaced.as_deref(), value, "{name}");
                    assert_eq!(cache.get("k").as_deref(), Some("new"), "{name}");
                    assert_eq!(cache.ttl("k"), Some(Some(5 * SECOND)), "{name}");
                }
                PutIf::Unmet {
                    value: back,
                    present,
                } => {
                    assert_eq!(
                        (back.as_str(), present.as_deref()),
                        ("new", value),
                        "{name}"
                    );
                    // The present one is as it was, its deadline included.
                    let after = (cache.ttl("k"), cache.get("k").map(|entry| entry.version()));
                    assert_eq!(after, before, "{name}");
                }
            }
        }
    }
}

/// The same condition once more.
fn same<'a>(condition: &Condition<'a, str>) -> Condition<'a, str>
where
    'static: 'a,
{
    match format!("{condition:?}").as_str() {
        "Absent" => Condition::ABSENT,
        "Present" => Condition::PRESENT,
        "Equal" => Condition::equal("v"),
        "NotEqual" => Condition::not_equal("v"),
        "PresentAndNotEqual" => Condition::present_and_not_equal("v"),
        "AbsentOrEqual" => Condition::absent_or_equal("v"),
        other => panic!("{other}"),
    }
}

#[test]
fn m140_a_version_holds_until_the_next_write() {
    let (cache, clock) = by_hand::<str>();
    let put = |version| {
        cache
            .put_if("k", "new", Ttl::DEFAULT, Condition::version(version))
            .unwrap()
    };
    for version in [0, 1, u64::MAX] {
        assert!(!put(version).is_stored(), "nothing is there");
    }
    cache.insert("k", "v").unwrap();
    let first = cache.get("k").unwrap().version();
    // Neither a use nor another deadline is a write.
    cache.set_ttl("k", Some(9 * SECOND)).unwrap();
    let PutIf::Stored { replaced } = put(first) else {
        panic!("nobody has written the key");
    };
    assert_eq!(replaced.as_deref(), Some("v"));
    let PutIf::Unmet { value, present } = put(first) else {
        panic!("the version is of the one before");
    };
    let second = present.unwrap().version();
    assert_eq!((value, second > first), ("new", true));
    // The same value again is another version, and so is one after a removal.
    cache.insert("k", "new").unwrap();
    assert!(!put(second).is_stored());
    let third = cache.remove("k").unwrap().version();
    cache.insert("k", "new").unwrap();
    assert!(!put(third).is_stored());
    let fourth = cache.get("k").unwrap().version();
    assert!(fourth > third);
    cache.set_ttl("k", Some(SECOND)).unwrap();
    clock.advance(SECOND);
    assert!(!put(fourth).is_stored(), "it has expired");
}

#[test]
fn m140_what_cannot_be_stored_is_refused_before_the_test() {
    let (cache, _clock) = by_hand::<str>();
    for condition in [Condition::PRESENT, Condition::ABSENT, Condition::equal("v")] {
        let name = format!("{condition:?}");
        let refused = cache
            .put_if("k", "new", Duration::ZERO, condition)
            .unwrap_err();
        assert_eq!(
            (refused.refusal, refused.value),
            (Refusal::ZeroTtl, "new"),
            "{name}"
        );
    }
    let too_long = "k".repeat(larder::MAX_KEY_BYTES + 1);
    for condition in [
        Condition::ABSENT,
        Condition::PRESENT,
        Condition::version(1),
        Condition::equal("v"),
        Condition::not_equal("v"),
        Condition::present_and_not_equal("v"),
        Condition::absent_or_equal("v"),
    ] {
        let name = format!("{condition:?}");
        let again = match name.as_str() {
            "Version" => Condition::version(1),
            _ => same(&condition),
        };
        let refused = cache.put_if("", "new", SECOND, condition).unwrap_err();
        let empty = Refusal::Key(KeyError::Empty);
        assert_eq!((refused.refusal, refused.value), (empty, "new"), "{name}");
        let refused = cache.put_if(&*too_long, "new", SECOND, again);
        let refusal = refused.unwrap_err().refusal;
        let is_too_long = matches!(refusal, Refusal::Key(KeyError::TooLong { .. }));
        assert!(is_too_long, "{name}: {refusal:?}");
    }
    let limited: Cache<[u8]> = Cache::builder().max_bytes(1 << 16).build().unwrap();
    limited.insert("k", "old").unwrap();
    let large = vec![0; 1 << 17];
    for condition in [Condition::PRESENT, Condition::equal(b"old".as_slice())] {
        let refused = limited
            .put_if("k", large.clone(), SECOND, condition)
            .unwrap_err();
        assert!(matches!(refused.refusal, Refusal::TooLarge { .. }) && refused.value == large);
        assert_eq!(limited.get("k").as_deref(), Some(&b"old"[..]));
    }
}

#[test]
fn e42_of_puts_into_the_absent_at_once_exactly_one_is_stored() {
    const THREADS: u64 = 8;
    ends("puts of one key at once", || {
        let (cache, clock) = by_hand();
        let census = Census::default();
        for round in 0..300 {
            let (at_once, n_stored) = (Barrier::new(THREADS as usize), AtomicU64::new(0));
            scope(|scope| {
                for thread in 0..THREADS {
                    let (cache, census, at_once, n_stored) = (&cache, &census, &at_once, &n_stored);
                    scope.spawn(move || {
                        let value = census.value(round * THREADS + thread);
                        at_once.wait();
                        let put = cache.put_if("k", value, SECOND, Condition::ABSENT);
                        match put.unwrap() {
                            PutIf::Stored { replaced } => {
                                assert!(replaced.is_none());
                                n_stored.fetch_add(1, Ordering::Relaxed);
                            }
                            PutIf::Unmet { value, present } => {
                                assert_eq!(value.number % THREADS, thread);
                                let present = present.expect("it stays for a second");
                                assert!(present.same(&cache.get("k").unwrap()));
                            }
                        }
                    });
                }
            });
            assert_eq!(n_stored.into_inner(), 1, "round {round}");
            // It is absent again in one of three ways.
            match round % 3 {
                0 => clock.advance(SECOND),
                1 => drop(cache.remove("k")),
                _ => cache.clear(),
            }
        }
        drop(cache);
        assert_eq!(census.alive(), 0);
    });
}

#[test]
fn f2_puts_by_version_and_by_value_lose_no_update() {
    const THREADS: u64 = 4;
    const EACH: u64 = 500;
    ends("puts that compare", || {
        let (cache, _clock) = by_hand::<u64>();
        for by_version in [true, false] {
            cache.insert("k", 0).unwrap();
            let n_unmet = AtomicU64::new(0);
            scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        for _ in 0..EACH {
                            loop {
                                let seen = cache.get("k").unwrap();
                                if *seen % 64 == 0 {
                                    std::thread::yield_now();
                                }
                                let condition = match by_version {
                                    true => Condition::version(seen.version()),
                                    false => Condition::equal(&*seen),
                                };
                                let put = cache.put_if("k", *seen + 1, Ttl::DEFAULT, condition);
                                if let PutIf::Stored { replaced } = put.unwrap() {
                                    assert!(replaced.is_some_and(|replaced| *replaced == *seen));
                                    break;
                                }
                                n_unmet.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    });
                }
            });
            assert_eq!(cache.get("k").as_deref(), Some(&(THREADS * EACH)));
            assert!(n_unmet.into_inner() > 0, "they never met");
        }
    });
}
