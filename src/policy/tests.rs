mod memory;
mod words;

use super::ghosts::AGE_MAX;
use super::meta::{PIN_AGE, TICK_CYCLE};
use super::*;

pub(super) fn hash_of(n: u64) -> u64 {
    // The finisher of Steele, Lea and Flood's SplitMix (2014).
    let z = (n ^ n >> 30)
        .wrapping_add(0x9E37_79B9_7F4A_7C15)
        .wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB) ^ z >> 31
}

/// A cache of a few entries, evicted by the policy's choice among all of them.
struct Model {
    policy: Policy,
    slots: Vec<(u64, Meta)>,
    capacity: usize,
}

impl Model {
    fn new(capacity: usize) -> Model {
        Model {
            policy: Policy::new(11, false),
            slots: Vec::new(),
            capacity,
        }
    }
    fn access(&mut self, key: u64) -> bool {
        if let Some((_, meta)) = self.slots.iter_mut().find(|slot| slot.0 == key) {
            let now = self.policy.tick();
            if let Some(new) = touch(*meta, now, hash_of(key) as u32) {
                self.policy.note_hit(Note::pack(*meta, now, hash_of(key)));
                *meta = new;
            }
            return true;
        }
        if self.slots.len() == self.capacity {
            if self.policy.capacity() == 0 {
                self.policy.resize(self.capacity);
            }
            self.slots
                .iter()
                .for_each(|slot| self.policy.observe(slot.1));
            let victim = (0..self.slots.len())
                .min_by_key(|&at| {
                    self.policy
                        .ranker()
                        .rank(self.slots[at].1)
                        .unwrap_or(u32::MAX)
                })
                .unwrap();
            let (key, meta) = self.slots.swap_remove(victim);
            self.policy.evicted(self.policy.grave(hash_of(key)), meta);
        }
        let meta = self.policy.admit(self.policy.site(hash_of(key)), 0);
        self.slots.push((key, meta));
        self.policy.step();
        let now = self.policy.tick();
        self.slots
            .iter_mut()
            .for_each(|slot| slot.1 = restamp(slot.1, now));
        false
    }
}

/// Advances the clock of a policy by whole ticks with keys never seen again.
fn pass_ticks(policy: &mut Policy, n: u64, next_key: &mut u64) {
    for _ in 0..n * policy.period() {
        *next_key += 1;
        policy.admit(policy.site(hash_of(*next_key)), 0);
    }
}

#[test]
fn a_restamped_slot_never_looks_young_again() {
    for visit_every in [1, 7, 64, 127] {
        let mut old = Meta::new(Tick::of_count(0), Class::new(3, 2), 9);
        let mut last_age = 0;
        for count in 0..u64::from(TICK_CYCLE) * 3 + 50 {
            let now = Tick::of_count(count);
            let age = old.tick().age(now);
            assert!(
                age >= last_age,
                "age fell from {last_age} to {age} after {count} ticks"
            );
            last_age = age;
            if count % visit_every == 0 {
                old = restamp(old, now);
            }
        }
        assert_eq!(old.tick(), Tick::OLDEST);
        assert_eq!(last_age, PIN_AGE);
        assert_eq!((old.class(), old.size()), (Class::new(3, 2), 9));
    }
}

#[test]
fn without_restamping_a_tick_does_look_young_again() {
    let old = Tick::of_count(0);
    assert_eq!(old.age(Tick::of_count(u64::from(TICK_CYCLE))), 0);
}

#[test]
fn the_running_tick_is_never_oldest() {
    let mut policy = Policy::new(1, false);
    for key in 0..20_000 {
        policy.admit(policy.site(hash_of(key)), 0);
        if key == 100 {
            policy.resize(64);
        }
        assert_ne!(policy.tick(), Tick::OLDEST);
    }
}

#[test]
fn a_touch_is_silent_within_its_tick() {
    for bits in (0..1 << 20).step_by(37) {
        let meta = Meta::from_bits(bits);
        let now = Tick::of_count(u64::from(bits) / 3);
        if meta.tick() == now {
            assert_eq!(touch(meta, now, bits), None);
            continue;
        }
        let touched = touch(meta, now, 0).unwrap();
        assert_eq!(touched.tick(), now);
        assert_eq!(touched.size(), meta.size());
        assert!(touched.class().step() >= meta.class().step());
        assert_eq!(touch(touched, now, bits), None);
    }
}

