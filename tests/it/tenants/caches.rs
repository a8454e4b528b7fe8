//! Names, listings, settings.

use std::time::Duration;

use larder::{
    Cache, Limits, ManualClock, Rate, Rates, ScopeError, ShareError, TenantError, TtlError, Usage,
};

use super::{bytes, guaranteed};
use crate::tools::maintain_fully;

fn cache() -> Cache<str> {
    let builder = Cache::builder().max_bytes(4 << 20);
    builder.stripes(2).build().unwrap()
}

const BLANK: [&str; 5] = ["", " ", "\t\r\n", "\u{3000}", "\u{a0} \u{2003}"];

fn error_of<T>(answer: Result<T, TenantError>) -> Option<TenantError> {
    answer.err()
}

#[test]
fn e1_a_name_is_taken_blank_too_long_or_beyond_the_count() {
    let cache = cache();
    let limits = Limits {
        caches_max: Some(2),
        ..guaranteed(1 << 20)
    };
    let tenant = cache.create_tenant("acme", limits).unwrap();
    tenant.create_cache("one", guaranteed(1000)).unwrap();
    let long = "x".repeat(larder::MAX_KEY_BYTES + 1);
    for guaranteed_bytes in [0, 1000] {
        let limits = guaranteed(guaranteed_bytes);
        for blank in BLANK {
            let expected = Some(TenantError::Name(ScopeError::Empty));
            assert_eq!(error_of(cache.create_tenant(blank, limits)), expected);
            assert_eq!(error_of(tenant.create_cache(blank, limits)), expected);
        }
        let expected = Some(TenantError::Name(ScopeError::TooLong {
            len_bytes: long.len(),
            max_bytes: larder::MAX_KEY_BYTES,
        }));
        assert_eq!(error_of(cache.create_tenant(&long, limits)), expected);
        assert_eq!(error_of(tenant.create_cache(&long, limits)), expected);
        let expected = Some(TenantError::AlreadyExists);
        assert_eq!(error_of(cache.create_tenant("acme", limits)), expected);
        assert_eq!(error_of(tenant.create_cache("one", limits)), expected);
    }
    tenant.create_cache("two", Limits::default()).unwrap();
    let expected = TenantError::TooManyCaches { n_max: 2 };
    assert_eq!(
        error_of(tenant.create_cache("three", limits)),
        Some(expected)
    );
    assert_eq!(
        expected.to_string(),
        "the tenant has 2 named caches, which is what it may have; delete one first"
    );
    assert!(tenant.delete_cache("one"));
    // Whatever was refused has left no guarantee behind: all of the tenant's own fits once more.
    tenant.create_cache("three", guaranteed(1 << 20)).unwrap();
    let names = |list: Vec<(String, Limits)>| list.into_iter().map(|(name, _)| name);
    assert!(names(tenant.caches()).eq(["three", "two"]));
    assert!(names(cache.tenants()).eq(["acme"]));
    cache.create_tenant("rest", guaranteed(3 << 20)).unwrap();
}

#[test]
fn e1_the_longest_name_is_taken_and_names_are_not_trimmed() {
    let cache = cache();
    let longest = "x".repeat(larder::MAX_KEY_BYTES);
    for name in [&longest, " a", "a", "a ", "A"] {
        let tenant = cache.create_tenant(name, Limits::default()).unwrap();
        tenant.create_cache(name, Limits::default()).unwrap();
        let caches = tenant.caches();
        assert_eq!(caches.len(), 1);
        assert_eq!(caches[0].0, name);
    }
    assert_eq!(cache.tenants().len(), 5);
}

#[test]
fn e2_what_does_not_exist_is_not_found_and_nothing_is_made() {
    let cache = cache();
    let expected = Some(TenantError::NoSuchTenant);
    for name in ["acme", "", "x/y"] {
        assert_eq!(error_of(cache.tenant(name)), expected);
        assert!(!cache.delete_tenant(name));
    }
    assert!(cache.tenants().is_empty());
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    let expected = TenantError::NoSuchCache;
    for name in ["sessions", "", "acme"] {
        assert_eq!(error_of(tenant.cache(name)), Some(expected));
        assert!(!tenant.delete_cache(name));
    }
    assert!(tenant.caches().is_empty());
    assert_eq!(tenant.usage(), Usage::default());
    assert_eq!(
        expected.to_string(),
        "the tenant has no such cache; create it first"
    );
}

