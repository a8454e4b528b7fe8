//! The printed tables and the means under them.
//!
//! # Idea         a row a point, a column a cache; under them the mean and the 10th percentile of hit ratio / optimum
//! # Invariants   B1 the last line of all is `mean hit/OPT: NN.NN`; B2 a mean is over the points whose optimum is at least 1 %,
//!   and over nothing else
//! # Not here     running anything

use std::fmt::Write as _;

use crate::point::Point;
use crate::reference::{OPT, Reference};

/// The rows by count: ratios in per cent, then each cache's mean share of the optimum.
pub(crate) fn count(points: &[Point], reference: &Reference) -> String {
    let mut table = Table::new("by count of entries: hit ratio, %", &COUNT_CACHES);
    let mut shares = vec![Vec::new(); COUNT_CACHES.len() + 1];
    for point in points {
        let ours = Some(point.hit_ratio());
        let theirs = COUNT_CACHES.map(|cache| reference.hit_ratio(point, cache));
        table.row(point, ours, &theirs);
        let Some(opt) = reference
            .hit_ratio(point, OPT)
            .filter(|opt| *opt >= OPT_MIN)
        else {
            continue;
        };
        for (shares, ratio) in shares.iter_mut().zip([ours].iter().chain(&theirs)) {
            shares.extend(ratio.map(|ratio| ratio / opt));
        }
    }
    let means: Vec<Option<f64>> = shares.iter().map(|shares| mean(shares)).collect();
    let tenths: Vec<Option<f64>> = shares.iter_mut().map(|shares| tenth(shares)).collect();
    table.summary("mean of hit/OPT", &means);
    table.summary("10th percentile", &tenths);
    let mut text = table.text;
    writeln!(
        text,
        "points with an optimum of at least 1 %: {}",
        shares[0].len()
    )
    .expect(INFALLIBLE);
    writeln!(text, "10th percentile hit/OPT: {}", percent(tenths[0])).expect(INFALLIBLE);
    writeln!(text, "mean hit/OPT: {}", percent(means[0])).expect(INFALLIBLE);
    text
}

/// The rows by bytes; no optimum is known for them.
pub(crate) fn bytes(points: &[Point], reference: &Reference) -> String {
    let title = "by bytes, the engine's overhead an entry included, which the others leave out: hit ratio, %";
    let mut table = Table::new(title, &BYTES_CACHES);
    let mut ratios = vec![Vec::new(); BYTES_CACHES.len() + 1];
    for point in points {
        let ours = Some(point.hit_ratio());
        let theirs = BYTES_CACHES.map(|cache| reference.hit_ratio(point, cache));
        table.row(point, ours, &theirs);
        for (ratios, ratio) in ratios.iter_mut().zip([ours].iter().chain(&theirs)) {
            ratios.extend(*ratio);
        }
    }
    let means: Vec<Option<f64>> = ratios.iter().map(|ratios| mean(ratios)).collect();
    table.summary("mean hit ratio", &means);
    let byte_ratios: Vec<f64> = points.iter().map(Point::byte_hit_ratio).collect();
    let mut text = table.text;
    writeln!(
        text,
        "mean byte hit ratio of larder: {}\n",
        percent(mean(&byte_ratios))
    )
    .expect(INFALLIBLE);
    text
}

/// As they are named in reference.csv.
const COUNT_CACHES: [&str; 8] = [
    OPT,
    "proto-density",
    "sim-S3FIFO",
    "sim-ARC",
    "foyer-lfu",
    "moka",
    "quick_cache",
    "TinyUFO",
];
const BYTES_CACHES: [&str; 6] = [
    "proto-density",
    "sim-S3FIFO",
    "foyer-lfu",
    "moka",
    "quick_cache",
    "TinyUFO",
];
/// Points whose optimum is below this say nothing about a policy.
const OPT_MIN: f64 = 0.01;
const INFALLIBLE: &str = "a String takes all";

struct Table {
    text: String,
    widths: Vec<usize>,
}

impl Table {
    fn new(title: &str, caches: &[&str]) -> Table {
        let widths = ["larder"]
            .iter()
            .chain(caches)
            .map(|cache| cache.len().max(6))
            .collect();
        let mut table = Table {
            text: format!("{title}\n{:<14} {:>5} {:>10}", "trace", "size", "capacity"),
            widths,
        };
        let names = ["larder"].iter().chain(caches);
        for (name, width) in names.zip(&table.widths) {
            write!(table.text, "  {name:>width$}").expect(INFALLIBLE);
        }
        table.text.push('\n');
        table
    }

    fn row(&mut self, point: &Point, ours: Option<f64>, theirs: &[Option<f64>]) {
        let size_pct = point.per_mille as f64 / 10.0;
        write!(
            self.text,
            "{:<14} {size_pct:>5} {:>10}",
            point.trace, point.capacity
        )
        .expect(INFALLIBLE);
        self.cells(&[&[ours], theirs].concat());
    }

    fn summary(&mut self, name: &str, values: &[Option<f64>]) {
        write!(self.text, "{name:<31}").expect(INFALLIBLE);
        self.cells(values);
    }

    fn cells(&mut self, values: &[Option<f64>]) {
        for (value, width) in values.iter().zip(&self.widths) {
            write!(self.text, "  {:>width$}", percent(*value)).expect(INFALLIBLE);
        }
        self.text.push('\n');
    }
}

fn percent(ratio: Option<f64>) -> String {
    ratio.map_or("-".to_owned(), |ratio| format!("{:.2}", 100.0 * ratio))
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The value that a tenth of the others lie below.
fn tenth(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 10).copied()
}

#[cfg(test)]
mod tests;
