//! A level that hears of changes: copies stay as long as their records, and end when those are changed elsewhere.

use std::sync::{Arc, Mutex};

use larder::{
    Level, LevelAnswer, LevelChanges, LevelError, LevelKey, LevelRecord, LevelScope, Seen,
};

use super::*;

/// A level in memory that tells what it is told to tell.
#[derive(Clone)]
struct Telling {
    level: MemoryLevel,
    changes: Arc<Mutex<Vec<LevelChanges>>>,
}

impl Level for Telling {
    fn get(&self, key: &LevelKey<'_>, within: Duration) -> Result<LevelAnswer, LevelError> {
        self.level.get(key, within)
    }

    fn set(
        &self,
        key: &LevelKey<'_>,
        record: LevelRecord<&[u8]>,
        within: Duration,
    ) -> Result<(), LevelError> {
        self.level.set(key, record, within)
    }

    fn replace(
        &self,
        key: &LevelKey<'_>,
        seen: Seen,
        record: Option<LevelRecord<&[u8]>>,
        within: Duration,
    ) -> Result<bool, LevelError> {
        self.level.replace(key, seen, record, within)
    }

    fn delete(&self, key: &LevelKey<'_>, within: Duration) -> Result<bool, LevelError> {
        self.level.delete(key, within)
    }

    fn end(&self, scope: &LevelScope<'_>, within: Duration) -> Result<(), LevelError> {
        self.level.end(scope, within)
    }

    fn follow(&self, changes: LevelChanges) {
        self.changes.lock().unwrap().push(changes);
    }
}

/// A node whose level follows, and what that tells.
fn following(world: &World) -> (Node, LevelChanges) {
    let [mut node] = world.nodes();
    let level = Telling {
        level: world.level.clone(),
        changes: Arc::default(),
    };
    node.levels = Levels::new(level.clone(), b"test");
    let changes = level.changes.lock().unwrap().pop().unwrap();
    assert!(!node.levels.follows());
    changes.begin();
    assert!(node.levels.follows());
    (node, changes)
}

/// Keys of the level that begin with a letter.
fn keys(world: &World, kind: u8) -> Vec<Vec<u8>> {
    let mut keys = world.level.keys();
    keys.retain(|key| key[0] == kind);
    keys
}

#[test]
fn e51_a132_what_is_read_while_it_follows_stays_as_long_as_its_record() {
    let world = World::new();
    let [writer] = world.nodes();
    let (node, changes) = following(&world);
    writer.view(L1L2).put("k", b"v", MINUTE).unwrap();
    let (view, here) = (node.view(L1L2), node.cache.scope("s").unwrap());
    assert_eq!(get(&view, "k"), bytes(b"v"));
    assert_eq!(here.ttl("k"), Some(Some(MINUTE)));
    // A change of what is put here may be told before it is in the cache.
    view.put("own", b"v", MINUTE).unwrap();
    assert_eq!(here.ttl("own"), Some(Some(SECOND)));
    let load = || Ok::<_, ()>(larder::Loaded::Value(b"v"));
    view.get_or_load("loaded", MINUTE, load).unwrap();
    assert_eq!(here.ttl("loaded"), Some(Some(SECOND)));
    world.clock.advance(SECOND);
    view.get_or_load("loaded", MINUTE, load).unwrap();
    assert_eq!(here.ttl("loaded"), Some(Some(MINUTE - SECOND)));

    changes.stop();
    assert!(here.is_empty() && !node.levels.follows());
    assert_eq!(get(&view, "k"), bytes(b"v"));
    assert_eq!(here.ttl("k"), Some(Some(SECOND)));
    changes.begin();
    world.clock.advance(SECOND);
    assert_eq!(get(&view, "k"), bytes(b"v"));
    assert_eq!(here.ttl("k"), Some(Some(MINUTE - 2 * SECOND)));
}

