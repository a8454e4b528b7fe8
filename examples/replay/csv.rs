//! Comma-separated traces: time, key, size and ttl, in this order or in that of a header.
//!
//! # Idea         each line is one record; `csv-core` takes the quotes off, the columns say which field is what
//! # Costs        one copy of the line
//! # Invariants   V1 a quote that isn't closed spoils its own line and no other
//! # Not here     keys with line breaks: V1 forbids them

use std::time::Duration;

use csv_core::{ReadRecordResult, Reader};

use crate::trace::Record;

/// Which field of a line is what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    time: Option<usize>,
    key: usize,
    size: Option<usize>,
    ttl: Option<usize>,
}

impl Columns {
    /// What a line without a header has.
    pub(crate) const DEFAULT: Columns = Columns {
        time: Some(0),
        key: 1,
        size: Some(2),
        ttl: Some(3),
    };

    /// Reads a header: names in any case, unknown ones passed over; none if it has no key.
    pub(crate) fn from_header(header: &str) -> Option<Columns> {
        let names: Vec<String> = header
            .trim_start_matches('\u{feff}')
            .split(',')
            .map(|name| name.trim().trim_matches('"').to_ascii_lowercase())
            .collect();
        let find = |wanted: &[&str]| {
            names
                .iter()
                .position(|name| wanted.contains(&name.as_str()))
        };
        Some(Columns {
            time: find(&["time", "timestamp", "ts"]),
            key: find(&["key", "id", "obj_id", "object", "path", "url"])?,
            size: find(&["size", "bytes", "value_size", "obj_size"]),
            ttl: find(&["ttl"]),
        })
    }
}

/// Reads lines, one after the other.
#[derive(Debug)]
pub(crate) struct Parser {
    columns: Columns,
    /// What one unit of the time and ttl columns is worth, in seconds.
    unit_s: f64,
    reader: Reader,
    text: Vec<u8>,
    ends: [usize; FIELDS_MAX],
}

impl Parser {
    pub(crate) fn new(columns: Columns, unit_s: f64) -> Parser {
        Parser {
            columns,
            unit_s,
            reader: Reader::new(),
            text: Vec::new(),
            ends: [0; FIELDS_MAX],
        }
    }

    /// Reads one line; an error says what is wrong with it.
    pub(crate) fn parse(&mut self, line: &[u8]) -> Result<Record<'_>, &'static str> {
        let n_fields = self.split(line)?;
        let field = |idx: usize| {
            let begin = if idx == 0 { 0 } else { self.ends[idx - 1] };
            (idx < n_fields).then(|| &self.text[begin..self.ends[idx]])
        };
        let given = |idx: Option<usize>| {
            idx.and_then(field)
                .map(<[u8]>::trim_ascii)
                .filter(|text| !text.is_empty())
        };
        let size_bytes = match given(self.columns.size) {
            Some(text) => Some(parsed(text).ok_or("the size is no number")?),
            None => None,
        };
        let at = match given(self.columns.time) {
            Some(text) => Some(
                self.duration(text)
                    .ok_or("the time is no number of seconds")?,
            ),
            None => None,
        };
        let ttl = match given(self.columns.ttl) {
            Some(text) => Some(
                self.duration(text)
                    .ok_or("the ttl is no number of seconds")?,
            ),
            None => None,
        };
        Ok(Record {
            key: field(self.columns.key).ok_or("no key field")?,
            at,
            size_bytes,
            // Public traces write 0 for requests that set no deadline.
            ttl: ttl.filter(|ttl| !ttl.is_zero()),
        })
    }

