//! The picture: hit ratio and resident bytes over the trace, as an SVG.
//!
//! # Idea         two charts with one horizontal axis, a point a window
//! # Costs        a few hundred points; no fonts of the system are read, the viewer brings them
//! # Not here     what is drawn: `run` counts it

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::run::Window;

/// What the picture says beside its lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Legend<'a> {
    pub(crate) title: &'a str,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) has_sizes: bool,
}

/// Draws `windows` of `every` requests each into the file at `path`.
pub(crate) fn draw(
    path: &Path,
    windows: &[Window],
    every: usize,
    legend: Legend<'_>,
) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (1000, 640)).into_drawing_area();
    root.fill(&WHITE)?;
    let root = root.titled(legend.title, ("sans-serif", 20))?;
    let (upper, lower) = root.split_vertically(310);
    let n_requests: u64 = windows.iter().map(|window| window.tally.n_requests).sum();
    let end = (n_requests as f64).max(1.0);
    // A window's point stands at its end, where its last request was done.
    let points = |value: fn(&Window) -> f64| -> Vec<(f64, f64)> {
        let place = |idx: usize| (((idx + 1) * every) as f64).min(end);
        windows
            .iter()
            .enumerate()
            .map(|(idx, window)| (place(idx), value(window)))
            .collect()
    };

    let mut chart = ChartBuilder::on(&upper)
        .margin(8)
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end, 0.0..100.0)?;
    chart
        .configure_mesh()
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| format!("{y:.0} %"))
        .light_line_style(TRANSPARENT)
        .draw()?;
    chart
        .draw_series(LineSeries::new(
            points(|window| window.tally.hit_pct()),
            BLUE.stroke_width(2),
        ))?
        .label("hit ratio")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], BLUE.stroke_width(2)));
    if legend.has_sizes {
        chart
            .draw_series(LineSeries::new(
                points(|window| window.tally.byte_hit_pct()),
                ORANGE.stroke_width(1),
            ))?
            .label("byte hit ratio")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], ORANGE.stroke_width(1)));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;

    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let highest = windows
        .iter()
        .map(|window| window.resident_bytes)
        .max()
        .unwrap_or(0);
    let top = mib(highest.max(legend.max_bytes.unwrap_or(0))).max(f64::MIN_POSITIVE) * 1.08;
    let mut chart = ChartBuilder::on(&lower)
        .margin(8)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..end, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("requests")
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| format!("{} MiB", decimals(*y)))
        .light_line_style(TRANSPARENT)
        .draw()?;
    chart
        .draw_series(LineSeries::new(
            points(|window| window.resident_bytes as f64 / f64::from(1 << 20)),
            GREEN.stroke_width(2),
        ))?
        .label("bytes charged")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], GREEN.stroke_width(2)));
    if let Some(max_bytes) = legend.max_bytes {
        chart
            .draw_series(LineSeries::new(
                [(0.0, mib(max_bytes)), (end, mib(max_bytes))],
                RED.stroke_width(1),
            ))?
            .label("bound")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], RED.stroke_width(1)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

fn short(count: f64) -> String {
    if count >= 1e6 {
        format!("{} M", decimals(count / 1e6))
    } else if count >= 1e3 {
        format!("{} k", decimals(count / 1e3))
    } else {
        decimals(count)
    }
}

/// As few decimals as tell neighbouring labels apart.
fn decimals(value: f64) -> String {
    let text = if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 1.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    };
    match text.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|digit| digit == b'0') => whole.to_owned(),
        _ => text,
    }
}

const BLUE: RGBColor = RGBColor(31, 97, 180);
const ORANGE: RGBColor = RGBColor(220, 120, 20);
const GREEN: RGBColor = RGBColor(30, 130, 60);
const RED: RGBColor = RGBColor(190, 30, 30);
