//! What is watched on request, through the public API: curves and heavy keys of caches and tenants.

use std::time::Duration;

use larder::{Cache, Curve, Limits, ManualClock};

use crate::tools::SEEDS;

/// Asks for keys as a look-aside cache is asked, and gives the number of hits.
fn replay(cache: &Cache<u32>, keys: impl Iterator<Item = u32>) -> u32 {
    let mut n_hits = 0;
    for key in keys {
        if cache.get(key).is_some() {
            n_hits += 1;
        } else {
            cache.insert(key, key).unwrap();
        }
    }
    n_hits
}

/// Requests of which low numbers are far more likely.
fn skewed(n_requests: u32, n_keys: f64) -> impl Iterator<Item = u32> {
    (1..=n_requests).scan(9_u64, move |word, _| {
        *word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let chance = (*word >> 11) as f64 / (1_u64 << 53) as f64;
        Some((chance.powi(3) * n_keys) as u32)
    })
}

fn by_entries(max: u64) -> larder::Builder<u32> {
    Cache::builder()
        .max_entries(max)
        .stripes(1)
        .hash_seeds(SEEDS)
}

fn by_bytes(max: u64) -> larder::Builder<u32> {
    Cache::builder()
        .max_bytes(max)
        .stripes(1)
        .hash_seeds(SEEDS)
        .weigher(|_, value| u64::from(*value % 7) * 100)
}

/// Compares a curve with the hit ratios of caches that have these sizes.
fn check(
    curve: &Curve,
    capacity: u64,
    off_max: f64,
    keys: impl Fn() -> Box<dyn Iterator<Item = u32>>,
    builder: fn(u64) -> larder::Builder<u32>,
) {
    let factors: Vec<f64> = curve.points.iter().map(|point| point.factor).collect();
    assert_eq!(factors, [0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0]);
    assert_eq!(curve.n_references, keys().count() as u64);
    for point in &curve.points {
        let cache = builder((capacity as f64 * point.factor) as u64);
        let n_hits = replay(&cache.build().unwrap(), keys());
        let truth = f64::from(n_hits) / curve.n_references as f64;
        let off = (point.hit_ratio - truth).abs();
        assert!(off < off_max, "{point:?}, in truth {truth}");
    }
}

#[test]
fn nothing_is_watched_by_itself() {
    let cache = by_entries(100).build().unwrap();
    replay(&cache, skewed(1_000, 500.0));
    assert_eq!(cache.curve(), None);
    assert_eq!(cache.hot_keys(10), []);
    let tenant = cache.create_tenant("a", Limits::default()).unwrap();
    assert_eq!(tenant.curve(), None);
    assert_eq!(tenant.hot_keys(10), []);
}

#[test]
fn a_curve_says_what_other_sizes_would_hit() {
    let cache = by_entries(3_000).track_curve(1_000).build().unwrap();
    let keys = || -> Box<dyn Iterator<Item = u32>> { Box::new(skewed(120_000, 40_000.0)) };
    replay(&cache, keys());
    let curve = cache.curve().unwrap();
    assert!((curve.rate - 1.0 / 3.0).abs() < 1e-6);
    check(&curve, 3_000, 0.03, keys, by_entries);
}

#[test]
fn a_curve_by_bytes_follows_sizes() {
    let cache = by_bytes(1_000_000).track_curve(500).build().unwrap();
    let keys = || -> Box<dyn Iterator<Item = u32>> { Box::new(skewed(120_000, 40_000.0)) };
    replay(&cache, keys());
    let curve = cache.curve().unwrap();
    assert!(curve.rate < 0.6, "{}", curve.rate);
    check(&curve, 1_000_000, 0.04, keys, by_bytes);
}

#[test]
fn more_room_saves_nobody_from_deadlines() {
    let clock = ManualClock::new();
    let cache = by_entries(1_000)
        .clock(clock.clone())
        .default_ttl(Duration::from_secs(10))
        .track_curve(1_000)
        .build()
        .unwrap();
    for _ in 0..20 {
        replay(&cache, 0..500);
        clock.advance(Duration::from_secs(11));
    }
    let curve = cache.curve().unwrap();
    assert!(
        curve.points.iter().all(|point| point.hit_ratio == 0.0),
        "{curve:?}"
    );
    // With a deadline that is moved each time, everything but the first round hits.
    let before = curve;
    for _ in 0..10 {
        replay(&cache, 0..500);
        (0..500_u32).for_each(|key| {
            cache.set_ttl(key, Some(Duration::from_secs(60))).unwrap();
        });
        replay(&cache, 0..500);
        clock.advance(Duration::from_secs(11));
    }
    let curve = cache.curve().unwrap().since(&before);
    assert!(
        curve.points.iter().all(|point| point.hit_ratio > 0.94),
        "{curve:?}"
    );
}

#[test]
fn what_users_take_out_misses_at_every_size() {
    let cache = by_entries(1_000).track_curve(1_000).build().unwrap();
    let takers: [fn(&Cache<u32>); 5] = [
        |cache| (0..100_u32).for_each(|key| drop(cache.remove(key))),
        |cache| (0..100_u32).for_each(|key| drop(cache.remove_if(key, |_| true))),
        |cache| assert_eq!(cache.retain(|_| false), 100),
        |cache| cache.clear(),
        |cache| {
            (0..100_u32).for_each(|key| {
                // The look of `compute` is a reference as well, and hits.
                let removed = cache.compute(key, |_| larder::Change::<u32>::Remove);
                assert!(removed.unwrap().was.is_some());
            });
        },
    ];
    for take in takers {
        assert_eq!(replay(&cache, 0..100), 0);
        let before = cache.curve().unwrap();
        take(&cache);
        assert_eq!(replay(&cache, 0..100), 0);
        let curve = cache.curve().unwrap().since(&before);
        assert!(
            curve.points.iter().all(|point| point.misses == 100.0),
            "{curve:?}"
        );
        cache.clear();
    }
}

