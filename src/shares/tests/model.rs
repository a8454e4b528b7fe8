//! Random steps, against plain sums.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Add {
        parent: Option<usize>,
        guaranteed: u64,
        max: u64,
    },
    Set {
        nth: usize,
        guaranteed: u64,
        max: u64,
    },
    Remove {
        nth: usize,
    },
    Capacity {
        bytes: u64,
    },
    Claim {
        nth: usize,
        bytes: u64,
    },
    GiveBack {
        nth: usize,
    },
    Search {
        nth: usize,
        bytes: u64,
    },
}

fn any_op() -> impl Strategy<Value = Op> {
    let nth = any::<usize>;
    let limits = || (0..60_u64, 20..120_u64);
    prop_oneof![
        3 => (proptest::option::of(nth()), limits())
            .prop_map(|(parent, (guaranteed, max))| Op::Add { parent, guaranteed, max }),
        2 => (nth(), limits()).prop_map(|(nth, (guaranteed, max))| Op::Set { nth, guaranteed, max }),
        1 => nth().prop_map(|nth| Op::Remove { nth }),
        1 => (0..300_u64).prop_map(|bytes| Op::Capacity { bytes }),
        8 => (nth(), 1..40_u64).prop_map(|(nth, bytes)| Op::Claim { nth, bytes }),
        4 => nth().prop_map(|nth| Op::GiveBack { nth }),
        6 => (nth(), 0..50_u64).prop_map(|(nth, bytes)| Op::Search { nth, bytes }),
    ]
}

#[derive(Clone, Debug, Default)]
struct Pool {
    parent: Option<PoolId>,
    guaranteed: u64,
    max: u64,
    removed: bool,
    /// Claims of its own.
    claims: Vec<u64>,
}

struct Pair {
    shares: Shares,
    capacity: u64,
    pools: BTreeMap<PoolId, Pool>,
}

impl Pair {
    fn new() -> Self {
        let root = Pool {
            max: u64::MAX,
            ..Pool::default()
        };
        Self {
            shares: Shares::new(200, 3),
            capacity: 200,
            pools: BTreeMap::from([(PoolId::ROOT, root)]),
        }
    }

    fn nth(&self, nth: usize) -> PoolId {
        *self.pools.keys().nth(nth % self.pools.len()).unwrap()
    }

    fn own(&self, pool: PoolId) -> u64 {
        self.pools[&pool].claims.iter().sum()
    }

    fn children(&self, pool: PoolId) -> impl Iterator<Item = PoolId> {
        let is_child = move |(_, child): &(&PoolId, &Pool)| child.parent == Some(pool);
        self.pools.iter().filter(is_child).map(|(child, _)| *child)
    }

    fn used(&self, pool: PoolId) -> u64 {
        self.own(pool)
            + self
                .children(pool)
                .map(|child| self.own(child))
                .sum::<u64>()
    }

    /// The guarantees of tenants, or of a parent's children, without one of them.
    fn guaranteed(&self, parent: Option<PoolId>, without: Option<PoolId>) -> u64 {
        let pools = self.pools.iter();
        let counted = pools.filter(|(id, pool)| pool.parent == parent && Some(**id) != without);
        counted.map(|(_, pool)| pool.guaranteed).sum()
    }

    /// Whether such a guarantee is allowed.
    fn fits(&self, parent: Option<PoolId>, own: Option<PoolId>, guaranteed: u64, max: u64) -> bool {
        let bound = parent.map_or(self.capacity, |parent| self.pools[&parent].guaranteed);
        let of_children = own.map_or(0, |own| self.guaranteed(Some(own), None));
        guaranteed <= max
            && guaranteed >= of_children
            && self.guaranteed(parent, own) + guaranteed <= bound
    }

    fn add(&mut self, parent: Option<PoolId>, guaranteed: u64, max: u64) {
        let added = self.shares.add(parent, guaranteed, max);
        let of_parent = parent.map(|parent| &self.pools[&parent]);
        let can_have = parent != Some(PoolId::ROOT)
            && of_parent.is_none_or(|parent| !parent.removed && parent.parent.is_none());
        assert_eq!(
            added.is_ok(),
            can_have && self.fits(parent, None, guaranteed, max),
            "S3: {added:?}"
        );
        let Ok(added) = added else { return };
        let pool = Pool {
            parent,
            guaranteed,
            max,
            ..Pool::default()
        };
        if let Some(before) = self.pools.insert(added, pool) {
            assert!(before.removed && before.claims.is_empty(), "S5");
        }
    }

    fn claim(&mut self, id: PoolId, bytes: u64) {
        let has_room = |id: PoolId| self.used(id) + bytes <= self.pools[&id].max;
        let parent = self.pools[&id].parent;
        let expected = if !has_room(id) {
            Some(id)
        } else {
            parent.filter(|parent| !has_room(*parent))
        };
        let claimed = self.shares.claim(id, bytes);
        assert_eq!(claimed.err().map(|over| over.pool), expected, "S1");
        if claimed.is_ok() {
            self.pools.get_mut(&id).unwrap().claims.push(bytes);
            assert_eq!(self.shares.claim_entry(id), Ok(()));
            self.shares.mark_stripe(id, 1, true);
        }
    }

