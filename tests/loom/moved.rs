//! Entries that move to another segment and leave it, while a reader looks for them in the segment that they were in before.

use larder::model::{Keeper, check};

use super::{A, UPPER, race, sees_a_value_or_none};

/// The segment that is given up links the entry still; no reader may take it from there any more.
fn moved_and_removed(key: u64, n_before: usize, free: fn(&mut Keeper)) {
    check(move || {
        race(
            |keeper| {
                keeper.insert(key, 1);
                (0..n_before).for_each(|_| keeper.grow(key));
            },
            move |pantry| sees_a_value_or_none(pantry.reader().read(key)),
            |keeper| {
                keeper.grow(key);
                keeper.remove(key);
                free(keeper);
            },
        );
    });
}

#[test]
fn f05_f08_an_entry_that_left_the_enlarged_segment_is_not_read_in_the_small_one() {
    moved_and_removed(A, 0, Keeper::reclaim);
}

#[test]
fn f05_f08_an_entry_that_left_half_a_segment_is_not_read_in_the_whole_one() {
    moved_and_removed(UPPER, 1, Keeper::reclaim);
}

#[test]
#[should_panic]
fn twin_without_a_look_it_is_freed_there() {
    moved_and_removed(A, 0, Keeper::reclaim_blindly);
}
