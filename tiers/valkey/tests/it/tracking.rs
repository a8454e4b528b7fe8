//! Servers tell of changes: copies live as long as their records, and end when others write; without it, the lifetime of copies is the
//! bound.

use std::time::Duration;

use larder::{LevelMode, LevelOptions, Levels};
use larder_valkey::{Breaking, Config, Protocol};

use LevelMode::L1L2;

use crate::server::{Server, is_installed, server};
use crate::world::{MINUTE, Node, PATIENT, SECOND, bytes, get, until};

const BRISK: Breaking = Breaking {
    failures: 5,
    pause_min: Duration::from_millis(5),
    pause_max: Duration::from_millis(20),
};

fn tracking(config: Config) -> Node {
    let node = Node::new(config.breaking(BRISK).tracking(true));
    until("it follows", || node.levels.follows());
    node
}

#[test]
fn a_132_a_133_e_51_with_tracking_copies_stay_and_others_writes_end_them_at_once() {
    let server = server!();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let config = Config::one(server.address()).protocol(protocol);
        let (writer, node) = (Node::new(config.clone()), tracking(config));
        let (there, view) = (writer.view(L1L2), node.view(L1L2));
        let here = node.cache.scope("s").unwrap();
        there.put("k", b"one", MINUTE).unwrap();
        there.put("l", b"l", MINUTE).unwrap();
        // Its own counters have begun by now, which is told as well.
        until("a copy stays", || {
            assert_eq!(get(&view, "k"), bytes(b"one"));
            get(&view, "l") == bytes(b"l") && here.ttl("k").is_some_and(|ttl| ttl > Some(SECOND))
        });
        // No clock of the cache moves: what ends a copy is what is told.
        there.put("k", b"two", MINUTE).unwrap();
        until("the write is seen", || get(&view, "k") == bytes(b"two"));
        assert_eq!(there.remove("k"), Ok(true));
        until("the removal is seen", || get(&view, "k").is_none());
        there.put("k", b"three", MINUTE).unwrap();
        until("the write is seen", || get(&view, "k") == bytes(b"three"));
        there.purge().unwrap();
        until("the purge is seen", || {
            get(&view, "k").is_none() && get(&view, "l").is_none()
        });
        let stats = node.servers.stats();
        assert!(stats.invalidations >= 4 && stats.tracks == 1, "{stats:?}");
        redis::cmd("FLUSHALL").exec(&mut server.client()).unwrap();
    }
}

#[test]
fn a_132_a_record_that_its_server_drops_is_dropped_here() {
    let server = server!();
    let config = Config::one(server.address());
    let (writer, node) = (Node::new(config.clone()), tracking(config));
    let view = node.view(L1L2);
    for command in ["FLUSHALL", "FLUSHDB"] {
        writer.view(L1L2).put("k", b"v", MINUTE).unwrap();
        until("it is copied", || get(&view, "k") == bytes(b"v"));
        redis::cmd(command).exec(&mut server.client()).unwrap();
        until("it is dropped", || get(&view, "k").is_none());
    }
}

#[test]
fn e_51_when_tracking_breaks_its_copies_end_and_the_lifetime_is_the_bound() {
    let mut server = server!();
    let config = Config::one(server.address());
    let (writer, node) = (Node::new(config.clone()), tracking(config));
    let view = node.view(L1L2);
    let here = node.cache.scope("s").unwrap();
    let copied = |node: &Node, is_long: bool| {
        writer.view(L1L2).put("k", b"v", MINUTE).unwrap();
        let view = node.view(L1L2);
        until("it is copied", || {
            get(&view, "k") == bytes(b"v") && (here.ttl("k").flatten() > Some(SECOND)) == is_long
        });
    };
    copied(&node, true);
    server.kill();
    // That nothing is told any more is known first, so that no copy comes which is kept for long; then those there are end.
    until("it is seen", || !node.levels.follows() && here.is_empty());
    // Back, but for a while without telling: nobody may track.
    server.restart();
    until("it tells again", || node.levels.follows());
    copied(&node, true);
    let acl = redis::cmd("ACL")
        .arg("SETUSER")
        .arg("default")
        .arg("-client|tracking")
        .clone();
    acl.exec(&mut server.client()).unwrap();
    let kill = redis::cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .clone();
    let _ = kill.exec(&mut server.client());
    until("it is seen", || !node.levels.follows() && here.is_empty());
    copied(&node, false);
    assert_eq!(here.ttl("k"), Some(Some(SECOND)));
    writer.view(L1L2).put("k", b"w", MINUTE).unwrap();
    node.clock.advance(SECOND);
    assert_eq!(get(&view, "k"), bytes(b"w"));
    let stats = node.servers.stats();
    assert_eq!((stats.tracks, stats.tracks_lost), (2, 2));
}

#[test]
fn e_51_without_tracking_nothing_follows_and_a_level_that_is_gone_is_not_followed() {
    let server = server!();
    let node = Node::new(Config::one(server.address()));
    assert!(!node.levels.follows());
    let options = LevelOptions::new(L1L2);
    let clients = || {
        let list: String = redis::cmd("CLIENT")
            .arg("LIST")
            .query(&mut server.client())
            .unwrap();
        list.lines()
            .filter(|line| line.contains("resp=3") || line.contains("flags=t"))
            .count()
    };
    let tracked = tracking(Config::one(server.address()));
    until("there is a listener", || clients() > 0);
    let levels: Levels = tracked.levels.clone();
    drop(tracked);
    assert!(levels.follows());
    let cache = larder::Cache::<[u8]>::builder()
        .max_entries(9)
        .build()
        .unwrap();
    let view = levels.view(cache.scope("s").unwrap(), options.timeout(PATIENT));
    view.put("k", b"v", MINUTE).unwrap();
    drop(levels);
    until("the listener goes", || clients() == 0);
}

#[test]
fn e_51_f49_a_master_that_was_replaced_unseen_is_believed_no_more() {
    if !is_installed() {
        return;
    }
    let old = Server::start_on(&[], &[]);
    let new = Server::start_on(&[old.port], &[]);
    let sentinel = Server::start_on(&[old.port, new.port], &["--sentinel"]);
    let ask = |arguments: &[&str]| {
        let mut ask = redis::cmd("SENTINEL");
        ask.arg(arguments).exec(&mut sentinel.client()).unwrap();
    };
    let name = |server: &Server| {
        let port = server.port.to_string();
        ask(&["MONITOR", "shop", "127.0.0.1", &port, "1"]);
    };
    name(&old);
    let node = tracking(Config::sentinel(vec![sentinel.address()], "shop"));
    // The old one knows nothing of it, and goes on answering; nobody calls.
    ask(&["REMOVE", "shop"]);
    name(&new);
    until("the new one is followed", || {
        node.servers.stats().tracks == 2 && node.levels.follows()
    });
    let (writer, view) = (Node::new(Config::one(new.address())), node.view(L1L2));
    for value in [b"one", b"two"] {
        let put = writer.view(L1L2).put("k", value, MINUTE).unwrap();
        assert!(put.in_l2);
        until("it is seen", || get(&view, "k") == bytes(value));
    }
}
