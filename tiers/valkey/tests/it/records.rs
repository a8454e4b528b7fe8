//! What is stored on the server, and what of it is believed.

use std::time::Duration;

use larder::{
    Cache, LevelMode, LevelOptions, LevelRecord, Loaded, Lookup, MissReason, Tag, Ttl, WriteOptions,
};
use larder_valkey::{Config, open, seal};

use LevelMode::{L1L2, L2};

use crate::server::{Server, server};
use crate::world::{MINUTE, Node, PATIENT, SECOND, bytes, get, reason};

/// The key of the only record on the server.
fn stored_key(server: &Server) -> Vec<u8> {
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS")
        .arg("k*")
        .query(&mut server.client())
        .unwrap();
    let [key] = <[_; 1]>::try_from(keys).unwrap();
    key
}

#[test]
fn e_57_records_expire_on_the_server_itself() {
    let server = server!();
    let node = Node::new(Config::one(server.address()));
    let view = node.view(L2);
    let pttl = |ttl: Ttl| {
        view.put("k", b"v", ttl).unwrap();
        let mut ask = redis::cmd("PTTL");
        let left: i64 = ask
            .arg(stored_key(&server))
            .query(&mut server.client())
            .unwrap();
        left
    };
    let left = pttl(MINUTE.into());
    assert!(left <= 60_000 && left > 30_000, "{left}");
    assert_eq!(pttl(Ttl::NEVER), -1);
    assert!(pttl(Duration::from_secs(1 << 33).into()) > 0);
}

#[test]
fn e_52_stale_spans_and_tags_are_carried() {
    let server = server!();
    let [one, two] = [(); 2].map(|()| Node::new(Config::one(server.address())));
    let options = |fresh| {
        let ttl = Ttl::after(fresh).stale(MINUTE);
        WriteOptions::new().ttl(ttl).tag(Tag::Json)
    };
    one.view(L1L2).put("k", b"v", options(MINUTE)).unwrap();
    let found = two.view(L1L2).lookup("k", PATIENT);
    assert!(matches!(&found, Lookup::Hit(entry) if entry.tag() == Tag::Json));
    let moment = Duration::from_micros(1);
    one.view(L1L2).put("l", b"v", options(moment)).unwrap();
    let found = two.view(L1L2).lookup("l", PATIENT);
    assert!(
        matches!(&found, Lookup::Stale(entry) if &entry[..] == b"v"),
        "{found:?}"
    );
}

#[test]
fn f50_e_57_what_is_no_record_of_the_key_is_a_miss_and_is_counted() {
    let server = server!();
    let node = Node::new(Config::one(server.address()));
    let view = node.view(L2);
    let mut client = server.client();
    view.put("other", b"v", MINUTE).unwrap();
    let other: Vec<u8> = redis::cmd("GET")
        .arg(stored_key(&server))
        .query(&mut client)
        .unwrap();
    assert_eq!(view.remove("other"), Ok(true));
    view.put("k", b"v", MINUTE).unwrap();
    let key = stored_key(&server);
    let whole: Vec<u8> = redis::cmd("GET").arg(&key).query(&mut client).unwrap();
    let mut version = whole.clone();
    version[4] += 1;
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for stored in [
        &other[..],
        &version,
        &damaged,
        &whole[..20],
        b"",
        b"a value of somebody else",
    ] {
        let set: () = redis::cmd("SET")
            .arg(&key)
            .arg(stored)
            .query(&mut client)
            .unwrap();
        let () = set;
        assert_eq!(reason(view.lookup("k", PATIENT)), MissReason::Corrupt);
    }
    let stats = node.servers.stats();
    assert_eq!((stats.other_key, stats.other_version), (1, 1));
    assert_eq!((stats.damaged, stats.foreign), (2, 2));
    assert_eq!(node.levels.stats().misses_corrupt, 6);
    // The next write is as if nothing had been.
    view.put("k", b"new", MINUTE).unwrap();
    assert_eq!(get(&view, "k"), bytes(b"new"));
}

#[test]
fn f50_a_key_of_another_type_is_a_miss_and_is_overwritten() {
    let server = server!();
    let node = Node::new(Config::one(server.address()));
    let view = node.view(L2);
    view.put("k", b"v", MINUTE).unwrap();
    let key = stored_key(&server);
    let mut client = server.client();
    let mut spoil = || {
        let mut push = redis::cmd("LPUSH");
        let _: () = redis::cmd("DEL").arg(&key).query(&mut client).unwrap();
        let _: () = push.arg(&key).arg(1).query(&mut client).unwrap();
    };
    spoil();
    assert!(view.get("k").is_none());
    view.put("k", b"new", MINUTE).unwrap();
    assert_eq!(get(&view, "k"), bytes(b"new"));
    spoil();
    let load = || Ok::<_, ()>(Loaded::Value(b"loaded"));
    view.get_or_load("k", MINUTE, load).unwrap();
    assert_eq!(get(&view, "k"), bytes(b"loaded"));
}

