//! The end that terms show while somebody is about to set another one.

use std::cell::Cell;
use std::time::Duration;

use super::{Hand, MS, SECOND, ops};
use crate::limits::rates::Rate;
use crate::limits::tenant::Limits;
use crate::limits::watch::Watch;

/// A clock by which a visitor is put aside between filling leases and showing their end.
struct Stalled<'a> {
    hand: &'a Hand,
    meanwhile: Cell<Option<&'a dyn Fn()>>,
}

impl Watch for Stalled<'_> {
    fn exact(&self) -> u64 {
        self.hand.exact()
    }

    fn coarse(&self) -> u64 {
        self.hand.coarse()
    }

    fn coarse_line(&self, time: u64) -> u64 {
        if let Some(meanwhile) = self.meanwhile.take() {
            meanwhile();
        }
        self.hand.coarse_line(time)
    }

    fn lag_ns(&self) -> u64 {
        self.hand.lag_ns()
    }
}

#[test]
fn e80_leases_by_shorter_terms_are_not_used_by_the_end_of_longer_ones() {
    let burst = 1 << 20;
    // Periods of 32 ms, then of 16 ms.
    let [slow, fast] = [600, 256].map(|fill_ms| {
        let fill = Duration::from_millis(fill_ms);
        ops(Rate::new(burst, fill).unwrap().burst(burst))
    });
    let hand = Hand::at(SECOND);
    hand.lag.set(64 * MS);
    let limits = Limits::new(&slow);
    for _ in 0..2 {
        limits.admit_as(&hand, [1, 0], 0).unwrap();
    }
    assert!(limits.lock_for_tests().has_leases());
    limits.set(&hand, &fast);

    let n_admitted = Cell::new(0);
    // Which the other home's threads see meanwhile, as late as the longer terms allow.
    let meanwhile = || {
        hand.advance(95 * MS);
        let take = || limits.take(&hand, 1, 0, 1);
        n_admitted.set((0..burst).take_while(|_| take()).count() as u64);
    };
    let stalled = Stalled {
        hand: &hand,
        meanwhile: Cell::new(Some(&meanwhile)),
    };
    limits.admit_as(&stalled, [1, 0], 0).unwrap();
    assert!(stalled.meanwhile.take().is_none(), "leases were made");

    let n_more = (0..=burst).take_while(|_| limits.admit_as(&hand, [1, 0], 1).is_ok());
    let n_more = n_more.count() as u64;
    assert!(n_more > burst / 4);
    assert!(
        n_admitted.get() + n_more <= burst,
        "at one moment {} and {n_more}",
        n_admitted.get()
    );
}
