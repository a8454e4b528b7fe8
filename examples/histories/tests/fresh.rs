//! Values that go stale, entries that say that there is none, tasks that load.

use super::*;
use crate::call::{Form, Got, Loads, Only};

/// Value 1 that is fresh for two ticks and stale for three.
fn one() -> Script {
    let (value, life) = (value(1), Life::Stale(2, 3));
    let cell = A;
    Script::new(&[A]).call(
        0,
        1,
        2,
        Call::Insert { cell, value, life },
        Answer::Entry(None),
    )
}

fn told(n: u32, left: u64, is_stale: bool) -> Option<Seen> {
    let is_stale = Some(is_stale);
    timed(n, left).map(|seen| Seen { is_stale, ..seen })
}

fn get(script: Script, at: u64, found: Option<Seen>) -> Script {
    script.call(8, at, at + 1, Call::Get(A), Answer::Entry(found))
}

/// A load within `begun..=ended` whose loader ran in between, if it did.
fn load(
    script: Script,
    thread: usize,
    (begun, ended): (u64, u64),
    (form, loads): (Form, Loads),
    ran: Option<(u64, u64)>,
    got: Got,
) -> Script {
    let stamp = |place| Stamp { place, ticks: 0 };
    let ran = ran.map(|(from, to)| (stamp(from), stamp(to)));
    let (cell, value, life) = (A, value(thread as u32), Life::Endless);
    let call = Call::Load {
        cell,
        value,
        life,
        loads,
        form,
    };
    script.call(thread, begun, ended, call, Answer::Loaded(ran, got))
}

fn entry(n: u32) -> Got {
    seen(n).map_or(Got::Failure, Got::Entry)
}

const VALUE: (Form, Loads) = (Form::Load, Loads::Value);

#[test]
fn a_value_is_fresh_then_stale_then_gone() {
    get(one().advance(3, 1), 4, told(1, 4, false)).accepted();
    get(one().advance(3, 1), 4, told(1, 4, true)).refused();
    get(one().advance(3, 2), 4, told(1, 3, true)).accepted();
    get(one().advance(3, 2), 4, told(1, 3, false)).refused();
    get(one().advance(3, 5), 4, None).accepted();
    // Who keeps the time to live keeps the fresh time.
    let (cell, value, life) = (A, value(2), Life::Kept);
    let write = Call::Insert { cell, value, life };
    let kept = || one().call(0, 3, 4, write.clone(), Answer::Entry(seen(1)));
    get(kept().advance(5, 2), 6, told(2, 3, true)).accepted();
    get(kept().advance(5, 2), 6, told(2, 3, false)).refused();
    // What never ends is never told as stale.
    let (life, only) = (Life::Endless, crate::call::Only::Always);
    let set = Call::SetTtl { cell, life, only };
    let endless = one().call(0, 3, 4, set, Answer::Ttl(Some(true)));
    let forever = seen(1).map(|seen| Seen {
        left: Left::Forever,
        is_stale: Some(false),
        ..seen
    });
    get(endless.advance(5, 2), 6, forever).accepted();
}

#[test]
fn what_is_stale_is_loaded_anew_by_one() {
    let anew = |script: Script| load(script, 2, (10, 20), VALUE, Some((12, 18)), entry(2));
    get(anew(one().advance(3, 2)), 21, seen(2)).accepted();
    get(anew(one().advance(3, 2)), 21, seen(1)).refused();
    anew(one().advance(3, 1)).refused();
    // Meanwhile the others are given the stale one, and none of them loads.
    let beside = |ran, got| load(anew(one().advance(3, 2)), 3, (13, 16), VALUE, ran, got);
    beside(None, entry(1)).accepted();
    beside(Some((14, 15)), entry(3)).refused();
    // A failure leaves it.
    let error = (Form::Load, Loads::Error);
    let fails = |got| load(one().advance(3, 2), 2, (10, 20), error, Some((12, 18)), got);
    get(fails(entry(1)), 21, seen(1)).accepted();
    fails(entry(7)).refused();
    // A newer value stays.
    let newer = |found| {
        let script = anew(one().advance(3, 2));
        let script = script.call(0, 14, 15, insert(A, 5), Answer::Entry(seen(1)));
        get(script, 21, seen(found))
    };
    newer(5).accepted();
    newer(2).refused();
}

