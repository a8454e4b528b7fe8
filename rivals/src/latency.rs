//! How long single operations took, in histograms.
//!
//! # Idea         HDR histograms, to a thousandth of each value; threads have their own, added up afterwards
//! # Costs        the clock twice and a few instructions an operation, the same for every contender
//! # Invariants   none
//! # Not here     which quantiles are judged

use std::time::Duration;

use hdrhistogram::Histogram;

/// Look-ups and inserts apart.
#[derive(Debug, Clone)]
pub struct Latency {
    gets: Histogram<u64>,
    inserts: Histogram<u64>,
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

impl Latency {
    /// Without a single operation.
    pub fn new() -> Self {
        let histogram = || {
            Histogram::new_with_bounds(1, NS_MAX, 3)
                .expect("three digits between a nanosecond and a minute are valid")
        };
        Self {
            gets: histogram(),
            inserts: histogram(),
        }
    }

    /// Adds a look-up.
    #[inline]
    pub fn get(&mut self, took: Duration) {
        self.gets.saturating_record(took.as_nanos() as u64);
    }

    /// Adds an insert.
    #[inline]
    pub fn insert(&mut self, took: Duration) {
        self.inserts.saturating_record(took.as_nanos() as u64);
    }

    /// Both together.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        let added = self
            .gets
            .add(other.gets)
            .and(self.inserts.add(other.inserts));
        added.expect("all histograms have the same bounds");
        self
    }

    /// Nanoseconds that this share of the look-ups didn't exceed.
    pub fn get_ns(&self, quantile: f64) -> f64 {
        self.gets.value_at_quantile(quantile) as f64
    }

    /// Nanoseconds that this share of the inserts didn't exceed.
    pub fn insert_ns(&self, quantile: f64) -> f64 {
        self.inserts.value_at_quantile(quantile) as f64
    }

    /// The longest of all, in nanoseconds.
    pub fn longest_ns(&self) -> u64 {
        self.gets.max().max(self.inserts.max())
    }

    /// How many look-ups and inserts there were.
    pub fn n_timed(&self) -> (u64, u64) {
        (self.gets.len(), self.inserts.len())
    }
}

/// Longer than any operation; what is longer counts as this.
const NS_MAX: u64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_both_threads() {
        let of = |ns: std::ops::RangeInclusive<u64>| {
            let mut latency = Latency::new();
            ns.for_each(|ns| latency.get(Duration::from_nanos(ns)));
            latency
        };
        let both = of(1..=500).with(of(501..=1000));
        assert_eq!(both.n_timed(), (1000, 0));
        assert_eq!(both.get_ns(0.99), 990.0);
        assert_eq!(both.longest_ns(), 1000);
    }

    #[test]
    fn look_ups_and_inserts_stay_apart() {
        let mut latency = Latency::new();
        latency.get(Duration::from_nanos(10));
        latency.insert(Duration::from_nanos(700));
        assert_eq!((latency.get_ns(0.5), latency.insert_ns(0.5)), (10.0, 700.0));
    }
}
