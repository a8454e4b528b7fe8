//! The store-load litmus of the light form, on the machine itself.
//!
//! In each round the reader publishes and then loads the link, and the writer changes the link and then looks at the
//! slot. If neither has seen the other, a reader would use what a writer frees. The twin without the system call must
//! show that at least once, or the litmus can't see what it is for.

use std::ptr;
use std::thread;

use super::super::CachePadded;
use super::super::time::monotonic_ns;
use super::*;

/// Two locations whose values are the number of the round, so that nothing has to be reset.
#[derive(Default)]
struct Litmus {
    slot: CachePadded<AtomicPtr<u8>>,
    /// Not that of schedules, which takes its time before each load, and so hides what the store buffer does.
    link: CachePadded<std::sync::atomic::AtomicU64>,
    readers_round: CachePadded<AtomicU64>,
    writers_round: CachePadded<AtomicU64>,
}

/// Meets the other thread at the beginning of a round; then both go off with a little random delay, of which the best
/// depends on the machine.
fn meet(own: &AtomicU64, other: &AtomicU64, round: u64, random: &mut u64) {
    own.store(round, Ordering::Release);
    let mut n_spins = 0_u32;
    while other.load(Ordering::Acquire) < round {
        n_spins += 1;
        // The other thread may not be running, where cores are few.
        if n_spins.is_multiple_of(4096) {
            thread::yield_now()
        } else {
            std::hint::spin_loop()
        }
    }
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    for _ in 0..*random % 32 {
        std::hint::black_box(&random);
    }
}

/// Plays up to `n_rounds` rounds, or until both have missed each other, or the time is up. How often they did, and how
/// many rounds it took.
fn play(n_rounds: u64, ns_max: u64, form: Form, writers_barrier: impl Fn() -> bool) -> (u64, u64) {
    let litmus = Litmus::default();
    // The last round, once it is known.
    let last = AtomicU64::new(n_rounds);
    let began = monotonic_ns();
    // What the reader saw of the link; the second meeting of a round hands it over.
    let view = CachePadded::new(AtomicU64::new(0));
    let (mut n_missed, mut n_played) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = 0x1234_5678_9abc_def1;
            let mut round = 1;
            while round <= last.load(Ordering::Acquire) {
                meet(
                    &litmus.readers_round,
                    &litmus.writers_round,
                    2 * round,
                    &mut random,
                );
                publish(
                    &litmus.slot,
                    ptr::without_provenance_mut(round as usize),
                    form,
                );
                let seen = litmus.link.load(Ordering::SeqCst);
                view.store(seen, Ordering::Relaxed);
                meet(
                    &litmus.readers_round,
                    &litmus.writers_round,
                    2 * round + 1,
                    &mut random,
                );
                round += 1;
            }
        });
        let mut random = 0xfeed_beef_1234_5671;
        let mut round = 1;
        while round <= last.load(Ordering::Acquire) {
            meet(
                &litmus.writers_round,
                &litmus.readers_round,
                2 * round,
                &mut random,
            );
            litmus.link.swap(round, Ordering::SeqCst);
            assert!(writers_barrier());
            let named = litmus.slot.load(Ordering::SeqCst).addr() as u64;
            // The end is decided before the second meeting, so that the reader sees it after.
            if n_missed > 0 || round.is_multiple_of(256) && monotonic_ns() - began > ns_max {
                last.store(round, Ordering::Release);
            }
            meet(
                &litmus.writers_round,
                &litmus.readers_round,
                2 * round + 1,
                &mut random,
            );
            n_missed += u64::from(named < round && view.load(Ordering::Relaxed) < round);
            n_played = round;
            round += 1;
        }
    });
    (n_missed, n_played)
}

const SECOND_NS: u64 = 1_000_000_000;

#[test]
fn a_reader_and_a_writer_never_miss_each_other() {
    let form = decide();
    let (n_missed, n_played) = play(300_000, SECOND_NS, form, heavy);
    assert_eq!(n_missed, 0, "in {n_played} rounds of the {form:?} form");
}

#[test]
fn twin_without_the_system_call_they_do() {
    if decide() != Form::Light {
        return;
    }
    let (n_missed, n_played) = play(u64::MAX / 4, 60 * SECOND_NS, Form::Light, || true);
    assert!(n_missed > 0, "the litmus sees nothing in {n_played} rounds");
    println!("missed in round {n_played}");
}

#[test]
fn calls_that_wait_for_one_another_all_return() {
    decide();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!((0..500).all(|_| heavy())));
        }
    });
}
