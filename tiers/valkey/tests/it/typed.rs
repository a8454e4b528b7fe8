//! Values that are no bytes, on a real server.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use larder::{
    Cache, Encoding, LevelError, LevelMode, LevelOptions, LevelRecord, LevelView, Loaded, Lookup,
    MissReason, Serde, Tag, WriteOptions,
};
use larder_valkey::{Config, open, seal};
use redis::cmd;

use LevelMode::{L1L2, L2};

use crate::server::{Server, server};
use crate::world::{MINUTE, Node, PATIENT, SECOND, bytes, get, reason, until};

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct User {
    name: String,
    age: u8,
}

fn user(name: &str, age: u8) -> Serde<User> {
    let name = name.to_owned();
    Serde(User { name, age })
}

/// A process with a cache of users besides that of bytes.
struct Users {
    node: Node,
    cache: Cache<Serde<User>>,
}

impl Users {
    fn new(config: Config) -> Self {
        let node = Node::new(config);
        let cache = Cache::builder().max_entries(1000).clock(node.clock.clone());
        let cache = cache.build().unwrap();
        Self { node, cache }
    }

    fn view(&self, options: impl Into<LevelOptions>) -> LevelView<'_, Serde<User>> {
        let (levels, scope) = (&self.node.levels, self.cache.scope("s").unwrap());
        levels.view(scope, options.into().timeout(PATIENT))
    }

    fn age(&self, mode: LevelMode, key: &str) -> Option<u8> {
        self.view(mode).get(key).map(|user| user.age)
    }

    fn undecodable(&self) -> u64 {
        let stats = self.node.levels.stats();
        assert_eq!(stats.misses_corrupt, stats.undecodable);
        stats.undecodable
    }
}

fn two(config: &Config) -> [Users; 2] {
    [(); 2].map(|()| Users::new(config.clone()))
}

/// The only record on the server, and its key.
fn stored(server: &Server) -> (Vec<u8>, Vec<u8>) {
    let mut client = server.client();
    let keys: Vec<Vec<u8>> = cmd("KEYS").arg("k*").query(&mut client).unwrap();
    let [key] = <[_; 1]>::try_from(keys).unwrap();
    let record = cmd("GET").arg(&key).query(&mut client).unwrap();
    (key, record)
}

#[test]
fn e_52_e_57_values_of_a_type_are_carried_with_their_time_and_tag() {
    let server = server!();
    for compress_from in [None, Some(16)] {
        let config = Config::one(server.address()).compress_from(compress_from);
        let [one, other] = two(&config);
        let long = user(&"a".repeat(500), 36);
        let options = WriteOptions::new().ttl(MINUTE).tag(Tag::Json);
        let put = one.view(L1L2).put("k", long.clone(), options).unwrap();
        assert_eq!((put.in_l1, put.in_l2, put.error), (true, true, None));
        let (key, record) = stored(&server);
        assert_eq!(record.len() < 300, compress_from.is_some());
        let record = open(&key, record, 0, 1000).unwrap();
        assert_eq!(record.encoding, Encoding::of::<Serde<User>>());
        for mode in [L2, L1L2] {
            let there = other.view(LevelOptions::new(mode).l1_lifetime(None));
            let entry = there.get("k").unwrap();
            assert_eq!((&*entry, entry.tag()), (&long, Tag::Json));
            let left = entry.ttl().unwrap();
            assert!(left <= MINUTE && left > MINUTE / 2, "{left:?}");
        }
        let copy = other.cache.scope("s").unwrap().ttl("k").unwrap();
        assert!(copy.is_some_and(|left| left <= MINUTE && left > SECOND));
        assert_eq!(other.undecodable(), 0);
        // A purge ends them on both sides.
        one.view(L1L2).purge().unwrap();
        other.node.clock.advance(MINUTE);
        assert_eq!((one.age(L1L2, "k"), other.age(L1L2, "k")), (None, None));
    }
}

#[test]
fn e_57_f50_what_another_codec_wrote_is_a_corrupt_record_until_the_next_put() {
    let server = server!();
    let [users, other] = two(&Config::one(server.address()));
    let raw = users.node.view(L2);
    raw.put("k", b"bytes", MINUTE).unwrap();
    let looked = other.view(L1L2).lookup("k", PATIENT);
    assert!(matches!(looked, Lookup::Miss(MissReason::Corrupt)));
    assert_eq!(other.undecodable(), 1);
    // A loader's value takes its place, and is none for who reads bytes.
    let loads = || Ok::<_, ()>(Loaded::Value(user("Ada", 36)));
    let found = other.view(L1L2).get_or_load("k", MINUTE, loads).unwrap();
    assert_eq!(found.unwrap().age, 36);
    assert_eq!(users.age(L2, "k"), Some(36));
    assert_eq!(reason(raw.lookup("k", PATIENT)), MissReason::Corrupt);
    raw.put("k", b"bytes", MINUTE).unwrap();
    assert_eq!(get(&raw, "k"), bytes(b"bytes"));
    // No connection is at fault.
    let stats = users.node.servers.stats();
    assert_eq!((stats.other_key, stats.damaged, stats.foreign), (0, 0, 0));
}