#[test]
fn e53_a133_what_changed_elsewhere_is_dropped_here_and_nothing_else_is() {
    let world = World::new();
    let [writer] = world.nodes();
    let (node, changes) = following(&world);
    writer.view(L1L2).put("k", b"old", MINUTE).unwrap();
    let [key] = <[_; 1]>::try_from(keys(&world, b'k')).unwrap();
    writer.view(L1L2).put("l", b"l", MINUTE).unwrap();
    let view = node.view(L1L2);
    assert_eq!(get(&view, "k"), bytes(b"old"));
    assert_eq!(get(&view, "l"), bytes(b"l"));
    writer.view(L1L2).put("k", b"new", MINUTE).unwrap();
    assert_eq!(get(&view, "k"), bytes(b"old"));
    for junk in [
        &b""[..],
        b"k",
        b"k\x01",
        b"other",
        &key[..key.len() - 1],
        &key[1..],
    ] {
        changes.changed(junk);
    }
    assert_eq!(node.cache.len(), 2);
    let calls = world.calls();
    changes.changed(&key);
    assert_eq!(node.cache.len(), 1);
    assert_eq!(get(&view, "k"), bytes(b"new"));
    assert_eq!(get(&view, "l"), bytes(b"l"));
    assert_eq!(world.calls()[0], calls[0] + 1);
    assert!(changes.prefixes()[0].len() == 10 && key.starts_with(&changes.prefixes()[0]));
}

#[test]
fn e59_a_scope_that_ends_elsewhere_ends_here_with_those_in_it() {
    let world = World::new();
    let [writer] = world.nodes();
    let (node, changes) = following(&world);
    let views = |node: &Node| {
        let outer = node.cache.scope("s").unwrap();
        let inner = outer.scope("t").unwrap();
        [outer, inner, node.cache.scope("u").unwrap()].map(larder::Scope::into_owned)
    };
    let (there, here) = (views(&writer), views(&node));
    let [outer, inner, other] = [["s", ""], ["s", "t"], ["u", ""]].map(|[outer, inner]| {
        move |node: &Node, value: Option<&[u8]>| {
            let mut scope = node.cache.scope(outer).unwrap();
            if !inner.is_empty() {
                scope = scope.scope(inner).unwrap();
            }
            let view = node.levels.view(scope, L1L2);
            match value {
                Some(value) => view.put("k", value, MINUTE).is_ok(),
                None => view.get("k").is_some(),
            }
        }
    });
    for put in [
        &outer as &dyn Fn(&Node, Option<&[u8]>) -> bool,
        &inner,
        &other,
    ] {
        assert!(put(&writer, Some(b"v")) && put(&node, None));
    }
    assert!(there.iter().chain(&here).all(|scope| scope.len() == 1));
    let mut generations = keys(&world, b'g').into_iter();
    let s = generations.find(|key| key.ends_with(b"s\xFF")).unwrap();
    changes.changed(&s);
    assert_eq!(here.each_ref().map(|scope| scope.len()), [0, 0, 1]);
    changes.all();
    assert_eq!(here.map(|scope| scope.len()), [0, 0, 0]);
    assert!(node.levels.follows());
}

#[test]
fn f49_a_change_that_is_told_while_a_record_is_read_wins_over_the_copy() {
    let world = World::new();
    let [writer] = world.nodes();
    let tell: [fn(&LevelChanges, &[u8]); 3] = [
        |changes, key| changes.changed(key),
        |changes, _| changes.all(),
        |changes, _| changes.stop(),
    ];
    for tell in tell {
        let (node, changes) = following(&world);
        writer.view(L1L2).put("k", b"old", MINUTE).unwrap();
        let [key] = <[_; 1]>::try_from(keys(&world, b'k')).unwrap();
        let view = node.view(L1L2);
        let hold = world.level.hold_after(LevelCall::Get);
        std::thread::scope(|scope| {
            let fill = scope.spawn(|| view.lookup("k", MINUTE));
            hold.wait();
            writer.view(L1L2).put("k", b"new", MINUTE).unwrap();
            tell(&changes, &key);
            hold.release();
            fill.join().unwrap();
        });
        assert_eq!(get(&view, "k"), bytes(b"new"));
    }
}

#[test]
fn what_is_told_to_nobody_is_no_concern() {
    let world = World::new();
    let (node, changes) = following(&world);
    assert!(!changes.is_over());
    drop(node);
    assert!(changes.is_over());
    changes.changed(b"k");
    changes.stop();
}

