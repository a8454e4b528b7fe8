//! What was counted, and what was wrong.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

/// Violations that are printed; the others are counted.
const SHOWN: u64 = 20;

#[derive(Debug, Default)]
pub(crate) struct Report {
    violations: AtomicU64,
    operations: AtomicU64,
    checked: AtomicU64,
}

impl Report {
    /// Notes and prints what must not be.
    pub(crate) fn violate(&self, what: &str) {
        if self.violations.fetch_add(1, Ordering::Relaxed) < SHOWN {
            eprintln!("torture: VIOLATION: {what}");
        }
    }

    pub(crate) fn count_operations(&self, n: u64) {
        self.operations.fetch_add(n, Ordering::Relaxed);
    }

    /// Values that were looked at in full.
    pub(crate) fn count_checked(&self, n: u64) {
        self.checked.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn finish(&self) -> ExitCode {
        let violations = self.violations.load(Ordering::Relaxed);
        println!(
            "torture: {} operations, {} values checked, {violations} violations",
            self.operations.load(Ordering::Relaxed),
            self.checked.load(Ordering::Relaxed),
        );
        if violations == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
