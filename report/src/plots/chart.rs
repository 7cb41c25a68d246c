//! A figure as data, and how it is laid out: a title, panels side by side, a caption.

use super::axis::{Axis, Tick, Unit};
use super::labels;
use super::style::{self, Style};
use super::svg::{self, Anchor, Svg, Text};

/// Width of every figure, in pixels.
pub const WIDTH: f64 = 960.0;
/// Height of every figure, in pixels.
pub const HEIGHT: f64 = 600.0;

const MARGIN: f64 = 18.0;
const TITLE_SIZE: f64 = 18.0;
const TEXT_SIZE: f64 = 13.0;
const SMALL_SIZE: f64 = 12.0;
const LINE: f64 = 1.35;
const PANEL_GAP: f64 = 22.0;
const LABEL_GAP: f64 = 16.0;
/// From the end of the plot to the text of a label: the leader and the marker.
const LABEL_LEAD: f64 = 28.0;
const MARKER_RADIUS: f64 = 4.0;

/// A whole figure.
#[derive(Debug)]
pub struct Figure {
    /// The name of its files.
    pub name: String,
    /// What it shows: the finding, where there is one.
    pub title: String,
    /// What is drawn.
    pub subtitle: String,
    /// Its panels, from the left.
    pub panels: Vec<Panel>,
    /// What a reader must not miss, in bold.
    pub warnings: Vec<String>,
    /// How to read it, and where it was measured.
    pub caption: Vec<String>,
}

/// One pair of axes.
#[derive(Debug)]
pub struct Panel {
    /// What its vertical axis is.
    pub heading: String,
    /// What its horizontal axis is.
    pub x_title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    /// Vertical lines, each with a word above.
    pub rules: Vec<(f64, &'static str)>,
}

/// One mechanism's line.
#[derive(Debug)]
pub struct Series {
    pub mechanism: String,
    /// What stands at the end of its line.
    pub label: String,
    /// Its points, by rising x.
    pub points: Vec<SeriesPoint>,
}

/// One point of a line.
#[derive(Debug)]
pub struct SeriesPoint {
    pub x: f64,
    pub y: f64,
    /// The interval of y.
    pub band: Option<(f64, f64)>,
    pub mark: Mark,
    /// What a browser shows on hovering.
    pub hover: String,
}

/// Whether a point has a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    None,
    Solid,
    /// Not every repeat is behind the point.
    Hollow,
}

/// A rectangle, in pixels.
#[derive(Debug, Clone, Copy)]
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Figure {
    /// Draws the figure.
    pub fn svg(&self) -> String {
        let mut svg = Svg::new(WIDTH, HEIGHT, &self.title);
        let top = self.draw_head(&mut svg);
        let bottom = self.draw_caption(&mut svg);
        let count = self.panels.len() as f64;
        let slot = (WIDTH - 2.0 * MARGIN - (count - 1.0) * PANEL_GAP) / count;
        for (index, panel) in self.panels.iter().enumerate() {
            let left = MARGIN + index as f64 * (slot + PANEL_GAP);
            panel.draw(&mut svg, Area { left, top, right: left + slot, bottom });
        }
        svg.finish()
    }

    /// Draws title and subtitle; returns where they end.
    fn draw_head(&self, svg: &mut Svg) -> f64 {
        let room = WIDTH - 2.0 * MARGIN;
        let mut y = MARGIN;
        for line in svg::wrapped(&self.title, TITLE_SIZE, true, room) {
            y += TITLE_SIZE * LINE;
            svg.text((MARGIN, y - 6.0), Text::new(&line, TITLE_SIZE).bold());
        }
        for line in svg::wrapped(&self.subtitle, TEXT_SIZE, false, room) {
            y += TEXT_SIZE * LINE;
            svg.text((MARGIN, y - 2.0), Text::new(&line, TEXT_SIZE).quiet());
        }
        y + 10.0
    }

    /// Draws the caption from the bottom up; returns where it begins.
    fn draw_caption(&self, svg: &mut Svg) -> f64 {
        let room = WIDTH - 2.0 * MARGIN;
        let lines = |texts: &[String], bold: bool| -> Vec<(String, bool)> {
            texts
                .iter()
                .flat_map(|text| svg::wrapped(text, SMALL_SIZE, bold, room))
                .map(|line| (line, bold))
                .collect()
        };
        let all = [lines(&self.warnings, true), lines(&self.caption, false)].concat();
        let top = HEIGHT - MARGIN - all.len() as f64 * SMALL_SIZE * LINE;
        for (index, (line, bold)) in all.iter().enumerate() {
            let text = Text::new(line, SMALL_SIZE);
            let baseline = top + (index as f64 + 1.0) * SMALL_SIZE * LINE;
            svg.text((MARGIN, baseline), if *bold { text.bold() } else { text.quiet() });
        }
        top - 6.0
    }
}

