//! Tasks, with wakers made by hand and polled by the test.

use super::*;

/// A waker that does as it is told, whatever is done with it.
struct Rude<F: Fn() + Send + Sync + 'static>(F);

impl<F: Fn() + Send + Sync + 'static> std::task::Wake for Rude<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

impl<F: Fn() + Send + Sync + 'static> Drop for Rude<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn pending(ticket: &mut Ticket, bell: &Arc<Bell>) {
    assert_eq!(poll_with(ticket, bell), Poll::Pending);
}

fn crowd(flight: &Arc<Flight>, n_waiting: usize) -> Vec<(Ticket, Arc<Bell>)> {
    let waiter = |_| {
        let (mut ticket, bell) = (enlist(flight), Arc::default());
        pending(&mut ticket, &bell);
        (ticket, bell)
    };
    (0..n_waiting).map(waiter).collect()
}

fn n_rung(crowd: &[(Ticket, Arc<Bell>)]) -> u64 {
    crowd.iter().map(|(_, bell)| bell.rings()).sum()
}

#[test]
fn f30_passing_on_wakes_one_of_a_thousand_and_landing_all() {
    let flight = Flight::lead();
    let mut crowd = crowd(&flight, 1000);
    for n in 0..3 {
        assert!(passes_on(&flight));
        assert_eq!(n_rung(&crowd), n as u64 + 1);
        let (ticket, bell) = &mut crowd[n];
        assert_eq!(bell.rings(), 1, "who came first leads first");
        assert_eq!(poll_with(ticket, bell), Poll::Ready(Waited::Leads));
    }
    flight.land();
    assert!(crowd.iter().all(|(_, bell)| bell.rings() == 1));
    for (ticket, bell) in &mut crowd {
        assert_eq!(poll_with(ticket, bell), Poll::Ready(Waited::Landed));
    }
}

#[test]
fn f29_a_chosen_task_that_is_cancelled_hands_the_lead_on() {
    let flight = Flight::lead();
    let mut crowd = crowd(&flight, 3);
    assert!(passes_on(&flight));
    drop(crowd.remove(0));
    assert_eq!([crowd[0].1.rings(), crowd[1].1.rings()], [1, 0]);
    drop(crowd.remove(0));
    assert_eq!(crowd[0].1.rings(), 1);
    let (ticket, bell) = &mut crowd[0];
    assert_eq!(poll_with(ticket, bell), Poll::Ready(Waited::Leads));
    assert!(!passes_on(&flight));
}

#[test]
fn f29_a_flight_without_anybody_is_led_by_who_comes_next() {
    let flight = Flight::lead();
    let mut chosen = enlist(&flight);
    assert!(!flight.is_abandoned());
    assert!(passes_on(&flight));
    assert!(!flight.is_abandoned(), "the chosen one leads");
    assert!(chosen.leave());
    assert!(flight.is_abandoned());
    assert!(!chosen.leave(), "it says so once");
    drop(chosen);
    assert!(matches!(flight.enlist(), Enlisted::Leads));
    assert!(!flight.is_abandoned());
    let mut waiter = enlist(&flight);
    assert!(!waiter.leave(), "somebody leads");
    flight.land();
}

#[test]
fn an_answered_ticket_gives_nothing_away() {
    let flight = Flight::lead();
    let mut crowd = crowd(&flight, 2);
    assert!(passes_on(&flight));
    let (mut first, bell) = crowd.remove(0);
    assert_eq!(poll_with(&mut first, &bell), Poll::Ready(Waited::Leads));
    assert_eq!(poll_with(&mut first, &bell), Poll::Ready(Waited::Landed));
    drop(first);
    assert_eq!(crowd[0].1.rings(), 0, "the lead is its taker's");
    assert_eq!(flight.n_waiting(), 1);
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let flight = Flight::lead();
    let mut ticket = enlist(&flight);
    let [old, new] = [(); 2].map(|()| Arc::default());
    pending(&mut ticket, &old);
    pending(&mut ticket, &new);
    pending(&mut ticket, &new);
    assert_eq!(Arc::strong_count(&old), 1, "it's of no use any more");
    assert_eq!(Arc::strong_count(&new), 2, "one clone of it is kept");
    flight.land();
    assert_eq!([old.rings(), new.rings()], [0, 1]);
}

#[test]
fn f31_no_waker_is_woken_or_dropped_under_the_lock() {
    let flight = Flight::lead();
    let looks = Arc::new(AtomicU64::new(0));
    let waker = || {
        let (flight, looks) = (Arc::clone(&flight), Arc::clone(&looks));
        Waker::from(Arc::new(Rude(move || {
            assert!(flight.core.try_lock().is_some(), "user code under the lock");
            looks.fetch_add(1, Ordering::Relaxed);
        })))
    };
    let poll = |ticket: &mut Ticket| {
        let waker = waker();
        assert_eq!(ticket.poll(&mut Context::from_waker(&waker)), Poll::Pending);
    };
    let mut tickets: Vec<Ticket> = (0..4).map(|_| enlist(&flight)).collect();
    tickets.iter_mut().for_each(poll);
    // Replaced.
    poll(&mut tickets[1]);
    assert_eq!(looks.load(Ordering::Relaxed), 1);
    // Dropped with its ticket, which wasn't chosen.
    tickets.remove(1);
    assert_eq!(looks.load(Ordering::Relaxed), 2);
    // Chosen: woken and dropped, twice.
    assert!(passes_on(&flight));
    tickets.remove(0);
    assert_eq!(looks.load(Ordering::Relaxed), 6);
    let answer = tickets[0].poll(&mut Context::from_waker(&waker()));
    assert_eq!(answer, Poll::Ready(Waited::Leads));
    let so_far = looks.load(Ordering::Relaxed);
    flight.land();
    assert_eq!(looks.load(Ordering::Relaxed), so_far + 2);
}

#[test]
fn a_waker_that_panics_keeps_nobody_asleep() {
    let flight = Flight::lead();
    let mut rude = enlist(&flight);
    let calls = Arc::new(AtomicU64::new(0));
    let called = Arc::clone(&calls);
    let waker = Waker::from(Arc::new(Rude(move || {
        if called.fetch_add(1, Ordering::Relaxed) == 0 {
            panic_quietly()
        }
    })));
    assert_eq!(rude.poll(&mut Context::from_waker(&waker)), Poll::Pending);
    let crowd = crowd(&flight, 3);
    flight.land();
    assert!(calls.load(Ordering::Relaxed) > 0);
    assert_eq!(n_rung(&crowd), 3);
}

#[test]
fn f31_a_task_inside_the_loader_of_its_key_is_told_so() {
    let flight = Flight::lead();
    let mut before = enlist(&flight);
    pending(&mut before, &Arc::default());
    let loading = flight.load_here();
    let mut inside = enlist(&flight);
    assert_eq!(
        poll_with(&mut inside, &Arc::default()),
        Poll::Ready(Waited::Cycle)
    );
    // An executor inside the loader may poll others that wait for good reason.
    pending(&mut before, &Arc::default());
    drop(loading);
    let mut after = enlist(&flight);
    pending(&mut after, &Arc::default());
    assert_eq!(flight.n_waiting(), 2);
}
