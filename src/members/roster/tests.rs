//! Properties of rosters, against a `HashMap`:
//! - a place names its record, and a key finds it, whatever comes and goes around it (P1, P3);
//! - growth is foretold to the byte (P4), and an empty roster takes no memory (P2);
//! - `validate` holds after every step.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

impl<T: Listed> Roster<T> {
    /// Checks P2 and P3; O(records).
    pub(in crate::members) fn validate(&self) {
        self.index.validate(&self.slots);
        let slots = &self.slots;
        let is_roomy = |at: &usize| slots.chunks[*at].taken != u16::MAX;
        let mut roomy: Vec<_> = (0..slots.chunks.len()).filter(is_roomy).collect();
        let linked = std::iter::successors(slots.front(ROOMY), |token| slots.after(*token));
        let linked: Vec<_> = linked.map(|token| token.bits() as usize - 1).collect();
        assert!(
            linked.is_sorted_by_key(|at| slots.chunks[*at].slots.is_none()),
            "P2: memory first"
        );
        let mut in_order = linked.clone();
        in_order.sort_unstable();
        roomy.sort_unstable();
        assert_eq!(in_order, roomy, "P2");
        let mut n_allocated = 0;
        let mut len = 0;
        for chunk in &slots.chunks {
            assert_eq!(chunk.slots.is_none(), chunk.taken == 0, "P2");
            n_allocated += usize::from(chunk.slots.is_some());
            len += chunk.taken.count_ones() as usize;
            for (slot, record) in chunk
                .slots
                .iter()
                .flat_map(|slots| slots.iter())
                .enumerate()
            {
                assert_eq!(record.is_some(), chunk.taken & 1 << slot != 0, "P1");
            }
        }
        assert_eq!((n_allocated, len), (slots.n_allocated, slots.len));
    }

    /// All places, in order.
    pub(in crate::members) fn places(&self) -> Vec<Token> {
        let chunks = self.slots.chunks.iter().enumerate();
        let places = chunks.flat_map(|(at, chunk)| {
            let taken = (0..CHUNK_LEN).filter(|slot| chunk.taken & 1 << slot != 0);
            taken.map(move |slot| (at * CHUNK_LEN + slot + 1) as u32)
        });
        places.filter_map(Token::from_bits).collect()
    }
}

#[derive(Debug)]
struct Guest {
    key: u64,
    chain: Option<Token>,
}

impl Listed for Guest {
    fn key(&self) -> u64 {
        self.key
    }

    fn chain(&self) -> Option<Token> {
        self.chain
    }

    fn chain_mut(&mut self) -> &mut Option<Token> {
        &mut self.chain
    }
}

struct Pair {
    roster: Roster<Guest>,
    model: HashMap<u64, Token>,
    next_key: u64,
}

impl Pair {
    fn new() -> Self {
        Self {
            roster: Roster::new(11),
            model: HashMap::new(),
            next_key: 0,
        }
    }

    fn insert(&mut self) {
        let (memory, growth) = (self.roster.memory_bytes(), self.roster.growth_bytes());
        let key = self.next_key;
        // Multiples of a power of two: keys that a hash without mixing would pile up.
        self.next_key += 1 << 20;
        let mut learned = None;
        let at = self.roster.insert(|at| {
            learned = Some(at);
            Guest { key, chain: None }
        });
        assert_eq!(learned, Some(at));
        assert_eq!(self.roster.memory_bytes(), memory + growth, "P4");
        assert!(self.model.values().all(|other| *other != at), "P1");
        self.model.insert(key, at);
    }

    fn remove(&mut self, nth: usize) {
        let mut keys: Vec<_> = self.model.keys().copied().collect();
        keys.sort_unstable();
        if let Some(key) = keys.get(nth % keys.len().max(1)) {
            let at = self.model.remove(key).unwrap();
            assert_eq!(self.roster.remove(at).key, *key);
            assert_eq!(self.roster.find(*key), None);
        }
    }

    fn check(&self) {
        self.roster.validate();
        assert_eq!(self.roster.len(), self.model.len());
        for (key, at) in &self.model {
            assert_eq!(self.roster.find(*key), Some(*at), "P3");
            assert_eq!(self.roster.get(*at).key, *key, "P1");
        }
        let mut places: Vec<_> = self.model.values().map(|at| at.bits()).collect();
        places.sort_unstable();
        let of_roster: Vec<_> = self.roster.places().iter().map(|at| at.bits()).collect();
        assert_eq!(of_roster, places);
        if self.model.is_empty() {
            assert_eq!(self.roster.memory_bytes(), 0, "P2");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_roster_behaves_like_a_map(
        steps in vec((any::<bool>(), prop_oneof![3 => 1..5_usize, 1 => 30..200_usize], any::<usize>()), 1..30)
    ) {
        let mut pair = Pair::new();
        for (inserts, n, nth) in steps {
            for step in 0..n {
                if inserts {
                    pair.insert();
                } else {
                    pair.remove(nth.wrapping_add(step * 7919));
                }
            }
            pair.check();
        }
        while !pair.model.is_empty() {
            pair.remove(0);
        }
        pair.check();
    }
}

#[test]
fn chains_stay_short() {
    let mut roster = Roster::new(3);
    for key in 0..10_000 {
        roster.insert(|_| Guest { key, chain: None });
    }
    let mut n_steps = 0;
    for at in roster.places() {
        n_steps += 1;
        let mut chain = roster.get(at).chain;
        while let Some(next) = chain {
            n_steps += 1;
            chain = roster.get(next).chain;
        }
    }
    // Each record sees itself and, on average, half of the others that share a bucket of one to two.
    assert!(n_steps < 20_000, "{n_steps}");
    roster.validate();
}

#[test]
fn memory_comes_back_though_one_record_stays() {
    let mut pair = Pair::new();
    for _ in 0..5000 {
        pair.insert();
    }
    let full = pair.roster.memory_bytes();
    // The key that is left is the first one: its chunk is the first.
    while pair.model.len() > 1 {
        pair.remove(pair.model.len() - 1);
    }
    pair.check();
    let chunk = size_of::<[Option<Guest>; CHUNK_LEN]>() + 64 * 4;
    assert!(pair.roster.memory_bytes() <= chunk + 4 * (24 + 8) * 2);
    assert!(full > 300 * chunk / 2);
}

#[test]
fn growth_is_foretold_where_buckets_are_left_over() {
    let mut pair = Pair::new();
    // As many buckets as a chunk of them holds, and fewer records: the next record takes no bucket.
    (0..64).for_each(|_| pair.insert());
    pair.remove(5);
    pair.insert();
    pair.check();
    (0..16).for_each(|_| pair.insert());
    pair.check();
}
