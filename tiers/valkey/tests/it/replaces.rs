//! Records that are stored on condition, and in one round trip, on a real server and on one that looks at the order of things.

use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use larder::{LevelMode, Loaded, Ttl, WriteOptions};
use larder_valkey::{Address, Config};

use LevelMode::{L1L2, L2};

use crate::faulty;
use crate::server::server;
use crate::world::{MINUTE, Node, bytes, get};

/// Stale as soon as it is stored.
const STALE: Ttl = Ttl::after(Duration::from_nanos(1)).stale(MINUTE);

fn load(node: &Node, mode: LevelMode, load: impl FnOnce()) -> Option<Vec<u8>> {
    let found = node.view(mode).get_or_load("k", MINUTE, || {
        load();
        Ok::<_, ()>(Loaded::Value(b"loaded".to_vec()))
    });
    found.unwrap().map(|entry| entry.to_vec())
}

#[test]
fn e46_f49_what_is_loaded_takes_no_place_but_that_of_what_was_seen() {
    let server = server!();
    for mode in [L1L2, L2] {
        for before in [None, Some(STALE)] {
            let [one, two] = [(); 2].map(|()| Node::new(Config::one(server.address())));
            redis::cmd("FLUSHALL").exec(&mut server.client()).unwrap();
            if let Some(ttl) = before {
                let put = WriteOptions::new().ttl(ttl);
                two.view(mode).put("k", b"before", put).unwrap();
            }
            let got = load(&one, mode, || {
                two.view(mode).put("k", b"newer", MINUTE).unwrap();
            });
            assert_eq!(got, bytes(b"loaded"));
            assert_eq!(get(&one.view(mode), "k"), bytes(b"newer"));
            assert_eq!(one.levels.stats().overtaken, 1);
            // Where nobody comes between, it is stored.
            let put = WriteOptions::new().ttl(STALE);
            two.view(L2).put("k", b"before", put).unwrap();
            one.clock.advance(MINUTE);
            assert_eq!(load(&one, mode, || ()), bytes(b"loaded"));
            assert_eq!(get(&two.view(L2), "k"), bytes(b"loaded"));
            assert_eq!(one.levels.stats().overtaken, 1);
            // A connection that watched is as good as any afterwards.
            assert_eq!(one.servers.stats().closed, 0);
        }
    }
}

#[test]
fn e46_f49_under_load_no_put_is_lost_to_a_load() {
    let server = server!();
    let nodes = [(); 2].map(|()| Node::new(Config::one(server.address())));
    // What loaders load from: a number that grows, which is put after it has grown.
    let (origin, is_over) = (AtomicU64::new(1), AtomicBool::new(false));
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().parse::<u64>().unwrap();
    thread::scope(|scope| {
        for node in &nodes {
            let (origin, is_over) = (&origin, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let options = WriteOptions::new().ttl(STALE);
                    let loaded = node.view(L2).get_or_load("k", options, || {
                        let value = origin.load(Ordering::SeqCst).to_string();
                        thread::yield_now();
                        Ok::<_, ()>(Loaded::Value(value.into_bytes()))
                    });
                    loaded.unwrap();
                }
            });
        }
        let writer = Node::new(Config::one(server.address()));
        let view = writer.view(L2);
        for n in 2..300_u64 {
            origin.store(n, Ordering::SeqCst);
            let put = view.put("k", n.to_string(), WriteOptions::new().ttl(STALE));
            assert!(put.unwrap().in_l2);
            let found = number(&get(&view, "k").unwrap());
            assert!(found >= n, "{found} came over {n}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    // Nobody writes any more, and a load stores again.
    assert_eq!(load(&nodes[0], L2, || ()), bytes(b"loaded"));
    assert_eq!(get(&nodes[1].view(L2), "k"), bytes(b"loaded"));
    let stats = nodes.each_ref().map(|node| node.levels.stats());
    assert_eq!(stats.map(|stats| stats.write_errors), [0, 0]);
}

/// Answers a put, and then another one only when all of it has come.
#[test]
fn a_put_whose_path_was_read_before_is_one_round_trip() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut requests = BufReader::new(client.try_clone().unwrap());
        let mut came = |name: &[u8]| {
            let request = faulty::read(&mut requests).unwrap();
            assert_eq!(request[0], name, "{request:?}");
            request
        };
        let counters = |n_counters: usize| {
            let one = b"$2\r\n42\r\n".repeat(n_counters);
            [format!("*{n_counters}\r\n").as_bytes(), &one].concat()
        };
        let n_counters = came(b"MGET").len() - 1;
        client.write_all(&counters(n_counters)).unwrap();
        came(b"SET");
        client.write_all(b"+OK\r\n").unwrap();
        // Nothing is answered before both are here.
        came(b"MGET");
        came(b"SET");
        client.write_all(&counters(n_counters)).unwrap();
        client.write_all(b"+OK\r\n").unwrap();
        // A scope has ended meanwhile: the record goes out again, under the stamp that holds.
        came(b"MGET");
        let first = came(b"SET");
        let ended = b"$2\r\n43\r\n".repeat(n_counters);
        let ended = [format!("*{n_counters}\r\n").as_bytes(), &ended].concat();
        client.write_all(&ended).unwrap();
        client.write_all(b"+OK\r\n").unwrap();
        let second = came(b"SET");
        client.write_all(b"+OK\r\n").unwrap();
        assert!(first[1] == second[1] && first[2] != second[2]);
    });
    let node = Node::new(Config::one(Address::new("127.0.0.1", port)));
    for _ in 0..3 {
        let put = node.view(L2).put("k", b"v", MINUTE).unwrap();
        assert!(put.in_l2, "{put:?}");
    }
    server.join().unwrap();
}
