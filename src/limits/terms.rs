//! The word that an admission looks at first: what holds of a tenant, and when the leases that are out end.
//!
//! # Idea         five flags in the lowest bits, a time on the coarse clock's line above them, so that one load tells all
//! # Costs        a few bit operations; whether leases are over: a reading of the coarse clock, or of the exact one in short periods
//! # Invariants   LE1 the flags cut at most 31 ns off an end, and add nothing
//! # Not here     who changes the word, the leases
//!
//! | bits | |
//! |---|---|
//! | 5 to 63 | the end, in steps of 32 ns; zero: nothing was lent yet |
//! | 4 to 0 | `BY_EXACT`, `SPREAD`, `TIGHT`, `FREE_BYTES`, `OPEN` |

use super::desk::Desk;
use super::watch::Watch;

/// Neither dimension is limited.
pub(super) const OPEN: u64 = 1;
/// Bytes aren't limited.
pub(super) const FREE_BYTES: u64 = 1 << 1;
/// The tenant is at its limit: the board shows the meter.
pub(super) const TIGHT: u64 = 1 << 2;
/// Leases are in the threads' own cells.
pub(super) const SPREAD: u64 = 1 << 3;
/// The end of leases is watched by the exact clock.
const BY_EXACT: u64 = 1 << 4;

/// All of these; what is left of a word of terms is a time, in steps of 32 ns.
pub(super) const FLAGS: u64 = OPEN | FREE_BYTES | TIGHT | SPREAD | BY_EXACT;

/// With one of these, what most tenants do isn't all there is to do.
pub(super) const SELDOM: u64 = TIGHT | SPREAD | BY_EXACT;

/// Whether the leases that are out by these terms aren't over.
#[inline(always)]
pub(super) fn is_in_force(terms: u64, watch: &impl Watch) -> bool {
    if terms & BY_EXACT != 0 {
        return is_in_force_exactly(terms, watch);
    }
    is_in_force_coarsely(terms, watch)
}

/// The same of leases that the coarse clock ends.
#[inline(always)]
pub(super) fn is_in_force_coarsely(terms: u64, watch: &impl Watch) -> bool {
    watch.coarse() < terms & !FLAGS
}

#[cold]
#[inline(never)]
fn is_in_force_exactly(terms: u64, watch: &impl Watch) -> bool {
    watch.coarse_line(watch.exact()) < terms & !FLAGS
}

/// What the desk says of itself.
pub(super) fn flags(desk: &Desk) -> u64 {
    let [ops, bytes] = desk.paces().map(|pace| pace.is_unlimited());
    let flag = |is_set: bool, flag: u64| if is_set { flag } else { 0 };
    flag(ops && bytes, OPEN)
        | flag(bytes, FREE_BYTES)
        | flag(desk.is_tight(), TIGHT)
        | flag(desk.is_spread(), SPREAD)
        | flag(!desk.is_coarse(), BY_EXACT)
}
