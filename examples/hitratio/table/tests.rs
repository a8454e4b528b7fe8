//! Properties: B1; B2; a point without reference figures has dashes and counts nowhere.

use super::*;
use crate::point::Mode;

fn point(trace: &str, n_hits: u64) -> Point {
    Point {
        mode: Mode::Count,
        trace: trace.to_owned(),
        per_mille: 10,
        capacity: 100,
        n_requests: 1_000,
        n_hits,
        bytes_asked: 0,
        bytes_hit: 0,
    }
}

fn reference(rows: &str) -> Reference {
    let header = "mode,trace,cache,size_pct,capacity,requests,hits,hit_ratio,byte_hit_ratio";
    Reference::parse(&format!("{header}\n{rows}")).unwrap()
}

#[test]
fn the_mean_is_over_the_points_with_an_optimum() {
    let rows = "count,a,OPT,1,100,1000,800,0.8,0\ncount,b,OPT,1,100,1000,500,0.5,0\n\
                count,low,OPT,1,100,1000,9,0.009,0\ncount,a,moka,1,100,1000,600,0.6,0\n";
    let points = [
        point("a", 600),
        point("b", 500),
        point("low", 1),
        point("unknown", 999),
    ];
    let text = count(&points, &reference(rows));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.last(), Some(&"mean hit/OPT: 87.50"));
    assert!(text.ends_with('\n'));
    assert!(lines.contains(&"points with an optimum of at least 1 %: 2"));
    assert!(lines.contains(&"10th percentile hit/OPT: 75.00"));
    let cells = |name: &str| -> Vec<&str> {
        let line = lines.iter().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().collect()
    };
    assert_eq!(
        cells("a ")[..7],
        ["a", "1", "100", "60.00", "80.00", "-", "-"]
    );
    assert_eq!(cells("unknown")[3..5], ["99.90", "-"]);
    assert_eq!(cells("mean of hit/OPT")[3..6], ["87.50", "100.00", "-"]);
}

#[test]
fn no_point_at_all_is_a_dash() {
    let text = count(&[], &reference("count,a,OPT,1,100,1000,800,0.8,0"));
    assert!(text.ends_with("mean hit/OPT: -\n"), "{text}");
}

#[test]
fn a_tenth_lies_below_the_percentile() {
    let mut values: Vec<f64> = (0..60).rev().map(f64::from).collect();
    assert_eq!(tenth(&mut values), Some(6.0));
    assert_eq!((tenth(&mut []), tenth(&mut [3.0])), (None, Some(3.0)));
}
