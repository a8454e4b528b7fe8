//! Lives: what an ending does, what a closing does, and what is kept for how long.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::lineage::generation::Wanted;
use crate::lineage::roll::Roll;

#[test]
fn ids_end_with_an_error_and_never_wrap() {
    let registry = Registry::new();
    registry.set_next_id(ID_NOWHERE - 2);
    let first = registry.local(None, scope(b"a"), None).unwrap();
    let last = registry.local(None, scope(b"b"), None).unwrap();
    assert_eq!(last.word(&registry).id(), ID_NOWHERE - 1);
    for _ in 0..2 {
        assert_eq!(
            registry.local(None, scope(b"c"), None).unwrap_err(),
            ScopeError::OutOfIds
        );
    }
    // What lives goes on, what is ended has no successor.
    assert!(registry.local_anew(None, scope(b"a"), None).is_ok());
    registry.invalidate(&last.generation(&registry).unwrap());
    assert_eq!(last.word(&registry), PlaceWord::NOWHERE);
    assert_eq!(
        last.generation(&registry).unwrap_err(),
        ScopeError::OutOfIds
    );
    assert_eq!(first.word(&registry).id(), ID_NOWHERE - 2);
}

#[test]
fn an_ending_is_in_force_for_views_children_and_held_lives() {
    let registry = Registry::new();
    let a = registry.local(None, scope(b"a"), None).unwrap();
    let b = registry.local(Some(&a), scope(b"b"), None).unwrap();
    let other = registry.local(None, scope(b"o"), None).unwrap();
    let words = [&a, &b, &other].map(|view| view.word(&registry));
    let (life, below) = (
        a.generation(&registry).unwrap(),
        b.generation(&registry).unwrap(),
    );
    assert!(a.holds(words[0]) && b.holds(words[1]));

    let before = registry.epoch();
    assert!(registry.invalidate(&life));
    assert!(registry.epoch() > before);
    assert!(!life.is_live() && !below.is_live());
    assert!(!a.holds(words[0]) && !b.holds(words[1]) && b.generation_of(words[1], false).is_none());

    let after = [&a, &b, &other].map(|view| view.word(&registry));
    assert!(after[0] > words[0] && after[1] > words[1]);
    assert_eq!(after[2], words[2]);
    assert!(b.holds(after[1]) && !b.holds(words[1]));
    assert_eq!(b.generation_of(after[1], false).unwrap().word(), after[1]);
    assert_eq!(b.generation(&registry).unwrap().path(), below.path());

    // The first ending counts, a second one of the same life changes nothing.
    let counted = registry.epoch();
    assert!(!registry.invalidate(&life));
    assert_eq!(registry.epoch(), counted);
    assert_eq!(a.word(&registry), after[0]);
}

#[test]
fn a_stirred_registry_ends_nothing_and_sends_every_look_the_long_way() {
    let registry = Registry::new();
    let view = registry.local(None, scope(b"a"), None).unwrap();
    let (word, epoch) = (view.word(&registry), registry.epoch());
    let is_at_hand = || view.word_at_hand(&registry).1 == 0;
    assert!(is_at_hand());
    registry.stir();
    assert_eq!(registry.epoch(), epoch);
    assert_eq!(view.word(&registry), word);
    assert!(!is_at_hand());
    // Also when the view has been read anew since.
    assert!(registry.invalidate(&view.generation(&registry).unwrap()));
    assert!(registry.epoch() > epoch);
    let next = view.word(&registry);
    assert!(next > word);
    assert!(view.holds(next) && !is_at_hand());
    let later = registry.local(None, scope(b"b"), None).unwrap();
    assert_ne!(later.word_at_hand(&registry).1, 0);
    registry.stir();
    assert!(registry.epoch() > epoch && !is_at_hand());
}

