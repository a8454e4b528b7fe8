//! Maxima and guarantees, by example.

use std::time::Duration;

use larder::{BuildError, Cache, Capacity, Limits, Refusal, ShareError, TenantError};

use super::{by_hand, bytes, guaranteed};
use crate::tools::maintain_fully;

/// What an entry is charged for whose key is a small number.
fn charge(length: usize) -> u64 {
    let (cache, _clock) = by_hand(1 << 20, 1);
    let tenant = cache.create_tenant("t", Limits::default()).unwrap();
    let default = tenant.default_cache().unwrap();
    default.insert(1u64, vec![0; length]).unwrap();
    assert_eq!(tenant.usage().bytes, cache.stats().live_bytes);
    assert_eq!(tenant.usage().entries, 1);
    tenant.usage().bytes
}

#[test]
fn e72_at_its_maximum_a_tenant_of_ten_entries_among_many_evicts_one_of_its_own() {
    let (cache, _clock) = by_hand(64 << 20, 16);
    let others = cache.create_tenant("others", Limits::default()).unwrap();
    let crowd = others.default_cache().unwrap();
    for key in 0..100_000u64 {
        crowd.insert(key, [1; 20]).unwrap();
    }
    let of_crowd = others.usage();
    assert_eq!(of_crowd.entries, 100_000);
    let max = 10 * charge(100);
    let small = cache.create_tenant("small", bytes(0, max)).unwrap();
    let own = small.default_cache().unwrap();
    for key in 0..10u64 {
        own.insert(key, [2; 100]).unwrap();
    }
    assert_eq!((small.usage().entries, small.usage().bytes), (10, max));
    assert_eq!(cache.stats().evicted, 0);
    for key in 10..200u64 {
        let before = cache.stats();
        assert!(own.insert(key, [3; 100]).unwrap().is_none());
        let after = cache.stats();
        assert_eq!(
            after.evicted,
            before.evicted + 1,
            "one entry makes room for one"
        );
        assert_eq!((small.usage().entries, small.usage().bytes), (10, max));
        assert_eq!(others.usage(), of_crowd);
        assert!(own.contains_key(key));
    }
    assert!((0..100_000u64).all(|key| crowd.contains_key(key)));
}

#[test]
fn e72_what_is_larger_than_the_maximum_is_refused_and_evicts_nothing() {
    for stripes in [1, 4] {
        let (cache, _clock) = by_hand(1 << 20, stripes);
        let max = 2 * charge(1000);
        let tenant = cache.create_tenant("t", bytes(0, max)).unwrap();
        let named = tenant.create_cache("c", bytes(0, 1 << 19)).unwrap();
        let default = tenant.default_cache().unwrap();
        default.insert(1u64, [1; 1000]).unwrap();
        named.insert(1u64, [1; 1000]).unwrap();
        for length in [2200, 10_000, 300_000] {
            // New, and as a growth by update.
            for key in [1u64, 2] {
                for view in [&default, &named] {
                    let refused = view.insert(key, vec![2; length]).unwrap_err();
                    assert_eq!(refused.value.len(), length);
                    let expected = Refusal::TooLarge {
                        bytes: charge(length),
                        bytes_max: max,
                    };
                    assert_eq!(refused.refusal, expected);
                }
            }
            assert_eq!(default.get(1u64).as_deref(), Some(&[1; 1000][..]));
            assert_eq!(named.get(1u64).as_deref(), Some(&[1; 1000][..]));
            assert_eq!(cache.stats().evicted, 0);
        }
        // What fits alone is taken, and everything else of the tenant's goes.
        named.insert(2u64, [3; 2000]).unwrap();
        assert!(tenant.usage().bytes <= max);
        assert!(named.contains_key(2u64));
    }
}

