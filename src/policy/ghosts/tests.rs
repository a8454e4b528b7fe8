//! # Properties
//! - GP1 a table is what plain lists of its sets say: newest first, taken once, the oldest falling out, the too old purged (G1, G2)
//! - GP2 keys are spread evenly over sets and prints, and so are those that are sampled for the long memory

use std::collections::{HashMap, HashSet, VecDeque};

use proptest::prelude::*;

use super::super::tests::hash_of;
use super::*;
use crate::sync::counted::asked_by;

impl Ghosts {
    /// The same, to be looked at in passing.
    pub(in crate::policy) fn copy(&self) -> Ghosts {
        let (sets, cursor) = (self.sets.clone(), self.cursor);
        Ghosts { sets, cursor }
    }
}

fn key(n: u64) -> Key {
    Key::of_hash(hash_of(n))
}

/// For each set, what it should hold, the newest first: print, tick of the last use, class.
#[derive(Default)]
struct Model {
    sets: Vec<VecDeque<(u32, u64, Class)>>,
    cursor: usize,
}

/// Pushes twice as often as others, so that sets become full.
fn any_what() -> impl Strategy<Value = u8> {
    prop_oneof![2 => Just(0_u8), 1 => Just(1), 1 => Just(2)]
}

/// Ticks between two steps: fewer than lie between the age at which the model gives up and that at which the count repeats.
fn any_pause() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 0..6_u64, 1 => 0..140_u64]
}

proptest! {
    /// GP1.
    #[test]
    fn sets_are_lists_with_the_newest_first(
        steps in prop::collection::vec((any_what(), 0..80_u64, 0..128_u32, 0..128_u64, any_pause()), 1..400),
        n_records in 1..90_usize,
    ) {
        let mut ghosts = Ghosts::with_records(n_records);
        let n_sets = n_records.div_ceil(WAYS);
        prop_assert_eq!(ghosts.slots(), n_sets * WAYS);
        let mut model = Model { sets: vec![VecDeque::new(); n_sets], cursor: 0 };
        let mut ticks = 1000;
        for (what, n, bits, age, pause) in steps {
            ticks += pause;
            let place = ghosts.place(key(n));
            let set = &mut model.sets[place.set as usize];
            let class = Class::from_bits(bits);
            match what {
                0 => {
                    let ghost = Ghost { class, age: age as u32 };
                    let fallen = ghosts.push(place, ghost, ticks);
                    set.push_front((place.print, ticks - age, class));
                    let expected = (set.len() > WAYS).then(|| set.pop_back()).flatten();
                    let fallen = fallen.map(|(at, ghost)| (at.set, at.print, ghost));
                    prop_assert_eq!(fallen, expected.map(|(print, last, class)| {
                        (place.set, print, Ghost { class, age: (ticks - last) as u32 })
                    }));
                }
                1 => {
                    let at = set.iter().position(|&(print, ..)| print == place.print);
                    let expected = at.and_then(|at| set.remove(at));
                    let expected = expected.map(|(_, last, class)| Ghost { class, age: (ticks - last) as u32 });
                    prop_assert_eq!(ghosts.take(place, ticks), expected);
                }
                _ => {
                    let mut shown = Vec::new();
                    ghosts.scan(ticks, |ghost| shown.push((ghost.class, ghost.age)));
                    let set = &mut model.sets[model.cursor];
                    model.cursor = (model.cursor + 1) % n_sets;
                    set.retain(|&(_, last, _)| ticks - last < u64::from(AGE_MAX));
                    let expected = set.iter().rev();
                    let expected: Vec<_> = expected.map(|&(_, last, class)| (class, (ticks - last) as u32)).collect();
                    prop_assert_eq!(shown, expected);
                }
            }
            // What isn't looked at for longer would look young: there the owner's visits are what keeps it from it (G2).
            for set in 0..n_sets {
                model.sets[set].retain(|&(_, last, _)| ticks - last < 1900);
                if model.sets[set].len() < ghosts.sets[set].iter().filter(|&&word| word != 0).count() {
                    return Ok(());
                }
            }
        }
    }
}

