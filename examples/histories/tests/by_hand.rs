//! Reads and writes without time: the classic histories, accepted and refused, and operations that depend on what is there.

use super::*;
use crate::call::{Asks, Makes};

fn get(n: Option<u32>) -> (Call, Answer) {
    (Call::Get(A), Answer::Entry(n.and_then(seen)))
}

trait Reads {
    fn read(self, thread: usize, begun: u64, ended: u64, n: Option<u32>) -> Self;
    fn write(self, thread: usize, begun: u64, ended: u64, n: u32, old: Option<u32>) -> Self;
}

impl Reads for Script {
    fn read(self, thread: usize, begun: u64, ended: u64, n: Option<u32>) -> Self {
        let (call, answer) = get(n);
        self.call(thread, begun, ended, call, answer)
    }

    fn write(self, thread: usize, begun: u64, ended: u64, n: u32, old: Option<u32>) -> Self {
        let answer = Answer::Entry(old.and_then(seen));
        self.call(thread, begun, ended, insert(A, n), answer)
    }
}

/// A settled insert of value 1.
fn one() -> Script {
    Script::new(&[A]).write(0, 1, 2, 1, None)
}

#[test]
fn a_read_beside_a_write_may_come_before_or_after_it() {
    for found in [Some(1), Some(2)] {
        one()
            .write(0, 3, 6, 2, Some(1))
            .read(1, 4, 5, found)
            .accepted();
    }
    one()
        .write(0, 3, 6, 2, Some(1))
        .read(1, 4, 5, None)
        .refused();
}

#[test]
fn a_stale_read_after_a_settled_write_is_refused() {
    one()
        .write(0, 3, 4, 2, Some(1))
        .read(1, 5, 6, Some(2))
        .accepted();
    one()
        .write(0, 3, 4, 2, Some(1))
        .read(1, 5, 6, Some(1))
        .refused();
}

#[test]
fn nobody_reads_the_old_value_once_somebody_has_read_the_new_one() {
    let both = |first, second| {
        one()
            .write(0, 3, 10, 2, Some(1))
            .read(1, 4, 5, Some(first))
            .read(2, 6, 7, Some(second))
    };
    both(1, 2).accepted();
    both(2, 2).accepted();
    both(2, 1).refused();
}

#[test]
fn two_writes_give_back_different_values() {
    let two = |first, second| {
        one()
            .write(0, 3, 6, 2, Some(first))
            .write(1, 4, 5, 3, Some(second))
    };
    two(1, 2).accepted();
    two(3, 1).accepted();
    two(1, 1).refused();
    two(3, 2).refused();
}

#[test]
fn what_is_removed_stays_away() {
    let removed = || one().call(0, 3, 4, Call::Remove(A), Answer::Entry(seen(1)));
    removed().read(1, 5, 6, None).accepted();
    removed().read(1, 5, 6, Some(1)).refused();
    // Missed by one, it can't be found by the next, though the removal is still on its way.
    let slow = || one().call(0, 3, 9, Call::Remove(A), Answer::Entry(seen(1)));
    slow().read(1, 4, 5, Some(1)).read(2, 6, 7, None).accepted();
    slow().read(1, 4, 5, None).read(2, 6, 7, Some(1)).refused();
    // One value is taken out once.
    removed()
        .call(1, 3, 4, Call::Remove(A), Answer::Entry(seen(1)))
        .refused();
}

#[test]
fn what_is_there_is_not_missed() {
    one().read(1, 3, 4, None).refused();
    let replaced = || one().write(0, 3, 6, 2, Some(1));
    replaced()
        .call(1, 4, 5, Call::Contains(A), Answer::Flag(false))
        .refused();
    replaced()
        .call(1, 4, 5, Call::Contains(A), Answer::Flag(true))
        .accepted();
}

#[test]
fn versions_follow_the_order_of_writes() {
    let two = |first: u64, second: u64| {
        Script::new(&[A])
            .call(0, 1, 2, insert(A, 1), Answer::Entry(None))
            .call(0, 3, 4, Call::Remove(A), Answer::Entry(versioned(1, first)))
            .call(0, 5, 6, insert(A, 2), Answer::Entry(None))
            .call(1, 7, 8, Call::Get(A), Answer::Entry(versioned(2, second)))
    };
    two(4, 9).accepted();
    two(9, 4).refused();
    two(4, 4).refused();
    one()
        .call(1, 3, 4, Call::Get(A), Answer::Entry(versioned(1, 4)))
        .call(1, 5, 6, Call::Get(A), Answer::Entry(versioned(1, 5)))
        .refused_since("has version 5, and had 4");
}

