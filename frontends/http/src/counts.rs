//! How many requests there were, by operation and by status.
//!
//! # Idea         a number for each pair of a table that is known beforehand, told to a scraper when it asks
//! # Costs        one addition a request
//! # Not here     what the engine counts

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

/// The operations that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Operation {
    /// GET and HEAD of an item.
    Get,
    /// PUT of an item.
    Put,
    /// DELETE of an item.
    Delete,
    /// The operations on items by POST.
    Items,
    /// Caches and tokens.
    Control,
    /// All else.
    Other,
}

const OPERATIONS: [&str; 6] = ["get", "put", "delete", "items", "control", "other"];

/// Statuses that are told apart; the last counts the others.
const STATUSES: [u16; 13] = [
    200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 429, 500, 0,
];

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Counts([[AtomicU64; STATUSES.len()]; OPERATIONS.len()]);

impl Counts {
    pub(crate) fn add(&self, operation: Operation, status: StatusCode) {
        let known = STATUSES.iter().position(|known| *known == status.as_u16());
        let at = known.unwrap_or(STATUSES.len() - 1);
        self.0[operation as usize][at].fetch_add(1, Ordering::Relaxed);
    }

    /// Every count that isn't zero: operation, status (0: another one), number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, u16, u64)> {
        self.0.iter().zip(OPERATIONS).flat_map(|(row, operation)| {
            let of = row.iter().zip(STATUSES);
            of.map(move |(count, status)| (operation, status, count.load(Ordering::Relaxed)))
                .filter(|(_, _, count)| *count > 0)
        })
    }
}
