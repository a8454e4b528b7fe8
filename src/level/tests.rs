//! NK1 and NK2: keys that leave the process.

use std::collections::HashMap;

use proptest::prelude::*;

use super::key::{Path, Told, told};
use crate::key::Key;
use crate::key::{KeyWriter, Part, with_key};
use crate::lineage::{Generation, Kind, Name, Registry};
use crate::sync::Arc;

/// Parts of a name or key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Parts(Vec<Vec<u8>>);

impl Key for Parts {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        for part in &self.0 {
            out.bytes(part);
        }
    }
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    // What could be mistaken for lengths, kinds, ends and separators.
    let byte = prop_oneof![
        Just(0_u8),
        Just(1),
        Just(2),
        Just(0xFF),
        Just(b'_'),
        Just(b'k')
    ];
    prop::collection::vec(byte, 0..4)
}

fn parts() -> impl Strategy<Value = Parts> {
    prop::collection::vec(part(), 2..4).prop_map(Parts)
}

fn step() -> impl Strategy<Value = (Kind, Parts)> {
    let kind = prop_oneof![
        Just(Kind::Scope),
        Just(Kind::Prefix),
        Just(Kind::Tenant),
        Just(Kind::Cache)
    ];
    (kind, parts())
}

type Full = (Vec<u8>, Vec<(Kind, Parts)>, Parts);

fn life(registry: &Registry, steps: &[(Kind, Parts)]) -> Option<Arc<Generation>> {
    let mut life = None;
    for (kind, parts) in steps {
        let made = with_key(parts, |key| {
            let name = Name {
                kind: *kind,
                shape: key.shape().bits(),
                bytes: key.bytes(),
            };
            registry.resolve(life.as_ref(), name, None)
        });
        life = Some(made.unwrap().unwrap());
    }
    life
}

fn encode(registry: &Registry, (name_space, steps, parts): &Full) -> (Vec<u8>, Vec<Vec<u8>>) {
    let life = life(registry, steps);
    let path = Path::new(name_space, life.as_deref());
    with_key(parts, |key| {
        let key = path.key(key);
        let scopes = key.scopes().map(|scope| scope.to_bytes()).collect();
        (key.as_bytes().to_vec(), scopes)
    })
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e58_nk1_two_keys_never_have_the_same_bytes(
        all in prop::collection::vec(
            (part(), prop::collection::vec(step(), 0..3), parts()), 2..16)
    ) {
        let registry = Registry::new();
        let mut keys = HashMap::new();
        let mut scopes = HashMap::new();
        for full in &all {
            let (key, of_path) = encode(&registry, full);
            let other = keys.insert(key, full);
            prop_assert!(other.is_none_or(|other| other == full));
            prop_assert_eq!(of_path.len(), full.1.len() + 1);
            for (depth, scope) in of_path.into_iter().enumerate() {
                let path = (&full.0, &full.1[..depth]);
                let other = scopes.insert(scope, path);
                prop_assert!(other.is_none_or(|other| other == path));
            }
        }
        prop_assert!(scopes.keys().all(|scope| !keys.contains_key(scope)));
    }
}

#[test]
fn e58_nk2_every_process_and_every_life_gives_the_same_bytes() {
    let steps = [
        (Kind::Tenant, Parts(vec![b"acme".to_vec(), vec![]])),
        (Kind::Scope, Parts(vec![vec![0xFF, 0], b"a__b".to_vec()])),
    ];
    let full = (
        b"shop".to_vec(),
        steps.to_vec(),
        Parts(vec![b"k".to_vec(), vec![0]]),
    );
    let (one, other) = (Registry::new(), Registry::new());
    // The other one has given ids before, and ends a life in between.
    for number in 0..100_u64 {
        let bytes = &number.to_le_bytes()[..];
        let (kind, shape) = (Kind::Scope, 1);
        other
            .resolve(None, Name { kind, shape, bytes }, None)
            .unwrap();
    }
    let before = encode(&other, &full);
    other.invalidate(&life(&other, &steps).unwrap());
    assert_eq!(encode(&one, &full), before);
    assert_eq!(encode(&other, &full), before);
}

#[test]
fn parts_that_are_no_strings_are_told_apart() {
    let path = Path::new(b"n", None);
    let bytes = |part: Part<'_>| with_key(&part, |key| path.key(key).as_bytes().to_vec()).unwrap();
    let number = 0x6162_6364_6566_6768_u64;
    let text = number.to_le_bytes();
    assert_ne!(bytes(Part::Uint(number.into())), bytes(Part::Bytes(&text)));
    assert_ne!(bytes(Part::Int(-1)), bytes(Part::Uint(u64::MAX.into())));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e58_what_is_told_is_read_back_and_any_bytes_are_read_without_a_panic(
        full in (part(), prop::collection::vec(step(), 0..3), parts()),
        junk in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let (key, scopes) = encode(&Registry::new(), &full);
        let path = &scopes.last().unwrap()[2..];
        let path = &path[..path.len() - 1];
        let told_of_key = told(&key);
        let is_of_path =
            matches!(told_of_key, Some(Told::Record { path: found, .. }) if found == path);
        prop_assert!(is_of_path);
        for scope in &scopes {
            let told_of_scope = told(scope);
            let is_above =
                matches!(told_of_scope, Some(Told::Scope { path: found }) if path.starts_with(found));
            prop_assert!(is_above);
        }
        let _ = told(&junk);
        let _ = told(&[&key[..2], &junk].concat());
        prop_assert_eq!(told(&key[..key.len().min(6)]), None);
    }
}
