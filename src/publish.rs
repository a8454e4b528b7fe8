//! Counters for those who watch a service: through the `metrics` crate.
//!
//! # Idea         a snapshot is published under labels of the caller's choice, as often as the caller likes; what a hit costs doesn't
//!   change, since a snapshot is taken of counters that are there anyway
//! # Costs        a publication: some twenty calls of the recorder
//! # Not here     when it is done; what stands in the snapshot: module `stats`

use metrics::{counter, gauge};

use crate::stats::Stats;

impl Stats {
    /// Gives these figures to the recorder of the `metrics` crate, each with `labels` (feature `metrics`).
    ///
    /// | name | kind | what |
    /// |---|---|---|
    /// | `larder_hits_total`, `larder_stale_hits_total`, `larder_negative_hits_total` | counter | look-ups that found something |
    /// | `larder_misses_total` with `reason` = `absent` or `expired` | counter | look-ups that found nothing |
    /// | `larder_loads_total`, `larder_load_failures_total` | counter | loaders that were called, and those that failed |
    /// | `larder_load_seconds_total` | counter | the time that they took, in whole seconds |
    /// | `larder_inserts_total`, `larder_refused_total`, `larder_panics_total` | counter | writes; contained panics |
    /// | `larder_removals_total` with `cause` = `replaced`, `evicted`, `expired`, `removed` or `invalidated` | counter | values that left |
    /// | `larder_entries` | gauge | entries that are linked |
    /// | `larder_bytes` with `kind` = `live`, `garbage`, `structure` or `unreachable` | gauge | bytes charged; `unreachable` is part of `live` |
    ///
    /// Counters are set, not added to: publish the snapshots of one cache, tenant or named cache under labels of their own.
    ///
    /// # Examples
    /// ```
    /// let cache: larder::Cache<str> = larder::Cache::builder().max_bytes(1 << 20).build()?;
    /// // Every few seconds, from a thread that does such things; without a recorder nothing happens.
    /// cache.stats().publish(&[("cache", "sessions")]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn publish(&self, labels: &[(&'static str, &str)]) {
        let labels: Vec<(&'static str, String)> = labels
            .iter()
            .map(|&(name, value)| (name, value.to_owned()))
            .collect();
        let with = |name: &'static str, value: &str| {
            let mut labels = labels.clone();
            labels.push((name, value.to_owned()));
            labels
        };
        for (name, count) in [
            ("larder_hits_total", self.hits),
            ("larder_stale_hits_total", self.stale_hits),
            ("larder_negative_hits_total", self.negative_hits),
            ("larder_loads_total", self.loads),
            ("larder_load_failures_total", self.load_failures),
            ("larder_load_seconds_total", self.load_nanos / 1_000_000_000),
            ("larder_inserts_total", self.inserted),
            ("larder_refused_total", self.refused),
            ("larder_panics_total", self.panics),
        ] {
            counter!(name, &labels).absolute(count);
        }
        for (reason, count) in [
            ("absent", self.misses_absent),
            ("expired", self.misses_expired),
        ] {
            counter!("larder_misses_total", &with("reason", reason)).absolute(count);
        }
        for (cause, count) in [
            ("replaced", self.replaced),
            ("evicted", self.evicted),
            ("expired", self.expired),
            ("removed", self.removed),
            ("invalidated", self.invalidated),
        ] {
            counter!("larder_removals_total", &with("cause", cause)).absolute(count);
        }
        gauge!("larder_entries", &labels).set(self.live_entries as f64);
        for (kind, bytes) in [
            ("live", self.live_bytes),
            ("garbage", self.garbage_bytes),
            ("structure", self.structure_bytes),
            ("unreachable", self.unreachable_bytes),
        ] {
            gauge!("larder_bytes", &with("kind", kind)).set(bytes as f64);
        }
    }
}
