//! A picture of time and latency: how many requests were answered when, and after how long.

use super::axis::{Axis, Tick};
use super::chart::{Area, LINE, SMALL_SIZE};
use super::lines::draw_x_axis;
use super::style::Styles;
use super::svg::{self, Anchor, Svg, Text, coordinate};
use crate::format;

const HEIGHT: f64 = 400.0;
const FOOT: f64 = 2.0 * SMALL_SIZE * LINE + 8.0;
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

/// What came in one stretch of time.
#[derive(Debug)]
pub struct Column {
    pub from: f64,
    pub to: f64,
    /// Requests in each field.
    pub counts: Vec<u64>,
    /// What a browser shows on hovering.
    pub hover: String,
}

impl Heat {
    /// What the picture takes.
    pub fn height(&self) -> f64 {
        HEIGHT
    }

    /// Draws it.
    pub fn draw(&self, svg: &mut Svg, _: &Styles, slot: Area) {
        let (top, bottom) = (slot.top + HEAD, slot.bottom - FOOT);
        let ticks = self.y.ticks(bottom - top, SMALL_SIZE * LINE);
        let widths = ticks.iter().filter_map(|tick| tick.label.as_ref());
        let labels = widths.map(|label| svg::width(label, SMALL_SIZE, false)).fold(0.0, f64::max);
        let plot = Area { left: slot.left + labels + 8.0, top, right: slot.right - MARGIN, bottom };
        self.draw_y_axis(svg, plot, &ticks);
        draw_x_axis(svg, plot, &self.x, &self.x_title);
        svg.open_group(&format!("class=\"heat\" color=\"{COLOUR}\""));
        for column in &self.columns {
            svg.open_group("class=\"point\"");
            svg.element(&format!("<title>{}</title>", svg::escaped(&column.hover)));
            self.draw_column(svg, plot, column);
            svg.close_group();
        }
        svg.close_group();
        self.draw_lines(svg, plot);
        self.draw_key(svg, plot);
    }

    fn draw_y_axis(&self, svg: &mut Svg, plot: Area, ticks: &[Tick]) {
        for tick in ticks {
            let y = self.y_of(plot, tick.value);
            svg.segment((plot.left, y), (plot.right, y), &svg::ruling(tick.label.is_some()));
            if let Some(label) = &tick.label {
                let text = Text::new(label, SMALL_SIZE).anchored(Anchor::End).quiet();
                svg.text((plot.left - 6.0, y + 4.0), text);
            }
        }
    }

    /// One column; neighbouring fields that look the same are one.
    fn draw_column(&self, svg: &mut Svg, plot: Area, column: &Column) {
        let (left, right) = (self.x_of(plot, column.from), self.x_of(plot, column.to));
        let mut first = 0;
        for run in column.counts.chunk_by(|one, other| level(*one) == level(*other)) {
            let (low, high) = (self.edges[first], self.edges[first + run.len()]);
            first += run.len();
            if let Some(level) = level(run[0]) {
                let (top, bottom) = (self.y_of(plot, high), self.y_of(plot, low));
                let place = Area { left, top, right, bottom };
                svg.element(&rect(place, self.opacity(level)));
            }
        }
    }

    fn draw_lines(&self, svg: &mut Svg, plot: Area) {
        svg.open_group(&format!("class=\"over\" color=\"{LINE_COLOUR}\""));
        let ends = self.lines.iter().filter_map(|line| line.positions.last());
        let wishes: Vec<f64> = ends.map(|(_, y)| self.y_of(plot, *y)).collect();
        let places = super::labels::spread(&wishes, 16.0, plot.top, plot.bottom);
        let drawn = self.lines.iter().filter(|line| !line.positions.is_empty());
        for (Course { name, is_dashed, positions }, place) in drawn.zip(places) {
            let positions: Vec<(f64, f64)> =
                positions.iter().map(|(x, y)| (self.x_of(plot, *x), self.y_of(plot, *y))).collect();
            let dash = if *is_dashed { " stroke-dasharray=\"6 3\"" } else { "" };
            svg.polyline(&positions, &format!("stroke=\"currentColor\" stroke-width=\"1.6\"{dash}"));
            svg.text((plot.right + 6.0, place + 4.0), Text::new(name, SMALL_SIZE));
        }
        svg.close_group();
    }

    /// What the shades mean.
    fn draw_key(&self, svg: &mut Svg, plot: Area) {
        const SIDE: f64 = 14.0;
        let left = plot.right + 44.0;
        svg.open_group(&format!("class=\"key\" color=\"{COLOUR}\""));
        svg.text((left - 8.0, plot.top + 10.0), Text::new("requests", SMALL_SIZE).quiet());
        for level in 0..self.levels() {
            let top = plot.top + 18.0 + f64::from(level) * (SIDE + 3.0);
            svg.element(&rect(
                Area { left: left - 8.0, top, right: left - 8.0 + SIDE, bottom: top + SIDE },
                self.opacity(level),
            ));
            let label = format!("≥ {}", format::count(10u64.pow(level)));
            svg.text((left + SIDE - 3.0, top + 11.0), Text::new(&label, SMALL_SIZE).quiet());
        }
        svg.close_group();
    }

    /// How many shades there are: one a power of ten.
    fn levels(&self) -> u32 {
        let most = self.columns.iter().flat_map(|column| &column.counts).max().copied().unwrap_or(0);
        level(most).unwrap_or(0) + 1
    }

    fn opacity(&self, level: u32) -> f64 {
        let steps = f64::from(self.levels().max(2) - 1);
        FAINTEST + (1.0 - FAINTEST) * f64::from(level) / steps
    }

    fn x_of(&self, plot: Area, value: f64) -> f64 {
        plot.left + self.x.share(value) * (plot.right - plot.left)
    }

    fn y_of(&self, plot: Area, value: f64) -> f64 {
        plot.bottom - self.y.share(value) * (plot.bottom - plot.top)
    }
}

/// The shade of a count: its power of ten. Nothing has none.
fn level(count: u64) -> Option<u32> {
    count.checked_ilog10()
}

fn rect(place: Area, opacity: f64) -> String {
    format!(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"currentColor\" fill-opacity=\"{opacity:.2}\"/>",
        coordinate(place.left),
        coordinate(place.top),
        coordinate(place.right - place.left),
        coordinate(place.bottom - place.top),
    )
}
