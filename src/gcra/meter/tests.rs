use std::num::NonZeroU64;

use proptest::prelude::*;

use super::super::{Bucket, Pace, Wait};
use super::Meter;

fn pace(n_tokens: u64, period_ns: u64, burst: u64) -> Pace {
    let period_ns = NonZeroU64::new(period_ns).expect("a period above zero");
    Pace::new(n_tokens, period_ns, burst)
}

#[test]
fn e82_both_dimensions_change_or_none() {
    let mut meter = Meter::new([pace(1, 10, 5), pace(1, 1, 100)], 0);
    assert_eq!(meter.try_take([5, 60]), Ok(()));
    let before = meter;
    let (which, wait) = meter.try_take([0, 41]).unwrap_err();
    assert_eq!((which, wait.duration().unwrap().as_nanos()), (1, 1));
    let (which, wait) = meter.try_take([1, 40]).unwrap_err();
    assert_eq!((which, wait.duration().unwrap().as_nanos()), (0, 10));
    // The one that waits longest is named.
    assert_eq!(meter.try_take([1, 60]).unwrap_err().0, 1);
    assert_eq!(meter.try_take([6, 1]), Err((0, Wait::Forever)));
    assert_eq!(meter.try_take([1, 101]), Err((1, Wait::Forever)));
    assert!(!meter.try_give(0, [1, 40]));
    assert!(!meter.try_give(0, [0, 41]));
    assert_eq!(meter, before, "a refusal takes from neither");
    assert_eq!(meter.try_take([0, 40]), Ok(()));
}

#[test]
fn what_is_given_sinks_from_the_end_of_its_period() {
    let mut meter = Meter::new([pace(1, 1, 100), Pace::UNLIMITED], 0);
    meter.settle(0, 50);
    meter.lend([80, 7]);
    meter.put_back([20, 7]);
    assert_eq!(meter.spare(50)[0], 40);
    assert_eq!(meter.spare(60)[0], 50);
    meter.settle(60, 50);
    assert!(meter.is_settled());
    assert_eq!(meter.spare(60)[0], 50);
    assert_eq!(meter.spare(110)[0], 100);
}

#[test]
fn a_meter_says_when_it_was_settled_and_a_hold_what_it_holds() {
    let mut meter = Meter::new([pace(1, 10, 10), pace(1, 1, 100)], 7);
    assert_eq!(meter.settled_at(), 7);
    for (now, settled_at) in [(90, 90), (80, 90), (91, 91)] {
        meter.settle(now, 5);
        assert_eq!(meter.settled_at(), settled_at);
    }
    assert!(meter.is_settled());
    meter.lend([1, 0]);
    assert!(!meter.is_settled());
    meter.settle(92, 5);
    assert!(meter.is_settled());
    let hold = meter.hold([2, 30]).unwrap();
    assert!(hold.is([2, 30]) && !hold.is([2, 31]) && !hold.is([1, 30]));
    assert_eq!(hold.beyond([5, 10]), [3, 0]);
}

#[test]
fn a_burst_that_is_used_up_is_no_debt_and_of_equal_waits_the_first_is_named() {
    let mut meter = Meter::new([pace(1, 10, 10), pace(1, 10, 10)], 0);
    assert!(!meter.charge([10, 10]), "all is used, and nothing owed");
    assert_eq!(meter.try_take([1, 1]).unwrap_err().0, 0);
    assert!(meter.charge([0, 1]), "one is owed");
}

#[test]
fn a_part_of_each_burst_is_there_or_not() {
    let mut meter = Meter::new([pace(1, 10, 10), pace(1, 10, 100)], 0);
    meter.try_take([8, 80]).unwrap();
    assert!(meter.has_part(0, 5), "two of ten, twenty of a hundred");
    meter.try_take([0, 1]).unwrap();
    assert!(!meter.has_part(0, 5), "nineteen of a hundred");
    assert!(meter.has_part(10, 5), "one has come back");
    assert!(meter.try_give(0, [2, 19]) && !meter.try_give(0, [0, 1]));
}

#[test]
fn e86_a_hold_that_is_released_was_never_there() {
    let paces = [pace(1, 10, 10), pace(1, 1, 1000)];
    let mut with = Meter::new(paces, 0);
    let mut without = with;
    for meter in [&mut with, &mut without] {
        meter.try_take([4, 300]).unwrap();
    }
    let hold = with.hold([5, 500]).unwrap();
    for now in [10, 20] {
        for meter in [&mut with, &mut without] {
            meter.settle(now, 0);
            meter.try_take([1, 1]).unwrap();
        }
    }
    let (_, is_in_debt) = with.end_hold(&hold, [0, 0], [0; 2]);
    assert!(!is_in_debt);
    assert_eq!(with, without);
}

