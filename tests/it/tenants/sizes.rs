//! Sizes and times to live, under a clock that is moved by hand.

use std::time::Duration;

use larder::{
    Cache, KeyError, Limits, LongTtl, ManualClock, NamedCache, Refusal, Tenant, TtlError,
};

use crate::tools::maintain_fully;

const S: Duration = Duration::from_secs(1);
const NS: Duration = Duration::from_nanos(1);
const NONE: Limits = Limits {
    guaranteed_bytes: 0,
    max_bytes: None,
    max_entries: None,
    rates: larder::Rates::UNLIMITED,
    item_bytes_max: None,
    key_bytes_max: None,
    default_ttl: None,
    ttl_max: None,
    long_ttl: LongTtl::Reject,
    caches_max: None,
};

fn cache() -> (Cache<str>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_bytes(4 << 20).stripes(2);
    (builder.clock(clock.clone()).build().unwrap(), clock)
}

/// A tenant and a named cache of it, of these limits.
fn with_limits(
    cache: &Cache<str>,
    of_tenant: Limits,
    of_cache: Limits,
) -> (Tenant<'_, str>, NamedCache<'_, str>) {
    cache.delete_tenant("t");
    let tenant = cache.create_tenant("t", of_tenant).unwrap();
    let named = tenant.create_cache("c", of_cache).unwrap();
    (tenant, named)
}

fn refusal(named: &NamedCache<'_, str>, key: &str, value: &str) -> Option<Refusal> {
    let refused = named.insert(key, value).err()?;
    assert_eq!(refused.value, value, "the value comes back");
    Some(refused.refusal)
}

#[test]
fn e19_keys_and_items_are_bounded_by_cache_and_tenant() {
    let (cache, _clock) = cache();
    let keys = |max| Limits {
        key_bytes_max: Some(max),
        ..NONE
    };
    let items = |max| Limits {
        item_bytes_max: Some(max),
        ..NONE
    };
    let long_key = |key_bytes, key_bytes_max| {
        Some(Refusal::KeyTooLong {
            key_bytes,
            key_bytes_max,
        })
    };
    let large_item = |item_bytes, item_bytes_max| {
        Some(Refusal::ItemTooLarge {
            item_bytes,
            item_bytes_max,
        })
    };
    for (of_tenant, of_cache) in [(keys(5), NONE), (NONE, keys(5)), (keys(5), keys(9))] {
        let (tenant, named) = with_limits(&cache, of_tenant, of_cache);
        assert_eq!(refusal(&named, "12345", "any length of value"), None);
        assert_eq!(refusal(&named, "123456", ""), long_key(6, 5));
        // A key of several parts is measured as it's encoded.
        assert!(named.insert(("ab", "c"), "").is_ok());
        let encoded = named.insert(("ab", "cd"), "").unwrap_err().refusal;
        assert_eq!(Some(encoded), long_key(6, 5));
        let default = tenant.default_cache().unwrap();
        assert_eq!(
            refusal(&default, "123456", "").is_some(),
            of_tenant.key_bytes_max.is_some()
        );
        // Nothing of a refused key is there, and looking for it is a miss.
        assert!(named.get("123456").is_none() && named.remove("123456").is_none());
    }
    for (of_tenant, of_cache) in [(items(8), NONE), (NONE, items(8)), (items(8), items(9))] {
        let (_, named) = with_limits(&cache, of_tenant, of_cache);
        assert_eq!(refusal(&named, "123", "12345"), None);
        assert_eq!(refusal(&named, "123", "123456"), large_item(9, 8));
        assert_eq!(refusal(&named, "123456789", ""), large_item(9, 8));
        assert_eq!(named.get("123").as_deref(), Some("12345"), "the old value");
        assert_eq!(refusal(&named, "12345678", ""), None);
    }
    let (_, named) = with_limits(&cache, items(0), keys(0));
    assert_eq!(refusal(&named, "1", ""), long_key(1, 0));
    assert_eq!(refusal(&named, "", ""), Some(Refusal::Key(KeyError::Empty)));
}

#[test]
fn e19_a_refusal_says_what_would_be_right() {
    let (cache, _clock) = cache();
    let limits = Limits {
        key_bytes_max: Some(3),
        item_bytes_max: Some(5),
        ttl_max: Some(10 * S),
        ..NONE
    };
    let (_, named) = with_limits(&cache, NONE, limits);
    let check = |key: &str, value: &str, ttl: Option<Duration>, expected: &str| {
        let answer = match ttl {
            Some(ttl) => named.insert_with_ttl(key, value, ttl),
            None => named.insert(key, value),
        };
        assert_eq!(answer.unwrap_err().to_string(), expected);
    };
    check(
        "long",
        "",
        None,
        "the key is 4 bytes long when encoded; at most 3 are allowed here",
    );
    check(
        "abc",
        "abc",
        None,
        "key and value are 6 bytes together; at most 5 are allowed here",
    );
    let told = |answer: &str| answer.contains("10s");
    let refused = named.insert_with_ttl("k", "v", 11 * S).unwrap_err();
    assert!(told(&refused.to_string()), "{refused}");
    let refused = named.set_ttl("k", Some(11 * S)).unwrap_err();
    assert!(told(&refused.to_string()), "{refused}");
}

