//! Properties of flights, against a `VecDeque` of who waits:
//! - who fails passes the lead on to who came first, and to nobody else; landing answers all (F1, F2);
//! - who gives up is out of the queue, and hands on the lead if it had it; else the flight is abandoned (F1);
//! - places are used again, and the list closes (Q1).

use std::collections::{HashMap, VecDeque};
use std::panic::resume_unwind;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::ticket::now;
use super::*;
use crate::sync::atomic::{AtomicU64, Ordering};

mod circles;
mod tasks;
mod threads;

impl Flight {
    /// How many wait.
    fn n_waiting(&self) -> usize {
        self.core.lock().queue.len()
    }

    /// Waits until so many wait.
    fn await_waiting(&self, n_waiting: usize) {
        await_that(|| self.n_waiting() == n_waiting);
    }
}

/// Longer than anything takes, so that a wait that isn't answered fails its test.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same, as a time-out.
const PATIENT: Option<Duration> = Some(PATIENCE);

/// Lets others run until something holds, or fails after a time that is long enough for any machine.
fn await_that(holds: impl Fn() -> bool) {
    let began = now();
    while !holds() {
        std::thread::yield_now();
        let waited = now().saturating_since(began);
        assert!(waited < PATIENCE, "it never comes to that");
    }
}

/// A place in the queue, where there must be one.
fn enlist(flight: &Arc<Flight>) -> Ticket {
    match flight.enlist() {
        Enlisted::Waits(ticket) => ticket,
        other => panic!("nothing to wait for: {other:?}"),
    }
}

fn passes_on(flight: &Flight) -> bool {
    matches!(flight.pass_on(), Passed::On(_))
}

/// Counts how often it is called.
#[derive(Default)]
struct Bell(AtomicU64);

impl std::task::Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn rings(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll_with(ticket: &mut Ticket, bell: &Arc<Bell>) -> Poll<Waited> {
    let waker = Waker::from(Arc::clone(bell));
    ticket.poll(&mut Context::from_waker(&waker))
}

/// A stripe with nothing but what loads need: how a flight is to be used.
#[derive(Default)]
struct Shelf(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    values: HashMap<u32, u64>,
    flights: HashMap<u32, Arc<Flight>>,
}

/// Why there is no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    Failed,
    TimedOut,
    Cycle,
}

impl Shelf {
    fn get_or_load(
        &self,
        key: u32,
        timeout: Option<Duration>,
        load: impl FnOnce() -> Result<u64, Trouble>,
    ) -> Result<u64, Trouble> {
        loop {
            let mut contents = self.0.lock();
            if let Some(value) = contents.values.get(&key) {
                return Ok(*value);
            }
            let Some(flight) = contents.flights.get(&key).cloned() else {
                let flight = Flight::lead();
                contents.flights.insert(key, Arc::clone(&flight));
                drop(contents);
                return self.load(key, flight, load);
            };
            let enlisted = flight.enlist();
            drop(contents);
            let waited = match enlisted {
                Enlisted::Waits(ticket) => ticket.wait(timeout),
                Enlisted::Leads => Waited::Leads,
                Enlisted::OutOfMemory => Waited::OutOfMemory,
            };
            match waited {
                Waited::Landed => {}
                Waited::Leads => return self.load(key, flight, load),
                Waited::TimedOut => return Err(Trouble::TimedOut),
                Waited::Cycle => return Err(Trouble::Cycle),
                Waited::OutOfMemory => panic!("there is memory"),
            }
        }
    }

    /// What a leader does.
    fn load(
        &self,
        key: u32,
        flight: Arc<Flight>,
        load: impl FnOnce() -> Result<u64, Trouble>,
    ) -> Result<u64, Trouble> {
        let mut lead = Lead {
            shelf: self,
            key,
            flight: Some(flight),
        };
        let value = {
            let _loading = lead.flight.as_ref().map(|flight| flight.load_here());
            load()?
        };
        lead.flight = None;
        let mut contents = self.0.lock();
        contents.values.insert(key, value);
        let flight = contents.flights.remove(&key);
        drop(contents);
        flight.expect("who leads is in the map").land();
        Ok(value)
    }

    fn flight(&self, key: u32) -> Arc<Flight> {
        Arc::clone(&self.0.lock().flights[&key])
    }

    fn n_flights(&self) -> usize {
        self.0.lock().flights.len()
    }
}

/// A lead that fails, by an error or a panic, unless its flight was taken out.
struct Lead<'a> {
    shelf: &'a Shelf,
    key: u32,
    flight: Option<Arc<Flight>>,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let Some(flight) = &self.flight else { return };
        let mut contents = self.shelf.0.lock();
        let passed = flight.pass_on();
        if matches!(passed, Passed::Nobody) {
            contents.flights.remove(&self.key);
        }
        drop(contents);
        drop(passed);
    }
}

/// Runs what panics, without a report of it.
fn panic_quietly() -> ! {
    resume_unwind(Box::new("as the test asks"))
}

