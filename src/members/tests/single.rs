//! Single cases: what is bounded, what is fair, what is forgotten.

use std::collections::HashMap;

use super::*;

/// So many scopes of one pool, with one entry each; the entry's hash is the scope's id.
fn one_each(ids: std::ops::Range<u64>, pool: u32) -> (Members<u64>, Vec<Membership>) {
    let mut members = Members::new(1);
    let join = |id| members.join(PlaceWord::new(id, pool), || id, hash(id), 10);
    let joined = ids.map(join).collect();
    (members, joined)
}

#[test]
fn nothing_takes_nothing() {
    let mut members = Members::<u64>::new(1);
    assert_eq!(members.memory_bytes(), 0);
    assert_eq!(members.pool(7), Holding::default());
    assert_eq!(members.scope(PlaceWord::new(1, 7)), Holding::default());
    assert_eq!(members.next_dead(), None);
    assert_eq!(members.begin_walk(PlaceWord::new(1, 7)), None);
    assert!(members.seek_dead(9, 1, |_| true));
}

#[test]
fn a_scope_with_one_entry_costs_what_is_stated() {
    let (members, _) = one_each(1..(1 << 16) + 1, 5);
    let per_scope = members.memory_bytes() as f64 / f64::from(1 << 16);
    // 64 for the record (the test's generation is no pointer), 16 for the entry's, tables and buckets.
    assert!(per_scope <= 64.0 + 16.0 + 10.0, "{per_scope}");
}

#[test]
fn a_pool_with_one_entry_costs_what_is_stated() {
    let mut members = Members::new(1);
    for id in 0..1 << 14 {
        members.join(PlaceWord::new(id, id as u32), || id, hash(id), 10);
    }
    let per_pool = members.memory_bytes() as f64 / f64::from(1 << 14);
    assert!(per_pool <= 64.0 + 32.0 + 16.0 + 20.0, "{per_pool}");
}

#[test]
fn a_million_scopes_leave_nothing_behind() {
    let (mut members, joined) = one_each(0..1_000_000, 3);
    for (id, one) in joined.into_iter().enumerate() {
        let left = members.leave(one.token, one.scope, 10);
        assert_eq!(left.generation, Some(id as u64));
        assert_eq!(left.is_last_of_pool, id == 999_999);
    }
    while members.memory_bytes() > 256 * 16 + 4 * 24 {
        let before = members.memory_bytes();
        members.shrink(64, |_, _, _| unreachable!("no entry is left to be moved"));
        assert!(members.memory_bytes() < before);
    }
    members.validate();
}

/// Fault 39's ground: ten entries among a great many are found at once, and in turn.
#[test]
fn e75_a_small_pools_victims_are_found_among_many() {
    let (mut members, _) = one_each(0..100_000, 1);
    for id in 0..10 {
        members.join(PlaceWord::new(1 << 20, 2), || id, hash(id), 10);
    }
    let mut out = Vec::new();
    members.victims(2, 4, &mut out);
    members.victims(2, 4, &mut out);
    members.victims(2, 2, &mut out);
    let hashes: Vec<_> = out.iter().map(|(hash, _)| hash.bits()).collect();
    assert_eq!(hashes, (0..10).collect::<Vec<_>>());
    out.clear();
    members.victims(2, 1000, &mut out);
    assert_eq!(out.len(), 10, "all of them, and none twice");
    members.victims(4, 1, &mut out);
    assert_eq!(out.len(), 10, "a pool without entries has no victims");
}

#[test]
fn e75_victims_go_round_over_scopes_and_entries_alike() {
    let mut members = Members::new(1);
    // One scope of 50 entries, and fifty of one.
    for id in 0..50 {
        members.join(PlaceWord::new(999, 1), || 0, hash(id), 1);
        members.join(PlaceWord::new(id, 1), || 0, hash(1000 + id), 1);
    }
    let mut times = HashMap::new();
    let mut out = Vec::new();
    // Calls of 7 don't divide the round of 100.
    for _ in 0..100 {
        members.victims(1, 7, &mut out);
        for (hash, _) in out.drain(..) {
            *times.entry(hash.bits()).or_insert(0) += 1;
        }
        members.validate();
    }
    assert_eq!(times.len(), 100);
    assert!(times.values().all(|n| *n == 7), "{times:?}");
}

#[test]
fn a_cycle_takes_one_look_a_scope_and_one_for_each_that_joins() {
    let (mut members, _) = one_each(0..1000, 1);
    let is_live = |id: &u64| id % 100 != 7;
    let mut n_steps = 0;
    let mut next_id = 1000;
    while !members.seek_dead(1, 4, is_live) {
        n_steps += 4;
        // A dead one among those that join in the midst of it.
        members.join(PlaceWord::new(next_id, 1), || next_id, hash(next_id), 10);
        next_id += 1;
        members.validate();
        assert!(n_steps <= 2 * 1000);
    }
    let n_dead = (0..next_id).filter(|id| !is_live(id)).count() as u64;
    assert_eq!(members.unreachable_bytes(), 10 * n_dead);
    // Nothing has changed: there's nothing to look at.
    assert!(members.seek_dead(1, 4, |_| unreachable!("the cycle is over")));
    assert!(members.seek_dead(0, 4, |_| unreachable!("an older epoch is no news")));
}

