//! What comes late, and what comes at the same time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use larder::{Key, KeyWriter, LevelError, Loaded};

use super::*;
use crate::tools::SetAtEnd;

#[test]
fn e51_e52_a_copy_ends_with_its_record_however_long_the_level_took() {
    let world = World::new();
    let [node] = world.nodes();
    let options = LevelOptions::new(L1L2).l1_lifetime(None).timeout(MINUTE);
    let view = node.view(options);
    let here = node.cache.scope("s").unwrap();
    let ttl = Ttl::after(8 * SECOND).stale(2 * SECOND);
    let put = |key: &str| assert!(view.put(key, b"v", ttl).unwrap().in_l2);
    let load = || Ok::<_, ()>(Loaded::Value(b"v"));
    let load = |key: &str| drop(view.get_or_load(key, ttl, load).unwrap());
    let stored_while = |call, work: &(dyn Fn(&str) + Sync), key: &str, span| {
        // The record is stored, and its writer hears of it later.
        let hold = world.level.hold_after(call);
        thread::scope(|scope| {
            let work = scope.spawn(|| work(key));
            hold.wait();
            world.clock.advance(span);
            hold.release();
            work.join().unwrap();
        });
    };
    for (call, work) in [
        (LevelCall::Set, &put as &(dyn Fn(&str) + Sync)),
        (LevelCall::Replace, &load),
    ] {
        let key = format!("{call:?}");
        stored_while(call, work, &key, 5 * SECOND);
        assert_eq!(view.ttl(&key[..]), Ok(Some(5 * SECOND)));
        assert_eq!(here.ttl(&key[..]), Some(Some(5 * SECOND)));
        world.clock.advance(3 * SECOND);
        assert!(matches!(here.lookup(&key[..]), Lookup::Stale(_)));
        world.clock.advance(2 * SECOND);
        assert!(here.get(&key[..]).is_none() && view.get(&key[..]).is_none());
        // None of it is left; what was loaded was there for its caller.
        let key = format!("{call:?} late");
        stored_while(call, work, &key, 10 * SECOND);
        world.clock.advance(Duration::from_nanos(1));
        assert!(here.get(&key[..]).is_none());
    }
}

#[test]
fn e45_a_level_that_is_slower_than_its_time_is_a_miss_at_the_limit() {
    for mode in [L1L2, L2] {
        let world = World::new();
        let [one, two] = world.nodes();
        one.view(mode).put("k", b"v", MINUTE).unwrap();
        let view = two.view(mode);
        for answers_late in [false, true] {
            world.level.delay(2 * SECOND, answers_late);
            assert_eq!(reason(view.lookup("k", SECOND)), MissReason::Timeout);
            assert!(two.cache.is_empty(), "a late answer was kept");
        }
        world.level.delay(SECOND / 2, false);
        assert_eq!(value(view.lookup("k", SECOND)), bytes(b"v"));
        // No time, no call.
        let before = world.calls();
        assert_eq!(
            reason(view.lookup("l", Duration::ZERO)),
            MissReason::Timeout
        );
        assert_eq!(world.calls(), before);
        let stats = two.levels.stats();
        assert_eq!((stats.late, stats.misses_timeout), (1, 3));
    }
}

#[test]
fn e45_a_hit_in_the_cache_takes_none_of_the_time() {
    let world = World::new();
    let [node] = world.nodes();
    let view = node.view(L1L2);
    view.put("k", b"v", MINUTE).unwrap();
    assert_eq!(value(view.lookup("k", Duration::ZERO)), bytes(b"v"));
}

#[test]
fn e45_who_waits_for_another_caller_waits_no_longer_than_it_may() {
    let world = World::new();
    let [node] = world.nodes();
    let view = node.view(L1L2);
    let hold = world.level.hold_after(LevelCall::Get);
    thread::scope(|scope| {
        let leader = scope.spawn(|| view.lookup("k", MINUTE));
        hold.wait();
        let found = view.lookup("k", Duration::from_millis(5));
        assert_eq!(reason(found), MissReason::Timeout);
        hold.release();
        assert_eq!(reason(leader.join().unwrap()), MissReason::Absent);
    });
}

