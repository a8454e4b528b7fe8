//! E-54, E-55, E-60: a real server that is killed, and comes back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::{LevelError, LevelMode, LevelOptions, LevelRefusal, Lookup, MissReason, OnLevelError};
use larder_valkey::{Breaking, Config};

use LevelMode::{L1L2, L2};

use crate::server::server;
use crate::world::{MINUTE, Node, PATIENT, SECOND, bytes, get, reason};

/// Soon after the server is back, everything works again.
fn brisk() -> Breaking {
    Breaking {
        failures: 5,
        pause_min: Duration::from_millis(1),
        pause_max: Duration::from_millis(20),
    }
}

/// Looks until the level answers.
fn until_back(node: &Node) {
    let begun = Instant::now();
    while let Lookup::Miss(MissReason::Unavailable | MissReason::Timeout) =
        node.view(L2).lookup("back", PATIENT)
    {
        assert!(begun.elapsed() < PATIENT, "{:?}", node.servers.stats());
        thread::yield_now();
    }
}

#[test]
fn e_54_e_55_without_the_server_reads_miss_and_writes_go_by_the_policy() {
    let mut server = server!();
    let node = Node::new(Config::one(server.address()));
    let view = node.view(L1L2);
    view.put("k", b"v", MINUTE).unwrap();
    server.kill();
    assert_eq!(get(&view, "k"), bytes(b"v"));
    node.clock.advance(SECOND);
    assert_eq!(reason(view.lookup("k", PATIENT)), MissReason::Unavailable);
    let put = view.put("k", b"w", MINUTE).unwrap();
    assert_eq!(
        (put.in_l1, put.in_l2, put.error),
        (true, false, Some(LevelError::Unavailable))
    );
    assert_eq!(get(&view, "k"), bytes(b"w"));
    let alone = node.view(L2).put("l", b"w", MINUTE).unwrap();
    assert_eq!((alone.in_l1, alone.in_l2), (false, false));
    let failing = node.view(LevelOptions::new(L1L2).on_error(OnLevelError::Fail));
    let refusal = failing.put("k", b"x", MINUTE).unwrap_err().refusal;
    assert_eq!(refusal, LevelRefusal::Level(LevelError::Unavailable));
    assert!(node.levels.stats().misses_unavailable == 1);
}

#[test]
fn e_60_what_was_written_while_it_was_away_is_never_undone_by_what_it_has() {
    let mut server = server!();
    let node = Node::new(Config::one(server.address()).breaking(brisk()));
    let view = node.view(L1L2);
    view.put("back", b"v", MINUTE).unwrap();
    server.kill();
    view.put("k", b"new", MINUTE).unwrap();
    server.restart();
    // The server has an older record, as one that comes back from a disk.
    let other = Node::new(Config::one(server.address()));
    other.view(L2).put("k", b"old", MINUTE).unwrap();
    assert_eq!(get(&view, "k"), bytes(b"new"));
    until_back(&node);
    node.clock.advance(SECOND);
    assert_eq!(get(&view, "k"), None, "the debt is paid first");
    assert!(node.levels.stats().repaired >= 1);
    view.put("k", b"newer", MINUTE).unwrap();
    assert_eq!(get(&other.view(L2), "k"), bytes(b"newer"));
}

#[test]
fn f48_e_60_a_kill_and_restart_under_load_is_survived_in_time() {
    let mut server = server!();
    let node = Node::new(Config::one(server.address()).breaking(brisk()));
    let limit = Duration::from_millis(250);
    let is_over = AtomicBool::new(false);
    let (n_calls, n_hits_here, n_late) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let pinned = node.view(LevelOptions::new(L1L2).l1_lifetime(None));
    pinned.put("pinned", b"p", 3600 * SECOND).unwrap();
    // So many more calls.
    let pass = |n_more: u64| {
        let n = n_calls.load(Ordering::Relaxed) + n_more;
        while n_calls.load(Ordering::Relaxed) < n {
            thread::yield_now();
        }
    };
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (node, is_over) = (&node, &is_over);
            let (n_calls, n_hits_here, n_late) = (&n_calls, &n_hits_here, &n_late);
            scope.spawn(move || {
                let view = node.view(LevelOptions::new(L2));
                let cached = node.view(L1L2);
                for n in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let key = format!("{thread}-{}", n % 50);
                    let begun = Instant::now();
                    // It names itself in its value.
                    match view.lookup(&key[..], limit) {
                        Lookup::Hit(entry) => assert_eq!(&entry[..], key.as_bytes()),
                        Lookup::Miss(_) => {}
                        found => panic!("{found:?}"),
                    }
                    if begun.elapsed() > limit + SLACK {
                        n_late.fetch_add(1, Ordering::Relaxed);
                    }
                    if n % 3 == 0 {
                        view.put(&key[..], key.as_bytes(), MINUTE).unwrap();
                    }
                    assert_eq!(get(&cached, "pinned"), bytes(b"p"));
                    n_hits_here.fetch_add(1, Ordering::Relaxed);
                    n_calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..5 {
            pass(1000);
            server.kill();
            pass(1000);
            server.restart();
            until_back(&node);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(n_late.into_inner(), 0);
    let stats = node.servers.stats();
    assert!(stats.breaks >= 5 && stats.turned_away > 100, "{stats:?}");
    // Nobody storms a server that is away: attempts are few beside the calls that were turned away.
    assert!(stats.connect_errors < stats.turned_away, "{stats:?}");
    assert_eq!(stats.other_key, 0);
}

/// What a busy machine may add to a call.
const SLACK: Duration = Duration::from_millis(250);