#[test]
fn a_flight_is_small() {
    assert!(size_of::<Flight>() <= 80, "{}", size_of::<Flight>());
    assert!(size_of::<Ticket>() <= 16, "{}", size_of::<Ticket>());
}

#[test]
fn a_place_in_a_flight_that_is_over_is_answered_at_once() {
    let flight = Flight::lead();
    flight.land();
    assert_eq!(enlist(&flight).wait(None), Waited::Landed);
    let flight = Flight::lead();
    assert!(!passes_on(&flight));
    assert_eq!(enlist(&flight).wait(None), Waited::Landed);
    assert!(
        !flight.is_abandoned(),
        "it is to leave the map without a look"
    );
}

/// What happens to a flight.
#[derive(Clone, Copy, Debug)]
enum Step {
    Enlist,
    /// One of the tickets is polled.
    Poll(usize),
    /// One of them leaves.
    Leave(usize),
    PassOn,
    Land,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Enlist),
        6 => any::<usize>().prop_map(Step::Poll),
        4 => any::<usize>().prop_map(Step::Leave),
        3 => Just(Step::PassOn),
        1 => Just(Step::Land),
    ]
}

/// Who leads, in the reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leader {
    Someone,
    Chosen(u32),
    Nobody,
}

/// A flight and what it should be: tickets have numbers in order of coming.
struct Pair {
    flight: Arc<Flight>,
    tickets: Vec<(u32, Ticket, Arc<Bell>)>,
    waiting: VecDeque<u32>,
    leader: Leader,
    n_enlisted: u32,
}

impl Pair {
    fn new() -> Self {
        Self {
            flight: Flight::lead(),
            tickets: Vec::new(),
            waiting: VecDeque::new(),
            leader: Leader::Someone,
            n_enlisted: 0,
        }
    }

    fn choose(&mut self) {
        self.leader = self
            .waiting
            .pop_front()
            .map_or(Leader::Nobody, Leader::Chosen);
    }

    fn enlist(&mut self) {
        match (self.flight.enlist(), self.leader) {
            (Enlisted::Leads, Leader::Nobody) => self.leader = Leader::Someone,
            (Enlisted::Waits(ticket), Leader::Someone | Leader::Chosen(_)) => {
                self.tickets.push((self.n_enlisted, ticket, Arc::default()));
                self.waiting.push_back(self.n_enlisted);
                self.n_enlisted += 1;
            }
            other => panic!("{other:?}"),
        }
    }

    fn poll(&mut self, idx: usize) {
        let (number, ticket, bell) = &mut self.tickets[idx];
        let answer = poll_with(ticket, bell);
        if self.leader == Leader::Chosen(*number) {
            assert_eq!(answer, Poll::Ready(Waited::Leads));
            self.leader = Leader::Someone;
            self.tickets.swap_remove(idx);
        } else {
            assert_eq!(answer, Poll::Pending);
        }
    }

    fn leave(&mut self, idx: usize) {
        let (number, mut ticket, bell) = self.tickets.swap_remove(idx);
        let is_abandoned = ticket.leave();
        if self.leader == Leader::Chosen(number) {
            self.choose();
            assert_eq!(is_abandoned, self.leader == Leader::Nobody);
        } else {
            assert!(!is_abandoned);
            self.waiting.retain(|waiting| *waiting != number);
            assert_eq!(bell.rings(), 0);
        }
        assert_eq!(poll_with(&mut ticket, &bell), Poll::Ready(Waited::Landed));
    }

    fn pass_on(&mut self) {
        if self.leader != Leader::Someone {
            return;
        }
        let has_passed = passes_on(&self.flight);
        self.choose();
        assert_eq!(has_passed, self.leader != Leader::Nobody);
        if !has_passed {
            *self = Self::new();
        }
    }

    fn land(&mut self) {
        if self.leader != Leader::Someone {
            return;
        }
        self.flight.land();
        for (_, ticket, bell) in &mut self.tickets {
            assert_eq!(poll_with(ticket, bell), Poll::Ready(Waited::Landed));
        }
        *self = Self::new();
    }

    fn validate(&self) {
        let core = self.flight.core.lock();
        assert_eq!(core.queue.len(), self.waiting.len());
        core.queue
            .validate(usize::from(matches!(self.leader, Leader::Chosen(_))));
        drop(core);
        assert_eq!(self.flight.is_abandoned(), self.leader == Leader::Nobody);
    }
}

proptest! {
    #[test]
    fn a_flight_does_as_the_reference(steps in vec(steps(), 0..200)) {
        let mut pair = Pair::new();
        for step in steps {
            let n_tickets = pair.tickets.len();
            match step {
                Step::Enlist => pair.enlist(),
                Step::Poll(_) | Step::Leave(_) if n_tickets == 0 => {}
                Step::Poll(idx) => pair.poll(idx % n_tickets),
                Step::Leave(idx) => pair.leave(idx % n_tickets),
                Step::PassOn => pair.pass_on(),
                Step::Land => pair.land(),
            }
            pair.validate();
        }
    }
}