#[test]
fn e72_a_growth_by_update_evicts_others_of_its_own_and_gives_back_what_it_replaces() {
    for stripes in [1, 4, 16] {
        let (cache, _clock) = by_hand(1 << 20, stripes);
        let max = 10 * charge(1000);
        let tenant = cache.create_tenant("t", bytes(0, max)).unwrap();
        let default = tenant.default_cache().unwrap();
        cache.insert("nobody's", [0; 1000]).unwrap();
        for key in 0..10u64 {
            default.insert(key, [1; 1000]).unwrap();
        }
        for key in 0..10u64 {
            default.insert(key, [1; 1000]).unwrap();
            let before = cache.stats().evicted;
            let old = default.insert(key, [2; 3000]).unwrap();
            assert_eq!(old.as_deref(), Some(&[1; 1000][..]), "{key} in {stripes}");
            assert!(cache.stats().evicted - before <= 3);
            assert!(tenant.usage().bytes <= max);
            // And shrinks again.
            let old = default.insert(key, [3; 100]).unwrap();
            assert_eq!(old.as_deref(), Some(&[2; 3000][..]));
            default.insert(key, [4; 1000]).unwrap();
        }
        assert!(cache.contains_key("nobody's"));
        default.clear();
        maintain_fully(&cache);
        assert_eq!(tenant.usage(), Default::default());
    }
}

#[test]
fn e72_a_lowered_maximum_is_kept_from_the_next_insert_on() {
    for stripes in [1, 8] {
        let (cache, _clock) = by_hand(4 << 20, stripes);
        let tenant = cache.create_tenant("t", Limits::default()).unwrap();
        let named = tenant.create_cache("c", Limits::default()).unwrap();
        let other = cache.create_tenant("other", Limits::default()).unwrap();
        other.default_cache().unwrap().insert("k", [1]).unwrap();
        for key in 0..5000u64 {
            named.insert(key, [1; 100]).unwrap();
        }
        let before = tenant.usage();
        assert_eq!(before.entries, 5000);
        tenant.set_limits(bytes(0, 100_000)).unwrap();
        assert_eq!(tenant.usage(), before, "nothing goes by itself");
        named.insert("k", [1]).unwrap();
        assert!(named.usage().bytes <= 100_000);
        assert!(named.usage().entries > 500, "nor more than must");
        assert_eq!(other.usage().entries, 1);
        tenant.set_limits(bytes(0, 0)).unwrap();
        let refused = named.insert("l", [1]).unwrap_err();
        assert!(matches!(
            refused.refusal,
            Refusal::TooLarge { bytes_max: 0, .. }
        ));
        tenant.set_limits(Limits::default()).unwrap();
        named.insert("l", [1]).unwrap();
    }
}

#[test]
fn e75_guarantees_beyond_what_there_is_are_errors_that_change_nothing() {
    let (cache, _clock) = by_hand(1 << 20, 2);
    let a = cache.create_tenant("a", guaranteed(600 << 10)).unwrap();
    let above = |guaranteed| ShareError::AboveCapacity {
        guaranteed,
        capacity: 1 << 20,
    };
    let refused = cache.create_tenant("b", guaranteed((424 << 10) + 1));
    assert_eq!(
        refused.err(),
        Some(TenantError::Share(above((1 << 20) + 1)))
    );
    let refused = cache.create_tenant("b", guaranteed(u64::MAX));
    assert_eq!(refused.err(), Some(TenantError::Share(above(u64::MAX))));
    assert!(cache.tenant("b").is_err());
    let b = cache.create_tenant("b", guaranteed(424 << 10)).unwrap();
    assert_eq!(
        b.set_limits(guaranteed((424 << 10) + 1)),
        Err(TenantError::Share(above((1 << 20) + 1)))
    );
    let refused = b.create_cache("c", bytes(2000, 1999)).err();
    let above_max = ShareError::AboveMax {
        guaranteed: 2000,
        max: 1999,
    };
    assert_eq!(refused, Some(TenantError::Share(above_max)));
    let refused = b.create_cache("c", guaranteed((424 << 10) + 1)).err();
    let above_parent = ShareError::AboveParent {
        guaranteed: (424 << 10) + 1,
        parent: 424 << 10,
    };
    assert_eq!(refused, Some(TenantError::Share(above_parent)));
    assert!(b.caches().is_empty());
    let below = Capacity::bytes((1 << 20) - 1);
    let refused = cache.set_capacity(below);
    let expected = BuildError::BelowGuarantees {
        guaranteed: 1 << 20,
    };
    assert_eq!(refused, Err(expected));
    assert!(expected.to_string().contains("1048576"));
    assert_eq!(cache.capacity(), Capacity::bytes(1 << 20));
    b.set_limits(guaranteed((424 << 10) - 1)).unwrap();
    cache.set_capacity(below).unwrap();
    assert!(cache.delete_tenant("a"));
    drop(a);
    cache.set_capacity(Capacity::bytes(424 << 10)).unwrap();
}

