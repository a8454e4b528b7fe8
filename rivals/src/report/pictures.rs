//! A report as pictures.
//!
//! # Idea         `goals.svg`: how far each row is from its goal; `threads-*.svg`: how an operation scales; `bars-*.svg`: a section's rows
//!   by contender
//! # Costs        a few hundred rectangles; no fonts of the system are read, the viewer brings them
//! # Invariants   P1 a scale of ratios is logarithmic, so that twice and half are as far from one
//! # Not here     figures: the report has them

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Judged, Report, significant};
use crate::judge::Verdict;

type Drawn = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(super) fn draw(report: &Report, folder: &Path) -> Drawn {
    let of_goals: Vec<Bar> = report.rows.iter().filter_map(goal_bar).collect();
    if !of_goals.is_empty() {
        let title = "larder against its goals: shorter is better, 1 is the goal";
        bars(&folder.join("goals.svg"), &[(title.to_owned(), of_goals)])?;
    }
    for stem in stems(report) {
        let path = folder.join(format!("threads-{}.svg", slug(stem)));
        threads(&path, stem, report)?;
    }
    for section in BY_CONTENDER {
        let rows = report
            .rows
            .iter()
            .filter(|judged| judged.row.section == section);
        let mut panels: Vec<(String, Vec<Bar>)> = rows
            .map(|judged| (judged.row.name.clone(), contender_bars(judged)))
            .filter(|(_, bars)| !bars.is_empty())
            .collect();
        panels.sort_by(|a, b| a.0.cmp(&b.0));
        if !panels.is_empty() {
            bars(&folder.join(format!("bars-{}.svg", slug(section))), &panels)?;
        }
    }
    Ok(())
}

/// Sections that are drawn contender by contender.
const BY_CONTENDER: [&str; 7] = [
    "deadlines",
    "hottest key",
    "instructions",
    "latency",
    "limiter",
    "memory",
    "wheel",
];

/// A line of a picture: a name, a ratio, and what is written behind it.
struct Bar {
    name: String,
    ratio: f64,
    text: String,
    color: RGBColor,
}

fn goal_bar(judged: &Judged) -> Option<Bar> {
    let ratio = judged.share_of_goal()?;
    Some(Bar {
        name: judged.row.name.clone(),
        ratio,
        text: judged.verdict_line(),
        color: if judged.verdict == Verdict::Lost {
            RED
        } else {
            GREEN
        },
    })
}

/// Each lane in ratio to the base, if there is one; else to the first.
fn contender_bars(judged: &Judged) -> Vec<Bar> {
    let row = &judged.row;
    let base = row.base.unwrap_or(0);
    let lanes = row.lanes.iter().enumerate();
    lanes
        .filter_map(|(idx, lane)| {
            let ratio = row.ratio(idx, base).filter(|ratio| *ratio > 0.0)?;
            let is_ours = lane.name.starts_with("larder");
            Some(Bar {
                name: lane.name.clone(),
                ratio,
                text: significant(ratio),
                color: if is_ours { BLUE } else { GREY },
            })
        })
        .collect()
}

const WIDTH: u32 = 1000;
const BAR: i32 = 18;
const TITLE: i32 = 34;
const NAMES: i32 = 400;
const SCALE: i32 = 300;

