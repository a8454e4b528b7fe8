//! Leases of tokens, and the board that refusals read.

use std::sync::Arc;

use larder::model::{Slate, Tenant, TwoSteps, check};
use loom::thread;

/// Two threads ask twice each; all that there is passes, and what is refused is refused because all is gone.
fn asked_by_two(tokens: [u64; 2], costs: [[u64; 2]; 2], fault: TwoSteps) {
    check(move || {
        let tenant = Tenant::open(tokens, fault);
        let other = Arc::clone(&tenant);
        let second = thread::spawn(move || [0; 2].map(|_| other.admit(1, costs[1])));
        let first = [0; 2].map(|_| tenant.admit(0, costs[0]));
        let second = second.join().expect("the other ends");
        let left = tenant.left();
        let answers = [first, second];
        for at in [0, 1] {
            let used: u64 = (0..2)
                .map(|who| {
                    costs[who][at] * answers[who].iter().filter(|&&passed| passed).count() as u64
                })
                .sum();
            assert_eq!(used + left[at], tokens[at], "a token is used once or left");
        }
        for who in [0, 1] {
            let would_fit = [0, 1].iter().all(|&at| costs[who][at] <= left[at]);
            assert!(
                answers[who] == [true; 2] || !would_fit,
                "refused, and there was room"
            );
        }
    });
}

#[test]
fn no_token_of_a_lease_is_used_twice_or_lost() {
    asked_by_two([3, 9], [[1, 1]; 2], TwoSteps::None);
}

#[test]
fn both_dimensions_are_taken_or_none() {
    asked_by_two([9, 3], [[1, 0], [1, 2]], TwoSteps::None);
}

#[test]
#[should_panic]
fn twin_a_lease_that_is_taken_from_in_two_steps_gives_too_much() {
    asked_by_two([3, 9], [[1, 1]; 2], TwoSteps::Take);
}

#[test]
#[should_panic]
fn twin_a_lease_that_is_called_in_in_two_steps_comes_back_twice() {
    asked_by_two([3, 9], [[1, 1]; 2], TwoSteps::CallIn);
}

fn shown_and_read(read: fn(&Slate) -> Option<[u64; 2]>) {
    check(move || {
        let slate = Slate::new();
        let other = Arc::clone(&slate);
        let writer = thread::spawn(move || {
            other.show(2);
            other.retire();
            other.show(3);
        });
        if let Some([first, second]) = read(&slate) {
            assert_eq!(first, second, "the words don't belong together");
        }
        writer.join().expect("the writer ends");
        assert_eq!(slate.read(), Some([3, 3]));
    });
}

#[test]
fn words_that_are_read_belong_together() {
    shown_and_read(Slate::read);
}

#[test]
#[should_panic(expected = "belong together")]
fn twin_a_board_without_a_second_look_is_torn() {
    shown_and_read(Slate::read_once);
}
