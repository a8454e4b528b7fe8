//! The tool at a small size: what it shows holds, what it draws is there, what it doesn't take is refused.

use super::*;
use crate::run::{Outcome, STEP, WINDOWS};
use crate::traffic::{FLOOD, N_PHASES};

fn parse(words: &[&str]) -> Result<Options, clap::Error> {
    Options::try_parse_from(["tenants"].iter().chain(words))
}

fn all_runs(words: &[&str]) -> (Settings, Plan, Runs) {
    let options = parse(words).unwrap();
    let (settings, plan) = plan(&options, run::entry_bytes().unwrap());
    let traffic = Traffic::draw(&plan, options.seed).unwrap();
    let runs = runs(&options, &settings, &traffic, &ProgressBar::hidden()).unwrap();
    (settings, plan, runs)
}

fn hit_pct(run: &Outcome) -> f64 {
    run.phase(FLOOD).b.hit_pct().unwrap()
}

#[track_caller]
fn check_isolation(words: &[&str]) {
    let (settings, plan, runs) = all_runs(words);
    let alone_pct = hit_pct(&runs.alone);
    assert!((80.0..95.0).contains(&alone_pct), "{alone_pct}");
    assert!(
        runs.moved(&runs.shares) <= 0.5,
        "{}",
        runs.moved(&runs.shares)
    );
    let without_pct = hit_pct(&runs.shared);
    assert!(
        without_pct < alone_pct - 2.0,
        "{without_pct} of {alone_pct}"
    );
    // The flood was one, and what was idle was lent to it.
    let flood = runs.shares.phase(FLOOD);
    assert_eq!((flood.a.n_requests, flood.a.n_hits), (plan.n_flood, 0));
    assert!(plan.n_flood * run::entry_bytes().unwrap() >= 10 * settings.max_bytes);
    assert!(flood.a_bytes > settings.guaranteed_a, "{}", flood.a_bytes);
    assert!(runs.shares.highest_bytes() <= settings.max_bytes);
    assert_eq!(runs.shares.n_refused() + runs.shared.n_refused(), 0);
}

#[test]
fn a_flood_leaves_the_other_tenant_alone() {
    check_isolation(&["--bytes", "2M"]);
}

#[test]
fn a_flood_from_another_thread_does_so_too() {
    check_isolation(&["--bytes", "1M", "--threads", "2"]);
}

#[test]
fn a_loan_ends_at_the_guarantee() {
    let filler = [
        "--bytes",
        "1M",
        "--ttl",
        "0",
        "--once",
        "40",
        "--requests",
        "15000",
    ];
    let (settings, _, runs) = all_runs(&filler);
    let guaranteed = settings.guaranteed_b;
    assert!(runs.shares.phase(0).b_bytes > guaranteed * 5 / 4);
    // All that A needs it took from the loan: down to the guarantee and no further than what is on its way.
    let in_flood = &runs.shares.windows[FLOOD * WINDOWS..];
    let least = in_flood.iter().map(|window| window.b_bytes).min().unwrap();
    assert!(least >= guaranteed * 49 / 50, "{least} of {guaranteed}");
    let confined = runs.confined.windows.iter();
    assert!(confined.clone().all(|window| window.b_bytes <= guaranteed));
    let shared = runs.shared.phase(FLOOD).b_bytes;
    assert!(shared < guaranteed * 49 / 50, "{shared} of {guaranteed}");
}

#[test]
fn one_thread_repeats_itself() {
    let words = ["--bytes", "1M", "--requests", "5000", "--rates", "9000"];
    let (_, _, first) = all_runs(&words);
    let (_, _, second) = all_runs(&words);
    assert_eq!(first, second);
    let (_, _, other) = all_runs(&[&words[..], &["--seed", "2"]].concat());
    assert_ne!(first.shares, other.shares);
}

#[test]
fn a_limited_tenant_gets_its_rate() {
    let words = ["--bytes", "1M", "--requests", "20000", "--rates", "5000"];
    let (_, plan, runs) = all_runs(&words);
    let (rate, limited) = runs.limited.unwrap();
    let admitted = limited.phase(FLOOD).a.n_requests;
    assert_eq!(admitted + limited.refusals.n, plan.n_flood);
    let seconds = STEP.as_secs_f64() * plan.n_requests as f64;
    let most = rate.burst_tokens() as f64 + 5000.0 * seconds;
    // It asks more often than once a token, so it gets all of them.
    let admitted = admitted as f64;
    assert!(
        admitted <= most && admitted >= most - 2.0,
        "{admitted} of {most}"
    );
    assert_eq!(limited.refusals.longest, Some(Duration::from_micros(200)));
    let probe = limited.probe.unwrap();
    assert!(probe.passed && !probe.early_passed);
}

