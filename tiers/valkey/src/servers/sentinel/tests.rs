//! Whom sentinels name that don't agree.

use std::thread;

use super::super::fake;
use super::*;

/// The first sentinel and the old master were cut off together before a failover; both go on as before.
#[test]
fn f49_a_sentinel_that_missed_a_failover_is_not_believed_again() {
    let [(one, first), (two, second)] = [(); 2].map(|()| fake::listen());
    for listener in [one, two] {
        let role = b"*1\r\n$6\r\nmaster\r\n";
        fake::serve(listener, move |name| {
            (name == "ROLE").then(|| role.to_vec())
        });
    }
    let sentinels = [(&first, 3), (&second, 4), (&second, 4)].map(|(named, epoch)| {
        let (listener, address) = fake::listen();
        let named = fake::master(named);
        let described =
            format!("*4\r\n$4\r\nname\r\n$4\r\nshop\r\n$12\r\nconfig-epoch\r\n$1\r\n{epoch}\r\n");
        fake::serve(listener, move |name| match name {
            "SENTINEL get-master-addr-by-name" => Some(named.clone()),
            "SENTINEL master" => Some(described.clone().into_bytes()),
            _ => None,
        });
        address
    });
    let context = Arc::new(Context::new(crate::Config::sentinel(
        sentinels.to_vec(),
        "shop",
    )));
    let sentinel = Sentinel::new(sentinels.to_vec(), "shop".to_owned(), context);
    let until = Until::after(Duration::from_secs(30));
    let ask_anew = || {
        let before = sentinel.turn.load(Ordering::Relaxed);
        while sentinel.turn.load(Ordering::Relaxed) == before {
            sentinel.refresh(until);
            thread::yield_now();
        }
        sentinel
            .node(until)
            .is_some_and(|node| *node.address() == second)
    };
    // Each of them is asked first in its turn.
    let mut asked = std::iter::repeat_with(ask_anew);
    assert!(!asked.next().unwrap());
    assert!(asked.next().unwrap());
    assert!(asked.take(4).all(|knows| knows));
}
