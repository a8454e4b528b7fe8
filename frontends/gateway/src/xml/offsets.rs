//! Where the bytes of a changed text came from.
//!
//! # Idea         runs of bytes that were copied as they were; what was replaced counts for the place that it replaces
//! # Costs        a bisection a question
//! # Invariants   O1 the runs' starts grow, the first is zero
//! # Not here     who changes texts

use crate::finding::Position;

/// Runs of copied bytes, each by its start in the changed text and in the origin.
#[derive(Debug, Clone)]
pub(super) struct Offsets {
    runs: Vec<(usize, usize)>,
}

impl Offsets {
    /// Of a text that wasn't changed.
    pub(super) fn identity() -> Self {
        Self { runs: vec![(0, 0)] }
    }

    /// From byte `here` on, what follows came from `origin` on.
    pub(super) fn run(&mut self, here: usize, origin: usize) {
        match self.runs.last_mut() {
            Some(last) if last.0 == here => last.1 = origin,
            Some(last) if here - last.0 == origin.wrapping_sub(last.1) => {}
            _ => self.runs.push((here, origin)),
        }
    }

    /// Where a byte came from.
    pub(super) fn origin(&self, here: usize) -> usize {
        let after = self.runs.partition_point(|run| run.0 <= here);
        let (start, origin) = self.runs[after.saturating_sub(1)];
        origin + (here - start)
    }

    /// The same in terms of what the origin itself was changed from.
    pub(super) fn then(&self, before: &Offsets) -> Offsets {
        let mut runs = Vec::with_capacity(self.runs.len());
        for (idx, &(here, origin)) in self.runs.iter().enumerate() {
            let end = self.runs.get(idx + 1).map_or(usize::MAX, |next| next.0);
            runs.push((here, before.origin(origin)));
            let inside = before.runs.iter().filter(|run| run.0 > origin);
            for &(start, first) in inside {
                let here = here + (start - origin);
                if here >= end {
                    break;
                }
                runs.push((here, first));
            }
        }
        Offsets { runs }
    }
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(super) struct Lines {
    text: String,
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            starts: std::iter::once(0).chain(newlines).collect(),
            text: text.to_owned(),
        }
    }

    pub(super) fn position(&self, byte: usize) -> Position {
        let byte = self.text.floor_char_boundary(byte.min(self.text.len()));
        let line = self.starts.partition_point(|&start| start <= byte);
        let start = self.starts[line - 1];
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position {
            line: count(line),
            column: count(self.text[start..byte].chars().count() + 1),
        }
    }
}
