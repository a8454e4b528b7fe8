//! The words that decide by themselves: a budget, two that share a bound, a deadline.

use crate::clock::Nanos;
use crate::sync::Arc;
use crate::{budget, entry};

/// The shared counter of claims.
#[derive(Debug)]
pub struct Budget(budget::Budget);

impl Budget {
    /// A bound.
    pub fn new(max: u64) -> Budget {
        Budget(budget::Budget::new(max, 1))
    }

    /// Claims all or nothing.
    pub fn try_claim(&self, amount: u64) -> bool {
        self.0.try_claim(amount)
    }

    /// As `try_claim`, but looks first and adds then.
    pub fn claim_in_two_steps(&self, amount: u64) -> bool {
        self.0.claim_in_two_steps(amount)
    }

    /// Gives a claim back.
    pub fn give_back(&self, amount: u64) {
        self.0.give_back(amount);
    }

    /// All claims.
    pub fn used(&self) -> u64 {
        self.0.used()
    }
}

/// The accounts of two caches below one bound.
#[derive(Debug)]
pub struct Pair {
    purse: Arc<budget::Purse>,
    accounts: [budget::Budget; 2],
}

impl Pair {
    /// A bound for both.
    pub fn new(max: u64) -> Pair {
        let purse = Arc::new(budget::Purse::new(max));
        let account = || budget::Budget::with_purse(Arc::clone(&purse), 1);
        Pair {
            accounts: [account(), account()],
            purse,
        }
    }

    /// One of them claims, all or nothing.
    pub fn try_claim(&self, which: usize, amount: u64) -> bool {
        self.accounts[which].try_claim(amount)
    }

    /// As `try_claim`, but what is free is looked at first, and taken then.
    pub fn claim_in_two_steps(&self, which: usize, amount: u64) -> bool {
        self.purse.take_in_two_steps(amount) == amount && self.accounts[which].claim_given(amount)
    }

    /// One of them gives a claim back.
    pub fn give_back(&self, which: usize, amount: u64) {
        self.accounts[which].give_back(amount);
    }

    /// One of them gives up what it doesn't use.
    pub fn lend(&self, which: usize) {
        self.accounts[which].lend_unused(u64::MAX);
    }

    /// The bound is lowered.
    pub fn set_max(&self, max: u64) {
        self.purse.set_max(max);
    }

    /// All claims of both.
    pub fn used(&self) -> u64 {
        self.accounts.iter().map(budget::Budget::used).sum()
    }

    /// What both were given, what is free, and what is owed; to be looked at when nobody moves any of it.
    pub fn parts(&self) -> (u64, u64, u64) {
        let given = self.accounts.iter().map(budget::Budget::given).sum();
        (given, self.purse.free(), self.purse.debt())
    }
}

/// One deadline.
#[allow(missing_debug_implementations)]
pub struct Deadline(entry::Deadline);

impl Deadline {
    /// A deadline ahead.
    pub fn new(at: u64) -> Deadline {
        Deadline(entry::Deadline::new(Nanos(at)))
    }

    /// Whether it is ahead at `now`; over for all if not.
    pub fn is_ahead(&self, now: u64) -> bool {
        self.check(now).is_some()
    }

    /// Whether it is ahead at `now`, without ending it if not.
    pub fn seems_ahead(&self, now: u64) -> bool {
        self.0.get() > Nanos(now)
    }

    /// Moves it if it is ahead at `now`, tried once.
    pub fn try_move(&self, now: u64, to: u64) -> bool {
        self.check(now)
            .is_some_and(|checked| self.0.try_move(checked, Nanos(to)))
    }

    /// Moves it if it is ahead at `now`, and stores over whatever came meanwhile.
    pub fn move_blindly(&self, now: u64, to: u64) -> bool {
        self.check(now).is_some() && self.0.move_blindly(Nanos(to))
    }

    /// Claims it if it is ahead at `now`, as a writer does that takes the entry away.
    pub fn claim(&self, now: u64) -> bool {
        self.0
            .claim(|deadline| (deadline <= Nanos(now), Nanos(now)))
    }

    /// Gives a claim up.
    pub fn unclaim(&self) {
        self.0.unclaim();
    }

    /// As `unclaim`, but stores over whatever came meanwhile.
    pub fn unclaim_blindly(&self) {
        self.0.unclaim_blindly();
    }

    /// Whether a reader at `now` answers that there is nothing.
    pub fn is_missed(&self, now: u64) -> bool {
        let probe = |deadline| (deadline <= Nanos(now), Nanos(now));
        self.0.check(probe) == Ok(None)
    }

    fn check(&self, now: u64) -> Option<entry::Ahead> {
        self.0
            .check(|deadline| (deadline <= Nanos(now), Nanos(now)))
            .expect("nobody has claimed it")
    }
}
