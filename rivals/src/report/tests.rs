//! What a report says of a few rows.

use super::*;
use crate::judge::Lane;

fn row(name: &str, limit: Option<Limit>, own: &[f64]) -> Row {
    Row {
        name: name.to_owned(),
        section: "get",
        unit: "ns",
        lanes: vec![
            Lane::of("larder", own.to_vec()),
            Lane::of("quick_cache", vec![10.0; own.len()]),
            Lane::absent("foyer", "has no time to live"),
        ],
        base: Some(1),
        goal: limit.map(Goal::table),
        note: None,
    }
}

fn report() -> Report {
    Report::new(
        "rivals --quick".to_owned(),
        vec![
            row("shown", None, &[5.0]),
            row("won", Some(Limit::RatioMax(0.9)), &[8.0, 9.0, 9.0]),
            row("unknown", Some(Limit::RatioMax(0.9)), &[]),
            row("lost", Some(Limit::RatioMax(0.9)), &[9.1, 9.2, 9.3]),
        ],
    )
}

#[test]
fn what_is_lost_comes_first_and_the_count_last() {
    let text = report().text();
    assert_eq!(text.lines().last(), Some("rows lost: 1 of 2"));
    let second = text.lines().nth(1).unwrap();
    assert!(
        second.starts_with("lost ") && second.contains("LOST: 0.92, goal <= 0.9 of quick_cache")
    );
    let at = |what: &str| text.find(what).unwrap();
    assert!(at("\nlost   [") < at("\nunknown   ["));
    assert!(at("\nunknown   [") < at("\nwon   ["));
    assert!(at("\nwon   [") < at("\nshown   ["));
    assert!(text.contains("rows not measured: 1\n"));
}

#[test]
fn who_cannot_is_a_dash_with_the_reason() {
    let text = report().text();
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("foyer"));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(words[..3], ["foyer", "-", "has"]);
}

#[test]
fn json_has_every_round_and_the_verdict() {
    let path = std::env::temp_dir().join(format!("rivals-{}.json", std::process::id()));
    report().write_json(&path).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(json["count"]["n_lost"], 1);
    assert_eq!(json["rows"][0]["verdict"], "Lost");
    assert_eq!(json["rows"][0]["lanes"][0]["samples"][2], 9.3);
}

#[test]
fn pictures_are_drawn_for_what_there_is() {
    let folder = std::env::temp_dir().join(format!("rivals-pictures-{}", std::process::id()));
    let mut report = report();
    for (threads, judged) in ["1 thread", "2 threads"].iter().zip(&mut report.rows) {
        judged.row.name = format!("get zipf, {threads}");
        judged.row.lanes[0].samples = vec![4.0];
    }
    report.write_pictures(&folder).unwrap();
    let goals = fs::read_to_string(folder.join("goals.svg")).unwrap();
    let threads = fs::read_to_string(folder.join("threads-get-zipf.svg")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(goals.contains("won"));
    assert!(threads.contains("quick_cache") && !threads.contains("foyer"));
}

#[test]
fn figures_keep_the_digits_that_mean_something() {
    for (value, expected) in [
        (0.0, "0"),
        (0.0187, "0.019"),
        (0.7, "0.7"),
        (1.234, "1.23"),
        (86.5, "86.5"),
        (180.0, "180"),
        (4469.26, "4469.3"),
        (-0.25, "-0.25"),
    ] {
        assert_eq!(significant(value), expected);
    }
}

#[test]
fn the_processor_has_a_name() {
    assert_eq!(
        processor("cpu\t: 0\nmodel name\t: AMD EPYC\n"),
        Some("AMD EPYC")
    );
    assert_eq!(processor(""), None);
}
