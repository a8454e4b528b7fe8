//! The search, against one without wit: all orders, one after the other.

use super::*;
use crate::atoms::Claims;
use crate::call::{Makes, Only};
use crate::claims::claims;
use crate::draw::Draw;
use crate::model::{Known, State};

/// Whether some order of what is left explains it.
fn explains(claims: &Claims, state: &State, done: &mut Vec<usize>) -> bool {
    let atoms = &claims.atoms;
    if done.len() == atoms.len() {
        return true;
    }
    for (index, atom) in atoms.iter().enumerate() {
        let to_come = |other: &usize| *other != index && !done.contains(other);
        let mut others = (0..atoms.len()).filter(to_come);
        if done.contains(&index) || others.any(|other| atoms[other].ended < atom.begun) {
            continue;
        }
        done.push(index);
        let known = Known {
            atom,
            versions: &claims.versions,
            idle: None,
        };
        let next = state.after(known);
        let is_explained = next.iter().any(|state| explains(claims, state, done));
        done.pop();
        if is_explained {
            return true;
        }
    }
    false
}

/// Few calls that overlap at will, with answers that may be right.
fn scribble(draw: &mut Draw) -> History {
    let mut script = Script::new(&[A]);
    let mut place = 0;
    for n in 1..=2 + draw.below(5) as u32 {
        let begun = 10 * place + draw.below(25);
        let ended = begun + 1 + draw.below(20);
        place += draw.below(2);
        let guess = seen(draw.below(u64::from(n)) as u32).filter(|seen| seen.value.write() > 0);
        let call = match draw.below(4) {
            0 => insert(A, n),
            1 => insert_for(A, n, 1 + draw.below(2)),
            2 => Call::Remove(A),
            _ => Call::Get(A),
        };
        // No two events at one place.
        let (begun, ended) = (begun * 8 + u64::from(n), ended * 8 + u64::from(n));
        let thread = n as usize;
        script = script.call(thread, begun, ended, call, Answer::Entry(guess));
    }
    if draw.below(2) == 0 {
        script = script.advance(8 * draw.below(20), 1);
    }
    script.history()
}

#[test]
fn it_finds_an_order_exactly_where_there_is_one() {
    let mut draw = Draw::new(1);
    let mut n_right = 0;
    for round in 0..20_000 {
        let history = scribble(&mut draw);
        let claims = claims(&history).unwrap();
        let is_right = explains(&claims, &State::new(0), &mut Vec::new());
        let verdict = judge(&history);
        assert_eq!(verdict.violation.is_none(), is_right, "round {round}");
        n_right += u32::from(is_right);
    }
    assert!((1000..19_000).contains(&n_right), "{n_right}");
}

#[test]
fn it_goes_through_nothing_twice() {
    // Twelve removals of nothing, in any order, and a read that none of the 12! orders explains.
    let mut script = Script::new(&[A]);
    for thread in 0..12 {
        let (begun, ended) = (1 + thread, 100 + thread);
        let nothing = Answer::Entry(None);
        script = script.call(thread as usize, begun, ended, Call::Remove(A), nothing);
    }
    let script = script.call(0, 200, 201, Call::Get(A), Answer::Entry(seen(1)));
    let verdict = judge(&script.history());
    assert!(verdict.violation.is_some());
    assert!(verdict.n_steps < 12 << 12, "{}", verdict.n_steps);
}

#[test]
fn looks_of_one_call_are_gone_through_in_their_order_alone() {
    // Two computations meet each of five values, each as a look and as a use that may have come later. What is read at last isn't so.
    let mut script = Script::new(&[A]).idle(2);
    for thread in 0..2 {
        let call = Call::Compute {
            cell: A,
            value: value(9),
            life: Life::Endless,
            makes: Makes::Missing,
        };
        let (was, is) = (seen(5), seen(5));
        let given = (1..=5).map(seen).collect();
        let answer = Answer::Computed { given, was, is };
        script = script.call(thread, 3 + thread as u64, 100 + thread as u64, call, answer);
    }
    for n in 1..=5 {
        let (begun, ended) = (10 * u64::from(n), 10 * u64::from(n) + 5);
        let replaced = Answer::Entry(seen(n - 1).filter(|_| n > 1));
        script = script.call(3, begun, ended, insert(A, n), replaced);
    }
    let call = Call::SetTtl {
        cell: A,
        life: Life::Endless,
        only: Only::Always,
    };
    let script = script.call(4, 90, 91, call, Answer::Ttl(Some(true)));
    let script = script.call(3, 200, 201, Call::Get(A), Answer::Entry(seen(1)));
    let verdict = judge(&script.history());
    assert!(verdict.violation.is_some());
    assert!(verdict.n_steps < 10_000, "{}", verdict.n_steps);
}

#[test]
fn like_atoms_are_gone_through_in_one_order() {
    // Beside five ends of its scope, a walk may come by the same key six times. What is read at last isn't so.
    let cell = Cell {
        index: 0,
        place: Place::Outer,
    };
    let mut script = Script::new(&[cell]);
    for thread in 0..2 {
        let (begun, ended) = (3 + thread, 100 + thread);
        let clear = Call::Clear(Place::Outer);
        script = script.call(thread as usize, begun, ended, clear, Answer::Done);
    }
    for n in 1..=5 {
        let call = Call::Invalidate(Place::Outer);
        script = script.call(2, 10 * n, 10 * n + 5, call, Answer::Done);
    }
    let script = script.call(2, 200, 201, Call::Get(cell), Answer::Entry(seen(1)));
    let verdict = judge(&script.history());
    assert!(verdict.violation.is_some());
    assert!(verdict.n_steps < 10_000, "{}", verdict.n_steps);
}
