//! Faults 38 to 40 of `docs/faults.md`, as tenants meet them.

use std::time::Duration;

use larder::{
    Cache, Cost, KeyError, Limits, MAX_KEY_BYTES, ManualClock, Nanos, Rate, Rates, Refusal,
};

use super::{by_hand, bytes, guaranteed};

/// Names and keys that look like one another's, or like paths.
const NASTY: [&[u8]; 16] = [
    b"a",
    b"b",
    b"a/b",
    b"a%2Fb",
    b"a__b",
    b"a:b",
    b"\0",
    b"a\0",
    b"\0a",
    b"\0\0\0\0\0\0\0\0",
    b"\x01\0\0\0\0\0\0\0",
    b"\r\n",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\x01a",
    b" ",
];

#[test]
fn f38_no_key_of_a_tenant_names_another_tenants_entry() {
    let (cache, _clock) = by_hand(32 << 20, 4);
    let names: Vec<&str> = NASTY
        .iter()
        .filter_map(|name| std::str::from_utf8(name).ok())
        .filter(|name| !name.trim().is_empty())
        .collect();
    // Everywhere the same keys, each with a value that says where it is.
    let mut views = vec![(
        "nobody's".to_string(),
        cache.scope("x").unwrap().into_owned(),
    )];
    for name in &names {
        views.push((
            format!("scope {name:?}"),
            cache.scope(*name).unwrap().into_owned(),
        ));
        views.push((
            format!("prefix {name:?}"),
            cache.prefix(*name).unwrap().into_owned(),
        ));
        let tenant = cache.create_tenant(name, Limits::default()).unwrap();
        let default = tenant.default_cache().unwrap();
        views.push((format!("{name:?}"), default.scope().into_owned()));
        for below in &names {
            let named = tenant.create_cache(below, Limits::default()).unwrap();
            views.push((format!("{name:?} {below:?}"), named.scope().into_owned()));
            let scope = default.scope().scope(*below).unwrap().into_owned();
            views.push((format!("{name:?} scope {below:?}"), scope));
        }
    }
    let long = vec![b'k'; MAX_KEY_BYTES];
    let keys = || NASTY.into_iter().chain([&long[..]]);
    for (place, view) in &views {
        for key in keys().filter(|key| key.len() < 100) {
            assert!(view.get(key).is_none(), "{key:?} is in {place} already");
            view.insert(key, [place.as_bytes(), key].concat()).unwrap();
            let (first, last) = key.split_at(key.len() / 2);
            assert!(
                view.get((first, last)).is_none(),
                "parts are no joined string"
            );
            view.insert((first, last), [1]).unwrap();
        }
    }
    for (place, view) in &views {
        for key in keys().filter(|key| key.len() < 100) {
            let expected = [place.as_bytes(), key].concat();
            assert_eq!(
                view.get(key).as_deref(),
                Some(&expected[..]),
                "{key:?} in {place}"
            );
        }
        assert_eq!(view.len(), 2 * NASTY.len(), "{place}");
    }
    let n = views.len() * 2 * NASTY.len();
    assert_eq!(cache.len(), n);
    // One at a time goes, and no other with it.
    let (_, first) = &views[3];
    for key in NASTY {
        assert!(first.remove(key).is_some() && first.remove(key).is_none());
    }
    assert_eq!(cache.len(), n - NASTY.len());
}

#[test]
fn f38_keys_of_all_lengths_are_taken_or_refused_and_bounded_by_tenants() {
    let (cache, _clock) = by_hand(32 << 20, 1);
    let tenant = cache.create_tenant("t", Limits::default()).unwrap();
    let view = tenant.default_cache().unwrap();
    for length in [1, 2, 127, 128, 129, 255, 256, 4096, MAX_KEY_BYTES] {
        let key = vec![0xff; length];
        view.insert(&key[..], [1]).unwrap();
        assert_eq!(view.get(&key[..]).as_deref(), Some(&[1][..]), "{length}");
        assert!(cache.get(&key[..]).is_none());
    }
    assert_eq!(
        view.insert("", [1]).unwrap_err().refusal,
        Refusal::Key(KeyError::Empty)
    );
    for length in [MAX_KEY_BYTES + 1, 64 << 10, 512 << 20] {
        let refused = view.insert(&vec![0; length][..], [1]).unwrap_err();
        let expected = KeyError::TooLong {
            len_bytes: length,
            max_bytes: MAX_KEY_BYTES,
        };
        assert_eq!(refused.refusal, Refusal::Key(expected));
    }
    tenant
        .set_limits(Limits {
            key_bytes_max: Some(128),
            ..Limits::default()
        })
        .unwrap();
    assert!(view.insert(&[0; 128][..], [1]).is_ok());
    let refused = view.insert(&[0; 129][..], [1]).unwrap_err().refusal;
    assert!(matches!(refused, Refusal::KeyTooLong { .. }));
}

