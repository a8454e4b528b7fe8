//! A record of the wheel, while readers put the deadline off, writers change it, and the entry is removed. It ends at tick 10; a reader's
//! and a writer's clock stand at 9, the wheel's at 10.

use std::sync::Arc;

use larder::model::{Slip, Timed, check};
use loom::thread;

/// A reader puts the deadline off while the wheel reaches it and a writer acts; then the entry leaves once, by its last deadline.
fn put_off_and(act: fn(&Timed) -> bool, slip: Slip) {
    check(move || {
        let timed = Arc::new(Timed::new(10, slip));
        let [reader, writer] = [(); 2].map(|()| Arc::clone(&timed));
        let reader = thread::spawn(move || reader.put_off(9, 20));
        let writer = thread::spawn(move || act(&writer));
        let mut n_left = u32::from(timed.expire(10));
        reader.join().expect("the reader ends");
        let is_removed = writer.join().expect("the writer ends");
        n_left += u32::from(is_removed);
        let (n_records, is_linked) = timed.state();
        assert_eq!(n_records, usize::from(is_linked), "a record an entry");
        n_left += u32::from(timed.expire(21));
        assert_eq!(timed.state(), (0, false), "the entry outlives its deadline");
        assert_eq!(n_left, 1, "it leaves once");
    });
}

#[test]
fn what_is_put_off_and_set_leaves_by_its_last_deadline() {
    put_off_and(
        |timed| {
            timed.set(9, 15);
            false
        },
        Slip::None,
    );
}

#[test]
fn what_is_put_off_is_filed_again() {
    put_off_and(|_| false, Slip::None);
}

#[test]
fn what_is_put_off_and_removed_leaves_once() {
    put_off_and(Timed::remove, Slip::None);
}

#[test]
#[should_panic]
fn twin_what_fires_and_is_not_filed_again_is_stranded() {
    put_off_and(|_| false, Slip::Refile);
}

#[test]
#[should_panic]
fn twin_a_record_that_stays_behind_fires_for_nobody() {
    put_off_and(Timed::remove, Slip::Cancel);
}

/// A deadline that comes forward, while a reader puts it off by less.
fn brought_forward(slip: Slip) {
    check(move || {
        let timed = Arc::new(Timed::new(70, slip));
        let reader = Arc::clone(&timed);
        let reader = thread::spawn(move || reader.put_off(9, 71));
        assert!(timed.set(9, 15));
        reader.join().expect("the reader ends");
        // Whatever the reader has made of it.
        assert!(timed.set(9, 15));
        assert!(timed.expire(16), "it is served on after its deadline");
        assert_eq!(timed.state(), (0, false));
    });
}

#[test]
fn what_is_brought_forward_leaves_in_time() {
    brought_forward(Slip::None);
}

#[test]
#[should_panic(expected = "served on after its deadline")]
fn twin_what_is_brought_forward_and_not_filed_again_stays() {
    brought_forward(Slip::Move);
}
