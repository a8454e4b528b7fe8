//! Loads: what may be stored, and who may be given what.

use super::*;
use crate::call::{Form, Got, Loads};

/// A load of value `n` within `begun..=ended`, whose loader ran in between, if it did.
fn load(
    script: Script,
    (begun, ended): (u64, u64),
    n: u32,
    ran: Option<(u64, u64)>,
    found: Option<u32>,
) -> Script {
    let stamp = |place| Stamp { place, ticks: 0 };
    let ran = ran.map(|(from, to)| (stamp(from), stamp(to)));
    let call = Call::Load {
        cell: A,
        value: value(n),
        life: Life::Endless,
        loads: Loads::Value,
        form: Form::Insert,
    };
    let thread = n as usize;
    script.call(thread, begun, ended, call, Answer::Loaded(ran, got(found)))
}

fn got(found: Option<u32>) -> Got {
    found.and_then(seen).map_or(Got::Failure, Got::Entry)
}

fn get(script: Script, at: u64, n: Option<u32>) -> Script {
    let found = Answer::Entry(n.and_then(seen));
    script.call(8, at, at + 1, Call::Get(A), found)
}

fn loaded() -> Script {
    load(Script::new(&[A]), (10, 20), 1, Some((12, 18)), Some(1))
}

#[test]
fn what_was_loaded_is_stored() {
    get(loaded(), 30, Some(1)).accepted();
    get(loaded(), 30, None).refused();
    // Not before the loader has it.
    get(loaded(), 15, Some(1)).refused();
    let present = || Script::new(&[A]).call(0, 1, 2, insert(A, 5), Answer::Entry(None));
    load(present(), (10, 20), 1, None, Some(5)).accepted();
    load(present(), (10, 20), 1, Some((12, 18)), Some(1)).refused();
}

#[test]
fn a_load_stores_nothing_over_what_is_newer() {
    let newer = || loaded().call(0, 14, 15, insert(A, 2), Answer::Entry(None));
    get(newer(), 30, Some(2)).accepted();
    get(newer(), 30, Some(1)).refused();
    // Its own caller may be given the newer value as well.
    let other = load(Script::new(&[A]), (10, 20), 1, Some((12, 18)), Some(2));
    let other = other.call(0, 14, 15, insert(A, 2), Answer::Entry(None));
    get(other, 30, Some(2)).accepted();
    let unwritten = load(Script::new(&[A]), (10, 20), 1, Some((12, 18)), Some(2));
    unwritten.refused();
}

#[test]
fn a_removal_counts_where_there_is_nothing_to_remove() {
    let removed = || loaded().call(0, 14, 15, Call::Remove(A), Answer::Entry(None));
    get(removed(), 30, None).accepted();
    get(removed(), 30, Some(1)).refused();
    // One that ran beside the beginning may have come before it.
    let early = || loaded().call(0, 9, 13, Call::Remove(A), Answer::Entry(None));
    get(early(), 30, Some(1)).accepted();
    get(early(), 30, None).accepted();
}

#[test]
fn nobody_is_given_what_is_not_found_afterwards() {
    let waited = |found| load(loaded(), (11, 25), 2, None, Some(found));
    get(waited(1), 30, Some(1)).accepted();
    let removed = |found| {
        let script = waited(found);
        script.call(0, 14, 15, Call::Remove(A), Answer::Entry(None))
    };
    get(removed(1), 30, None).refused();
}

#[test]
fn one_loader_runs_at_a_time() {
    let two = |from, to| load(loaded(), (11, 25), 2, Some((from, to)), Some(2));
    two(17, 19).refused();
    two(13, 14).refused();
    // After it, there is no need; unless what it stored is gone.
    two(21, 22).refused();
    let removed = |script: Script| script.call(0, 22, 23, Call::Remove(A), Answer::Entry(seen(1)));
    removed(load(loaded(), (11, 27), 2, Some((24, 25)), Some(2))).accepted();
}

#[test]
fn one_loads_anew_after_an_end() {
    let cell = Cell {
        place: Place::Outer,
        ..A
    };
    let at_once = |is_ended: bool| {
        let both = load(loaded(), (11, 25), 2, Some((15, 19)), Some(2));
        let mut script = Script::new(&[cell]);
        for mut event in both.events {
            if let Call::Load { cell: own, .. } = &mut event.call {
                *own = cell;
            }
            script.events.push(event);
        }
        if is_ended {
            script = script.call(0, 13, 14, Call::Invalidate(Place::Outer), Answer::Done);
        }
        script
    };
    at_once(true).accepted();
    at_once(false).refused();
}

#[test]
fn a_failure_stores_nothing() {
    let fail = |loads, found: Option<u32>| {
        let stamp = |place| Stamp { place, ticks: 0 };
        let call = Call::Load {
            cell: A,
            value: value(1),
            life: Life::Endless,
            loads,
            form: Form::Insert,
        };
        let ran = Some((stamp(12), stamp(18)));
        let answer = Answer::Loaded(ran, got(found));
        Script::new(&[A]).call(1, 10, 20, call, answer)
    };
    for loads in [Loads::Error, Loads::Panic] {
        get(fail(loads, None), 30, None).accepted();
        get(fail(loads, None), 30, Some(1)).refused();
    }
    fail(Loads::Panic, Some(1)).refused_since("outcome");
    // An error leaves what was there, and here is nothing.
    fail(Loads::Error, Some(1)).refused();
    fail(Loads::Value, None).refused_since("outcome");
    load(Script::new(&[A]), (10, 20), 1, None, None).refused_since("without having run");
}
