//! Any operations on a wheel, near the end of time and elsewhere, against a map that is searched in full.
//!
//! # Idea         eight bytes say where time begins, then four bytes make an operation: schedule, cancel, file again, put off behind the
//!   wheel's back, advance. Distances are drawn so that they end on the edges of slots and levels
//! # Invariants   what fires was due, once; what is due and was waited for has fired; W5
//! # Not here     random cases of CI: `tests`

use std::collections::BTreeMap;

use super::*;

/// The wheel and the model beside it.
struct Pair {
    wheel: Wheel,
    /// By payload: the present deadline, and the wheel's token.
    live: BTreeMap<u64, (Nanos, Token)>,
    next: u64,
    /// The latest time that the wheel was told.
    now: Nanos,
}

/// A distance of any order of magnitude, often on an edge, give or take a nanosecond or a tick.
fn distance([magnitude, near]: [u8; 2]) -> u64 {
    let edge = 1_u64 << (magnitude % 64);
    match near % 7 {
        0 => edge,
        1 => edge - 1,
        2 => edge.saturating_add(1),
        3 => edge.saturating_sub(TICK_NANOS),
        4 => edge.saturating_add(TICK_NANOS),
        5 => 0,
        _ => u64::MAX,
    }
}

/// Runs an input.
#[cfg_attr(
    not(fuzzing),
    allow(unreachable_pub, reason = "the fuzzer alone reaches it")
)]
pub fn run(input: &[u8]) {
    let Some((begin, ops)) = input.split_first_chunk() else {
        return;
    };
    let mut pair = Pair {
        wheel: Wheel::new(),
        live: BTreeMap::new(),
        next: 0,
        now: Nanos::ZERO,
    };
    pair.advance(Nanos(u64::from_le_bytes(*begin)), usize::MAX);
    let (ops, _) = ops.as_chunks::<4>();
    for &[kind, which, magnitude, near] in ops {
        pair.step(kind, which, distance([magnitude, near]));
    }
    pair.advance(Nanos::MAX, usize::MAX);
    // The tick that time ends in is never over (C4 of the clock).
    let last = Nanos(u64::MAX / TICK_NANOS * TICK_NANOS);
    let is_left = |(deadline, _): &(Nanos, Token)| *deadline > last;
    assert!(pair.live.values().all(is_left), "a deadline outlives time");
}

impl Pair {
    fn nth(&self, which: u8) -> Option<(u64, Nanos, Token)> {
        let n = usize::from(which) % self.live.len().max(1);
        let (payload, (deadline, token)) = self.live.iter().nth(n)?;
        Some((*payload, *deadline, *token))
    }

    fn step(&mut self, kind: u8, which: u8, by: u64) {
        // Half of them from now on, half of them up to the end of time.
        let from_end = which & 1 == 1;
        let at = if from_end {
            Nanos(u64::MAX - by)
        } else {
            Nanos(self.now.0.saturating_add(by))
        };
        match kind % 8 {
            0..=2 => {
                let payload = self.next;
                self.next += 1;
                let token = self.wheel.schedule(at, payload);
                self.live.insert(payload, (at, token));
            }
            3 => {
                if let Some((payload, _, token)) = self.nth(which) {
                    assert_eq!(self.wheel.cancel(token), payload);
                    self.live.remove(&payload);
                }
            }
            4 => {
                if let Some((payload, _, token)) = self.nth(which) {
                    self.wheel.reschedule(token, at);
                    self.live.insert(payload, (at, token));
                }
            }
            5 => {
                if let Some((payload, deadline, token)) = self.nth(which) {
                    self.live.insert(payload, (deadline.max(at), token));
                }
            }
            6 => self.advance(at, usize::from(which)),
            _ => {
                let live = &mut self.live;
                self.wheel.shrink(usize::from(which), |payload, old, new| {
                    let known = live.get_mut(&payload).expect("what is moved is there");
                    assert_eq!(std::mem::replace(&mut known.1, new), old);
                });
            }
        }
        assert_eq!(self.wheel.len(), self.live.len());
    }

    fn advance(&mut self, to: Nanos, budget: usize) {
        self.now = self.now.max(to);
        let live = &self.live;
        let mut fired = Vec::new();
        let advanced = self.wheel.advance(
            to,
            budget,
            |payload, _| live[&payload].0,
            |payload, token| fired.push((payload, token)),
        );
        assert_eq!(advanced.fired, fired.len());
        assert!(advanced.fired + advanced.moved <= budget);
        for (payload, token) in fired {
            let (deadline, known) = self.live.remove(&payload).expect("it fires once");
            assert!(deadline <= self.now, "it fires before its deadline");
            assert_eq!(token, known);
        }
        // A tick that has begun by now, and no deadline before its begin.
        let begun = self.now.0 / TICK_NANOS;
        let is_late = |deadline: &Nanos| deadline.0.div_ceil(TICK_NANOS) <= begun;
        let left = self.live.values().find(|(deadline, _)| is_late(deadline));
        assert!(!advanced.done || left.is_none(), "{left:?} is left behind");
    }
}
