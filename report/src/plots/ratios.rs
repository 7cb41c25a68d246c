//! A picture of ratios to a reference: a row for each candidate, a column for each metric, so drawn that a difference of a few percent is
//! seen.

use super::layout::{Area, LINE, MARKER_RADIUS, SMALL_SIZE, TEXT_SIZE};
use super::lines::{draw_arrow, draw_whisker};
use super::style::{Style, Styles};
use super::svg::{self, Anchor, FRAME, Svg, Text};
use crate::rounds::Comparison;
use stats::Relation;

const ROW: f64 = 19.0;
const HEAD: f64 = SMALL_SIZE * LINE + 4.0;
const FOOT: f64 = SMALL_SIZE * LINE + 4.0;
const GAP: f64 = 16.0;
/// The most of its width that a picture gives to names.
const NAMES_SHARE: f64 = 0.3;
/// The words that there is room for behind a row.
const NOTES: f64 = 66.0;
/// Of what cannot be told from the reference.
const GREY: &str = "#808080";
/// The narrow and the wide axis: the greatest ratio, and the ticks that are labelled.
const AXES: [(f64, &[f64]); 2] = [(1.1, &[0.92, 0.96, 1.0, 1.04, 1.08]), (1.25, &[0.8, 0.9, 1.0, 1.1, 1.2])];
/// The share of an axis within which most dots and ends of intervals are to lie.
const WELL_INSIDE: f64 = 0.85;

/// Rows and columns of ratios.
#[derive(Debug)]
pub struct Ratios {
    /// The name of each row, and the mechanism whose style it has.
    pub rows: Vec<(String, String)>,
    /// From the left.
    pub columns: Vec<Column>,
    /// Half of the band of what is as good as equal.
    pub margin: f64,
}

/// The ratios of one metric.
#[derive(Debug)]
pub struct Column {
    pub heading: String,
    /// True if it has the wide axis.
    pub is_wide: bool,
    /// A ratio for each row; `None` where there is none.
    pub ratios: Vec<Option<Dot>>,
}

/// A ratio.
#[derive(Debug, Clone)]
pub struct Dot {
    /// The ratio, its interval, and what that says: in colour where it differs, otherwise grey. `None` of what is saturated.
    pub compared: Option<Comparison>,
    /// True if the ratio understates a difference, or does not mean it: hollow.
    pub is_bound: bool,
    /// The words behind the row; empty where there are none.
    pub note: String,
    /// The text that a browser shows on hovering.
    pub hover: String,
}

impl Column {
    /// Returns whether what stands at `ratios` needs an axis that reaches far.
    pub fn needs_width(ratios: &[f64]) -> bool {
        let inside = ratios.iter().filter(|ratio| ratio.ln().abs() < WELL_INSIDE * AXES[0].0.ln()).count();
        4 * inside < 3 * ratios.len()
    }

    fn axis(&self) -> (f64, &'static [f64]) {
        AXES[usize::from(self.is_wide)]
    }

    /// Returns whether a ratio lies on the axis.
    pub fn holds(&self, ratio: f64) -> bool {
        ratio.ln().abs() <= self.axis().0.ln()
    }

    fn x_of(&self, plot: Area, ratio: f64) -> f64 {
        let share = (ratio.ln() / self.axis().0.ln()).clamp(-1.0, 1.0);
        f64::midpoint(plot.left, plot.right) + share * (plot.right - plot.left) / 2.0
    }
}

impl Ratios {
    /// The height of the picture.
    pub fn height(&self) -> f64 {
        HEAD + FOOT + self.rows.len() as f64 * ROW
    }

    /// Draws it, from the top.
    pub fn draw(&self, svg: &mut Svg, styles: &Styles, slot: Area) {
        let widths = self.rows.iter().map(|(name, _)| svg::width(name, TEXT_SIZE, false));
        let names = widths.fold(0.0, f64::max).min((slot.right - slot.left) * NAMES_SHARE);
        let (top, bottom) = (slot.top + HEAD, slot.top + HEAD + self.rows.len() as f64 * ROW);
        for (at, (name, mechanism)) in self.rows.iter().enumerate() {
            let name = svg::shortened(name, TEXT_SIZE, false, names);
            svg.group(&styles.get(mechanism).group("series", mechanism), |svg| {
                let text = Text::new(&name, TEXT_SIZE).anchored(Anchor::End);
                svg.text((slot.left + names, middle_of(top, at) + 4.5), text);
            });
        }
        let left = slot.left + names + 12.0;
        let width = (slot.right - left) / self.columns.len() as f64;
        for (at, column) in self.columns.iter().enumerate() {
            let left = left + at as f64 * width;
            let plot = Area { left, top, right: left + width - NOTES - GAP, bottom };
            self.draw_frame(svg, column, plot);
            for (at, dot) in column.ratios.iter().enumerate() {
                let Some(dot) = dot else { continue };
                let mechanism = &self.rows[at].1;
                let style = styles.get(mechanism);
                svg.group(&style.group("series", mechanism), |svg| {
                    svg.point(&dot.hover, |svg| {
                        draw_dot(svg, style, column, plot, (middle_of(top, at), dot))
                    });
                });
            }
        }
    }

