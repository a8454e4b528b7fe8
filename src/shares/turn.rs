//! Whose turn it is to give way when the cache is full.

use super::cell::{Cell, NONE, State};
use super::{Full, PoolId, Shares};
use crate::sync::atomic::{AtomicU64, Ordering};

/// Who gives way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// Anybody: nobody has a guarantee, so whom to evict is for the policy alone to say.
    Anyone,
    /// This pool, which is above its share and has entries.
    Pool(PoolId),
    /// No pool above its share was among those that this call looked at; the next call looks at others.
    NotFound,
}

impl Shares {
    /// Who gives way to a pool that wants bytes: the one furthest above its share, as far as that is known. The root may,
    /// and the claimer itself, if it is above its share with these bytes.
    pub(crate) fn gives_way(&self, claimer: PoolId, bytes: u64) -> Turn {
        if !self.has_guarantees() {
            return Turn::Anyone;
        }
        let mut candidates = Candidates::new();
        let own = self.top(claimer);
        candidates.consider(own, self.cell(own).excess(bytes));
        let mut furthest = (0, PoolId::ROOT);
        let mut look = |pool: PoolId| {
            let excess = self.cell(pool).excess(0);
            furthest = furthest.max((excess, pool));
            if pool != own {
                candidates.consider(pool, excess);
            }
        };
        look(PoolId::ROOT);
        let numbers_end = self.numbers_end.load(Ordering::Relaxed);
        let hand = self.hand.fetch_add(LOOKS, Ordering::Relaxed);
        let in_turn = (0..LOOKS.min(numbers_end - 1))
            .map(|step| 1 + hand.wrapping_add(step) % (numbers_end - 1));
        for number in std::iter::once(self.hint.pool()).chain(in_turn) {
            let cell = self.table.get(number).filter(|cell| may_give(cell));
            if cell.is_some() {
                look(PoolId(number));
            }
        }
        self.hint.set(furthest.1, furthest.0);
        while let Some(pool) = candidates.take_furthest() {
            if let Some(found) = self.furthest_within(pool, claimer, bytes) {
                return Turn::Pool(found);
            }
        }
        Turn::NotFound
    }

    /// As [`Shares::gives_way`], among a pool that is full and its children: for a claim that met its maximum. There's
    /// always one that is above its share, with these bytes, because the maximum isn't below the guarantees; but who has claimed
    /// what it is about to store isn't known yet.
    pub(crate) fn gives_way_within(&self, full: Full, claimer: PoolId, bytes: u64) -> Turn {
        let found = match full {
            Full::Bytes(full) => self.furthest_within(full, claimer, bytes),
            Full::Entries(full) => self.giver_of_entry(full, claimer),
        };
        found.map_or(Turn::NotFound, Turn::Pool)
    }

    /// Calls of `gives_way_within` after which each child was looked at.
    pub(crate) fn calls_within(&self, (Full::Bytes(full) | Full::Entries(full)): Full) -> u32 {
        let n_children = self.cell(full).n_children.load(Ordering::Relaxed);
        1 + n_children / LOOKS
    }

    /// Who gives an entry to a claimer that met the maximum of entries of a pool, its own or its parent's: the claimer, if it has any
    /// of its own, else the pool, else the child with the most of those that are looked at, one above its guarantee first.
    fn giver_of_entry(&self, full: PoolId, claimer: PoolId) -> Option<PoolId> {
        let has_any = |pool: &PoolId| has_entries(*pool, self.cell(*pool));
        let own = [claimer, full].into_iter().find(has_any);
        own.or_else(|| {
            let mut most = (false, 0, None);
            self.look_at_children(full, self.cell(full), |pool, cell| {
                if has_entries(pool, cell) {
                    most = most.max((cell.excess(0) > 0, cell.entries.used(), Some(pool)));
                }
            });
            most.2
        })
    }

    /// Whether taking from a pool for another hurts no guarantee: a filter for the policy's own choice.
    pub(crate) fn may_give_way(&self, pool: PoolId, claimer: PoolId) -> bool {
        if pool == claimer || !self.has_guarantees() {
            return true;
        }
        let top = self.top(pool);
        let is_above = top == self.top(claimer) || self.cell(top).excess(0) > 0;
        is_above && self.cell(pool).own_excess(0) > 0
    }

    /// Calls in a row after which each tenant, and each child of the one in question, was looked at.
    pub(crate) fn calls_a_round(&self) -> u32 {
        self.numbers_end.load(Ordering::Relaxed).div_ceil(LOOKS)
    }