/// Panels one under the other, each with its bars on a logarithmic scale.
fn bars(path: &Path, panels: &[(String, Vec<Bar>)]) -> Drawn {
    let height: i32 = panels.iter().map(|panel| panel_height(&panel.1)).sum();
    let root = SVGBackend::new(path, (WIDTH, height as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut top = 0;
    for (title, bars) in panels {
        panel(&root, top, title, bars)?;
        top += panel_height(bars);
    }
    root.present()?;
    Ok(())
}

fn panel_height(bars: &[Bar]) -> i32 {
    TITLE + BAR * bars.len() as i32 + 8
}

fn panel(root: &Area<'_>, top: i32, title: &str, bars: &[Bar]) -> Drawn {
    let size = |size: i32| ("sans-serif", size).into_font();
    root.draw(&Text::new(title.to_owned(), (8, top + 10), size(16)))?;
    let place = |ratio: f64| {
        let share = (ratio / RATIO_MIN).log2() / (RATIO_MAX / RATIO_MIN).log2();
        NAMES + (f64::from(SCALE) * share.clamp(0.0, 1.0)) as i32
    };
    for (idx, bar) in bars.iter().enumerate() {
        let y = top + TITLE + BAR * idx as i32;
        root.draw(&Text::new(bar.name.clone(), (16, y + 2), size(12)))?;
        // From one, so that what is better goes to the left.
        let (from, to) = (place(1.0), place(bar.ratio));
        let corners = [
            (from.min(to), y + 1),
            (from.max(to).max(from.min(to) + 1), y + BAR - 3),
        ];
        root.draw(&Rectangle::new(corners, bar.color.filled()))?;
        let text = (NAMES + SCALE + 8, y + 2);
        root.draw(&Text::new(bar.text.clone(), text, size(12)))?;
    }
    let bottom = top + TITLE + BAR * bars.len() as i32;
    let one = [(place(1.0), top + TITLE - 4), (place(1.0), bottom)];
    root.draw(&PathElement::new(one, BLACK.stroke_width(1)))?;
    Ok(())
}

/// Ratios beyond are drawn as these.
const RATIO_MIN: f64 = 1.0 / 16.0;
const RATIO_MAX: f64 = 16.0;

/// Names of rows that were measured at several numbers of threads, without that number.
fn stems(report: &Report) -> Vec<&str> {
    let names = report.rows.iter().map(|judged| judged.row.name.as_str());
    let mut stems: Vec<&str> = names
        .filter_map(|name| Some(split_threads(name)?.0))
        .collect();
    stems.sort_unstable();
    let several = stems.chunk_by(|a, b| a == b).filter(|same| same.len() > 1);
    several.map(|same| same[0]).collect()
}

/// `get zipf, 2 threads` is `get zipf` at 2.
fn split_threads(name: &str) -> Option<(&str, u32)> {
    let (stem, threads) = name.rsplit_once(", ")?;
    let (count, word) = threads.split_once(' ')?;
    let is_count = matches!(word, "thread" | "threads");
    is_count.then_some(())?;
    Some((stem, count.parse().ok()?))
}

/// Time an operation by threads, in quick_cache's at one thread; a line a contender.
fn threads(path: &Path, stem: &str, report: &Report) -> Drawn {
    let mut rows: Vec<(u32, &Judged)> = report
        .rows
        .iter()
        .filter_map(|judged| Some((split_threads(&judged.row.name)?, judged)))
        .filter(|((name, _), _)| *name == stem)
        .map(|((_, n_threads), judged)| (n_threads, judged))
        .collect();
    rows.sort_by_key(|row| row.0);
    let Some(unit) = rows
        .first()
        .and_then(|(_, judged)| judged.median(judged.row.base?))
    else {
        return Ok(());
    };
    let lines = lines(&rows, unit);
    let n_most = rows.last().map_or(1, |row| row.0);
    let values = || lines.iter().flat_map(|line| &line.1).map(|point| point.1);
    let low = values().fold(f64::INFINITY, f64::min) / 1.3;
    let high = values().fold(0.0, f64::max) * 1.3;
    let root = SVGBackend::new(path, (WIDTH, 520)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(
            format!("{stem}: time an operation, as each thread sees it"),
            ("sans-serif", 16),
        )
        .margin(8)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .margin_right(40)
        .build_cartesian_2d(
            (1.0..f64::from(n_most)).log_scale().base(2.0),
            (low..high).log_scale().base(2.0),
        )?;
    chart
        .configure_mesh()
        .x_desc("threads")
        .y_desc("quick_cache at 1 thread = 1")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| significant(*y))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (idx, (name, points)) in lines.iter().enumerate() {
        let is_ours = name.starts_with("larder");
        let color = if is_ours {
            BLUE
        } else {
            COLORS[idx % COLORS.len()]
        };
        let style = color.stroke_width(if is_ours { 3 } else { 1 });
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

type Line = (String, Vec<(f64, f64)>);

fn lines(rows: &[(u32, &Judged)], unit: f64) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (n_threads, judged) in rows {
        for (idx, lane) in judged.row.lanes.iter().enumerate() {
            let Some(median) = judged.median(idx) else {
                continue;
            };
            let point = (f64::from(*n_threads), median / unit);
            match lines.iter_mut().find(|line| line.0 == lane.name) {
                Some(line) => line.1.push(point),
                None => lines.push((lane.name.clone(), vec![point])),
            }
        }
    }
    lines
}

/// The words of a name as a file's.
fn slug(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
}

const BLUE: RGBColor = RGBColor(31, 97, 180);
const GREEN: RGBColor = RGBColor(30, 130, 60);
const RED: RGBColor = RGBColor(190, 30, 30);
const GREY: RGBColor = RGBColor(150, 150, 150);
const COLORS: [RGBColor; 11] = [
    RGBColor(220, 120, 20),
    RGBColor(30, 130, 60),
    RGBColor(190, 30, 30),
    RGBColor(120, 80, 170),
    RGBColor(130, 90, 60),
    RGBColor(200, 90, 160),
    RGBColor(90, 90, 90),
    RGBColor(20, 160, 170),
    RGBColor(180, 170, 20),
    RGBColor(240, 130, 130),
    RGBColor(110, 200, 90),
];