    fn give_back(&mut self, id: PoolId) {
        let claims = &mut self.pools.get_mut(&id).unwrap().claims;
        if let Some(bytes) = claims.pop() {
            if claims.is_empty() {
                self.shares.mark_stripe(id, 1, false);
            }
            self.shares.give_entry_back(id);
            self.shares.give_back(id, bytes);
        }
    }

    /// Whether a pool may give way, by the rule as it is stated.
    fn is_eligible(&self, id: PoolId, claimer: PoolId, bytes: u64) -> bool {
        let top = |id: PoolId| self.pools[&id].parent.unwrap_or(id);
        let more = |matches: bool| if matches { bytes } else { 0 };
        let (of_top, of_claimer) = (top(id), top(claimer));
        let top_used = self.used(of_top) + more(of_top == of_claimer);
        let own = self.own(id) + more(id == claimer);
        let has_shared = self.own(id) < self.used(id);
        let share = if has_shared {
            0
        } else {
            self.pools[&id].guaranteed
        };
        self.own(id) > 0 && top_used > self.pools[&of_top].guaranteed && own > share
    }

    fn search(&self, claimer: PoolId, bytes: u64) {
        let turns =
            || (0..2 * self.shares.calls_a_round()).map(|_| self.shares.gives_way(claimer, bytes));
        let found = turns().find(|turn| *turn != Turn::NotFound);
        let eligible = |id: &&PoolId| self.is_eligible(**id, claimer, bytes);
        match found {
            Some(Turn::Anyone) => assert_eq!(self.guaranteed(None, None), 0),
            Some(Turn::Pool(found)) => assert!(eligible(&&found), "S4: {found:?}"),
            Some(Turn::NotFound) | None => {
                assert_eq!(self.pools.keys().find(eligible), None, "it gives way");
            }
        }
        for id in self.pools.keys().filter(|id| **id != claimer) {
            let top = |id: PoolId| self.pools[&id].parent.unwrap_or(id);
            let is_family = top(*id) == top(claimer);
            let eligible = self.is_eligible(*id, claimer, 0);
            if !is_family && self.own(*id) > 0 && self.guaranteed(None, None) > 0 {
                assert_eq!(self.shares.may_give_way(*id, claimer), eligible, "S4");
            }
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Add {
                parent,
                guaranteed,
                max,
            } => self.add(parent.map(|nth| self.nth(nth)), guaranteed, max),
            Op::Set {
                nth,
                guaranteed,
                max,
            } => {
                let id = self.nth(nth);
                let pool = &self.pools[&id];
                let allowed = id != PoolId::ROOT
                    && !pool.removed
                    && self.fits(pool.parent, Some(id), guaranteed, max);
                assert_eq!(self.shares.set(id, guaranteed, max).is_ok(), allowed, "S3");
                if allowed {
                    let pool = self.pools.get_mut(&id).unwrap();
                    (pool.guaranteed, pool.max) = (guaranteed, max);
                }
            }
            Op::Remove { nth } => {
                let id = self.nth(nth);
                let has_children = self.children(id).any(|child| !self.pools[&child].removed);
                let allowed = id != PoolId::ROOT && !self.pools[&id].removed && !has_children;
                assert_eq!(self.shares.remove(id).is_ok(), allowed);
                if allowed {
                    let pool = self.pools.get_mut(&id).unwrap();
                    (pool.guaranteed, pool.max, pool.removed) = (0, 0, true);
                }
            }
            Op::Capacity { bytes } => {
                let allowed = self.guaranteed(None, None) <= bytes;
                assert_eq!(self.shares.set_capacity(bytes).is_ok(), allowed, "S3");
                if allowed {
                    self.capacity = bytes;
                }
            }
            Op::Claim { nth, bytes } => self.claim(self.nth(nth), bytes),
            Op::GiveBack { nth } => self.give_back(self.nth(nth)),
            Op::Search { nth, bytes } => self.search(self.nth(nth), bytes),
        }
        // A removed pool without bytes may be gone at any time: nothing may be asked of it.
        let gone = self
            .pools
            .iter()
            .filter(|(id, pool)| pool.removed && self.used(**id) == 0);
        let gone: Vec<_> = gone.map(|(id, _)| *id).collect();
        self.pools.retain(|id, _| !gone.contains(id));
    }

    fn check(&self) {
        for (id, pool) in &self.pools {
            assert_eq!(self.shares.used(*id), self.used(*id), "S2");
            assert_eq!(self.shares.max(*id), pool.max);
            let of_children = self
                .children(*id)
                .map(|child| self.pools[&child].claims.len());
            let n_entries = pool.claims.len() + of_children.sum::<usize>();
            assert_eq!(self.shares.n_entries(*id), n_entries as u64);
            let within = self.used(*id) <= pool.guaranteed;
            assert_eq!(self.shares.is_within_guarantee(*id), within);
            assert_eq!(self.shares.parent(*id), pool.parent);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn e75_shares_are_plain_sums(ops in vec(any_op(), 1..120)) {
        let mut pair = Pair::new();
        for op in ops {
            pair.apply(op);
            pair.check();
        }
    }
}