#[test]
fn an_absence_is_known_for_its_time_and_no_longer_than_nothing_is_written() {
    let absent = (Form::Load, Loads::Absent(2));
    let learned = || {
        load(
            Script::new(&[A]),
            1,
            (1, 6),
            absent,
            Some((2, 5)),
            Got::Nothing,
        )
    };
    let look = |script: Script, at, answer| script.call(8, at, at + 1, Call::Lookup(A), answer);
    look(learned(), 7, Answer::Negative).accepted();
    look(learned(), 7, Answer::Entry(None)).refused();
    look(learned().advance(7, 2), 8, Answer::Entry(None)).accepted();
    look(learned().advance(7, 2), 8, Answer::Negative).refused();
    look(Script::new(&[A]), 7, Answer::Negative).refused();
    get(learned(), 7, None).accepted();
    let written = || learned().call(0, 7, 8, insert(A, 5), Answer::Entry(None));
    look(written(), 9, Answer::Negative).refused();
    // Who can be told so is told so, and others load.
    let again = |form, ran, got| load(learned(), 2, (10, 20), (form, Loads::Value), ran, got);
    again(Form::Load, None, Got::Nothing).accepted();
    again(Form::Task, Some((12, 18)), entry(2)).refused();
    again(Form::Insert, Some((12, 18)), entry(2)).accepted();
    again(Form::Insert, None, Got::Nothing).refused_since("without having run");
    // It isn't stored over what is newer.
    let overtaken = |answer| {
        let script = learned().call(0, 3, 4, insert(A, 5), Answer::Entry(None));
        look(script, 7, answer)
    };
    overtaken(Answer::Entry(seen(5))).accepted();
    overtaken(Answer::Negative).refused();
}

#[test]
fn a_task_that_is_dropped_loads_nothing_and_keeps_nobody() {
    let dropped = (Form::Task, Loads::Dropped(1));
    let empty = || Script::new(&[A]);
    let gone = || load(empty(), 1, (1, 6), dropped, Some((2, 3)), Got::Dropped);
    get(gone(), 7, None).accepted();
    get(gone(), 7, seen(1)).refused();
    load(gone(), 2, (4, 9), VALUE, Some((7, 8)), entry(2)).accepted();
    load(empty(), 1, (1, 6), dropped, None, Got::Dropped).accepted();
    load(empty(), 1, (1, 6), VALUE, Some((2, 3)), Got::Dropped).refused_since("outcome");
}

#[test]
fn clearing_takes_what_was_there_and_overtakes_loads() {
    let clear = Call::Clear(Place::Root);
    let settled = || Script::new(&[A]).call(0, 1, 2, insert(A, 1), Answer::Entry(None));
    let cleared = || settled().call(0, 3, 6, clear.clone(), Answer::Done);
    get(cleared(), 7, None).accepted();
    get(cleared(), 7, seen(1)).refused();
    get(get(cleared(), 4, None), 7, seen(1)).refused();
    // What came meanwhile may go or stay.
    for found in [None, seen(2)] {
        let script = cleared().call(1, 4, 5, insert(A, 2), Answer::Entry(seen(1)));
        get(script, 7, found).accepted();
    }
    let overtaken = |found| {
        let script = load(Script::new(&[A]), 2, (1, 9), VALUE, Some((2, 8)), entry(2));
        let script = script.call(0, 3, 6, clear.clone(), Answer::Done);
        get(script, 10, found)
    };
    overtaken(None).accepted();
    overtaken(seen(2)).refused();
}