    fn draw_frame(&self, svg: &mut Svg, column: &Column, plot: Area) {
        let room = plot.right - plot.left + NOTES;
        let heading = svg::shortened(&column.heading, SMALL_SIZE, true, room);
        svg.text((plot.left, plot.top - 6.0), Text::new(&heading, SMALL_SIZE).bold());
        let [low, high] = [1.0 - self.margin, 1.0 + self.margin].map(|end| column.x_of(plot, end));
        let band = [(low, plot.top), (high, plot.top), (high, plot.bottom), (low, plot.bottom)];
        svg.polygon(&band, &format!("fill=\"{GREY}\" fill-opacity=\"0.16\""));
        for tick in column.axis().1 {
            let x = column.x_of(plot, *tick);
            let stroke = if *tick == 1.0 { FRAME.stroke() } else { svg::ruling(true) };
            svg.segment((x, plot.top), (x, plot.bottom), &stroke);
            let label = tick.to_string();
            let text = Text::new(&label, SMALL_SIZE).anchored(Anchor::Middle).quiet();
            svg.text((x, plot.bottom + SMALL_SIZE * LINE - 1.0), text);
        }
        svg.segment((plot.left, plot.bottom), (plot.right, plot.bottom), &FRAME.stroke());
    }
}

fn middle_of(top: f64, row: usize) -> f64 {
    top + (row as f64 + 0.5) * ROW
}

fn draw_dot(svg: &mut Svg, style: Style, column: &Column, plot: Area, (y, dot): (f64, &Dot)) {
    match &dot.compared {
        None => draw_arrow(svg, (plot.right - 4.0, y), (1.0, 0.0)),
        Some(compared) if compared.is_difference() => {
            draw_value(svg, style, column, plot, (y, compared, dot.is_bound))
        }
        Some(compared) => svg.group(&format!("color=\"{GREY}\""), |svg| {
            let says_nothing = compared.relation == Relation::NotDistinguishable;
            draw_value(svg, style, column, plot, (y, compared, says_nothing));
        }),
    }
    let note = svg::shortened(&dot.note, SMALL_SIZE, false, NOTES - 4.0);
    if !note.is_empty() {
        // Beside an arrow to the left there is room where nothing else is drawn.
        let is_left = dot.compared.is_some_and(|one| one.interval.high < 1.0 / column.axis().0);
        let x = if is_left { plot.left + 10.0 } else { plot.right + 10.0 };
        svg.text((x, y + 4.5), Text::new(&note, SMALL_SIZE));
    }
}

fn draw_value(
    svg: &mut Svg,
    style: Style,
    column: &Column,
    plot: Area,
    (y, compared, is_hollow): (f64, &Comparison, bool),
) {
    let [ratio, low, high] = compared.ends();
    if low <= column.axis().0 && high >= 1.0 / column.axis().0 {
        let ends = [low, high].map(|end| (column.x_of(plot, end), y));
        // An interval that goes on beyond the axis has no end there.
        draw_whisker(svg, ends, [low, high].map(|end| column.holds(end)));
    }
    if column.holds(ratio) {
        style.draw_marker(svg, (column.x_of(plot, ratio), y), MARKER_RADIUS, is_hollow);
    } else {
        let (x, direction) = if ratio > 1.0 { (plot.right - 4.0, 1.0) } else { (plot.left + 4.0, -1.0) };
        let tip = [(x + direction * 10.0, y), (x, y - 4.5), (x, y + 4.5)];
        svg.polygon(&tip, "fill=\"currentColor\" stroke=\"currentColor\" stroke-width=\"1.4\"");
    }
}
