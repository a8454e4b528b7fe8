//! Slots, and what nodes say of them.

use std::sync::Barrier;
use std::thread;

use super::super::fake;
use super::*;
use crate::config;

#[test]
fn e_61_slots_are_those_of_the_servers() {
    // The first is the specification's own example.
    for (key, expected) in [
        (&b"123456789"[..], 0x31C3),
        (b"foo", 12_182),
        (b"{user1000}.following", slot(b"user1000")),
        (b"foo{}{bar}", slot(b"foo{}{bar}")),
        (b"foo{{bar}}zap", slot(b"{bar")),
        (b"foo{bar}{zap}", slot(b"bar")),
        (b"a{b", slot(b"a{b")),
    ] {
        assert_eq!(slot(key), expected, "{}", key.escape_ascii());
    }
    assert_ne!(slot(b"foo{}{bar}"), slot(b"bar"));
}

#[test]
fn e_61_redirections_are_read_and_nonsense_is_not() {
    let from = Address::new("10.0.0.1", 1);
    let read = |details| redirect(details, &from);
    assert_eq!(
        read("3999 127.0.0.1:6381"),
        Some((3999, Address::new("127.0.0.1", 6381)))
    );
    assert_eq!(read("1 :6381"), Some((1, Address::new("10.0.0.1", 6381))));
    assert_eq!(read("1 ::1:6381"), Some((1, Address::new("::1", 6381))));
    for nonsense in ["", "3999", "16384 a:1", "1 a:70000", "x a:1", "1 a"] {
        assert_eq!(read(nonsense), None, "{nonsense}");
    }
}

#[test]
fn e_61_a_table_of_slots_is_read_and_nonsense_is_not() {
    let from = Address::new("10.0.0.1", 1);
    let read = |reply: &[u8]| ranges(&redis::parse_redis_value(reply).unwrap(), &from);
    let reply = b"*2\r\n*3\r\n:0\r\n:99\r\n*2\r\n$1\r\na\r\n:7\r\n*3\r\n:100\r\n:16383\r\n*2\r\n$0\r\n\r\n:8\r\n";
    let expected = vec![
        (0, 99, Address::new("a", 7)),
        (100, 16_383, Address::new("10.0.0.1", 8)),
    ];
    assert_eq!(read(reply), Some(expected));
    for nonsense in [
        &b"*0\r\n"[..],
        b"+OK\r\n",
        b"*1\r\n:1\r\n",
        b"*1\r\n*3\r\n:0\r\n:-9\r\n*2\r\n$1\r\na\r\n:7\r\n",
    ] {
        assert_eq!(read(nonsense), None, "{}", nonsense.escape_ascii());
    }
}

#[test]
fn e_61_addresses_that_no_slot_is_at_any_more_are_forgotten() {
    let seed = Address::new("seed", 1);
    let context = Arc::new(Context::new(crate::Config::cluster(vec![seed.clone()])));
    let mut table = Table::default();
    table.node(seed.clone(), &context);
    let mut last = None;
    for port in 1..1000 {
        let address = Address::new("10.0.0.1", port);
        let halves = vec![
            (0, 8191, address.clone()),
            (8192, N_SLOTS - 1, address.clone()),
        ];
        // Somebody names one besides, which has nothing.
        table.node(Address::new("10.0.0.2", port), &context);
        table.take_up(halves, std::slice::from_ref(&seed), &context);
        assert_eq!(table.nodes.len(), 2);
        assert!(Arc::ptr_eq(&table.ranges[0].2, &table.ranges[1].2));
        last = Some(address);
    }
    assert!(table.nodes.contains_key(&seed) && table.nodes.contains_key(&last.unwrap()));
    // Who stays is the same node, with its connections.
    let before = Arc::clone(&table.ranges[0].2);
    let again = vec![(0, N_SLOTS - 1, before.address().clone())];
    table.take_up(again, std::slice::from_ref(&seed), &context);
    assert!(Arc::ptr_eq(&before, &table.ranges[0].2));
}

/// Two callers who are about the same nodes in another order, where each node is given one connection only.
#[test]
fn f49_callers_who_need_several_nodes_do_not_wait_for_each_other() {
    let [(one, first), (two, second)] = [fake::listen(), fake::listen()];
    let table = fake::slots(&[(0, 8191, &first), (8192, N_SLOTS - 1, &second)]);
    for listener in [one, two] {
        let table = table.clone();
        fake::serve(listener, move |name| {
            (name == "CLUSTER SLOTS").then(|| table.clone())
        });
    }
    let config = crate::Config::cluster(vec![first]).connections_max(1);
    let context = Arc::new(Context::new(config.clone()));
    let config::Servers::Cluster(seeds) = config.servers else {
        panic!()
    };
    let keys = [&b"foo{bar}"[..], b"foo"];
    assert!(slot(keys[0]) < 8192 && slot(keys[1]) >= 8192);
    for _ in 0..50 {
        let cluster = Cluster::new(seeds.clone(), Arc::clone(&context));
        let until = Until::after(Duration::from_secs(10));
        cluster.refresh(until);
        let both = Barrier::new(2);
        let call = |keys: [&[u8]; 2]| {
            both.wait();
            for _ in 0..20 {
                let requests = keys.map(|key| Request {
                    key,
                    command: command("GET").arg(key).take(),
                });
                cluster.run(&requests, until).unwrap().keep();
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| call(keys));
            scope.spawn(|| call([keys[1], keys[0]]));
        });
    }
}

/// The first node was cut off before the others had a failover; it still says that all slots are its own.
#[test]
fn f49_a_table_from_before_a_failover_is_not_believed_again() {
    let [(one, first), (two, second), (three, third)] = [(); 3].map(|()| fake::listen());
    let all_at = |address: &Address| fake::slots(&[(0, N_SLOTS - 1, address)]);
    let tables = [(one, &first, 4), (two, &second, 5), (three, &second, 5)];
    for (listener, master, epoch) in tables {
        let table = all_at(master);
        let info = format!("cluster_state:ok\r\ncluster_current_epoch:{epoch}\r\n");
        let info = format!("${}\r\n{info}\r\n", info.len()).into_bytes();
        fake::serve(listener, move |name| match name {
            "CLUSTER SLOTS" => Some(table.clone()),
            "CLUSTER INFO" => Some(info.clone()),
            _ => None,
        });
    }
    let context = Arc::new(Context::new(crate::Config::cluster(Vec::new())));
    let cluster = Cluster::new(vec![first, second.clone(), third], Arc::clone(&context));
    let until = Until::after(Duration::from_secs(30));
    let ask_anew = || {
        let before = cluster.turn.load(Ordering::Relaxed);
        while cluster.turn.load(Ordering::Relaxed) == before {
            cluster.refresh(until);
            thread::yield_now();
        }
        let masters = cluster.masters(until);
        masters.iter().all(|master| *master.address() == second)
    };
    // Each of them is asked first in its turn.
    let mut asked = std::iter::repeat_with(ask_anew);
    assert!(asked.by_ref().take(3).any(|knows| knows));
    assert!(asked.take(4).all(|knows| knows));
}
