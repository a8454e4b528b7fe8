//! Making, changing and removing pools: one at a time, under a lock that nothing else is done under.

use std::collections::VecDeque;

use super::cell::{Cell, NONE, State};
use super::{POOL_MAX, PoolId, ShareError, Shares};
use crate::sync::atomic::{AtomicU32, Ordering};

/// What the administration keeps under its lock, beside what is in the cells.
#[derive(Debug)]
pub(super) struct Admin {
    capacity: u64,
    /// Numbers that can be given again.
    free: Vec<u32>,
    /// Pools that were removed, until their bytes are gone.
    leaving: VecDeque<u32>,
}

impl Admin {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            free: Vec::new(),
            leaving: VecDeque::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn memory_bytes(&self) -> usize {
        (self.free.capacity() + self.leaving.capacity()) * size_of::<u32>()
    }
}

impl Shares {
    /// Adds a pool: a tenant, or a child of one. `max` bounds it from the first claim on.
    ///
    /// # Errors
    /// All of [`ShareError`] but `HasChildren`; `NoSuchPool` is said of the parent.
    pub(crate) fn add(
        &self,
        parent: Option<PoolId>,
        guaranteed: u64,
        max: u64,
    ) -> Result<PoolId, ShareError> {
        let admin = &mut *self.admin.lock();
        let parent = parent.map(|parent| self.live(parent)).transpose()?;
        if parent.is_some_and(|(_, cell)| cell.parent().is_some()) {
            return Err(ShareError::TooDeep);
        }
        let sum = self.check(admin, parent.map(|(_, cell)| cell), 0, guaranteed, max)?;
        let number = self.claim_number(admin)?;
        let cell = self.cell(PoolId(number));
        cell.changes.reset();
        cell.set_guaranteed(guaranteed);
        cell.bytes.set_max(max);
        cell.entries.set_max(u64::MAX);
        if let Some((parent, parent_cell)) = parent {
            self.adopt(parent, parent_cell, number, cell);
        }
        cell.set_state(State::Live);
        self.set_sum(parent.map(|(_, cell)| cell), sum);
        add(&self.n_pools, 1);
        Ok(PoolId(number))
    }

    /// Changes what a pool is guaranteed, and may take at most. Bytes above a lowered maximum stay until they're evicted
    /// (see [`Shares::excess`]).
    ///
    /// # Errors
    /// `AboveMax`, `AboveCapacity`, `AboveParent` (of either side), `NoSuchPool`.
    pub(crate) fn set(&self, pool: PoolId, guaranteed: u64, max: u64) -> Result<(), ShareError> {
        let admin = &mut *self.admin.lock();
        let (_, cell) = self.live(pool)?;
        let to_children = cell.guaranteed_to_children.load(Ordering::Relaxed);
        if to_children > guaranteed {
            return Err(ShareError::AboveParent {
                guaranteed: to_children,
                parent: guaranteed,
            });
        }
        let parent = cell.parent().map(|parent| self.cell(parent));
        let sum = self.check(admin, parent, cell.guaranteed(), guaranteed, max)?;
        cell.set_guaranteed(guaranteed);
        cell.bytes.set_max(max);
        self.set_sum(parent, sum);
        Ok(())
    }

    /// Bounds the number of a pool's entries, those of its children included. Those above stay until they're evicted.
    ///
    /// # Errors
    /// `NoSuchPool`.
    pub(crate) fn set_max_entries(&self, pool: PoolId, max: u64) -> Result<(), ShareError> {
        let _admin = self.admin.lock();
        let (_, cell) = self.live(pool)?;
        cell.entries.set_max(max);
        Ok(())
    }

    /// Removes a pool: nothing is guaranteed to it from here on, and it can claim nothing. Its number is given again once
    /// its bytes and holders are gone.
    ///
    /// # Errors
    /// `HasChildren`, `NoSuchPool`.
    pub(crate) fn remove(&self, pool: PoolId) -> Result<(), ShareError> {
        let admin = &mut *self.admin.lock();
        let (number, cell) = self.live(pool)?;
        if cell.n_children.load(Ordering::Relaxed) > 0 {
            return Err(ShareError::HasChildren);
        }
        let parent = cell.parent().map(|parent| self.cell(parent));
        let sum = self.sum(parent) - cell.guaranteed();
        cell.set_guaranteed(0);
        cell.bytes.set_max(0);
        cell.set_state(State::Leaving);
        if let Some(parent) = parent {
            sub(&parent.n_children, 1);
        }
        self.set_sum(parent, sum);
        admin.leaving.push_back(number);
        self.recycle(admin);
        Ok(())
    }

    /// Follows a new capacity of the cache.
    ///
    /// # Errors
    /// `AboveCapacity`: more than that is guaranteed.
    pub(crate) fn set_capacity(&self, capacity: u64) -> Result<(), ShareError> {
        let mut admin = self.admin.lock();
        let guaranteed = self.sum(None);
        if guaranteed > capacity {
            return Err(ShareError::AboveCapacity {
                guaranteed,
                capacity,
            });
        }
        admin.capacity = capacity;
        Ok(())
    }

