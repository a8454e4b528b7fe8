//! The errors as a table: by trace, by size, and of all.

use std::fmt::Write;

use crate::point::{Answer, SizeAnswer};

/// Mean and largest absolute errors, in points.
pub(crate) fn table(answers: &[Answer]) -> String {
    let mut text = format!(
        "{:<16} {:>6} {:>7} {:>7} {:>7} {:>7}   {:>4}\n",
        "absolute error", "points", "mean", "max", "LRU", "max", "rates"
    );
    let mut traces: Vec<&str> = answers.iter().map(|answer| &*answer.trace).collect();
    traces.dedup();
    for trace in traces {
        let of_trace = answers.iter().filter(|answer| answer.trace == trace);
        let rates: Vec<String> = of_trace
            .clone()
            .map(|answer| format!("{:.3}", answer.rate))
            .collect();
        let sizes: Vec<SizeAnswer> = of_trace.flat_map(|answer| answer.sizes.clone()).collect();
        line(&mut text, trace, &sizes, &rates.join(" "));
    }
    let all: Vec<SizeAnswer> = answers
        .iter()
        .flat_map(|answer| answer.sizes.clone())
        .collect();
    let mut factors: Vec<f64> = all.iter().map(|size| size.factor).collect();
    factors.sort_by(f64::total_cmp);
    factors.dedup();
    for factor in factors {
        let of_size: Vec<SizeAnswer> = all
            .iter()
            .filter(|size| size.factor == factor)
            .copied()
            .collect();
        line(&mut text, &format!("size x {factor}"), &of_size, "");
    }
    line(&mut text, "all", &all, "");
    text
}

fn line(text: &mut String, name: &str, sizes: &[SizeAnswer], rest: &str) {
    let tracked: Vec<f64> = sizes
        .iter()
        .map(|size| error(size.truth, size.tracked))
        .collect();
    let lru: Vec<f64> = sizes
        .iter()
        .filter_map(|size| Some(error(size.truth, size.lru?)))
        .collect();
    let [mean, most] = mean_and_max(&tracked);
    let lru = match lru.is_empty() {
        true => format!("{:>7} {:>7}", "-", "-"),
        false => {
            let [mean, most] = mean_and_max(&lru);
            format!("{mean:>7.2} {most:>7.2}")
        }
    };
    let n = tracked.len();
    // Writing to a string doesn't fail.
    let _ = writeln!(
        text,
        "{name:<16} {n:>6} {mean:>7.2} {most:>7.2} {lru}   {rest}"
    );
}

/// In points.
fn error(truth: f64, said: f64) -> f64 {
    (truth - said).abs() * 100.0
}

fn mean_and_max(errors: &[f64]) -> [f64; 2] {
    let mean = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
    [mean, errors.iter().copied().fold(0.0, f64::max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(trace: &str, tracked: f64, lru: Option<f64>) -> Answer {
        let size = |factor, tracked| SizeAnswer {
            factor,
            truth: 0.5,
            tracked,
            lru,
        };
        Answer {
            trace: trace.to_owned(),
            capacity: 10,
            rate: 0.25,
            sizes: vec![size(0.5, tracked), size(1.0, 0.5)],
        }
    }

    #[test]
    fn errors_are_means_in_points() {
        let text = table(&[answer("a", 0.52, Some(0.4)), answer("b", 0.46, Some(0.6))]);
        let line = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace()
                .skip(1)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(line("a "), "2 1.00 2.00 10.00 10.00 0.250");
        assert_eq!(line("all"), "4 1.50 4.00 10.00 10.00");
        assert_eq!(line("size x 0.5"), "x 0.5 2 3.00 4.00 10.00 10.00");
        assert_eq!(line("size x 1"), "x 1 2 0.00 0.00 10.00 10.00");
        assert!(table(&[answer("a", 0.5, None)]).contains(" - "));
    }
}
