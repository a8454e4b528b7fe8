//! What happened and what is there: causes of leaving, counters, snapshots.
//!
//! # Idea         writers count under the lock they hold anyway, look-ups in a table of their thread (module `tally`); a snapshot adds
//!   the stripes and the tables up
//! # Costs        a snapshot locks each stripe in turn, and nobody waits for the rest of it
//! # Invariants   counters never go down; `inserted = live_entries + replaced + left` once the cache is quiet, where
//!   `left` is the sum of the other causes; `hits + misses` are then the look-ups that have returned
//! # Not here     how look-ups are counted, who is counted for

use std::fmt;

use crate::tally::{self, Event};

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

impl fmt::Display for RemovalCause {
    /// One word, the same as in the labels of the feature `metrics`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Expired => "expired",
            Self::Evicted => "evicted",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
            Self::Invalidated => "invalidated",
        })
    }
}

/// Counters since the cache, or the part of it that they are of, was made, and what it holds at this moment.
///
/// Look-ups that count are `get`, `read`, `lookup`, each key of `get_many`, and what loads begin with; `peek`, `contains_key`,
/// `ttl` and `iter` don't. Of a key that can't be in a cache, a look-up is a miss.
///
/// # Examples
/// ```
/// let cache: larder::Cache<str> = larder::Cache::builder().max_bytes(1 << 20).build()?;
/// cache.insert("a", "1")?;
/// for key in ["a", "a", "b"] {
///     cache.get(key);
/// }
/// let stats = cache.stats();
/// assert_eq!((stats.hits, stats.misses(), stats.inserted), (2, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Look-ups that found a value.
    pub hits: u64,
    /// Of these, the stale values that `lookup` and loads gave.
    pub stale_hits: u64,
    /// Look-ups that found none.
    pub misses_absent: u64,
    /// Look-ups that found one which was still there, but whose deadline had passed.
    pub misses_expired: u64,
    /// Of the misses, the ones that were told that there is no value to be loaded.
    pub negative_hits: u64,
    /// Loaders that were called.
    pub loads: u64,
    /// Of these, the ones that failed.
    pub load_failures: u64,
    /// The time that loaders took in all, in nanoseconds.
    pub load_nanos: u64,
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
    /// Entries that were removed by `clear`, or ended with their scope; what had expired before that is counted as expired.
    pub invalidated: u64,
    /// Inserts that were refused.
    pub refused: u64,
    /// Panics of user code (listeners, drops of values) that were contained. Of the whole cache alone.
    pub panics: u64,
    /// Entries that are linked; expired ones count until their memory is taken back.
    pub live_entries: u64,
    /// Bytes charged for them.
    pub live_bytes: u64,
    /// Bytes of entries that have left and wait until no reader can be looking at them. Of the whole cache alone.
    pub garbage_bytes: u64,
    /// Bytes of the table, the timing wheel and the policy beyond what the entries' charges cover. Of the whole cache alone.
    pub structure_bytes: u64,
    /// Bytes of entries whose scope was invalidated and that are known to be unreachable; part of `live_bytes` until they are swept.
    /// Of the whole cache alone.
    pub unreachable_bytes: u64,
}

impl Stats {
    /// Look-ups that found no value.
    pub fn misses(&self) -> u64 {
        self.misses_absent + self.misses_expired
    }

    /// The share of look-ups that found a value, from 0 to 1; `None` before the first one.
    pub fn hit_ratio(&self) -> Option<f64> {
        let n_looked = self.hits + self.misses();
        (n_looked > 0).then(|| self.hits as f64 / n_looked as f64)
    }

    /// What was counted between an earlier snapshot and this one; what is there stays as of this one.
    ///
    /// # Examples
    /// ```
    /// let cache: larder::Cache<u64> = larder::Cache::builder().max_entries(100).build()?;
    /// cache.get("not yet");
    /// let then = cache.stats();
    /// cache.insert("key", 1)?;
    /// cache.get("key");
    /// let now = cache.stats();
    /// assert_eq!(now.hit_ratio(), Some(0.5));
    /// assert_eq!(now.since(&then).hit_ratio(), Some(1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Stats) -> Stats {
        let counted = |count: fn(&Stats) -> u64| count(self).saturating_sub(count(earlier));
        // Every field by name, so that a further one can't be forgotten.
        Stats {
            hits: counted(|stats| stats.hits),
            stale_hits: counted(|stats| stats.stale_hits),
            misses_absent: counted(|stats| stats.misses_absent),
            misses_expired: counted(|stats| stats.misses_expired),
            negative_hits: counted(|stats| stats.negative_hits),
            loads: counted(|stats| stats.loads),
            load_failures: counted(|stats| stats.load_failures),
            load_nanos: counted(|stats| stats.load_nanos),
            inserted: counted(|stats| stats.inserted),
            replaced: counted(|stats| stats.replaced),
            evicted: counted(|stats| stats.evicted),
            expired: counted(|stats| stats.expired),
            removed: counted(|stats| stats.removed),
            invalidated: counted(|stats| stats.invalidated),
            refused: counted(|stats| stats.refused),
            panics: counted(|stats| stats.panics),
            live_entries: self.live_entries,
            live_bytes: self.live_bytes,
            garbage_bytes: self.garbage_bytes,
            structure_bytes: self.structure_bytes,
            unreachable_bytes: self.unreachable_bytes,
        }
    }

    /// Adds what look-ups and loads came to.
    pub(crate) fn add_counts(&mut self, counts: &tally::Counts) {
        self.hits += counts.of(Event::Hit);
        self.stale_hits += counts.of(Event::Stale);
        self.misses_absent += counts.of(Event::Absent);
        self.misses_expired += counts.of(Event::Expired);
        self.negative_hits += counts.of(Event::Negative);
        self.loads += counts.of(Event::Load);
        self.load_failures += counts.of(Event::LoadFailure);
        self.load_nanos += counts.of(Event::LoadNanos);
    }
}

/// The counters of one stripe, under its lock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) inserted: u64,
    pub(crate) refused: u64,
    by_cause: [u64; N_CAUSES],
}

const N_CAUSES: usize = 5;

impl Counts {
    /// The numbers of changes in other counters: a cause has its own, and these follow.
    pub(crate) const INSERTED: usize = N_CAUSES;
    pub(crate) const REFUSED: usize = N_CAUSES + 1;

    /// Takes up what was counted by these numbers.
    pub(crate) fn of(changes: [u64; N_CAUSES + 2]) -> Self {
        Self {
            inserted: changes[Self::INSERTED],
            refused: changes[Self::REFUSED],
            by_cause: std::array::from_fn(|cause| changes[cause]),
        }
    }

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
