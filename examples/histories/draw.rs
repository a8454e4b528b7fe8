//! Chance that repeats itself.

/// Numbers from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) const fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number below that one, which is small and above zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The high half, scaled: `bound` is small, so that what is unequal in it doesn't matter.
        ((self.next() >> 32) * bound) >> 32
    }

    /// One of those.
    pub(crate) fn of<T: Copy>(&mut self, each: &[T]) -> T {
        each[self.below(each.len() as u64) as usize]
    }
}