/// Has `meanwhile` run while a fill holds an older record that it has read, and says what the cache has afterwards.
fn raced(mode: LevelMode, meanwhile: impl FnOnce(&LevelView<'_>)) -> (World, Option<Vec<u8>>) {
    let world = World::new();
    let [one, two] = world.nodes();
    one.view(mode).put("k", b"old", MINUTE).unwrap();
    let view = two.view(mode);
    let hold = world.level.hold_after(LevelCall::Get);
    let after = thread::scope(|scope| {
        let fill = scope.spawn(|| view.lookup("k", MINUTE));
        hold.wait();
        meanwhile(&view);
        hold.release();
        fill.join().unwrap();
        get(&view, "k")
    });
    // The copy ends, and what the level has comes.
    world.clock.advance(SECOND);
    assert_eq!(get(&view, "k"), after);
    (world, after)
}

#[test]
fn e45_e49_a_fill_that_comes_late_does_not_overwrite_a_newer_put_removal_or_purge() {
    for mode in [L1L2, L2] {
        let (_, after) = raced(mode, |view| {
            assert!(view.put("k", b"new", MINUTE).unwrap().in_l2)
        });
        assert_eq!(after, bytes(b"new"));
        let (_, after) = raced(mode, |view| assert_eq!(view.remove("k"), Ok(true)));
        assert_eq!(after, None);
        let (_, after) = raced(mode, |view| view.purge().unwrap());
        assert_eq!(after, None);
    }
}

#[test]
fn f49_a_fill_does_not_overwrite_what_the_level_was_not_told() {
    for mode in [L1L2, L2] {
        let down = larder::LevelError::Unavailable;
        let world = World::new();
        let [one, two] = world.nodes();
        one.view(mode).put("k", b"old", MINUTE).unwrap();
        let view = two.view(mode);
        let hold = world.level.hold_after(LevelCall::Get);
        thread::scope(|scope| {
            let fill = scope.spawn(|| view.lookup("k", MINUTE));
            hold.wait();
            world.level.fail(down);
            let put = view.put("k", b"new", MINUTE).unwrap();
            assert_eq!(
                (put.in_l1, put.in_l2, put.error),
                (mode == L1L2, false, Some(down))
            );
            world.level.recover();
            hold.release();
            fill.join().unwrap();
        });
        assert_eq!(get(&view, "k"), bytes(b"new").filter(|_| mode == L1L2));
        world.clock.advance(SECOND);
        assert_eq!(get(&view, "k"), None, "{mode:?}");
    }
}

#[test]
fn e44_a_put_that_races_a_purge_comes_wholly_before_it_or_wholly_after() {
    for (mode, call, is_before) in [
        (L1L2, LevelCall::Set, true),
        (L1L2, LevelCall::Set, false),
        (L2, LevelCall::Set, true),
        (L2, LevelCall::Set, false),
    ] {
        let world = World::new();
        let [node] = world.nodes();
        let view = node.view(mode);
        let hold = match is_before {
            true => world.level.hold_before(call),
            false => world.level.hold_after(call),
        };
        thread::scope(|scope| {
            let put = scope.spawn(|| view.put("k", b"v", MINUTE).unwrap());
            hold.wait();
            view.purge().unwrap();
            hold.release();
            put.join().unwrap();
        });
        // The level has stored it after the purge, or before: both levels agree.
        let expected = bytes(b"v").filter(|_| is_before);
        assert_eq!(get(&view, "k"), expected, "{mode:?} {is_before}");
        world.clock.advance(SECOND);
        assert_eq!(get(&view, "k"), expected, "{mode:?} {is_before}");
    }
}

#[test]
fn n3_writes_of_one_key_come_to_both_levels_in_one_order() {
    let world = World::new();
    let [node] = world.nodes();
    let view = node.view(L1L2);
    let hold = world.level.hold_after(LevelCall::Set);
    thread::scope(|scope| {
        let first = scope.spawn(|| view.put("k", b"first", MINUTE).unwrap());
        hold.wait();
        // Another key doesn't wait.
        view.put("l", b"other", MINUTE).unwrap();
        let before = world.calls();
        let second = scope.spawn(|| {
            let patient = node.view(LevelOptions::new(L1L2).timeout(MINUTE));
            patient.put("k", b"second", MINUTE).unwrap()
        });
        // The second one may or may not have come to wait; it doesn't reach the level.
        for _ in 0..100 {
            thread::yield_now();
        }
        assert_eq!(world.calls(), before);
        hold.release();
        first.join().unwrap();
        second.join().unwrap();
    });
    assert_eq!(get(&view, "k"), bytes(b"second"));
    world.clock.advance(SECOND);
    assert_eq!(get(&view, "k"), bytes(b"second"));
}

#[test]
fn who_does_not_get_to_write_in_time_leaves_nothing_that_could_be_older() {
    for mode in [L1L2, L2] {
        let world = World::new();
        let [node] = world.nodes();
        let view = node.view(mode);
        let hasty = node.view(LevelOptions::new(mode).timeout(Duration::from_millis(5)));
        let hold = world.level.hold_after(LevelCall::Set);
        thread::scope(|scope| {
            let first = scope.spawn(|| view.put("k", b"first", MINUTE).unwrap());
            hold.wait();
            let put = hasty.put("k", b"second", MINUTE).unwrap();
            assert_eq!((put.in_l1, put.in_l2), (false, false));
            assert_eq!(put.error, Some(larder::LevelError::Timeout));
            hold.release();
            first.join().unwrap();
        });
        world.clock.advance(SECOND);
        assert_eq!(get(&view, "k"), None);
    }
}

/// A key that counts how often it is encoded.
struct Seen<'a> {
    name: &'a str,
    n_times: &'a AtomicU64,
}

