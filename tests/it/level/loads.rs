//! Loaders behind both levels.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use larder::{LevelError, LoadError, LoadOptions, Loaded};

use super::*;

type Loading = Result<Loaded<Vec<u8>>, &'static str>;

fn loads(value: &[u8]) -> impl FnOnce() -> Loading {
    let value = value.to_vec();
    move || Ok(Loaded::Value(value))
}

fn load(
    view: &LevelView<'_>,
    options: impl Into<LoadOptions>,
    load: impl FnOnce() -> Loading,
) -> Option<Vec<u8>> {
    let entry = view.get_or_load("k", options, load).unwrap();
    entry.map(|entry| entry.to_vec())
}

fn needless() -> Loading {
    panic!("there is a value")
}

#[test]
fn e46_what_is_loaded_is_in_both_levels() {
    for mode in [L1, L1L2, L2] {
        let world = World::new();
        let [one, two] = world.nodes();
        let view = one.view(mode);
        let options = WriteOptions::new().ttl(MINUTE).tag(Tag::Json);
        assert_eq!(load(&view, options, loads(b"v")), bytes(b"v"));
        assert_eq!(load(&view, options, needless), bytes(b"v"));
        let entry = view.get("k").unwrap();
        assert_eq!(entry.tag(), Tag::Json);
        assert_eq!(view.ttl("k"), Ok(Some(MINUTE)));
        if mode != L1 {
            assert_eq!(load(&two.view(mode), MINUTE, needless), bytes(b"v"));
        }
    }
}

#[test]
fn e46_z97_of_many_callers_one_loads() {
    const N: usize = 8;
    for mode in [L1L2, L2] {
        let world = World::new();
        let [node] = world.nodes();
        let view = node.view(mode);
        let (barrier, n_loads) = (Barrier::new(N), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..N {
                scope.spawn(|| {
                    barrier.wait();
                    let value = load(&view, MINUTE, || {
                        n_loads.fetch_add(1, Ordering::Relaxed);
                        for _ in 0..100 {
                            thread::yield_now();
                        }
                        Ok(Loaded::Value(b"v".to_vec()))
                    });
                    assert_eq!(value, bytes(b"v"));
                });
            }
        });
        assert_eq!(n_loads.into_inner(), 1, "{mode:?}");
    }
}

#[test]
fn e46_errors_go_to_their_caller_and_absence_is_not_told_to_the_level() {
    for mode in [L1L2, L2] {
        let world = World::new();
        let [one, two] = world.nodes();
        let view = one.view(mode);
        let error = view
            .get_or_load("k", MINUTE, || Loading::Err("no"))
            .unwrap_err();
        assert_eq!(error, LoadError::Loader("no"));
        assert_eq!(load(&view, MINUTE, || Ok(Loaded::Absent(MINUTE))), None);
        let found = view.lookup("k", SECOND);
        assert_eq!(matches!(found, Lookup::Negative), mode == L1L2);
        assert_eq!(world.level.calls(LevelCall::Set), 0);
        // Remembered no longer than a copy is.
        two.view(mode).put("k", b"v", MINUTE).unwrap();
        world.clock.advance(SECOND);
        assert_eq!(get(&view, "k"), bytes(b"v"));
        let too_long = view.get_or_load("l", MINUTE, || {
            Loading::Ok(Loaded::With(vec![1], Duration::ZERO.into()))
        });
        assert!(matches!(too_long, Err(LoadError::Refused(error)) if error.value == [1]));
    }
}

#[test]
fn e46_a_load_that_is_overtaken_overtakes_nothing_in_either_level() {
    for mode in [L1L2, L2] {
        for is_down in [false, true] {
            let world = World::new();
            let [node] = world.nodes();
            let view = node.view(mode);
            load(&view, MINUTE, || {
                if is_down {
                    world.level.fail(LevelError::Unavailable);
                }
                view.put("k", b"new", MINUTE).unwrap();
                world.level.recover();
                Ok(Loaded::Value(b"loaded".to_vec()))
            });
            let told = bytes(b"new").filter(|_| !is_down);
            let here = bytes(b"new").filter(|_| !is_down || mode == L1L2);
            assert_eq!(get(&view, "k"), here, "{mode:?} {is_down}");
            world.clock.advance(SECOND);
            assert_eq!(get(&view, "k"), told, "{mode:?} {is_down}");

            load(&view, MINUTE, || {
                view.purge().unwrap();
                Ok(Loaded::Value(b"loaded".to_vec()))
            });
            view.purge().unwrap();
            load(&view, MINUTE, || {
                view.remove("k").unwrap();
                Ok(Loaded::Value(b"loaded".to_vec()))
            });
            assert_eq!(get(&view, "k"), None);
            load(&view, MINUTE, || {
                view.purge().unwrap();
                Ok(Loaded::Value(b"loaded".to_vec()))
            });
            assert_eq!(get(&view, "k"), None);
        }
    }
}

