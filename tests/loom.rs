//! Interleavings, all of them within four preemptions, of the parts that work without a lock.
//!
//! Each model comes with a twin that leaves one thing out, and must fail: it shows that the model can see the fault.
//! Run by `RUSTFLAGS="--cfg engine_loom -C debug-assertions=on" cargo test --release --test loom`.
#![cfg(engine_loom)]

use std::sync::Arc;

use larder::model::{Answer, Budget, Flaw, Keeper, Pair, Pantry, Peg, check};
use loom::thread;

#[path = "loom/deadline.rs"]
mod deadline;
#[path = "loom/flight.rs"]
mod flight;
#[path = "loom/limits.rs"]
mod limits;
#[path = "loom/lineage.rs"]
mod lineage;
#[path = "loom/moved.rs"]
mod moved;
#[path = "loom/nested.rs"]
mod nested;
#[path = "loom/shares.rs"]
mod shares;
#[path = "loom/shelf.rs"]
mod shelf;
#[path = "loom/tally.rs"]
mod tally;
#[path = "loom/timed.rs"]
mod timed;
#[path = "loom/turn.rs"]
mod turn;

/// A key with this directory bit at the top, tag and bucket; see `hash`.
const fn key(top: u64, tag: u64, bucket: u64) -> u64 {
    top << 63 | tag << 6 | bucket
}

/// Two keys of one bucket and one tag, which stay together when segments split.
const A: u64 = key(0, 7, 0);
const TWIN_OF_A: u64 = A | 1 << 40;
/// A key of the same bucket that moves when the only segment splits.
const UPPER: u64 = key(1, 9, 0);

/// One thread reads while another writes; then all ends.
fn race(
    fill: impl Fn(&mut Keeper),
    read: impl Fn(&Pantry) + Copy + Send + 'static,
    write: impl Fn(&mut Keeper),
) {
    let (pantry, mut keeper) = Pantry::open();
    fill(&mut keeper);
    let shared = Arc::clone(&pantry);
    let reader = thread::spawn(move || read(&shared));
    write(&mut keeper);
    reader.join().expect("the reader ends");
    keeper.close();
}

// The bare protocol.

fn peg(flaw: Flaw, looks_early: bool) {
    check(move || {
        let peg = Arc::new(Peg::new());
        let other = Arc::clone(&peg);
        let reader = thread::spawn(move || other.touch(flaw));
        peg.clear(looks_early);
        reader.join().expect("the reader ends");
    });
}

#[test]
fn what_is_named_and_linked_is_not_freed() {
    peg(Flaw::None, false);
}

#[test]
#[should_panic]
fn twin_a_name_without_barrier_protects_nothing() {
    peg(Flaw::Barrier, false);
}

#[test]
#[should_panic]
fn twin_a_name_without_a_second_look_protects_nothing() {
    peg(Flaw::Recheck, false);
}

#[test]
#[should_panic]
fn twin_a_look_before_the_unlinking_sees_too_little() {
    peg(Flaw::None, true);
}

// Reading against replacing and removing.

fn replaced_and_removed(read: fn(&Pantry), free: fn(&mut Keeper)) {
    check(move || {
        race(
            |keeper| keeper.insert(A, 1),
            read,
            |keeper| {
                keeper.insert(A, 2);
                free(keeper);
                keeper.remove(A);
                free(keeper);
            },
        );
    });
}

fn sees_a_value_or_none(answer: Answer) {
    assert!(
        matches!(answer, Answer::Hit(1 | 2) | Answer::Miss | Answer::Raced),
        "{answer:?}"
    );
}

#[test]
fn a_reader_in_place_meets_no_freed_entry() {
    replaced_and_removed(
        |pantry| sees_a_value_or_none(pantry.reader().read(A)),
        Keeper::reclaim,
    );
}

#[test]
#[should_panic]
fn twin_a_reader_without_barrier_meets_one() {
    replaced_and_removed(
        |pantry| sees_a_value_or_none(pantry.reader().read_without_barrier(A)),
        Keeper::reclaim,
    );
}

#[test]
#[should_panic]
fn twin_a_writer_that_does_not_look_frees_what_is_read() {
    replaced_and_removed(
        |pantry| sees_a_value_or_none(pantry.reader().read(A)),
        Keeper::reclaim_blindly,
    );
}

#[test]
#[should_panic]
fn twin_a_writer_that_looks_before_it_unlinks_frees_what_is_read() {
    check(|| {
        race(
            |keeper| keeper.insert(A, 1),
            |pantry| sees_a_value_or_none(pantry.reader().read(A)),
            |keeper| keeper.remove_after_the_look(A),
        );
    });
}

/// The reader compares the first key of a like tag, and names the second over it: the first must not end before the
/// comparison has.
#[test]
fn an_entry_that_was_passed_by_is_not_freed_while_it_is_compared() {
    check(|| {
        race(
            |keeper| {
                keeper.insert(TWIN_OF_A, 1);
                keeper.insert(A, 2);
            },
            |pantry| assert_ne!(pantry.reader().read(A), Answer::Miss),
            |keeper| {
                keeper.remove(TWIN_OF_A);
                keeper.reclaim();
            },
        );
    });
}