#[test]
fn e3_the_default_cache_is_neither_listed_nor_deletable() {
    let cache = cache();
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    let default = tenant.default_cache().unwrap();
    default.insert("k", "v").unwrap();
    tenant.admit(1).unwrap().insert("admitted", "v").unwrap();
    assert_eq!(default.len(), 2, "what is admitted acts on it");
    assert!(tenant.caches().is_empty());
    // No name that a user can give is its name: not its number either, nor none.
    for name in ["", "\0", "\0\0\0\0\0\0\0\0", "default", "acme", "0"] {
        assert!(!tenant.delete_cache(name));
        let made = tenant.create_cache(name, Limits::default());
        assert!(made.is_ok_and(|made| made.get("k").is_none()) || name.is_empty());
        tenant.delete_cache(name);
    }
    assert_eq!(default.get("k").as_deref(), Some("v"));
    let limits = bytes(0, 1 << 20);
    default.set_limits(limits).unwrap();
    assert_eq!(tenant.limits(), Ok(limits), "its limits are the tenant's");
    assert_eq!(default.usage(), tenant.usage());
}

#[test]
fn e4_e92_deleted_and_created_anew_a_cache_is_empty_and_counts_from_zero() {
    let cache = cache();
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    for round in 0..20 {
        let named = tenant.create_cache("c", Limits::default()).unwrap();
        assert_eq!(named.usage(), Usage::default(), "round {round}");
        assert_eq!((named.len(), named.iter().count()), (0, 0));
        let nested = named.scope().scope("deep").unwrap().into_owned();
        for key in 0..100u64 {
            assert!(named.get(key).is_none() && nested.get(key).is_none());
            named.insert(key, "value").unwrap();
            nested.insert(key, "value").unwrap();
        }
        assert_eq!(named.usage().entries, 200);
        assert!(tenant.delete_cache("c"));
        assert!(!tenant.delete_cache("c"));
        assert!(nested.is_empty() && nested.get(1u64).is_none());
    }
    maintain_fully(&cache);
    assert_eq!(tenant.usage(), Usage::default());
    assert_eq!(cache.stats().live_entries, 0);
}

#[test]
fn e4_a_tenant_goes_with_its_caches_and_comes_back_empty() {
    let cache = cache();
    for _ in 0..20 {
        let tenant = cache.create_tenant("acme", guaranteed(4 << 20)).unwrap();
        assert_eq!(tenant.usage(), Usage::default());
        assert!(tenant.caches().is_empty());
        for name in ["a", "b", "c"] {
            let named = tenant.create_cache(name, guaranteed(1 << 20)).unwrap();
            assert!(named.insert(name, "value").unwrap().is_none());
        }
        let default = tenant.default_cache().unwrap();
        assert!(default.insert("k", "value").unwrap().is_none());
        // The whole of the guarantee is free for the next of the name.
        assert!(cache.delete_tenant("acme"));
        assert!(!cache.delete_tenant("acme"));
        assert!(cache.tenants().is_empty());
    }
    maintain_fully(&cache);
    assert_eq!(cache.stats().live_entries, 0);
}

