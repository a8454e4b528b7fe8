//! Edges of the engine's vocabulary that no feature's own tests look at, by number.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::scope;
use std::time::{Duration, SystemTime};

use larder::{
    AdmitError, AppendError, BuildError, Cache, Change, ComputeError, Condition, IncrementError,
    KeyError, Limits, LoadError, LongTtl, ManualClock, OwnedScope, Refusal, TenantError, Ttl,
    TtlError, Value,
};

use crate::tools::maintain_fully;

const S: Duration = Duration::from_secs(1);
const NS: Duration = Duration::from_nanos(1);

fn by_hand<V: Value + ?Sized>() -> (Cache<V>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_entries(10_000).clock(clock.clone());
    (builder.build().unwrap(), clock)
}

#[test]
fn e18_an_empty_key_is_refused_by_each_write() {
    let (cache, _clock) = by_hand::<str>();
    let empty = Refusal::Key(KeyError::Empty);
    let now = SystemTime::now();
    for refused in [
        cache.insert("", "v"),
        cache.insert_with_ttl("", "v", S),
        cache.insert_with("", "v", Ttl::NEVER),
        cache.insert_until("", "v", now + 60 * S),
        // What has passed is refused as what is to come.
        cache.insert_until("", "v", now - S),
    ] {
        assert_eq!(refused.unwrap_err().refusal, empty);
    }
    for condition in [Condition::ABSENT, Condition::PRESENT] {
        let refused = cache.put_if("", "v", Ttl::DEFAULT, condition);
        assert_eq!(refused.unwrap_err().refusal, empty);
    }
    let refused = cache.increment("", 1, 0, Ttl::DEFAULT);
    assert_eq!(refused, Err(IncrementError::Refused(empty)));
    let refused = cache.append("", "v", Ttl::DEFAULT);
    assert_eq!(refused.unwrap_err(), AppendError::Refused(empty));
    let refused = cache.compute("", |_| Change::Insert("v"));
    assert!(matches!(refused, Err(ComputeError::Refused(error)) if error.refusal == empty));
    let refused = cache.get_or_insert_with("", Ttl::DEFAULT, || "v");
    assert_eq!(refused.unwrap_err(), LoadError::Invalid(empty));
    assert!(cache.is_empty());
}

#[test]
fn e6_what_is_refused_of_settings_says_what_would_be_right() {
    let (cache, _clock) = by_hand::<str>();
    let limits = |default_ttl, ttl_max| Limits {
        default_ttl: Some(default_ttl),
        ttl_max: Some(ttl_max),
        ..Limits::default()
    };
    let refused = |limits| cache.create_tenant("t", limits).unwrap_err();
    let zero = refused(limits(S, Duration::ZERO));
    assert_eq!(zero, TenantError::Ttl(TtlError::Zero));
    assert_eq!(
        zero.to_string(),
        "the default time to live or the longest one is zero; give at least a nanosecond, or none for no limit"
    );
    assert_eq!(
        refused(limits(9 * S, 5 * S)).to_string(),
        "the default time to live is longer than the longest that is allowed, which is 5s; shorten it, or allow longer ones"
    );
    assert_eq!(
        BuildError::Ttl(TtlError::Zero).to_string(),
        "the default time to live or the time to idle is zero; give at least a nanosecond, or leave it out"
    );
    assert!(AdmitError::Closed.to_string().contains("create it again"));
}

#[test]
fn e26_a_call_chooses_that_a_long_time_is_cut_where_others_are_refused() {
    let (cache, _clock) = by_hand::<str>();
    let bounded = |ttl_max, long_ttl| Limits {
        ttl_max: Some(ttl_max),
        long_ttl,
        ..Limits::default()
    };
    let of_tenant = bounded(7 * S, LongTtl::Reject);
    let tenant = cache.create_tenant("t", of_tenant).unwrap();
    for (long_ttl, longest) in [(LongTtl::Reject, 5 * S), (LongTtl::Clamp, 9 * S)] {
        let named = tenant.create_cache("c", bounded(longest, long_ttl));
        let named = named.unwrap();
        let longest = longest.min(7 * S);
        for asked in [longest + NS, Duration::MAX] {
            let refused = named.insert_with_ttl("k", "v", asked);
            let refusal = Refusal::TtlTooLong { ttl_max: longest };
            assert_eq!(refused.unwrap_err().refusal, refusal);
            named
                .insert_with("k", "v", Ttl::after(asked).clamped())
                .unwrap();
            assert_eq!(named.ttl("k"), Some(Some(longest)));
        }
        named
            .insert_with("k", "v", Ttl::after(S).clamped())
            .unwrap();
        assert_eq!(named.ttl("k"), Some(Some(S)), "what is allowed stays");
        let refused = named.insert_with("k", "v", Ttl::after(Duration::ZERO).clamped());
        assert_eq!(refused.unwrap_err().refusal, Refusal::ZeroTtl);
        tenant.delete_cache("c");
    }
    cache
        .insert_with("k", "v", Ttl::after(9 * S).clamped())
        .unwrap();
    assert_eq!(
        cache.ttl("k"),
        Some(Some(9 * S)),
        "where nothing is bounded"
    );
}