#[test]
fn e71_what_expired_or_ended_goes_before_what_lives() {
    let (cache, clock) = by_hand(1 << 20, 1);
    let a = cache.create_tenant("a", guaranteed(100_000)).unwrap();
    let b = cache.create_tenant("b", Limits::default()).unwrap();
    let (of_a, of_b) = (a.default_cache().unwrap(), b.default_cache().unwrap());
    let timed = Duration::from_secs(1);
    let ended = of_b.scope().scope("ended").unwrap().into_owned();
    let fill = |n: u64| {
        for key in 0..n {
            of_a.insert_with_ttl(key, [1; 500], timed).unwrap();
            ended.insert(key, [1; 500]).unwrap();
        }
    };
    fill(400);
    for key in 0..500u64 {
        of_b.insert(key, [2; 500]).unwrap();
    }
    assert_eq!(cache.stats().evicted, 0);
    clock.advance(2 * timed);
    ended.invalidate();
    for key in 500..1000u64 {
        of_b.insert(key, [2; 500]).unwrap();
    }
    assert_eq!(cache.stats().evicted, 0, "there was enough that is over");
    assert!((0..1000u64).all(|key| of_b.contains_key(key)));
}

#[test]
fn e75_what_is_lent_comes_back_to_who_it_is_guaranteed_to() {
    for stripes in [1, 4, 16] {
        let (cache, _clock) = by_hand(1 << 20, stripes);
        let a = cache.create_tenant("a", guaranteed(256 << 10)).unwrap();
        let b = cache.create_tenant("b", guaranteed(512 << 10)).unwrap();
        let (of_a, of_b) = (a.default_cache().unwrap(), b.default_cache().unwrap());
        let mut key = 0;
        while cache.stats().evicted < 100 {
            of_a.insert(key, [1; 500]).unwrap();
            cache.insert(key, [0; 100]).unwrap();
            key += 1;
        }
        assert!(a.usage().bytes > 600 << 10, "idle capacity is lent");
        let n = (512 << 10) / charge(500);
        for key in 0..n {
            of_b.insert(key, [2; 500]).unwrap();
        }
        assert!((0..n).all(|key| of_b.contains_key(key)), "{stripes}");
        assert_eq!(b.usage().entries, n);
        assert!(a.usage().bytes >= 256 << 10, "{:?}", a.usage());
        // A takes in what it likes, at its own cost.
        for key in 0..5000u64 {
            of_a.insert(key, [1; 500]).unwrap();
        }
        assert_eq!(b.usage().entries, n);
        assert!((0..n).all(|key| of_b.contains_key(key)));
    }
}

/// Hits of one who fetches what is missing, in per mille; `between` runs before each look.
fn hit_ratio(cache: &Cache<[u8]>, limits: Limits, mut between: impl FnMut(u64)) -> f64 {
    let tenant = cache.create_tenant("b", limits).unwrap();
    let view = tenant.default_cache().unwrap();
    let (mut state, mut n_hits) = (1u64, 0u64);
    let n_looks = 40_000;
    for n in 0..n_looks {
        between(n);
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        // Skewed: the product of two draws favours small numbers.
        let (a, b) = (state >> 40 & 0xfff, state >> 52);
        let key = (a * b) >> 13;
        if view.get(key).is_some() {
            n_hits += 1;
        } else {
            view.insert(key, [2; 200]).unwrap();
        }
    }
    1000. * n_hits as f64 / n_looks as f64
}

