//! Random steps, against a plain list of entries.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Join {
        scope: u64,
        n: usize,
        bytes: u64,
    },
    /// One entry for each of many scopes.
    JoinEach {
        scope: u64,
        n: u64,
    },
    Leave {
        nth: usize,
        n: usize,
    },
    Resize {
        nth: usize,
        bytes: u64,
    },
    Shrink {
        budget: usize,
    },
    Kill {
        scope: u64,
    },
    Seek {
        steps: usize,
    },
    TakeDead {
        n: usize,
    },
    Victims {
        pool: u32,
        n: usize,
    },
    BeginWalk {
        scope: u64,
    },
    GoOn {
        nth: usize,
        n: usize,
    },
    EndWalk {
        nth: usize,
    },
}

const N_SCOPES: u64 = 90;
const N_POOLS: u32 = 20;

/// Each pool has several scopes.
fn word(scope: u64) -> PlaceWord {
    PlaceWord::new(scope, scope as u32 % N_POOLS)
}

fn any_op() -> impl Strategy<Value = Op> {
    let any_nth = any::<usize>;
    let few = || prop_oneof![5 => 1..4_usize, 1 => 200..700_usize];
    // A few scopes get most of what joins.
    let scope = || prop_oneof![2 => 0..4_u64, 1 => 0..N_SCOPES];
    prop_oneof![
        4 => (scope(), few(), 0..100_u64).prop_map(|(scope, n, bytes)| Op::Join { scope, n, bytes }),
        1 => (0..N_SCOPES, 1..50_u64).prop_map(|(scope, n)| Op::JoinEach { scope, n }),
        3 => (any_nth(), few()).prop_map(|(nth, n)| Op::Leave { nth, n }),
        1 => (any_nth(), 0..100_u64).prop_map(|(nth, bytes)| Op::Resize { nth, bytes }),
        1 => (0..600_usize).prop_map(|budget| Op::Shrink { budget }),
        1 => scope().prop_map(|scope| Op::Kill { scope }),
        2 => (0..12_usize).prop_map(|steps| Op::Seek { steps }),
        1 => (1..60_usize).prop_map(|n| Op::TakeDead { n }),
        2 => (0..8_u32, 0..90_usize).prop_map(|(pool, n)| Op::Victims { pool, n }),
        1 => scope().prop_map(|scope| Op::BeginWalk { scope }),
        2 => (any_nth(), 0..90_usize).prop_map(|(nth, n)| Op::GoOn { nth, n }),
        1 => any_nth().prop_map(|nth| Op::EndWalk { nth }),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u64,
    word: PlaceWord,
    hash: KeyHash,
    bytes: u64,
    token: Token,
    scope: ScopeIdx,
}

struct Walking {
    id: WalkId,
    word: PlaceWord,
    /// Those that were there when it began and have stayed.
    stayed: BTreeSet<u64>,
    named: BTreeSet<u64>,
}

struct Pair {
    members: Members<u64>,
    entries: Vec<Entry>,
    dead: BTreeSet<PlaceWord>,
    walks: Vec<Walking>,
    epoch: u64,
    next_id: u64,
}

impl Pair {
    fn new() -> Self {
        Self {
            members: Members::new(5),
            entries: Vec::new(),
            dead: BTreeSet::new(),
            walks: Vec::new(),
            epoch: 0,
            next_id: 0,
        }
    }

    fn holding(&self, is_in: impl Fn(PlaceWord) -> bool) -> Holding {
        let inside = || self.entries.iter().filter(|entry| is_in(entry.word));
        Holding {
            n_entries: inside().count() as u64,
            bytes: inside().map(|entry| entry.bytes).sum(),
        }
    }

    fn join(&mut self, word: PlaceWord, bytes: u64) {
        let had = |holding: Holding| holding.n_entries > 0;
        let had_scope = had(self.holding(|other| other == word));
        let had_pool = had(self.holding(|other| other.pool() == word.pool()));
        let foretold = self.members.memory_bytes() + self.members.growth_bytes(word);
        let mut made = false;
        // Hashes collide now and then.
        let hash = hash(self.next_id / 2);
        let make = || {
            made = true;
            word.bits()
        };
        let joined = self.members.join(word, make, hash, bytes);
        assert_eq!(made, !had_scope);
        assert_eq!(joined.is_first_of_pool, !had_pool);
        assert_eq!(self.members.memory_bytes(), foretold, "M5");
        self.entries.push(Entry {
            id: self.next_id,
            word,
            hash,
            bytes,
            token: joined.token,
            scope: joined.scope,
        });
        self.next_id += 1;
    }

    fn leave(&mut self, nth: usize) {
        let Entry {
            id,
            word,
            bytes,
            token,
            scope,
            ..
        } = self.entries.remove(nth);
        let left = self.members.leave(token, scope, bytes);
        let is_gone = |holding: Holding| holding.n_entries == 0;
        let is_last = is_gone(self.holding(|other| other == word));
        assert_eq!(left.generation, is_last.then_some(word.bits()), "M1");
        let is_last_of_pool = is_gone(self.holding(|other| other.pool() == word.pool()));
        assert_eq!(left.is_last_of_pool, is_last_of_pool, "M1");
        for walk in &mut self.walks {
            walk.stayed.remove(&id);
        }
    }

    /// The entry that is meant by what the members said.
    fn nth_of(&self, (hash, token): (KeyHash, Token)) -> usize {
        let nth = self.entries.iter().position(|entry| entry.token == token);
        let nth = nth.expect("a token names an entry");
        assert_eq!(self.entries[nth].hash, hash);
        nth
    }

    fn shrink(&mut self, budget: usize) {
        let memory = self.members.memory_bytes();
        let entries = &mut self.entries;
        self.members.shrink(budget, |hash, from, to| {
            let entry = entries.iter_mut().find(|entry| entry.token == from);
            let entry = entry.expect("a token names an entry");
            assert_eq!(entry.hash, hash);
            entry.token = to;
            entry.scope
        });
        assert!(self.members.memory_bytes() <= memory);
    }

    fn seek(&mut self, steps: usize) {
        let dead = &self.dead;
        let n_looks = std::cell::Cell::new(0);
        let done = self.members.seek_dead(self.epoch, steps, |word| {
            n_looks.set(n_looks.get() + 1);
            !dead.contains(&PlaceWord::from_bits(*word))
        });
        assert!(n_looks.get() <= steps);
        let all = self.holding(|word| self.dead.contains(&word)).bytes;
        assert!(self.members.unreachable_bytes() <= all, "M2: a live one");
        if done {
            assert_eq!(self.members.unreachable_bytes(), all, "M2: one was missed");
        }
    }

    fn take_dead(&mut self, n: usize) {
        for _ in 0..n {
            let Some(one) = self.members.next_dead() else {
                assert_eq!(self.members.unreachable_bytes(), 0);
                break;
            };
            let nth = self.nth_of(one);
            assert!(self.dead.contains(&self.entries[nth].word));
            self.leave(nth);
        }
    }

    fn go_on(&mut self, nth: usize, n: usize) {
        let mut named = Vec::new();
        let walked = self.members.walk_on(self.walks[nth].id, n, &mut named);
        assert!(named.len() <= n);
        for one in named {
            let entry = self.entries[self.nth_of(one)];
            assert_eq!(entry.word, self.walks[nth].word);
            assert!(self.walks[nth].named.insert(entry.id), "M4: named twice");
        }
        match walked {
            Walked::More => {}
            Walked::Done => {
                let walk = self.walks.remove(nth);
                assert!(walk.stayed.is_subset(&walk.named), "M4: one was missed");
            }
            Walked::Lost => panic!("so many walks are never under way here"),
        }
    }

    fn apply(&mut self, op: Op) {
        let (n_entries, n_walks) = (self.entries.len(), self.walks.len());
        match op {
            Op::Join { scope, n, bytes } => (0..n).for_each(|_| self.join(word(scope), bytes)),
            Op::JoinEach { scope, n } => {
                for step in 0..n {
                    self.join(word((scope + step) % N_SCOPES), step);
                }
            }
            Op::Leave { nth, n } => {
                for _ in 0..n.min(n_entries) {
                    self.leave(nth % self.entries.len());
                }
            }
            Op::Resize { nth, bytes } if n_entries > 0 => {
                let entry = &mut self.entries[nth % n_entries];
                self.members.resize(entry.scope, entry.bytes, bytes);
                entry.bytes = bytes;
            }
            Op::Shrink { budget } => self.shrink(budget),
            Op::Kill { scope } => {
                self.dead.insert(word(scope));
                self.epoch += 1;
            }
            Op::Seek { steps } => self.seek(steps),
            Op::TakeDead { n } => self.take_dead(n),
            Op::Victims { pool, n } => {
                let mut out = Vec::new();
                self.members.victims(pool, n, &mut out);
                let n_there = self.holding(|word| word.pool() == pool).n_entries as usize;
                assert_eq!(out.len(), n.min(n_there));
                let ids: BTreeSet<_> = out.iter().map(|one| self.nth_of(*one)).collect();
                assert_eq!(ids.len(), out.len(), "M3: one came twice");
                assert!(ids.iter().all(|nth| self.entries[*nth].word.pool() == pool));
            }
            Op::BeginWalk { scope } if n_walks < 5 => {
                let there = self
                    .entries
                    .iter()
                    .filter(|entry| entry.word == word(scope));
                let stayed: BTreeSet<_> = there.map(|entry| entry.id).collect();
                let begun = self.members.begin_walk(word(scope));
                assert_eq!(begun.is_none(), stayed.is_empty());
                self.walks.extend(begun.map(|id| Walking {
                    id,
                    word: word(scope),
                    stayed,
                    named: BTreeSet::new(),
                }));
            }
            Op::GoOn { nth, n } if n_walks > 0 => self.go_on(nth % n_walks, n),
            Op::EndWalk { nth } if n_walks > 0 => {
                let walk = self.walks.remove(nth % n_walks);
                self.members.end_walk(walk.id);
                assert_eq!(
                    self.members.walk_on(walk.id, 1, &mut Vec::new()),
                    Walked::Lost
                );
            }
            Op::Resize { .. } | Op::BeginWalk { .. } | Op::GoOn { .. } | Op::EndWalk { .. } => {}
        }
    }

    fn check(&self) {
        self.members.validate();
        assert_eq!(self.members.len(), self.entries.len());
        let mut scopes = BTreeMap::<_, Holding>::new();
        for entry in &self.entries {
            let holding = scopes.entry(entry.word).or_default();
            holding.n_entries += 1;
            holding.bytes += entry.bytes;
        }
        assert_eq!(self.members.n_scopes(), scopes.len());
        for scope in 0..N_SCOPES {
            let holding = scopes.get(&word(scope)).copied().unwrap_or_default();
            assert_eq!(self.members.scope(word(scope)), holding, "M1");
        }
        for pool in 0..=N_POOLS {
            let holding = self.holding(|word| word.pool() == pool);
            assert_eq!(self.members.pool(pool), holding, "M1");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn members_are_the_entries_that_joined(ops in vec(any_op(), 1..60)) {
        let mut pair = Pair::new();
        for op in ops {
            pair.apply(op);
            pair.check();
        }
        while !pair.entries.is_empty() {
            pair.leave(0);
        }
        pair.walks.iter().for_each(|walk| pair.members.end_walk(walk.id));
        pair.shrink(100);
        pair.check();
        // One chunk of list records is kept, and the table that it is in.
        prop_assert!(pair.members.memory_bytes() <= 256 * 16 + 4 * 24, "M5");
    }
}
