//! What a run is told as: text, JSON, Markdown, pictures.
//!
//! # Idea         one structure, written four ways
//! # Costs        none that is timed
//! # Invariants   RE1 lost rows come first; RE2 the last line of the text is `rows lost: N of M`
//! # Not here     what is lost: module `judge`

mod markdown;
mod pictures;
mod text;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::thread;

use serde::Serialize;

use crate::judge::{Count, Goal, Limit, Row, Verdict, median};

/// A run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The day.
    date: String,
    machine: Machine,
    /// What was asked for, as it was typed.
    command: String,
    count: Count,
    rows: Vec<Judged>,
}

/// Where it ran.
#[derive(Debug, Serialize)]
struct Machine {
    processor: String,
    n_cores: usize,
}

/// A row and what became of it.
#[derive(Debug, Serialize)]
struct Judged {
    verdict: Verdict,
    figure: Option<f64>,
    #[serde(flatten)]
    row: Row,
}

impl Report {
    /// Judges the rows, and puts the lost ones first.
    pub fn new(command: String, rows: Vec<Row>) -> Self {
        let count = Count::of(&rows);
        let judged = |row: Row| Judged {
            verdict: row.verdict(),
            figure: row.figure(),
            row,
        };
        let mut rows: Vec<Judged> = rows.into_iter().map(judged).collect();
        rows.sort_by_key(|judged| judged.verdict);
        Self {
            date: jiff::Zoned::now().date().to_string(),
            machine: Machine::here(),
            command,
            count,
            rows,
        }
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        text::of(self)
    }

    /// Everything, with each round.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_json(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        fs::write(path, serde_json::to_string_pretty(self)?)?;
        Ok(())
    }

    /// The tables; in a file that has the marks, between them.
    ///
    /// # Errors
    /// If the file can't be read or written, or has one mark without the other.
    pub fn write_markdown(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let page = fs::read_to_string(path).unwrap_or_default();
        let page = markdown::put_into(&page, &markdown::of(self))
            .map_err(|why| format!("{}: {why}", path.display()))?;
        fs::write(path, page)?;
        Ok(())
    }

    /// The pictures, into a folder.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn write_pictures(&self, folder: &Path) -> Result<(), Box<dyn Error>> {
        fs::create_dir_all(folder)?;
        pictures::draw(self, folder)
    }

    /// Rows with a goal that became this.
    fn with(&self, verdict: Verdict) -> impl Iterator<Item = &Judged> {
        self.rows.iter().filter(move |row| row.verdict == verdict)
    }
}

impl Machine {
    fn here() -> Self {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            processor: processor(&text)
                .unwrap_or("an unknown processor")
                .to_owned(),
            n_cores: thread::available_parallelism().map_or(1, |n| n.get()),
        }
    }
}

fn processor(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

impl Judged {
    /// What it is and what it should be, in one line.
    fn verdict_line(&self) -> String {
        let Some(goal) = self.row.goal else {
            return self.verdict.word().to_owned();
        };
        let Some(figure) = self.figure else {
            let why = self
                .row
                .lanes
                .iter()
                .find_map(|lane| lane.absent.as_deref());
            return format!("not measured: {}", why.unwrap_or("without samples"));
        };
        let fewer = if self.row.has_fewer_hits() {
            ", at fewer hits"
        } else {
            ""
        };
        let figure = self.quoted(figure);
        format!(
            "{}: {figure}, goal {}{fewer}",
            self.verdict.word(),
            self.goal(goal)
        )
    }

    /// What has to be reached, with what it is to.
    fn goal(&self, goal: Goal) -> String {
        let base = self.row.base.map_or("", |base| &self.row.lanes[base].name);
        match goal.limit {
            Limit::RatioMax(max) => format!("<= {} of {base}", significant(max)),
            Limit::Max(max) => format!("<= {} {}", significant(max), self.row.unit),
            Limit::Min(min) => format!(">= {} {}", significant(min), self.row.unit),
            Limit::BehindMax(max) => format!("<= {} behind {base}", significant(max)),
        }
    }

    /// The judged figure with its unit, if it has one.
    fn quoted(&self, figure: f64) -> String {
        match self.row.goal.map(|goal| goal.limit) {
            Some(Limit::Max(_) | Limit::Min(_)) => {
                format!("{} {}", significant(figure), self.row.unit)
            }
            _ => significant(figure),
        }
    }

    /// How far it is from its goal, as a factor: above one is lost.
    fn share_of_goal(&self) -> Option<f64> {
        let share = match self.row.goal?.limit {
            Limit::RatioMax(max) | Limit::Max(max) | Limit::BehindMax(max) => self.figure? / max,
            Limit::Min(min) => min / self.figure?,
        };
        share.is_finite().then_some(share)
    }

    /// A lane's median.
    fn median(&self, lane: usize) -> Option<f64> {
        median(&self.row.lanes.get(lane)?.samples)
    }
}

/// Three digits that mean something, or as many as stand before the point.
fn significant(value: f64) -> String {
    let size = value.abs();
    let n_decimals = if size >= 99.95 {
        1
    } else if size >= 0.995 || size == 0.0 {
        2
    } else {
        3
    };
    let text = format!("{value:.n_decimals$}");
    match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
