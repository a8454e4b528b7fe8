//! What was done: histories, overlap, operations, and how deep the search went.

use std::collections::BTreeMap;
use std::fmt;

use crate::family::Family;
use crate::history::History;

/// Counts of one family.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    histories: u64,
    overlapping: u64,
    operations: u64,
    /// The steps of the model that judging took: all of them, and the most for one history.
    steps: u64,
    steps_max: u64,
    violations: u64,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    families: BTreeMap<&'static str, Counts>,
    /// Of each operation: how many, and how many of them met another thread's on their key.
    operations: BTreeMap<&'static str, (u64, u64)>,
}

impl Tally {
    pub(crate) fn count(
        &mut self,
        family: Family,
        history: &History,
        n_steps: u64,
        is_violation: bool,
    ) {
        let counts = self.families.entry(family.name()).or_default();
        let mut is_met = false;
        for event in &history.events {
            let meets = history.is_met(event);
            is_met |= meets;
            let operation = self.operations.entry(event.call.name()).or_default();
            operation.0 += 1;
            operation.1 += u64::from(meets);
        }
        counts.histories += 1;
        counts.overlapping += u64::from(is_met);
        counts.operations += history.events.len() as u64;
        counts.steps += n_steps;
        counts.steps_max = counts.steps_max.max(n_steps);
        counts.violations += u64::from(is_violation);
    }

    pub(crate) fn n_histories(&self) -> u64 {
        self.sum(|counts| counts.histories)
    }

    pub(crate) fn n_overlapping(&self) -> u64 {
        self.sum(|counts| counts.overlapping)
    }

    pub(crate) fn n_violations(&self) -> u64 {
        self.sum(|counts| counts.violations)
    }

    fn sum(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        self.families.values().map(of).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16} {:>10} {:>12} {:>11} {:>13} {:>8}",
            "family", "histories", "overlapping", "operations", "steps/history", "deepest"
        )?;
        for (name, counts) in &self.families {
            writeln!(
                f,
                "{name:<16} {:>10} {:>12} {:>11} {:>13.1} {:>8}",
                counts.histories,
                counts.overlapping,
                counts.operations,
                counts.steps as f64 / counts.histories as f64,
                counts.steps_max,
            )?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "{:<16} {:>10} {:>12}",
            "operation", "calls", "overlapping"
        )?;
        for (name, (n_calls, n_met)) in &self.operations {
            writeln!(f, "{name:<16} {n_calls:>10} {n_met:>12}")?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "histories: {}, with overlap: {}, operations: {}, deepest search: {} steps",
            self.n_histories(),
            self.n_overlapping(),
            self.sum(|counts| counts.operations),
            self.families
                .values()
                .map(|counts| counts.steps_max)
                .max()
                .unwrap_or(0),
        )
    }
}
