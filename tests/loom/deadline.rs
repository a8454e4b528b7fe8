//! Deadlines that are moved, claimed and missed. The first deadline is 10; a mover's clock stands at 9, a finder's at 10, and 15 is
//! later than both.

use std::sync::Arc;

use larder::model::{Deadline, check};
use loom::thread;

fn moved_and_missed(moves: fn(&Deadline) -> bool, is_ahead: fn(&Deadline, u64) -> bool) {
    check(move || {
        let deadline = Arc::new(Deadline::new(10));
        let other = Arc::clone(&deadline);
        let mover = thread::spawn(move || moves(&other));
        let missed = [10, 10].map(|now| !is_ahead(&deadline, now));
        let moved = mover.join().expect("the mover ends");
        let settled = is_ahead(&deadline, 15);
        let agree = if moved {
            settled && missed == [false, false]
        } else {
            !settled && missed[1]
        };
        assert!(
            agree,
            "moved: {moved}, missed: {missed:?}, ahead in the end: {settled}"
        );
    });
}

#[test]
fn a_deadline_is_either_moved_or_missed() {
    moved_and_missed(|deadline| deadline.try_move(9, 20), Deadline::is_ahead);
}

#[test]
#[should_panic(expected = "ahead in the end")]
fn twin_a_deadline_that_is_stored_brings_back_what_was_missed() {
    moved_and_missed(|deadline| deadline.move_blindly(9, 20), Deadline::is_ahead);
}

#[test]
#[should_panic(expected = "ahead in the end")]
fn twin_a_miss_that_does_not_end_the_deadline_is_taken_back() {
    moved_and_missed(|deadline| deadline.try_move(9, 20), Deadline::seems_ahead);
}

/// A writer at 9 takes the entry away as a live one, and a reader at 10 answers that it is gone: one of them.
fn taken_and_missed(takes: fn(&Deadline, u64) -> bool) {
    check(move || {
        let deadline = Arc::new(Deadline::new(10));
        let other = Arc::clone(&deadline);
        let writer = thread::spawn(move || takes(&other, 9));
        let is_missed = deadline.is_missed(10);
        let is_taken = writer.join().expect("the writer ends");
        assert!(!(is_taken && is_missed), "taken alive, and missed before");
        assert!(is_taken || is_missed);
    });
}

#[test]
fn an_entry_is_either_taken_alive_or_missed() {
    taken_and_missed(Deadline::claim);
}

#[test]
#[should_panic(expected = "missed before")]
fn twin_an_entry_that_is_looked_at_and_taken_without_a_claim_is_missed_first() {
    taken_and_missed(Deadline::seems_ahead);
}

/// A reader extends the deadline while a writer claims it and then gives that up.
fn extended_under_a_claim(gives_up: fn(&Deadline)) {
    check(move || {
        let deadline = Arc::new(Deadline::new(10));
        assert!(deadline.claim(8));
        let other = Arc::clone(&deadline);
        let writer = thread::spawn(move || gives_up(&other));
        // Tried again, as by a look-up, until no claim comes between.
        let is_extended = (0..3).any(|_| deadline.try_move(9, 20));
        writer.join().expect("the writer ends");
        assert!(is_extended);
        assert!(deadline.is_ahead(15), "the extension was lost");
    });
}

#[test]
fn an_extension_under_a_claim_holds_when_that_is_given_up() {
    extended_under_a_claim(Deadline::unclaim);
}

#[test]
#[should_panic(expected = "the extension was lost")]
fn twin_a_claim_that_is_given_up_blindly_takes_an_extension_back() {
    extended_under_a_claim(Deadline::unclaim_blindly);
}

/// Two readers extend, one further than the other, while a third thread may find the entry due.
fn extended_twice(moves: fn(&Deadline, u64, u64) -> bool) {
    check(move || {
        let deadline = Arc::new(Deadline::new(10));
        let [short, long, finder] = std::array::from_fn(|_| Arc::clone(&deadline));
        let short = thread::spawn(move || moves(&short, 8, 18));
        let finder = thread::spawn(move || finder.is_ahead(10));
        let is_extended = moves(&long, 9, 19);
        let is_extended_less = short.join().expect("a mover ends");
        let was_ahead = finder.join().expect("the finder ends");
        let is_ahead = deadline.is_ahead(15);
        assert_eq!(
            is_ahead,
            is_extended || is_extended_less,
            "a settled extension holds"
        );
        assert!(was_ahead || !is_ahead, "what was missed has come back");
    });
}

#[test]
fn an_extension_that_settled_is_not_lost() {
    extended_twice(Deadline::try_move);
}

#[test]
#[should_panic]
fn twin_an_extension_that_is_stored_outlives_a_miss() {
    extended_twice(Deadline::move_blindly);
}
