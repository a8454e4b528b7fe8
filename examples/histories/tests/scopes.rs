//! Ends of scopes: one moment for all of their keys.

use super::*;

const OUTER: Cell = Cell {
    index: 0,
    place: Place::Outer,
};
const INNER: Cell = Cell {
    index: 1,
    place: Place::Inner,
};
const ROOT: Cell = Cell {
    index: 2,
    place: Place::Root,
};

/// A value in each place.
fn filled() -> Script {
    Script::new(&[OUTER, INNER, ROOT])
        .call(0, 1, 2, insert(OUTER, 1), Answer::Entry(None))
        .call(0, 3, 4, insert(INNER, 2), Answer::Entry(None))
        .call(0, 5, 6, insert(ROOT, 3), Answer::Entry(None))
}

fn end(script: Script, place: Place, begun: u64, ended: u64) -> Script {
    script.call(0, begun, ended, Call::Invalidate(place), Answer::Done)
}

fn get(script: Script, cell: Cell, at: u64, n: Option<u32>) -> Script {
    let found = Answer::Entry(n.and_then(seen));
    script.call(1, at, at + 1, Call::Get(cell), found)
}

#[test]
fn a_scope_ends_with_those_nested_in_it() {
    let ended = || end(filled(), Place::Outer, 7, 8);
    get(get(ended(), OUTER, 9, None), INNER, 11, None).accepted();
    get(ended(), OUTER, 9, Some(1)).refused();
    get(ended(), INNER, 9, Some(2)).refused();
    get(ended(), ROOT, 9, Some(3)).accepted();
    get(ended(), ROOT, 9, None).refused();
    let inner = || end(filled(), Place::Inner, 7, 8);
    get(get(inner(), OUTER, 9, Some(1)), INNER, 11, None).accepted();
    get(inner(), OUTER, 9, None).refused();
}

#[test]
fn all_keys_end_at_one_moment() {
    let ending = || end(filled(), Place::Outer, 7, 20);
    get(get(ending(), OUTER, 9, Some(1)), INNER, 11, None).accepted();
    get(get(ending(), OUTER, 9, None), INNER, 11, Some(2)).refused();
}

#[test]
fn a_write_comes_wholly_before_an_end_or_wholly_after_it() {
    let write = |found, later| {
        let script = end(filled(), Place::Outer, 8, 9);
        let script = script.call(1, 7, 10, insert(OUTER, 4), Answer::Entry(found));
        get(script, OUTER, 11, later)
    };
    write(seen(1), None).accepted();
    write(None, Some(4)).accepted();
    write(seen(1), Some(4)).refused();
    write(None, None).refused();
    write(None, Some(1)).refused();
}

#[test]
fn versions_grow_over_an_end() {
    let again = |version| {
        Script::new(&[OUTER])
            .call(0, 1, 2, insert(OUTER, 1), Answer::Entry(None))
            .call(0, 3, 4, Call::Get(OUTER), Answer::Entry(versioned(1, 5)))
            .call(0, 5, 6, Call::Invalidate(Place::Outer), Answer::Done)
            .call(0, 7, 8, insert(OUTER, 2), Answer::Entry(None))
            .call(
                0,
                9,
                10,
                Call::Get(OUTER),
                Answer::Entry(versioned(2, version)),
            )
    };
    again(6).accepted();
    again(4).refused();
}

#[test]
fn keys_are_judged_together_only_if_a_call_joins_them() {
    let sizes = |script: Script| {
        let mut sizes: Vec<usize> = script.history().groups().iter().map(Vec::len).collect();
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(sizes(filled()), [1, 1, 1]);
    assert_eq!(sizes(end(filled(), Place::Inner, 7, 8)), [1, 1, 1]);
    assert_eq!(sizes(end(filled(), Place::Outer, 7, 8)), [1, 2]);
}

#[test]
fn who_clears_while_a_scope_ends_may_meet_a_key_in_both_of_its_lives() {
    let cleared = |is_ended: bool| {
        let script = Script::new(&[OUTER])
            .call(0, 1, 2, insert(OUTER, 1), Answer::Entry(None))
            .call(1, 3, 20, Call::Clear(Place::Root), Answer::Done)
            .call(0, 4, 5, insert(OUTER, 2), Answer::Entry(None));
        let script = match is_ended {
            true => end(script, Place::Outer, 6, 7),
            false => script.call(0, 6, 7, Call::Remove(OUTER), Answer::Entry(seen(2))),
        };
        script
            .call(0, 8, 9, insert(OUTER, 3), Answer::Entry(None))
            .call(0, 10, 11, insert(OUTER, 4), Answer::Entry(None))
    };
    cleared(true).accepted();
    cleared(false).refused();
}
