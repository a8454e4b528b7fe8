//! A level that fails, and what its return brings.

use larder::{LevelError, OnLevelError};

use super::*;

const ERRORS: [(LevelError, MissReason); 3] = [
    (LevelError::Timeout, MissReason::Timeout),
    (LevelError::Unavailable, MissReason::Unavailable),
    (LevelError::Corrupt, MissReason::Corrupt),
];

#[test]
fn e54_a_failing_level_is_a_miss_with_its_reason_and_counted() {
    let world = World::new();
    let [node] = world.nodes();
    for (error, expected) in ERRORS {
        world.level.fail(error);
        for mode in [L1L2, L2] {
            let view = node.view(mode);
            assert_eq!(reason(view.lookup("k", SECOND)), expected);
            assert_eq!(view.ttl("k"), Err(expected));
            assert!(view.get("k").is_none());
        }
    }
    let stats = node.levels.stats();
    let misses = [
        stats.misses_timeout,
        stats.misses_unavailable,
        stats.misses_corrupt,
    ];
    assert_eq!((misses, stats.hits, stats.misses_absent), ([6; 3], 0, 0));
}

#[test]
fn e54_without_a_level_everything_asked_of_it_is_unavailable() {
    let world = World::new();
    let [node] = world.nodes();
    let levels = Levels::none();
    let view = levels.view(node.cache.scope("s").unwrap(), L2);
    let put = view.put("k", b"v", MINUTE).unwrap();
    assert_eq!(
        (put.in_l2, put.error),
        (false, Some(LevelError::Unavailable))
    );
    assert_eq!(reason(view.lookup("k", SECOND)), MissReason::Unavailable);
    let here = levels.view(node.cache.scope("s").unwrap(), L1);
    here.put("k", b"v", MINUTE).unwrap();
    assert_eq!(get(&here, "k"), bytes(b"v"));
}

#[test]
fn e55_a_put_that_the_level_fails_is_ignored_or_fails_as_asked() {
    let world = World::new();
    let [node] = world.nodes();
    for (mode, on_error) in [
        (L1L2, OnLevelError::Ignore),
        (L2, OnLevelError::Ignore),
        (L1L2, OnLevelError::Fail),
        (L2, OnLevelError::Fail),
    ] {
        for (error, _) in &ERRORS[..2] {
            world.level.recover();
            let view = node.view(LevelOptions::new(mode).on_error(on_error));
            view.put("k", b"old", MINUTE).unwrap();
            world.level.fail(*error);
            let put = view.put("k", &b"new"[..], MINUTE);
            let here = node.cache.scope("s").unwrap().get("k");
            let here = here.map(|entry| entry.to_vec());
            match on_error {
                OnLevelError::Ignore => {
                    let put = put.unwrap();
                    assert_eq!((put.in_l2, put.error), (false, Some(*error)));
                    assert_eq!(here, bytes(b"new").filter(|_| mode == L1L2));
                }
                OnLevelError::Fail => {
                    let refused = put.unwrap_err();
                    assert_eq!(refused.refusal, LevelRefusal::Level(*error));
                    assert_eq!(refused.value, b"new");
                    assert_eq!(here, bytes(b"old").filter(|_| mode == L1L2));
                }
            }
            node.cache.clear();
        }
    }
    assert_eq!(node.levels.stats().write_errors, 8);
}

#[test]
fn e55_removals_and_purges_that_the_level_fails_are_done_here() {
    let world = World::new();
    let [node] = world.nodes();
    for on_error in [OnLevelError::Ignore, OnLevelError::Fail] {
        let error = LevelError::Unavailable;
        let is_told = on_error == OnLevelError::Fail;
        let view = node.view(LevelOptions::new(L1L2).on_error(on_error));
        view.put("k", b"v", MINUTE).unwrap();
        view.put("l", b"v", MINUTE).unwrap();
        world.level.fail(error);
        assert_eq!(
            view.remove("k"),
            if is_told { Err(error) } else { Ok(true) }
        );
        assert!(view.get("k").is_none() && view.get("l").is_some());
        assert_eq!(view.purge(), if is_told { Err(error) } else { Ok(()) });
        assert!(view.get("l").is_none());
        world.level.recover();
        // Who was told knows that they may come back; to who wasn't, they don't.
        let expected = bytes(b"v").filter(|_| is_told);
        assert_eq!(
            (get(&view, "k"), get(&view, "l")),
            (expected.clone(), expected)
        );
    }
}

