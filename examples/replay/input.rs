//! A trace out of a file or a pipe: which format it is in, and its lines.
//!
//! # Idea         unpack, look at the first lines, read on; a line that can't be read is counted and the first one is kept to be shown
//! # Costs        the trace in memory; no line is held beyond 64 KiB
//! # Invariants   N1 no input makes it panic; N2 every non-empty line is a request, the header, or counted as malformed
//! # Not here     what a line of each format says

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::codec::{self, Codec};
use crate::csv::{Columns, Parser};
use crate::trace::{Record, Trace, TraceBuilder};
use crate::{clf, hrt};

/// How the requests are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// The binary columns of an .hrt file
    Hrt,
    /// One key a line
    Keys,
    /// time,key,size,ttl, with or without a header
    Csv,
    /// A web server's access log (Common Log Format, or Combined)
    Clf,
}

/// What the caller says of an input.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// None: found out.
    pub(crate) format: Option<Format>,
    /// The header of a CSV that has none.
    pub(crate) columns: Option<Columns>,
    /// What a unit of CSV's times is worth.
    pub(crate) unit_s: f64,
    /// The size of objects whose size the trace doesn't say.
    pub(crate) size_bytes: u64,
    pub(crate) n_max: u64,
}

/// A trace and how it was found.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) trace: Trace,
    pub(crate) format: Format,
    pub(crate) codec: Codec,
    pub(crate) malformed: Malformed,
}

/// Lines that could not be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) n_lines: u64,
    pub(crate) first: Option<FirstMalformed>,
}

/// The first line that could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FirstMalformed {
    pub(crate) line: u64,
    pub(crate) reason: &'static str,
    /// How it begins, escaped.
    pub(crate) text: String,
}

impl Malformed {
    fn note(&mut self, line: u64, reason: &'static str, text: &[u8]) {
        self.n_lines += 1;
        self.first.get_or_insert_with(|| FirstMalformed {
            line,
            reason,
            text: text[..text.len().min(SHOWN_BYTES)]
                .escape_ascii()
                .to_string(),
        });
    }
}

/// Reads the trace of a file; `-` is the standard input.
pub(crate) fn open(path: &Path, reading: &Reading) -> io::Result<Input> {
    if path.as_os_str() == "-" {
        read(Box::new(io::stdin()), reading)
    } else {
        read(Box::new(File::open(path)?), reading)
    }
}

/// Reads a trace.
pub(crate) fn read(input: Box<dyn Read>, reading: &Reading) -> io::Result<Input> {
    let (plain, codec) = codec::decoded(input)?;
    let (head, mut plain) = codec::peek(plain, HEAD_BYTES)?;
    let format = reading.format.unwrap_or_else(|| detect(&head, reading));
    let mut malformed = Malformed::default();
    let trace = match format {
        Format::Hrt => {
            Trace::from_columns(&hrt::read(&mut plain, reading.n_max)?, reading.size_bytes)
        }
        _ => read_lines(BufReader::new(plain), format, reading, &mut malformed)?,
    };
    Ok(Input {
        trace,
        format,
        codec,
        malformed,
    })
}

/// The format that most of the first lines are in.
fn detect(head: &[u8], reading: &Reading) -> Format {
    if head.starts_with(hrt::MAGIC) {
        return Format::Hrt;
    }
    let lines: Vec<&[u8]> = head
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end)
        .filter(|line| !line.is_empty())
        .take(DETECT_LINES)
        .collect();
    let most = |n_good: usize| n_good * 2 > lines.len();
    if most(lines.iter().filter(|line| clf::parse(line).is_ok()).count()) {
        return Format::Clf;
    }
    let header = lines.first().and_then(|line| header_of(line));
    if reading.columns.is_some() || header.is_some() {
        return Format::Csv;
    }
    let mut parser = Parser::new(Columns::DEFAULT, reading.unit_s);
    let mut is_csv = |line: &&&[u8]| parser.parse(line).is_ok_and(|record| record.at.is_some());
    if most(lines.iter().filter(&mut is_csv).count()) {
        Format::Csv
    } else {
        Format::Keys
    }
}

/// The columns, if the line is a header: it names a key and begins with no number.
fn header_of(line: &[u8]) -> Option<Columns> {
    let text = str::from_utf8(line).ok()?;
    let first = text.split(',').next()?.trim();
    let is_header = text.contains(',') && first.parse::<f64>().is_err();
    is_header.then(|| Columns::from_header(text))?
}

fn read_lines(
    input: impl BufRead,
    format: Format,
    reading: &Reading,
    malformed: &mut Malformed,
) -> io::Result<Trace> {
    let mut lines = Lines::new(input);
    let mut builder = TraceBuilder::default();
    let mut columns = reading.columns;
    let mut parser = Parser::new(columns.unwrap_or(Columns::DEFAULT), reading.unit_s);
    let mut is_first = true;
    while (builder.n_requests() as u64) < reading.n_max && lines.advance()? {
        let line = lines.line();
        if line.is_empty() {
            continue;
        }
        if std::mem::take(&mut is_first) && format == Format::Csv && columns.is_none() {
            columns = header_of(line);
            if let Some(columns) = columns {
                parser = Parser::new(columns, reading.unit_s);
                continue;
            }
        }
        let record = if lines.too_long {
            Err("longer than 64 KiB")
        } else {
            match format {
                Format::Csv => parser.parse(line),
                Format::Clf => clf::parse(line),
                Format::Keys | Format::Hrt => Ok(key_alone(line)),
            }
        };
        match record {
            Ok(record) => builder.push(record, reading.size_bytes),
            Err(reason) => malformed.note(lines.n_lines, reason, line),
        }
    }
    Ok(builder.finish())
}

fn key_alone(key: &[u8]) -> Record<'_> {
    Record {
        key,
        at: None,
        size_bytes: None,
        ttl: None,
    }
}

/// Lines of an input, none of them held beyond a bound.
struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    n_lines: u64,
    too_long: bool,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Lines<R> {
        Lines {
            input,
            buffer: Vec::new(),
            n_lines: 0,
            too_long: false,
        }
    }

    /// Goes to the next line; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let mut limited = self.input.by_ref().take(LINE_BYTES_MAX + 1);
        if limited.read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(false);
        }
        self.n_lines += 1;
        self.too_long = self.buffer.len() as u64 > LINE_BYTES_MAX && !self.buffer.ends_with(b"\n");
        if self.too_long {
            self.input.skip_until(b'\n')?;
        }
        Ok(true)
    }

    /// The line without its end.
    fn line(&self) -> &[u8] {
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

const LINE_BYTES_MAX: u64 = 64 * 1024;
const HEAD_BYTES: u64 = 64 * 1024;
const DETECT_LINES: usize = 32;
/// How much of a malformed line is shown.
const SHOWN_BYTES: usize = 80;

#[cfg(test)]
mod tests;
