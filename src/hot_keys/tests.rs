//! Properties: A1 and A2 of the sketch against exact counts, faded alike; the heaviest of a zipf stream are found; loops that keep
//! step with the sampling aren't seen wrongly.

use std::collections::HashMap;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};

use super::sketch::{FADE, Sketch};
use super::*;
use crate::hash::Hasher64;
use crate::key::with_key;

fn see(sketch: &mut Sketch, key: u64) {
    with_key(&key, |key_ref| sketch.see(hash(key), key_ref)).unwrap();
}

/// Different for different keys.
fn hash(key: u64) -> u64 {
    key.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 << 63
}

fn number(key: KeyRef<'_>) -> u64 {
    u64::from_le_bytes(key.bytes().try_into().unwrap())
}

/// Runs a stream through a sketch of `m` counters and through exact counts, and compares them.
fn check(m: usize, keys: impl Iterator<Item = u64>) {
    let mut sketch = Sketch::new(m);
    let mut exact: HashMap<u64, f64> = HashMap::new();
    let mut total = 0.0;
    let mut until_fade = FADE * m as u64;
    for key in keys {
        see(&mut sketch, key);
        *exact.entry(key).or_default() += 1.0;
        total += 1.0;
        until_fade -= 1;
        if until_fade == 0 {
            until_fade = FADE * m as u64;
            total /= 2.0;
            exact.values_mut().for_each(|count| *count /= 2.0);
        }
    }
    let heaviest = sketch.heaviest(usize::MAX);
    assert_eq!(heaviest.len(), m.min(exact.len()));
    assert!(heaviest.is_sorted_by(|a, b| a.share >= b.share));
    for heavy in &heaviest {
        let true_share = exact[&number(heavy.key)] / total;
        let (most, least) = (heavy.share, heavy.share - heavy.share_error);
        assert!(true_share <= most + 1e-9, "A1: {true_share} above {most}");
        assert!(true_share >= least - 1e-9, "A1: {true_share} below {least}");
    }
    for (key, count) in exact {
        let is_there = heaviest.iter().any(|heavy| number(heavy.key) == key);
        // Above by more than rounding can be wrong.
        let is_heavy = count / total > 1.0 / m as f64 + 1e-9;
        assert!(is_there || !is_heavy, "A2: {key} with {count} of {total}");
    }
}

#[test]
fn heavy_keys_have_counters_within_their_errors() {
    let mut random = SmallRng::seed_from_u64(3);
    for m in [16, 50, 128] {
        for exponent in [0.6, 0.99, 1.4] {
            let zipf = Zipf::new(5_000.0, exponent).unwrap();
            let n = random.random_range(1..60_000);
            check(m, (0..n).map(|_| zipf.sample(&mut random) as u64));
        }
    }
}

#[test]
fn a_key_just_above_its_share_survives_a_flood_of_others() {
    // One in fifteen is the key, the others come once each: of sixteen counters it must have one.
    check(16, (0..100_000).map(|n| if n % 15 == 0 { 0 } else { n }));
    // All at the start, then a flood of others that is just short of pushing it out.
    check(16, (0..3_000).map(|n| if n < 200 { 0 } else { n }));
}

#[test]
fn old_heaviness_fades() {
    let mut sketch = Sketch::new(16);
    let halvings = 6;
    (0..FADE * 16).for_each(|_| see(&mut sketch, 1));
    (0..FADE * 16 * halvings).for_each(|_| see(&mut sketch, 2));
    let shares: Vec<(u64, f64)> = sketch
        .heaviest(9)
        .iter()
        .map(|heavy| (number(heavy.key), heavy.share))
        .collect();
    assert_eq!(shares[0].0, 2);
    assert_eq!(shares[1].0, 1);
    assert!(shares[1].1 < 0.02, "{shares:?}");
}

fn noted(hot: &HotKeys, hasher: &Hasher64, key: u64) {
    with_key(&key, |key_ref| hot.note(key_ref.hash(hasher), key_ref)).unwrap();
}

#[test]
fn the_ten_heaviest_of_a_hundred_thousand_are_found() {
    let hot = HotKeys::new(256);
    let hasher = Hasher64::with_seeds(1, 2, 3, 4);
    let mut random = SmallRng::seed_from_u64(11);
    let zipf = Zipf::new(100_000.0, 0.99).unwrap();
    let mut counts = HashMap::new();
    let n = 1_000_000;
    for _ in 0..n {
        let key = zipf.sample(&mut random) as u64;
        *counts.entry(key).or_insert(0_u64) += 1;
        noted(&hot, &hasher, key);
    }
    let found = hot.heaviest(20);
    for key in 1..=10_u64 {
        let found = found.iter().find(|hot| number(hot.key_ref()) == key);
        let found = found.unwrap_or_else(|| panic!("{key} is not among the heaviest"));
        let share = counts[&key] as f64 / f64::from(n);
        let off = (found.share - share).abs();
        assert!(
            off < 0.1 * share + found.share_error,
            "{key}: {found:?}, {share}"
        );
    }
    assert_eq!(number(found[0].key_ref()), 1);
}

#[test]
fn loops_over_few_keys_are_seen_evenly() {
    let hasher = Hasher64::with_seeds(1, 2, 3, 4);
    for n_keys in [2, 3, 32, 64] {
        let hot = HotKeys::new(64);
        (0..200_000).for_each(|n| noted(&hot, &hasher, n % n_keys));
        let found = hot.heaviest(64);
        assert_eq!(found.len() as u64, n_keys);
        for hot in found {
            let even = 1.0 / n_keys as f64;
            assert!((hot.share - even).abs() < 0.15 * even, "{n_keys}: {hot:?}");
        }
    }
}

#[test]
fn who_holds_the_lock_stalls_nobody() {
    let hot = HotKeys::new(16);
    let hasher = Hasher64::with_seeds(1, 2, 3, 4);
    let held = hot.sketch.lock();
    (0..1_000).for_each(|key| noted(&hot, &hasher, key));
    drop(held);
    assert!(hot.heaviest(1).is_empty());
}
