//! A cluster of three masters with a replica each, and a master that sentinels watch: they serve, and a failover under load is survived.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::{LevelMode, LevelOptions, Lookup};
use larder_valkey::{Breaking, Config};

use LevelMode::L2;

use crate::server::{self, Server, is_installed};
use crate::world::{MINUTE, Node, PATIENT, bytes, get};

const BRISK: Breaking = Breaking {
    failures: 5,
    pause_min: Duration::from_millis(5),
    pause_max: Duration::from_millis(50),
};

/// Waits for a server to say so. Servers find each other in their own time.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        // Most of what they bring about they say in their logs.
        server::wait_for_log(Duration::from_millis(20));
    }
}

fn ask(server: &Server, command: &[&str]) -> redis::RedisResult<redis::Value> {
    let (name, arguments) = command.split_first().unwrap();
    redis::cmd(name).arg(arguments).query(&mut server.client())
}

fn text(server: &Server, command: &[&str]) -> String {
    match ask(server, command).unwrap() {
        redis::Value::BulkString(text) => String::from_utf8(text).unwrap(),
        redis::Value::VerbatimString { text, .. } => text,
        other => panic!("{other:?}"),
    }
}

/// Whether a server says so of its part in replication. While that changes, it may hang up.
fn says(server: &Server, what: &str) -> bool {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}/", server.port));
    let told = client.and_then(|client| {
        let mut connection = client.get_connection()?;
        redis::cmd("INFO")
            .arg("replication")
            .query::<String>(&mut connection)
    });
    told.is_ok_and(|told| told.contains(what))
}

/// Three masters, then their replicas.
fn cluster() -> Option<Vec<Server>> {
    if !is_installed() {
        return None;
    }
    let mut servers: Vec<Server> = Vec::new();
    for _ in 0..6 {
        let taken: Vec<u16> = servers.iter().map(|server| server.port).collect();
        let arguments = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "600",
            "--cluster-require-full-coverage",
            "no",
            "--repl-diskless-sync-delay",
            "0",
        ];
        servers.push(Server::start_on(&taken, &arguments));
    }
    for (n, [first, last]) in [[0, 5460], [5461, 10_922], [10_923, 16_383]]
        .iter()
        .enumerate()
    {
        let range = [first.to_string(), last.to_string()];
        ask(
            &servers[n],
            &["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]],
        )
        .unwrap();
    }
    for server in &servers[1..] {
        let port = servers[0].port.to_string();
        ask(server, &["CLUSTER", "MEET", "127.0.0.1", &port]).unwrap();
    }
    let knows = |server: &Server, what: &str| text(server, &["CLUSTER", "INFO"]).contains(what);
    until("they know each other", || {
        servers.iter().all(|server| {
            knows(server, "cluster_known_nodes:6") && knows(server, "cluster_slots_assigned:16384")
        })
    });
    for n in 0..3 {
        let master = text(&servers[n], &["CLUSTER", "MYID"]);
        until("it takes its master", || {
            ask(&servers[n + 3], &["CLUSTER", "REPLICATE", &master]).is_ok()
        });
    }
    until("all is well", || {
        servers
            .iter()
            .all(|server| knows(server, "cluster_state:ok"))
            && servers[3..]
                .iter()
                .all(|server| says(server, "master_link_status:up"))
    });
    Some(servers)
}