#[test]
fn e46_e54_while_the_level_fails_values_are_loaded_and_nothing_older_comes_back() {
    for mode in [L1L2, L2] {
        let world = World::new();
        let [one, two] = world.nodes();
        let view = one.view(mode);
        two.view(mode).put("k", b"old", MINUTE).unwrap();
        world.level.fail(LevelError::Unavailable);
        assert_eq!(load(&view, MINUTE, loads(b"new")), bytes(b"new"));
        assert_eq!(get(&view, "k"), bytes(b"new").filter(|_| mode == L1L2));
        world.clock.advance(SECOND);
        world.level.recover();
        assert_eq!(load(&view, MINUTE, loads(b"newer")), bytes(b"newer"));
        world.clock.advance(SECOND);
        assert_eq!(load(&two.view(mode), MINUTE, needless), bytes(b"newer"));
    }
}

#[test]
fn e46_what_is_stale_in_the_level_is_loaded_anew_by_one_and_served_meanwhile() {
    for mode in [L1L2, L2] {
        let world = World::new();
        let [one, two] = world.nodes();
        let ttl = Ttl::after(10 * SECOND).stale(MINUTE);
        one.view(mode).put("k", b"old", ttl).unwrap();
        let view = two.view(mode);
        world.clock.advance(10 * SECOND - Duration::from_nanos(1));
        assert!(matches!(view.lookup("k", SECOND), Lookup::Hit(_)));
        world.clock.advance(SECOND);
        let found = view.lookup("k", SECOND);
        assert!(
            matches!(&found, Lookup::Stale(entry) if entry.is_stale()),
            "{mode:?} {found:?}"
        );
        assert_eq!(value(found), bytes(b"old"));
        // A loader that fails leaves what is stale.
        assert_eq!(load(&view, ttl, || Loading::Err("no")), bytes(b"old"));
        world.clock.advance(2 * SECOND);
        assert_eq!(load(&view, ttl, || Loading::Err("no")), bytes(b"old"));
        world.clock.advance(2 * SECOND);
        assert_eq!(load(&view, ttl, loads(b"new")), bytes(b"new"));
        world.clock.advance(SECOND);
        assert_eq!(value(one.view(mode).lookup("k", SECOND)), bytes(b"new"));
        // What a loader has found to be gone is gone in the level too.
        world.clock.advance(20 * SECOND);
        assert_eq!(
            load(&view, ttl, || Ok(Loaded::Absent(Duration::ZERO))),
            None
        );
        assert!(one.view(mode).get("k").is_none());
    }
}

#[test]
fn what_the_cache_has_no_room_for_is_loaded_into_the_level_and_handed_out() {
    let world = World::new();
    let [one, two] = world.nodes();
    let large = vec![7; 5 << 20];
    let expected = Some(large.clone());
    assert_eq!(load(&one.view(L1L2), MINUTE, loads(&large)), expected);
    assert!(one.cache.is_empty());
    // From the level, by both kinds of reading.
    assert_eq!(load(&two.view(L1L2), MINUTE, needless), expected);
    assert_eq!(get(&two.view(L1L2), "k"), expected);
}

#[test]
fn f31_a_loader_that_asks_for_its_own_key_is_told_and_other_keys_work() {
    for mode in [L1L2, L2] {
        let world = World::new();
        let [node] = world.nodes();
        let view = node.view(mode);
        let value = load(&view, MINUTE, || {
            assert_eq!(reason(view.lookup("k", SECOND)), MissReason::Absent);
            let inner = view.get_or_load("k", MINUTE, loads(b"inner"));
            assert!(matches!(inner, Err(LoadError::Reentrant)));
            view.get_or_load("l", MINUTE, loads(b"other")).unwrap();
            Ok(Loaded::Value(b"v".to_vec()))
        });
        assert_eq!((value, get(&view, "l")), (bytes(b"v"), bytes(b"other")));
    }
}
