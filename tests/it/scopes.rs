//! Scopes: what is told apart, and what ends with what. Below: random operations against a model (`machine`), ends that
//! race writes (`threads`), what is left of what has ended (`sweeps`), walks, user code (`callbacks`), and the memory that
//! is used again (`husks`).

mod callbacks;
mod husks;
mod machine;
mod sweeps;
mod threads;
mod tree;
mod walks;

use larder::{Cache, OwnedScope, Scope, ScopeError};
use proptest::prelude::*;

use self::machine::{Config, Machine, steps};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn e10_e43_e44_any_operations_on_scopes_follow_the_model(
        stripes in prop_oneof![Just(1_usize), Just(4)],
        max_entries in prop_oneof![Just(10_000_u64), Just(10_000), Just(20)],
        has_listener in any::<bool>(),
        steps in steps(),
    ) {
        let config = Config { stripes, max_entries, has_listener };
        Machine::run(config, steps);
    }
}

fn cache() -> Cache<u64> {
    Cache::builder().max_entries(1000).build().unwrap()
}

/// Stores the number of each scope in it under one key, and checks that each keeps its own, in itself and asked for anew.
fn hold_apart(scopes: &[Scope<'_, u64>]) {
    for (number, scope) in (0..).zip(scopes) {
        scope.insert("x", number).unwrap();
    }
    for (number, scope) in (0..).zip(scopes) {
        assert_eq!(scope.get("x").as_deref(), Some(&number));
        assert_eq!(scope.len(), 1);
    }
}

#[test]
fn e9_a_list_is_a_sibling_of_its_beginning_and_only_what_is_nested_is_a_child() {
    let cache = cache();
    let short = cache.scope(("apifactory", "test")).unwrap();
    let long = cache.scope(("apifactory", "test", "weatherapi")).unwrap();
    let nested = short.scope("weatherapi").unwrap();
    hold_apart(&[short.clone(), long.clone(), nested.clone()]);
    short.invalidate();
    assert!(short.get("x").is_none() && nested.get("x").is_none());
    assert_eq!(long.get("x").as_deref(), Some(&1));
}

#[test]
fn e11_a_prefix_takes_what_equals_it_and_not_what_begins_with_it() {
    let cache = cache();
    let user = cache.prefix("User").unwrap();
    let token = cache.prefix("UserToken").unwrap();
    hold_apart(&[user.clone(), token.clone()]);
    user.invalidate();
    assert!(user.get("x").is_none() && cache.prefix("User").unwrap().is_empty());
    assert_eq!(token.get("x").as_deref(), Some(&1));
}

#[test]
fn e12_three_splits_of_one_rendering_are_three_keys() {
    let cache = cache();
    let scopes = ["a__b", "a", "a"].map(|name| cache.scope(name).unwrap());
    scopes[0].insert("c", 1).unwrap();
    scopes[1].insert(("b", "c"), 2).unwrap();
    scopes[2].insert("b__c", 3).unwrap();
    cache.insert(("a", "b", "c"), 4).unwrap();
    assert_eq!(scopes[0].get("c").as_deref(), Some(&1));
    assert_eq!(scopes[1].get(("b", "c")).as_deref(), Some(&2));
    assert_eq!(scopes[1].get("b__c").as_deref(), Some(&3));
    assert_eq!(cache.get(("a", "b", "c")).as_deref(), Some(&4));
    assert_eq!((scopes[0].len(), scopes[1].len(), cache.len()), (1, 2, 4));
    // The scope's names are no part of the key.
    assert_eq!(scopes[1].get(("b", "c")).unwrap().key().to_string(), "b__c");
}

#[test]
fn e13_a_prefix_is_no_scope_of_the_same_name_nor_of_the_same_rendering() {
    let cache = cache();
    hold_apart(&[
        cache.scope(("apifactory", "test")).unwrap(),
        cache.prefix("apifactory__test").unwrap(),
        cache.scope("apifactory__test").unwrap(),
        cache.prefix(("apifactory", "test")).unwrap(),
    ]);
    cache.prefix("apifactory__test").unwrap().invalidate();
    assert_eq!(
        cache
            .scope(("apifactory", "test"))
            .unwrap()
            .get("x")
            .as_deref(),
        Some(&0)
    );
    assert_eq!(
        cache.scope("apifactory__test").unwrap().get("x").as_deref(),
        Some(&2)
    );
}

#[test]
fn e14_e15_empty_parts_and_underscores_tell_scopes_apart() {
    let cache = cache();
    let names: [&[&str]; 8] = [
        &["p", "", "x"],
        &["p", "x"],
        &["a_", "b"],
        &["a", "_b"],
        &["a___b"],
        &["", "p"],
        &["p", ""],
        &["p", "", ""],
    ];
    let scopes = names.map(|name| match *name {
        [a] => cache.scope(a).unwrap(),
        [a, b] => cache.scope((a, b)).unwrap(),
        [a, b, c] => cache.scope((a, b, c)).unwrap(),
        _ => unreachable!("one to three parts"),
    });
    hold_apart(&scopes);
    for (scope, other) in scopes.iter().zip(scopes.iter().skip(1)) {
        scope.invalidate();
        assert!(scope.is_empty() && other.len() == 1);
    }
}

#[test]
fn f7_f38_keys_of_one_scope_name_nothing_in_another_whatever_they_contain() {
    let cache = cache();
    let [a, b] = ["a", "b"].map(|name| cache.scope(name).unwrap());
    let keys: [&[u8]; 9] = [
        b"a",
        b"\0",
        b"\xFF\xFE",
        b"\r\n",
        b"/",
        b"%2F",
        b":",
        b"a\0b",
        b"__",
    ];
    for key in keys {
        a.insert(key, 1).unwrap();
        assert!(b.get(key).is_none() && cache.get(key).is_none());
        assert!(a.scope(key).unwrap().is_empty());
        b.insert(key, 2).unwrap();
        cache.insert(key, 3).unwrap();
        let numbers = [a.get(key), b.get(key), cache.get(key)].map(|entry| *entry.unwrap());
        assert_eq!(numbers, [1, 2, 3]);
    }
    assert_eq!(cache.scope("").unwrap_err(), ScopeError::Empty);
    let long = vec![b'x'; larder::MAX_KEY_BYTES + 1];
    assert!(matches!(
        cache.scope(&long[..]),
        Err(ScopeError::TooLong { .. })
    ));
    a.insert(&long[1..], 1).unwrap();
    assert!(b.get(&long[1..]).is_none() && a.get(&long[1..]).is_some());
}

#[test]
fn scopes_nest_as_deep_as_is_said() {
    let cache = cache();
    let mut deepest = cache.scope(0_u64).unwrap();
    for level in 1..16_u64 {
        deepest.insert("k", level).unwrap();
        deepest = deepest.scope(level).unwrap();
    }
    assert_eq!(
        deepest.scope("x").unwrap_err(),
        ScopeError::TooDeep { depth_max: 16 }
    );
    deepest.insert("k", 16).unwrap();
    assert_eq!(cache.len(), 16);
    cache.scope(0_u64).unwrap().invalidate();
    assert!(deepest.get("k").is_none());
}

#[test]
fn a_nested_scope_borrows_the_cache_alone() {
    let cache = cache();
    let nested = cache
        .scope("a")
        .unwrap()
        .scope("b")
        .unwrap()
        .prefix("c")
        .unwrap();
    nested.insert("k", 1).unwrap();
    cache.scope("a").unwrap().scope("b").unwrap().invalidate();
    assert!(nested.is_empty());
}

fn is_sent_and_kept<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}

