//! What the two tenants ask for.
//!
//! # Idea         B reads a working set by zipf, and perhaps now and then a key that it never reads again; A reads keys that nobody
//!   has ever read. B's requests are drawn once, so that each run gets the same ones
//! # Costs        four bytes a request of B's
//! # Invariants   R1 the same plan and seed give the same requests; R2 no two keys of A are equal, and none is B's
//! # Not here     caches

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};

/// B is alone, A floods, B is alone again.
pub(crate) const N_PHASES: usize = 3;
/// The phase in which A floods.
pub(crate) const FLOOD: usize = 1;

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Requests of B in each phase.
    pub(crate) n_requests: usize,
    /// Objects that B reads by zipf.
    pub(crate) n_objects: u32,
    /// The exponent of zipf.
    pub(crate) zipf: f64,
    /// Of a hundred requests of B, those for a key that is read once.
    pub(crate) once_pct: u32,
    /// New keys of A.
    pub(crate) n_flood: u64,
}

/// The requests of a plan.
#[derive(Debug)]
pub(crate) struct Traffic {
    phases: [Vec<u32>; N_PHASES],
    n_flood: u64,
}

impl Traffic {
    /// Draws the requests; none if `plan` has no objects, or an exponent that zipf doesn't take.
    pub(crate) fn draw(plan: &Plan, seed: u64) -> Option<Traffic> {
        let zipf = Zipf::new(f64::from(plan.n_objects), plan.zipf).ok()?;
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut next_once = plan.n_objects;
        let mut one = || {
            if rng.random_range(0..100) < plan.once_pct {
                next_once += 1;
                next_once
            } else {
                // A rank is at least 1, so objects are 0 to n_objects - 1.
                zipf.sample(&mut rng) as u32 - 1
            }
        };
        let phases = std::array::from_fn(|_| (0..plan.n_requests).map(|_| one()).collect());
        Some(Traffic {
            phases,
            n_flood: plan.n_flood,
        })
    }

    /// What B asks for in a phase.
    pub(crate) fn of_b(&self, phase: usize) -> &[u32] {
        &self.phases[phase]
    }

    /// How many new keys A asks for in a phase.
    pub(crate) fn n_of_a(&self, phase: usize) -> u64 {
        if phase == FLOOD { self.n_flood } else { 0 }
    }
}

/// The key of one of B's objects.
pub(crate) fn key_of_b(id: u32) -> [u8; KEY_BYTES] {
    key(b'b', u64::from(id))
}

/// A's key of a number.
pub(crate) fn key_of_a(number: u64) -> [u8; KEY_BYTES] {
    key(b'a', number)
}

fn key(tenant: u8, number: u64) -> [u8; KEY_BYTES] {
    let mut key = [tenant; KEY_BYTES];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// All keys are equally long, so that all entries are charged the same.
pub(crate) const KEY_BYTES: usize = 9;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PLAN: Plan = Plan {
        n_requests: 20_000,
        n_objects: 500,
        zipf: 0.9,
        once_pct: 10,
        n_flood: 7,
    };

    #[test]
    fn a_seed_gives_its_requests_again() {
        let draw = |seed| Traffic::draw(&PLAN, seed).unwrap().phases;
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn b_reads_its_objects_often_and_the_others_once() {
        let traffic = Traffic::draw(&PLAN, 3).unwrap();
        let all: Vec<u32> = traffic.phases.concat();
        let once: Vec<u32> = all.iter().copied().filter(|id| *id >= 500).collect();
        assert_eq!(once.iter().collect::<HashSet<_>>().len(), once.len());
        let share = once.len() as f64 / all.len() as f64;
        assert!((share - 0.1).abs() < 0.01, "{share}");
        let count = |id| all.iter().filter(|other| **other == id).count();
        assert!(count(0) > count(9) && count(9) > count(400));
        assert_eq!(
            (0..N_PHASES).map(|phase| traffic.n_of_a(phase)).max(),
            Some(7)
        );
        assert_eq!(traffic.n_of_a(0), 0);
    }

    #[test]
    fn what_zipf_does_not_take_is_no_traffic() {
        let plans = [
            Plan {
                n_objects: 0,
                ..PLAN
            },
            Plan { zipf: -1.0, ..PLAN },
        ];
        assert!(plans.iter().all(|plan| Traffic::draw(plan, 1).is_none()));
    }

    #[test]
    fn keys_of_a_and_b_differ() {
        assert_ne!(key_of_a(5), key_of_b(5));
        assert_ne!(key_of_a(5), key_of_a(6));
    }
}
