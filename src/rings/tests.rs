//! Properties of rings, against a `Vec<VecDeque>`:
//! - lists hold what was pushed, in order, whatever is unlinked and moved between them (R1, R3);
//! - tokens stay true over moves and shrinking (R2);
//! - growth is foretold to the byte, and memory comes back (R4);
//! - `validate` holds after every operation.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

impl Rings {
    /// Checks every invariant of rings and slab; O(records).
    pub(crate) fn validate(&self) {
        self.validate_lists((0..self.owners.len() as u32).map(ListId));
    }
}

impl<O: Owners> Rings<O> {
    /// Checks the same, given all lists that there are.
    pub(crate) fn validate_lists(&self, lists: impl Iterator<Item = ListId>) {
        let mut n_linked = 0;
        for list in lists {
            let own = Link::to_sentinel(list);
            let (mut before, mut at) = (own, self.links(own).next);
            while let Some(token) = at.token() {
                let links = self.records.get(token).links;
                assert_eq!(links.prev, before, "R1 in {list:?}");
                (before, at) = (at, links.next);
                n_linked += 1;
                assert!(n_linked <= self.len(), "R1: {list:?} doesn't close");
            }
            assert_eq!(at, own, "R1: {list:?} ends in another list");
            assert_eq!(self.links(own).prev, before, "R1 in {list:?}");
        }
        assert_eq!(n_linked, self.len(), "R1: a live record is in no list");
        self.records.validate();
    }

    /// The records of a list, in order, which is the same from both ends.
    pub(crate) fn tokens(&self, list: ListId) -> Vec<Token> {
        let from = |end| {
            let first = self.end(list, end);
            std::iter::successors(first, move |token| self.inward(*token, end))
        };
        let tokens: Vec<_> = from(End::Front).collect();
        assert!(from(End::Back).eq(tokens.iter().rev().copied()), "R1");
        tokens
    }
}

#[derive(Clone, Debug)]
enum Op {
    Push { list: u32, n: usize },
    Unlink { at: usize, n: usize },
    Move { at: usize, list: u32 },
    Shrink { budget: usize },
}

const N_LISTS: u32 = 3;

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (
            0..N_LISTS,
            prop_oneof![4 => 1..4_usize, 1 => 200..700_usize]
        )
            .prop_map(|(list, n)| Op::Push { list, n }),
        (
            any::<usize>(),
            prop_oneof![4 => 1..4_usize, 1 => 200..900_usize]
        )
            .prop_map(|(at, n)| Op::Unlink { at, n }),
        (any::<usize>(), 0..N_LISTS).prop_map(|(at, list)| Op::Move { at, list }),
        prop_oneof![Just(1), 0..600_usize].prop_map(|budget| Op::Shrink { budget }),
    ]
}

/// Rings, and the model: the lists of payloads, and where each payload's record is.
struct Pair {
    rings: Rings,
    lists: Vec<VecDeque<u64>>,
    tokens: Vec<(u64, Token)>,
    next_payload: u64,
}

impl Pair {
    fn new() -> Self {
        Self {
            rings: Rings::new(N_LISTS),
            lists: vec![VecDeque::new(); N_LISTS as usize],
            tokens: Vec::new(),
            next_payload: 0,
        }
    }

    fn push(&mut self, list: u32) {
        let (memory, growth) = (self.rings.memory_bytes(), self.rings.growth_bytes());
        let payload = self.next_payload;
        self.next_payload += 1;
        let token = self.rings.push_back(ListId(list), payload);
        assert_eq!(self.rings.memory_bytes(), memory + growth, "R4");
        assert!(self.tokens.iter().all(|(_, other)| *other != token), "R2");
        self.tokens.push((payload, token));
        self.lists[list as usize].push_back(payload);
    }

