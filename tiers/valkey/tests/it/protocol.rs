//! E-61: versions of the protocol, users, databases, TLS, connections.

use std::fs;
use std::thread;

use larder::{LevelError, LevelMode, MissReason};
use larder_valkey::{Address, Breaking, Config, ConfigError, Protocol, Tls};

use LevelMode::L2;

use crate::server::{Server, server};
use crate::world::{MINUTE, Node, PATIENT, bytes, get, reason};

/// Puts and gets, through connections of their own.
fn works(config: Config) -> bool {
    let [one, two] = [(); 2].map(|()| Node::new(config.clone()));
    let put = one.view(L2).put("k", b"v", MINUTE).unwrap();
    put.in_l2 && get(&two.view(L2), "k") == bytes(b"v")
}

#[test]
fn e_61_both_versions_of_the_protocol_serve() {
    let server = server!();
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        assert!(works(Config::one(server.address()).protocol(protocol)));
    }
    assert!(server.calls("hello") == 2);
}

#[test]
fn e_61_users_and_passwords() {
    let server = server!(
        "--requirepass",
        "secret",
        "--user",
        "shop",
        "on",
        ">pass",
        "~*",
        "+@all"
    );
    let config = Config::one(server.address());
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let config = config.clone().protocol(protocol);
        assert!(works(config.clone().credentials(None, "secret")));
        assert!(works(config.clone().credentials(Some("shop"), "pass")));
        let wrong = Node::new(config.clone().credentials(Some("shop"), "secret"));
        assert_eq!(
            reason(wrong.view(L2).lookup("k", PATIENT)),
            MissReason::Unavailable
        );
        let nobody = Node::new(config);
        assert_eq!(
            reason(nobody.view(L2).lookup("k", PATIENT)),
            MissReason::Unavailable
        );
    }
}

#[test]
fn e_60_who_is_not_let_in_does_not_come_again_at_once() {
    let locked = server!("--requirepass", "secret");
    let full = server!("--maxclients", "1");
    let mut only = full.client();
    let pong: String = redis::cmd("PING").query(&mut only).unwrap();
    assert_eq!(pong, "PONG");
    let breaking = Breaking {
        pause_min: MINUTE,
        pause_max: MINUTE,
        ..Breaking::default()
    };
    let as_one = |server: &Server| Config::one(server.address()).breaking(breaking);
    for config in [
        as_one(&locked).credentials(None, "wrong"),
        as_one(&locked).protocol(Protocol::Resp3),
        as_one(&locked).credentials(None, "secret").database(99),
        as_one(&full),
        as_one(&full).protocol(Protocol::Resp3),
    ] {
        let node = Node::new(config);
        for _ in 0..50 {
            let found = node.view(L2).lookup("k", PATIENT);
            assert_eq!(reason(found), MissReason::Unavailable);
        }
        let stats = node.servers.stats();
        assert_eq!(stats.connects + stats.connect_errors, 5, "{stats:?}");
        assert_eq!((stats.breaks, stats.turned_away), (1, 45), "{stats:?}");
    }
}

#[test]
fn e_54_why_a_level_is_unavailable_is_told() {
    let locked = server!("--requirepass", "secret");
    let full = server!("--maxmemory", "1");
    let replica = server!("--replicaof", "127.0.0.1", "1");
    let mut gone = server!();
    gone.kill();
    let wrong = Config::one(locked.address()).credentials(None, "wrong");
    for (config, expected) in [
        (wrong.clone(), "WRONGPASS"),
        (wrong.protocol(Protocol::Resp3), "WRONGPASS"),
        (Config::one(locked.address()), "NOAUTH"),
        (Config::one(full.address()), "OOM"),
        (Config::one(replica.address()), "READONLY"),
        (Config::one(gone.address()), "can't be made"),
    ] {
        let node = Node::new(config.clone());
        assert_eq!(node.servers.last_fault(), None);
        let put = node.view(L2).put("k", b"v", MINUTE).unwrap();
        assert_eq!(put.error, Some(LevelError::Unavailable));
        let told = node.servers.last_fault().unwrap();
        let larder_valkey::Servers::One(address) = &config.servers else {
            panic!("{config:?}");
        };
        assert!(told.starts_with(&address.to_string()), "{told}");
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains("wrong"), "{told}");
    }
}