#[test]
fn keys_are_looked_up_one_after_another() {
    let b = Cell { index: 1, ..A };
    let many = |found: [Option<Seen>; 2]| {
        Script::new(&[A, b])
            .call(0, 2, 3, insert(A, 1), Answer::Entry(None))
            .call(0, 4, 5, insert(b, 2), Answer::Entry(None))
            .call(
                1,
                1,
                6,
                Call::GetMany(vec![A, b]),
                Answer::Entries(found.to_vec()),
            )
    };
    many([None, seen(2)]).accepted();
    many([seen(1), None]).accepted();
    many([seen(2), None]).refused();
}

#[test]
fn a_predicate_decides_on_what_is_taken() {
    let asked = |asked: &[u32], taken: Option<u32>| {
        let asked = asked.iter().filter_map(|n| seen(*n)).collect();
        let answer = Answer::Asked(asked, taken.and_then(seen));
        one().call(1, 3, 8, Call::RemoveIf(A), answer)
    };
    asked(&[1], Some(1)).accepted();
    asked(&[1], Some(1)).read(0, 9, 10, Some(1)).refused();
    asked(&[1], None).refused();
    asked(&[1], None)
        .call(0, 4, 5, Call::Remove(A), Answer::Entry(seen(1)))
        .accepted();
    asked(&[1, 3], Some(3))
        .write(0, 4, 5, 3, Some(1))
        .accepted();
    asked(&[1, 2], None).write(0, 4, 5, 2, Some(1)).accepted();
    // It asks about one after the other.
    asked(&[3, 1, 3], Some(3))
        .write(0, 4, 5, 3, Some(1))
        .refused();
    asked(&[], None).refused();
    asked(&[1, 2], Some(2))
        .write(0, 4, 5, 2, Some(1))
        .refused_since("wasn't told to");
}

#[test]
fn a_walk_sees_what_is_there_throughout() {
    let walked = |asked: &[u32], n_taken| {
        let asked = asked.iter().filter_map(|n| seen(*n)).collect();
        one().call(1, 3, 8, Call::Retain(A), Answer::Counted(asked, n_taken))
    };
    walked(&[1], 1).read(0, 9, 10, None).accepted();
    walked(&[1], 1).read(0, 9, 10, Some(1)).refused();
    walked(&[], 0).refused();
    walked(&[], 0).write(0, 4, 5, 2, Some(1)).accepted();
    walked(&[1, 1], 1).refused_since("twice");
    walked(&[1], 2).refused_since("more than");
}

#[test]
fn a_condition_holds_for_one_of_two() {
    let put = |script: Script, thread, n, asks, is_stored, found: Option<u32>| {
        let call = Call::PutIf {
            cell: A,
            value: value(n),
            life: Life::Endless,
            asks,
        };
        let answer = Answer::Put(is_stored, found.and_then(seen));
        script.call(thread, 3, 4, call, answer)
    };
    let absent = Asks::Absent;
    let both = |first, second, found| {
        let first = put(Script::new(&[A]), 0, 1, absent, first, None);
        put(first, 1, 2, absent, second, found)
    };
    both(true, false, Some(1)).accepted();
    both(true, true, None).refused();
    both(true, false, None).refused_since("asked for");
    put(one(), 1, 2, Asks::Equal(value(1)), true, Some(1)).accepted();
    put(one(), 1, 2, Asks::Equal(value(3)), true, Some(1)).refused_since("asked for");
    put(one(), 1, 2, Asks::NotEqual(value(3)), false, Some(3)).refused();
}

