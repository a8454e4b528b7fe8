//! What happened at the further level, in numbers.

use std::fmt;

use super::LevelError;
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
    /// Of these, records that are whole, and that another codec wrote or this one refused.
    undecodable,
    /// Records that were of a scope that has ended, and count as absent.
    ended,
    /// Answers that came after their time, and were dropped.
    late,
    /// Records stored.
    puts,
    /// Values that were loaded and not stored, since somebody else had written the key meanwhile.
    overtaken,
    /// Values that were too large for it.
    too_large,
    /// Values that their codec refused to write.
    unencodable,
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

    /// Counts a value that the level doesn't take.
    pub(super) fn not_taken(&self, error: LevelError) {
        let count = match error {
            LevelError::Unencodable => &self.unencodable,
            _ => &self.too_large,
        };
        count.add();
    }
}

#[cfg(feature = "metrics")]
impl LevelStats {
    /// Gives these figures to the recorder of the `metrics` crate, each with `labels`.
    ///
    /// | name | kind | what |
    /// |---|---|---|
    /// | `larder_level_hits_total` | counter | look-ups that the level answered with a record |
    /// | `larder_level_misses_total` with `reason` = `absent`, `expired`, `timeout`, `unavailable` or `corrupt` | counter | the others |
    /// | `larder_level_ended_total`, `larder_level_late_total` | counter | answers that weren't used |
    /// | `larder_level_writes_total` with `kind` = `put`, `delete` or `purge` | counter | writes done |
    /// | `larder_level_overtaken_total` | counter | values that were loaded, and not stored since the key was written meanwhile |
    /// | `larder_level_write_errors_total`, `larder_level_repaired_total` | counter | writes that failed; those made up for |
    /// | `larder_level_too_large_total`, `larder_level_unencodable_total` | counter | values that it doesn't take, or that have no bytes |
    /// | `larder_level_undecodable_total` | counter | records that are whole, and no value; among the misses as `corrupt` |
    ///
    /// Cost: some 20 calls of the recorder.
    pub fn publish(&self, labels: &[(&'static str, &str)]) {
        use metrics::counter;

        let with = |more: Option<(&'static str, &'static str)>| {
            let labels = labels.iter().copied().chain(more);
            let labels = labels.map(|(name, value)| (name, value.to_owned()));
            labels.collect::<Vec<_>>()
        };
        for (name, count) in [
            ("larder_level_hits_total", self.hits),
            ("larder_level_ended_total", self.ended),
            ("larder_level_late_total", self.late),
            ("larder_level_overtaken_total", self.overtaken),
            ("larder_level_write_errors_total", self.write_errors),
            ("larder_level_repaired_total", self.repaired),
            ("larder_level_too_large_total", self.too_large),
            ("larder_level_unencodable_total", self.unencodable),
            ("larder_level_undecodable_total", self.undecodable),
        ] {
            counter!(name, &with(None)).absolute(count);
        }
        for (reason, count) in [
            ("absent", self.misses_absent),
            ("expired", self.misses_expired),
            ("timeout", self.misses_timeout),
            ("unavailable", self.misses_unavailable),
            ("corrupt", self.misses_corrupt),
        ] {
            counter!("larder_level_misses_total", &with(Some(("reason", reason)))).absolute(count);
        }
        for (kind, count) in [
            ("put", self.puts),
            ("delete", self.deletes),
            ("purge", self.purges),
        ] {
            counter!("larder_level_writes_total", &with(Some(("kind", kind)))).absolute(count);
        }
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.snapshot().fmt(f)
    }
}