#[test]
fn the_class_follows_use() {
    let first = Meta::new(Tick::of_count(10), Class::default(), 0);
    let second = touch(first, Tick::of_count(11), 0).unwrap();
    let third = touch(second, Tick::of_count(15), 0).unwrap();
    assert_eq!(second.class(), Class::new(1, 1));
    assert_eq!(third.class(), Class::new(2, 3));
    // The wide steps are taken by chance: on average after twice as many uses as the step before.
    let wide = Meta::new(Tick::of_count(10), Class::new(5, 1), 0);
    let taken = (0..1024)
        .filter(|&spice| {
            touch(wide, Tick::of_count(11), spice)
                .unwrap()
                .class()
                .step()
                == 6
        })
        .count();
    assert_eq!(taken, 128);
}

#[test]
fn notes_come_back_as_packed() {
    for n in 0..2000u64 {
        let hash = hash_of(n);
        let old = Meta::from_bits(hash as u32);
        let now = Tick::of_count(n);
        let note = Note::pack(old, now, hash);
        assert_ne!(note.bits(), 0);
        let back = Note::from_bits(note.bits()).unwrap();
        assert_eq!(
            (back.old(), back.now(), back.key()),
            (old, now, Key::of_hash(hash))
        );
    }
    assert_eq!(Note::from_bits(0), None);
}

#[test]
fn size_classes_grow_by_half_octaves() {
    assert_eq!(size_class(0), 0);
    assert_eq!(size_class(64), 2);
    assert_eq!(size_class(96), 3);
    assert_eq!(size_class(128), 4);
    assert_eq!(size_class(u64::MAX), 31);
    assert!(
        (1..4_000_000)
            .step_by(99)
            .all(|bytes| size_class(bytes) <= size_class(bytes + 99))
    );
}

#[test]
fn a_ghost_is_known_once_by_class_and_age() {
    let mut policy = Policy::new(5, false);
    policy.resize(1000);
    let mut next_key = 1 << 40;
    let meta = policy.admit(policy.site(hash_of(1)), 0);
    assert_eq!(meta.class(), Class::default());
    policy.evicted(policy.grave(hash_of(1)), meta);
    pass_ticks(&mut policy, 5, &mut next_key);
    let again = policy.admit(policy.site(hash_of(1)), 0);
    assert_eq!(
        again.class(),
        Class::new(1, 3),
        "one use more, after four to seven ticks"
    );
    // The ghost is taken: without another eviction only the sketch remembers.
    assert_eq!(policy.admit(policy.site(hash_of(1)), 0).class().octave(), 0);
}

#[test]
fn a_ghost_does_not_come_back_young() {
    let mut policy = Policy::new(5, false);
    policy.resize(256);
    let mut next_key = 1 << 40;
    let meta = policy.admit(policy.site(hash_of(1)), 0);
    policy.evicted(policy.grave(hash_of(1)), meta);
    // No other eviction pushes it out, so only the purge can keep its tick count from repeating.
    pass_ticks(&mut policy, 2046 + u64::from(PIN_AGE), &mut next_key);
    assert!(u64::from(AGE_MAX) < 2046);
    assert_eq!(policy.admit(policy.site(hash_of(1)), 0).class().octave(), 0);
}

#[test]
fn a_class_seen_reused_early_outranks_one_that_is_not() {
    let mut policy = Policy::new(3, false);
    policy.resize(64);
    let now = policy.tick();
    let (good, bad) = (Class::new(1, 2), Class::new(1, 4));
    let good_old = Meta::new(Tick::of_count(253), good, 0);
    let (good_new, bad_new) = (Meta::new(now, good, 0), Meta::new(now, bad, 0));
    assert!(
        policy.ranker().rank(good_new) == policy.ranker().rank(bad_new),
        "nothing is known yet"
    );
    for key in 0..2000 {
        policy.note_hit(Note::pack(good_old, now, hash_of(key)));
        policy.observe(good_new);
        policy.observe(bad_new);
        policy.admit(policy.site(hash_of(key + 10_000)), 0);
        policy.step();
    }
    let now = policy.tick();
    let (good_new, bad_new) = (Meta::new(now, good, 0), Meta::new(now, bad, 0));
    assert!(policy.ranker().rank(good_new) > policy.ranker().rank(bad_new));
}

