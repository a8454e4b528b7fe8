//! The picture: hit ratio and resident bytes over the trace, as an SVG.
//!
//! # Idea         two charts with one horizontal axis, a point a window
//! # Costs        a few hundred points; no fonts of the system are read, the viewer brings them
//! # Not here     what is drawn: `run` counts it

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::labels::{decimals, mib, short};
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
    let axis = Axis {
        windows,
        every,
        end: (n_requests as f64).max(1.0),
    };
    draw_ratios(&upper, &axis, legend)?;
    draw_bytes(&lower, &axis, legend)?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What both charts have in common: the requests, from left to right.
struct Axis<'a> {
    windows: &'a [Window],
    every: usize,
    end: f64,
}

impl Axis<'_> {
    /// A point a window; it stands at the window's end, where its last request was done.
    fn points(&self, value: fn(&Window) -> f64) -> Vec<(f64, f64)> {
        let place = |idx: usize| (((idx + 1) * self.every) as f64).min(self.end);
        self.windows
            .iter()
            .enumerate()
            .map(|(idx, window)| (place(idx), value(window)))
            .collect()
    }
}

fn draw_ratios(area: &Area<'_>, axis: &Axis<'_>, legend: Legend<'_>) -> Result<(), Box<dyn Error>> {
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..axis.end, 0.0..100.0)?;
    chart
        .configure_mesh()
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| format!("{y:.0} %"))
        .light_line_style(TRANSPARENT)
        .draw()?;
    chart
        .draw_series(LineSeries::new(
            axis.points(|window| window.tally.hit_pct()),
            BLUE.stroke_width(2),
        ))?
        .label("hit ratio")
        .legend(|at| sample(at, BLUE));
    if legend.has_sizes {
        chart
            .draw_series(LineSeries::new(
                axis.points(|window| window.tally.byte_hit_pct()),
                ORANGE.stroke_width(1),
            ))?
            .label("byte hit ratio")
            .legend(|at| sample(at, ORANGE));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

fn draw_bytes(area: &Area<'_>, axis: &Axis<'_>, legend: Legend<'_>) -> Result<(), Box<dyn Error>> {
    let highest = axis
        .windows
        .iter()
        .map(|window| window.resident_bytes)
        .max()
        .unwrap_or(0);
    let top = mib(highest.max(legend.max_bytes.unwrap_or(0))).max(f64::MIN_POSITIVE) * 1.08;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..axis.end, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("requests")
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| format!("{} MiB", decimals(*y)))
        .light_line_style(TRANSPARENT)
        .draw()?;
    chart
        .draw_series(LineSeries::new(
            axis.points(|window| mib(window.resident_bytes)),
            GREEN.stroke_width(2),
        ))?
        .label("bytes charged")
        .legend(|at| sample(at, GREEN));
    if let Some(max_bytes) = legend.max_bytes {
        let bound = [(0.0, mib(max_bytes)), (axis.end, mib(max_bytes))];
        chart
            .draw_series(LineSeries::new(bound, RED.stroke_width(1)))?
            .label("bound")
            .legend(|at| sample(at, RED));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

/// A short piece of a line, for the legend.
fn sample((x, y): (i32, i32), color: RGBColor) -> PathElement<(i32, i32)> {
    PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2))
}

const BLUE: RGBColor = RGBColor(31, 97, 180);
const ORANGE: RGBColor = RGBColor(220, 120, 20);
const GREEN: RGBColor = RGBColor(30, 130, 60);
const RED: RGBColor = RGBColor(190, 30, 30);