#[test]
fn f50_a_record_whose_time_ran_out_is_expired_also_if_the_server_kept_it() {
    let server = server!();
    let node = Node::new(Config::one(server.address()));
    let view = node.view(L2);
    view.put("k", b"v", MINUTE).unwrap();
    let key = stored_key(&server);
    let mut client = server.client();
    let whole: Vec<u8> = redis::cmd("GET").arg(&key).query(&mut client).unwrap();
    let record = open(&key, whole, 0, 100).unwrap();
    let stamp = record.stamp.unwrap();
    // The same, written long ago.
    let record = LevelRecord {
        ttl: Some(MINUTE),
        ..record
    };
    let old = seal(&key, record.clone().with_value(b"v"), stamp, 1, None);
    let set = redis::cmd("SET").arg(&key).arg(old).clone();
    let _: () = set.query(&mut client).unwrap();
    assert_eq!(reason(view.lookup("k", PATIENT)), MissReason::Expired);
    assert_eq!(node.levels.stats().misses_expired, 1);
}

#[test]
fn e_58_name_spaces_never_meet_and_any_byte_may_be_in_a_key() {
    let server = server!();
    let nodes = [&b"one"[..], b"two", b"", b"on\0\r\n*1"]
        .map(|space| Node::with_name_space(Config::one(server.address()), space));
    let keys: [&[u8]; 5] = [b"k", b"\r\n$-1\r\n", b"\0", &[0xFF; 300], b"{tag}"];
    for (n, node) in nodes.iter().enumerate() {
        for key in keys {
            let found = node.view(L2).get(key);
            assert!(found.is_none(), "{n}: {key:?}");
            node.view(L2).put(key, [n as u8], MINUTE).unwrap();
        }
    }
    for (n, node) in nodes.iter().enumerate() {
        for key in keys {
            assert_eq!(node.view(L2).get(key).unwrap()[..], [n as u8]);
        }
        node.view(L2).purge().unwrap();
        assert!(keys.iter().all(|&key| node.view(L2).get(key).is_none()));
    }
}

