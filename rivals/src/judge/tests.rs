//! The judge, judged.

use super::*;

fn row(limit: Option<Limit>, lanes: &[(&str, &[f64])]) -> Row {
    Row {
        name: "a row".to_owned(),
        section: "rows",
        unit: "ns",
        lanes: lanes
            .iter()
            .map(|(name, samples)| Lane::of(*name, samples.to_vec()))
            .collect(),
        base: Some(1),
        goal: limit.map(Goal::table),
        note: None,
    }
}

#[track_caller]
fn check(limit: Limit, own: &[f64], base: &[f64], expected: (f64, Verdict)) {
    let row = row(Some(limit), &[("larder", own), ("quick_cache", base)]);
    let figure = row.figure().unwrap();
    assert!((figure - expected.0).abs() < 1e-9, "{figure}");
    assert_eq!(row.verdict(), expected.1);
}

#[test]
fn a_goal_that_is_met_exactly_is_held() {
    check(Limit::RatioMax(0.5), &[1.0], &[2.0], (0.5, Verdict::Held));
    check(Limit::RatioMax(0.49), &[1.0], &[2.0], (0.5, Verdict::Lost));
    check(Limit::Max(96.0), &[96.0], &[142.0], (96.0, Verdict::Held));
    check(Limit::Max(96.0), &[96.1], &[142.0], (96.1, Verdict::Lost));
    check(Limit::Min(99.0), &[99.0], &[0.0], (99.0, Verdict::Held));
    check(Limit::Min(99.0), &[98.9], &[0.0], (98.9, Verdict::Lost));
}

#[test]
fn behind_is_counted_from_the_base() {
    check(
        Limit::BehindMax(0.5),
        &[86.0],
        &[86.25],
        (0.25, Verdict::Held),
    );
    check(
        Limit::BehindMax(0.5),
        &[85.0],
        &[86.0],
        (1.0, Verdict::Lost),
    );
    // To be ahead of the base is no loss.
    check(
        Limit::BehindMax(0.5),
        &[87.0],
        &[86.0],
        (-1.0, Verdict::Held),
    );
}

#[test]
fn ratios_are_of_rounds_and_not_of_medians() {
    // The machine was slow in the last two rounds, for both: each round says .5.
    let own: &[f64] = &[1.0, 10.0, 30.0];
    check(
        Limit::RatioMax(0.5),
        own,
        &[2.0, 20.0, 60.0],
        (0.5, Verdict::Held),
    );
    // One round of another order of magnitude moves the median by one place.
    check(
        Limit::RatioMax(1.0),
        &[1.0, 1.0, 1.0],
        &[2.0, 1.0, 0.001],
        (1.0, Verdict::Held),
    );
}

#[test]
fn lanes_with_other_rounds_are_compared_by_medians() {
    let row = row(None, &[("larder", &[4.0, 5.0, 6.0]), ("peer", &[10.0])]);
    assert_eq!(row.ratio(0, 1), Some(0.5));
    assert_eq!(row.verdict(), Verdict::Shown);
}

#[test]
fn speed_at_fewer_hits_is_lost() {
    let mut row = row(
        Some(Limit::RatioMax(0.9)),
        &[("larder", &[1.0]), ("quick_cache", &[2.0])],
    );
    let verdict = |row: &mut Row, own, base| {
        row.lanes[0].hits_pct = own;
        row.lanes[1].hits_pct = base;
        row.verdict()
    };
    assert_eq!(verdict(&mut row, Some(70.0), Some(70.4)), Verdict::Held);
    assert_eq!(verdict(&mut row, Some(70.0), Some(70.6)), Verdict::Lost);
    assert_eq!(verdict(&mut row, Some(70.0), None), Verdict::Held);
    row.goal = row.goal.map(Goal::at_any_hits);
    assert_eq!(verdict(&mut row, Some(70.0), Some(90.0)), Verdict::Held);
    // More hits don't make up for a missed goal.
    row.goal = Some(Goal::table(Limit::RatioMax(0.4)));
    assert_eq!(verdict(&mut row, Some(90.0), Some(70.0)), Verdict::Lost);
}

#[test]
fn what_was_not_measured_is_neither_held_nor_lost() {
    let lost = row(Some(Limit::Max(1.0)), &[("larder", &[2.0])]);
    let held = row(Some(Limit::Max(3.0)), &[("larder", &[2.0])]);
    let unmeasured = row(Some(Limit::Max(3.0)), &[("larder", &[])]);
    let without_base = row(
        Some(Limit::RatioMax(3.0)),
        &[("larder", &[1.0]), ("quick_cache", &[])],
    );
    let promised = Row {
        goal: Some(Goal::promise(Limit::Max(1.0))),
        ..lost.clone()
    };
    let shown = row(None, &[("larder", &[2.0])]);
    assert_eq!(promised.verdict(), Verdict::Lost);
    let rows = [lost, held, unmeasured, without_base, promised, shown];
    let expected = Count {
        n_lost: 1,
        n_judged: 2,
        n_unmeasured: 2,
    };
    assert_eq!(Count::of(&rows), expected);
}

#[test]
fn a_ratio_to_nothing_is_none() {
    let row = row(
        Some(Limit::RatioMax(1.0)),
        &[("larder", &[1.0]), ("peer", &[0.0])],
    );
    assert_eq!(row.ratio(0, 1), None);
    assert_eq!(row.ratio(0, 7), None);
    assert_eq!(row.verdict(), Verdict::Unmeasured);
}

#[test]
fn the_best_peer_is_neither_the_floor_nor_another_lane_of_ours() {
    let row = row(
        None,
        &[
            ("larder", &[6.0]),
            ("slow", &[12.0]),
            ("quick", &[8.0]),
            ("larder read", &[1.0]),
            ("floor", &[2.0]),
        ],
    );
    assert_eq!(row.to_best_peer(), Some(("quick", 0.75)));
}

#[test]
fn quantiles_lie_between_neighbours() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    assert_eq!(median(&[]), None);
    assert_eq!(
        spread(&[5.0, 1.0, 2.0, 3.0, 4.0]),
        Some([1.0, 2.0, 4.0, 5.0])
    );
    assert_eq!(spread(&[1.0]), Some([1.0; 4]));
    assert_eq!(spread(&[]), None);
}