/// Whoever looks after a hit must hit: nothing was removed in between.
#[test]
fn a_key_that_was_seen_stays_seen() {
    check(|| {
        race(
            |keeper| keeper.insert(A, 1),
            |pantry| {
                let reader = pantry.reader();
                if reader.read(A) == Answer::Hit(2) {
                    assert_eq!(reader.read(A), Answer::Hit(2));
                }
            },
            |keeper| {
                keeper.remove(A);
                keeper.insert(A, 2);
                keeper.reclaim();
            },
        );
    });
}

// The counted handle.

#[test]
fn a_count_is_taken_before_the_hazard_ends() {
    replaced_and_removed(
        |pantry| sees_a_value_or_none(pantry.reader().get(A)),
        Keeper::reclaim,
    );
}

#[test]
#[should_panic]
fn twin_a_count_that_is_taken_after_it_comes_too_late() {
    replaced_and_removed(
        |pantry| sees_a_value_or_none(pantry.reader().get_too_late(A)),
        Keeper::reclaim,
    );
}

// Reading against growth.

fn grown(fill: fn(&mut Keeper), key: u64, grow: fn(&mut Keeper)) {
    check(move || {
        race(
            fill,
            move |pantry| assert_ne!(pantry.reader().read(key), Answer::Miss),
            grow,
        )
    });
}

#[test]
fn a_key_is_not_missed_while_its_segment_is_enlarged() {
    grown(
        |keeper| keeper.insert(A, 1),
        A,
        |keeper| {
            keeper.grow(A);
            keeper.reclaim();
        },
    );
}

#[test]
#[should_panic]
fn twin_a_segment_that_is_freed_without_a_look_is_read() {
    grown(
        |keeper| keeper.insert(A, 1),
        A,
        |keeper| {
            keeper.grow(A);
            keeper.reclaim_blindly();
        },
    );
}

#[test]
fn a_key_is_not_missed_while_a_split_moves_it() {
    grown(
        |keeper| {
            keeper.insert(UPPER, 1);
            keeper.grow(UPPER);
        },
        UPPER,
        |keeper| {
            keeper.grow(UPPER);
            keeper.reclaim();
        },
    );
}

#[test]
fn a_key_is_not_missed_while_a_merge_moves_it() {
    for key in [A, UPPER] {
        grown(
            |keeper| {
                keeper.insert(A, 1);
                keeper.insert(UPPER, 2);
                keeper.grow(A);
                keeper.grow(A);
            },
            key,
            |keeper| {
                assert!(keeper.shrink(A));
                keeper.reclaim();
            },
        );
    }
}

/// The root of a key must not come back to a segment that a reader has named before the key went away and came back.
#[test]
fn a_key_is_not_missed_while_it_moves_there_and_back() {
    grown(
        |keeper| {
            keeper.insert(UPPER, 1);
            keeper.grow(UPPER);
        },
        UPPER,
        |keeper| {
            keeper.grow(UPPER);
            assert!(keeper.shrink(UPPER));
        },
    );
}

// Bytes.

fn claimed(claim: fn(&Budget, u64) -> bool) {
    check(move || {
        let budget = Arc::new(Budget::new(3));
        let other = Arc::clone(&budget);
        let second = thread::spawn(move || {
            let has = claim(&other, 2);
            assert!(other.used() <= 3, "claims are above the bound");
            if has {
                other.give_back(2);
            }
        });
        let has = claim(&budget, 2);
        assert!(budget.used() <= 3, "claims are above the bound");
        second.join().expect("the other ends");
        assert_eq!(budget.used(), if has { 2 } else { 0 });
    });
}

#[test]
fn claims_never_pass_the_bound() {
    claimed(Budget::try_claim);
}

#[test]
#[should_panic(expected = "above the bound")]
fn twin_claims_in_two_steps_pass_it() {
    claimed(Budget::claim_in_two_steps);
}

/// Two caches below one bound: one claims and gives back, the other claims and lends, and the bound is lowered meanwhile.
fn paired(claim: fn(&Pair, usize, u64) -> bool) {
    check(move || {
        let pair = Arc::new(Pair::new(3));
        let other = Arc::clone(&pair);
        let second = thread::spawn(move || {
            let has = claim(&other, 1, 2);
            if has {
                other.give_back(1, 2);
            }
            other.lend(1);
        });
        let has = claim(&pair, 0, 2);
        let (_, free, _) = pair.parts();
        assert!(free <= 3, "what is free is above the bound");
        pair.set_max(2);
        second.join().expect("the other ends");
        let (given, free, debt) = pair.parts();
        assert_eq!(given + free, 2 + debt, "bytes came or went");
        assert_eq!(pair.used(), if has { 2 } else { 0 });
    });
}

#[test]
fn claims_of_two_caches_never_pass_their_bound() {
    paired(Pair::try_claim);
}

#[test]
#[should_panic(expected = "above the bound")]
fn twin_what_is_free_is_taken_in_two_steps() {
    paired(Pair::claim_in_two_steps);
}
