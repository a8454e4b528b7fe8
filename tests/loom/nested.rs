//! Reads within reads, while both entries are removed and freed.

use larder::model::{Answer, Keeper, Reader, check};

use super::{A, UPPER, race};

fn nested(read: fn(&Reader<'_>, u64, u64) -> (Answer, Answer)) {
    check(move || {
        race(
            |keeper: &mut Keeper| {
                keeper.insert(A, 1);
                keeper.insert(UPPER, 2);
            },
            move |pantry| {
                let (outer, inner) = read(&pantry.reader(), A, UPPER);
                assert!(matches!(outer, Answer::Hit(1) | Answer::Raced));
                assert!(matches!(
                    inner,
                    Answer::Hit(2) | Answer::Miss | Answer::Raced
                ));
            },
            |keeper| {
                keeper.remove(A);
                keeper.remove(UPPER);
                keeper.reclaim();
            },
        );
    });
}

#[test]
fn a_read_within_a_read_leaves_the_first_its_name() {
    nested(|reader, outer, inner| reader.read_nested(outer, inner));
}

#[test]
#[should_panic]
fn twin_a_read_by_the_same_slot_takes_the_first_its_name() {
    nested(|reader, outer, inner| reader.read_nested_by_one_slot(outer, inner));
}
