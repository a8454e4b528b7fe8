//! Faults 47 to 50, on the server that does them on request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::{LevelMode, LevelOptions, Lookup, MissReason};
use larder_valkey::{Breaking, Config};

use LevelMode::{L1L2, L2};

use crate::faulty::{FAULTS, Faulty, Way};
use crate::world::{MINUTE, Node, PATIENT, SECOND, bytes, get, reason, until};

/// What a busy machine may add to a call. A server that hangs does so for ever, so who waits for it is late by any measure.
const SLACK: Duration = Duration::from_secs(5);

/// Never leaves the server alone.
const NEVER: Breaking = Breaking {
    failures: u32::MAX,
    pause_min: Duration::ZERO,
    pause_max: Duration::ZERO,
};

fn node(server: &Faulty) -> Node {
    Node::new(Config::one(server.address()).breaking(NEVER))
}

#[test]
fn f47_of_ten_thousand_faults_none_swaps_an_answer_or_keeps_a_caller() {
    const N_FAULTS: u64 = 10_000;
    let server = Faulty::start();
    let node = node(&server);
    let keys: Vec<String> = (0..64).map(|n| format!("key {n}")).collect();
    let put = |view: &larder::LevelView<'_>, key: &str| {
        // It names itself, and is as long as its number says, so that answers are of many lengths.
        let filler = "x".repeat(key.len() * 7 % 50);
        view.put(key, format!("{key}:{filler}").into_bytes(), MINUTE)
            .unwrap();
    };
    for key in &keys {
        put(&node.view(L2), key);
    }
    let here = node.view(LevelOptions::new(L1L2).l1_lifetime(None));
    here.put("here", b"h", 3600 * SECOND).unwrap();
    server.follow(|number| {
        let drawn = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        match drawn % 4 {
            0 => Way::Right,
            // The quick ones more often than those that take a caller's whole time.
            1 => FAULTS[drawn as usize / 4 % FAULTS.len()],
            _ => [
                Way::Previous,
                Way::Twice,
                Way::More,
                Way::Truncated,
                Way::Garbage,
            ][drawn as usize / 4 % 5],
        }
    });
    let (n_hits, n_late) = (AtomicU64::new(0), AtomicU64::new(0));
    let limit = Duration::from_millis(10);
    // Each fault is seen for what it is.
    let has_seen_enough = || {
        let stats = node.servers.stats();
        let n_hits = n_hits.load(Ordering::Relaxed);
        n_hits > 500 && stats.other_key > 100 && stats.unasked > 100
    };
    let at_first = Instant::now();
    thread::scope(|scope| {
        for thread in 0..4_usize {
            let (server, node, here, keys) = (&server, &node, &here, &keys);
            let (n_hits, n_late, has_seen_enough) = (&n_hits, &n_late, &has_seen_enough);
            scope.spawn(move || {
                let view = node.levels.view(
                    node.cache.scope("s").unwrap(),
                    LevelOptions::new(L2).timeout(limit),
                );
                for n in thread.. {
                    // On a busy machine most calls may be out of time for a while.
                    if server.n_faults() >= N_FAULTS && has_seen_enough() {
                        break;
                    }
                    let key = &keys[n * 31 % keys.len()][..];
                    let begun = Instant::now();
                    match n % 8 {
                        0 => put(&view, key),
                        1 if n % 64 == 1 => drop(view.remove(key)),
                        _ => match view.lookup(key, limit) {
                            Lookup::Hit(entry) => {
                                let named = entry.starts_with(format!("{key}:").as_bytes());
                                assert!(named, "{key} got {}", entry.escape_ascii());
                                n_hits.fetch_add(1, Ordering::Relaxed);
                            }
                            Lookup::Miss(_) => {}
                            found => panic!("{found:?}"),
                        },
                    }
                    if begun.elapsed() > 2 * limit + SLACK {
                        n_late.fetch_add(1, Ordering::Relaxed);
                    }
                    assert_eq!(get(here, "here"), bytes(b"h"));
                    let stats = node.servers.stats();
                    assert!(at_first.elapsed() < 15 * PATIENT, "{stats:?}");
                }
            });
        }
    });
    assert_eq!(n_late.into_inner(), 0);
}

#[test]
fn f47_a_connection_whose_answer_was_late_or_too_much_is_closed() {
    for way in [
        Way::Hang,
        Way::Late,
        Way::Stalled,
        Way::Twice,
        Way::More,
        Way::Garbage,
    ] {
        let server = Faulty::start();
        let node = node(&server);
        let view = node.view(L2);
        view.put("one", b"1", MINUTE).unwrap();
        view.put("two", b"2", MINUTE).unwrap();
        let connects = node.servers.stats().connects;
        server.all(way);
        match way {
            // An answer comes, and is too much.
            Way::Twice | Way::More => assert_eq!(get(&view, "one"), bytes(b"1")),
            Way::Garbage => assert_eq!(get(&view, "one"), None),
            // None does. Who has no time left before it has asked closes nothing.
            _ => until("the connection is closed", || {
                let _ = view.lookup("one", Duration::from_millis(30));
                node.servers.stats().closed > 0
            }),
        }
        server.all(Way::Right);
        assert_eq!(get(&view, "two"), bytes(b"2"), "{way:?}");
        let stats = node.servers.stats();
        assert_eq!((stats.connects, stats.closed), (connects + 1, 1), "{way:?}");
        assert_eq!(
            stats.unasked,
            u64::from(matches!(way, Way::Twice | Way::More))
        );
    }
}

