//! Changes that are sent on from one node of a cluster to another, and that a master refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::*;
use crate::config::Config;
use crate::servers::fake;

/// The first node has all slots by the table, and says of the second that it has them: at once, or after it let itself be watched.
#[test]
fn f49_a_change_that_is_sent_on_needs_one_connection_a_server_and_leaves_none_that_watches() {
    for watches_first in [false, true] {
        let [(one, first), (two, second)] = [fake::listen(), fake::listen()];
        let table = fake::slots(&[(0, 16_383, &first)]);
        let moved = format!("-MOVED {} {}:{}\r\n", 12_182, second.host, second.port).into_bytes();
        fake::serve(one, move |name| match name {
            "CLUSTER SLOTS" => Some(table.clone()),
            "WATCH" if watches_first => None,
            "WATCH" | "GETRANGE" => Some(moved.clone()),
            _ => None,
        });
        fake::serve(two, |name| match name {
            "GETRANGE" => Some([b"$8\r\n", &7_u64.to_le_bytes()[..], b"\r\n"].concat()),
            "SET" => Some(b"+QUEUED\r\n".to_vec()),
            "EXEC" => Some(b"*1\r\n+OK\r\n".to_vec()),
            _ => None,
        });
        let valkey = Valkey::new(Config::cluster(vec![first]).connections_max(1)).unwrap();
        let set = command("SET").arg("foo").arg("v").take();
        let until = Until::after(Duration::from_secs(10));
        assert_eq!(valkey.change(b"foo", 7, &set, until), Ok(true));
        // That of the first server, and the first of the second.
        assert_eq!(valkey.stats().closed, 2);
    }
}

#[test]
fn f49_a_master_that_refuses_a_change_is_doubted() {
    let [(one, first), (two, second), (three, sentinel)] = [(); 3].map(|()| fake::listen());
    let role = b"*1\r\n$6\r\nmaster\r\n";
    let was_demoted = Arc::new(AtomicBool::new(false));
    let demoted = Arc::clone(&was_demoted);
    fake::serve(three, move |name| {
        let is_second = demoted.load(Ordering::SeqCst);
        let named = if is_second { &second } else { &first };
        (name == "SENTINEL get-master-addr-by-name").then(|| fake::master(named))
    });
    fake::serve(one, move |name| match name {
        "ROLE" => Some(role.to_vec()),
        "GETRANGE" => Some([b"$8\r\n", &7_u64.to_le_bytes()[..], b"\r\n"].concat()),
        "GET" => Some(b":1\r\n".to_vec()),
        "SET" => {
            was_demoted.store(true, Ordering::SeqCst);
            Some(b"-READONLY You can't write against a read only replica.\r\n".to_vec())
        }
        "EXEC" => Some(b"-EXECABORT Transaction discarded.\r\n".to_vec()),
        _ => None,
    });
    fake::serve(two, move |name| match name {
        "ROLE" => Some(role.to_vec()),
        "GET" => Some(b":2\r\n".to_vec()),
        _ => None,
    });
    let valkey = Valkey::new(Config::sentinel(vec![sentinel], "shop")).unwrap();
    let set = command("SET").arg("k").arg("v").take();
    let until = Until::after(Duration::from_secs(10));
    let changed = valkey.change(b"k", 7, &set, until);
    assert_eq!(changed, Err(LevelError::Unavailable));
    // Sentinels aren't asked twice in a short time.
    let get = || command("GET").arg("k").take();
    while valkey.servers.run_one(b"k", get(), until) != Ok(Value::Int(2)) {
        assert!(until.left().is_some(), "the old one is still read");
        thread::yield_now();
    }
}

#[test]
fn f49_a_master_that_became_a_replica_is_not_read_by_a_new_connection() {
    let [(one, first), (two, second), (three, sentinel)] = [(); 3].map(|()| fake::listen());
    let master = b"*1\r\n$6\r\nmaster\r\n";
    let was_demoted = Arc::new(AtomicBool::new(false));
    let [asked, told] = [(); 2].map(|()| Arc::clone(&was_demoted));
    fake::serve(three, move |name| {
        let is_second = told.load(Ordering::SeqCst);
        let named = if is_second { &second } else { &first };
        (name == "SENTINEL get-master-addr-by-name").then(|| fake::master(named))
    });
    fake::serve(one, move |name| match name {
        "ROLE" if asked.load(Ordering::SeqCst) => Some(b"*1\r\n$5\r\nslave\r\n".to_vec()),
        "ROLE" => Some(master.to_vec()),
        // The connection ends by it.
        "GET" if !asked.swap(true, Ordering::SeqCst) => Some(b"garbage\r\n".to_vec()),
        "GET" => Some(b":1\r\n".to_vec()),
        _ => None,
    });
    fake::serve(two, move |name| match name {
        "ROLE" => Some(master.to_vec()),
        "GET" => Some(b":2\r\n".to_vec()),
        _ => None,
    });
    let valkey = Valkey::new(Config::sentinel(vec![sentinel], "shop")).unwrap();
    let until = Until::after(Duration::from_secs(10));
    let get = || {
        let get = command("GET").arg("k").take();
        valkey.servers.run_one(b"k", get, until)
    };
    assert_eq!(get(), Err(Fault::Garbled));
    assert!(was_demoted.load(Ordering::SeqCst));
    // Sentinels aren't asked twice in a short time.
    loop {
        match get() {
            Ok(Value::Int(2)) => break,
            found => assert!(found.is_err(), "the old one is read"),
        }
        assert!(until.left().is_some());
        thread::yield_now();
    }
}
