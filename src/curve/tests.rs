//! Properties: slots are a map (S1); small caches keep their bounds (M1, M2), deadlines and policy; the rate falls as they fill (C1 to
//! C3); estimates are those of full size; references are never waited for (T1).

mod sims;
mod tracker;

use std::collections::HashMap;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::mini::{Mini, Size};
use super::slots::{Resident, Slots};
use super::*;
use crate::policy::Meta;

/// Keys as the tracker makes them: 64 random bits.
fn key(n: u64) -> u64 {
    let mut word = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

const fn entries(max: u64) -> Size {
    Size {
        bytes: u64::MAX,
        entries: max,
    }
}

const fn bytes(max: u64) -> Size {
    Size {
        bytes: max,
        entries: u64::MAX,
    }
}

#[test]
fn slots_are_a_map() {
    let mut random = SmallRng::seed_from_u64(5);
    let (mut slots, mut model) = (Slots::new(), HashMap::new());
    for step in 0..60_000_u32 {
        // Keys that lie close together share their homes.
        let low = random.random_range(0..600_u64) * if step % 2 == 0 { 1 } else { 7_000_000 };
        let key = 1 << 40 | low;
        match slots.find(key) {
            Some(at) if random.random_bool(0.5) => {
                assert_eq!(Some(slots.remove(at).stamp), model.remove(&key));
            }
            Some(at) => assert_eq!(
                slots.get(at).map(|slot| slot.stamp),
                model.get(&key).copied()
            ),
            None => {
                assert!(!model.contains_key(&key));
                slots.insert(Resident::new(key, 1, NEVER, step, Meta::from_bits(0)));
                model.insert(key, step);
            }
        }
        if step % 20_000 == 19_999 {
            slots.retain(|slot| slot.key % 3 != 0);
            model.retain(|key, _| key % 3 != 0);
        }
        assert_eq!(slots.len(), model.len());
    }
    for (key, stamp) in &model {
        let at = slots.find(*key).expect("S1: nothing hides a resident");
        assert_eq!(slots.get(at).map(|slot| slot.stamp), Some(*stamp));
    }
    assert_eq!(slots.iter().count(), model.len());
    assert!(slots.n_slots() * 3 >= slots.len() * 4, "a quarter is free");
}

/// Looks a key up and stores it where it missed.
fn refer(mini: &mut Mini, n: u64, size: u32) -> bool {
    let is_hit = mini.look(key(n), None, 0);
    if !is_hit {
        mini.store(key(n), size, NEVER, 0);
    }
    is_hit
}

#[test]
fn bounds_hold_after_every_store() {
    let mut random = SmallRng::seed_from_u64(6);
    let mut by_entries = Mini::new(1, entries(100));
    let mut by_bytes = Mini::new(1, bytes(100_000));
    for _ in 0..20_000 {
        let n = random.random_range(0..1_000);
        // At most 64 of the smallest make room for the largest.
        let size = random.random_range(500..5_000);
        refer(&mut by_entries, n, size);
        refer(&mut by_bytes, n, size);
        // An entry may change its size while it is resident.
        by_bytes.store(key(n), random.random_range(500..5_000), NEVER, 0);
        by_entries.validate();
        by_bytes.validate();
        assert!(by_entries.len() <= 100 && by_bytes.bytes() <= 100_000, "M2");
    }
    assert_eq!(by_entries.len(), 100);
    assert!(by_bytes.bytes() > 90_000);
}

#[test]
fn what_is_larger_than_all_is_not_stored_and_takes_nothing_out() {
    let mut mini = Mini::new(1, bytes(1_000));
    refer(&mut mini, 1, 900);
    refer(&mut mini, 2, 1_001);
    assert!(!mini.look(key(2), None, 0));
    assert!(mini.look(key(1), None, 0));
    let mut none = Mini::new(1, entries(0));
    refer(&mut none, 1, 1);
    assert_eq!(none.len(), 0);
}

#[test]
fn a_large_newcomer_gets_its_room_bit_by_bit() {
    let mut mini = Mini::new(1, bytes(1_000));
    (0..1_000).for_each(|n| mini.store(key(n), 1, NEVER, 0));
    mini.store(key(5_000), 500, NEVER, 0);
    (0..20).for_each(|n| mini.store(key(n), 1, NEVER, 0));
    mini.validate();
    assert!(mini.bytes() <= 1_000, "M2, once there was time for it");
    assert!(mini.look(key(5_000), None, 0));
}

#[test]
fn deadlines_end_residents() {
    let mut mini = Mini::new(1, entries(10));
    mini.store(key(1), 1, 100, 0);
    assert!(mini.look(key(1), None, 99));
    assert!(!mini.look(key(1), None, 100));
    assert_eq!(mini.len(), 0);
    // A hit of the tracked cache tells a later one.
    mini.store(key(1), 1, 100, 0);
    assert!(mini.look(key(1), Some((1, 200)), 50));
    assert!(mini.look(key(1), None, 150));
    // Who is due leaves before who isn't.
    (0..10).for_each(|n| mini.store(key(n), 1, if n < 5 { 10 } else { NEVER }, 0));
    (10..15).for_each(|n| mini.store(key(n), 1, NEVER, 20));
    let alive = (0..15).filter(|n| mini.look(key(*n), None, 20)).count();
    assert_eq!(alive, 10);
}

#[test]
fn the_policy_is_the_engines_and_holds_on_in_loops() {
    // Of a loop that is twice its size LRU would hit nothing.
    let mut mini = Mini::new(1, entries(500));
    let n_hits = (0..40_000_u64)
        .filter(|n| refer(&mut mini, n % 1_000, 1) && *n >= 20_000)
        .count();
    assert!(n_hits > 8_000, "{n_hits} hits of 20,000");
    // What fits misses once.
    let mut mini = Mini::new(1, entries(1_000));
    let n_hits = (0..10_000_u64)
        .filter(|n| refer(&mut mini, n % 1_000, 1))
        .count();
    assert_eq!(n_hits, 9_000);
}
