//! What holds for a store between any two operations, for tests of the whole cache.

use super::*;

impl Store {
    /// Checks every stripe, and that the shared counters are the sums of what stripes claim; O(everything). Only while no thread is
    /// inside an operation.
    pub(crate) fn validate(&self) {
        let (mut bytes, mut entries) = (0, 0);
        for cell in &self.cells {
            assert_eq!(cell.in_flight.load(Ordering::Relaxed), 0);
            let env = self.env(cell);
            let mut stripe = cell.back.lock();
            let kept = cell.shelf.bytes() + stripe.husks().bytes();
            let claims = stripe.validate(&env, kept);
            bytes += claims.bytes;
            entries += claims.entries;
        }
        assert_eq!(self.ground.bytes.used(), bytes, "claims of bytes");
        assert_eq!(self.ground.entries.used(), entries, "claims of entries");
    }

    /// All claims of bytes, and of entries, at this moment.
    pub(crate) fn claimed(&self) -> (u64, u64) {
        (self.ground.bytes.used(), self.ground.entries.used())
    }
}