#[test]
fn e_57_f50_a_record_that_is_whole_and_no_value_is_a_corrupt_record() {
    let server = server!();
    let [users, _] = two(&Config::one(server.address()));
    users.view(L2).put("k", user("Ada", 36), MINUTE).unwrap();
    let (key, record) = stored(&server);
    let record = open(&key, record, 0, 1000).unwrap();
    let stamp = record.stamp.unwrap();
    // A name that ends early, one that is no text, and one byte too many.
    for value in [
        &b"\x04Ada"[..],
        b"\x03\xFF\xFF\xFF\x24",
        b"\x03Ada\x24\x00",
        b"",
    ] {
        let forged = LevelRecord {
            ttl: None,
            ..record.clone().with_value(value)
        };
        let forged = seal(&key, forged, stamp, 0, None);
        let mut client = server.client();
        cmd("SET").arg(&key).arg(forged).exec(&mut client).unwrap();
        for mode in [L1L2, L2] {
            let looked = users.view(mode).lookup("k", PATIENT);
            assert!(
                matches!(looked, Lookup::Miss(MissReason::Corrupt)),
                "{value:?}"
            );
        }
    }
    assert_eq!(users.undecodable(), 8);
    users.view(L1L2).put("k", user("Ada", 37), MINUTE).unwrap();
    assert_eq!(users.age(L2, "k"), Some(37));
}

#[test]
fn e_56_a_value_whose_bytes_are_too_many_takes_the_older_record_with_it() {
    let server = server!();
    let config = Config::one(server.address()).value_bytes_max(100);
    let [one, other] = two(&config);
    assert!(
        one.view(L1L2)
            .put("k", user("Ada", 1), MINUTE)
            .unwrap()
            .in_l2
    );
    let long = user(&"a".repeat(100), 2);
    let put = one.view(L1L2).put("k", long, MINUTE).unwrap();
    let value_bytes_max = 100;
    let error = LevelError::TooLarge { value_bytes_max };
    assert_eq!(
        (put.in_l1, put.in_l2, put.error),
        (true, false, Some(error))
    );
    assert_eq!(one.age(L1L2, "k"), Some(2));
    assert_eq!(other.age(L1L2, "k"), None);
    one.node.clock.advance(SECOND);
    assert_eq!(one.age(L1L2, "k"), None);
}

#[test]
fn e_44_values_of_a_type_are_loaded_once_in_a_process_and_once_among_all() {
    let server = server!();
    let nodes = two(&Config::one(server.address()));
    for n in 0..10 {
        let key = &format!("k{n}");
        let (n_loads, begin) = (AtomicU64::new(0), Barrier::new(8));
        thread::scope(|scope| {
            for n in 0..8 {
                let (view, n_loads, begin) = (&nodes[n % 2], &n_loads, &begin);
                scope.spawn(move || {
                    begin.wait();
                    let view = view.view(LevelOptions::new(L1L2).lease(Some(PATIENT)));
                    let found = view.get_or_load(key, MINUTE, || {
                        n_loads.fetch_add(1, Ordering::Relaxed);
                        Ok::<_, ()>(Loaded::Value(user("Ada", 36)))
                    });
                    assert_eq!(found.unwrap().unwrap().age, 36);
                });
            }
        });
        assert_eq!(n_loads.into_inner(), 1);
    }
}

#[test]
fn a_132_e_51_with_tracking_copies_of_each_type_end_when_others_write() {
    let server = server!();
    let [writer, node] = {
        let config = Config::one(server.address());
        [config.clone(), config.tracking(true)].map(Users::new)
    };
    until("it follows", || node.node.levels.follows());
    let ages = || [node.age(L1L2, "u"), node.age(L1L2, "v")];
    writer.view(L1L2).put("u", user("Ada", 1), MINUTE).unwrap();
    writer.view(L1L2).put("v", user("Bob", 2), MINUTE).unwrap();
    // Of the same scope, in the cache of bytes.
    let raw = writer.node.view(L1L2);
    raw.put("b", b"one", MINUTE).unwrap();
    let here = (
        node.cache.scope("s").unwrap(),
        node.node.cache.scope("s").unwrap(),
    );
    until("copies stay", || {
        assert_eq!(ages(), [Some(1), Some(2)]);
        assert_eq!(get(&node.node.view(L1L2), "b"), bytes(b"one"));
        let is_long = |ttl: Option<Option<_>>| ttl.is_some_and(|ttl| ttl > Some(SECOND));
        is_long(here.0.ttl("u")) && is_long(here.0.ttl("v")) && is_long(here.1.ttl("b"))
    });
    writer.view(L1L2).put("u", user("Ada", 3), MINUTE).unwrap();
    raw.put("b", b"two", MINUTE).unwrap();
    until("the writes are seen", || {
        ages() == [Some(3), Some(2)] && get(&node.node.view(L1L2), "b") == bytes(b"two")
    });
    raw.purge().unwrap();
    until("the purge is seen", || {
        ages() == [None, None] && node.node.view(L1L2).get("b").is_none()
    });
}
