//! A report for a terminal.

use std::fmt::Write as _;

use super::{Judged, Report, significant};
use crate::judge::{FLOOR, Source, Verdict, spread};

/// The whole of it; what is lost stands first, and how much of it there is stands last.
pub(super) fn of(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report).expect(INFALLIBLE);
    for judged in &report.rows {
        row(&mut text, judged).expect(INFALLIBLE);
    }
    foot(&mut text, report).expect(INFALLIBLE);
    text
}

fn head(text: &mut String, report: &Report) -> std::fmt::Result {
    let machine = &report.machine;
    writeln!(
        text,
        "{}  {}, {} cores  {}",
        report.date, machine.processor, machine.n_cores, report.command
    )?;
    for judged in report.with(Verdict::Lost) {
        writeln!(
            text,
            "{:<64} {}{}",
            judged.row.name,
            judged.verdict_line(),
            mark(judged)
        )?;
    }
    for judged in report.with(Verdict::Unmeasured) {
        writeln!(
            text,
            "{:<64} {}{}",
            judged.row.name,
            judged.verdict_line(),
            mark(judged)
        )?;
    }
    writeln!(
        text,
        "\nTimes: one thread in its own processor time, more in real time as one of them sees it. Ratios: median of the rounds' \
         ratios.\nEach line: median, quarter points, smallest and largest of the rounds."
    )
}

/// A goal that doesn't count in the last line says so.
fn mark(judged: &Judged) -> &'static str {
    match judged.row.goal {
        Some(goal) if goal.source == Source::Promise => " (a promise outside of the table)",
        _ => "",
    }
}

fn row(text: &mut String, judged: &Judged) -> std::fmt::Result {
    let row = &judged.row;
    writeln!(
        text,
        "\n{}   [{}{}]",
        row.name,
        judged.verdict_line(),
        mark(judged)
    )?;
    let quick = row.lane_of("quick_cache");
    let floor = row.lane_of(FLOOR);
    let base = row.base.filter(|_| row.base != quick);
    let columns: Vec<(String, usize)> = [
        base.map(|base| ("to base".to_owned(), base)),
        quick.map(|quick| ("to quick".to_owned(), quick)),
        floor.map(|floor| ("to floor".to_owned(), floor)),
    ]
    .into_iter()
    .flatten()
    .collect();
    write!(
        text,
        "  {:<32} {:>10} {:>19} {:>21}",
        "lane", row.unit, "quarters", "range"
    )?;
    for (title, _) in &columns {
        write!(text, " {title:>9}")?;
    }
    writeln!(text, " {:>7}", "hits %")?;
    for (idx, lane) in row.lanes.iter().enumerate() {
        if let Some(why) = &lane.absent {
            writeln!(text, "  {:<32} {:>10} {why}", lane.name, "-")?;
            continue;
        }
        let number = |value: Option<f64>| value.map_or("-".to_owned(), significant);
        let range = spread(&lane.samples);
        let between = |from: usize, to: usize| {
            range.map_or("-".to_owned(), |range| {
                format!("{}..{}", significant(range[from]), significant(range[to]))
            })
        };
        write!(
            text,
            "  {:<32} {:>10} {:>19} {:>21}",
            lane.name,
            number(judged.median(idx)),
            between(1, 2),
            between(0, 3)
        )?;
        for (_, to) in &columns {
            write!(text, " {:>9}", number(row.ratio(idx, *to)))?;
        }
        let hits = lane
            .hits_pct
            .map_or("-".to_owned(), |hits| format!("{hits:.2}"));
        writeln!(text, " {hits:>7}")?;
    }
    if let Some(note) = &row.note {
        writeln!(text, "  {note}")?;
    }
    Ok(())
}

fn foot(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text)?;
    for verdict in [Verdict::Lost, Verdict::Unmeasured, Verdict::Held] {
        for judged in report.with(verdict) {
            writeln!(
                text,
                "{:<64} {}{}",
                judged.row.name,
                judged.verdict_line(),
                mark(judged)
            )?;
        }
    }
    let count = report.count;
    if count.n_unmeasured > 0 {
        writeln!(text, "rows not measured: {}", count.n_unmeasured)?;
    }
    writeln!(text, "rows lost: {} of {}", count.n_lost, count.n_judged)
}

const INFALLIBLE: &str = "a String takes all";