#[test]
fn e86_a_hold_is_ended_by_what_was_used() {
    let paces = [pace(1, 10, 10), pace(1, 1, 1000)];
    let mut with = Meter::new(paces, 0);
    let hold = with.hold([5, 500]).unwrap();
    with.end_hold(&hold, [2, 600], [0; 2]);
    assert_eq!(with.spare(0), [8, 400]);
    let hold = with.hold([1, 0]).unwrap();
    let (_, is_in_debt) = with.end_hold(&hold, [1, 500], [0; 2]);
    assert!(is_in_debt);
    assert_eq!(with.spare(0), [7, 0]);
    assert_eq!(with.try_take([1, 0]).unwrap_err().0, 1);
}

#[test]
fn e86_what_came_back_by_itself_does_not_come_twice() {
    // A hold of the whole burst ends when half of it has come back by itself.
    let mut meter = Meter::new([pace(1, 1, 10), Pace::UNLIMITED], 0);
    let hold = meter.hold([10, 0]).unwrap();
    meter.settle(5, 0);
    meter.try_take([5, 0]).unwrap();
    meter.end_hold(&hold, [0, 0], [0; 2]);
    assert_eq!(meter.spare(5)[0], 5, "five were used at this moment");
}

#[test]
fn e86_what_was_used_of_a_hold_sinks_before_what_was_not() {
    let mut meter = Meter::new([pace(1, 1, 10), Pace::UNLIMITED], 0);
    let hold = meter.hold([5, 0]).unwrap();
    meter.settle(2, 0);
    meter.end_hold(&hold, [3, 0], [0; 2]);
    assert_eq!(meter.spare(2)[0], 9, "of three, two have sunk away");
}

#[test]
fn e86_holds_that_end_lower_those_above_them() {
    let mut meter = Meter::new([pace(1, 1, 10), Pace::UNLIMITED], 0);
    let lower = meter.hold([5, 0]).unwrap();
    let upper = meter.hold([5, 0]).unwrap();
    let (returned, _) = meter.end_hold(&lower, [0, 0], [0; 2]);
    assert_eq!(returned[0], 5);
    // By now the upper one would have sunk away by itself.
    meter.settle(5, 0);
    meter.try_take([5, 0]).unwrap();
    meter.end_hold(&upper, [0, 0], returned);
    assert_eq!(meter.spare(5)[0], 5, "five were used at this moment");
}

#[test]
fn a_meter_is_what_its_words_say() {
    let mut meter = Meter::new([pace(7, 10, 1 << 61), pace(3, u64::MAX, 1 << 60)], 3);
    meter.settle(9, 0);
    meter.try_take([1 << 59, 1 << 58]).unwrap();
    assert_eq!(Meter::from_words(meter.to_words()), meter);
    let again = Meter::from_words(meter.to_words());
    assert_eq!(
        again.refusal(20, [1 << 61, 1]),
        meter.refusal(20, [1 << 61, 1])
    );
    assert_eq!(again.refusal(20, [1, 1]), None);
}

#[test]
fn new_paces_keep_what_is_used_and_hold_from_then_on() {
    let [old, new] = [(10, 4), (5, 2)].map(|(burst, rate)| pace(rate, 10, burst));
    let mut meter = Meter::new([old, Pace::UNLIMITED], 0);
    meter.try_take([3, 1000]).unwrap();
    meter.set_paces([new, pace(1, 1, 100)]);
    assert_eq!(meter.paces(), [new, pace(1, 1, 100)]);
    assert_eq!(meter.spare(0), [2, 100]);
    assert_eq!(meter.try_take([2, 101]), Err((1, Wait::Forever)));
    let (which, wait) = meter.try_take([3, 1]).unwrap_err();
    assert_eq!((which, wait.duration().unwrap().as_nanos()), (0, 5));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Take(u64),
    Coarse(u64, u64),
    Lend(u64),
    Use(u64),
    PutBack,
    Hold(u64),
    End(u64),
}

fn any_step() -> impl Strategy<Value = (u64, Step)> {
    let step = prop_oneof![
        (0..8_u64).prop_map(Step::Take),
        (0..8_u64, 0..6_u64).prop_map(|(cost, lag)| Step::Coarse(cost, lag)),
        (1..30_u64).prop_map(Step::Lend),
        (1..8_u64).prop_map(Step::Use),
        (1..8_u64).prop_map(Step::Use),
        Just(Step::PutBack),
        (1..12_u64).prop_map(Step::Hold),
        (0..15_u64).prop_map(Step::End),
    ];
    (prop_oneof![Just(0_u64), 0..4_u64, 0..30_u64], step)
}