#[test]
fn e75_a_flood_costs_who_is_guaranteed_half_a_point_of_hits_at_most() {
    let capacity = 1 << 20;
    // Its set of 2,000 keys fits; and a third of it does.
    for share in [capacity * 3 / 4, capacity / 5] {
        for stripes in [1, 4] {
            let limits = bytes(share, share);
            let (cache, _clock) = by_hand(capacity, stripes);
            let alone = hit_ratio(&cache, limits, |_| ());
            let (cache, _clock) = by_hand(capacity, stripes);
            let a = cache.create_tenant("a", Limits::default()).unwrap();
            let of_a = a.default_cache().unwrap();
            let each = capacity * 10 / charge(500) / 40_000 + 1;
            let flooded = hit_ratio(&cache, limits, |n| {
                for key in 0..each {
                    of_a.insert(n * each + key, [1; 500]).unwrap();
                }
            });
            assert!(a.usage().bytes < capacity);
            assert!(
                alone - flooded <= 5.,
                "{alone} alone, {flooded} in the flood, per mille"
            );
        }
    }
}

#[test]
fn e75_ten_thousand_tenants_of_ten_entries_all_work() {
    let (cache, _clock) = by_hand(64 << 20, 4);
    let n = 10_000u64;
    let name = |number: u64| format!("tenant {number}");
    for number in 0..n {
        let limits = bytes(1000, 20 * charge(20));
        let tenant = cache.create_tenant(&name(number), limits).unwrap();
        let view = tenant.default_cache().unwrap();
        for key in 0..10u64 {
            view.insert(key, number.to_le_bytes()).unwrap();
        }
    }
    assert_eq!(cache.tenants().len() as u64, n);
    let each = cache.tenant(&name(0)).unwrap().usage();
    assert_eq!((each.entries, each.bytes), (10, 10 * charge(8)));
    for number in 0..n {
        let tenant = cache.tenant(&name(number)).unwrap();
        let view = tenant.admit(1).unwrap();
        for key in 0..10u64 {
            assert_eq!(view.get(key).as_deref(), Some(&number.to_le_bytes()[..]));
        }
        assert_eq!(tenant.usage(), each);
    }
    assert_eq!(cache.stats().live_bytes, n * each.bytes);
    for number in 0..n {
        assert!(cache.delete_tenant(&name(number)));
    }
    maintain_fully(&cache);
    assert_eq!(cache.stats().live_entries, 0);
    // The guarantees are free again.
    cache.create_tenant("all", guaranteed(64 << 20)).unwrap();
}

#[test]
fn e70_e75_a_lowered_bound_is_reached_at_the_cost_of_who_is_above_its_share() {
    let (cache, _clock) = by_hand(1 << 20, 1);
    let tenant = cache.create_tenant("t", guaranteed(500_000)).unwrap();
    let view = tenant.default_cache().unwrap();
    while tenant.usage().bytes + charge(400) <= 500_000 {
        view.insert(tenant.usage().entries, [1; 400]).unwrap();
    }
    for key in 0..500u64 {
        cache.insert(key, [0; 400]).unwrap();
    }
    let before = tenant.usage();
    cache.set_capacity(Capacity::bytes(600_000)).unwrap();
    maintain_fully(&cache);
    assert!(cache.weight() <= 600_000);
    assert_eq!(tenant.usage(), before);
}

#[test]
fn maintenance_ends_at_what_is_guaranteed_however_low_the_bound() {
    for stripes in [1, 4] {
        let (cache, _clock) = by_hand(8 << 20, stripes);
        let tenant = cache.create_tenant("t", bytes(4 << 20, 8 << 20)).unwrap();
        let own = tenant.default_cache().unwrap();
        for key in 0..12_000u64 {
            own.insert(key, vec![1; 500]).unwrap();
        }
        cache.set_capacity(Capacity::bytes(4 << 20)).unwrap();
        let mut n_calls = 0;
        while cache.maintain(100).more {
            n_calls += 1;
            assert!(n_calls < 1000, "{:?}, {:?}", cache.stats(), tenant.usage());
        }
        assert!(tenant.usage().bytes <= 4 << 20);
        assert!(tenant.usage().bytes > 3 << 20, "nor more than must");
    }
}
