//! What happened to one request, step by step.
//!
//! # Idea         a list of short sentences, made only where somebody wants it; the warnings, which are always kept; and what is counted
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
        // What is called an error is no mere warning.
        if self.is_warning && self.policy != "error" {
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
    route: String,
    n_hits: u64,
    n_misses: u64,
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

    /// Says by whom the request is handled, as its configuration names it.
    pub fn set_route(&mut self, route: &str) {
        route.clone_into(&mut self.route);
    }

    /// By whom the request was handled; empty: by nobody.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Counts a look into the cache.
    pub fn looked_up(&mut self, is_hit: bool) {
        match is_hit {
            true => self.n_hits += 1,
            false => self.n_misses += 1,
        }
    }

    /// How many values were found in the cache, and how many weren't.
    pub fn lookups(&self) -> (u64, u64) {
        (self.n_hits, self.n_misses)
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