    /// Takes the payload out of its list in the model; names the list if it's empty then.
    fn forget(&mut self, payload: u64) -> Option<ListId> {
        let has = |list: &VecDeque<u64>| list.iter().position(|other| *other == payload);
        let (list, at) = (0..)
            .zip(&self.lists)
            .find_map(|(idx, list)| Some((idx, has(list)?)))
            .unwrap();
        self.lists[list as usize].remove(at);
        self.lists[list as usize].is_empty().then_some(ListId(list))
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Push { list, n } => (0..n).for_each(|_| self.push(list)),
            Op::Unlink { at, n } => {
                for _ in 0..n.min(self.tokens.len()) {
                    let (payload, token) = self.tokens.swap_remove(at % self.tokens.len());
                    assert_eq!(self.rings.payload(token), payload);
                    let emptied = self.forget(payload);
                    assert_eq!(
                        self.rings.unlink(token),
                        Unlinked { payload, emptied },
                        "R3"
                    );
                }
            }
            Op::Move { at, list } if !self.tokens.is_empty() => {
                let (payload, token) = self.tokens[at % self.tokens.len()];
                let emptied = self.forget(payload).filter(|emptied| emptied.0 != list);
                self.lists[list as usize].push_back(payload);
                assert_eq!(self.rings.move_to_back(token, ListId(list)), emptied, "R3");
            }
            Op::Move { .. } => {}
            Op::Shrink { budget } => {
                let memory = self.rings.memory_bytes();
                let mut n_moved = 0;
                let tokens = &mut self.tokens;
                self.rings.shrink(budget, |payload, _, token| {
                    n_moved += 1;
                    tokens
                        .iter_mut()
                        .find(|(other, _)| *other == payload)
                        .unwrap()
                        .1 = token;
                });
                assert!(n_moved <= budget && self.rings.memory_bytes() <= memory);
            }
        }
    }

    fn check(&self) {
        self.rings.validate();
        assert_eq!(self.rings.len(), self.tokens.len());
        for (list, model) in (0..).map(ListId).zip(&self.lists) {
            let tokens = self.rings.tokens(list);
            let payloads: VecDeque<_> = tokens
                .iter()
                .map(|token| self.rings.payload(*token))
                .collect();
            assert_eq!(payloads, *model);
            assert_eq!(self.rings.is_empty(list), model.is_empty());
        }
        for (payload, token) in &self.tokens {
            assert_eq!(self.rings.payload(*token), *payload, "R2");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn f28_lists_behave_like_deques(ops in vec(any_op(), 1..40)) {
        let mut pair = Pair::new();
        for op in ops {
            pair.apply(op);
            pair.check();
        }
    }
}

#[test]
fn f28_memory_comes_back_in_bounded_steps() {
    let mut pair = Pair::new();
    let empty = pair.rings.memory_bytes();
    pair.apply(Op::Push {
        list: 0,
        n: 20 * 256,
    });
    let full = pair.rings.memory_bytes();
    // Every chunk keeps a few records: only moving them frees any.
    pair.apply(Op::Unlink {
        at: 7919,
        n: 19 * 256,
    });
    // A chunk costs one step for each record that it can hold, and one for itself.
    for _ in 0..18 * 257 {
        pair.apply(Op::Shrink { budget: 1 });
        pair.rings.validate();
    }
    pair.check();
    let chunk_bytes = 256 * 16;
    assert!(pair.rings.memory_bytes() <= empty + 2 * chunk_bytes + 4 * 24);
    assert!(full >= empty + 20 * chunk_bytes);
    pair.apply(Op::Unlink {
        at: 0,
        n: usize::MAX,
    });
    pair.apply(Op::Shrink { budget: 100 });
    pair.check();
    assert!(pair.rings.memory_bytes() <= empty + chunk_bytes + 4 * 24);
}

#[test]
fn a_record_is_sixteen_bytes() {
    let mut rings = Rings::new(1);
    for payload in 0..256 * 64 {
        rings.push_back(ListId(0), payload);
    }
    let table_bytes = 64 * 24;
    assert_eq!(rings.memory_bytes(), 8 + 256 * 64 * 16 + table_bytes);
    assert!(rings.growth_bytes() > 256 * 16);
}

#[test]
fn token_bits_make_the_round_trip() {
    let mut rings = Rings::new(2);
    let token = rings.push_back(ListId(1), 9);
    assert_eq!(Token::from_bits(token.bits()), Some(token));
    assert_eq!(Token::from_bits(0), None);
    assert_eq!(size_of::<Option<Token>>(), 4);
}
