use super::{Ahead, Deadline};
use crate::clock::Nanos;

fn at(now: u64) -> impl FnMut(Nanos) -> (bool, Nanos) {
    move |deadline| (deadline.0 <= now, Nanos(now))
}

#[test]
fn a_passed_deadline_stays_passed() {
    let word = Deadline::new(Nanos(10));
    assert_eq!(
        word.check(at(9)),
        Some(Ahead {
            deadline: Nanos(10),
            now: Nanos(9)
        })
    );
    assert_eq!(word.check(at(10)), None);
    // Even for who reads an earlier time.
    assert_eq!(word.check(at(3)), None);
}

#[test]
fn only_what_was_checked_is_moved() {
    let word = Deadline::new(Nanos(10));
    let checked = word.check(at(5)).unwrap();
    assert!(word.try_move(checked, Nanos(20)));
    assert!(!word.try_move(checked, Nanos(30)));
    assert_eq!(word.get(), Nanos(20));
    let checked = word.check(at(15)).unwrap();
    assert_eq!(word.check(at(25)), None);
    assert!(!word.try_move(checked, Nanos(90)), "the dead stay dead");
}
