//! What an entry is written with: kinds of values (E-48), kept deadlines, changes of times to live (M-147 to M-150).

use std::time::Duration;

use larder::{
    Cache, Change, Condition, Limits, Loaded, LongTtl, Lookup, ManualClock, Tag, Ttl, TtlChange,
    TtlError, Value, WriteOptions,
};

use crate::tools::maintain_fully;

const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);
const TAGS: [Tag; 6] = [
    Tag::Bytes,
    Tag::Text,
    Tag::Boolean,
    Tag::Integer,
    Tag::Float,
    Tag::Json,
];

fn by_hand<V: Value + ?Sized>() -> (Cache<V>, ManualClock) {
    let clock = ManualClock::new();
    let builder = Cache::builder().max_entries(1000).stripes(1);
    (builder.clock(clock.clone()).build().unwrap(), clock)
}

#[test]
fn e48_a_value_comes_back_with_its_kind() {
    let clock = ManualClock::new();
    // With an idle time, so that the entry carries all the words there are.
    let builder = Cache::<[u8]>::builder()
        .max_bytes(1 << 20)
        .time_to_idle(99 * SECOND);
    let cache = builder.clock(clock.clone()).build().unwrap();
    let scope = cache.scope("s").unwrap();
    for tag in TAGS {
        for ttl in [
            Ttl::DEFAULT,
            Ttl::after(SECOND),
            Ttl::after(SECOND).stale(SECOND),
        ] {
            let options = WriteOptions::new().ttl(ttl).tag(tag);
            cache.insert_with("k", "value", options).unwrap();
            scope.insert_with("k", "value", options).unwrap();
            let found = [
                cache.get("k"),
                cache.peek("k"),
                cache.get_many(&["k"])[0].clone(),
                cache.lookup("k").entry(),
                scope.get("k"),
                scope.iter().next(),
            ];
            for entry in found {
                let entry = entry.unwrap();
                assert_eq!(
                    (entry.tag(), &*entry, entry.clone().tag()),
                    (tag, &b"value"[..], tag)
                );
            }
            // The replaced and the removed one have theirs.
            let replaced = cache.insert_with("k", "other", Tag::Json).unwrap().unwrap();
            assert_eq!(
                (replaced.tag(), cache.get("k").unwrap().tag()),
                (tag, Tag::Json)
            );
            assert_eq!(scope.remove("k").unwrap().tag(), tag);
            cache.remove("k").unwrap();
        }
    }
    cache.insert("k", "plain").unwrap();
    assert_eq!(cache.get("k").unwrap().tag(), Tag::Bytes);
}

#[test]
fn e48_the_kind_goes_through_each_operation() {
    let (cache, clock) = by_hand::<str>();
    for tag in TAGS {
        let options = WriteOptions::from(tag);
        let put = cache.put_if("k", "1", options, Condition::ABSENT);
        assert!(put.unwrap().is_stored());
        let computed = cache.compute("k", |_| Change::<&str>::Keep).unwrap();
        assert_eq!(
            (computed.was.unwrap().tag(), computed.is.unwrap().tag()),
            (tag, tag)
        );
        cache.set_ttl("k", Some(9 * SECOND)).unwrap();
        cache.increment("k", 1, 0, Tag::Float).unwrap();
        assert_eq!(cache.get("k").unwrap().tag(), tag);
        assert_eq!(cache.append("k", "1", Tag::Float).unwrap().tag(), tag);
        let computed = cache.compute("k", |_| Change::InsertWith("5", Tag::Json.into()));
        assert_eq!(computed.unwrap().is.unwrap().tag(), Tag::Json);
        let computed = cache.compute("k", |_| Change::Insert("5")).unwrap();
        assert_eq!(
            (computed.was.unwrap().tag(), computed.is.unwrap().tag()),
            (Tag::Json, Tag::Bytes)
        );
        let put = cache.put_if("k", "6", tag, Condition::equal("5"));
        assert!(put.unwrap().is_stored());
        assert_eq!(cache.remove("k").unwrap().tag(), tag);
        // By loads, in the caller's and in the loader's terms; a reload has its own.
        let loaded = cache.get_or_insert_with("k", options, || "1").unwrap();
        assert_eq!(loaded.tag(), tag);
        cache.remove("k");
        let stale = options.ttl(Ttl::after(SECOND).stale(SECOND));
        let load = || Ok::<_, ()>(Loaded::With("1", stale));
        let loaded = cache.get_or_load("k", Tag::Json, load).unwrap();
        assert_eq!(loaded.unwrap().tag(), tag);
        clock.advance(SECOND);
        let loaded = cache.get_or_insert_with("k", Tag::Json, || "2").unwrap();
        assert_eq!((&*loaded, loaded.tag()), ("2", Tag::Json));
        cache.remove("k");
    }
}

