//! What happened and what is there: causes of leaving, counters, snapshots.
//!
//! # Idea         writers count under the lock they hold anyway; a snapshot adds the stripes up
//! # Costs        nothing on a hit; a snapshot locks each stripe in turn
//! # Invariants   counters never go down; `inserted = live_entries + replaced + left` once the cache is quiet, where
//!   `left` is the sum of the other causes
//! # Not here     hits and misses, which a hit would have to write somewhere

/// Why a value left the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RemovalCause {
    /// Its deadline was reached: time to live, or time to idle.
    Expired,
    /// It made room for another.
    Evicted,
    /// A newer value of its key took its place.
    Replaced,
    /// It was removed by its key, or by a predicate.
    Removed,
    /// All entries were removed at once.
    Invalidated,
}

/// Counters since the cache was built, and what it holds at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Values that came in, over new and present keys.
    pub inserted: u64,
    /// Values that a newer one of their key took the place of.
    pub replaced: u64,
    /// Entries that made room for others.
    pub evicted: u64,
    /// Entries whose deadline was reached.
    pub expired: u64,
    /// Entries that were removed by key or predicate.
    pub removed: u64,
    /// Entries that were removed by `clear`.
    pub invalidated: u64,
    /// Inserts that were refused.
    pub refused: u64,
    /// Panics of user code (listeners, drops of values) that were contained.
    pub panics: u64,
    /// Entries that are linked; expired ones count until their memory is taken back.
    pub live_entries: u64,
    /// Bytes charged for them.
    pub live_bytes: u64,
    /// Bytes of entries that have left and wait until no reader can be looking at them.
    pub garbage_bytes: u64,
    /// Bytes of the table, the timing wheel and the policy beyond what the entries' charges cover.
    pub structure_bytes: u64,
    /// Bytes of entries whose scope was invalidated and that are known to be unreachable; part of `live_bytes` until they are swept.
    pub unreachable_bytes: u64,
}

/// The counters of one stripe, under its lock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) inserted: u64,
    pub(crate) refused: u64,
    by_cause: [u64; 5],
}

impl Counts {
    pub(crate) fn count(&mut self, cause: RemovalCause) {
        self.by_cause[cause as usize] += 1;
    }

    /// Adds these counters to a snapshot.
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        stats.inserted += self.inserted;
        stats.refused += self.refused;
        let of = |cause: RemovalCause| self.by_cause[cause as usize];
        stats.expired += of(RemovalCause::Expired);
        stats.evicted += of(RemovalCause::Evicted);
        stats.replaced += of(RemovalCause::Replaced);
        stats.removed += of(RemovalCause::Removed);
        stats.invalidated += of(RemovalCause::Invalidated);
    }
}
