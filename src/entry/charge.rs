//! What an entry is charged, in two bytes.

/// Charges are kept in units of this many bytes, which every block's size is a multiple of.
const UNIT: u64 = 16;
const DIGITS: u32 = 11;

/// A number of bytes: 11 binary digits of 16-byte units, and how far they're shifted. Exact below 32 KiB; above, rounded up by less than
/// a thousandth, so that what is charged is never less than what is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Charge(u16);

impl Charge {
    /// The least charge of so many bytes at least; `None` above 2^46.
    #[inline]
    pub(super) fn of_bytes(bytes: u64) -> Option<Charge> {
        Self::with_bytes(bytes).map(|(charge, _)| charge)
    }

    /// The same, and what it says.
    #[inline(always)]
    pub(super) fn with_bytes(bytes: u64) -> Option<(Charge, u64)> {
        let units = bytes.div_ceil(UNIT);
        if units < 1 << DIGITS {
            return Some((Charge(units as u16), units * UNIT));
        }
        Self::rounded(units).map(|charge| (charge, charge.bytes()))
    }

    fn rounded(units: u64) -> Option<Charge> {
        let mut shift = u64::BITS - units.leading_zeros() - DIGITS;
        let mut digits = units.div_ceil(1 << shift);
        if digits == 1 << DIGITS {
            digits >>= 1;
            shift += 1;
        }
        (shift < 1 << (u16::BITS - DIGITS))
            .then_some(Charge(digits as u16 | (shift as u16) << DIGITS))
    }

    #[inline(always)]
    pub(super) fn bytes(self) -> u64 {
        let digits = u64::from(self.0 & ((1 << DIGITS) - 1));
        (digits * UNIT) << (self.0 >> DIGITS)
    }
}

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
