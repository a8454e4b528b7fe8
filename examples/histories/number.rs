//! The numbers that stand for values.
//!
//! # Idea         a number says how its value came about: a write, and what was added to it since. In the sum of the increments each has
//!   a bit of its own; what was appended stands in a row
//! # Invariants   No two writes of a history that take effect leave the same number.

/// A value: which write of the history it comes from, and what has been added to it since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Number {
    sum: u32,
    /// The write, and behind it those that were appended, in their order; zero is none.
    writes: [u8; 1 + APPENDS_MAX],
}

impl Number {
    /// What the n-th write of a history writes.
    pub(crate) fn of_write(n: u32) -> Number {
        let mut writes = [0; 1 + APPENDS_MAX];
        writes[0] = n as u8;
        Number { sum: 0, writes }
    }

    /// What the n-th increment of a history adds.
    pub(crate) fn increment(n: u32) -> u32 {
        1 << n
    }

    pub(crate) fn plus(self, by: u32) -> Option<Number> {
        let sum = self.sum.checked_add(by)?;
        Some(Number { sum, ..self })
    }

    pub(crate) fn minus(self, by: u32) -> Option<Number> {
        let sum = self.sum.checked_sub(by)?;
        Some(Number { sum, ..self })
    }

    /// With what another write writes behind it.
    pub(crate) fn joined(self, more: Number) -> Number {
        let mut writes = self.writes;
        // More than there can be comes out as a number that nothing explains.
        writes[self.writes().count().min(APPENDS_MAX)] = more.writes[0];
        Number { writes, ..self }
    }

    /// What it was before that was appended.
    pub(crate) fn without(self, more: Number) -> Option<Number> {
        let last = self.writes().count().checked_sub(1)?;
        let mut writes = self.writes;
        writes[last] = 0;
        let before = Number { writes, ..self };
        (last > 0 && before.joined(more) == self).then_some(before)
    }

    pub(crate) fn write(self) -> u32 {
        self.writes[0].into()
    }

    /// All writes that it was joined from, in their order.
    pub(crate) fn writes(self) -> impl Iterator<Item = u8> {
        self.writes.into_iter().take_while(|write| *write > 0)
    }

    /// What all increments since have added.
    pub(crate) fn sum(self) -> u32 {
        self.sum
    }

    /// Whether the predicates of `RemoveIf`, `Retain` and `Compute` want it gone: those of every other write.
    pub(crate) fn is_unwanted(self) -> bool {
        self.write() % 2 == 1
    }
}

/// A history has at most so many increments.
pub(crate) const INCREMENTS_MAX: u32 = 20;

/// A history has at most so many calls that append.
pub(crate) const APPENDS_MAX: usize = 7;
