//! Properties of the table, against a list that is searched in full:
//! - what was put in and not taken out is found under its hash, however many share it (N1);
//! - `validate` holds after every operation (N1, N2, N3);
//! - memory follows the number of items down as well as up.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

impl<T> Names<T> {
    /// Checks N1 to N3; O(items).
    pub(crate) fn validate(&self) {
        let n_buckets = self.buckets.len();
        for (at, bucket) in self.buckets.iter().enumerate() {
            assert!(bucket.iter().all(|(hash, _)| self.place(*hash) == at), "N1");
        }
        let n_items: usize = self.buckets.iter().map(Vec::len).sum();
        assert_eq!(n_items, self.n_items);
        assert!(n_items <= n_buckets * FILL_MAX, "N2");
        assert!(n_buckets <= 1 || n_items >= n_buckets * FILL_MIN, "N2");
        assert!(n_items > 0 || self.memory_bytes() == 0, "N3");
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let items: usize = self.buckets.iter().map(Vec::capacity).sum();
        items * size_of::<(u64, T)>() + self.buckets.capacity() * size_of::<Vec<(u64, T)>>()
    }
}

/// What is done: put in, take out the item at a position, or take out many.
#[derive(Clone, Debug)]
enum Op {
    Insert(u64),
    Remove(usize),
    RemoveMany(usize),
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        // Few hashes, so that many items share one.
        4 => (0_u64..8).prop_map(Op::Insert),
        8 => any::<u64>().prop_map(Op::Insert),
        3 => any::<usize>().prop_map(Op::Remove),
        1 => (0_usize..60).prop_map(Op::RemoveMany),
    ]
}

fn take_out(names: &mut Names<usize>, list: &mut Vec<(u64, usize)>, at: usize) {
    if list.is_empty() {
        return;
    }
    let (hash, item) = list.swap_remove(at % list.len());
    assert_eq!(names.remove(hash, |other| *other == item), Some(item));
    assert_eq!(names.remove(hash, |other| *other == item), None);
    names.validate();
}

proptest! {
    #[test]
    fn what_is_in_is_found(ops in vec(any_op(), 1..400)) {
        let mut names = Names::new();
        let mut list = Vec::new();
        for (item, op) in ops.into_iter().enumerate() {
            match op {
                Op::Insert(hash) => {
                    names.insert(hash, item);
                    list.push((hash, item));
                }
                Op::Remove(at) => take_out(&mut names, &mut list, at),
                Op::RemoveMany(n) => (0..n).for_each(|_| take_out(&mut names, &mut list, 0)),
            }
            names.validate();
        }
        for &(hash, _) in &list {
            let mut found: Vec<_> = names.find(hash).copied().collect();
            let mut expected: Vec<_> = list.iter().filter(|item| item.0 == hash).map(|item| item.1).collect();
            found.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
        let absent = list.iter().map(|item| item.0).max().unwrap_or(0).wrapping_add(1);
        if list.iter().all(|item| item.0 != absent) {
            prop_assert_eq!(names.find(absent).count(), 0);
        }
    }
}

#[test]
fn memory_follows_the_items_up_and_down() {
    const N: u64 = 10_000;
    let hash = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut names = Names::new();
    assert_eq!(names.memory_bytes(), 0);
    for n in 0..N {
        names.insert(hash(n), n);
    }
    names.validate();
    let full = names.memory_bytes();
    assert!(full < 60 * N as usize, "{full}");
    for n in 0..N {
        assert_eq!(names.remove(hash(n), |other| *other == n), Some(n));
        let left = (N - n) as usize;
        assert!(
            names.memory_bytes() <= 150 * (left + 16),
            "{} for {left}",
            names.memory_bytes()
        );
    }
    names.validate();
    assert_eq!(names.memory_bytes(), 0, "N3");
}