/// Whether each of so many things came about as often as the others, by chance.
fn are_even(counts: impl Iterator<Item = u32>, expected: f64) -> bool {
    let far = |n: u32| (f64::from(n) - expected).abs();
    counts.into_iter().all(|n| far(n) < 6.0 * expected.sqrt())
}

#[test]
fn keys_are_spread_over_sets_and_prints() {
    let ghosts = Ghosts::with_records(1000 * WAYS);
    let (mut sets, mut prints) = (vec![0; 1000], vec![0; 256]);
    let mut places = HashSet::new();
    for n in 0..100_000 {
        let place = ghosts.place(key(n));
        assert!(place.print > 0 && place.print < 1 << PRINT_BITS);
        sets[place.set as usize] += 1;
        prints[place.print as usize % 256] += 1;
        places.insert((place.set, place.print));
    }
    assert!(are_even(sets.into_iter(), 100.0));
    assert!(are_even(prints.into_iter(), 100_000.0 / 256.0));
    assert!(places.len() > 99_500, "{} of 2^24 places", places.len());
}

#[test]
fn of_the_keys_one_in_so_many_is_sampled_whatever_its_set_and_print() {
    let (ghosts, long) = (
        Ghosts::with_records(5000 * WAYS),
        Ghosts::with_records(100 * WAYS),
    );
    for rate_bits in [0, 1, 3, 6] {
        let mut sets = vec![0; 100];
        let mut n_sampled = 0;
        for n in 0..64_000 {
            let place = ghosts.place(key(n));
            if let Some(there) = long.long_place(place, rate_bits) {
                assert_eq!(there.print, place.print);
                sets[there.set as usize] += 1;
                n_sampled += 1;
            }
        }
        let expected = 64_000 >> rate_bits;
        assert!(
            are_even([n_sampled].into_iter(), f64::from(expected)),
            "{n_sampled} of {expected}"
        );
        assert!(rate_bits > 0 || n_sampled == 64_000);
        assert!(are_even(sets.into_iter(), f64::from(expected) / 100.0));
    }
    // By set and by print alone.
    for print in [1, 7, 1000] {
        let sampled = (0..8000).filter(|&set| long.long_place(Place { set, print }, 3).is_some());
        assert!(are_even([sampled.count() as u32].into_iter(), 1000.0));
        let set = print;
        let sampled = (1..8001).filter(|&print| long.long_place(Place { set, print }, 3).is_some());
        assert!(are_even([sampled.count() as u32].into_iter(), 1000.0));
    }
}

#[test]
fn in_a_table_without_records_nothing_has_a_place() {
    let mut none = Ghosts::default();
    assert_eq!(
        (none.is_empty(), none.slots(), none.memory_bytes()),
        (true, 0, 0)
    );
    let place = none.place(key(1));
    assert!((0..100).all(|n| none.long_place(Place { set: n, print: 1 }, 0).is_none()));
    let ghost = Ghost {
        class: Class::default(),
        age: 3,
    };
    assert_eq!(none.push(place, ghost, 9).map(|(_, ghost)| ghost), None);
    assert_eq!(none.take(place, 9), None);
    none.scan(9, |_| panic!("nothing is there"));
    let some = Ghosts::with_records(17);
    assert!(!some.is_empty());
    assert_eq!(some.memory_bytes(), 2 * WAYS * 4);
}

#[test]
fn the_line_that_is_asked_for_is_that_of_the_set() {
    let ghosts = Ghosts::with_records(50 * WAYS);
    let mut asked_for = HashMap::new();
    for n in 0..500 {
        let place = ghosts.place(key(n));
        let asked = asked_by(|| ghosts.prefetch(place));
        let set = &ghosts.sets[place.set as usize];
        assert_eq!(asked, [std::ptr::from_ref(set).addr()]);
        asked_for.insert(asked[0], place.set);
    }
    assert_eq!(asked_for.len(), 50);
}

#[test]
fn a_scan_asks_for_the_set_of_the_next_one() {
    let mut ghosts = Ghosts::with_records(3 * WAYS);
    for set in [1, 2] {
        let asked = asked_by(|| ghosts.scan(0, |_| ()));
        assert_eq!(asked, [std::ptr::from_ref(&ghosts.sets[set]).addr()]);
    }
}
