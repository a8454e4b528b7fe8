//! Threads that load and wait at once.

use std::sync::Barrier;
use std::thread;

use super::*;
use crate::flight::waits::{Refused, WAITS, Waits};

#[test]
fn f31_a_loader_that_asks_for_its_own_key_is_told_so() {
    let shelf = Shelf::default();
    for timeout in [None, Some(Duration::ZERO)] {
        let own = || shelf.get_or_load(1, timeout, || Ok(0));
        assert_eq!(shelf.get_or_load(1, PATIENT, own), Err(Trouble::Cycle));
        // Through a load of another key.
        let other = || shelf.get_or_load(2, PATIENT, own);
        assert_eq!(shelf.get_or_load(1, PATIENT, other), Err(Trouble::Cycle));
    }
    assert_eq!(shelf.n_flights(), 0);
    let nested = || shelf.get_or_load(2, PATIENT, || shelf.get_or_load(3, PATIENT, || Ok(3)));
    assert_eq!(shelf.get_or_load(1, PATIENT, nested), Ok(3));
    assert!(!waits::loads_here());
}

/// Each thread loads a key, and in its loader asks for the next one's; the last asks for the first's or for none.
/// What each got from the next, if it was asked for.
fn ring(n_threads: u32, is_closed: bool) -> Vec<Vec<Trouble>> {
    let shelf = Shelf::default();
    let all_load = Barrier::new(n_threads as usize);
    thread::scope(|scope| {
        let spawn = |n| {
            let (shelf, all_load) = (&shelf, &all_load);
            scope.spawn(move || {
                let mut troubles = Vec::new();
                let answer = shelf.get_or_load(n, PATIENT, || {
                    all_load.wait();
                    if n + 1 == n_threads && !is_closed {
                        // All others wait by now, each for the next.
                        (1..n_threads).for_each(|key| shelf.flight(key).await_waiting(1));
                        return Ok(9);
                    }
                    let next = (n + 1) % n_threads;
                    // Who is told of the circle does without.
                    let answer = shelf.get_or_load(next, PATIENT, || Ok(5));
                    troubles.extend(answer.err());
                    Ok(answer.unwrap_or(1))
                });
                assert!(answer.is_ok(), "{answer:?}");
                troubles
            })
        };
        let threads: Vec<_> = (0..n_threads).map(spawn).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn f31_of_those_who_close_a_circle_one_is_told() {
    for n_threads in [2, 3, 7] {
        for _ in 0..200 {
            let mut troubles = ring(n_threads, true).concat();
            assert_eq!(troubles.pop(), Some(Trouble::Cycle));
            assert_eq!(troubles, []);
        }
    }
}

#[test]
fn a_chain_is_no_circle() {
    for n_threads in [2, 3, 7] {
        for _ in 0..50 {
            assert_eq!(ring(n_threads, false).concat(), []);
        }
    }
}

/// Runs in a thread of its own.
fn apart<R: Send>(job: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(job).join().unwrap())
}

#[test]
fn who_is_chosen_or_gave_up_waits_for_nobody() {
    let [own, others] = [(); 2].map(|()| Flight::lead());
    let _loading = own.load_here();
    // The other one waits for us, in vain; then we may wait for it.
    let (loader, waited) = apart(|| {
        mem::forget(others.load_here());
        (thread_id(), enlist(&own).wait(Some(Duration::ZERO)))
    });
    assert_eq!(waited, Waited::TimedOut);
    assert_eq!(others.loader.thread(), Some(loader));
    assert_eq!(enlist(&others).wait(Some(Duration::ZERO)), Waited::TimedOut);
    // The other one is chosen to lead what it waits for, and hasn't noticed.
    let table = Waits::new();
    let waiting = enlist(&own);
    apart(|| {
        mem::forget(others.load_here());
        mem::forget(table.enter(&own).unwrap());
    });
    assert_eq!(table.enter(&others).err(), Some(Refused::Cycle));
    assert!(passes_on(&own));
    assert!(table.enter(&others).unwrap().is_some());
    drop(waiting);
}

#[test]
fn who_loads_nothing_is_not_written_down() {
    let flight = Flight::lead();
    assert!(WAITS.enter(&flight).unwrap().is_none());
    let loading = flight.load_here();
    assert_eq!(WAITS.enter(&flight).err(), Some(Refused::Cycle));
    let other = Flight::lead();
    assert!(WAITS.enter(&other).unwrap().is_some());
    drop(loading);
    assert!(WAITS.enter(&flight).unwrap().is_none());
}

/// A thread that loads again what it passed on isn't taken for its successor.
#[test]
fn the_end_of_a_load_leaves_the_next_loader_alone() {
    let flight = Flight::lead();
    let loading = flight.load_here();
    let _waiter = enlist(&flight);
    assert!(passes_on(&flight));
    assert_eq!(flight.loader.thread(), None);
    let successor = apart(|| {
        flight.loader.enter(thread_id());
        thread_id()
    });
    drop(loading);
    assert_eq!(flight.loader.thread(), Some(successor));
}