#[test]
fn e20_keep_is_the_deadline_of_what_it_replaces() {
    let clock = ManualClock::new();
    let builder = Cache::<u64>::builder()
        .max_entries(100)
        .clock(clock.clone());
    let cache = builder.default_ttl(50 * SECOND).build().unwrap();
    let keep = |value| cache.insert_with("k", value, Ttl::KEEP).unwrap();
    assert!(keep(1).is_none());
    assert_eq!(
        cache.ttl("k"),
        Some(Some(50 * SECOND)),
        "there was none to keep"
    );
    cache.insert_with_ttl("k", 1, 10 * SECOND).unwrap();
    for value in 2..5 {
        clock.advance(SECOND);
        assert!(keep(value).is_some());
    }
    assert_eq!(cache.ttl("k"), Some(Some(7 * SECOND)));
    cache.set_ttl("k", Some(20 * SECOND)).unwrap();
    keep(5);
    clock.advance(20 * SECOND - NANOSECOND);
    assert!(cache.contains_key("k"));
    clock.advance(NANOSECOND);
    assert!(!cache.contains_key("k"));
    // Of what has expired nothing is kept, whether it was found to be or not.
    assert!(keep(6).is_none());
    assert_eq!(cache.ttl("k"), Some(Some(50 * SECOND)));
    clock.advance(50 * SECOND);
    assert!(keep(7).is_none());
    assert_eq!(cache.ttl("k"), Some(Some(50 * SECOND)));
    cache.insert_with("k", 8, Ttl::NEVER).unwrap();
    keep(9);
    assert_eq!(cache.ttl("k"), Some(None));
    maintain_fully(&cache);
    assert_eq!((cache.len(), cache.stats().expired), (1, 2));
}

#[test]
fn e20_keep_over_an_absence_is_the_default() {
    let (cache, clock) = by_hand::<u64>();
    let load = || Ok::<Loaded<u64>, ()>(Loaded::Absent(5 * SECOND));
    assert!(
        cache
            .get_or_load("k", Ttl::DEFAULT, load)
            .unwrap()
            .is_none()
    );
    assert!(cache.insert_with("k", 1, Ttl::KEEP).unwrap().is_none());
    assert_eq!(
        cache.ttl("k"),
        Some(None),
        "no entry was there whose deadline it could keep"
    );
    clock.advance(5 * SECOND);
    assert_eq!(cache.get("k").as_deref(), Some(&1));
}

/// One change of a time to live, of an entry that has so many seconds left; what came of it, and what it has then.
fn change(left: Option<u32>, act: impl Fn(&Cache<u64>) -> TtlChange) -> (TtlChange, Option<u32>) {
    let (cache, clock) = by_hand::<u64>();
    // It has lived for a second.
    let ttl = left.map_or(Ttl::NEVER, |left| Ttl::after((left + 1) * SECOND));
    cache.insert_with("k", 1, ttl).unwrap();
    clock.advance(SECOND);
    let version = cache.get("k").unwrap().version();
    let changed = act(&cache);
    assert_eq!(cache.get("k").unwrap().version(), version, "it is no write");
    let ttl = cache.ttl("k").unwrap();
    if let Some(ttl) = ttl {
        clock.advance(ttl - NANOSECOND);
        assert!(cache.contains_key("k"));
        clock.advance(NANOSECOND);
        assert!(!cache.contains_key("k"));
    }
    maintain_fully(&cache);
    assert_eq!(cache.len(), usize::from(ttl.is_none()));
    (changed, ttl.map(|ttl| ttl.as_secs() as u32))
}

