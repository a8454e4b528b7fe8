//! The reference figures: reference.csv of the traces' folder.
//!
//! # Idea         mode, trace, cache, size_pct, capacity, requests, hits, hit_ratio, byte_hit_ratio; found by their names in the header
//! # Invariants   E1 a point of ours is compared with a row of the same mode, trace, share and capacity, or with none
//! # Not here     how the figures were made

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use crate::point::{Mode, Point};

/// The optimum's name in the file.
pub(crate) const OPT: &str = "OPT";

/// Hit ratios by point and cache.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    rows: HashMap<(Mode, String, u64, String), Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    capacity: u64,
    hit_ratio: f64,
}

impl Reference {
    pub(crate) fn read(path: &Path) -> Result<Reference, Box<dyn Error>> {
        let text = fs::read_to_string(path)
            .map_err(|error| format!("can't read {}: {error}", path.display()))?;
        Reference::parse(&text).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    pub(crate) fn parse(text: &str) -> Result<Reference, String> {
        let mut lines = text.lines().enumerate();
        let (_, header) = lines.next().ok_or("the file is empty")?;
        let names: Vec<&str> = header.split(',').collect();
        let place = |name: &str| {
            let found = names.iter().position(|other| *other == name);
            found.ok_or_else(|| format!("there is no column {name}"))
        };
        let (mode, trace, cache) = (place("mode")?, place("trace")?, place("cache")?);
        let (size_pct, capacity, hit_ratio) =
            (place("size_pct")?, place("capacity")?, place("hit_ratio")?);
        let mut rows = HashMap::new();
        for (idx, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let fields: Vec<&str> = line.split(',').collect();
            let field = |place: usize| fields.get(place).copied().unwrap_or_default();
            let number = |place: usize| {
                let parsed = field(place).parse::<f64>();
                parsed.map_err(|_| format!("line {}: {:?} is no number", idx + 1, field(place)))
            };
            let mode = match field(mode) {
                "count" => Mode::Count,
                "bytes" => Mode::Bytes,
                other => return Err(format!("line {}: there is no mode {other:?}", idx + 1)),
            };
            let per_mille = (number(size_pct)? * 10.0).round() as u64;
            let row = Row {
                capacity: number(capacity)? as u64,
                hit_ratio: number(hit_ratio)?,
            };
            rows.insert(
                (
                    mode,
                    field(trace).to_owned(),
                    per_mille,
                    field(cache).to_owned(),
                ),
                row,
            );
        }
        Ok(Reference { rows })
    }

    /// What `cache` reached at `point`.
    pub(crate) fn hit_ratio(&self, point: &Point, cache: &str) -> Option<f64> {
        let key = (
            point.mode,
            point.trace.clone(),
            point.per_mille,
            cache.to_owned(),
        );
        let row = self.rows.get(&key)?;
        (row.capacity == point.capacity).then_some(row.hit_ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "mode,trace,cache,size_pct,capacity,requests,hits,hit_ratio,byte_hit_ratio\n\
                        count,a,OPT,0.1,70,100,50,0.5,0\nbytes,a,moka,25,900,100,40,0.4,0.3\n";

    fn point(mode: Mode, per_mille: u64, capacity: u64) -> Point {
        Point {
            mode,
            trace: "a".to_owned(),
            per_mille,
            capacity,
            n_requests: 0,
            n_hits: 0,
            bytes_asked: 0,
            bytes_hit: 0,
        }
    }

    #[test]
    fn a_row_is_found_by_its_point() {
        let reference = Reference::parse(TEXT).unwrap();
        assert_eq!(
            reference.hit_ratio(&point(Mode::Count, 1, 70), OPT),
            Some(0.5)
        );
        assert_eq!(
            reference.hit_ratio(&point(Mode::Bytes, 250, 900), "moka"),
            Some(0.4)
        );
        assert_eq!(reference.hit_ratio(&point(Mode::Count, 1, 71), OPT), None);
        assert_eq!(reference.hit_ratio(&point(Mode::Count, 10, 70), OPT), None);
        assert_eq!(
            reference.hit_ratio(&point(Mode::Bytes, 250, 900), OPT),
            None
        );
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        for (from, to, expected) in [
            ("0.5,", "half,", "line 2: \"half\" is no number"),
            ("bytes", "octets", "line 3: there is no mode \"octets\""),
            ("size_pct", "size", "there is no column size_pct"),
            (",0.4,0.3", "", "line 3: \"\" is no number"),
        ] {
            assert_eq!(
                Reference::parse(&TEXT.replace(from, to)).unwrap_err(),
                expected
            );
        }
        assert!(Reference::parse("").is_err());
    }
}
