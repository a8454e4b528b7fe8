//! What the level was not told: keys and scopes whose records there may be older than what was last done here.
//!
//! # Idea         a put, removal or purge that failed in the level leaves a debt, which is paid by deleting the key, or ending the scope,
//!   before it is next read or written there. No clock and no comparison of versions is needed, and a debt that is paid needlessly
//!   costs a record, never a wrong answer
//! # Costs        without debts: one load. A debt is 16 bytes and its place in a table; 65,536 keys at most, then their scopes
//! # Invariants   D1 a debt is paid by what began after it was made; D2 what doesn't fit is owed by a scope around it
//! # Not here     paying: module `view`

use std::collections::HashMap;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// One debt among those of its key or scope, to tell it from later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Debt(u64);

/// Debts by the hashes of keys and scopes. Where two hashes agree, one pays too much.
#[derive(Debug, Default)]
pub(super) struct Debts {
    /// How many there are.
    n_debts: AtomicU64,
    owed: Mutex<Owed>,
}

#[derive(Debug, Default)]
struct Owed {
    keys: HashMap<u64, Debt>,
    scopes: HashMap<u64, Debt>,
    last: u64,
}

/// Most debts of keys, and of scopes.
const KEYS_MAX: usize = 65_536;
const SCOPES_MAX: usize = 4_096;

impl Debts {
    /// What a key owes.
    pub(super) fn of_key(&self, key: u64) -> Option<Debt> {
        self.find(|owed| owed.keys.get(&key).copied())
    }

    /// What a scope owes.
    pub(super) fn of_scope(&self, scope: u64) -> Option<Debt> {
        self.find(|owed| owed.scopes.get(&scope).copied())
    }

    fn find(&self, debt: impl FnOnce(&Owed) -> Option<Debt>) -> Option<Debt> {
        // Acquire: pairs with the release in `change`; who was told of a failed write sees its debt.
        if self.n_debts.load(Ordering::Acquire) == 0 {
            return None;
        }
        debt(&self.owed.lock())
    }

    /// Makes a key owe; `scopes` are those of its path, from the root down.
    pub(super) fn owe_key(&self, key: u64, scopes: impl DoubleEndedIterator<Item = u64>) {
        self.change(|owed| {
            let debt = owed.draw();
            if owed.keys.len() < KEYS_MAX || owed.keys.contains_key(&key) {
                owed.keys.insert(key, debt);
            } else {
                owed.owe_scope(debt, scopes);
            }
        });
    }

    /// Makes the last of these scopes owe.
    pub(super) fn owe_scope(&self, scopes: impl DoubleEndedIterator<Item = u64>) {
        self.change(|owed| {
            let debt = owed.draw();
            owed.owe_scope(debt, scopes);
        });
    }

    /// Notes that a key has paid, unless it owes anew since.
    pub(super) fn pay_key(&self, key: u64, debt: Option<Debt>) {
        if let Some(debt) = debt {
            self.change(|owed| pay(&mut owed.keys, key, debt));
        }
    }

    /// The same for a scope.
    pub(super) fn pay_scope(&self, scope: u64, debt: Option<Debt>) {
        if let Some(debt) = debt {
            self.change(|owed| pay(&mut owed.scopes, scope, debt));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Owed)) {
        let mut owed = self.owed.lock();
        change(&mut owed);
        let n_debts = (owed.keys.len() + owed.scopes.len()) as u64;
        // Release: pairs with the acquire in `find`.
        self.n_debts.store(n_debts, Ordering::Release);
    }
}

impl Owed {
    fn draw(&mut self) -> Debt {
        self.last += 1;
        Debt(self.last)
    }

    /// D2: the innermost scope that there is room for; the outermost one always has it.
    fn owe_scope(&mut self, debt: Debt, mut scopes: impl DoubleEndedIterator<Item = u64>) {
        let Some(inner) = scopes.next_back() else {
            return;
        };
        let scope = if self.scopes.len() < SCOPES_MAX || self.scopes.contains_key(&inner) {
            inner
        } else {
            scopes.next().unwrap_or(inner)
        };
        self.scopes.insert(scope, debt);
    }
}

/// D1: only the debt that was there when the payment began.
fn pay(owed: &mut HashMap<u64, Debt>, who: u64, debt: Debt) {
    if owed.get(&who) == Some(&debt) {
        owed.remove(&who);
    }
}

#[cfg(test)]
mod tests;