#[test]
fn e51_e53_a_snapshot_has_no_copies_which_others_may_change_while_nobody_listens() {
    let world = World::new();
    let [writer] = world.nodes();
    let (node, _changes) = following(&world);
    for key in ["put", "read", "loaded"] {
        writer.view(L1L2).put(key, b"old", MINUTE).unwrap();
    }
    let view = node.view(L1L2);
    view.put("put", b"old", MINUTE).unwrap();
    assert_eq!(get(&view, "read"), bytes(b"old"));
    let load = |found: Option<&[u8]>| {
        let found = found.map(<[u8]>::to_vec);
        Ok::<_, ()>(found.map_or(larder::Loaded::Absent(MINUTE), larder::Loaded::Value))
    };
    for (key, found) in [("loaded", Some(&b"x"[..])), ("absent", None)] {
        view.get_or_load(key, MINUTE, || load(found)).unwrap();
    }
    assert_eq!(node.cache.scope("s").unwrap().len(), 4);
    // What the cache has of its own, by a loader or not.
    let own = node.view(L1);
    own.put("own", b"v", MINUTE).unwrap();
    own.get_or_load("own loaded", MINUTE, || load(Some(b"v")))
        .unwrap();
    let mut stream = Vec::new();
    let snapshot = node.cache.snapshot_to(&mut stream).unwrap();
    assert_eq!((snapshot.entries, snapshot.skipped), (2, 0));

    for key in ["put", "read", "loaded"] {
        writer.view(L1L2).put(key, b"new", MINUTE).unwrap();
    }
    let [next] = world.nodes();
    assert!(next.cache.restore_from(&stream[..]).unwrap().is_whole);
    for key in ["put", "read", "loaded"] {
        assert_eq!(get(&next.view(L1L2), key), bytes(b"new"), "{key}");
    }
    assert_eq!(get(&next.view(L1), "own"), bytes(b"v"));
}

#[test]
fn e53_a_named_cache_that_takes_the_place_of_a_deleted_one_hears_of_changes() {
    let world = World::new();
    let [writer] = world.nodes();
    let (node, changes) = following(&world);
    let limits = Limits::default();
    let tenants = [&writer, &node].map(|node| node.cache.create_tenant("t", limits).unwrap());
    let there = tenants[0].create_cache("c", limits).unwrap();
    let there = writer.levels.view(there.scope(), L1L2);
    there.put("k", b"old", MINUTE).unwrap();
    let [key] = <[_; 1]>::try_from(keys(&world, b'k')).unwrap();
    for _ in 0..3 {
        let named = tenants[1].create_cache("c", limits).unwrap();
        let view = node.levels.view(named.scope(), L1L2);
        assert_eq!(get(&view, "k"), bytes(b"old"));
        assert_eq!(named.ttl("k"), Some(Some(MINUTE)));
        there.put("k", b"new", MINUTE).unwrap();
        changes.changed(&key);
        assert_eq!(get(&view, "k"), bytes(b"new"));
        there.put("k", b"old", MINUTE).unwrap();
        assert!(tenants[1].delete_cache("c"));
    }
}

#[test]
fn f28_caches_whose_handles_are_gone_are_kept_by_no_note() {
    let world = World::new();
    let [writer] = world.nodes();
    let (node, changes) = following(&world);
    writer.view(L1L2).put("k", b"v", MINUTE).unwrap();
    let gone: Vec<_> = (0..3)
        .map(|_| {
            let cache: Cache<[u8]> = Cache::builder().max_entries(10).build().unwrap();
            let view = node.levels.view(cache.scope("s").unwrap(), L1L2);
            assert_eq!(get(&view, "k"), bytes(b"v"));
            cache.downgrade()
        })
        .collect();
    assert!(gone.iter().all(larder::WeakCache::has_ended));
    // More scopes than are noted at a time, of caches that are gone.
    for of_cache in 0..11_u64 {
        let cache: Cache<[u8]> = Cache::builder().max_entries(10).build().unwrap();
        for n in 0..6_000_u64 {
            let view = node.levels.view(cache.scope((of_cache, n)).unwrap(), L1L2);
            assert_eq!(get(&view, "k"), None);
        }
    }
    assert_eq!(get(&node.view(L1L2), "k"), bytes(b"v"));
    let here = node.cache.scope("s").unwrap();
    assert_eq!(here.ttl("k"), Some(Some(MINUTE)));
    changes.changed(&keys(&world, b'k')[0]);
    assert!(here.is_empty());
}
