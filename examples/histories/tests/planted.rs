//! Runs: every planted fault is found within a stated number of histories, and the cache itself has none there.

use std::ops::ControlFlow;

use clap::Parser as _;

use crate::family::Family;
use crate::plants::Plant;
use crate::run::{Order, run};
use crate::tally::Tally;
use crate::{Options, report};

/// Within so many histories each fault is found; most show within ten, the rarest within three hundred.
const HISTORIES_MAX: u64 = 4096;

fn order(n_histories: u64, family: Family, plant: Option<Plant>) -> Order {
    Order {
        n_histories,
        time: None,
        seed: 64,
        repeats: false,
        family: Some(family),
        plant,
    }
}

fn tally(order: &Order) -> Tally {
    let tell = |finding: &_, tally: &Tally| {
        println!("{}", report(finding, tally));
        ControlFlow::Break(())
    };
    run(order, tell).map_err(|(stuck, _)| stuck.what()).unwrap()
}

#[test]
fn each_fault_is_found() {
    for plant in Plant::EACH {
        let tally = tally(&order(HISTORIES_MAX, plant.family(), Some(plant)));
        assert_eq!(tally.n_violations(), 1, "{}", plant.name());
    }
}

#[test]
fn the_cache_without_faults_passes() {
    for family in [
        Family::Plain,
        Family::Time,
        Family::Atomic,
        Family::Counters,
        Family::Appends,
        Family::Loads,
        Family::Stale,
        Family::Idle,
        Family::Scopes,
        Family::All,
    ] {
        let tally = tally(&order(1024, family, None));
        assert_eq!(tally.n_violations(), 0, "{}", family.name());
        assert_eq!(tally.n_histories(), 1024);
        let overlapping = tally.n_overlapping();
        assert!(overlapping > 512, "{}: {overlapping}", family.name());
    }
}

#[test]
fn a_seed_repeats_its_plan() {
    let plan_of = |seed, repeats| {
        let order = Order {
            seed,
            repeats,
            plant: Some(Plant::Stale),
            ..order(HISTORIES_MAX, Family::Plain, None)
        };
        let mut found = None;
        let outcome = run(&order, |finding, _| {
            let mut calls: Vec<_> = finding.history.events.iter().collect();
            calls.sort_by_key(|event| event.thread);
            let calls: Vec<String> = calls.iter().map(|event| event.call.to_string()).collect();
            found = Some((finding.seed, calls));
            ControlFlow::Break(())
        });
        assert!(outcome.is_ok());
        found.unwrap()
    };
    let (seed, calls) = plan_of(64, false);
    assert_eq!(plan_of(seed, true), (seed, calls));
}

#[test]
fn options_are_read() {
    let parse = |words: &[&str]| Options::try_parse_from(["histories"].iter().chain(words));
    let options = parse(&["--seed", "7", "--family", "loads", "--plant", "herd"]).unwrap();
    assert_eq!(options.seed, Some(7));
    assert_eq!(options.family, Some(Family::Loads));
    assert_eq!(Plant::named("herd"), Some(Plant::LoadsInTwo));
    assert!(parse(&["--family", "odd"]).is_err());
    assert!(parse(&["--seed", "7", "--from", "8"]).is_err());
    let mut names: Vec<&str> = Plant::EACH.iter().map(|plant| plant.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Plant::EACH.len());
}