#[test]
fn e4_flush_empties_and_keeps_settings() {
    let cache = cache();
    let limits = bytes(1000, 1 << 20);
    let tenant = cache.create_tenant("acme", limits).unwrap();
    let named = tenant.create_cache("c", limits).unwrap();
    let fill = || {
        tenant.default_cache().unwrap().insert("k", "v").unwrap();
        named.insert("k", "v").unwrap();
        let nested = named.scope().scope("s").unwrap().into_owned();
        nested.insert("k", "v").unwrap();
        nested
    };
    let default = tenant.default_cache().unwrap();
    let nested = fill();
    named.flush();
    assert!(named.get("k").is_none() && nested.get("k").is_none());
    assert!(default.get("k").is_some(), "another cache of the tenant's");
    let nested = fill();
    default.flush();
    assert!(default.get("k").is_none() && named.get("k").is_some());
    tenant.flush();
    assert!(named.get("k").is_none() && nested.get("k").is_none());
    assert_eq!(named.limits(), Ok(limits));
    assert_eq!(tenant.limits(), Ok(limits));
    maintain_fully(&cache);
    assert_eq!((tenant.usage(), named.usage()), Default::default());
    fill();
    assert_eq!((tenant.usage().entries, named.usage().entries), (3, 2));
}

#[test]
fn e5_the_same_names_in_two_tenants_are_unrelated() {
    let cache = cache();
    let names = ["a", "b"];
    let tenants = names.map(|name| cache.create_tenant(name, Limits::default()).unwrap());
    for (tenant, value) in tenants.iter().zip(names) {
        // A cache may bear its tenant's name, and the other tenant's.
        for name in names {
            let named = tenant.create_cache(name, Limits::default()).unwrap();
            named.insert("k", value).unwrap();
        }
        tenant.default_cache().unwrap().insert("k", value).unwrap();
    }
    cache.insert("k", "nobody's").unwrap();
    for (tenant, value) in tenants.iter().zip(names) {
        for name in names {
            let named = tenant.cache(name).unwrap();
            assert_eq!(named.get("k").as_deref(), Some(value));
        }
        assert_eq!(tenant.default_cache().unwrap().len(), 1);
        assert_eq!(tenant.usage().entries, 3);
    }
    assert!(tenants[0].delete_cache("b"));
    assert!(cache.delete_tenant("a"));
    assert_eq!(tenants[1].cache("a").unwrap().len(), 1);
    assert_eq!(tenants[1].cache("b").unwrap().len(), 1);
    assert_eq!(cache.get("k").as_deref(), Some("nobody's"));
}

#[test]
fn e6_settings_change_for_calls_that_begin_afterwards() {
    let builder = Cache::<str>::builder().max_bytes(4 << 20);
    let cache = builder.clock(ManualClock::new()).build().unwrap();
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    let named = tenant.create_cache("c", Limits::default()).unwrap();
    // Held before the change, as a frontend holds them.
    let (held, scope) = (tenant.cache("c").unwrap(), named.scope());
    let second = Duration::from_secs(1);
    let tight = Limits {
        guaranteed_bytes: 0,
        max_bytes: Some(5000),
        rates: Rates {
            operations: Some(Rate::per_hour(2)),
            ..Rates::UNLIMITED
        },
        item_bytes_max: Some(20),
        key_bytes_max: Some(10),
        default_ttl: Some(second),
        ttl_max: Some(2 * second),
        caches_max: Some(1),
        ..Limits::default()
    };
    for set_both in [false, true] {
        tenant.set_limits(tight).unwrap();
        if set_both {
            named.set_limits(tight).unwrap();
        }
        assert!(scope.insert("k", "x".repeat(20)).is_err(), "item");
        assert!(scope.insert("k".repeat(11).as_str(), "x").is_err(), "key");
        assert!(scope.insert_with_ttl("k", "x", 3 * second).is_err(), "ttl");
        scope.insert("k", "x").unwrap();
        assert_eq!(held.ttl("k"), Some(Some(second)), "default ttl");
        assert!(tenant.create_cache("d", Limits::default()).is_err());
        held.admit(2).unwrap();
        assert!(held.admit(1).is_err(), "rate");
        for i in 0..1000u64 {
            held.insert(i, "x").unwrap();
        }
        assert!(tenant.usage().bytes <= 5000);
        tenant.set_limits(Limits::default()).unwrap();
        named.set_limits(Limits::default()).unwrap();
        held.admit(u64::MAX).unwrap();
        scope
            .insert("k".repeat(11).as_str(), "x".repeat(20))
            .unwrap();
        scope.insert_with_ttl("k", "x", 3 * second).unwrap();
        scope.insert("k", "x").unwrap();
        assert_eq!(scope.ttl("k"), Some(None));
        named.flush();
    }
    tenant.create_cache("d", Limits::default()).unwrap();
}

