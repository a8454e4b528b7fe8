//! What is set aside for an entry before it is built: bytes, or memory that was kept.

use super::{Cell, Store};
use crate::entry::{Husk, Probe};
use crate::error::Refusal;
use crate::hash::KeyHash;
use crate::stripe::{Claims, Stripe, Write};

/// What is set aside for an entry which isn't built yet; given back if it never is.
pub(crate) struct Reservation<'s> {
    pub(super) store: &'s Store,
    pub(super) cell: &'s Cell,
    /// Claimed bytes.
    pub(super) bytes: u64,
    /// What the stripe's account holds of the husk that was taken; whose memory ends before this.
    pub(super) reused: u64,
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
        }
    }
}

impl Reservation<'_> {
    /// Claims the bytes of a large entry before its memory is taken, so that the allocator never hands out more than the
    /// bound while the entry is built. Small ones are claimed when they're linked, and may get memory that was kept, perhaps of another
    /// size.
    #[inline(always)]
    pub(crate) fn reserve(
        &mut self,
        hash: KeyHash,
        probe: Probe<'_>,
        needed: u64,
        write: &Write<'_>,
    ) -> Result<Option<Husk>, Refusal> {
        if self.store.is_large(needed) {
            let store = self.store;
            self.bytes = store.reserve_large(self.cell, hash, probe, needed, write)?;
            Ok(None)
        } else {
            Ok(self.reserve_small())
        }
    }

    /// The same for an entry that isn't large.
    #[inline(always)]
    pub(crate) fn reserve_small(&mut self) -> Option<Husk> {
        let husk = self.cell.shelf.take()?;
        self.reused = husk.bytes();
        Some(husk)
    }

    /// Hands all of it over to the stripe's account.
    #[inline(always)]
    pub(super) fn settle(&mut self, stripe: &mut Stripe) {
        if self.bytes | self.reused > 0 {
            let (bytes, entries) = (std::mem::take(&mut self.bytes), 0);
            stripe.receive(Claims { bytes, entries });
            stripe.reuse(std::mem::take(&mut self.reused));
        }
    }
}

/// Gives back what was set aside. By its parts, so that a reservation that comes through lies in registers.
#[cold]
#[inline(never)]
fn give_up(store: &Store, cell: &Cell, bytes: u64, reused: u64) {
    if bytes > 0 {
        store.ground.bytes.give_back(bytes);
    }
    if reused > 0 {
        cell.back.lock().reuse(reused);
    }
}

impl Drop for Reservation<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.bytes | self.reused > 0 {
            give_up(self.store, self.cell, self.bytes, self.reused);
        }
    }
}
