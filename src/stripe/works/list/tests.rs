//! Properties of the list, against a map of what should be there:
//! - whoever entered is found by hash and id until it leaves, and leaves once (WL1, WL2);
//! - its flight, which it has from the beginning if a task leads, is what it is found by, too;
//! - one that stands in the map takes room for one.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Few hashes, so that some are of several keys.
const N_HASHES: u64 = 4;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A work on a key of this hash; a thread's, or a task's.
    Enter(u64, bool),
    /// One of those that are there.
    Leave(usize),
    Overtake(u64),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..N_HASHES, any::<bool>()).prop_map(|(hash, is_task)| Step::Enter(hash, is_task)),
        4 => any::<usize>().prop_map(Step::Leave),
        1 => (0..N_HASHES).prop_map(Step::Overtake),
    ]
}

fn check(works: &mut Works, expected: &BTreeMap<u64, (KeyHash, bool)>) {
    assert_eq!(works.n_works, expected.len(), "WL1");
    assert_eq!(works.iter_mut().count(), expected.len(), "WL1");
    let mut rare = works.rare.iter();
    assert!(
        rare.all(|rare| rare.many.values().all(|works| !works.is_empty())),
        "WL2"
    );
    assert_eq!(works.is_empty(), expected.is_empty());
    for hash in (0..N_HASHES).map(KeyHash::from_bits) {
        let n_expected = expected.values().filter(|(own, _)| *own == hash).count();
        assert_eq!(works.of_hash(hash).count(), n_expected);
        assert_eq!(works.has_none_of(hash), n_expected == 0);
    }
    for (&id, &(hash, is_overtaken)) in expected {
        assert_eq!(works.is_current(hash, WorkId(id)), !is_overtaken);
        let work = works.find(hash, WorkId(id)).expect("it has not left");
        assert_eq!(work.flight.is_some(), work.thread.is_none());
        if let Some(flight) = work.flight.clone() {
            let found = works.find_flight(hash, &flight).expect("by its flight");
            assert_eq!(found.id, WorkId(id));
        }
    }
}

#[test]
fn a_work_in_the_map_takes_no_room_for_others_of_its_hash() {
    let mut works = Works::default();
    let probe = Probe::new(None, 0, b"key");
    for hash in (0..100).map(KeyHash::from_bits) {
        let thread = Some(crate::sync::thread_id());
        let _ = works.enter(hash, &probe, false, thread);
    }
    let many = &works.rare().many;
    assert_eq!(many.len(), 100 - FEW_MAX);
    assert!(many.values().all(|works| works.capacity() == 1));
}

proptest! {
    #[test]
    fn who_entered_is_found_until_it_leaves(steps in vec(steps(), 1..120)) {
        let mut works = Works::default();
        let mut expected = BTreeMap::new();
        for step in steps {
            match step {
                Step::Enter(hash, is_task) => {
                    let hash = KeyHash::from_bits(hash);
                    let thread = (!is_task).then(crate::sync::thread_id);
                    let probe = Probe::new(None, 0, b"key");
                    let work = works.enter(hash, &probe, false, thread);
                    prop_assert_eq!(work.flight.is_some(), is_task);
                    prop_assert!(expected.insert(work.id.0, (hash, false)).is_none());
                }
                Step::Leave(at) if !expected.is_empty() => {
                    let at = at % expected.len();
                    let (&id, &(hash, _)) = expected.iter().nth(at).expect("one of them");
                    expected.remove(&id);
                    works.leave(hash, WorkId(id));
                    prop_assert!(works.find(hash, WorkId(id)).is_none());
                    prop_assert!(works.leave(hash, WorkId(id)).is_none(), "it leaves once");
                }
                Step::Leave(_) => {}
                Step::Overtake(hash) => {
                    let hash = KeyHash::from_bits(hash);
                    works.of_hash(hash).for_each(|work| work.is_overtaken = true);
                    for (own, is_overtaken) in expected.values_mut() {
                        *is_overtaken |= *own == hash;
                    }
                }
            }
            check(&mut works, &expected);
        }
    }
}
