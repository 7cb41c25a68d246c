//! A picture of time and latency: how many requests were answered when, and after how long.

use super::axis::Axis;
use super::layout::{Area, FOOT, LINE, SMALL_SIZE};
use super::lines::{draw_x_axis, draw_y_axis, labels_width};
use super::style::Styles;
use super::svg::{Svg, Text};
use crate::format;

const HEIGHT: f64 = 400.0;
const HEAD: f64 = 10.0;
/// To the right of the plot: the labels of lines, and the key.
const MARGIN: f64 = 96.0;
/// Of the fields.
const COLOUR: &str = "#0072B2";
/// Of the lines over them.
const LINE_COLOUR: &str = "#D55E00";
/// The least of how much a field covers its ground; the most is 1.
const FAINTEST: f64 = 0.16;

/// Columns of fields over time, darker the more requests are in one.
#[derive(Debug)]
pub struct Heat {
    pub x_title: String,
    pub x: Axis,
    pub y: Axis,
    /// The ends of the fields of each column, by rising latency; one more than there are fields.
    pub edges: Vec<f64>,
    pub columns: Vec<Column>,
    /// Lines over the fields.
    pub lines: Vec<Course>,
}

/// A line over the fields.
#[derive(Debug)]
pub struct Course {
    pub name: &'static str,
    pub is_dashed: bool,
    pub positions: Vec<(f64, f64)>,
}

/// The requests that were answered in one stretch of time.
#[derive(Debug)]
pub struct Column {
    pub from: f64,
    pub to: f64,
    /// Requests in each field.
    pub counts: Vec<u64>,
    /// The text that a browser shows on hovering.
    pub hover: String,
}

impl Heat {
    /// The height of the picture.
    pub fn height(&self) -> f64 {
        HEIGHT
    }

    /// Draws it.
    pub fn draw(&self, svg: &mut Svg, _: &Styles, slot: Area) {
        let (top, bottom) = (slot.top + HEAD, slot.bottom - FOOT);
        let ticks = self.y.ticks(bottom - top, SMALL_SIZE * LINE);
        let left = slot.left + labels_width(&ticks) + 8.0;
        let plot = Area { left, top, right: slot.right - MARGIN, bottom };
        draw_y_axis(svg, plot, &self.y, &ticks);
        draw_x_axis(svg, plot, &self.x, &self.x_title);
        svg.group(&format!("class=\"heat\" color=\"{COLOUR}\""), |svg| {
            for column in &self.columns {
                svg.point(&column.hover, |svg| self.draw_column(svg, plot, column));
            }
        });
        svg.group(&format!("class=\"over\" color=\"{LINE_COLOUR}\""), |svg| self.draw_lines(svg, plot));
        svg.group(&format!("class=\"key\" color=\"{COLOUR}\""), |svg| self.draw_key(svg, plot));
    }

    /// One column; neighbouring fields that look the same are one.
    fn draw_column(&self, svg: &mut Svg, plot: Area, column: &Column) {
        let [left, right] = [column.from, column.to].map(|end| self.x.x(plot, end));
        let mut first = 0;
        for run in column.counts.chunk_by(|one, other| level(*one) == level(*other)) {
            let (low, high) = (self.edges[first], self.edges[first + run.len()]);
            first += run.len();
            if let Some(level) = level(run[0]) {
                let [top, bottom] = [high, low].map(|end| self.y.y(plot, end));
                self.draw_shade(svg, Area { left, top, right, bottom }, level);
            }
        }
    }

    fn draw_lines(&self, svg: &mut Svg, plot: Area) {
        let ends = self.lines.iter().filter_map(|line| line.positions.last());
        let wishes: Vec<f64> = ends.map(|(_, y)| self.y.y(plot, *y)).collect();
        let places = super::labels::spread(&wishes, 16.0, plot.top, plot.bottom);
        let drawn = self.lines.iter().filter(|line| !line.positions.is_empty());
        for (Course { name, is_dashed, positions }, place) in drawn.zip(places) {
            let at = |(x, y): &(f64, f64)| (self.x.x(plot, *x), self.y.y(plot, *y));
            let positions: Vec<(f64, f64)> = positions.iter().map(at).collect();
            let dash = if *is_dashed { " stroke-dasharray=\"6 3\"" } else { "" };
            svg.polyline(&positions, &format!("stroke=\"currentColor\" stroke-width=\"1.6\"{dash}"));
            svg.text((plot.right + 6.0, place + 4.0), Text::new(name, SMALL_SIZE));
        }
    }

    /// Draws the key to the shades.
    fn draw_key(&self, svg: &mut Svg, plot: Area) {
        const SIDE: f64 = 14.0;
        let left = plot.right + 44.0;
        svg.text((left - 8.0, plot.top + 10.0), Text::new("requests", SMALL_SIZE).quiet());
        for level in 0..self.levels() {
            let top = plot.top + 18.0 + f64::from(level) * (SIDE + 3.0);
            let shade = Area { left: left - 8.0, top, right: left - 8.0 + SIDE, bottom: top + SIDE };
            self.draw_shade(svg, shade, level);
            let label = format!("≥ {}", format::count(10u64.pow(level)));
            svg.text((left + SIDE - 3.0, top + 11.0), Text::new(&label, SMALL_SIZE).quiet());
        }
    }

    /// The number of shades: one per power of ten.
    fn levels(&self) -> u32 {
        let most = self.columns.iter().flat_map(|column| &column.counts).max().copied().unwrap_or(0);
        level(most).unwrap_or(0) + 1
    }

    fn draw_shade(&self, svg: &mut Svg, area: Area, level: u32) {
        let steps = f64::from(self.levels().max(2) - 1);
        let opacity = FAINTEST + (1.0 - FAINTEST) * f64::from(level) / steps;
        svg.rect(area, &format!("fill=\"currentColor\" fill-opacity=\"{opacity:.2}\""));
    }
}

/// The shade of a count: its power of ten. Nothing has none.
fn level(count: u64) -> Option<u32> {
    count.checked_ilog10()
}
