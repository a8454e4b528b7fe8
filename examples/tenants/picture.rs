//! The picture: B's hit ratio, and who holds how much, over B's requests, as an SVG.
//!
//! # Idea         three charts with one horizontal axis, a point a window: the hit ratios of all runs; the bytes with shares; the
//!   bytes without
//! # Costs        a few hundred points a line; no fonts of the system are read, the viewer brings them
//! # Not here     what is drawn: `run` counts it

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::labels::{decimals, mib, short};
use crate::report::Runs;
use crate::run::{Outcome, Settings, Stretch, WINDOWS};
use crate::traffic::N_PHASES;

/// Draws the runs into the file at `path`.
pub(crate) fn draw(
    path: &Path,
    runs: &Runs,
    settings: &Settings,
    n_requests: usize,
) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (1000, 940)).into_drawing_area();
    root.fill(&WHITE)?;
    let root = root.titled("A floods a cache that it shares with B", ("sans-serif", 20))?;
    let (ratios, bytes) = root.split_vertically(330);
    let (with_shares, without) = bytes.split_vertically(290);
    draw_ratios(&ratios, runs, n_requests)?;
    let bound = |name, n_bytes, color| (name, n_bytes, color);
    let all = bound("capacity", settings.max_bytes, BLACK);
    let bounds = [all, bound("guaranteed to B", settings.guaranteed_b, GREEN)];
    let title = "bytes with shares";
    draw_bytes(&with_shares, &runs.shares, n_requests, title, &bounds)?;
    let title = "bytes without shares";
    draw_bytes(&without, &runs.shared, n_requests, title, &[all])?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

fn draw_ratios(area: &Area<'_>, runs: &Runs, n_requests: usize) -> Result<(), Box<dyn Error>> {
    let mut lines = vec![
        ("without shares", &runs.shared, RED, 2),
        ("without A", &runs.alone, GREY, 7),
        ("with shares", &runs.shares, BLUE, 3),
    ];
    if let Some((_, outcome)) = &runs.limited {
        lines.push(("with shares, A limited", outcome, ORANGE, 1));
    }
    let hits = |window: &Stretch| window.b.hit_pct().unwrap_or(0.0);
    let of_all = lines.iter().flat_map(|(_, outcome, ..)| &outcome.windows);
    let lowest = of_all.map(hits).fold(100.0, f64::min);
    // A multiple of ten, so that what moved can be seen; and room above for the names of the phases.
    let range = (lowest / 10.0).floor() * 10.0..106.0;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(20)
        .caption("hit ratio of B", ("sans-serif", 15))
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end(n_requests), range.clone())?;
    chart
        .configure_mesh()
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| format!("{y:.0} %"))
        .light_line_style(TRANSPARENT)
        .draw()?;
    phases(&mut chart, n_requests, range)?;
    for (name, outcome, color, width) in lines {
        chart
            .draw_series(LineSeries::new(
                points(outcome, n_requests, hits),
                color.stroke_width(width),
            ))?
            .label(name)
            .legend(move |at| sample(at, color, width));
    }
    legend(&mut chart, SeriesLabelPosition::LowerRight)
}

fn draw_bytes(
    area: &Area<'_>,
    outcome: &Outcome,
    n_requests: usize,
    title: &str,
    bounds: &[(&'static str, u64, RGBColor)],
) -> Result<(), Box<dyn Error>> {
    let highest = bounds.iter().map(|(_, n_bytes, _)| *n_bytes).max();
    let top = mib(highest.unwrap_or(0).max(1)) * 1.2;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(20)
        .caption(title, ("sans-serif", 15))
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end(n_requests), 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("requests of B")
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| format!("{} MiB", decimals(*y)))
        .light_line_style(TRANSPARENT)
        .draw()?;
    phases(&mut chart, n_requests, 0.0..top)?;
    let of_a: fn(&Stretch) -> f64 = |window| mib(window.a_bytes);
    let of_b: fn(&Stretch) -> f64 = |window| mib(window.b_bytes);
    for (name, value, color) in [("B", of_b, BLUE), ("A", of_a, RED)] {
        chart
            .draw_series(LineSeries::new(
                points(outcome, n_requests, value),
                color.stroke_width(2),
            ))?
            .label(name)
            .legend(move |at| sample(at, color, 2));
    }
    for (name, n_bytes, color) in bounds.iter().copied() {
        let line = [(0.0, mib(n_bytes)), (end(n_requests), mib(n_bytes))];
        chart
            .draw_series(DashedLineSeries::new(line, 6, 4, color.stroke_width(1)))?
            .label(name)
            .legend(move |at| sample(at, color, 1));
    }
    // Below the line of the capacity, and above those of the tenants.
    legend(&mut chart, SeriesLabelPosition::Coordinate(765, 40))
}

/// Lines between the phases, and their names.
fn phases(
    chart: &mut Chart<'_, '_>,
    n_requests: usize,
    range: Range<f64>,
) -> Result<(), Box<dyn Error>> {
    let begin = |phase: usize| (phase * n_requests) as f64;
    for phase in 1..N_PHASES {
        let line = [(begin(phase), range.start), (begin(phase), range.end)];
        chart.draw_series(LineSeries::new(line, BLACK.mix(0.5).stroke_width(1)))?;
    }
    let style = ("sans-serif", 13)
        .into_font()
        .color(&BLACK.mix(0.7))
        .pos(Pos::new(HPos::Left, VPos::Top));
    let names = ["1: B alone", "2: A floods", "3: B alone"];
    let labels = names.into_iter().enumerate().map(|(phase, name)| {
        let at = (begin(phase) + 0.01 * end(n_requests), range.end);
        Text::new(name, at, style.clone())
    });
    chart.draw_series(labels)?;
    Ok(())
}

fn legend<'a, 'b: 'a>(
    chart: &mut Chart<'a, 'b>,
    position: SeriesLabelPosition,
) -> Result<(), Box<dyn Error>> {
    chart
        .configure_series_labels()
        .position(position)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

/// A point a window; it stands at the window's end.
fn points(
    outcome: &Outcome,
    n_requests: usize,
    value: impl Fn(&Stretch) -> f64,
) -> Vec<(f64, f64)> {
    let width = n_requests as f64 / WINDOWS as f64;
    let windows = outcome.windows.iter().enumerate();
    windows
        .map(|(idx, window)| ((idx + 1) as f64 * width, value(window)))
        .collect()
}

/// A short piece of a line, for the legend.
fn sample((x, y): (i32, i32), color: RGBColor, width: u32) -> PathElement<(i32, i32)> {
    PathElement::new([(x, y), (x + 16, y)], color.stroke_width(width))
}

fn end(n_requests: usize) -> f64 {
    (N_PHASES * n_requests) as f64
}

const BLUE: RGBColor = RGBColor(31, 97, 180);
const ORANGE: RGBColor = RGBColor(220, 120, 20);
const GREEN: RGBColor = RGBColor(30, 130, 60);
const RED: RGBColor = RGBColor(190, 30, 30);
const GREY: RGBColor = RGBColor(205, 205, 205);