#[test]
fn uses_are_references_and_looks_are_not() {
    let cache = by_entries(100).track_curve(256).build().unwrap();
    let n_references = || cache.curve().unwrap().n_references;
    cache.insert(1_u32, 1).unwrap();
    cache.peek(1_u32);
    cache.ttl(1_u32);
    cache.contains_key(1_u32);
    assert_eq!(cache.iter().count(), 1);
    assert_eq!(n_references(), 0);
    cache.get(1_u32);
    cache.read(2_u32, |_| ());
    assert_eq!(n_references(), 2);
    cache.get_many(&[1_u32, 2, 3]);
    assert_eq!(n_references(), 5);
    cache.scope("a").unwrap().get(1_u32);
    assert_eq!(n_references(), 6);
}

#[test]
fn a_change_of_capacity_begins_anew() {
    let cache = by_entries(400).track_curve(400).build().unwrap();
    replay(&cache, (0..4_000).map(|n| n % 800));
    cache.set_capacity(larder::Capacity::entries(800)).unwrap();
    assert_eq!(cache.curve().unwrap().n_references, 0);
    replay(&cache, (0..4_000).map(|n| n % 800));
    let before = cache.curve().unwrap();
    replay(&cache, (0..4_000).map(|n| n % 800));
    let curve = cache.curve().unwrap().since(&before);
    // Of the present size on, all of it fits.
    assert!(
        curve.points[2..].iter().all(|point| point.hit_ratio == 1.0),
        "{curve:?}"
    );
    assert!(curve.points[0].hit_ratio < 0.7, "{curve:?}");
}

fn tenanted() -> Cache<u32> {
    let builder = Cache::<u32>::builder().max_bytes(8 << 20).stripes(1);
    builder.hash_seeds(SEEDS).weigher(|_, _| 0).build().unwrap()
}

#[test]
fn a_tenants_curve_is_of_its_own_references_and_maximum() {
    let cache = tenanted();
    let limits = |max_bytes| Limits {
        max_bytes: Some(max_bytes),
        ..Limits::default()
    };
    let (a, b) = (
        cache.create_tenant("a", limits(100_000)).unwrap(),
        cache.create_tenant("b", limits(100_000)).unwrap(),
    );
    a.track_curve(1_000).unwrap();
    let (home, named) = (
        a.default_cache().unwrap(),
        a.create_cache("named", Limits::default()).unwrap(),
    );
    let others = b.default_cache().unwrap();
    for round in 0..30_u32 {
        for key in 0..600_u32 {
            // Two of the tenant's caches, by turns, and another tenant that asks for the same keys.
            let own = if key % 2 == 0 { &home } else { &named };
            for view in [own, &others] {
                if view.get(key).is_none() {
                    view.insert(key, round).unwrap();
                }
            }
        }
    }
    assert_eq!(b.curve(), None);
    assert_eq!(cache.curve(), None);
    let curve = a.curve().unwrap();
    assert_eq!(curve.n_references, 30 * 600);
    // 600 entries of some 100 bytes are near the maximum: half of it isn't enough, twice is.
    assert!(curve.points[0].hit_ratio < 0.85, "{curve:?}");
    assert_eq!(curve.points[4].misses, 600.0);
    a.set_limits(limits(200_000)).unwrap();
    assert_eq!(a.curve().unwrap().n_references, 0);
    assert!(cache.delete_tenant("a"));
    assert_eq!(a.curve(), None);
    assert!(a.track_curve(1_000).is_err());
}

#[test]
fn heavy_keys_stay_with_their_tenant() {
    let cache = tenanted();
    let tenants = ["a", "b"].map(|name| {
        let tenant = cache.create_tenant(name, Limits::default()).unwrap();
        tenant.track_hot_keys(64).unwrap();
        tenant
    });
    for n in 0..40_000_u32 {
        for (tenant, name) in tenants.iter().zip(["of a", "of b"]) {
            let view = tenant.default_cache().unwrap();
            view.get((name, if n % 2 == 0 { 0 } else { n }));
        }
        cache.get("of nobody");
    }
    for (tenant, name) in tenants.iter().zip(["of a", "of b"]) {
        let hot = tenant.hot_keys(100);
        assert_eq!(hot.len(), 64);
        assert_eq!(hot[0].key().to_string(), format!("{name}__0"));
        assert!((0.45..0.55).contains(&hot[0].share), "{hot:?}");
        let is_own = |hot: &larder::HotKey| hot.key().to_string().starts_with(name);
        assert!(hot.iter().all(is_own), "{hot:?}");
    }
    // Who asks for the cache's own has to say so, too.
    assert_eq!(cache.hot_keys(100), []);
}

#[test]
fn heavy_keys_of_a_cache_are_those_of_all_its_parts() {
    let cache = by_entries(100).track_hot_keys(32).build().unwrap();
    let scope = cache.scope("part").unwrap();
    for n in 0..60_000_u32 {
        match n % 4 {
            0 => drop(cache.get("heavy")),
            1 => drop(scope.get("heavy")),
            2 => drop(cache.get_many(&[n])),
            _ => drop(cache.read(("p", n), |_| ())),
        }
    }
    let hot = cache.hot_keys(2);
    // The same key in two places is two keys.
    for hot in &hot {
        assert_eq!(hot.key().to_string(), "heavy");
        assert!(
            (0.2..0.32).contains(&hot.share) && hot.share_error < 0.05,
            "{hot:?}"
        );
    }
}