#[test]
fn by_bytes_the_heavier_of_two_alike_leaves_first() {
    let mut policy = Policy::new(3, true);
    policy.resize(64);
    let light = policy.admit(policy.site(hash_of(1)), size_class(100));
    let heavy = policy.admit(policy.site(hash_of(2)), size_class(10_000));
    pass_ticks(&mut policy, 1, &mut 1000);
    assert!(policy.ranker().rank(heavy).is_some());
    assert!(policy.ranker().rank(heavy) < policy.ranker().rank(light));
}

#[test]
fn a_newcomer_is_not_to_be_taken_in_its_first_tick_unless_it_was_used() {
    let mut policy = Policy::new(3, false);
    policy.resize(1000);
    let meta = policy.admit(policy.site(hash_of(1)), 0);
    assert_eq!(meta.tick(), policy.tick());
    assert_eq!(policy.ranker().rank(meta), None);
    assert_eq!(policy.ranker().rank_by_count(meta), Ranker::NOT_YET);
    let used = Meta::new(policy.tick(), Class::new(1, 1), 0);
    assert!(policy.ranker().rank(used).is_some());
    pass_ticks(&mut policy, 1, &mut 1000);
    assert!(policy.ranker().rank(meta).is_some());
}

#[test]
fn a_hot_set_survives_a_scan() {
    let mut model = Model::new(100);
    let mut hits = 0;
    for round in 0..400u64 {
        for n in 0..50 {
            hits += u64::from(model.access(n) && round >= 100);
            // Twice as many keys as there is room for, none of them used again.
            model.access(1_000_000 + round * 200 + n * 4);
            model.access(1_000_000 + round * 200 + n * 4 + 1);
        }
    }
    assert!(hits > 300 * 50 * 9 / 10, "{hits} of {}", 300 * 50);
}

#[test]
fn a_loop_longer_than_the_cache_still_hits() {
    let mut model = Model::new(100);
    let hits = (0..60_000u64)
        .filter(|&n| model.access(n % 150) && n >= 30_000)
        .count();
    // Least recently used would have none; two thirds is the optimum.
    assert!(hits > 10_000, "{hits} of 30000");
}

#[test]
fn resizing_up_and_down_keeps_working_within_memory() {
    let mut policy = Policy::new(9, false);
    assert_eq!((policy.capacity(), policy.memory_bytes()), (0, 0));
    let mut key = 0;
    for entries in [1, 2, 15, 16, 17, 1000, 100_000, 300, 1] {
        policy.resize(entries);
        assert_eq!(policy.capacity(), entries);
        assert!(
            policy.memory_bytes() <= 14 * entries + (23 << 10),
            "{} bytes for {entries}",
            policy.memory_bytes()
        );
        for _ in 0..500 {
            key += 1;
            let meta = policy.admit(policy.site(hash_of(key)), 3);
            policy.observe(meta);
            policy.step();
            policy.evicted(policy.grave(hash_of(key)), meta);
        }
    }
}

#[test]
fn a_cache_of_one_entry_works() {
    let mut model = Model::new(1);
    let hits = (0..10_000u64).filter(|&n| model.access(n / 4)).count();
    assert_eq!(hits, 7_500);
}

#[test]
fn hostile_metadata_and_notes_do_no_harm() {
    let mut policy = Policy::new(0, true);
    policy.resize(8);
    for n in 0..100_000u64 {
        let word = hash_of(n);
        let meta = Meta::from_bits(word as u32);
        policy.observe(meta);
        if let Some(note) = Note::from_bits(word) {
            policy.note_hit(note);
        }
        policy.evicted(policy.grave(word & 63), meta);
        policy.admit(policy.site(word >> 32 & 63), (word >> 8) as u8);
        policy.step();
        let (now, touched) = (policy.tick(), touch(meta, policy.tick(), word as u32));
        assert!(touched.is_none_or(|touched| touched.tick() == now));
        assert!(policy.ranker().rank(meta).is_none_or(|rank| rank < 1 << 20));
    }
}
