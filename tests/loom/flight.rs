//! Leaders that land, fail, or wait themselves, against waiters that come, wait, and give up.

use std::sync::Arc;

use larder::model::{End, Flight, Ticket, Waits, check};
use loom::sync::Mutex;
use loom::thread;

type Wait = fn(Ticket, &Waits) -> End;

/// One key of a stripe: its value, if it has one, and its flight, if it is being loaded.
type Key = Mutex<(bool, Option<Flight>)>;

fn end_with_value(key: &Key) -> Option<Flight> {
    let mut key = key.lock().expect("no panic under the lock");
    key.0 = true;
    key.1.take()
}

fn end(key: &Key, flight: &Flight) {
    end_with_value(key);
    flight.land();
}

fn end_before_the_value(key: &Key, flight: &Flight) {
    flight.land();
    end_with_value(key);
}

/// A leader that loads the key, and one who asks for it meanwhile.
fn landing(end: fn(&Key, &Flight), wait: Wait) {
    check(move || {
        let flight = Flight::lead();
        let key = Arc::new(Mutex::new((false, Some(flight.clone()))));
        let other = Arc::clone(&key);
        let asker = thread::spawn(move || {
            let ticket = {
                let key = other.lock().expect("no panic under the lock");
                key.1
                    .as_ref()
                    .map(|flight| flight.enlist().expect("somebody leads"))
            };
            if let Some(ticket) = ticket {
                assert_eq!(wait(ticket, &Waits::new()), End::Landed);
            }
            let key = other.lock().expect("no panic under the lock");
            assert!(key.0, "there is no value after the landing");
        });
        end(&key, &flight);
        asker.join().expect("the asker ends");
    });
}

#[test]
fn who_waits_is_woken_and_finds_the_value() {
    landing(end, Ticket::wait);
}

#[test]
#[should_panic(expected = "deadlock")]
fn twin_a_waiter_that_looks_before_it_can_be_woken_sleeps_on() {
    landing(end, Ticket::wait_after_a_look);
}

#[test]
#[should_panic(expected = "no value after the landing")]
fn twin_a_landing_before_the_value_wakes_too_early() {
    landing(end_before_the_value, Ticket::wait);
}

/// The time of the only waiter runs out while the lead is passed on.
fn passed_on_at_the_last_moment(look: Wait) {
    check(move || {
        let flight = Flight::lead();
        let ticket = flight.enlist().expect("somebody leads");
        let waiter = thread::spawn(move || look(ticket, &Waits::new()));
        let has_passed = flight.pass_on();
        let waited = waiter.join().expect("the waiter ends");
        let expected = if has_passed {
            End::Leads
        } else {
            End::TimedOut
        };
        assert_eq!(waited, expected, "the lead is lost or doubled");
    });
}

#[test]
fn a_lead_is_passed_on_or_the_time_is_up() {
    passed_on_at_the_last_moment(Ticket::look);
}

#[test]
#[should_panic(expected = "lost or doubled")]
fn twin_a_waiter_that_looks_and_then_leaves_loses_the_lead() {
    passed_on_at_the_last_moment(Ticket::leave_after_a_look);
}

/// One waiter sleeps, and one before it gives up while the lead is passed on.
fn handed_on(leave: fn(Ticket)) {
    check(move || {
        let flight = Flight::lead();
        let [first, second] = [(); 2].map(|()| flight.enlist().expect("somebody leads"));
        let leaver = thread::spawn(move || leave(first));
        let waiter = thread::spawn(move || second.wait(&Waits::new()));
        assert!(flight.pass_on(), "somebody waits");
        leaver.join().expect("the leaver ends");
        assert_eq!(waiter.join().expect("the waiter ends"), End::Leads);
        assert!(!flight.pass_on(), "nobody waits");
    });
}

#[test]
fn who_gives_up_hands_on_the_lead() {
    handed_on(drop);
}

#[test]
#[should_panic(expected = "deadlock")]
fn twin_a_lead_that_is_not_handed_on_is_waited_for() {
    handed_on(Ticket::leave_with_the_lead);
}

/// Who gives up was the last: the flight is over, or it is led by who comes next.
#[test]
fn a_flight_without_anybody_is_led_by_one() {
    check(|| {
        let flight = Flight::lead();
        let ticket = flight.enlist().expect("somebody leads");
        let leaver = thread::spawn(move || drop(ticket));
        // The stripe's lock.
        let newcomer = flight.pass_on().then(|| flight.enlist());
        leaver.join().expect("the leaver ends");
        match newcomer {
            Some(Some(ticket)) => assert_eq!(ticket.wait(&Waits::new()), End::Leads),
            Some(None) | None => {}
        }
        assert!(!flight.pass_on(), "nobody waits");
    });
}

/// Two threads load a key each, and ask for the other's.
fn crossed(wait: Wait) {
    check(move || {
        let flights = [(); 2].map(|()| Flight::lead());
        let waits = Arc::new(Waits::new());
        let ask = move |[own, others]: [Flight; 2], waits: &Waits| {
            let mut answer = End::Leads;
            own.load(|| answer = wait(others.enlist().expect("somebody leads"), waits));
            own.land();
            answer
        };
        let crosswise = [flights[1].clone(), flights[0].clone()];
        let shared = Arc::clone(&waits);
        let other = thread::spawn(move || ask(crosswise, &shared));
        let answer = ask(flights, &waits);
        let others = other.join().expect("the other ends");
        assert!(
            answer == End::Landed || others == End::Landed,
            "one circle is told twice: {answer:?}, {others:?}"
        );
    });
}

#[test]
fn of_two_who_wait_for_each_other_one_is_told() {
    crossed(Ticket::wait);
}

#[test]
#[should_panic(expected = "deadlock")]
fn twin_who_looks_for_a_circle_first_waits_in_it() {
    crossed(Ticket::wait_after_a_walk);
}