#[test]
fn e4_a_closed_owner_is_nowhere_and_a_new_one_begins_empty() {
    let registry = Registry::new();
    let cache = Name {
        kind: Kind::Cache,
        ..scope(b"tokens")
    };
    let [old, new] = [3, 4].map(Owner::new);
    let view = registry.local(None, cache, Some(&old)).unwrap();
    let child = registry.local(Some(&view), scope(b"x"), None).unwrap();
    let words = [view.word(&registry), child.word(&registry)];
    assert_eq!(words.map(PlaceWord::pool), [3, 3]);
    let life = child.generation(&registry).unwrap();

    assert!(registry.close(&old) && !registry.close(&old));
    assert!(!life.is_live());
    for view in [&view, &child] {
        assert_eq!(view.word(&registry), PlaceWord::NOWHERE);
        assert_eq!(view.generation(&registry).unwrap_err(), ScopeError::Closed);
    }
    let below_closed = registry.local(Some(&view), scope(b"y"), None);
    assert_eq!(below_closed.unwrap_err(), ScopeError::Closed);
    let by_closed = registry.local_anew(None, cache, Some(&old));
    assert_eq!(by_closed.unwrap_err(), ScopeError::Closed);

    let again = registry.local(None, cache, Some(&new)).unwrap();
    let again_child = registry.local(Some(&again), scope(b"x"), None).unwrap();
    let again_words = [again.word(&registry), again_child.word(&registry)];
    assert!(again_words[0] > words[0] && again_words[1] > words[1]);
    assert_eq!(again_words.map(PlaceWord::pool), [4, 4]);
    assert_eq!(child.word(&registry), PlaceWord::NOWHERE, "for good");
}

#[test]
fn e4_a_flush_above_does_not_bring_back_what_was_closed() {
    let registry = Registry::new();
    let cache = Name {
        kind: Kind::Cache,
        ..scope(b"tokens")
    };
    let owners = [1, 2].map(Owner::new);
    let top = registry
        .local(None, tenant(b"t"), Some(&owners[0]))
        .unwrap();
    let middle = registry.local(Some(&top), cache, Some(&owners[1])).unwrap();
    let leaf = registry.local(Some(&middle), scope(b"x"), None).unwrap();
    // The leaf doesn't notice the first ending before the second.
    registry.invalidate(&top.generation(&registry).unwrap());
    assert_eq!(middle.word(&registry).pool(), 2);
    registry.close(&owners[1]);
    assert_eq!(leaf.word(&registry), PlaceWord::NOWHERE);
    assert_eq!(middle.word(&registry), PlaceWord::NOWHERE);
    assert_eq!(top.word(&registry).pool(), 1);
    registry.close(&owners[0]);
    assert_eq!(top.word(&registry), PlaceWord::NOWHERE);
}

#[test]
fn another_owner_under_a_name_ends_the_life_of_the_first() {
    let registry = Registry::new();
    let [first, second] = [1, 2].map(Owner::new);
    let old = registry.resolve(None, tenant(b"t"), Some(&first)).unwrap();
    let before = registry.epoch();
    let new = registry.resolve(None, tenant(b"t"), Some(&second)).unwrap();
    assert!(!old.is_live() && new.is_live());
    assert!(registry.epoch() > before, "L3");
    assert_eq!(registry.n_names(), 1);
    drop(old);
    assert_eq!(
        registry.n_names(),
        1,
        "the end of the old one leaves the new one in"
    );
}

#[test]
fn l5_a_name_goes_with_the_last_that_names_it() {
    let registry = Registry::new();
    let a = registry.local_anew(None, scope(b"a"), None).unwrap();
    let b = registry.local_anew(Some(&a), scope(b"b"), None).unwrap();
    let word = a.word(&registry);
    drop(a);
    assert_eq!(registry.n_names(), 2, "the child names its parent");
    let a = registry.local_anew(None, scope(b"a"), None).unwrap();
    assert_eq!(a.word(&registry), word);
    let life = b.generation(&registry).unwrap();
    drop((a, b));
    assert_eq!(registry.n_names(), 2);
    drop(life);
    assert_eq!((registry.n_names(), registry.memory_bytes()), (0, 0));
    let a = registry.local_anew(None, scope(b"a"), None).unwrap();
    assert!(
        a.word(&registry) > word,
        "L1: the id of a name that went isn't used again"
    );
}

#[test]
fn l5_a_million_scopes_that_are_used_once_leave_nothing() {
    const N: u32 = if cfg!(miri) { 1000 } else { 1_000_000 };
    let registry = Registry::new();
    let top = registry.local(None, scope(b"top"), None).unwrap();
    let word = top.word(&registry);
    for n in 0..N {
        let view = registry
            .local(Some(&top), scope(&n.to_le_bytes()), None)
            .unwrap();
        assert_ne!(view.word(&registry), word);
    }
    // The thread's table keeps 64 views at most.
    assert!(registry.n_names() <= 65, "{}", registry.n_names());
    assert!(registry.memory_bytes() < 64 << 10);
    registry.validate();
}