    /// The cell of a pool that can be changed.
    fn live(&self, pool: PoolId) -> Result<(u32, &Cell), ShareError> {
        let cell = self.table.get(pool.0).filter(|_| pool != PoolId::ROOT);
        let live = cell.filter(|cell| cell.state() == State::Live);
        live.map(|cell| (pool.0, cell))
            .ok_or(ShareError::NoSuchPool)
    }

    /// The sum of guarantees after one of them has changed, if S3 allows it.
    fn check(
        &self,
        admin: &Admin,
        parent: Option<&Cell>,
        guaranteed_before: u64,
        guaranteed: u64,
        max: u64,
    ) -> Result<u64, ShareError> {
        if guaranteed > max {
            return Err(ShareError::AboveMax { guaranteed, max });
        }
        let sum = (self.sum(parent) - guaranteed_before).saturating_add(guaranteed);
        match parent.map(Cell::guaranteed) {
            Some(parent) if sum > parent => Err(ShareError::AboveParent {
                guaranteed: sum,
                parent,
            }),
            None if sum > admin.capacity => Err(ShareError::AboveCapacity {
                guaranteed: sum,
                capacity: admin.capacity,
            }),
            _ => Ok(sum),
        }
    }

    /// The guarantees of a parent's children, or of all tenants.
    fn sum(&self, parent: Option<&Cell>) -> u64 {
        let sum = parent.map_or(&self.guaranteed, |cell| &cell.guaranteed_to_children);
        sum.load(Ordering::Relaxed)
    }

    fn set_sum(&self, parent: Option<&Cell>, sum: u64) {
        let at = parent.map_or(&self.guaranteed, |cell| &cell.guaranteed_to_children);
        at.store(sum, Ordering::Relaxed);
    }

    /// A number for a new pool: one that is free again, or the next.
    fn claim_number(&self, admin: &mut Admin) -> Result<u32, ShareError> {
        self.recycle(admin);
        if let Some(number) = admin.free.pop() {
            return Ok(number);
        }
        let next = self.numbers_end.load(Ordering::Relaxed);
        if next > POOL_MAX {
            return Err(ShareError::TooMany);
        }
        self.table.make_room(next);
        self.numbers_end.store(next + 1, Ordering::Relaxed);
        Ok(next)
    }

    /// Looks at a few of the pools that are leaving, and frees the numbers of those that have left.
    fn recycle(&self, admin: &mut Admin) {
        for _ in 0..admin.leaving.len().min(RECYCLE_MAX) {
            let Some(number) = admin.leaving.pop_front() else {
                return;
            };
            let cell = self.cell(PoolId(number));
            // Acquire pairs with the release in `let_go`.
            let is_held = cell.n_holders.load(Ordering::Acquire) > 0;
            // A child counts in its parent's bytes, but may be in its list when they're gone.
            let has_children = cell.first_child.load(Ordering::Relaxed) != NONE;
            let has_entries = cell.next_stripe(0).is_some();
            if is_held || has_children || has_entries || cell.used() > 0 {
                admin.leaving.push_back(number);
                continue;
            }
            self.disown(cell);
            debug_assert_eq!(
                cell.entries.used(),
                0,
                "S5: entries are given back before their bytes"
            );
            cell.set_state(State::Free);
            sub(&self.n_pools, 1);
            admin.free.push(number);
        }
        if admin.free.len() <= admin.free.capacity() / 4 {
            admin.free.shrink_to(2 * admin.free.len());
        }
    }

    /// Links a new child in front of its siblings.
    fn adopt(&self, parent: u32, parent_cell: &Cell, number: u32, cell: &Cell) {
        let next = parent_cell.first_child.load(Ordering::Relaxed);
        cell.parent.store(parent, Ordering::Relaxed);
        cell.next_sibling.store(next, Ordering::Relaxed);
        cell.prev_sibling.store(NONE, Ordering::Relaxed);
        if next != NONE {
            let next = self.cell(PoolId(next));
            next.prev_sibling.store(number, Ordering::Relaxed);
        }
        parent_cell.first_child.store(number, Ordering::Relaxed);
        add(&parent_cell.n_children, 1);
    }

    /// Unlinks a child that has left.
    fn disown(&self, cell: &Cell) {
        let Some(parent) = cell.parent() else { return };
        let next = cell.next_sibling.load(Ordering::Relaxed);
        let prev = cell.prev_sibling.load(Ordering::Relaxed);
        let to_here = if prev == NONE {
            &self.cell(parent).first_child
        } else {
            &self.cell(PoolId(prev)).next_sibling
        };
        to_here.store(next, Ordering::Relaxed);
        if next != NONE {
            let next = self.cell(PoolId(next));
            next.prev_sibling.store(prev, Ordering::Relaxed);
        }
        for at in [&cell.parent, &cell.next_sibling, &cell.prev_sibling] {
            at.store(NONE, Ordering::Relaxed);
        }
    }
}

/// Adds to a number that the administration alone writes.
fn add(to: &AtomicU32, n: u32) {
    to.store(to.load(Ordering::Relaxed) + n, Ordering::Relaxed);
}

fn sub(from: &AtomicU32, n: u32) {
    from.store(from.load(Ordering::Relaxed) - n, Ordering::Relaxed);
}

/// Pools that are leaving and looked at in one call.
const RECYCLE_MAX: usize = 16;
