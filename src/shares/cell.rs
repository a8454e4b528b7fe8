//! One pool's numbers, on lines of its own.

use super::{N_CHANGES, PoolId};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::tally::Totals;

/// A pool, or a place for one.
#[derive(Debug)]
pub(super) struct Cell {
    /// Bytes, those of children included.
    pub(super) bytes: Quota,
    /// Entries, likewise.
    pub(super) entries: Quota,
    guaranteed: AtomicU64,
    /// The part of the bytes that children have claimed.
    of_children: AtomicU64,
    /// Bit by bit, in which of the first 64 stripes the pool has entries of its own; `more` has the others.
    stripes: AtomicU64,
    more: Box<[AtomicU64]>,
    state: AtomicU32,
    /// Those who still name the pool, beside its entries.
    pub(super) n_holders: AtomicU32,
    /// What follows is written under the lock of the administration alone. Readers find their way by it, check what
    /// they find, and begin anew where it led them astray.
    pub(super) parent: AtomicU32,
    pub(super) first_child: AtomicU32,
    pub(super) next_sibling: AtomicU32,
    pub(super) prev_sibling: AtomicU32,
    /// Where the search among the children goes on.
    pub(super) child_hand: AtomicU32,
    pub(super) n_children: AtomicU32,
    pub(super) guaranteed_to_children: AtomicU64,
    /// What happened since the number was given.
    pub(super) changes: Totals<N_CHANGES>,
}

/// What a cell stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Nothing; its number can be given.
    Free,
    /// A pool.
    Live,
    /// A pool that was removed, until its bytes and holders are gone.
    Leaving,
}

impl Cell {
    pub(super) fn new(n_stripes: usize) -> Self {
        let n_more = n_stripes.div_ceil(64).saturating_sub(1);
        let zero = || AtomicU64::new(0);
        let none = || AtomicU32::new(NONE);
        Self {
            bytes: Quota::new(),
            entries: Quota::new(),
            guaranteed: zero(),
            of_children: zero(),
            stripes: zero(),
            more: (0..n_more).map(|_| zero()).collect(),
            state: AtomicU32::new(State::Free as u32),
            n_holders: AtomicU32::new(0),
            parent: none(),
            first_child: none(),
            next_sibling: none(),
            prev_sibling: none(),
            child_hand: none(),
            n_children: AtomicU32::new(0),
            guaranteed_to_children: zero(),
            changes: Totals::new(),
        }
    }

    #[inline]
    pub(super) fn used(&self) -> u64 {
        self.bytes.used()
    }

    #[inline]
    pub(super) fn guaranteed(&self) -> u64 {
        self.guaranteed.load(Ordering::Relaxed)
    }

    pub(super) fn set_guaranteed(&self, guaranteed: u64) {
        self.guaranteed.store(guaranteed, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn parent(&self) -> Option<PoolId> {
        let parent = self.parent.load(Ordering::Relaxed);
        (parent != NONE).then_some(PoolId(parent))
    }

    /// A child's claim, which is in the bytes, is or isn't that of the pool's own entries. In between, the pool's own part
    /// seems too large, never too small.
    #[inline]
    pub(super) fn credit_to_child(&self, bytes: u64) {
        self.of_children.fetch_add(bytes, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn debit_from_child(&self, bytes: u64) {
        self.of_children.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether any of the bytes are claimed by children.
    pub(super) fn is_shared(&self) -> bool {
        self.of_children.load(Ordering::Relaxed) > 0
    }

    /// How far the pool is above its guarantee, with `more` bytes.
    #[inline]
    pub(super) fn excess(&self, more: u64) -> u64 {
        self.used()
            .saturating_add(more)
            .saturating_sub(self.guaranteed())
    }

    /// How far the pool's own entries are above what they may count on among its children: nothing, if there are any.
    pub(super) fn own_excess(&self, more: u64) -> u64 {
        let of_children = self.of_children.load(Ordering::Relaxed);
        if of_children == 0 {
            self.excess(more)
        } else {
            self.used().saturating_sub(of_children).saturating_add(more)
        }
    }

    fn word(&self, idx: usize) -> &AtomicU64 {
        if idx == 0 {
            &self.stripes
        } else {
            &self.more[idx - 1]
        }
    }

    /// Notes whether the pool has entries in a stripe.
    pub(super) fn mark(&self, stripe: usize, present: bool) {
        let (word, bit) = (self.word(stripe / 64), 1 << (stripe % 64));
        if present {
            word.fetch_or(bit, Ordering::Relaxed);
        } else {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// The first stripe with entries from one on, and from the beginning after the last.
    pub(super) fn next_stripe(&self, from: usize) -> Option<usize> {
        let n_words = 1 + self.more.len();
        let (first, bit) = (from / 64 % n_words, from % 64);
        let behind = u64::MAX << bit;
        (0..=n_words).find_map(|step| {
            let idx = (first + step) % n_words;
            let mut word = self.word(idx).load(Ordering::Relaxed);
            if step == 0 {
                word &= behind;
            } else if step == n_words {
                word &= !behind;
            }
            (word != 0).then(|| idx * 64 + word.trailing_zeros() as usize)
        })
    }

    pub(super) fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            state if state == State::Live as u32 => State::Live,
            state if state == State::Leaving as u32 => State::Leaving,
            _ => State::Free,
        }
    }

    pub(super) fn set_state(&self, state: State) {
        self.state.store(state as u32, Ordering::Relaxed);
    }
}

/// What was claimed of something, and how much may be.
#[derive(Debug)]
pub(super) struct Quota {
    used: AtomicU64,
    max: AtomicU64,
}

impl Quota {
    fn new() -> Self {
        Self {
            used: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// For what nobody claims.
    pub(super) fn set_used(&self, used: u64) {
        self.used.store(used, Ordering::Relaxed);
    }

    pub(super) fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Claims all of `amount` or nothing; the sum with it.
    pub(super) fn claim(&self, amount: u64) -> Option<u64> {
        let mut used = self.used();
        loop {
            let sum = used.checked_add(amount).filter(|&sum| sum <= self.max())?;
            // Acquire pairs with the release in `set_max`: who claims after it sees the maximum that it set.
            match self
                .used
                .compare_exchange_weak(used, sum, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) if sum <= self.max() => return Some(sum),
                // The maximum was lowered between the look at it and the claim.
                Ok(_) => {
                    self.give_back(amount);
                    return None;
                }
                Err(other) => used = other,
            }
        }
    }

    /// Claims without the second look, which is what the model's failing twin does.
    #[cfg(engine_loom)]
    pub(super) fn claim_by_one_look(&self, amount: u64) -> bool {
        let max = self.max();
        let sum = self.used.fetch_add(amount, Ordering::Acquire) + amount;
        if sum > max {
            self.give_back(amount);
        }
        sum <= max
    }

    pub(super) fn give_back(&self, amount: u64) {
        let before = self.used.fetch_sub(amount, Ordering::Relaxed);
        debug_assert!(before >= amount, "S2: a claim is given back once");
    }

    /// Sets the maximum. Claims above it stay until they're given back; none that was measured by the old one and isn't
    /// in the sum by now will succeed.
    pub(super) fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
        // Adds nothing, but every claim is ordered before or after it. Release pairs with the acquire in `claim`.
        self.used.fetch_add(0, Ordering::Release);
    }
}

/// No pool, where a number stands for one. It is the root's, which is nobody's parent, child or sibling.
pub(super) const NONE: u32 = 0;
