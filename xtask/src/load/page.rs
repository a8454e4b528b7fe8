//! The page of the figures: a section between two marks for each part.
//!
//! # Idea         a run replaces the sections that it measured, and leaves the rest of the page alone
//! # Invariants   P1 a section says when it was made, and by which command
//! # Not here     figures

use std::fs;

use crate::run::{Failure, Step, root};

/// A part's figures.
pub(crate) struct Section {
    pub(crate) part: &'static str,
    title: &'static str,
    columns: &'static [&'static str],
    pub(crate) rows: Vec<Row>,
    /// What isn't installed.
    pub(crate) skipped: Vec<String>,
    pub(crate) notes: Vec<String>,
}

pub(crate) struct Row(pub(crate) Vec<String>);

impl Section {
    pub(crate) fn new(
        part: &'static str,
        title: &'static str,
        columns: &'static [&'static str],
    ) -> Section {
        Section {
            part,
            title,
            columns,
            rows: Vec::new(),
            skipped: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(crate) fn render(&self) -> String {
        let mut text = format!("## {}\n\n", self.title);
        if !self.rows.is_empty() {
            let line = |cells: &mut dyn Iterator<Item = &str>| {
                format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
            };
            text += &line(&mut self.columns.iter().copied());
            text += &format!("|{}\n", "---|".repeat(self.columns.len()));
            for Row(cells) in &self.rows {
                text += &line(&mut cells.iter().map(String::as_str));
            }
            text.push('\n');
        }
        for name in &self.skipped {
            text += &format!("SKIPPED: {name} isn't installed.\n\n");
        }
        for note in &self.notes {
            text += &format!("{note}\n");
        }
        let day = Step::new("date").args(["+%Y-%m-%d"]).output();
        let day = day.map_or("an unknown day".to_owned(), |day| day.trim().to_owned());
        text + &format!("`cargo xtask load {}`, {day}.\n", self.part)
    }
}

/// Puts a section into the page, in place of what was there.
pub(crate) fn replace(section: &Section) -> Result<(), Failure> {
    let path = root().join(PATH);
    let page = fs::read_to_string(&path)
        .map_err(|error| Failure::new(format!("can't read {PATH}: {error}")))?;
    let page = between(&page, section.part, &section.render())
        .ok_or_else(|| Failure::new(format!("{PATH} has no marks for {}", section.part)))?;
    fs::write(&path, page).map_err(|error| Failure::new(format!("can't write {PATH}: {error}")))
}

const PATH: &str = "docs/benchmarks/http.md";

/// The page with `text` between the marks of `part`; none if it has no such marks.
pub(crate) fn between(page: &str, part: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {part} -->\n"), format!("<!-- /{part} -->"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{text}{end}{after}"))
}
