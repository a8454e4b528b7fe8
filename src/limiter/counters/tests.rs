//! Properties of the table, against a map:
//! - what was inserted is found, by key, life and token, until it is removed, and nothing else is;
//! - `validate` holds after every operation (LC1 to LC3), also where all hashes agree;
//! - memory follows the number of keys, down to nothing.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::hash::Hasher64;
use crate::key::with_key;

fn find(counters: &Counters<u64>, hash: KeyHash, key: u64) -> Option<u64> {
    with_key(&key, |key| counters.find(hash, key))
        .unwrap()
        .map(|pos| counters.get(pos).state)
}

fn insert(counters: &mut Counters<u64>, hash: KeyHash, key: u64, state: u64) {
    with_key(&key, |key| counters.insert(hash, key, state, state)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_agrees_with_a_map(
        hash_mask in prop_oneof![Just(u64::MAX), Just(0b111), Just(0), Just(!0b1111)],
        steps in vec((0u64..200, any::<bool>()), 1..600),
    ) {
        let hasher = Hasher64::with_seeds(1, 2, 3, 4);
        let hash_of = |key: u64| {
            let bits = with_key(&key, |key| key.hash(&hasher)).unwrap().bits();
            KeyHash::from_bits(bits & hash_mask)
        };
        let mut counters = Counters::new();
        let mut model = BTreeMap::new();
        for (life, (key, adds)) in (0u64..).zip(steps) {
            let hash = hash_of(key);
            prop_assert_eq!(find(&counters, hash, key), model.get(&key).copied());
            match model.get(&key).copied() {
                None if adds => {
                    insert(&mut counters, hash, key, life);
                    model.insert(key, life);
                }
                Some(life) if !adds => {
                    let pos = counters.find_life(hash, life).unwrap();
                    prop_assert_eq!(counters.remove(pos).state, life);
                    model.remove(&key);
                    prop_assert!(counters.find_life(hash, life).is_none());
                }
                _ => {}
            }
            counters.validate();
            prop_assert_eq!(counters.len(), model.len());
        }
        for (key, life) in &model {
            prop_assert_eq!(find(&counters, hash_of(*key), *key), Some(*life));
        }
        for (key, life) in model {
            let pos = counters.find_life(hash_of(key), life).unwrap();
            counters.remove(pos);
        }
        counters.validate();
        prop_assert!(counters.chunks.len() <= 1);
        counters.release();
        prop_assert_eq!(counters.memory_bytes(), 0);
    }
}

#[test]
fn keys_of_equal_hash_are_told_apart_by_bytes_and_shape() {
    let hash = KeyHash::from_bits(7);
    let mut counters = Counters::new();
    let long = [b'x'; 300];
    let names: [&[u8]; 5] = [
        b"a",
        b"ab",
        b"abcdefghijklmnopqrstu",
        b"abcdefghijklmnopqrstuv",
        &long,
    ];
    for (idx, name) in names.iter().enumerate() {
        with_key(name, |key| {
            assert!(counters.find(hash, key).is_none());
            counters.insert(hash, key, idx as u64, idx);
        })
        .unwrap();
    }
    let number = u64::from_le_bytes(*b"abcdefgh");
    with_key(&number, |key| assert!(counters.find(hash, key).is_none())).unwrap();
    with_key(b"abcdefgh", |key| {
        counters.insert(hash, key, 9, 9).name_bytes()
    })
    .unwrap();
    with_key(&number, |key| {
        assert!(counters.find(hash, key).is_none(), "a number is no string")
    })
    .unwrap();
    for (idx, name) in names.iter().enumerate() {
        let pos = with_key(name, |key| counters.find(hash, key))
            .unwrap()
            .unwrap();
        assert_eq!(counters.get(pos).state, idx);
        let heap_bytes = if name.len() > SHORT_BYTES {
            name.len()
        } else {
            0
        };
        assert_eq!(counters.get(pos).name_bytes(), heap_bytes);
    }
    counters.validate();
}