#[test]
fn a_computation_changes_what_it_was_given() {
    let computed = |thread, n: u32, given: &[Option<u32>], is: Option<u32>| {
        let call = Call::Compute {
            cell: A,
            value: value(n),
            life: Life::Endless,
            makes: Makes::Value,
        };
        let given: Vec<_> = given.iter().map(|n| n.and_then(seen)).collect();
        let was = given.last().copied().flatten();
        let is = is.and_then(seen);
        (thread, call, Answer::Computed { given, was, is })
    };
    let both = |first: (usize, Call, Answer), second: (usize, Call, Answer)| {
        one()
            .call(first.0, 3, 6, first.1, first.2)
            .call(second.0, 4, 5, second.1, second.2)
    };
    let first = || computed(0, 2, &[Some(1)], Some(2));
    both(first(), computed(1, 3, &[Some(1), Some(2)], Some(3))).accepted();
    both(first(), computed(1, 3, &[Some(1)], Some(3))).refused();
    both(
        first(),
        computed(1, 3, &[Some(2), Some(1), Some(2)], Some(3)),
    )
    .refused();
    both(first(), computed(1, 3, &[Some(2)], Some(2))).refused_since("told to write");
}

#[test]
fn no_increment_is_lost() {
    let add = |script: Script, thread, by, sum: Option<Number>| {
        let call = Call::Increment {
            cell: A,
            by,
            initial: value(7),
            life: Life::Endless,
        };
        script.call(thread, 3, 4, call, Answer::Sum(sum.unwrap()))
    };
    let sum = |n, by| value(n).plus(by);
    add(add(one(), 0, 1, sum(1, 1)), 1, 2, sum(1, 3)).accepted();
    add(add(one(), 0, 1, sum(1, 3)), 1, 2, sum(1, 2)).accepted();
    add(add(one(), 0, 1, sum(1, 1)), 1, 2, sum(1, 2)).refused();
    add(Script::new(&[A]), 0, 1, sum(7, 1)).accepted();
    add(one(), 0, 1, sum(7, 1)).refused();
    add(one(), 0, 2, sum(1, 1)).refused_since("less than");
}

#[test]
fn nothing_appended_is_lost_or_out_of_place() {
    let append = |script: Script, thread, n, joined: &[u32]| {
        let call = Call::Append {
            cell: A,
            more: value(n),
            life: Life::Endless,
        };
        let joined = joined.iter().copied().map(value).reduce(Number::joined);
        script.call(thread, 3, 4, call, Answer::Entry(joined.map(Seen::bare)))
    };
    let both = |first: &[u32], second: &[u32]| append(append(one(), 0, 2, first), 1, 3, second);
    both(&[1, 2], &[1, 2, 3]).accepted();
    both(&[1, 3, 2], &[1, 3]).accepted();
    both(&[1, 2], &[1, 3]).refused();
    both(&[1, 3, 2], &[1, 2, 3]).refused();
    both(&[1, 2], &[1, 3, 2]).refused_since("at the end");
    both(&[1, 2], &[3]).refused();
    append(Script::new(&[A]), 0, 2, &[2]).accepted();
    append(Script::new(&[A]), 0, 2, &[1, 2]).refused();
    append(one(), 0, 2, &[]).refused_since("can't answer");
}

#[test]
fn an_answer_that_no_operation_gives_is_refused() {
    let broke = Answer::Broke("it panicked".to_owned());
    one()
        .call(1, 3, 4, Call::Get(A), broke)
        .refused_since("it panicked");
    one()
        .call(1, 3, 4, Call::Get(A), Answer::Flag(true))
        .refused_since("can't answer");
}

#[test]
fn a_violation_is_shown_without_what_has_nothing_to_do_with_it() {
    let b = Cell { index: 1, ..A };
    let script = Script::new(&[A, b])
        .call(0, 1, 2, insert(A, 1), Answer::Entry(None))
        .call(1, 1, 2, insert(b, 2), Answer::Entry(None))
        .call(1, 3, 4, Call::Get(A), Answer::Entry(seen(1)))
        .call(0, 5, 6, Call::Remove(A), Answer::Entry(seen(1)))
        .call(1, 7, 8, Call::Peek(A), Answer::Entry(seen(1)))
        .call(0, 9, 10, Call::Peek(A), Answer::Entry(None));
    let history = script.history();
    let violation = judge(&history).violation.unwrap();
    let (least, violation) = crate::show::reduce(&history, &violation);
    let text = crate::show::time_line(&least, &violation);
    let rows: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "at clock thread 0 thread 1",
        "0 0 insert a=1",
        "1 0 -> nothing",
        "4 0 remove a",
        "5 0 -> 1",
        "6 0 ? peek a",
        "7 0 -> 1",
    ];
    assert_eq!(rows, expected);
}
