//! Deadlines, by a clock that moves at known places.

use super::*;
use crate::call::Only;

/// Value 1 for so many ticks.
fn timed_one(ticks: u64) -> Script {
    Script::new(&[A]).call(0, 1, 2, insert_for(A, 1, ticks), Answer::Entry(None))
}

fn get(script: Script, begun: u64, ended: u64, found: Option<Seen>) -> Script {
    script.call(1, begun, ended, Call::Get(A), Answer::Entry(found))
}

#[test]
fn an_entry_is_absent_from_its_deadline_on() {
    get(timed_one(3).advance(3, 2), 4, 5, timed(1, 1)).accepted();
    get(timed_one(3).advance(3, 2), 4, 5, None).refused();
    get(timed_one(3).advance(3, 3), 4, 5, None).accepted();
    get(timed_one(3).advance(3, 3), 4, 5, seen(1)).refused();
}

#[test]
fn a_look_beside_the_deadline_may_find_it_or_not() {
    for found in [timed(1, 3), None] {
        get(timed_one(3).advance(4, 3), 3, 5, found).accepted();
    }
    // Once it was missed, it's gone.
    let missed = get(timed_one(3).advance(4, 3), 5, 6, None);
    get(missed, 7, 8, seen(1)).refused();
}

#[test]
fn what_is_left_is_told_by_a_reading_of_the_call() {
    for left in [3, 2] {
        get(timed_one(3).advance(4, 1), 3, 5, timed(1, left)).accepted();
    }
    for left in [4, 1] {
        get(timed_one(3).advance(4, 1), 3, 5, timed(1, left)).refused();
    }
    let endless = Answer::Left(Some(Left::Forever));
    timed_one(3).call(1, 3, 4, Call::Ttl(A), endless).refused();
}

#[test]
fn a_deadline_is_counted_from_a_reading_of_the_call() {
    let slow = || {
        Script::new(&[A])
            .call(0, 1, 4, insert_for(A, 1, 3), Answer::Entry(None))
            .advance(3, 2)
    };
    get(slow(), 5, 6, timed(1, 3)).accepted();
    get(slow(), 5, 6, timed(1, 1)).accepted();
    get(slow(), 5, 6, timed(1, 2)).refused();
}

#[test]
fn an_alive_successor_is_not_missed_for_its_predecessors_deadline() {
    let script = timed_one(1)
        .call(2, 4, 5, insert(A, 2), Answer::Entry(timed(1, 1)))
        .advance(6, 1);
    get(script, 3, 7, None).refused();
}

#[test]
fn what_is_over_is_given_back_to_nobody() {
    let over = || timed_one(1).advance(3, 1);
    over()
        .call(1, 4, 5, Call::Remove(A), Answer::Entry(seen(1)))
        .refused();
    over()
        .call(1, 4, 5, Call::Remove(A), Answer::Entry(None))
        .accepted();
    over()
        .call(1, 4, 5, insert(A, 2), Answer::Entry(seen(1)))
        .refused();
    over()
        .call(1, 4, 5, insert(A, 2), Answer::Entry(None))
        .accepted();
}

#[test]
fn another_time_to_live_counts_from_now_on() {
    let set = |script: Script, life, only, done| {
        let cell = A;
        script.call(
            1,
            4,
            5,
            Call::SetTtl { cell, life, only },
            Answer::Ttl(done),
        )
    };
    let two = Life::Ticks(2);
    let aged = || timed_one(3).advance(3, 2);
    get(
        set(aged(), two, Only::Always, Some(true)),
        6,
        7,
        timed(1, 2),
    )
    .accepted();
    get(
        set(aged(), two, Only::Longer, Some(true)),
        6,
        7,
        timed(1, 2),
    )
    .accepted();
    get(
        set(aged(), two, Only::Shorter, Some(false)),
        6,
        7,
        timed(1, 1),
    )
    .accepted();
    get(
        set(aged(), two, Only::Shorter, Some(false)),
        6,
        7,
        timed(1, 2),
    )
    .refused();
    set(aged(), two, Only::Longer, Some(false)).refused();
    set(aged(), two, Only::Shorter, Some(true)).refused();
    set(aged(), two, Only::Always, Some(false)).refused_since("in any case");
    set(aged(), two, Only::Always, None).refused();
    // It doesn't bring back what is over.
    let over = || timed_one(1).advance(3, 1);
    set(over(), two, Only::Always, Some(true)).refused();
    set(over(), two, Only::Always, None).accepted();
}

#[test]
fn a_kept_deadline_is_that_of_the_replaced() {
    let (cell, life) = (A, Life::Kept);
    let value = value(2);
    let kept = || {
        timed_one(3).advance(3, 2).call(
            1,
            4,
            5,
            Call::Insert { cell, value, life },
            Answer::Entry(seen(1)),
        )
    };
    get(kept(), 6, 7, timed(2, 1)).accepted();
    get(kept(), 6, 7, timed(2, 3)).refused();
    get(kept().advance(6, 1), 7, 8, None).accepted();
}

#[test]
fn what_is_appended_keeps_the_deadline_of_what_is_there() {
    let more = value(2);
    let appended = |script: Script, joined| {
        let (cell, life) = (A, Life::Ticks(3));
        let call = Call::Append { cell, more, life };
        script.call(1, 4, 5, call, Answer::Entry(Some(Seen::bare(joined))))
    };
    let left = |value, ticks| {
        let left = Left::Ticks(ticks);
        Some(Seen {
            left,
            ..Seen::bare(value)
        })
    };
    let joined = value(1).joined(more);
    let kept = || appended(timed_one(3).advance(3, 2), joined);
    get(kept(), 6, 7, left(joined, 1)).accepted();
    get(kept(), 6, 7, left(joined, 3)).refused();
    // What is over is not joined, and what is alone lives as long as the call says.
    let alone = || appended(timed_one(2).advance(3, 2), more);
    get(alone(), 6, 7, left(more, 3)).accepted();
    get(alone(), 6, 7, None).refused();
    appended(timed_one(2).advance(3, 2), joined).refused();
}