impl Panel {
    fn draw(&self, svg: &mut Svg, slot: Area) {
        svg.text((slot.left, slot.top + TEXT_SIZE), Text::new(&self.heading, TEXT_SIZE).bold());
        let rule_row = if self.rules.is_empty() { 14.0 } else { SMALL_SIZE * LINE + 6.0 };
        let (top, bottom) = (slot.top + TEXT_SIZE + rule_row, slot.bottom - 2.0 * SMALL_SIZE * LINE - 8.0);
        let y_ticks = self.y.ticks(bottom - top, SMALL_SIZE * LINE);
        let widest = |texts: &mut dyn Iterator<Item = &String>, size: f64| {
            texts.map(|text| svg::width(text, size, false)).fold(0.0, f64::max)
        };
        let left =
            slot.left + widest(&mut y_ticks.iter().filter_map(|tick| tick.label.as_ref()), SMALL_SIZE) + 8.0;
        let right =
            slot.right - LABEL_LEAD - widest(&mut self.series.iter().map(|series| &series.label), TEXT_SIZE);
        let plot = Area { left, top, right, bottom };
        self.draw_frame(svg, plot, &y_ticks);
        self.draw_rules(svg, plot);
        self.draw_series(svg, plot);
    }

    fn draw_frame(&self, svg: &mut Svg, plot: Area, y_ticks: &[Tick]) {
        let grid = |labelled: bool| {
            if labelled {
                "stroke=\"#d9d9d9\" stroke-width=\"1\""
            } else {
                "stroke=\"#efefef\" stroke-width=\"1\""
            }
        };
        for tick in y_ticks {
            let y = self.y_of(plot, tick.value);
            svg.segment((plot.left, y), (plot.right, y), grid(tick.label.is_some()));
            if let Some(label) = &tick.label {
                svg.text(
                    (plot.left - 6.0, y + 4.0),
                    Text::new(label, SMALL_SIZE).anchored(Anchor::End).quiet(),
                );
            }
        }
        let room = if self.x.unit == Unit::Percentile { 52.0 } else { 36.0 };
        for tick in self.x.ticks(plot.right - plot.left, room) {
            let x = self.x_of(plot, tick.value);
            svg.segment((x, plot.top), (x, plot.bottom), grid(tick.label.is_some()));
            if let Some(label) = &tick.label {
                let baseline = plot.bottom + SMALL_SIZE * LINE;
                svg.text((x, baseline), Text::new(label, SMALL_SIZE).anchored(Anchor::Middle).quiet());
            }
        }
        svg.segment(
            (plot.left, plot.bottom),
            (plot.right, plot.bottom),
            "stroke=\"#8c8c8c\" stroke-width=\"1\"",
        );
        let middle = f64::midpoint(plot.left, plot.right);
        let baseline = plot.bottom + 2.0 * SMALL_SIZE * LINE + 1.0;
        svg.text((middle, baseline), Text::new(&self.x_title, SMALL_SIZE).anchored(Anchor::Middle));
    }

    fn draw_rules(&self, svg: &mut Svg, plot: Area) {
        for (value, word) in
            self.rules.iter().filter(|(value, _)| self.x.low <= *value && *value <= self.x.high)
        {
            let x = self.x_of(plot, *value);
            svg.segment((x, plot.top - 3.0), (x, plot.bottom), "stroke=\"#595959\" stroke-width=\"1\"");
            let half = svg::width(word, SMALL_SIZE, false) / 2.0;
            let centre = x.min(plot.right + LABEL_LEAD - half).max(plot.left + half);
            svg.text((centre, plot.top - 7.0), Text::new(word, SMALL_SIZE).anchored(Anchor::Middle).quiet());
        }
    }