    /// Takes the quotes off into `text`; the number of fields.
    fn split(&mut self, line: &[u8]) -> Result<usize, &'static str> {
        self.reader.reset();
        self.text.resize(line.len() + 1, 0);
        let (mut n_in, mut n_out, mut n_fields) = (0, 0, 0);
        // The line's text, then its end: a record that is complete only after that end is whole.
        for (input, is_end) in [(line, false), (&b"\n"[..], true)] {
            n_in = if is_end { 0 } else { n_in };
            while n_in < input.len() {
                let (result, read, written, ended) = self.reader.read_record(
                    &input[n_in..],
                    &mut self.text[n_out..],
                    &mut self.ends[n_fields..],
                );
                n_in += read;
                n_out += written;
                n_fields += ended;
                match result {
                    ReadRecordResult::Record => return Ok(n_fields),
                    ReadRecordResult::InputEmpty => {}
                    ReadRecordResult::OutputEndsFull => return Err("more than 64 fields"),
                    ReadRecordResult::OutputFull | ReadRecordResult::End => {
                        return Err("no record");
                    }
                }
            }
        }
        Err("a quote isn't closed")
    }

    fn duration(&self, text: &[u8]) -> Option<Duration> {
        let units: f64 = parsed(text)?;
        Duration::try_from_secs_f64(units * self.unit_s).ok()
    }
}

const FIELDS_MAX: usize = 64;

fn parsed<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key, time and size, and time to live.
    type Fields<'a> = (&'a str, Option<f64>, Option<u64>, Option<f64>);

    #[track_caller]
    fn check(line: &str, expected: Result<Fields<'_>, &str>) {
        let mut parser = Parser::new(Columns::DEFAULT, 1.0);
        // Twice, so that nothing of a line stays behind for the next.
        for _ in 0..2 {
            let found = parser.parse(line.as_bytes()).map(|record| {
                let key = str::from_utf8(record.key).unwrap().to_owned();
                let seconds =
                    |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
                (
                    key,
                    seconds(record.at),
                    record.size_bytes,
                    seconds(record.ttl),
                )
            });
            let expected = expected.map(|(key, at, size, ttl)| (key.to_owned(), at, size, ttl));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn lines_with_and_without_the_optional_fields() {
        check("1.5,a,10,60", Ok(("a", Some(1.5), Some(10), Some(60.0))));
        check("1,a,10,0", Ok(("a", Some(1.0), Some(10), None)));
        check("1,a", Ok(("a", Some(1.0), None, None)));
        check(",a,,", Ok(("a", None, None, None)));
        check(
            " 7 , a b , 3 ,more,fields",
            Err("the ttl is no number of seconds"),
        );
        check(" 7 ,a b, 3 ,,more", Ok(("a b", Some(7.0), Some(3), None)));
        check(
            r#"1,"a,""b""",2,"#,
            Ok((r#"a,"b""#, Some(1.0), Some(2), None)),
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        check("1", Err("no key field"));
        check("soon,a", Err("the time is no number of seconds"));
        check("inf,a", Err("the time is no number of seconds"));
        check("NaN,a", Err("the time is no number of seconds"));
        check("-1,a", Err("the time is no number of seconds"));
        check("1,a,1.5", Err("the size is no number"));
        check("1,a,-1", Err("the size is no number"));
        check("1,a,1,-5", Err("the ttl is no number of seconds"));
        check("1,a,1,1e300", Err("the ttl is no number of seconds"));
        check("1,\"a,1,5", Err("a quote isn't closed"));
        check(&",".repeat(100), Err("more than 64 fields"));
    }

    #[test]
    fn a_header_moves_the_columns() {
        let columns = Columns::from_header("op, Key ,TTL,\"timestamp\",value_size").unwrap();
        let mut parser = Parser::new(columns, 0.001);
        let record = parser.parse(b"get,k,5000,250,9").unwrap();
        assert_eq!((record.key, record.size_bytes), (&b"k"[..], Some(9)));
        assert_eq!(record.at, Some(Duration::from_millis(250)));
        assert_eq!(record.ttl, Some(Duration::from_secs(5)));
        assert_eq!(Columns::from_header("time,size"), None);
        assert_eq!(
            Columns::from_header("time,key,size,ttl"),
            Some(Columns::DEFAULT)
        );
    }
}
