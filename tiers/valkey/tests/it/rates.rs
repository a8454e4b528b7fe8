//! A rate that several processes have in common.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use larder::LevelError;
use larder_valkey::{Config, RateRefusal, SharedRate, Valkey};

use crate::server::server;
use crate::world::{PATIENT, until};

/// Long enough that no test sees two of them, but for one that begins at the very end of one.
const PERIOD: Duration = Duration::from_secs(1 << 34);

fn exceeded(refusal: RateRefusal) -> bool {
    matches!(refusal, RateRefusal::Exceeded { retry_after } if retry_after <= PERIOD)
}

#[test]
fn e_82_processes_together_never_take_more_than_the_limit_and_leave_less_than_a_batch_each() {
    let server = server!();
    for (limit, batch) in [(1000, 1), (1000, 7), (50, 100), (3, 2)] {
        let rates: Vec<SharedRate> = (0..4)
            .map(|_| {
                let servers = Valkey::new(Config::one(server.address())).unwrap();
                servers.shared_rate(b"acme", limit, PERIOD + Duration::from_secs(batch), batch)
            })
            .collect();
        let n_taken = AtomicU64::new(0);
        let is_refused = thread::scope(|scope| {
            let takers = rates.iter().flat_map(|rate| [rate, rate]);
            let takers: Vec<_> = takers
                .map(|rate| {
                    let n_taken = &n_taken;
                    scope.spawn(move || {
                        loop {
                            match rate.take(1, PATIENT) {
                                Ok(_) => n_taken.fetch_add(1, Ordering::Relaxed),
                                Err(RateRefusal::Exceeded { .. }) => return true,
                                Err(refusal) => panic!("{refusal}"),
                            };
                        }
                    })
                })
                .collect();
            takers.into_iter().all(|taker| taker.join().unwrap())
        });
        assert!(is_refused);
        let n_taken = n_taken.into_inner();
        assert!(n_taken <= limit, "{n_taken} of {limit}, by {batch}");
        assert!(
            n_taken + 4 * (batch - 1) >= limit,
            "{n_taken} of {limit}, by {batch}"
        );
    }
}

#[test]
fn e_82_a_batch_is_one_call_and_what_is_spent_is_not_asked_for() {
    let server = server!();
    let servers = Valkey::new(Config::one(server.address())).unwrap();
    let rate = servers.shared_rate(b"acme", 100, PERIOD, 25);
    for _ in 0..100 {
        let taken = rate.take(1, PATIENT).unwrap();
        // What is given back is there again.
        rate.give_back(taken);
        let _ = rate.take(1, PATIENT).unwrap();
    }
    assert_eq!(server.calls("incrby"), 4);
    assert!((0..10).all(|_| exceeded(rate.take(1, PATIENT).unwrap_err())));
    assert_eq!(server.calls("incrby"), 5);
    assert_eq!(rate.take(101, PATIENT), Err(RateRefusal::Never));
    // Names and numbers are apart.
    for other in [
        servers.shared_rate(b"acm", 100, PERIOD, 25),
        servers.shared_rate(b"acme", 99, PERIOD, 25),
    ] {
        assert!(other.take(99, PATIENT).is_ok());
    }
}

#[test]
fn e_82_the_next_window_has_tokens_again_and_without_a_server_nothing_is_known() {
    let mut server = server!();
    let servers = Valkey::new(Config::one(server.address())).unwrap();
    let rate = servers.shared_rate(b"acme", 2, Duration::from_millis(20), 2);
    let mut n_refused = 0;
    let mut n_taken = 0;
    while n_refused < 5 || n_taken < 5 {
        match rate.take(2, PATIENT) {
            Ok(_) => n_taken += 1,
            Err(RateRefusal::Exceeded { retry_after }) => {
                assert!(retry_after <= Duration::from_millis(20));
                n_refused += 1;
                thread::yield_now();
            }
            Err(refusal) => panic!("{refusal}"),
        }
    }
    server.kill();
    // What is left of this window, and that it has nothing any more, is still known.
    until("the window ends", || match rate.take(1, PATIENT) {
        Err(RateRefusal::Level(error)) => error == LevelError::Unavailable,
        Ok(_) | Err(RateRefusal::Exceeded { .. }) => false,
        Err(refusal) => panic!("{refusal}"),
    });
}