#[test]
fn m147_to_m150_times_to_live_are_changed() {
    use TtlChange::{NotSet, Set};
    let longer =
        |left, to: u32| change(left, |cache| cache.increase_ttl("k", to * SECOND).unwrap());
    let shorter =
        |left, to: u32| change(left, |cache| cache.decrease_ttl("k", to * SECOND).unwrap());
    assert_eq!(longer(Some(5), 6), (Set, Some(6)));
    assert_eq!(longer(Some(5), 3), (NotSet, Some(5)));
    assert_eq!(longer(Some(5), 5), (NotSet, Some(5)));
    assert_eq!(
        longer(None, 9),
        (NotSet, None),
        "nothing is longer than for ever"
    );
    assert_eq!(shorter(Some(5), 3), (Set, Some(3)));
    assert_eq!(shorter(Some(5), 6), (NotSet, Some(5)));
    assert_eq!(shorter(Some(5), 5), (NotSet, Some(5)));
    assert_eq!(shorter(None, 9), (Set, Some(9)));
    let set = |left, to: Option<u32>| {
        change(left, |cache| {
            assert!(cache.set_ttl("k", to.map(|to| to * SECOND)).unwrap());
            Set
        })
    };
    assert_eq!(set(Some(5), Some(2)), (Set, Some(2)));
    assert_eq!(set(Some(5), Some(70_000)), (Set, Some(70_000)));
    assert_eq!(set(Some(5), None), (Set, None));
    assert_eq!(set(None, Some(3)), (Set, Some(3)));
}

#[test]
fn m147_to_m150_what_is_missing_or_zero() {
    let (cache, clock) = by_hand::<u64>();
    let check = || {
        assert_eq!(cache.set_ttl("k", Some(SECOND)), Ok(false));
        assert_eq!(cache.increase_ttl("k", SECOND), Ok(TtlChange::Absent));
        assert_eq!(cache.decrease_ttl("k", SECOND), Ok(TtlChange::Absent));
    };
    check();
    cache.insert_with_ttl("k", 1, SECOND).unwrap();
    clock.advance(SECOND);
    check();
    cache.insert_with_ttl("k", 1, 5 * SECOND).unwrap();
    for zero in [
        cache.increase_ttl("k", Duration::ZERO),
        cache.decrease_ttl("k", Duration::ZERO),
    ] {
        assert_eq!(zero, Err(TtlError::Zero));
    }
    assert_eq!(cache.increase_ttl("", SECOND), Ok(TtlChange::Absent));
    assert_eq!(cache.ttl("k"), Some(Some(5 * SECOND)));
    assert_eq!(cache.increase_ttl("k", Duration::MAX), Ok(TtlChange::Set));
    assert_eq!(
        cache.ttl("k"),
        Some(None),
        "292 years and more are for ever"
    );
    assert_eq!(
        cache.decrease_ttl("k", Duration::MAX),
        Ok(TtlChange::NotSet)
    );
    assert_eq!(cache.decrease_ttl("k", NANOSECOND), Ok(TtlChange::Set));
    clock.advance(NANOSECOND);
    assert!(cache.get("k").is_none());
}

