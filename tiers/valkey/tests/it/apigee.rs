//! Two nodes on one server, as tell it.

use larder::{Cache, LevelMode, LevelOptions, Levels, MissReason};
use larder_valkey::Config;

use LevelMode::{L1, L1L2, L2};

use crate::server::server;
use crate::world::{MINUTE, Node, PATIENT, SECOND, bytes, get, reason};

#[test]
fn a_130_what_is_put_on_one_node_is_in_its_cache_and_on_the_server() {
    let server = server!();
    let [one, two] = [(); 2].map(|()| Node::new(Config::one(server.address())));
    let put = one.view(L1L2).put("k", b"v", MINUTE).unwrap();
    assert_eq!((put.in_l1, put.in_l2, put.error), (true, true, None));
    assert_eq!((one.cache.len(), two.cache.len()), (1, 0));
    // The record, and the counters of its path: the name space's and the scope's.
    let n_keys: u64 = redis::cmd("DBSIZE").query(&mut server.client()).unwrap();
    assert_eq!(n_keys, 3);
}

#[test]
fn a_131_e_52_e_53_another_node_finds_it_and_keeps_it_for_what_is_left() {
    let server = server!();
    let [one, two] = [(); 2].map(|()| Node::new(Config::one(server.address())));
    let ttl = MINUTE / 2;
    one.view(L1L2).put("k", b"v", ttl).unwrap();
    let view = two.view(LevelOptions::new(L1L2).l1_lifetime(None));
    assert_eq!(get(&view, "k"), bytes(b"v"));
    let here = two.cache.scope("s").unwrap();
    let left = here.ttl("k").unwrap().unwrap();
    assert!(left < ttl && left > ttl - PATIENT, "{left:?}");
    let calls = server.calls("mget");
    assert_eq!(get(&view, "k"), bytes(b"v"));
    assert_eq!(server.calls("mget"), calls, "it was kept");
}

#[test]
fn a_132_e_51_a_copy_lives_a_second_and_never_longer_than_its_record() {
    let server = server!();
    let [one, two] = [(); 2].map(|()| Node::new(Config::one(server.address())));
    let (view, other) = (one.view(L1L2), two.view(L1L2));
    view.put("long", b"v", MINUTE).unwrap();
    view.put("short", b"v", SECOND / 2).unwrap();
    let (here, there) = (one.cache.scope("s").unwrap(), two.cache.scope("s").unwrap());
    assert_eq!(here.ttl("long"), Some(Some(SECOND)));
    assert_eq!(here.ttl("short"), Some(Some(SECOND / 2)));
    assert_eq!(get(&other, "long"), bytes(b"v"));
    assert_eq!(there.ttl("long"), Some(Some(SECOND)));
}

#[test]
fn a_133_e_53_others_see_overwrites_and_deletions_within_a_second() {
    let server = server!();
    let [one, two] = [(); 2].map(|()| Node::new(Config::one(server.address())));
    let (view, other) = (one.view(L1L2), two.view(L1L2));
    for change in [true, false] {
        view.put("k", b"old", MINUTE).unwrap();
        two.clock.advance(SECOND);
        assert_eq!(get(&other, "k"), bytes(b"old"));
        let now = if change {
            view.put("k", b"new", MINUTE).unwrap();
            bytes(b"new")
        } else {
            assert_eq!(view.remove("k"), Ok(true));
            None
        };
        assert_eq!(get(&view, "k"), now);
        two.clock
            .advance(SECOND - std::time::Duration::from_nanos(1));
        assert_eq!(get(&other, "k"), bytes(b"old"));
        two.clock.advance(std::time::Duration::from_nanos(1));
        assert_eq!(get(&other, "k"), now);
    }
}

#[test]
fn a_134_what_leaves_a_full_cache_is_served_from_the_server() {
    let server = server!();
    let mut node = Node::new(Config::one(server.address()));
    node.cache = Cache::builder().max_entries(10).build().unwrap();
    let view = node.view(L1L2);
    let keys: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    for key in &keys {
        view.put(&key[..], key.as_bytes(), MINUTE).unwrap();
    }
    assert!(node.cache.len() <= 10);
    for key in &keys {
        assert_eq!(get(&view, key), bytes(key.as_bytes()));
    }
    assert!(node.levels.stats().hits >= 90);
}

#[test]
fn a_135_what_nobody_has_is_absent() {
    let server = server!();
    let node = Node::new(Config::one(server.address()));
    for mode in [L1L2, L2] {
        assert_eq!(
            reason(node.view(mode).lookup("k", PATIENT)),
            MissReason::Absent
        );
    }
    assert_eq!(node.levels.stats().misses_absent, 2);
}

#[test]
fn a_136_e_50_without_a_server_entries_live_their_whole_time_in_the_cache() {
    let server = server!();
    let node = Node::new(Config::one(server.address()));
    let none = Levels::none();
    let scope = node.cache.scope("t").unwrap();
    for view in [node.view(L1), none.view(scope, L1)] {
        view.put("k", b"v", MINUTE).unwrap();
        node.clock.advance(MINUTE - SECOND);
        assert_eq!(get(&view, "k"), bytes(b"v"));
        node.clock.advance(SECOND);
        assert_eq!(get(&view, "k"), None);
    }
    assert_eq!(node.servers.stats().connects, 0);
}