#[test]
fn it_prints_a_table_and_draws_a_picture() {
    let path = std::env::temp_dir().join(format!("larder-tenants-{}.svg", std::process::id()));
    let file = path.to_str().unwrap();
    let words = [
        "--bytes",
        "1M",
        "--requests",
        "6000",
        "--rates",
        "9000",
        "--plot",
        file,
    ];
    let text = run(&parse(&words).unwrap()).unwrap();
    let svg = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    for expected in [
        "hit ratio of B",
        "refused inserts",
        "retry_after",
        "picture: ",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let last = text.strip_suffix('\n').unwrap().lines().last().unwrap();
    let figure = last
        .strip_prefix("B moved: ")
        .and_then(|rest| rest.strip_suffix(" points"));
    let (whole, tenths) = figure.unwrap().split_once('.').unwrap();
    assert!(whole.parse::<u32>().is_ok() && tenths.len() == 1, "{last}");

    for expected in [
        "<svg",
        "with shares",
        "without shares",
        "guaranteed to B",
        "A limited",
    ] {
        assert!(svg.contains(expected), "{expected}");
    }
    let n_points = |line: &str| line.matches(',').count();
    let long = svg.lines().filter(|line| line.contains("<polyline"));
    let long = long.filter(|line| n_points(line) >= N_PHASES * WINDOWS);
    // Four ratios, and the bytes of A and B, twice.
    assert_eq!(long.count(), 8);
}

#[test]
fn without_a_picture_none_is_drawn() {
    let words = ["--bytes", "1M", "--requests", "1000", "--no-plot"];
    let text = run(&parse(&words).unwrap()).unwrap();
    assert!(!text.contains("picture") && text.contains("B moved: "));
}

#[test]
fn a_picture_that_can_not_be_written_is_an_error() {
    let words = [
        "--bytes",
        "1M",
        "--requests",
        "1000",
        "--plot",
        "/nowhere/at all.svg",
    ];
    let error = run(&parse(&words).unwrap()).unwrap_err().to_string();
    assert!(
        error.starts_with("can't draw /nowhere/at all.svg: "),
        "{error}"
    );
}

#[test]
fn options_are_checked() {
    assert!(parse(&[]).is_ok());
    let good = [
        "--bytes",
        "64m",
        "--zipf",
        "1.2",
        "--seed",
        "9",
        "--threads",
        "2",
        "--ttl",
        "0.5",
    ];
    assert!(parse(&good).is_ok());
    for (option, value) in [
        ("--bytes", "1023K"),
        ("--bytes", "2G"),
        ("--bytes", "M"),
        ("--bytes", "-1"),
        ("--bytes", "99999999999G"),
        ("--requests", "999"),
        ("--requests", "20000001"),
        ("--zipf", "-0.1"),
        ("--zipf", "NaN"),
        ("--zipf", "5.1"),
        ("--threads", "0"),
        ("--threads", "3"),
        ("--rates", "0"),
        ("--rates", "10000001"),
        ("--once", "91"),
        ("--working-set", "0"),
        ("--ttl", "-1"),
        ("--ttl", "1e300"),
        ("--seed", "x"),
    ] {
        let error = parse(&[&format!("{option}={value}")]).unwrap_err();
        assert!(
            error.to_string().contains(option),
            "{option} {value}: {error}"
        );
    }
    assert!(parse(&["--plot", "a.svg", "--no-plot"]).is_err());
}

#[test]
fn the_extremes_of_the_options_run() {
    for words in [
        &["--zipf", "0", "--ttl", "1000000", "--working-set", "1"][..],
        &["--zipf", "5", "--ttl", "0.000000001", "--once", "90"],
        &["--zipf", "1", "--working-set", "1000", "--rates", "1"],
    ] {
        let all = [words, &["--bytes", "1M", "--requests", "1000", "--no-plot"]].concat();
        let text = run(&parse(&all).unwrap()).unwrap();
        assert!(text.contains("B moved: "), "{words:?}");
    }
}
