//! Rounds, absent contenders, and several questions to one run.

use super::*;
use crate::contender::{Floor, QuickCache};
use crate::judge::{Limit, Verdict};
use crate::kind::Words;
use crate::measure::{Private, Shared};

const SCALE: Scale = Scale {
    n_ops: 100,
    n_rounds: 3,
    ..Scale::QUICK
};

fn field(_: &Scale) -> Vec<Entrant<Words>> {
    let mut cache = Entrant::<Words> {
        name: "quick_cache",
        subject: Box::new(Shared(QuickCache::<Words>::new(4000))),
    };
    let keys: Vec<u64> = (0..1000).map(Words::key).collect();
    cache.subject.fill(&keys, &1);
    let floor = Entrant::<Words> {
        name: "floor",
        subject: Box::new(Private(vec![Floor::<Words>::new()])),
    };
    vec![cache, floor]
}

fn lane(entrant: &'static str, job: Job, n_threads: usize) -> LanePlan {
    LanePlan {
        entrant,
        label: entrant,
        job,
        n_threads,
    }
}

fn question(name: &str, figure: Figure) -> Question {
    Question {
        name: name.to_owned(),
        figure,
        goal: Some(Goal::table(Limit::RatioMax(1.0))),
    }
}

fn run(only: &str, job: Job) -> Vec<Row> {
    let plan = RowPlan {
        section: "tests",
        questions: vec![
            question("the mean", Figure::Mean),
            question("the 99th", Figure::Get(0.99)),
        ],
        draw: Draw::Zipf,
        lanes: ["quick_cache", "floor", "papaya"]
            .map(|name| lane(name, job, 2))
            .into(),
        base: "quick_cache",
    };
    let group = Group::<Words> {
        field,
        value: &1,
        n_keys: 1000,
        absent: |_| "isn't here",
        rows: vec![plan],
    };
    group.run(&Wish {
        scale: SCALE,
        only: only.to_owned(),
        traces: None,
    })
}

#[test]
fn questions_of_one_run_are_rows_of_their_own() {
    let rows = run("the", Job::TimedMix { insert_each: 10 });
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["the mean", "the 99th"]);
    for row in &rows {
        assert_eq!(row.lanes[0].samples.len(), SCALE.n_rounds);
        assert_eq!(row.lanes[0].hits_pct, Some(100.0));
        // It is its own base.
        assert_eq!((row.figure(), row.verdict()), (Some(1.0), Verdict::Held));
    }
    assert!(run("nothing", Job::Get).is_empty());
    assert_eq!(run("mean", Job::Get).len(), 1);
}

#[test]
fn who_cannot_run_is_named_with_the_reason() {
    let rows = run("mean", Job::Get);
    let why = |idx: usize| rows[0].lanes[idx].absent.clone();
    assert_eq!(why(0), None);
    assert_eq!(why(1).unwrap(), "has maps for 1 threads at this scale");
    assert_eq!(why(2).unwrap(), "isn't here");
    assert!(rows[0].lanes[1].samples.is_empty());
}

#[test]
fn streams_repeat_nothing_that_is_fresh() {
    let mut streams = Streams::<Words>::new(1000, &SCALE);
    let first = streams.draw(Draw::Fresh, 100).to_vec();
    let second = streams.draw(Draw::Fresh, 100).to_vec();
    assert!(first.iter().all(|key| !second.contains(key)));
    assert!(
        streams
            .draw(Draw::Hottest, 3)
            .iter()
            .all(|key| *key == Words::key(0))
    );
    // More than is left of a stream: it begins again.
    for _ in 0..20 {
        assert_eq!(streams.draw(Draw::Uniform, 700).len(), 700);
    }
}