    /// Of a pool and its children, the one whose own entries are furthest above their share.
    fn furthest_within(&self, pool: PoolId, claimer: PoolId, bytes: u64) -> Option<PoolId> {
        let wanted = |of: PoolId| if of == claimer { bytes } else { 0 };
        let mut furthest = (0, pool);
        let mut consider = |of: PoolId, cell: &Cell| {
            if has_entries(of, cell) {
                furthest = furthest.max((cell.own_excess(wanted(of)), of));
            }
        };
        let cell = self.cell(pool);
        consider(pool, cell);
        if cell.is_shared() {
            if self.parent(claimer) == Some(pool) {
                consider(claimer, self.cell(claimer));
            }
            self.look_at_children(pool, cell, consider);
        }
        Some(furthest)
            .filter(|(excess, _)| *excess > 0)
            .map(|(_, pool)| pool)
    }

    /// Looks at the next few children of a pool.
    fn look_at_children<'a>(
        &'a self,
        parent: PoolId,
        parent_cell: &Cell,
        mut look: impl FnMut(PoolId, &'a Cell),
    ) {
        let mut at = parent_cell.child_hand.load(Ordering::Relaxed);
        for _ in 0..LOOKS {
            // A child may have left, and its number have gone to another parent's: then begin with the first.
            let is_child = |at: &u32| {
                let cell = self.table.get(*at);
                cell.is_some_and(|cell| cell.parent() == Some(parent))
            };
            let first = || Some(parent_cell.first_child.load(Ordering::Relaxed)).filter(is_child);
            let Some(child) = Some(at).filter(is_child).or_else(first) else {
                break;
            };
            let cell = self.cell(PoolId(child));
            look(PoolId(child), cell);
            at = cell.next_sibling.load(Ordering::Relaxed);
        }
        parent_cell.child_hand.store(at, Ordering::Relaxed);
    }

    /// Takes a hint from a tenant's claim.
    #[inline]
    pub(super) fn note(&self, pool: PoolId, cell: &Cell, used: u64) {
        if pool != PoolId::ROOT && self.has_guarantees() {
            self.hint
                .offer(pool, used.saturating_sub(cell.guaranteed()));
        }
    }
}

/// Whether a cell is that of a tenant with bytes.
fn may_give(cell: &Cell) -> bool {
    cell.state() != State::Free && cell.parent().is_none() && cell.used() > 0
}

/// Whether a pool has entries of its own, as far as is known. Nobody marks stripes for the root.
fn has_entries(pool: PoolId, cell: &Cell) -> bool {
    if pool == PoolId::ROOT {
        cell.used() > 0
    } else {
        cell.next_stripe(0).is_some()
    }
}

/// The tenant that was last seen furthest above its share, and how far.
///
/// | bits | meaning |
/// |---|---|
/// | 43 .. 0 | KiB above the share, at most all ones |
/// | 63 .. 44 | the pool; 0 none |
#[derive(Debug)]
pub(super) struct Hint(AtomicU64);

impl Hint {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn pool(&self) -> u32 {
        (self.0.load(Ordering::Relaxed) >> KIB_BITS) as u32
    }

    fn set(&self, pool: PoolId, excess: u64) {
        let hint = u64::from(pool.0) << KIB_BITS | kib(excess);
        if self.0.load(Ordering::Relaxed) != hint {
            self.0.store(hint, Ordering::Relaxed);
        }
    }

    /// Takes what is an eighth larger than what it knew, so that a growing pool seldom writes.
    #[inline]
    fn offer(&self, pool: PoolId, excess: u64) {
        let known = self.0.load(Ordering::Relaxed) & KIB_MAX;
        if excess >> 10 > known + known / 8 {
            self.set(pool, excess);
        }
    }
}

fn kib(bytes: u64) -> u64 {
    (bytes >> 10).min(KIB_MAX)
}

/// Pools above their share that one call has met.
struct Candidates {
    all: [(u64, PoolId); LOOKS as usize + 3],
    n: usize,
}

impl Candidates {
    fn new() -> Self {
        Self {
            all: [(0, PoolId(NONE)); LOOKS as usize + 3],
            n: 0,
        }
    }

    fn consider(&mut self, pool: PoolId, excess: u64) {
        if excess > 0 && self.n < self.all.len() {
            self.all[self.n] = (excess, pool);
            self.n += 1;
        }
    }

    fn take_furthest(&mut self) -> Option<PoolId> {
        let furthest = (0..self.n).max_by_key(|&at| self.all[at].0)?;
        let (_, pool) = self.all[furthest];
        self.n -= 1;
        self.all.swap(furthest, self.n);
        Some(pool)
    }
}

/// Pools that one call looks at in turn; and children of a pool.
const LOOKS: u32 = 16;

const KIB_BITS: u32 = 44;
const KIB_MAX: u64 = (1 << KIB_BITS) - 1;