#[test]
fn e_59_a_purge_is_one_step_of_one_counter_also_among_a_million_keys() {
    let server = server!("--enable-debug-command", "yes");
    let mut client = server.client();
    let populate = redis::cmd("DEBUG").arg("POPULATE").arg(1_000_000).clone();
    let _: () = populate.query(&mut client).unwrap();
    let [one, two] = [(); 2].map(|()| Node::new(Config::one(server.address())));
    let scopes = [("s", None), ("s", Some("t")), ("u", None)];
    let put_all = |value: &[u8]| {
        for (outer, nested) in scopes {
            let scope = one.cache.scope(outer).unwrap();
            let scope = nested.map_or(scope.clone(), |name| scope.scope(name).unwrap());
            one.levels.view(scope, L2).put("k", value, MINUTE).unwrap();
        }
    };
    let seen = || {
        scopes.map(|(outer, nested)| {
            let scope = two.cache.scope(outer).unwrap();
            let scope = nested.map_or(scope.clone(), |name| scope.scope(name).unwrap());
            two.levels.view(scope, L2).get("k").is_some()
        })
    };
    put_all(b"v");
    assert_eq!(seen(), [true; 3]);
    let commands = [
        "incr", "set", "del", "scan", "keys", "mget", "flushdb", "unlink",
    ];
    let before = commands.map(|command| server.calls(command));
    one.view(L2).purge().unwrap();
    let after = commands.map(|command| server.calls(command));
    let made: Vec<u64> = after
        .iter()
        .zip(before)
        .map(|(after, before)| after - before)
        .collect();
    // One step; and the offer of a number to begin with, which the counter has.
    assert_eq!(made, [1, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(seen(), [false, false, true]);
    put_all(b"w");
    assert_eq!(seen(), [true; 3]);
}

#[test]
fn e_59_lost_counters_lose_records_and_bring_none_back() {
    let server = server!();
    let node = Node::new(Config::one(server.address()));
    let view = node.view(L2);
    let mut client = server.client();
    for _ in 0..3 {
        view.put("k", b"v", MINUTE).unwrap();
        view.purge().unwrap();
        view.put("l", b"v", MINUTE).unwrap();
        let counters: Vec<Vec<u8>> = redis::cmd("KEYS").arg("g*").query(&mut client).unwrap();
        let _: () = redis::cmd("DEL").arg(counters).query(&mut client).unwrap();
        assert!(view.get("k").is_none() && view.get("l").is_none());
    }
}

#[test]
fn f50_e_59_what_stands_in_the_place_of_counters_is_written_over() {
    let server = server!();
    let [one, two] = [(); 2].map(|()| Node::new(Config::one(server.address())));
    let mut client = server.client();
    one.view(L2).put("k", b"old", MINUTE).unwrap();
    let counters: Vec<Vec<u8>> = redis::cmd("KEYS").arg("g*").query(&mut client).unwrap();
    assert_eq!(counters.len(), 2);
    for (writes, junk) in [
        ("SET", "x"),
        ("SET", "99999999999999999999"),
        ("RPUSH", "1"),
    ] {
        let spoil = |client: &mut redis::Connection| {
            for counter in &counters {
                let mut write = redis::cmd(writes);
                let _: () = redis::cmd("DEL").arg(counter).query(client).unwrap();
                let _: () = write.arg(counter).arg(junk).query(client).unwrap();
            }
        };
        spoil(&mut client);
        assert_eq!(
            reason(one.view(L2).lookup("k", PATIENT)),
            MissReason::Absent
        );
        one.view(L2).put("k", b"read", MINUTE).unwrap();
        assert_eq!(get(&two.view(L2), "k"), bytes(b"read"), "{junk}");
        spoil(&mut client);
        let put = two.view(L2).put("k", b"put", MINUTE).unwrap();
        assert_eq!(put.error, None, "{junk}");
        assert_eq!(get(&one.view(L2), "k"), bytes(b"put"), "{junk}");
        spoil(&mut client);
        one.view(L2).purge().unwrap();
        assert_eq!(get(&two.view(L2), "k"), None, "{junk}");
    }
}

#[test]
fn e_56_a_value_that_is_too_long_stays_in_the_cache_and_the_older_record_goes() {
    let server = server!();
    let [one, two] =
        [(); 2].map(|()| Node::new(Config::one(server.address()).value_bytes_max(100)));
    let view = one.view(L1L2);
    view.put("k", b"old", MINUTE).unwrap();
    let put = view.put("k", [b'v'; 101], MINUTE).unwrap();
    assert!(put.in_l1 && !put.in_l2 && put.error.is_some());
    assert_eq!(view.get("k").unwrap().len(), 101);
    assert!(two.view(L2).get("k").is_none());
    one.clock.advance(SECOND);
    assert!(view.get("k").is_none());
}

#[test]
fn f50_a_record_that_is_longer_than_is_taken_here_is_a_miss_and_nothing_else() {
    let server = server!();
    let [long, short] = [1 << 20, 100_000].map(|value_bytes_max| {
        Node::new(Config::one(server.address()).value_bytes_max(value_bytes_max))
    });
    let value = vec![7; 1 << 20];
    long.view(L2).put("long", &value[..], MINUTE).unwrap();
    long.view(L2).put("k", b"v", MINUTE).unwrap();
    for _ in 0..20 {
        let found = short.view(L2).lookup("long", PATIENT);
        assert_eq!(reason(found), MissReason::Corrupt);
    }
    let stats = short.servers.stats();
    assert_eq!((stats.damaged, stats.breaks), (20, 0), "{stats:?}");
    assert_eq!(get(&short.view(L2), "k"), bytes(b"v"));
    short.view(L2).put("long", b"short", MINUTE).unwrap();
    assert_eq!(get(&short.view(L2), "long"), bytes(b"short"));
}

#[test]
fn e_57_values_of_all_lengths_come_back() {
    let server = server!();
    let config = Config::one(server.address());
    let compressing = config.clone().compress_from(Some(4096));
    // Who compresses nothing reads what others have compressed.
    let [node, reader] = [compressing, config].map(Node::new);
    let lengths = [0, 1, 4095, 4096, 16_383, 16_384, 16_385, 100_000, 3_000_000];
    for len in lengths {
        let noise = (0..len as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8);
        let noise = noise.collect();
        for value in [vec![b'v'; len], noise] {
            let cache: Cache<[u8]> = Cache::builder().max_bytes(1 << 26).build().unwrap();
            let view = node.levels.view(
                cache.scope("s").unwrap(),
                LevelOptions::new(L2).timeout(PATIENT),
            );
            view.put("k", &value[..], MINUTE).unwrap();
            let other = reader.view(LevelOptions::new(L2));
            for view in [&view, &other] {
                let found = view.get("k");
                assert!(found.is_some_and(|found| found[..] == value), "{len}");
            }
        }
    }
}
