//! A tenant's rates: operations and bytes in a time, admitted together or not at all, by many threads at once.
//!
//! # Idea
//! A meter (module `gcra`) under a small lock, the desk, is the truth. A tenant that is busy doesn't visit it for every
//! request: who comes by leaves there two leases, of half of what is left each, in two words that threads take from by
//! compare-and-swap, those with even numbers from one and the others from the other; and when threads crowd at these words,
//! each takes a part of what is left along, in a cell on a line of its own. What is
//! lent counts as used until it comes back, so nothing that happens to leases can break the limit. Leases end
//! with their period, 32 ms or a sixteenth of what the burst takes to fill; before somebody is refused, all are called in.
//!
//! ```text
//! admit -> a home, or the thread's cell (operations left | bytes left) one compare-and-swap, the coarse clock
//!       -> desk: lock { meter, which leases are out }                  when the lease is used up or over
//!       -> board: the meter as readers see it, no lock                 while the tenant is at its limit: refusals
//! ```
//!
//! # Costs
//! - No limit set: one load and a branch.
//! - From a lease: a reading of the coarse clock and a compare-and-swap, on one line that threads of the other home write once a period.
//!   In periods of less than 16 ms, the exact clock.
//! - At the desk: the lock, a reading of the exact clock, and one more if anything was lent, the meter's arithmetic: about 400 instructions.
//! - A refusal: a reading of the exact clock, and twelve words of the board; nothing is written. Only the refusal with which
//!   a tenant comes to its limit calls in and shows, until an eighth of its burst is there again.
//! - Memory: some 300 bytes; once the tenant was at its limit, 104 more for the board; once threads have crowded, 128 more for each of its
//!   cells, of which there are twice as many as cores, and at least 4.
//!
//! # Invariants
//! - LI1 Over every window, what is admitted is at most burst + rate x length, by the times at which it was admitted. This
//!   relies on the coarse clock being at most 64 ms behind, as deadlines do (module `clock`, C2).
//! - LI2 Both dimensions change together or not at all.
//! - LI3 A refusal is by the meter alone, with no lease outstanding; its wait is exact (module `gcra`, G2).
//! - LI4 A tenant is refused early by at most what it was admitted in one period and the coarse clock's lag: what was used
//!   on loan sinks from the period's end on. With a clock of the user's there are no leases, and the meter is exact.
//! - LI5 Leases are filled and called in under the desk's lock only; takers and the one who calls in go by one atomic
//!   operation on the lease's word, so a token is used or comes back, never both.
//!
//! # Not here
//! Whose rates these are, keyed limits (module `limiter`), memory shares.

mod board;
mod cells;
#[cfg(not(engine_loom))]
mod desk;
#[cfg(not(engine_loom))]
mod direct;
#[cfg(not(engine_loom))]
mod home;
#[cfg(not(engine_loom))]
mod rates;
#[cfg(not(engine_loom))]
mod tenant;
#[cfg(not(engine_loom))]
mod terms;
#[cfg(not(engine_loom))]
mod watch;

#[cfg(engine_loom)]
pub(crate) use self::board::Board;
#[cfg(engine_loom)]
pub(crate) use self::cells::{Cell, Taken};
#[cfg(not(engine_loom))]
pub use self::direct::{RateLimiter, Tab};
#[cfg(not(engine_loom))]
pub(crate) use self::home::APART;
#[cfg(not(engine_loom))]
pub use self::rates::{LimitExceeded, Metered, Rate, Rates};
#[cfg(not(engine_loom))]
pub(crate) use self::tenant::{Limits, OpenTab};

#[cfg(test)]
#[cfg(not(engine_loom))]
mod tests;