#[test]
fn an_epoch_that_grows_in_the_midst_begins_the_cycle_anew() {
    let (mut members, _) = one_each(0..10, 1);
    assert!(!members.seek_dead(1, 9, |_| true));
    // The first one dies after it was looked at.
    let is_live = |id: &u64| *id != 9;
    assert!(!members.seek_dead(2, 9, is_live));
    members.validate();
    assert!(members.seek_dead(2, 1, is_live));
    assert_eq!(members.next_dead().map(|(hash, _)| hash.bits()), Some(9));
}

#[test]
fn what_joins_a_dead_scope_is_dead() {
    let mut members = Members::new(1);
    let word = PlaceWord::new(8, 2);
    let first = members.join(word, || 8, hash(1), 100);
    assert!(members.seek_dead(1, 1, |_| false));
    let second = members.join(word, || unreachable!("it has a record"), hash(2), 30);
    assert_eq!(members.unreachable_bytes(), 130);
    members.resize(second.scope, 30, 20);
    assert_eq!(members.unreachable_bytes(), 120);
    members.validate();
    for (one, bytes) in [(first, 100), (second, 20)] {
        assert!(
            members
                .next_dead()
                .is_some_and(|(_, token)| token == one.token)
        );
        members.leave(one.token, one.scope, bytes);
    }
    assert_eq!(
        (members.next_dead(), members.unreachable_bytes()),
        (None, 0)
    );
    // The word comes again: dead still, and to be found again.
    members.join(word, || 8, hash(3), 5);
    assert!(members.seek_dead(1, 1, |_| false));
    assert_eq!(members.unreachable_bytes(), 5);
}

#[test]
fn a_walk_in_steps_names_all() {
    let mut members = Members::new(1);
    let word = PlaceWord::new(8, 2);
    for id in 0..100 {
        members.join(word, || 0, hash(id), 1);
        members.join(PlaceWord::new(9, 2), || 0, hash(id), 1);
    }
    for n_max in [1, 7, 100, 1000] {
        let hashes: Vec<_> = members
            .walked(word, n_max)
            .iter()
            .map(|(hash, _)| hash.bits())
            .collect();
        assert_eq!(hashes, (0..100).collect::<Vec<_>>());
    }
    assert_eq!(members.walks.memory_bytes(), 0, "no walk is under way");
}

#[test]
fn the_oldest_of_too_many_walks_is_lost() {
    let (mut members, joined) = one_each(0..1, 1);
    let word = PlaceWord::new(0, 1);
    let walks: Vec<_> = (0..=walk::N_WALKS_MAX)
        .filter_map(|_| members.begin_walk(word))
        .collect();
    let mut named = Vec::new();
    assert_eq!(members.walk_on(walks[0], 1, &mut named), Walked::Lost);
    assert_eq!(members.walk_on(walks[1], 1, &mut named), Walked::Done);
    members.leave(joined[0].token, joined[0].scope, 10);
    assert_eq!(members.walk_on(walks[2], 1, &mut named), Walked::Done);
    assert_eq!(named.len(), 1);
}

#[test]
fn growth_of_a_new_scope_in_an_old_pool_is_foretold() {
    let mut members = Members::new(1);
    // Pools and scopes fill their chunks: the next of each takes a new one.
    for (id, pool) in (0..16)
        .map(|n| (n, n as u32))
        .chain([(16, 3), (17, 99), (17, 99)])
    {
        let word = PlaceWord::new(id, pool);
        let foretold = members.memory_bytes() + members.growth_bytes(word);
        members.join(word, || id, hash(id), 1);
        assert_eq!(members.memory_bytes(), foretold, "M5: scope {id}");
        members.validate();
    }
}

/// What stands in the last chunk of list records gets other tokens while a walk and a hand are just before it.
#[test]
fn walks_and_hands_follow_what_is_moved() {
    let mut members = Members::new(1);
    let word = PlaceWord::new(8, 2);
    let mut joined: Vec<_> = (0..4 * 256)
        .map(|id| members.join(word, || 0, hash(id), 1).token)
        .collect();
    let scope = members.join(word, || 0, hash(4 * 256), 1);
    members.leave(scope.token, scope.scope, 1);
    let walk = members.begin_walk(word).unwrap();
    let (mut named, mut victims) = (Vec::new(), Vec::new());
    let in_last = 3 * 256 + 10;
    members.walk_on(walk, in_last, &mut named);
    members.victims(2, in_last, &mut victims);
    for token in joined.drain(..3 * 256) {
        members.leave(token, scope.scope, 1);
    }
    let mut n_moved = 0;
    members.shrink(1000, |hash, from, to| {
        let nth = hash.bits() as usize - 3 * 256;
        assert_eq!(std::mem::replace(&mut joined[nth], to), from);
        n_moved += 1;
        scope.scope
    });
    assert!(n_moved > 200, "those of the last chunk have moved");
    members.validate();
    assert_eq!(members.walk_on(walk, 1000, &mut named), Walked::Done);
    members.victims(2, 256, &mut victims);
    let expected: Vec<_> = (0..4 * 256).collect();
    let hashes =
        |all: &[(KeyHash, Token)]| all.iter().map(|(hash, _)| hash.bits()).collect::<Vec<_>>();
    assert_eq!(hashes(&named), expected, "M4");
    assert_eq!(hashes(&victims[..4 * 256]), expected, "M3");
    assert!(
        victims[in_last..]
            .iter()
            .all(|(_, token)| joined.contains(token))
    );
}