#[test]
fn e24_without_end_only_where_no_maximum_is_set() {
    let (cache, clock) = cache();
    let bounded = Limits {
        ttl_max: Some(10 * S),
        ..NONE
    };
    let (_, free) = with_limits(&cache, NONE, NONE);
    free.insert("k", "v").unwrap();
    assert_eq!(free.ttl("k"), Some(None));
    assert_eq!(free.set_ttl("k", Some(S)), Ok(true));
    assert_eq!(free.set_ttl("k", None), Ok(true));
    clock.advance(Duration::from_secs(100 * 365 * 86_400));
    assert!(free.contains_key("k"));
    for (of_tenant, of_cache) in [(bounded, NONE), (NONE, bounded)] {
        let (_, named) = with_limits(&cache, of_tenant, of_cache);
        named.insert("k", "v").unwrap();
        assert_eq!(named.ttl("k"), Some(Some(10 * S)));
        clock.advance(5 * S);
        assert_eq!(named.set_ttl("k", None), Ok(true));
        assert_eq!(named.ttl("k"), Some(Some(10 * S)));
        clock.advance(10 * S - NS);
        assert!(named.contains_key("k"));
        clock.advance(NS);
        assert!(!named.contains_key("k"));
    }
}

#[test]
fn e25_a_default_comes_from_the_cache_then_the_tenant_then_the_engine() {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_bytes(4 << 20).default_ttl(7 * S);
    let cache: Cache<str> = builder.clock(clock).build().unwrap();
    let default = |ttl| Limits {
        default_ttl: Some(ttl),
        ..NONE
    };
    let most = |limits, ttl| Limits {
        ttl_max: Some(ttl),
        ..limits
    };
    for (of_tenant, of_cache, expected) in [
        (NONE, NONE, 7 * S),
        (default(5 * S), NONE, 5 * S),
        (default(5 * S), default(3 * S), 3 * S),
        (default(3 * S), default(5 * S), 5 * S),
        (NONE, default(9 * S), 9 * S),
        // A default is nobody's wish: above a maximum it is cut.
        (most(NONE, 2 * S), default(9 * S), 2 * S),
        (NONE, most(NONE, 2 * S), 2 * S),
        (default(5 * S), most(NONE, 2 * S), 2 * S),
        (most(NONE, 9 * S), most(NONE, 8 * S), 7 * S),
    ] {
        let (tenant, named) = with_limits(&cache, of_tenant, of_cache);
        named.insert("k", "v").unwrap();
        assert_eq!(named.ttl("k"), Some(Some(expected)));
        let nested = named.scope().scope("s").unwrap().into_owned();
        nested.insert("k", "v").unwrap();
        assert_eq!(nested.ttl("k"), Some(Some(expected)), "also in its scopes");
        named.insert_with_ttl("k", "v", S).unwrap();
        assert_eq!(named.ttl("k"), Some(Some(S)), "asked for");
        let of_tenant = of_tenant.default_ttl.unwrap_or(7 * S);
        let of_tenant = tenant
            .limits()
            .unwrap()
            .ttl_max
            .map_or(of_tenant, |ttl_max| of_tenant.min(ttl_max));
        let default = tenant.default_cache().unwrap();
        default.insert("k", "v").unwrap();
        assert_eq!(default.ttl("k"), Some(Some(of_tenant)));
    }
}

