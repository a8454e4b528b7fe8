//! Claims of pools and their parents.

use crate::shares;

/// A few pools.
#[derive(Debug)]
pub struct Shares(shares::Shares);

/// Names one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool(shares::PoolId);

impl Shares {
    /// No pools yet.
    pub fn new() -> Shares {
        Shares(shares::Shares::new(1000, 1))
    }

    /// Adds a pool with a maximum.
    pub fn add(&self, parent: Option<Pool>, max: u64) -> Pool {
        let added = self.0.add(parent.map(|parent| parent.0), 0, max);
        Pool(added.expect("a model has few pools"))
    }

    /// Sets the maximum.
    pub fn set_max(&self, pool: Pool, max: u64) {
        self.0.set(pool.0, 0, max).expect("a model's pools stay");
    }

    /// Claims for the pool and its parent, or for none.
    pub fn claim(&self, pool: Pool, bytes: u64) -> bool {
        self.0.claim(pool.0, bytes).is_ok()
    }

    /// As `claim`, but looks at the maximum once, before.
    pub fn claim_by_one_look(&self, pool: Pool, bytes: u64) -> bool {
        self.0.claim_by_one_look(pool.0, bytes)
    }

    /// As `claim`, but leaves the pool's claim where the parent has no room.
    pub fn claim_each(&self, pool: Pool, bytes: u64) -> bool {
        self.0.claim_each(pool.0, bytes)
    }

    /// Gives a claim back.
    pub fn give_back(&self, pool: Pool, bytes: u64) {
        self.0.give_back(pool.0, bytes);
    }

    /// All claims of a pool.
    pub fn used(&self, pool: Pool) -> u64 {
        self.0.used(pool.0)
    }
}

impl Default for Shares {
    fn default() -> Self {
        Self::new()
    }
}