impl Key for Seen<'_> {
    fn write_parts(&self, out: &mut KeyWriter<'_>) {
        self.n_times.fetch_add(1, Ordering::SeqCst);
        out.bytes(self.name.as_bytes());
    }
}

#[test]
fn e46_of_many_who_miss_one_key_one_asks_the_level() {
    const N: usize = 8;
    let world = World::new();
    let [one, two] = world.nodes();
    one.view(L1L2).put("present", b"v", MINUTE).unwrap();
    let view = two.view(L1L2);
    for (name, expected, gets_max) in [("present", bytes(b"v"), 1), ("absent", None, 2)] {
        let before = world.level.calls(LevelCall::Get);
        let hold = world.level.hold_after(LevelCall::Get);
        let n_times = [const { AtomicU64::new(0) }; N];
        thread::scope(|scope| {
            let callers = n_times.each_ref().map(|n_times| {
                let (key, view) = (Seen { name, n_times }, &view);
                scope.spawn(move || value(view.lookup(key, MINUTE)))
            });
            hold.wait();
            // Twice for a look that misses; from the third time on, a caller has begun to ask.
            let have_begun = || n_times.iter().all(|n| n.load(Ordering::SeqCst) >= 3);
            while !have_begun() {
                thread::yield_now();
            }
            hold.release();
            for caller in callers {
                assert_eq!(caller.join().unwrap(), expected);
            }
        });
        let gets = world.level.calls(LevelCall::Get) - before;
        assert!((1..=gets_max).contains(&gets), "{name}: {gets} calls");
    }
}

/// One writes ever larger numbers under one key, or removes and purges; the level fails, loses answers and comes back; copies
/// end. Nobody may read what is older than what was done when the reading began.
#[test]
fn n2_f49_nobody_reads_what_is_older_than_a_write_that_was_done() {
    const N: u64 = 400;
    for mode in [L1L2, L2] {
        let world = World::new();
        let [node] = world.nodes();
        // Nobody waits long for anybody.
        let view = node.view(LevelOptions::new(mode).timeout(MINUTE));
        // The number that was last begun, and the one that was last done.
        let (begun, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let is_over = std::sync::atomic::AtomicBool::new(false);
        let check = |read: Option<u64>, before: u64| {
            if let Some(number) = read {
                let last = begun.load(Ordering::SeqCst);
                assert!(
                    (before..=last).contains(&number),
                    "{before} <= {number} <= {last}"
                );
            }
        };
        let number = |entry: larder::Entry<[u8]>| u64::from_le_bytes(entry[..].try_into().unwrap());
        thread::scope(|scope| {
            scope.spawn(|| {
                let _over = SetAtEnd(&is_over);
                for step in 1..=N {
                    begun.store(step, Ordering::SeqCst);
                    match step % 8 {
                        3 => drop(view.remove("k")),
                        5 => view.purge().unwrap(),
                        _ => drop(view.put("k", step.to_le_bytes(), MINUTE)),
                    }
                    done.store(step, Ordering::SeqCst);
                    thread::yield_now();
                }
            });
            scope.spawn(|| {
                for turn in 0_u64.. {
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    match turn % 5 {
                        0 => world.level.fail(LevelError::Unavailable),
                        1 => world.level.lose_answers(LevelError::Unavailable),
                        _ => world.level.recover(),
                    }
                    world.clock.advance(SECOND / 2);
                    thread::yield_now();
                }
            });
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let before = done.load(Ordering::SeqCst);
                    check(view.lookup("k", MINUTE).entry().map(number), before);
                }
            });
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let before = done.load(Ordering::SeqCst);
                    let loaded = view.get_or_load("k", MINUTE, || {
                        // What is behind the cache is changed first.
                        let source = begun.load(Ordering::SeqCst);
                        thread::yield_now();
                        Ok::<_, ()>(Loaded::Value(source.to_le_bytes()))
                    });
                    check(loaded.unwrap().map(number), before);
                }
            });
        });
    }
}
