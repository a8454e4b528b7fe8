//! Threads that wait, through a small stripe.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::{Barrier, mpsc};
use std::thread;

use super::*;

/// Runs that many threads on small stacks; what each answered.
fn run<R: Send>(n_threads: usize, job: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let job = &job;
    thread::scope(|scope| {
        let spawn = |n| {
            let builder = thread::Builder::new().stack_size(128 << 10);
            builder.spawn_scoped(scope, move || job(n)).unwrap()
        };
        let threads: Vec<_> = (0..n_threads).map(spawn).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn f30_a_thousand_callers_are_one_load() {
    let shelf = Shelf::default();
    let n_loads = AtomicU64::new(0);
    let load = || {
        n_loads.fetch_add(1, Ordering::Relaxed);
        shelf.flight(1).await_waiting(999);
        Ok(7)
    };
    let answers = run(1000, |_| shelf.get_or_load(1, PATIENT, load));
    assert!(answers.iter().all(|answer| *answer == Ok(7)));
    assert_eq!(n_loads.load(Ordering::Relaxed), 1);
    assert_eq!(shelf.n_flights(), 0);
}

#[test]
fn f29_failures_pass_the_lead_on_in_order_of_coming() {
    let shelf = Shelf::default();
    let n_loads = AtomicU64::new(0);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for n in 0..8 {
            let (shelf, n_loads) = (&shelf, &n_loads);
            threads.push(scope.spawn(move || {
                shelf.get_or_load(1, PATIENT, || {
                    if n == 0 {
                        shelf.flight(1).await_waiting(7);
                    }
                    assert_eq!(n_loads.fetch_add(1, Ordering::Relaxed), n, "in order");
                    match n {
                        2 => panic_quietly(),
                        5 => Ok(50),
                        _ => Err(Trouble::Failed),
                    }
                })
            }));
            match n {
                0 => await_that(|| shelf.n_flights() == 1),
                // The first fails when it sees this one.
                7 => {}
                n => shelf.flight(1).await_waiting(n as usize),
            }
        }
        for (n, thread) in threads.into_iter().enumerate() {
            let answer = thread.join();
            match n {
                2 => assert!(answer.is_err(), "a panic is its caller's"),
                5.. => assert_eq!(answer.unwrap(), Ok(50)),
                _ => assert_eq!(answer.unwrap(), Err(Trouble::Failed)),
            }
        }
    });
    assert_eq!(n_loads.into_inner(), 6);
    assert_eq!(shelf.n_flights(), 0);
}

#[test]
fn f29_a_panic_alone_leaves_nothing_behind() {
    let shelf = Shelf::default();
    let loads = AtomicU64::new(0);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        shelf.get_or_load(1, PATIENT, || {
            loads.fetch_add(1, Ordering::Relaxed);
            panic_quietly()
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(shelf.n_flights(), 0);
    assert!(!waits::loads_here());
    assert_eq!(shelf.get_or_load(1, PATIENT, || Ok(3)), Ok(3));
    assert_eq!(loads.into_inner(), 1);
}

/// In each round one waiter's time runs out while the lead is passed on.
#[test]
fn f29_a_lead_that_comes_at_the_last_moment_is_neither_lost_nor_doubled() {
    const N_ROUNDS: u64 = 3000;
    let (flights, round) = mpsc::channel::<(Ticket, u64)>();
    let (answers, answer) = mpsc::channel();
    let meet = Barrier::new(2);
    let mut n_led = 0;
    thread::scope(|scope| {
        let meet = &meet;
        scope.spawn(move || {
            for (ticket, ns) in round {
                meet.wait();
                answers
                    .send(ticket.wait(Some(Duration::from_nanos(ns))))
                    .unwrap();
            }
        });
        for n in 0..N_ROUNDS {
            let flight = Flight::lead();
            // From none to what parking and waking takes.
            flights.send((enlist(&flight), n % 32 * 4000)).unwrap();
            meet.wait();
            for _ in 0..n % 61 * 20 {
                std::hint::black_box(n);
            }
            let expected = match flight.pass_on() {
                Passed::On(wake) => {
                    drop(wake);
                    n_led += 1;
                    Waited::Leads
                }
                Passed::Nobody => Waited::TimedOut,
            };
            assert_eq!(answer.recv().unwrap(), expected);
            assert_eq!(flight.n_waiting(), 0);
        }
        drop(flights);
    });
    assert!(n_led > 0);
    assert!(n_led < N_ROUNDS);
}

#[test]
fn a_time_out_is_neither_early_nor_for_others() {
    let flight = Flight::lead();
    let patient = enlist(&flight);
    for timeout in [Duration::ZERO, Duration::from_millis(2)] {
        let began = now();
        assert_eq!(enlist(&flight).wait(Some(timeout)), Waited::TimedOut);
        assert!(now().saturating_since(began) >= timeout);
        assert_eq!(flight.n_waiting(), 1);
    }
    let waiter = thread::spawn(|| patient.wait(Some(Duration::MAX)));
    assert!(passes_on(&flight));
    assert_eq!(waiter.join().unwrap(), Waited::Leads);
}

/// A wake-up that isn't from the flight is none.
#[test]
fn a_waiter_sleeps_on_when_somebody_else_wakes_it() {
    let flight = Flight::lead();
    let ticket = enlist(&flight);
    let waiter = thread::spawn(|| ticket.wait(PATIENT));
    for _ in 0..1000 {
        waiter.thread().unpark();
        thread::yield_now();
    }
    assert!(!waiter.is_finished());
    flight.land();
    assert_eq!(waiter.join().unwrap(), Waited::Landed);
}

#[test]
fn tasks_and_threads_stand_in_one_queue() {
    let flight = Flight::lead();
    let (mut task, bell) = (enlist(&flight), Arc::default());
    let ticket = enlist(&flight);
    let mut last = enlist(&flight);
    assert_eq!(poll_with(&mut task, &bell), Poll::Pending);
    let thread = thread::spawn(|| ticket.wait(PATIENT));
    assert!(passes_on(&flight));
    assert_eq!(poll_with(&mut task, &bell), Poll::Ready(Waited::Leads));
    assert!(passes_on(&flight));
    assert_eq!(thread.join().unwrap(), Waited::Leads);
    assert_eq!(poll_with(&mut last, &bell), Poll::Pending);
    flight.land();
    assert_eq!(poll_with(&mut last, &bell), Poll::Ready(Waited::Landed));
}

/// Many keys, many threads, a third of the loads fail: all calls end, and nothing is left.
#[test]
fn all_calls_end_and_no_flight_is_left() {
    let shelf = Shelf::default();
    let loading: [AtomicU64; 4] = Default::default();
    run(8, |thread| {
        let mut random = thread as u64 + 1;
        for _ in 0..2000 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
            let draw = random >> 33;
            let key = (draw % 4) as u32;
            let timeout = [
                None,
                Some(Duration::ZERO),
                Some(Duration::from_micros(draw % 50)),
            ];
            let _ = shelf.get_or_load(key, timeout[draw as usize / 4 % 3], || {
                let n_others = loading[key as usize].fetch_add(1, Ordering::Relaxed);
                assert_eq!(n_others, 0, "two load at once");
                thread::yield_now();
                loading[key as usize].fetch_sub(1, Ordering::Relaxed);
                match draw % 3 {
                    0 => Err(Trouble::Failed),
                    _ => Ok(draw),
                }
            });
            shelf.0.lock().values.remove(&key);
        }
    });
    assert_eq!(shelf.n_flights(), 0);
}

/// Waits, and loads, while its thread ends.
struct AtTheEnd(Arc<Shelf>, mpsc::Sender<[Result<u64, Trouble>; 3]>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let Self(shelf, answers) = self;
        let cycle = || shelf.get_or_load(2, PATIENT, || shelf.get_or_load(2, PATIENT, || Ok(0)));
        let answer = [
            shelf.get_or_load(1, PATIENT, || Ok(0)),
            cycle(),
            shelf.get_or_load(2, PATIENT, || Ok(20)),
        ];
        answers.send(answer).unwrap();
    }
}

thread_local!(static AT_THE_END: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) });

#[test]
fn f35_a_thread_that_ends_may_wait_and_load() {
    let shelf = Arc::new(Shelf::default());
    let (sender, answers) = mpsc::channel();
    let ending = shelf
        .get_or_load(1, PATIENT, || {
            let at_the_end = AtTheEnd(Arc::clone(&shelf), sender);
            let thread = thread::spawn(|| AT_THE_END.set(Some(at_the_end)));
            shelf.flight(1).await_waiting(1);
            assert_eq!(thread.thread().name(), None);
            Ok(10)
        })
        .unwrap();
    assert_eq!(ending, 10);
    let expected = [Ok(10), Err(Trouble::Cycle), Ok(20)];
    assert_eq!(answers.recv().unwrap(), expected);
}