#[test]
fn e27_a_time_of_zero_is_refused_whether_something_is_there_or_not() {
    let (cache, _clock) = by_hand::<str>();
    let tenant = cache.create_tenant("t", Limits::default()).unwrap();
    let bounded = Limits {
        ttl_max: Some(9 * S),
        long_ttl: LongTtl::Reject,
        ..Limits::default()
    };
    let named = tenant.create_cache("c", bounded).unwrap();
    for is_there in [false, true] {
        let expected = is_there.then_some("5");
        for (ttl, refusal) in [
            (Duration::ZERO, Refusal::ZeroTtl),
            (10 * S, Refusal::TtlTooLong { ttl_max: 9 * S }),
        ] {
            let refused = named.increment("k", 1, 0, ttl);
            assert_eq!(refused, Err(IncrementError::Refused(refusal)));
            let refused = named.append("k", "1", ttl);
            assert_eq!(refused.unwrap_err(), AppendError::Refused(refusal));
            let refused = named.put_if("k", "1", ttl, Condition::equal("other"));
            assert_eq!(refused.unwrap_err().refusal, refusal);
            assert_eq!(named.get("k").as_deref(), expected, "as it was");
        }
        named.insert("k", "5").unwrap();
    }
}

#[test]
fn e28_a_deadline_that_has_passed_takes_the_older_value_and_what_is_deleted_refuses_it() {
    let (cache, _clock) = by_hand::<str>();
    let tenant = cache.create_tenant("t", Limits::default()).unwrap();
    let named = tenant.create_cache("c", Limits::default()).unwrap();
    named.insert("k", "old").unwrap();
    for past in [SystemTime::UNIX_EPOCH, SystemTime::now()] {
        let taken = named.insert_until("k", "new", past).unwrap();
        assert_eq!(taken.as_deref(), Some("old"));
        assert!(named.get("k").is_none());
        named.insert("k", "old").unwrap();
    }
    tenant.delete_cache("c");
    let refused = named.insert_until("k", "new", SystemTime::UNIX_EPOCH);
    assert_eq!(refused.unwrap_err().refusal, Refusal::Closed);
}

#[test]
fn e29_the_longest_default_is_a_default_and_does_not_end() {
    let (cache, _clock) = by_hand::<str>();
    let default = |ttl| Limits {
        default_ttl: Some(ttl),
        ..Limits::default()
    };
    let tenant = cache.create_tenant("t", default(60 * S)).unwrap();
    let longest = Duration::from_nanos(u64::MAX);
    for (name, ttl) in [
        ("below", longest - NS),
        ("at", longest),
        ("above", Duration::MAX),
    ] {
        let named = tenant.create_cache(name, default(ttl)).unwrap();
        named.insert("k", "v").unwrap();
        assert_eq!(named.ttl("k"), Some(None), "{name}, and not the tenant's");
    }
}

#[test]
fn e40_a_get_after_a_put_gives_that_value_or_a_later_one_in_any_thread() {
    let cache: Cache<u64> = Cache::builder().max_entries(1000).build().unwrap();
    let n_keys = 4;
    let rounds = if cfg!(debug_assertions) {
        5_000
    } else {
        50_000
    };
    let put: Vec<AtomicU64> = (0..n_keys).map(|_| AtomicU64::new(0)).collect();
    scope(|scope| {
        for key in 0..n_keys {
            let (cache, put) = (&cache, &put);
            scope.spawn(move || {
                for value in 1..=rounds {
                    cache.insert(key, value).unwrap();
                    // Release and acquire: a put that has returned, for all threads.
                    put[key as usize].store(value, Ordering::Release);
                    let other = (key + value) % n_keys;
                    let settled = put[other as usize].load(Ordering::Acquire);
                    let found = cache.get(other).map_or(0, |entry| *entry);
                    assert!(found >= settled, "{found} after {settled}");
                }
            });
        }
    });
}

