//! What happened to one request, step by step.
//!
//! # Idea         a list of short sentences, made only where somebody wants it; and the warnings, which are always kept
//! # Costs        nothing but a branch where it is off: sentences are made by closures
//! # Invariants   R1 a trace holds `STEPS_MAX` steps at most; what comes later is counted
//! # Not here     who reads it

use std::fmt;

use crate::finding::Position;

/// One thing that a policy did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The policy: its element, or its name.
    pub policy: String,
    /// Where it stands in its document.
    pub at: Option<Position>,
    /// What it did.
    pub what: String,
    /// Whether it should be looked at.
    pub is_warning: bool,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{:>8}  {}: ", at.to_string(), self.policy)?,
            None => write!(f, "{:>8}  {}: ", "", self.policy)?,
        }
        if self.is_warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.what)
    }
}

/// The steps of one request, so far as they are wanted.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    is_on: bool,
    steps: Vec<Step>,
    n_dropped: u64,
}

/// More steps than any document in its right mind takes.
const STEPS_MAX: usize = 10_000;

impl Trace {
    /// Keeps warnings alone.
    pub fn off() -> Self {
        Self::default()
    }

    /// Keeps every step.
    pub fn on() -> Self {
        Self {
            is_on: true,
            ..Self::default()
        }
    }

    /// Whether every step is kept.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Notes a step, if steps are wanted.
    pub fn note(&mut self, policy: &str, at: Option<Position>, what: impl FnOnce() -> String) {
        if self.is_on {
            self.push(policy, at, what(), false);
        }
    }

    /// Notes a warning.
    pub fn warn(&mut self, policy: &str, at: Option<Position>, what: impl Into<String>) {
        self.push(policy, at, what.into(), true);
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How many there was no room for.
    pub fn n_dropped(&self) -> u64 {
        self.n_dropped
    }

    fn push(&mut self, policy: &str, at: Option<Position>, what: String, is_warning: bool) {
        if self.steps.len() >= STEPS_MAX {
            self.n_dropped += 1;
            return;
        }
        self.steps.push(Step {
            policy: policy.to_owned(),
            at,
            what,
            is_warning,
        });
    }
}