#[test]
fn f48_e60_the_cache_serves_on_and_recovers_without_being_told() {
    let world = World::new();
    let [node] = world.nodes();
    let view = node.view(L1L2);
    view.put("k", b"v", MINUTE).unwrap();
    for _ in 0..3 {
        world.level.fail(LevelError::Unavailable);
        assert_eq!(get(&view, "k"), bytes(b"v"));
        view.put("new", b"n", MINUTE).unwrap();
        assert_eq!(get(&view, "new"), bytes(b"n"));
        world.clock.advance(SECOND);
        assert_eq!(reason(view.lookup("k", SECOND)), MissReason::Unavailable);
        world.level.recover();
        assert_eq!(get(&view, "k"), bytes(b"v"));
    }
    // A server that starts anew is empty, and no more.
    world.level.clear();
    world.clock.advance(SECOND);
    assert_eq!(reason(view.lookup("k", SECOND)), MissReason::Absent);
    view.put("k", b"again", MINUTE).unwrap();
    world.clock.advance(SECOND);
    assert_eq!(get(&view, "k"), bytes(b"again"));
}

/// What a write is called, and does.
type Change = (&'static str, fn(&LevelView<'_>));

#[test]
fn f49_what_the_level_was_not_told_does_not_come_back() {
    let changes: [Change; 3] = [
        ("put", |view| {
            assert!(!view.put("k", b"new", MINUTE).unwrap().in_l2)
        }),
        ("remove", |view| assert!(view.remove("k").is_ok())),
        ("purge", |view| view.purge().unwrap()),
    ];
    for (what, change) in changes {
        for mode in [L1L2, L2] {
            // The level did nothing, or did it and its answer was lost.
            for is_done in [false, true] {
                let world = World::new();
                let [one, two] = world.nodes();
                let view = one.view(mode);
                view.put("k", b"old", MINUTE).unwrap();
                match is_done {
                    false => world.level.fail(LevelError::Unavailable),
                    true => world.level.lose_answers(LevelError::Timeout),
                }
                change(&view);
                world.clock.advance(SECOND);
                // It fails to make up for it, and then does.
                assert!(get(&view, "k").is_none(), "{what} {mode:?} {is_done}");
                world.level.recover();
                assert!(get(&view, "k").is_none(), "{what} {mode:?} {is_done}");
                assert!(get(&two.view(mode), "k").is_none(), "{what} {mode:?}");
                assert_eq!(one.levels.stats().repaired, 1);
                // Once.
                two.view(mode).put("k", b"newer", MINUTE).unwrap();
                assert_eq!(get(&view, "k"), bytes(b"newer"), "{what} {mode:?}");
                assert_eq!(one.levels.stats().repaired, 1);
            }
        }
    }
}

#[test]
fn f49_a_later_write_makes_up_for_what_failed() {
    let world = World::new();
    let [node] = world.nodes();
    let view = node.view(L1L2);
    world.level.fail(LevelError::Unavailable);
    view.put("k", b"lost", MINUTE).unwrap();
    world.level.recover();
    view.put("k", b"told", MINUTE).unwrap();
    world.clock.advance(SECOND);
    assert_eq!(get(&view, "k"), bytes(b"told"));
    assert_eq!(node.levels.stats().repaired, 0);

    // A write below a scope whose purge failed comes after that purge.
    world.level.fail(LevelError::Unavailable);
    view.purge().unwrap();
    world.level.recover();
    view.put("l", b"after", MINUTE).unwrap();
    world.clock.advance(SECOND);
    assert_eq!((get(&view, "k"), get(&view, "l")), (None, bytes(b"after")));
    assert_eq!(node.levels.stats().repaired, 1);
}

#[test]
fn e56_an_older_record_that_can_not_be_deleted_for_a_larger_one_is_deleted_later() {
    let world = World::new();
    let [node] = world.nodes();
    let options = LevelOptions::new(L1L2).value_bytes_max(Some(4));
    let view = node.view(options);
    view.put("k", b"old", MINUTE).unwrap();
    world.level.fail(LevelError::Unavailable);
    let put = view.put("k", b"larger", MINUTE).unwrap();
    assert_eq!((put.in_l1, put.in_l2), (true, false));
    world.level.recover();
    world.clock.advance(SECOND);
    assert!(view.get("k").is_none());
}

#[test]
fn e57_f50_a_damaged_record_is_a_miss_until_it_is_replaced() {
    let world = World::new();
    let [node] = world.nodes();
    let view = node.view(L2);
    view.put("k", b"v", MINUTE).unwrap();
    world.level.corrupt();
    assert_eq!(reason(view.lookup("k", SECOND)), MissReason::Corrupt);
    assert_eq!(node.levels.stats().misses_corrupt, 1);
    view.put("k", b"new", MINUTE).unwrap();
    assert_eq!(get(&view, "k"), bytes(b"new"));
}