#[test]
fn l5_a_million_scopes_at_one_time_leave_nothing_once_dropped() {
    const N: u32 = if cfg!(miri) { 1000 } else { 1_000_000 };
    let registry = Registry::new();
    let mut held: Vec<_> = (0..N)
        .map(|n| {
            registry
                .resolve(None, scope(&n.to_le_bytes()), None)
                .unwrap()
        })
        .collect();
    assert_eq!(registry.n_names(), N as usize);
    let full = registry.memory_bytes();
    assert!(full < 60 * N as usize, "{full}");
    registry.validate();
    // Half of them are ended: their names stand there as long as somebody names the life.
    held.iter().step_by(2).for_each(|life| {
        registry.invalidate(life);
    });
    assert_eq!(registry.n_names(), N as usize);
    registry.validate();
    held.retain(|life| life.is_live());
    assert_eq!(registry.n_names(), N as usize / 2);
    held.clear();
    assert_eq!((registry.n_names(), registry.memory_bytes()), (0, 0));
}

#[test]
fn names_of_one_hash_are_told_apart() {
    let mut registry = Registry::new();
    registry.roll = Arc::new(Roll::of_one_hash());
    let parent = registry.resolve(None, scope(b"parent"), None).unwrap();
    let make_in = |parent: Option<&Arc<Generation>>, bytes| {
        registry.resolve(parent, scope(bytes), None).unwrap()
    };
    let make = |bytes| make_in(None, bytes);
    let [a, b] = [b"a", b"b"].map(|bytes| make(bytes));
    assert_ne!(a.word(), b.word());
    assert_eq!(make(b"a").word(), a.word());
    assert_eq!(make(b"b").word(), b.word());
    let below = make_in(Some(&parent), b"a");
    assert_ne!(below.word(), a.word());
    assert_eq!(make_in(Some(&parent), b"a").word(), below.word());
    drop(below);
    registry.invalidate(&b);
    assert_eq!(make(b"a").word(), a.word());
    let next = make(b"b");
    assert!(next.word() > b.word());
    assert_eq!(
        registry.n_names(),
        3,
        "the next life takes the last one out"
    );
    drop((b, next));
    assert_eq!(make(b"a").word(), a.word());
    drop((a, parent));
    assert_eq!(registry.n_names(), 0);
}

#[test]
fn a_life_outlives_its_registry() {
    let registry = Registry::new();
    let view = registry.local(None, scope(b"a"), None).unwrap();
    let life = view.generation(&registry).unwrap();
    drop(registry);
    assert!(life.is_live());
    drop((view, life));
    // A later registry, perhaps at the same address, gets nothing of what the thread's table still holds.
    for _ in 0..100 {
        let registry = Registry::new();
        let view = registry.local(None, scope(b"a"), None).unwrap();
        assert_eq!(registry.n_names(), 1);
        assert!(view.holds(view.word(&registry)));
    }
}

#[test]
fn e44_an_ending_that_is_marked_and_not_counted_comes_after_writes_and_keeps_what_is_there() {
    let registry = Registry::new();
    let view = registry.local(None, scope(b"a"), None).unwrap();
    let below = registry.local(Some(&view), scope(b"b"), None).unwrap();
    let life = view.generation(&registry).unwrap();
    let word = below.word(&registry);
    let names = registry.names(life.hash());
    assert!(life.die());
    // Who has read the word since the last count writes into that life.
    assert_eq!(below.word(&registry), word);
    assert!(below.generation_of(word, true).is_some());
    assert!(below.generation_of(word, false).is_none());
    let end = below.last_life();
    let (is_counted, asks) = (AtomicBool::new(false), Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            asks.wait();
            assert!(registry.is_over(&end));
            assert!(is_counted.load(Ordering::Relaxed), "it didn't wait");
        });
        asks.wait();
        for _ in 0..100 {
            std::thread::yield_now();
        }
        is_counted.store(true, Ordering::Relaxed);
        drop(names);
    });
}

#[test]
fn who_was_closed_amid_a_resolution_ends_no_life_of_its_successor() {
    let registry = Registry::new();
    let [old, new] = [1, 2].map(Owner::new);
    let wanted = |owner| Wanted {
        parent: None,
        name: tenant(b"t"),
        owner: Some(owner),
    };
    let hash = registry.roll.life_hash(PlaceWord::ROOT, tenant(b"t"));
    let before = registry.find_or_make(wanted(&old), hash).unwrap();
    // Here a thread has seen that `old` is open, and is put aside.
    assert!(registry.close(&old));
    let present = registry.find_or_make(wanted(&new), hash).unwrap();
    let late = registry.find_or_make(wanted(&old), hash);
    assert_eq!(late.unwrap_err(), ScopeError::Closed);
    assert!(present.is_live() && !before.is_live());
}
