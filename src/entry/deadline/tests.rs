use super::{Ahead, Deadline, InChange};
use crate::clock::Nanos;

fn at(now: u64) -> impl FnMut(Nanos) -> (bool, Nanos) {
    move |deadline| (deadline.0 <= now, Nanos(now))
}

#[test]
fn f05_a_passed_deadline_stays_passed() {
    let word = Deadline::new(Nanos(10));
    assert_eq!(
        word.check(at(9)),
        Ok(Some(Ahead {
            deadline: Nanos(10),
            now: Nanos(9),
            is_claimed: false,
        }))
    );
    assert_eq!(word.check(at(10)), Ok(None));
    // Even for who reads an earlier time.
    assert_eq!(word.check(at(3)), Ok(None));
}

#[test]
fn only_what_was_checked_is_moved() {
    let word = Deadline::new(Nanos(10));
    let checked = word.check(at(5)).unwrap().unwrap();
    assert!(word.try_move(checked, Nanos(20)));
    assert!(!word.try_move(checked, Nanos(30)));
    assert_eq!(word.get(), Nanos(20));
    let checked = word.check(at(15)).unwrap().unwrap();
    assert_eq!(word.check(at(25)), Ok(None));
    assert!(!word.try_move(checked, Nanos(90)), "the dead stay dead");
}

#[test]
fn a_claimed_deadline_is_ended_by_nobody() {
    let word = Deadline::new(Nanos(10));
    assert!(word.claim(at(9)));
    let ahead = word.check(at(9)).unwrap().unwrap();
    assert!(ahead.is_claimed);
    assert_eq!(word.check(at(10)), Err(InChange));
    assert_eq!(word.get(), Nanos(10));
    word.unclaim();
    assert_eq!(word.check(at(10)), Ok(None));
    assert!(!word.claim(at(3)), "the dead stay dead");
}

#[test]
fn a_claimed_deadline_is_moved_and_what_was_moved_stays_when_the_claim_is_given_up() {
    for to in [Nanos(20), Nanos::MAX] {
        let word = Deadline::new(Nanos(10));
        assert!(word.claim(at(5)));
        let ahead = word.check(at(6)).unwrap().unwrap();
        assert!(word.try_move(ahead, to) && word.get() == to);
        assert!(!word.try_move(ahead, Nanos(30)), "it was moved");
        let is_claimed = word.check(at(15)).unwrap().unwrap().is_claimed;
        assert_eq!(is_claimed, to != Nanos::MAX);
        assert!(word.claim(at(15)), "a claim is claimed again");
        word.unclaim();
        let ahead = word.check(at(15)).unwrap().unwrap();
        assert_eq!((ahead.deadline, ahead.is_claimed), (to, false));
        assert_eq!(word.check(at(20)).unwrap().is_some(), to == Nanos::MAX);
    }
}

#[test]
fn what_never_ends_is_claimed_without_a_trace() {
    for deadline in [Nanos::MAX, Nanos(1 << 63), Nanos((1 << 63) - 1)] {
        let word = Deadline::new(deadline);
        assert!(word.is_never() && word.claim(at(u64::MAX - 1)));
        word.unclaim();
        assert!(word.is_never() && word.get() == Nanos::MAX);
    }
}
