//! What a policy remembers of keys, made for a number of entries.
//!
//! # Idea         the tables hold nothing that others of another size could take over, so they are made apart from the policy that they are
//!   for, and go as they are. A policy without them learns from its residents alone
//! # Costs        making and dropping them: what the allocator asks for their memory, in proportion to the entries
//! # Invariants   none of its own
//! # Not here     what is learned; the clock

use super::ghosts::Ghosts;
use super::sketch::Sketch;
use super::tuning::{
    GHOSTS_FLOOR, GHOSTS_PER_ENTRY, LONG_FLOOR, LONG_HORIZON, LONG_PER_ENTRY, SKETCH_FLOOR,
};

/// See the module. By default, none: nothing is found in them, and nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(super) ghosts: Ghosts,
    pub(super) long: Ghosts,
    /// The long table keeps one key in two to the power of this.
    pub(super) long_rate_bits: u32,
    pub(super) sketch: Sketch,
}

impl Tables {
    pub(crate) fn for_entries(entries: usize) -> Tables {
        let part = |share: f32| (entries as f64 * f64::from(share)).ceil() as usize;
        let n_long = part(LONG_PER_ENTRY) + LONG_FLOOR;
        // The long table looks LONG_HORIZON capacities back; the fewer its records for that, the fewer of the keys it keeps.
        let wanted = entries as f32 * (LONG_HORIZON - GHOSTS_PER_ENTRY);
        Tables {
            ghosts: Ghosts::with_records(part(GHOSTS_PER_ENTRY) + GHOSTS_FLOOR),
            long: Ghosts::with_records(n_long),
            long_rate_bits: (wanted / n_long as f32).max(1.0).log2().ceil() as u32,
            sketch: Sketch::for_entries(entries + SKETCH_FLOOR),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ghosts.is_empty()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.ghosts.memory_bytes() + self.long.memory_bytes() + self.sketch.memory_bytes()
    }
}
