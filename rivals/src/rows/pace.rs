//! How far apart the two cores are, while a lane is measured on both.
//!
//! # Idea         a word is written by two threads in turn before and after each lane's turn; a virtual machine's cores may be near
//!   each other in one second and far apart in the next, and what both write costs ten times as much then. Rounds that began and ended
//!   alike are told apart by that
//! # Costs        half a millisecond or less a turn, outside of what is timed
//! # Invariants   PC1 a round between two unlike readings belongs to neither kind
//! # Not here     goals: a row is judged by all of its rounds

use std::sync::atomic::{AtomicU64, Ordering};

use crate::judge::median;
use crate::threads::race;

/// Times that a word goes to the other thread and comes back, for one reading.
const N_TURNS: u64 = 1000;
/// A word that comes back within this was written by a near core, in ns: readings here are of some 50 and of some 400.
const NEAR_MAX: f64 = 150.0;
/// Fewer rounds of a kind say nothing.
const ROUNDS_MIN: usize = 3;

/// The rounds of two lanes, with what was read around them.
#[derive(Default)]
pub(super) struct Paces {
    last: Option<f64>,
    rounds: [Vec<Round>; 2],
}

struct Round {
    sample: f64,
    readings: [f64; 2],
}

/// Of which two lanes the ratio is told.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Larder,
    Base,
}

impl Paces {
    /// What came of the turn that has just ended, of these two sides or of another lane.
    pub(super) fn note(&mut self, side: Option<Side>, sample: f64) {
        let now = there_and_back();
        let before = self.last.replace(now);
        if let (Some(side), Some(before)) = (side, before) {
            self.rounds[side as usize].push(Round {
                sample,
                readings: [before, now],
            });
        }
    }

    /// A reading before the first turn.
    pub(super) fn begin(&mut self) {
        self.last = Some(there_and_back());
    }

    /// The ratio in each kind of rounds that there were enough of.
    pub(super) fn tell(&self) -> String {
        let kinds = [("near", true), ("far", false)];
        let told = kinds.iter().filter_map(|&(name, is_near)| {
            let sides = [Side::Larder, Side::Base].map(|side| self.samples(side, is_near));
            if sides.iter().any(|samples| samples.len() < ROUNDS_MIN) {
                return None;
            }
            let [larder, base] = sides.each_ref().map(|samples| median(samples));
            let (ratio, readings) = (larder? / base?, self.readings(is_near)?);
            let (n_larder, n_base) = (sides[0].len(), sides[1].len());
            Some(format!(
                "while the cores were {name} (a word there and back {readings:.0} ns; {n_larder} and {n_base} rounds): {ratio:.3}"
            ))
        });
        told.collect::<Vec<_>>().join("; ")
    }

    fn of_kind(&self, side: Side, is_near: bool) -> impl Iterator<Item = &Round> {
        let rounds = self.rounds[side as usize].iter();
        rounds.filter(move |round| {
            let mut readings = round.readings.iter();
            readings.all(|&reading| (reading <= NEAR_MAX) == is_near)
        })
    }

    fn samples(&self, side: Side, is_near: bool) -> Vec<f64> {
        self.of_kind(side, is_near)
            .map(|round| round.sample)
            .collect()
    }

    fn readings(&self, is_near: bool) -> Option<f64> {
        let sides = [Side::Larder, Side::Base].into_iter();
        let readings = sides.flat_map(|side| self.of_kind(side, is_near));
        median(
            &readings
                .flat_map(|round| round.readings)
                .collect::<Vec<_>>(),
        )
    }
}

/// Nanoseconds for a word to the other thread and back.
fn there_and_back() -> f64 {
    let word = AtomicU64::new(0);
    let took = race(vec![0, 1], |parity| {
        for turn in 0..N_TURNS {
            let mine = 2 * turn + parity;
            // Acquire and release: each write waits for the other's.
            while word.load(Ordering::Acquire) != mine {
                std::hint::spin_loop();
            }
            word.store(mine + 1, Ordering::Release);
        }
    });
    let longest = took.iter().map(|(ns, ())| *ns).max().unwrap_or(0);
    longest as f64 / N_TURNS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paces(rounds: [&[(f64, f64, f64)]; 2]) -> Paces {
        let rounds = rounds.map(|rounds| {
            let rounds = rounds.iter();
            rounds
                .map(|&(sample, before, after)| Round {
                    sample,
                    readings: [before, after],
                })
                .collect()
        });
        Paces { last: None, rounds }
    }

    #[test]
    fn kinds_are_told_apart_and_unlike_readings_belong_to_neither() {
        let near = (2.0, 40.0, 60.0);
        let far = (3.0, 400.0, 390.0);
        let unlike = (900.0, 40.0, 400.0);
        let larder = [near, far, near, unlike, near, far, far];
        let base = [(4.0, 50.0, 50.0), (30.0, 400.0, 400.0), unlike].repeat(3);
        let told = paces([&larder, &base]).tell();
        assert!(
            told.contains("near (a word there and back 50 ns; 3 and 3 rounds): 0.500"),
            "{told}"
        );
        assert!(
            told.contains("far (a word there and back 400 ns; 3 and 3 rounds): 0.100"),
            "{told}"
        );
    }

    #[test]
    fn a_kind_with_too_few_rounds_is_not_told() {
        let near = [(2.0, 40.0, 60.0); 3];
        assert_eq!(paces([&near, &near[..2]]).tell(), "");
    }

    #[test]
    fn a_word_takes_some_time_there_and_back() {
        assert!(there_and_back() > 0.0);
    }
}