/// Longer than any lag of the coarse reading above.
const GRACE: u64 = 10;

proptest! {
    /// M1, M3: a plain bucket that sees only what is used, when it is used, never overflows.
    #[test]
    fn the_level_is_never_below_that_of_the_uses(
        rate in (1..20_u64, 1..20_u64),
        burst in 1..40_u64,
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let pace = pace(rate.0, rate.1, burst);
        let mut meter = Meter::new([pace, Pace::UNLIMITED], 0);
        let mut truth = Bucket::default();
        let mut now = 0;
        let mut lent = 0;
        let mut end = 0;
        for (pause, step) in steps {
            now += pause;
            let mut used = |cost: u64, what: &str| {
                let admitted = truth.admit(&pace, now, cost);
                truth = admitted.map_err(|wait| TestCaseError::fail(format!("{what}: {wait:?}")))?;
                Ok::<(), TestCaseError>(())
            };
            if matches!(step, Step::Take(_) | Step::Hold(_)) && lent == 0 {
                meter.settle(now, GRACE);
                end = now + GRACE;
            }
            match step {
                Step::Take(cost) if lent == 0 => {
                    if meter.try_take([cost, 0]).is_ok() {
                        used(cost, "taken")?;
                    }
                }
                Step::Take(cost) => {
                    if now <= end && meter.try_give(now, [cost, 0]) {
                        used(cost, "given")?;
                    }
                }
                Step::Coarse(cost, lag) => {
                    if now <= end && meter.try_give(now.saturating_sub(lag), [cost, 0]) {
                        used(cost, "given by a coarse reading")?;
                    }
                }
                Step::Lend(n) if now <= end => {
                    let n = n.min(meter.spare(now)[0]);
                    meter.lend([n, 0]);
                    lent += n;
                }
                Step::Use(cost) => {
                    if cost <= lent && now <= end {
                        lent -= cost;
                        used(cost, "used of a lease")?;
                    }
                }
                Step::PutBack => {
                    meter.put_back([std::mem::take(&mut lent), 0]);
                    meter.settle(now, GRACE);
                    end = now + GRACE;
                }
                Step::Hold(cost) if lent == 0 => {
                    if let Ok(hold) = meter.hold([cost, 0]) {
                        // What is held and given back at once leaves no trace; the rest is used.
                        meter.end_hold(&hold, [cost / 2, 0], [0; 2]);
                        used(cost / 2, "held")?;
                    }
                }
                Step::Lend(_) | Step::Hold(_) | Step::End(_) => {}
            }
            let level = meter.level(0, now);
            prop_assert!(level <= pace.capacity());
        }
    }

    /// A hold over time: the ghost that never held admits all that was used.
    #[test]
    fn e86_a_hold_over_time_never_frees_too_much(
        rate in (1..20_u64, 1..20_u64),
        burst in 1..40_u64,
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let pace = pace(rate.0, rate.1, burst);
        let mut meter = Meter::new([pace, Pace::UNLIMITED], 0);
        // Admissions with their times; those of holds are entered at the time of the hold when it has ended.
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        let mut holds = Vec::new();
        let mut returned = 0_u128;
        let mut now = 0;
        for (pause, step) in steps {
            now += pause;
            meter.settle(now, 0);
            match step {
                Step::Hold(cost) => {
                    if let Ok(hold) = meter.hold([cost, 0]) {
                        holds.push((hold, cost, returned, now));
                    }
                }
                Step::End(used) if !holds.is_empty() => {
                    let (hold, cost, before, at) = holds.remove(used as usize % holds.len());
                    let used = used.min(cost);
                    let ([units, _], _) = meter.end_hold(&hold, [used, 0], [returned - before, 0]);
                    returned += units;
                    admitted.push((at, used));
                }
                Step::Take(cost) | Step::Use(cost) if meter.try_take([cost, 0]).is_ok() => {
                    admitted.push((now, cost));
                }
                _ => {}
            }
        }
        admitted.sort_by_key(|&(at, _)| at);
        for (first, &(from, _)) in admitted.iter().enumerate() {
            let mut sum = 0_u128;
            for &(to, cost) in &admitted[first..] {
                sum += u128::from(cost) * u128::from(rate.1);
                let length = u128::from(to - from) * u128::from(rate.0);
                prop_assert!(sum <= u128::from(burst) * u128::from(rate.1) + length);
            }
        }
    }
}