#[test]
fn e_61_databases_are_apart() {
    let server = server!();
    let config = Config::one(server.address());
    let nodes = [0, 1, 15].map(|database| Node::new(config.clone().database(database)));
    for node in &nodes {
        assert!(node.view(L2).get("k").is_none());
        node.view(L2).put("k", b"v", MINUTE).unwrap();
        assert!(node.view(L2).get("k").is_some());
    }
    let none = Node::new(config.database(16));
    assert_eq!(
        reason(none.view(L2).lookup("k", PATIENT)),
        MissReason::Unavailable
    );
}

#[test]
fn e_61_tls_by_setting_and_only_for_whom_is_trusted() {
    let folder = std::env::temp_dir().join(format!("larder-valkey-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let made = ["127.0.0.1", "elsewhere.test"]
        .map(|name| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap());
    let [here, elsewhere] = made.each_ref().map(|made| made.cert.pem());
    let file = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let certificate = file("cert.pem", &here);
    let key = file("key.pem", &made[0].signing_key.serialize_pem());
    let arguments = [
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &certificate,
        "--tls-auth-clients",
        "no",
        "--tls-replication",
        "no",
    ];
    if !crate::server::is_installed() {
        return;
    }
    let server = crate::server::Server::start_tls(&arguments);
    let config = |pem: &str| {
        let tls = Tls::trusting(pem.as_bytes()).unwrap();
        Config::one(server.tls_address()).tls(tls)
    };
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        assert!(works(config(&here).protocol(protocol)));
    }
    // Who isn't trusted, and who isn't the one whose name it is.
    let wrong = Tls::trusting(here.as_bytes())
        .unwrap()
        .server_name("elsewhere.test");
    for refused in [
        config(&elsewhere),
        Config::one(server.tls_address()).tls(wrong),
    ] {
        let node = Node::new(refused);
        assert_eq!(
            reason(node.view(L2).lookup("k", PATIENT)),
            MissReason::Unavailable
        );
    }
    // Many calls on one connection, large ones too.
    let node = Node::new(config(&here).compress_from(None));
    let large = vec![b'v'; 300_000];
    for _ in 0..20 {
        node.view(L2).put("large", &large[..], MINUTE).unwrap();
        assert!(
            node.view(L2)
                .get("large")
                .is_some_and(|found| found[..] == large)
        );
    }
    assert_eq!(node.servers.stats().connects, 1);
    assert_eq!(
        Tls::trusting(b"nothing").unwrap_err(),
        ConfigError::Certificate
    );
    let _ = fs::remove_dir_all(&folder);
}

#[test]
fn e_61_connections_are_shared_used_again_and_no_more_than_they_may_be() {
    let server = server!();
    let node = Node::new(Config::one(server.address()).connections_max(3));
    for n in 0..50 {
        node.view(L2).put(n, b"v", MINUTE).unwrap();
    }
    assert_eq!(node.servers.stats().connects, 1);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for n in 0..50 {
                    assert!(node.view(L2).get(n).is_some());
                }
            });
        }
    });
    let stats = node.servers.stats();
    assert!(stats.connects <= 3 && stats.closed == 0, "{stats:?}");
}

#[test]
fn e_61_what_cannot_be_meant_is_refused() {
    let refused = |config: Config| larder_valkey::Valkey::new(config).unwrap_err();
    assert_eq!(refused(Config::cluster(vec![])), ConfigError::NoServers);
    assert_eq!(
        refused(Config::sentinel(vec![], "m")),
        ConfigError::NoServers
    );
    let cluster = Config::cluster(vec![Address::new("a", 1)]).database(1);
    assert_eq!(refused(cluster), ConfigError::DatabaseOfCluster);
}