#[test]
fn e26_a_tenants_maximum_holds_for_changes_too() {
    let (cache, _clock) = by_hand::<u64>();
    for long_ttl in [LongTtl::Reject, LongTtl::Clamp] {
        let limits = Limits {
            ttl_max: Some(10 * SECOND),
            long_ttl,
            ..Limits::default()
        };
        let tenant = cache.create_tenant("acme", limits).unwrap();
        let scope = tenant.default_cache().unwrap().scope().clone().into_owned();
        scope.insert_with_ttl("k", 1, 5 * SECOND).unwrap();
        let too_long = TtlError::TooLong {
            ttl_max: 10 * SECOND,
        };
        let (answer, ttl) = match long_ttl {
            LongTtl::Reject => (Err(too_long), 5 * SECOND),
            LongTtl::Clamp => (Ok(TtlChange::Set), 10 * SECOND),
        };
        assert_eq!(scope.increase_ttl("k", 11 * SECOND), answer);
        assert_eq!(scope.ttl("k"), Some(Some(ttl)));
        let not_set = answer.map(|_| TtlChange::NotSet);
        assert_eq!(scope.decrease_ttl("k", 11 * SECOND), not_set);
        assert_eq!(scope.decrease_ttl("k", 2 * SECOND), Ok(TtlChange::Set));
        assert_eq!(scope.set_ttl("k", None), Ok(true), "as long as it may");
        assert_eq!(scope.ttl("k"), Some(Some(10 * SECOND)));
        assert!(cache.delete_tenant("acme"));
        assert_eq!(scope.increase_ttl("k", SECOND), Ok(TtlChange::Absent));
    }
}

#[test]
fn m147_a_new_time_to_live_moves_the_end_and_not_the_fresh_time() {
    let ttl = Ttl::after(10 * SECOND).stale(20 * SECOND);
    let stored = |advance: u32| {
        let (cache, clock) = by_hand::<u64>();
        cache.insert_with("k", 1, ttl).unwrap();
        clock.advance(advance * SECOND);
        (cache, clock)
    };
    // Longer: it is stale for longer.
    let (cache, clock) = stored(5);
    assert_eq!(cache.increase_ttl("k", 100 * SECOND), Ok(TtlChange::Set));
    clock.advance(5 * SECOND);
    assert!(matches!(cache.lookup("k"), Lookup::Stale(_)));
    clock.advance(95 * SECOND - NANOSECOND);
    assert!(matches!(cache.lookup("k"), Lookup::Stale(_)));
    clock.advance(NANOSECOND);
    assert!(matches!(cache.lookup("k"), Lookup::Miss(_)));
    // Shorter than its fresh time: it is never stale.
    let (cache, clock) = stored(5);
    assert_eq!(cache.decrease_ttl("k", 2 * SECOND), Ok(TtlChange::Set));
    clock.advance(2 * SECOND - NANOSECOND);
    assert!(matches!(cache.lookup("k"), Lookup::Hit(_)));
    clock.advance(NANOSECOND);
    assert!(matches!(cache.lookup("k"), Lookup::Miss(_)));
    // Of a stale one, which stays so until it is loaded anew.
    let (cache, clock) = stored(15);
    assert_eq!(cache.set_ttl("k", Some(2 * SECOND)), Ok(true));
    assert_eq!(cache.ttl("k"), Some(Some(2 * SECOND)));
    assert!(matches!(cache.lookup("k"), Lookup::Stale(_)));
    assert_eq!(*cache.get_or_insert_with("k", ttl, || 2).unwrap(), 2);
    assert_eq!(cache.ttl("k"), Some(Some(30 * SECOND)));
    clock.advance(2 * SECOND);
    assert!(matches!(cache.lookup("k"), Lookup::Hit(_)));
}

#[test]
fn e20_no_more_time_is_told_than_was_given() {
    // By the system's clocks, of which one is behind the other by up to a tick.
    let cache = Cache::<u64>::builder().max_entries(100).build().unwrap();
    for value in 0..2_000 {
        cache.insert_with_ttl("k", value, SECOND).unwrap();
        let left = cache.ttl("k").unwrap().unwrap();
        assert!(left <= SECOND, "{left:?}");
    }
}
