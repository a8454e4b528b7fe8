//! The newest entries in the order of their coming, each of which is a candidate for leaving once: when its grace is over.
//!
//! # Idea         a ring of places, as long as the grace: whose place is written over has had its grace. Where most newcomers
//!   aren't used again, they are the best victims; samples alone find them when every twentieth entry is one of them
//! # Costs        a load and a store an insert; a place for every hundredth entry
//! # Invariants   W1 the ring holds the last places in turn, no more of them than the grace has inserts
//! # Not here     what a place is; who leaves: they compete with the candidates that samples bring

/// The newest share of the entries that is spared: one in this many.
const GRACE_SHARE: usize = 100;

/// See the module.
#[derive(Debug)]
pub(crate) struct Newcomers<P> {
    ring: Vec<P>,
    /// Where the oldest stands, once the ring is full.
    oldest: usize,
    grace: usize,
}

impl<P> Newcomers<P> {
    /// Before the first eviction: remembers none.
    pub(crate) fn new() -> Newcomers<P> {
        Newcomers {
            ring: Vec::new(),
            oldest: 0,
            grace: 0,
        }
    }

    /// For a stripe of so many entries. Those that were there are forgotten.
    pub(crate) fn for_entries(entries: usize) -> Newcomers<P> {
        let grace = entries.div_ceil(GRACE_SHARE);
        Newcomers {
            ring: Vec::with_capacity(grace),
            oldest: 0,
            grace,
        }
    }

    /// Inserts that a newcomer stays for; 0 until the stripe was full for the first time.
    pub(crate) fn grace(&self) -> usize {
        self.grace
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.ring.capacity() * size_of::<P>()
    }

    /// Forgets all places.
    pub(crate) fn clear(&mut self) {
        self.ring.clear();
        self.oldest = 0;
    }

    /// The place of the one whose grace ends with the next that comes.
    #[inline]
    pub(crate) fn next(&self) -> Option<&P> {
        self.ring.get(self.oldest)
    }

    /// An entry was linked: the place of the one whose grace ends by that.
    #[inline]
    pub(crate) fn come(&mut self, place: P) -> Option<P> {
        if self.ring.len() < self.grace {
            self.ring.push(place);
            return None;
        }
        let at = self.oldest;
        // Where nothing is to be remembered, the ring is empty.
        let oldest = self.ring.get_mut(at)?;
        self.oldest = if at + 1 < self.grace { at + 1 } else { 0 };
        Some(std::mem::replace(oldest, place))
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_in_turn_when_its_grace_is_over() {
        let mut newcomers = Newcomers::for_entries(450);
        assert_eq!(newcomers.grace(), 5);
        let bytes = newcomers.memory_bytes();
        assert!((5 * 4..=8 * 4).contains(&bytes), "{bytes}");
        for n in 0..40u32 {
            let next = newcomers.next().copied();
            assert_eq!(next, (n > 0).then(|| n.saturating_sub(5)), "before {n}");
            let told = newcomers.come(n);
            assert_eq!(told, n.checked_sub(5), "W1 at {n}");
        }
        newcomers.clear();
        for n in 40..60 {
            let told = newcomers.come(n);
            assert_eq!(told, (n >= 45).then(|| n - 5), "cleared, {n}");
        }
        assert_eq!(newcomers.memory_bytes(), bytes);
    }

    #[test]
    fn before_the_stripe_was_full_none_is_told() {
        let mut newcomers = Newcomers::new();
        assert!((0..9u64).all(|n| newcomers.come(n).is_none()));
        assert_eq!((newcomers.grace(), newcomers.memory_bytes()), (0, 0));
    }
}
