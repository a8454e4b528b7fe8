//! How many requests there were, by operation and by status.
//!
//! # Idea         a number for each pair of a table that is known beforehand, told to a scraper when it asks
//! # Costs        one addition a request
//! # Not here     what an operation is

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

/// Statuses that are told apart; the last counts the others.
const STATUSES: [u16; 18] = [
    200, 201, 204, 304, 400, 401, 403, 404, 405, 408, 409, 413, 429, 500, 502, 503, 504, 0,
];

/// A number for each operation and status.
#[derive(Debug)]
pub struct Counts {
    operations: &'static [&'static str],
    rows: Box<[[AtomicU64; STATUSES.len()]]>,
}

impl Counts {
    /// Zero for each of these operations.
    pub fn new(operations: &'static [&'static str]) -> Self {
        let rows = operations.iter().map(|_| Default::default()).collect();
        Self { operations, rows }
    }

    /// Counts one more of an operation, which is a place in the list.
    pub fn add(&self, operation: usize, status: StatusCode) {
        let known = STATUSES.iter().position(|known| *known == status.as_u16());
        let at = known.unwrap_or(STATUSES.len() - 1);
        if let Some(row) = self.rows.get(operation) {
            row[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells the recorder of the `metrics` crate every count that isn't zero, with labels `operation` and `status`.
    pub fn publish(&self, name: &'static str) {
        for (row, operation) in self.rows.iter().zip(self.operations) {
            for (count, status) in row.iter().zip(STATUSES) {
                let count = count.load(Ordering::Relaxed);
                if count == 0 {
                    continue;
                }
                let status = match status {
                    0 => "other".to_owned(),
                    status => status.to_string(),
                };
                let labels = [("operation", (*operation).to_owned()), ("status", status)];
                metrics::counter!(name, &labels).absolute(count);
            }
        }
    }
}
