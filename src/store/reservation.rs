//! What is set aside for an entry before it is built: bytes, or memory that was kept.

use super::{Cell, Store};
use crate::entry::Husk;
use crate::stripe::{Claims, Stripe};
use crate::sync::atomic::Ordering;

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

impl Reservation<'_> {
    /// Memory for the entry, perhaps of another size.
    #[inline]
    pub(crate) fn take_husk(&mut self) -> Option<Husk> {
        self.husk.take()
    }

    /// Hands all of it over to the stripe's account.
    #[inline]
    pub(super) fn settle(&mut self, stripe: &mut Stripe) {
        let (bytes, entries) = (std::mem::take(&mut self.bytes), 0);
        stripe.receive(Claims { bytes, entries });
        stripe.reuse(std::mem::take(&mut self.reused));
    }
}

impl Reservation<'_> {
    #[cold]
    fn give_up(&mut self) {
        if self.bytes > 0 {
            self.store.bytes.give_back(self.bytes);
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

impl Cell {
    /// Memory for the stripe's next block, if any is kept.
    #[inline]
    pub(super) fn pop_husk(&self) -> Option<Husk> {
        if !self.has_husks.load(Ordering::Relaxed) {
            return None;
        }
        let mut husks = self.husks.lock();
        let husk = husks.pop();
        if husks.len() == 0 {
            self.has_husks.store(false, Ordering::Relaxed);
        }
        husk
    }
}
