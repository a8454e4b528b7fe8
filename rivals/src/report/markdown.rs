//! A report as tables of a page.

use std::fmt::Write as _;

use super::{Judged, Report, significant};
use crate::judge::{Lane, Source, Verdict};

/// Between these two lines of a page a run writes.
const BEGIN: &str = "<!-- rivals: begin -->";
const END: &str = "<!-- rivals: end -->";

/// The page with these tables between its marks; the tables alone, with marks, if the page has none.
pub(super) fn put_into(page: &str, tables: &str) -> Result<String, &'static str> {
    match (page.find(BEGIN), page.find(END)) {
        (None, None) if page.trim().is_empty() => Ok(format!("{BEGIN}\n{tables}{END}\n")),
        (None, None) => Err("the page has no marks to write between"),
        (Some(begin), Some(end)) if begin < end => Ok(format!(
            "{}{BEGIN}\n{tables}{}",
            &page[..begin],
            &page[end..]
        )),
        _ => Err("the page has one mark without the other, or the last one first"),
    }
}

pub(super) fn of(report: &Report) -> String {
    let mut text = String::new();
    write(&mut text, report).expect("a String takes all");
    text
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    let (machine, count) = (&report.machine, report.count);
    writeln!(
        text,
        "Measured on {} on {} cores ({}) by `{}`.\n",
        report.date, machine.n_cores, machine.processor, report.command
    )?;
    writeln!(
        text,
        "**rows lost: {} of {}**\n",
        count.n_lost, count.n_judged
    )?;
    writeln!(text, "### Goals\n")?;
    writeln!(
        text,
        "| row | larder | goal | | to the best peer |\n|---|---|---|---|---|"
    )?;
    for verdict in [Verdict::Lost, Verdict::Unmeasured, Verdict::Held] {
        for judged in report.with(verdict) {
            goal(text, judged)?;
        }
    }
    writeln!(
        text,
        "\n`*`: promised outside of the design's table, and not counted.\n"
    )?;
    for section in sections(report) {
        writeln!(text, "### {}\n", capital(section))?;
        let rows = report
            .rows
            .iter()
            .filter(|judged| judged.row.section == section);
        let mut rows: Vec<&Judged> = rows.collect();
        rows.sort_by_key(|judged| &judged.row.name);
        for rows in rows.chunk_by(|a, b| has_same_lanes(a, b)) {
            table(text, rows)?;
        }
    }
    Ok(())
}

fn goal(text: &mut String, judged: &Judged) -> std::fmt::Result {
    let row = &judged.row;
    let Some(goal) = row.goal else {
        return Ok(());
    };
    let mark = if goal.source == Source::Promise {
        " `*`"
    } else {
        ""
    };
    let figure = judged
        .figure
        .map_or("-".to_owned(), |figure| judged.quoted(figure));
    let best = row.to_best_peer().filter(|_| row.unit != "%");
    let best = best.map_or("-".to_owned(), |(name, ratio)| {
        format!("{} of {name}", significant(ratio))
    });
    writeln!(
        text,
        "| {}{mark} | {figure} | {} | {} | {best} |",
        row.name,
        judged.goal(goal),
        judged.verdict.word()
    )
}

/// Sections in the order of a run, in which lost rows don't come first.
fn sections(report: &Report) -> Vec<&'static str> {
    let mut sections: Vec<&'static str> = Vec::new();
    for judged in &report.rows {
        if !sections.contains(&judged.row.section) {
            sections.push(judged.row.section);
        }
    }
    sections.sort_unstable();
    sections
}

fn has_same_lanes(a: &Judged, b: &Judged) -> bool {
    let names = |judged: &Judged| -> Vec<String> {
        let lanes = judged.row.lanes.iter();
        lanes.map(|lane: &Lane| lane.name.clone()).collect()
    };
    a.row.unit == b.row.unit && names(a) == names(b) && a.row.note == b.row.note
}

/// Rows with the same lanes: times as ratios to the base, everything else as it is.
fn table(text: &mut String, rows: &[&Judged]) -> std::fmt::Result {
    let first = &rows[0].row;
    let is_ratio = first.unit == "ns" && first.base.is_some();
    if is_ratio {
        let base = first.base.map_or("", |base| &first.lanes[base].name);
        writeln!(
            text,
            "Time, in that of {base}; in parentheses what was found, per cent.\n"
        )?;
    } else {
        writeln!(text, "In {}.\n", first.unit)?;
    }
    write!(text, "| row |")?;
    for lane in &first.lanes {
        write!(text, " {} |", lane.name)?;
    }
    writeln!(text, "\n|---|{}", "---|".repeat(first.lanes.len()))?;
    for judged in rows {
        write!(text, "| {} |", judged.row.name)?;
        for (idx, lane) in judged.row.lanes.iter().enumerate() {
            let figure = match judged.row.base {
                Some(base) if is_ratio => judged.row.ratio(idx, base),
                _ => judged.median(idx),
            };
            let figure = figure.map_or("-".to_owned(), significant);
            match lane.hits_pct {
                Some(hits) if lane.absent.is_none() => write!(text, " {figure} ({hits:.1}) |")?,
                _ => write!(text, " {figure} |")?,
            }
        }
        writeln!(text)?;
    }
    if let Some(note) = &first.note {
        writeln!(text, "\n{}.", capital(note))?;
    }
    writeln!(text)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_writes_between_the_marks_and_nowhere_else() {
        let page = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nrest\n");
        let expected = format!("# Title\n\n{BEGIN}\nnew\n{END}\n\nrest\n");
        assert_eq!(put_into(&page, "new\n").unwrap(), expected);
        assert_eq!(put_into(&expected, "new\n").unwrap(), expected);
        let own = put_into("", "new\n").unwrap();
        assert_eq!(put_into(&own, "new\n").unwrap(), own);
    }

    #[test]
    fn a_page_without_both_marks_is_left_alone() {
        for page in [
            "text".to_owned(),
            format!("a\n{BEGIN}\n"),
            format!("a\n{END}\n"),
            format!("{END}\n{BEGIN}\n"),
        ] {
            assert!(put_into(&page, "new\n").is_err(), "{page}");
        }
    }
}
