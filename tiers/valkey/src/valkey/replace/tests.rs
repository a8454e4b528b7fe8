//! Changes that are sent on from one node of a cluster to another.

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
            "CLUSTER" => Some(table.clone()),
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
