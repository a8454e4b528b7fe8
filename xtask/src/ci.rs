//! What CI runs: the commands of a person, quickest first.
//!
//! # Idea         a table of names and functions, walked until one fails; the time of each is printed
//! # Not here     what the commands do

use std::time::Duration;

use crate::commands;
use crate::coverage;
use crate::instructions::instructions;
use crate::run::{Failure, now};

pub(crate) fn ci() -> Result<(), Failure> {
    let mut taken: Vec<(&str, Duration)> = Vec::new();
    for (name, step) in STEPS {
        println!("==> {name}");
        let begun = now();
        step().map_err(|failure| Failure::new(format!("{name}: {failure}")))?;
        taken.push((name, begun.elapsed()));
    }
    for (name, time) in taken {
        println!("ci: {name:<17} {:>6.1} s", time.as_secs_f64());
    }
    println!("ci: all steps passed");
    Ok(())
}

type StepFn = fn() -> Result<(), Failure>;

const STEPS: [(&str, StepFn); 10] = [
    ("check", commands::check),
    ("faults", || coverage::faults(&["--check".to_owned()])),
    ("spec", || coverage::spec(&["--check".to_owned()])),
    ("test", || commands::test(&[])),
    ("histories", || commands::histories(&[])),
    ("doc", commands::doc),
    ("loom", || commands::loom(&[])),
    ("bench --smoke", || commands::bench(&["--smoke".to_owned()])),
    // After the benches, whose build leaves little to build for it.
    ("instructions", || instructions(&[])),
    // The others wait for a build of some minutes; what the fuzzer kept of them is run through by tests.
    ("fuzz 0.2 --engine", || {
        commands::fuzz(&["0.2".to_owned(), "--engine".to_owned()])
    }),
];
