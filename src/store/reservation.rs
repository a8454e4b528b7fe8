//! What is set aside for an entry before it is built: bytes, or memory that was kept.

use super::{Cell, Store};
use crate::entry::{Husk, Probe};
use crate::error::Refusal;
use crate::hash::KeyHash;
use crate::stripe::{Claims, ENTRY_SHARE, Stripe, Write};

/// What is set aside for an entry which isn't built yet; given back if it never is.
pub(crate) struct Reservation<'s> {
    pub(super) store: &'s Store,
    pub(super) cell: &'s Cell,
    /// Claimed bytes.
    pub(super) bytes: u64,
    /// What the stripe's account holds of the husk.
    pub(super) reused: u64,
    pub(super) husk: Option<Husk>,
}

impl Store {
    /// Nothing, for an entry of this hash; the lines that its write begins with are asked for.
    #[inline(always)]
    pub(crate) fn reservation(&self, hash: KeyHash) -> Reservation<'_> {
        let cell = self.cell(hash);
        cell.front.table.prefetch_buckets(hash);
        Reservation {
            store: self,
            cell,
            bytes: 0,
            reused: 0,
            husk: None,
        }
    }
}

impl Reservation<'_> {
    /// Claims the bytes of a large entry before its memory is taken, so that the allocator never hands out more than the
    /// bound while the entry is built. Small ones are claimed when they're linked.
    #[inline(always)]
    pub(crate) fn reserve(
        &mut self,
        hash: KeyHash,
        probe: Probe<'_>,
        charge_bytes: u64,
        write: &Write<'_>,
    ) -> Result<(), Refusal> {
        let needed = charge_bytes.saturating_add(ENTRY_SHARE);
        if self.store.is_large(needed) {
            let (store, may_yield) = (self.store, write.may_yield());
            self.bytes = store.reserve_large(self.cell, hash, probe, needed, may_yield)?;
        } else if let Some(husk) = self.cell.shelf.take() {
            self.reused = husk.bytes();
            self.husk = Some(husk);
        }
        Ok(())
    }

    /// Memory for the entry, perhaps of another size.
    #[inline]
    pub(crate) fn take_husk(&mut self) -> Option<Husk> {
        self.husk.take()
    }

    /// Hands all of it over to the stripe's account.
    #[inline]
    pub(super) fn settle(&mut self, stripe: &mut Stripe) {
        if self.bytes | self.reused > 0 {
            let (bytes, entries) = (std::mem::take(&mut self.bytes), 0);
            stripe.receive(Claims { bytes, entries });
            stripe.reuse(std::mem::take(&mut self.reused));
        }
    }
}

impl Reservation<'_> {
    #[cold]
    #[inline(never)]
    fn give_up(&mut self) {
        if self.bytes > 0 {
            self.store.ground.bytes.give_back(self.bytes);
        }
        if self.reused > 0 {
            drop(self.husk.take());
            self.cell.back.lock().reuse(self.reused);
        }
    }
}

impl Drop for Reservation<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.bytes | self.reused > 0 {
            self.give_up();
        }
    }
}