#[test]
fn a_use_moves_the_idle_deadline_and_a_look_does_not() {
    let stored = || {
        let script = Script::new(&[A]).idle(2);
        script.call(0, 1, 2, insert(A, 1), Answer::Entry(None))
    };
    get(stored().advance(3, 2), 4, None).accepted();
    get(stored().advance(3, 2), 4, seen(1)).refused();
    let looked = |call| {
        let script = stored().advance(3, 1);
        script.call(1, 4, 5, call, Answer::Entry(seen(1)))
    };
    get(looked(Call::Read(A)).advance(6, 1), 7, timed(1, 2)).accepted();
    get(looked(Call::Read(A)).advance(6, 1), 7, None).refused();
    get(looked(Call::Peek(A)).advance(6, 1), 7, None).accepted();
    get(looked(Call::Peek(A)).advance(6, 1), 7, timed(1, 2)).refused();
    get(looked(Call::Lookup(A)).advance(6, 1), 7, None).accepted();
}

#[test]
fn a_use_beside_a_change_of_the_hard_deadline_moves_the_idle_one_at_a_moment_of_its_own() {
    let script = || {
        let script = Script::new(&[A]).idle(3);
        script.call(0, 1, 2, insert_for(A, 1, 2), Answer::Entry(None))
    };
    let endless = Call::SetTtl {
        cell: A,
        life: Life::Endless,
        only: Only::Always,
    };
    let left = |ticks| Answer::Left(Some(Left::Ticks(ticks)));
    // The use tells of the time before the change; who looks after that, of the idle time before the use.
    let within = |(begun, ended)| {
        script()
            .advance(3, 1)
            .call(1, begun, ended, Call::Get(A), Answer::Entry(timed(1, 1)))
            .call(2, 5, 6, endless.clone(), Answer::Ttl(Some(true)))
            .call(2, 7, 8, Call::Ttl(A), left(2))
            .call(1, 12, 13, Call::Ttl(A), left(3))
    };
    within((4, 9)).accepted();
    within((9, 10)).refused();
    // With nothing beside it, it moved the idle deadline.
    let alone = script().advance(3, 1);
    let alone = alone.call(1, 4, 5, Call::Get(A), Answer::Entry(timed(1, 1)));
    let alone = alone.call(2, 6, 7, endless.clone(), Answer::Ttl(Some(true)));
    alone.call(1, 8, 9, Call::Ttl(A), left(2)).refused();
}

fn peek(script: Script, begun: u64, ended: u64, left: u64) -> Script {
    script.call(
        2,
        begun,
        ended,
        Call::Peek(A),
        Answer::Entry(timed(1, left)),
    )
}

fn set_for(script: Script, begun: u64, ended: u64, ticks: u64) -> Script {
    let call = Call::SetTtl {
        cell: A,
        life: Life::Ticks(ticks),
        only: Only::Always,
    };
    script.call(3, begun, ended, call, Answer::Ttl(Some(true)))
}

#[test]
fn a_use_may_tell_of_a_hard_deadline_before_its_change_and_of_the_idle_one_after() {
    let used = |begun, told| {
        let script = Script::new(&[A]).idle(4);
        let script = script.call(0, 1, 2, insert(A, 1), Answer::Entry(None));
        let script = set_for(set_for(script.advance(3, 3), 4, 5, 3), 7, 9, 2);
        let script = script.call(1, begun, 15, Call::Get(A), Answer::Entry(timed(1, told)));
        // The idle deadline isn't moved before the hard one is.
        peek(peek(script, 10, 11, 1), 16, 17, 2)
    };
    used(6, 3).accepted();
    used(6, 2).accepted();
    used(6, 1).refused();
    used(6, 4).refused();
    used(12, 2).accepted();
    used(12, 3).refused();
}

#[test]
fn a_look_may_tell_of_a_hard_deadline_before_its_change_and_of_the_idle_one_after() {
    let looked = |begun, told| {
        let script = Script::new(&[A]).idle(4);
        let script = script.call(0, 1, 2, insert_for(A, 1, 7), Answer::Entry(None));
        let script = set_for(script.advance(3, 3), 5, 6, 3);
        let script = script.call(1, 7, 8, Call::Get(A), Answer::Entry(timed(1, 3)));
        peek(script, begun, 10, told)
    };
    looked(4, 4).accepted();
    looked(4, 3).accepted();
    looked(4, 1).accepted();
    looked(4, 2).refused();
    looked(4, 5).refused();
    looked(9, 3).accepted();
    looked(9, 4).refused();
}