#[test]
fn an_owned_scope_keeps_its_cache_and_goes_to_any_thread() {
    is_sent_and_kept::<OwnedScope<u64>>();
    is_sent_and_kept::<OwnedScope<[u8]>>();
    let owned = {
        let cache = cache();
        let scope = cache.scope("s").unwrap();
        scope.insert("k", 1).unwrap();
        scope.into_owned()
    };
    let there = owned.clone();
    let nested = std::thread::spawn(move || {
        assert_eq!(there.get("k").as_deref(), Some(&1));
        there.insert("k", 2).unwrap();
        let nested = there.prefix("nested").unwrap().into_owned();
        nested.insert("k", 3).unwrap();
        nested
    });
    let nested = nested.join().unwrap();
    assert_eq!(
        (owned.get("k").as_deref(), nested.get("k").as_deref()),
        (Some(&2), Some(&3))
    );
    owned.invalidate();
    assert!(owned.is_empty() && nested.is_empty());
}

#[test]
fn scopes_of_one_name_in_two_caches_are_two() {
    for _ in 0..100 {
        // Each cache takes, most likely, the place in memory of one that has just ended.
        let caches = [cache(), cache()];
        for (number, cache) in (0..).zip(&caches) {
            let scope = cache.scope("s").unwrap();
            assert!(scope.is_empty());
            scope.insert("k", number).unwrap();
            scope.scope("n").unwrap().insert("k", 10 + number).unwrap();
        }
        caches[0]
            .scope("s")
            .unwrap()
            .scope("n")
            .unwrap()
            .invalidate();
        let found = caches.each_ref().map(|cache| {
            let scope = cache.scope("s").unwrap();
            let nested = scope.scope("n").unwrap();
            (
                scope.get("k").map(|entry| *entry),
                nested.get("k").map(|entry| *entry),
            )
        });
        assert_eq!(found, [(Some(0), None), (Some(1), Some(11))]);
    }
}