    fn draw_series(&self, svg: &mut Svg, plot: Area) {
        let ends: Vec<f64> = self
            .series
            .iter()
            .filter_map(|series| series.points.last())
            .map(|end| self.y_of(plot, end.y))
            .collect();
        let places = labels::spread(&ends, LABEL_GAP, plot.top, plot.bottom);
        let drawn = self.series.iter().filter(|series| !series.points.is_empty()).zip(places);
        let mut drawn: Vec<_> =
            drawn.map(|(series, place)| (series, place, style::of(&series.mechanism))).collect();
        // A dashed line over a solid one leaves both visible; the other way round hides it.
        drawn.sort_by_key(|(_, _, style)| !style.dash.is_empty());
        for (series, place, style) in drawn {
            svg.open_group(&format!(
                "class=\"series\" data-mechanism=\"{}\"",
                svg::escaped(&series.mechanism)
            ));
            self.draw_line(svg, plot, series, &style);
            self.draw_label(svg, plot, series, &style, place);
            svg.close_group();
        }
    }

    fn draw_line(&self, svg: &mut Svg, plot: Area, series: &Series, style: &Style) {
        let at = |x: f64, y: f64| (self.x_of(plot, x), self.y_of(plot, y));
        let banded = || series.points.iter().filter_map(|point| Some((point.x, point.band?)));
        if banded().count() > 1 {
            let upper = banded().map(|(x, (_, high))| at(x, high));
            let lower = banded().map(|(x, (low, _))| at(x, low));
            let mut outline: Vec<(f64, f64)> = upper.collect();
            outline.extend(lower.collect::<Vec<_>>().into_iter().rev());
            svg.polygon(&outline, &format!("fill=\"{}\" fill-opacity=\"0.18\"", style.colour));
        }
        if let Some((x, (low, high))) = banded().next().filter(|_| banded().count() == 1) {
            svg.segment(
                at(x, low),
                at(x, high),
                &format!("stroke=\"{}\" stroke-width=\"1.5\"", style.colour),
            );
        }
        let positions: Vec<(f64, f64)> = series.points.iter().map(|point| at(point.x, point.y)).collect();
        if positions.len() > 1 {
            svg.polyline(&positions, &style.stroke());
        }
        for (point, position) in
            series.points.iter().zip(positions).filter(|(point, _)| point.mark != Mark::None)
        {
            svg.open_group("class=\"point\"");
            svg.element(&format!("<title>{}</title>", svg::escaped(&point.hover)));
            // A hollow marker is the larger one, so that another on the same spot does not hide it.
            let hollow = point.mark == Mark::Hollow;
            style.draw_marker(svg, position, MARKER_RADIUS + if hollow { 2.0 } else { 0.0 }, hollow);
            svg.close_group();
        }
    }

    fn draw_label(&self, svg: &mut Svg, plot: Area, series: &Series, style: &Style, place: f64) {
        let Some(end) = series.points.last() else { return };
        let (x, y) = (self.x_of(plot, end.x), self.y_of(plot, end.y));
        let leader = [(x, y), (plot.right, y), (plot.right + 11.0, place)];
        svg.polyline(
            &leader,
            &format!("stroke=\"{}\" stroke-width=\"0.8\" stroke-opacity=\"0.7\"", style.colour),
        );
        style.draw_marker(svg, (plot.right + 17.0, place), MARKER_RADIUS, false);
        svg.text((plot.right + LABEL_LEAD, place + 4.5), Text::new(&series.label, TEXT_SIZE));
    }

    fn x_of(&self, plot: Area, value: f64) -> f64 {
        plot.left + self.x.share(value) * (plot.right - plot.left)
    }

    fn y_of(&self, plot: Area, value: f64) -> f64 {
        plot.bottom - self.y.share(value) * (plot.bottom - plot.top)
    }
}