#[test]
fn e_61_a_cluster_serves_and_nodes_that_are_asked_in_vain_name_the_right_one() {
    let Some(servers) = cluster() else { return };
    let [one, two] = [(); 2].map(|()| Node::new(Config::cluster(vec![servers[0].address()])));
    let keys: Vec<String> = (0..60).map(|n| format!("key {n}")).collect();
    for key in &keys {
        let put = one.view(L2).put(&key[..], key.as_bytes(), MINUTE).unwrap();
        assert!(put.in_l2, "{put:?}");
    }
    for key in &keys {
        assert_eq!(get(&two.view(L2), key), bytes(key.as_bytes()));
    }
    let size = |server: &Server| match ask(server, &["DBSIZE"]).unwrap() {
        redis::Value::Int(size) => size,
        other => panic!("{other:?}"),
    };
    assert!(
        servers[..3].iter().all(|server| size(server) > 5),
        "keys are on all nodes"
    );
    // A purge is one counter, wherever the records are.
    one.view(L2).purge().unwrap();
    assert!(keys.iter().all(|key| get(&two.view(L2), key).is_none()));
    assert_eq!(two.servers.stats().redirects, 0);

    // A slot moves: who isn't told finds out.
    for key in &keys {
        one.view(L2).put(&key[..], key.as_bytes(), MINUTE).unwrap();
    }
    let ids: Vec<String> = servers[..3]
        .iter()
        .map(|server| text(server, &["CLUSTER", "MYID"]))
        .collect();
    let redis::Value::Array(some) = ask(&servers[0], &["KEYS", "k*"]).unwrap() else {
        panic!()
    };
    let redis::Value::BulkString(moved) = &some[0] else {
        panic!()
    };
    let slot: i64 = redis::cmd("CLUSTER")
        .arg("KEYSLOT")
        .arg(moved)
        .query(&mut servers[0].client())
        .unwrap();
    let slot = slot.to_string();
    ask(
        &servers[1],
        &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[0]],
    )
    .unwrap();
    ask(
        &servers[0],
        &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[1]],
    )
    .unwrap();
    let port = servers[1].port.to_string();
    let migrate = redis::cmd("MIGRATE")
        .arg("127.0.0.1")
        .arg(&port)
        .arg(moved)
        .arg(0)
        .arg(5000)
        .clone();
    let _: () = migrate.query(&mut servers[0].client()).unwrap();
    let all = || {
        keys.iter()
            .all(|key| get(&two.view(L2), key) == bytes(key.as_bytes()))
    };
    assert!(all(), "asked once");
    let asked = two.servers.stats().redirects;
    assert!(asked > 0);
    for server in [1, 0, 2] {
        ask(
            &servers[server],
            &["CLUSTER", "SETSLOT", &slot, "NODE", &ids[1]],
        )
        .unwrap();
    }
    assert!(all(), "moved");
    let moved = two.servers.stats().redirects;
    assert!(moved > asked && all());
    assert_eq!(two.servers.stats().redirects, moved, "it is remembered");
}