#[test]
fn f48_whatever_the_server_does_a_call_is_over_in_time_and_the_cache_serves() {
    for way in FAULTS {
        let server = Faulty::start();
        let node = node(&server);
        let view = node.view(L1L2);
        view.put("k", b"v", MINUTE).unwrap();
        view.put("l", b"v", MINUTE).unwrap();
        assert!(node.view(L2).get("l").is_some());
        server.all(way);
        assert_eq!(get(&view, "k"), bytes(b"v"), "{way:?}");
        node.clock.advance(SECOND);
        let limit = match way {
            Way::Hang | Way::Late | Way::Stalled | Way::Drip => Duration::from_millis(40),
            // They say something at once, on a busy machine in its time.
            _ => PATIENT,
        };
        let begun = Instant::now();
        let found = view.lookup("k", limit);
        assert!(begun.elapsed() < limit + SLACK, "{way:?}");
        let expected = match way {
            // What was asked for has come, whatever else has.
            Way::Twice | Way::More => None,
            // The answer to the request before: that for the other key.
            Way::Previous => Some(MissReason::Corrupt),
            Way::Hang | Way::Stalled | Way::Drip => Some(MissReason::Timeout),
            // The limit, or the answer: it comes as the machine is busy.
            Way::Late => continue,
            // It is longer than is taken.
            Way::Huge => Some(MissReason::Corrupt),
            _ => Some(MissReason::Unavailable),
        };
        match expected {
            None => assert!(matches!(found, Lookup::Hit(_)), "{way:?}"),
            Some(expected) => assert_eq!(reason(found), expected, "{way:?}"),
        }
        let options = LevelOptions::new(L1L2).timeout(limit);
        let quick = node.levels.view(node.cache.scope("s").unwrap(), options);
        quick.put("k", b"w", MINUTE).unwrap();
        assert_eq!(get(&quick, "k"), bytes(b"w"), "{way:?}");
    }
}

#[test]
fn f48_a_server_that_hangs_is_left_alone_and_found_again() {
    let server = Faulty::start();
    let breaking = Breaking {
        failures: 3,
        pause_min: Duration::from_millis(30),
        pause_max: Duration::from_millis(30),
    };
    let node = Node::new(Config::one(server.address()).breaking(breaking));
    let view = node.view(L2);
    view.put("k", b"v", MINUTE).unwrap();
    server.all(Way::Hang);
    until("it is left alone", || {
        let found = view.lookup("k", Duration::from_millis(20));
        assert_eq!(reason(found), MissReason::Timeout);
        node.servers.stats().breaks > 0
    });
    // From here on callers don't wait, but for one now and then.
    let (before, begun) = (server.n_requests(), Instant::now());
    let n_calls = 2000;
    for _ in 0..n_calls {
        let reason = reason(view.lookup("k", Duration::from_millis(20)));
        assert!(matches!(
            reason,
            MissReason::Unavailable | MissReason::Timeout
        ));
    }
    let trials = server.n_requests() - before;
    let pauses = begun.elapsed().as_millis() as u64 / 30;
    assert!(trials <= pauses + 1, "{trials} trials in {pauses} pauses");
    assert!(node.servers.stats().turned_away >= n_calls - trials - 1);
    assert_eq!(node.servers.stats().breaks, 1);
    server.all(Way::Right);
    let begun = Instant::now();
    while view.get("k").is_none() {
        assert!(begun.elapsed() < PATIENT);
        thread::yield_now();
    }
    assert_eq!(get(&view, "k"), bytes(b"v"));
}

#[test]
fn f49_what_a_server_brings_back_from_before_never_replaces_what_is_newer_here() {
    let server = Faulty::start();
    let node = node(&server);
    let view = node.view(L1L2);
    view.put("k", b"old", MINUTE).unwrap();
    let behind = server.texts();
    view.put("k", b"new", MINUTE).unwrap();
    // It fails over to a replica that is behind.
    server.fall_back(behind);
    assert_eq!(get(&view, "k"), bytes(b"new"));
    assert!(matches!(view.lookup("k", PATIENT), Lookup::Hit(entry) if &entry[..] == b"new"));
    // What this process couldn't tell it is told before it is asked again.
    server.all(Way::Close);
    view.put("k", b"newer", MINUTE).unwrap();
    view.remove("gone").unwrap();
    server.all(Way::Right);
    node.clock.advance(SECOND);
    assert_eq!(get(&view, "k"), None);
    assert!(!server.texts().keys().any(|key| key.starts_with(b"k")));
}

#[test]
fn f49_a_purge_that_the_server_did_not_get_is_made_up_for() {
    let server = Faulty::start();
    let node = node(&server);
    let view = node.view(L1L2);
    view.put("k", b"old", MINUTE).unwrap();
    for way in [Way::Close, Way::Error, Way::Garbage] {
        server.all(way);
        view.purge().unwrap();
        assert_eq!(get(&view, "k"), None);
        server.all(Way::Right);
        assert_eq!(get(&view, "k"), None, "{way:?}");
        view.put("k", b"new", MINUTE).unwrap();
        assert_eq!(get(&node.view(L2), "k"), bytes(b"new"));
    }
}
