//! What happened at the further level, in numbers.

use std::fmt;

use crate::cache::MissReason;
use crate::sync::atomic::{AtomicU64, Ordering};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of a further level since its [`Levels`](super::Levels) were made; those of the cache are the cache's own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct LevelStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Default)]
        pub(super) struct Counts {
            $(pub(super) $name: Count,)*
        }

        impl Counts {
            pub(super) fn snapshot(&self) -> LevelStats {
                LevelStats { $($name: self.$name.get(),)* }
            }
        }
    };
}

counts! {
    /// Look-ups that it answered with a record.
    hits,
    /// Look-ups that it had nothing for.
    misses_absent,
    /// Look-ups that it answered with a record that is due.
    misses_expired,
    /// Look-ups that weren't answered in time, those included that waited for another caller.
    misses_timeout,
    /// Look-ups when it couldn't be reached, or failed.
    misses_unavailable,
    /// Look-ups that it answered with what is no record of the key.
    misses_corrupt,
    /// Records that were of a scope that has ended, and count as absent.
    ended,
    /// Answers that came after their time, and were dropped.
    late,
    /// Records stored.
    puts,
    /// Values that were too large for it.
    too_large,
    /// Deletions done for removals.
    deletes,
    /// Scopes ended.
    purges,
    /// Stores, deletions and ends of scopes that failed.
    write_errors,
    /// Deletions and ends of scopes that were made up for, before a key was read or written again.
    repaired,
}

/// One counter.
#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(super) fn miss(&self, reason: MissReason) {
        let count = match reason {
            MissReason::Absent => &self.misses_absent,
            MissReason::Expired => &self.misses_expired,
            MissReason::Timeout => &self.misses_timeout,
            MissReason::Unavailable => &self.misses_unavailable,
            MissReason::Corrupt => &self.misses_corrupt,
        };
        count.add();
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.snapshot().fmt(f)
    }
}