/// Sets a flag when it is dropped.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls for records that name themselves while `disturb` runs, each of them in time; and afterwards all works.
fn under_load(node: &Node, disturb: impl FnOnce()) {
    let limit = Duration::from_millis(300);
    let is_over = AtomicBool::new(false);
    let (n_late, n_hits, n_calls) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let pinned = node.view(LevelOptions::new(LevelMode::L1L2).l1_lifetime(None));
    pinned
        .put("pinned", b"p", 3600 * crate::world::SECOND)
        .unwrap();
    thread::scope(|scope| {
        for thread in 0..2 {
            let (is_over, n_late, n_hits, n_calls, pinned) =
                (&is_over, &n_late, &n_hits, &n_calls, &pinned);
            scope.spawn(move || {
                let options = LevelOptions::new(L2).timeout(limit);
                for n in (thread..).step_by(2) {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let view = node.levels.view(node.cache.scope("s").unwrap(), options);
                    let key = format!("key {}", n % 60);
                    let begun = Instant::now();
                    if let Lookup::Hit(entry) = view.lookup(&key[..], limit) {
                        assert_eq!(&entry[..], key.as_bytes());
                        n_hits.fetch_add(1, Ordering::Relaxed);
                    }
                    let late = begun.elapsed() > limit + Duration::from_millis(300);
                    n_late.fetch_add(u64::from(late), Ordering::Relaxed);
                    view.put(&key[..], key.as_bytes(), MINUTE).unwrap();
                    assert_eq!(get(pinned, "pinned"), bytes(b"p"));
                    n_calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Also if one of these fails.
        let _over = AtEnd(&is_over);
        until("there is load", || n_calls.load(Ordering::Relaxed) > 100);
        disturb();
        let view = node.view(L2);
        until("all of it works again", || {
            (0..60).all(|n| {
                view.put(format!("key {n}"), format!("key {n}"), MINUTE)
                    .unwrap()
                    .in_l2
            })
        });
    });
    assert_eq!(n_late.into_inner(), 0, "{:?}", node.servers.stats());
    assert!(n_hits.into_inner() > 0);
    assert_eq!(node.servers.stats().other_key, 0);
}

#[test]
fn f49_e_60_a_failover_of_a_cluster_under_load_is_survived_in_time() {
    let Some(mut servers) = cluster() else { return };
    let seeds = servers.iter().map(Server::address).collect();
    let node = Node::new(Config::cluster(seeds).breaking(BRISK));
    under_load(&node, || {
        servers[0].kill();
        until("its replica takes over", || {
            says(&servers[3], "role:master")
        });
    });
}

#[test]
fn e_51_f49_after_a_failover_of_a_cluster_changes_are_told_again() {
    let Some(mut servers) = cluster() else { return };
    let seeds: Vec<_> = servers.iter().map(Server::address).collect();
    let config = Config::cluster(seeds).breaking(BRISK);
    let (writer, node) = (Node::new(config.clone()), Node::new(config.tracking(true)));
    until("it follows", || node.levels.follows());
    servers[0].kill();
    until("that is seen", || node.servers.stats().tracks_lost > 0);
    until("its replica takes over", || {
        says(&servers[3], "role:master")
    });
    until("it follows again", || node.levels.follows());
    // On all nodes: no clock of the cache moves, so what ends a copy is what is told.
    let (there, view) = (writer.view(L2), node.view(LevelMode::L1L2));
    for n in 0..30 {
        let key = format!("key {n}");
        for value in [b"one", b"two"] {
            until("it is written", || {
                there.put(&key[..], value, MINUTE).unwrap().in_l2
            });
            until("it is seen", || get(&view, &key) == bytes(value));
        }
    }
}

#[test]
fn e_61_f49_sentinels_name_the_master_and_the_next_one() {
    if !is_installed() {
        return;
    }
    let mut master = Server::start_on(&[], &[]);
    let port = master.port.to_string();
    let replica = Server::start_on(
        &[master.port],
        &[
            "--replicaof",
            "127.0.0.1",
            &port,
            "--repl-diskless-sync-delay",
            "0",
        ],
    );
    until("the replica follows", || {
        says(&replica, "master_link_status:up")
    });
    let taken = [master.port, replica.port];
    let sentinel = Server::start_on(&taken, &["--sentinel"]);
    // It wants to know who asks, and its user is none of the master's.
    let user = [
        "ACL", "SETUSER", "asker", "on", ">sesame", "~*", "&*", "+@all",
    ];
    ask(&sentinel, &user).unwrap();
    for command in [
        &["SENTINEL", "MONITOR", "shop", "127.0.0.1", &port, "1"][..],
        &["SENTINEL", "SET", "shop", "down-after-milliseconds", "300"],
        &["SENTINEL", "SET", "shop", "failover-timeout", "2000"],
    ] {
        ask(&sentinel, command).unwrap();
    }
    until(
        "the sentinel knows the replica",
        || matches!(ask(&sentinel, &["SENTINEL", "REPLICAS", "shop"]), Ok(redis::Value::Array(all)) if !all.is_empty()),
    );
    // One sentinel is away, and one knows nothing.
    let nobody = Server::start_on(&taken, &["--sentinel"]);
    let mut away = nobody.address();
    away.port = 1;
    let sentinels = vec![away, nobody.address(), sentinel.address()];
    let config = Config::sentinel(sentinels, "shop").breaking(BRISK);
    ask(&nobody, &user).unwrap();
    ask(&sentinel, &["ACL", "SETUSER", "default", "-sentinel"]).unwrap();
    let stranger = Node::new(config.clone());
    assert!(stranger.servers.check(PATIENT).is_err());
    let node = Node::new(config.sentinel_credentials(Some("asker"), "sesame"));
    assert_eq!(node.servers.check(PATIENT), Ok(()));
    node.view(L2).put("k", b"v", MINUTE).unwrap();
    assert!(node.view(L2).lookup("k", PATIENT).entry().is_some());
    under_load(&node, || {
        master.kill();
        until("the replica takes over", || says(&replica, "role:master"));
    });
}
