//! Of many processes that miss one key, one loads it.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::{LevelMode, LevelOptions, Loaded};
use larder_valkey::Config;

use LevelMode::L1L2;

use crate::faulty::{Faulty, Way};
use crate::server::server;
use crate::world::{MINUTE, Node, PATIENT, bytes, until};

fn load(node: &Node, lease: Option<Duration>, key: &str, load: impl FnOnce()) -> Option<Vec<u8>> {
    let view = node.view(LevelOptions::new(L1L2).lease(lease));
    let found = view.get_or_load(key, MINUTE, || {
        load();
        Ok::<_, ()>(Loaded::Value(b"v"))
    });
    found.unwrap().map(|entry| entry.to_vec())
}

#[test]
fn e_44_with_a_lease_one_node_of_all_loads() {
    let server = server!();
    let nodes: Vec<Node> = (0..4)
        .map(|_| Node::new(Config::one(server.address())))
        .collect();
    let leases = [Some(PATIENT); 20].into_iter().chain([None]);
    for (n, lease) in leases.enumerate() {
        let key = format!("k{n}");
        let (n_loads, begin) = (AtomicU64::new(0), Barrier::new(nodes.len()));
        thread::scope(|scope| {
            for node in &nodes {
                let (n_loads, begin, key, server) = (&n_loads, &begin, &key, &server);
                scope.spawn(move || {
                    begin.wait();
                    let found = load(node, lease, key, || {
                        n_loads.fetch_add(1, Ordering::Relaxed);
                        // Without a lease all are here at once.
                        if lease.is_none() {
                            begin.wait();
                        } else {
                            // Who loads asks for nothing: it is another one who asks for the lease.
                            let n_sets = server.calls("set");
                            until("another asks for it", || server.calls("set") > n_sets);
                        }
                    });
                    assert_eq!(found, bytes(b"v"));
                });
            }
        });
        let expected = if lease.is_some() { 1 } else { 4 };
        assert_eq!(n_loads.into_inner(), expected);
    }
    let leases: Vec<Vec<u8>> = redis::cmd("KEYS")
        .arg("l*")
        .query(&mut server.client())
        .unwrap();
    assert!(leases.is_empty(), "each was given back");
}

#[test]
fn e_44_a_lease_ends_with_its_span_whatever_became_of_who_had_it() {
    let server = server!();
    let [one, two] = [(); 2].map(|()| Node::new(Config::one(server.address())));
    let span = Duration::from_millis(60);
    let begun = Instant::now();
    // It loads for longer than it may, and meanwhile the other one does.
    load(&one, Some(span), "k", || {
        let found = load(&two, Some(span), "k", || ());
        assert_eq!(found, bytes(b"v"));
        assert!(begun.elapsed() >= span);
    });
    // A loader that fails gives it back at once.
    let view = one.view(LevelOptions::new(L1L2).lease(Some(PATIENT)));
    let begun = Instant::now();
    let fails = view.get_or_load("fails", MINUTE, || Err::<Loaded<&[u8]>, _>(()));
    assert!(fails.is_err());
    load(&two, Some(PATIENT), "fails", || ());
    assert!(begun.elapsed() < PATIENT);
}

#[test]
fn e_44_who_gives_a_lease_back_late_leaves_the_next_ones_alone() {
    let server = server!();
    let [one, two] = [(); 2].map(|()| Node::new(Config::one(server.address())));
    let options = |span| LevelOptions::new(L1L2).lease(Some(span));
    let n_leases = || {
        let mut keys = redis::cmd("KEYS");
        let keys: Vec<Vec<u8>> = keys.arg("l*").query(&mut server.client()).unwrap();
        keys.len()
    };
    let short = Duration::from_millis(30);
    let (here, there) = (one.view(options(short)), two.view(options(PATIENT)));
    let late = here.lease("k").unwrap();
    // It waits for the end of that one's span.
    let next = there.lease("k").unwrap();
    here.release("k", late);
    assert_eq!(n_leases(), 1);
    there.release("k", next);
    assert_eq!(n_leases(), 0);
}

#[test]
fn e_44_f48_a_server_that_fails_keeps_nobody_from_loading() {
    let server = Faulty::start();
    let node = Node::new(Config::one(server.address()));
    for way in [Way::Close, Way::Loading, Way::Garbage, Way::Error] {
        server.all(way);
        let found = load(&node, Some(PATIENT), &format!("{way:?}"), || ());
        assert_eq!(found, bytes(b"v"));
    }
}