#[test]
fn e26_a_long_time_is_refused_or_cut_by_cache_and_tenant() {
    let (cache, _clock) = cache();
    let rejects = |ttl| Limits {
        ttl_max: Some(ttl),
        ..NONE
    };
    let clamps = |ttl| Limits {
        long_ttl: LongTtl::Clamp,
        ..rejects(ttl)
    };
    for (of_tenant, of_cache, asked, expected) in [
        (NONE, rejects(5 * S), 5 * S, Ok(5 * S)),
        (NONE, rejects(5 * S), 5 * S + NS, Err(5 * S)),
        (rejects(5 * S), NONE, 5 * S + NS, Err(5 * S)),
        (NONE, clamps(5 * S), 6 * S, Ok(5 * S)),
        (clamps(5 * S), NONE, Duration::MAX, Ok(5 * S)),
        // Both hold, the cache first.
        (rejects(5 * S), clamps(8 * S), 6 * S, Err(5 * S)),
        (rejects(8 * S), clamps(5 * S), 9 * S, Ok(5 * S)),
        (clamps(5 * S), rejects(8 * S), 6 * S, Ok(5 * S)),
        (clamps(5 * S), rejects(8 * S), 9 * S, Err(8 * S)),
        (clamps(8 * S), clamps(5 * S), 9 * S, Ok(5 * S)),
        (clamps(5 * S), clamps(8 * S), 9 * S, Ok(5 * S)),
    ] {
        let (_, named) = with_limits(&cache, of_tenant, of_cache);
        match (named.insert_with_ttl("k", "v", asked), expected) {
            (Ok(_), Ok(ttl)) => assert_eq!(named.ttl("k"), Some(Some(ttl))),
            (Err(refused), Err(ttl_max)) => {
                assert_eq!(refused.refusal, Refusal::TtlTooLong { ttl_max });
                assert!(!named.contains_key("k"));
            }
            (answer, _) => panic!("{answer:?} instead of {expected:?}"),
        }
        named.insert_with_ttl("k", "v", S).unwrap();
        match expected {
            Ok(ttl) => {
                assert_eq!(named.set_ttl("k", Some(asked)), Ok(true));
                assert_eq!(named.ttl("k"), Some(Some(ttl)));
            }
            Err(ttl_max) => {
                let refused = Err(TtlError::TooLong { ttl_max });
                assert_eq!(named.set_ttl("k", Some(asked)), refused);
                assert_eq!(named.ttl("k"), Some(Some(S)), "as it was");
            }
        }
    }
}

#[test]
fn e27_zero_is_refused_whatever_the_limits_are() {
    let (cache, _clock) = cache();
    let clamps = Limits {
        ttl_max: Some(S),
        default_ttl: Some(S),
        long_ttl: LongTtl::Clamp,
        ..NONE
    };
    for limits in [NONE, clamps] {
        let (_, named) = with_limits(&cache, limits, limits);
        named.insert("k", "old").unwrap();
        let refused = named.insert_with_ttl("k", "v", Duration::ZERO);
        assert_eq!(refused.unwrap_err().refusal, Refusal::ZeroTtl);
        let refused = named.set_ttl("k", Some(Duration::ZERO));
        assert_eq!(refused, Err(TtlError::Zero));
        assert_eq!(named.get("k").as_deref(), Some("old"));
    }
}

#[test]
fn e29_huge_times_saturate() {
    let (cache, clock) = cache();
    let huge = [
        Duration::MAX,
        Duration::from_secs(u64::MAX),
        Duration::from_nanos(u64::MAX),
        Duration::from_nanos(u64::MAX - 1),
    ];
    for n_years in [0, 100] {
        clock.advance(Duration::from_secs(n_years * 365 * 86_400));
        for ttl in huge {
            for ttl_max in [None, Some(Duration::MAX), Some(ttl)] {
                let limits = Limits {
                    default_ttl: Some(ttl),
                    ttl_max,
                    ..NONE
                };
                let (_, named) = with_limits(&cache, limits, limits);
                named.insert("default", "v").unwrap();
                named.insert_with_ttl("asked", "v", ttl).unwrap();
                named.insert_with_ttl("set", "v", S).unwrap();
                assert_eq!(named.set_ttl("set", Some(ttl)), Ok(true));
                clock.advance(Duration::from_secs(86_400));
                for key in ["default", "asked", "set"] {
                    assert!(named.contains_key(key), "{ttl:?}, at most {ttl_max:?}");
                }
            }
        }
    }
}

#[test]
fn e30_at_its_deadline_an_entry_is_absent_for_every_operation() {
    let (cache, clock) = cache();
    let limits = Limits {
        default_ttl: Some(10 * S),
        ..NONE
    };
    let (tenant, named) = with_limits(&cache, limits, NONE);
    let checks: [fn(&NamedCache<'_, str>) -> bool; 9] = [
        |named| named.get("k").is_some(),
        |named| named.read("k", |_| ()).is_some(),
        |named| named.peek("k").is_some(),
        |named| named.get_many(&["k"])[0].is_some(),
        |named| named.contains_key("k"),
        |named| named.ttl("k").is_some(),
        |named| named.iter().count() == 1,
        |named| named.set_ttl("k", Some(NS)).unwrap(),
        |named| named.remove("k").is_some(),
    ];
    for check in checks {
        named.insert("k", "v").unwrap();
        clock.advance(10 * S - NS);
        assert!(check(&named), "one nanosecond before");
        named.insert("k", "v").unwrap();
        clock.advance(10 * S);
        assert!(!check(&named), "at the deadline");
        assert!(
            named.insert("k", "v").unwrap().is_none(),
            "nothing replaced"
        );
        clock.advance(10 * S);
        assert_eq!(named.retain(|_| false), 0, "a purge counts no dead");
        assert!(named.remove_if("k", |_| true).is_none());
    }
    named.insert("k", "v").unwrap();
    clock.advance(11 * S);
    maintain_fully(&cache);
    assert_eq!(tenant.usage(), Default::default());
}