#[test]
fn f39_a_flood_is_stopped_by_its_own_quota_and_rate() {
    let (cache, clock) = by_hand(1 << 20, 4);
    let quota = 256 << 10;
    let limits = Limits {
        rates: Rates {
            operations: Some(Rate::per_second(1000)),
            ..Rates::UNLIMITED
        },
        ..bytes(0, quota)
    };
    let flooder = cache.create_tenant("flooder", limits).unwrap();
    let quiet = cache.create_tenant("quiet", guaranteed(200 << 10)).unwrap();
    let (of_flooder, of_quiet) = (
        flooder.default_cache().unwrap(),
        quiet.default_cache().unwrap(),
    );
    for key in 0..300u64 {
        of_quiet.insert(key, [1; 400]).unwrap();
    }
    assert!(quiet.usage().bytes <= 200 << 10);
    for key in 0..100u64 {
        cache.insert(key, [1; 100]).unwrap();
    }
    let n_evicted = |of: u64| cache.stats().evicted - of;
    let mut n_admitted = 0;
    for key in 0..20_000u64 {
        // Inserts, growth by update, misses and removals: none of them costs the others anything.
        match flooder.admit(1) {
            Ok(_) => n_admitted += 1,
            Err(refused) => {
                assert!(refused.retry_after().is_some());
                clock.advance(Duration::from_micros(100));
            }
        }
        of_flooder.insert(key, vec![2; 50]).unwrap();
        of_flooder
            .insert(key, vec![2; (key % 3000) as usize])
            .unwrap();
        assert!(of_flooder.get(key + 1).is_none());
        if key % 4 == 0 {
            of_flooder.remove(key);
        }
        assert!(flooder.usage().bytes <= quota, "{key}");
        assert!(quiet.admit(1).is_ok(), "the other's rate is its own");
    }
    assert!(n_admitted <= 1000 + 20_000 / 10 + 1, "{n_admitted}");
    assert!(n_evicted(0) > 1000);
    assert!((0..300u64).all(|key| of_quiet.contains_key(key)));
    assert!(
        (0..100u64).all(|key| cache.contains_key(key)),
        "the quota leaves room"
    );
    // Without a quota as well, who is guaranteed loses nothing.
    flooder.set_limits(Limits::default()).unwrap();
    for key in 0..20_000u64 {
        of_flooder.insert(key, [2; 500]).unwrap();
    }
    assert!((0..300u64).all(|key| of_quiet.contains_key(key)));
    assert!(flooder.usage().bytes > quota);
}

/// Whether what was admitted stays within burst + rate x time in every window, by numbers that can't overflow.
fn check_windows(admitted: &[(u64, u64)], n_tokens: u64, period: Duration, burst: u64) {
    for (first, &(from, _)) in admitted.iter().enumerate() {
        let mut sum = 0u128;
        for &(to, n) in &admitted[first..] {
            sum += u128::from(n);
            let time = u128::from(to - from);
            let brought = u128::from(n_tokens) * time / period.as_nanos();
            assert!(
                sum <= u128::from(burst) + brought,
                "{sum} in {time} ns of {n_tokens} in {period:?}, burst {burst}"
            );
        }
    }
}

#[test]
fn f40_rates_at_extremes_let_nothing_more_pass() {
    let century = Duration::from_secs(100 * 365 * 86_400);
    let numbers = [0, 1, 3, 1000, u64::from(u32::MAX), 1 << 62, u64::MAX];
    let periods = [
        Duration::from_nanos(1),
        Duration::from_millis(7),
        Duration::from_secs(1),
        5 * century,
    ];
    assert_eq!(
        Rate::new(1, Duration::ZERO),
        None,
        "a period of zero is no rate"
    );
    // Forwards by little and much, and back.
    let times = [
        0,
        1,
        2,
        999,
        6_999_999,
        7_000_000,
        3_000,
        7_000_001,
        1 << 40,
        5,
        1 << 61,
    ];
    for n_tokens in numbers {
        for burst in numbers {
            for period in periods {
                let clock = ManualClock::new();
                let builder = Cache::<u64>::builder().max_entries(10);
                let cache = builder.clock(clock.clone()).build().unwrap();
                let rate = Rate::new(n_tokens, period).unwrap().burst(burst);
                let limits = Limits {
                    rates: Rates {
                        operations: Some(rate),
                        bytes: Some(rate),
                    },
                    ..Limits::default()
                };
                let tenant = cache.create_tenant("t", limits).unwrap();
                let named = tenant.create_cache("c", limits).unwrap();
                let (mut admitted, mut latest) = (Vec::new(), 0);
                for time in times {
                    clock.set(Nanos(time));
                    latest = time.max(latest);
                    for cost in [1, burst / 2, burst, burst.saturating_add(1), u64::MAX] {
                        let answer = named.admit(Cost::calls(cost).and_bytes(cost));
                        match answer {
                            Ok(_) => admitted.push((latest, cost)),
                            Err(error) if cost > burst => {
                                assert_eq!(error.retry_after(), None, "never");
                            }
                            Err(_) => {}
                        }
                    }
                }
                // No more than 2^62 tokens are kept.
                let most = burst.min(1 << 62);
                check_windows(&admitted, n_tokens, period, most);
                assert!(burst == 0 || !admitted.is_empty(), "the first burst passes");
            }
        }
    }
}