#[test]
fn e6_limits_that_contradict_themselves_or_others_change_nothing() {
    let cache = cache();
    let before = bytes(1 << 20, 2 << 20);
    let tenant = cache.create_tenant("acme", before).unwrap();
    let named = tenant.create_cache("c", guaranteed(1 << 19)).unwrap();
    let second = Duration::from_secs(1);
    let contradictions = [
        (
            Limits {
                default_ttl: Some(Duration::ZERO),
                ..before
            },
            TenantError::Ttl(TtlError::Zero),
        ),
        (
            Limits {
                ttl_max: Some(Duration::ZERO),
                ..before
            },
            TenantError::Ttl(TtlError::Zero),
        ),
        (
            Limits {
                default_ttl: Some(2 * second),
                ttl_max: Some(second),
                ..before
            },
            TenantError::Ttl(TtlError::TooLong { ttl_max: second }),
        ),
        (
            bytes(1 << 20, (1 << 20) - 1),
            TenantError::Share(ShareError::AboveMax {
                guaranteed: 1 << 20,
                max: (1 << 20) - 1,
            }),
        ),
        (
            bytes((1 << 19) - 1, 2 << 20),
            TenantError::Share(ShareError::AboveParent {
                guaranteed: 1 << 19,
                parent: (1 << 19) - 1,
            }),
        ),
        (
            guaranteed((4 << 20) + 1),
            TenantError::Share(ShareError::AboveCapacity {
                guaranteed: (4 << 20) + 1,
                capacity: 4 << 20,
            }),
        ),
    ];
    for (limits, expected) in contradictions {
        // Rates and times come with it, and don't change either.
        let limits = Limits {
            rates: Rates {
                operations: Some(Rate::per_day(0)),
                ..Rates::UNLIMITED
            },
            key_bytes_max: Some(0),
            ..limits
        };
        assert_eq!(tenant.set_limits(limits), Err(expected));
        assert_eq!(tenant.limits(), Ok(before));
        tenant.admit(1).unwrap().insert("k", "v").unwrap();
        if !matches!(expected, TenantError::Share(ShareError::AboveParent { .. })) {
            assert!(cache.create_tenant("other", limits).is_err());
        }
    }
    let expected = Err(TenantError::Share(ShareError::AboveParent {
        guaranteed: (1 << 20) + 1,
        parent: 1 << 20,
    }));
    assert_eq!(named.set_limits(guaranteed((1 << 20) + 1)), expected);
    assert_eq!(named.limits(), Ok(guaranteed(1 << 19)));
    assert_eq!(cache.tenants().len(), 1);
}

#[test]
fn e7_listings_are_sorted_with_settings() {
    let cache = cache();
    let tenant = cache.create_tenant("acme", Limits::default()).unwrap();
    let names = ["b", "B", "a", "\u{e9}", "a b", "_", "10", "9", "ab"];
    for (n, name) in names.into_iter().enumerate() {
        let limits = bytes(0, 1000 + n as u64);
        tenant.create_cache(name, limits).unwrap();
        cache.create_tenant(name, limits).unwrap();
    }
    tenant.cache("a").unwrap().set_limits(bytes(0, 7)).unwrap();
    let mut expected: Vec<_> = names
        .into_iter()
        .enumerate()
        .map(|(n, name)| (name.to_string(), bytes(0, 1000 + n as u64)))
        .collect();
    expected.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
    let tenants = cache.tenants();
    assert!(
        tenants
            .iter()
            .filter(|(name, _)| name != "acme")
            .eq(&expected)
    );
    let a = expected.iter_mut().find(|(name, _)| name == "a").unwrap();
    a.1 = bytes(0, 7);
    assert_eq!(tenant.caches(), expected);
}
