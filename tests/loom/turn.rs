//! Work that is left to whoever has the turn.

use std::sync::Arc;

use larder::model::{Desk, check};
use loom::thread;

fn left_by_two(leave: fn(&Desk)) {
    check(move || {
        let desk = Arc::new(Desk::new());
        let other = Arc::clone(&desk);
        let second = thread::spawn(move || leave(&other));
        leave(&desk);
        second.join().expect("the other ends");
        assert_eq!(desk.left(), 0, "work that nobody does");
    });
}

#[test]
fn what_is_left_to_another_is_done() {
    left_by_two(Desk::leave_and_work);
}

#[test]
#[should_panic(expected = "work that nobody does")]
fn twin_what_comes_after_the_last_look_is_left() {
    left_by_two(Desk::leave_and_look_within);
}
