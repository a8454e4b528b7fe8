//! Properties of members, against a list of entries:
//! - sums of scopes and pools are those of their entries, and a record ends with its last entry (M1);
//! - scopes that died are found in one cycle, whatever joins meanwhile, and no others are (M2);
//! - a pool's victims are its entries, each once a round (M3);
//! - a walk names what stays exactly once, and nothing twice (M4);
//! - growth is foretold to the byte, and no member leaves anything behind (M5);
//! - `validate` holds after every step.

mod model;
mod single;

use std::collections::HashSet;

use super::*;

impl<G> Members<G> {
    /// Checks every invariant; O(everything).
    pub(crate) fn validate(&self) {
        let scopes = self.entries.owners();
        scopes.validate();
        self.pools.validate();
        let places = scopes.places();
        self.entries
            .validate_lists(places.iter().map(|at| scope::list_of(*at)));
        for at in &places {
            let n = self.entries.tokens(scope::list_of(*at)).len();
            assert!(n > 0, "M1: a scope without entries");
            assert_eq!(n, scopes.get(*at).n_entries as usize, "M1");
        }
        self.validate_turns(&places);
        self.validate_pools(places.len());
    }

    fn validate_turns(&self, places: &[Token]) {
        let scopes = self.entries.owners();
        let in_turn = |list: ListId| {
            let first = self.turns[list.0 as usize].next();
            std::iter::successors(first, |at| scopes.get(*at).in_turn().next()).collect::<Vec<_>>()
        };
        let (to_see, dead) = (in_turn(TO_SEE), in_turn(DEAD));
        assert_eq!(to_see.len() + dead.len(), places.len());
        assert_eq!(dead.len(), self.n_dead);
        assert!(dead.iter().all(|at| scopes.get(*at).is_dead()));
        for (nth, at) in to_see.iter().enumerate() {
            let is_seen = scopes.get(*at).seen == self.cycle;
            assert_eq!(is_seen, nth >= self.n_unseen, "M2");
            assert!(!scopes.get(*at).is_dead(), "M2");
        }
        let bytes: u64 = dead.iter().map(|at| scopes.get(*at).bytes).sum();
        assert_eq!(bytes, self.unreachable);
    }

    fn validate_pools(&self, n_scopes: usize) {
        let scopes = self.entries.owners();
        let mut n_listed = 0;
        for pool_at in self.pools.places() {
            let pool = self.pools.get(pool_at);
            let listed =
                std::iter::successors(pool.scopes.next(), |at| scopes.get(*at).in_pool().next());
            let listed: Vec<_> = listed.collect();
            assert!(!listed.is_empty(), "M1: a pool without scopes");
            assert!(listed.iter().all(|at| scopes.get(*at).pool == pool_at));
            let sum = |of: fn(Holding) -> u64| {
                listed
                    .iter()
                    .map(|at| of(scopes.get(*at).holding()))
                    .sum::<u64>()
            };
            let summed = Holding {
                n_entries: sum(|holding| holding.n_entries),
                bytes: sum(|holding| holding.bytes),
            };
            assert_eq!(pool.holding(), summed, "M1");
            if let Some(hand) = pool.hand {
                let first = self.entries.tokens(scope::list_of(listed[0]));
                assert!(first.contains(&hand), "M3");
            }
            n_listed += listed.len();
        }
        assert_eq!(n_listed, n_scopes, "M1");
    }

    /// All entries of a scope that a walk in steps of `n_max` names.
    fn walked(&mut self, word: PlaceWord, n_max: usize) -> Vec<(KeyHash, Token)> {
        let mut named = Vec::new();
        if let Some(walk) = self.begin_walk(word) {
            while self.walk_on(walk, n_max, &mut named) == Walked::More {}
        }
        let tokens: HashSet<_> = named.iter().map(|(_, token)| token).collect();
        assert_eq!(tokens.len(), named.len(), "M4");
        named
    }
}

fn hash(bits: u64) -> KeyHash {
    KeyHash::from_bits(bits)
}