/// Puts what had expired, what expires after the end, and what doesn't; ends it all, and lets time go on.
fn check_e43(end: impl Fn(&Cache<str>, &OwnedScope<str>)) {
    let (cache, clock) = by_hand::<str>();
    let tenant = cache.create_tenant("t", Limits::default()).unwrap();
    let named = tenant.create_cache("c", Limits::default()).unwrap();
    let nested = named.scope().scope("s").unwrap().into_owned();
    let put = |keys: std::ops::Range<u64>, ttl: Ttl| {
        for key in keys {
            nested.insert_with(key, "v", ttl).unwrap();
        }
    };
    put(0..10, Ttl::after(S));
    put(10..30, Ttl::after(S + NS));
    put(30..70, Ttl::NEVER);
    clock.advance(S);
    end(&cache, &nested);
    assert_eq!(nested.iter().count(), 0);
    clock.advance(5 * S);
    maintain_fully(&cache);
    let stats = cache.stats();
    assert_eq!((stats.invalidated, stats.expired), (60, 10));
    assert_eq!(stats.live_entries, 0);
}

#[test]
fn e43_a_purge_counts_what_was_alive_and_nothing_that_had_expired_before() {
    check_e43(|_, nested| nested.invalidate());
    check_e43(|cache, _| cache.tenant("t").unwrap().flush());
    check_e43(|cache, _| {
        let tenant = cache.tenant("t").unwrap();
        tenant.cache("c").unwrap().flush();
    });
    check_e43(|cache, _| {
        let tenant = cache.tenant("t").unwrap();
        assert!(tenant.delete_cache("c"));
        // Its successor's scope is another one.
        let anew = tenant.create_cache("c", Limits::default()).unwrap();
        assert!(anew.scope().scope("s").unwrap().is_empty());
    });
    check_e43(|cache, _| {
        assert!(cache.delete_tenant("t"));
        cache.create_tenant("t", Limits::default()).unwrap();
    });
}

#[test]
fn e72_a_value_that_nearly_fills_the_cache_fits_a_full_one_and_is_replaced_by_its_like() {
    for (stripes, percent) in [(1, 50), (1, 80), (1, 95), (4, 80), (4, 90)] {
        let max = 1 << 20;
        let builder = Cache::<[u8]>::builder().max_bytes(max).stripes(stripes);
        let cache = builder.build().unwrap();
        for key in 0..10_000u64 {
            cache.insert(key, [7; 100]).unwrap();
        }
        let large = vec![1; (max * percent / 100) as usize];
        for round in 0..3 {
            let stored = cache.insert("large", large.as_slice());
            assert!(
                stored.is_ok(),
                "{stripes} stripes, {percent} %, round {round}"
            );
            assert!(cache.contains_key("large") && cache.weight() <= max);
            // What it replaces makes room for it, not all the others.
            assert!(cache.len() > 20, "{} are left", cache.len());
        }
    }
}

#[test]
fn e30_e72_a_value_that_makes_room_for_its_like_had_expired_if_it_was_due() {
    let clock = ManualClock::new();
    let builder = Cache::<[u8]>::builder().max_bytes(1 << 20).stripes(1);
    let cache = builder.clock(clock.clone()).build().unwrap();
    let large = vec![1; 600 << 10];
    cache.insert_with_ttl("k", large.as_slice(), S).unwrap();
    clock.advance(2 * S);
    cache.insert("k", large.as_slice()).unwrap();
    let stats = cache.stats();
    assert_eq!((stats.expired, stats.evicted), (1, 0));
    cache.insert("k", large.as_slice()).unwrap();
    let stats = cache.stats();
    assert_eq!((stats.expired, stats.evicted), (1, 1));
}

#[test]
fn f04_e72_what_was_written_during_a_load_makes_no_room_for_what_was_loaded() {
    let builder = Cache::<[u8]>::builder().max_bytes(1 << 20).stripes(1);
    let cache = builder.build().unwrap();
    let (newer, older) = (vec![2; 600 << 10], vec![1; 600 << 10]);
    let answer = cache.get_or_insert_with("k", Ttl::DEFAULT, || {
        cache.insert("k", newer.as_slice()).unwrap();
        older.clone()
    });
    // There is no room for it beside the newer one.
    match answer {
        Err(LoadError::Refused(error)) => assert_eq!(error.value, older),
        other => panic!("{other:?}"),
    }
    assert_eq!(cache.get("k").as_deref(), Some(newer.as_slice()));
}
