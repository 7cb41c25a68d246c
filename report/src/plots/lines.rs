//! A picture of lines: one a candidate, over what varies.

use super::axis::{Axis, Tick};
use super::labels;
use super::layout::{Area, FOOT, LINE, MARKER_RADIUS, SMALL_SIZE, TEXT_SIZE};
use super::style::{Style, Styles};
use super::svg::{self, Anchor, FRAME, Svg, Text};

const LABEL_GAP: f64 = 16.0;
/// From one open arrow to the next.
const ARROW_GAP: f64 = 12.0;
/// From the end of the plot to the text of a label: the leader and the marker.
const LABEL_LEAD: f64 = 28.0;
/// The most of its width that a picture gives to labels.
const LABELS_SHARE: f64 = 0.45;

/// One pair of axes, and what is drawn between them.
#[derive(Debug)]
pub struct Lines {
    /// The title of the horizontal axis.
    pub x_title: String,
    pub x: Axis,
    pub y: Axis,
    /// The values at which that axis has ticks; if empty, it has them at round values.
    pub measured: Vec<f64>,
    pub series: Vec<Series>,
    /// Vertical lines, each with a word above.
    pub rules: Vec<(f64, &'static str)>,
}

/// One candidate's line.
#[derive(Debug, Clone)]
pub struct Series {
    pub mechanism: String,
    /// The label at the end of the line; empty where a legend names it.
    pub label: String,
    /// Its points, by rising x.
    pub points: Vec<SeriesPoint>,
}

/// One point of a line.
#[derive(Debug, Clone)]
pub struct SeriesPoint {
    pub x: f64,
    pub y: f64,
    /// The interval of y.
    pub interval: Option<(f64, f64)>,
    pub mark: Mark,
    /// The text that a browser shows on hovering.
    pub hover: String,
}

/// The mark of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    None,
    Solid,
    /// The value is a bound, or is that of something else.
    Hollow,
    /// Saturated: there is no value, and an open arrow at the top in its place.
    Saturated,
}

impl Series {
    /// The point that the label is about: the last that has a value.
    pub fn end(&self) -> Option<&SeriesPoint> {
        self.points.iter().rfind(|point| point.mark != Mark::Saturated)
    }
}

impl Lines {
    /// The height of the picture: room for all labels.
    pub fn height(&self, alone: bool) -> f64 {
        let labels = self.series.iter().filter(|series| !series.label.is_empty()).count() as f64 * LABEL_GAP;
        let plot = labels.max(if alone { 380.0 } else { 200.0 });
        plot + FOOT + self.head()
    }

    /// Above the plot: half a label of the highest tick, and the words over rules.
    fn head(&self) -> f64 {
        if self.rules.is_empty() && !self.is_saturated() { 10.0 } else { SMALL_SIZE * LINE + 4.0 }
    }

    fn is_saturated(&self) -> bool {
        self.series.iter().flat_map(|series| &series.points).any(|point| point.mark == Mark::Saturated)
    }

    /// Draws it.
    pub fn draw(&self, svg: &mut Svg, styles: &Styles, slot: Area) {
        let (top, bottom) = (slot.top + self.head(), slot.bottom - FOOT);
        let y_ticks = self.y.ticks(bottom - top, SMALL_SIZE * LINE);
        let left = slot.left + labels_width(&y_ticks) + 8.0;
        let widths = self.series.iter().map(|series| svg::width(&series.label, TEXT_SIZE, false));
        let labels = widths.fold(0.0, f64::max).min(slot.width() * LABELS_SHARE);
        let margin = if labels > 0.0 { LABEL_LEAD + labels } else { 0.0 };
        let plot = Area { left, top, right: slot.right - margin, bottom };
        self.draw_frame(svg, plot, &y_ticks);
        self.draw_rules(svg, plot);
        self.draw_series(svg, styles, plot, labels);
        self.draw_saturated(svg, styles, plot);
    }

    fn draw_frame(&self, svg: &mut Svg, plot: Area, y_ticks: &[Tick]) {
        draw_y_axis(svg, plot, &self.y, y_ticks);
        let length = plot.right - plot.left;
        let room = tick_room(&self.x, length);
        let ticks = match self.measured.is_empty() {
            true => self.x.ticks(length, room),
            false => self.x.ticks_at(self.measured.iter().copied(), length, room),
        };
        draw_x_ticks(svg, plot, &self.x, &ticks, &self.x_title);
    }

    fn draw_rules(&self, svg: &mut Svg, plot: Area) {
        for (value, word) in
            self.rules.iter().filter(|(value, _)| self.x.low <= *value && *value <= self.x.high)
        {
            let x = self.x.x(plot, *value);
            svg.segment((x, plot.top - 3.0), (x, plot.bottom), &FRAME.stroke());
            let half = svg::width(word, SMALL_SIZE, false) / 2.0;
            let centre = x.min(plot.right + LABEL_LEAD - half).max(plot.left + half);
            svg.text((centre, plot.top - 7.0), Text::new(word, SMALL_SIZE).anchored(Anchor::Middle).quiet());
        }
    }

    fn draw_series(&self, svg: &mut Svg, styles: &Styles, plot: Area, labels_width: f64) {
        let with_points: Vec<(&Series, &SeriesPoint)> =
            self.series.iter().filter_map(|series| Some((series, series.end()?))).collect();
        let ends: Vec<f64> = with_points.iter().map(|(_, end)| self.y.y(plot, end.y)).collect();
        let places = labels::spread(&ends, LABEL_GAP, plot.top, plot.bottom);
        let mut drawn: Vec<_> = with_points
            .into_iter()
            .zip(places)
            .map(|((series, end), place)| (series, end, place, styles.get(&series.mechanism)))
            .collect();
        // A dashed line over a solid one leaves both visible; the other way round hides it.
        drawn.sort_by_key(|(.., style)| !style.dash.is_empty());
        for (series, end, place, style) in drawn {
            svg.group(&style.group("series", &series.mechanism), |svg| {
                self.draw_line(svg, plot, series, &style);
                let label = svg::shortened(&series.label, TEXT_SIZE, false, labels_width);
                if !label.is_empty() {
                    draw_label(svg, plot, self.at(plot, end.x, end.y), place, &label, &style);
                }
            });
        }
    }

    fn draw_line(&self, svg: &mut Svg, plot: Area, series: &Series, style: &Style) {
        // Where there is no value, the line is interrupted rather than drawn through.
        for run in series.points.split(|point| point.mark == Mark::Saturated) {
            let positions: Vec<(f64, f64)> =
                run.iter().map(|point| self.at(plot, point.x, point.y)).collect();
            if positions.len() > 1 {
                svg.polyline(&positions, &style.stroke());
            }
        }
        let marked = |point: &&SeriesPoint| !matches!(point.mark, Mark::None | Mark::Saturated);
        for point in series.points.iter().filter(marked) {
            svg.point(&point.hover, |svg| {
                if let Some((low, high)) = point.interval {
                    draw_whisker(svg, [low, high].map(|end| self.at(plot, point.x, end)), [true; 2]);
                }
                let is_hollow = point.mark == Mark::Hollow;
                // A hollow marker is the larger one, so that another on the same spot does not hide it.
                let radius = MARKER_RADIUS + if is_hollow { 2.0 } else { 0.0 };
                style.draw_marker(svg, self.at(plot, point.x, point.y), radius, is_hollow);
            });
        }
    }

    /// Open arrows above the plot: those at one place side by side.
    fn draw_saturated(&self, svg: &mut Svg, styles: &Styles, plot: Area) {
        let saturated = |x: f64| {
            let has = move |point: &&SeriesPoint| point.mark == Mark::Saturated && point.x == x;
            self.series.iter().filter_map(move |series| Some((series, series.points.iter().find(has)?)))
        };
        let mut places: Vec<f64> = self.measured.clone();
        places.sort_by(f64::total_cmp);
        places.dedup();
        for x in places {
            let width = (saturated(x).count() as f64 - 1.0) * ARROW_GAP;
            let middle = self.x.x(plot, x).min(plot.right - width / 2.0).max(plot.left + width / 2.0);
            for (at, (series, point)) in saturated(x).enumerate() {
                let x = middle - width / 2.0 + at as f64 * ARROW_GAP;
                svg.group(&styles.get(&series.mechanism).group("series", &series.mechanism), |svg| {
                    svg.point(&point.hover, |svg| draw_arrow(svg, (x, plot.top + 4.0), (0.0, -1.0)));
                });
            }
        }
    }

    fn at(&self, plot: Area, x: f64, y: f64) -> (f64, f64) {
        (self.x.x(plot, x), self.y.y(plot, y))
    }
}

/// Pixels that a label of the axis takes.
fn tick_room(axis: &Axis, length: f64) -> f64 {
    8.0 + labels_width(&axis.ticks(length, 36.0))
}

/// The width of the widest label of `ticks`.
pub fn labels_width(ticks: &[Tick]) -> f64 {
    let labels = ticks.iter().filter_map(|tick| tick.label.as_ref());
    labels.map(|label| svg::width(label, SMALL_SIZE, false)).fold(0.0, f64::max)
}

/// The horizontal ruling, and the labels beside it.
pub fn draw_y_axis(svg: &mut Svg, plot: Area, axis: &Axis, ticks: &[Tick]) {
    for tick in ticks {
        let y = axis.y(plot, tick.value);
        svg.segment((plot.left, y), (plot.right, y), &svg::ruling(tick.label.is_some()));
        if let Some(label) = &tick.label {
            let text = Text::new(label, SMALL_SIZE).anchored(Anchor::End).quiet();
            svg.text((plot.left - 6.0, y + 4.0), text);
        }
    }
}

/// The vertical ruling, the labels below it, the foot of the plot, and the axis's title.
pub fn draw_x_axis(svg: &mut Svg, plot: Area, axis: &Axis, title: &str) {
    let length = plot.right - plot.left;
    draw_x_ticks(svg, plot, axis, &axis.ticks(length, tick_room(axis, length)), title);
}

fn draw_x_ticks(svg: &mut Svg, plot: Area, axis: &Axis, ticks: &[Tick], title: &str) {
    for tick in ticks {
        let x = axis.x(plot, tick.value);
        svg.segment((x, plot.top), (x, plot.bottom), &svg::ruling(tick.label.is_some()));
        if let Some(label) = &tick.label {
            let text = Text::new(label, SMALL_SIZE).anchored(Anchor::Middle).quiet();
            svg.text((x, plot.bottom + SMALL_SIZE * LINE), text);
        }
    }
    svg.segment((plot.left, plot.bottom), (plot.right, plot.bottom), &FRAME.stroke());
    let middle = f64::midpoint(plot.left, plot.right);
    let baseline = plot.bottom + 2.0 * SMALL_SIZE * LINE + 1.0;
    svg.text((middle, baseline), Text::new(title, SMALL_SIZE).anchored(Anchor::Middle));
}

/// An interval: a line with a short bar across each of those of its ends that is one.
pub fn draw_whisker(svg: &mut Svg, [from, to]: [(f64, f64); 2], is_end: [bool; 2]) {
    const STROKE: &str = "stroke=\"currentColor\" stroke-width=\"1.4\"";
    let is_upright = from.0 == to.0;
    let (across, along) = if is_upright { (3.0, 0.0) } else { (0.0, 3.0) };
    svg.segment(from, to, STROKE);
    for (end, _) in [from, to].into_iter().zip(is_end).filter(|(_, is_end)| *is_end) {
        svg.segment((end.0 - across, end.1 - along), (end.0 + across, end.1 + along), STROKE);
    }
}

/// An open arrow with its head from `at` on in a direction, and a shaft, which no marker has: something lies beyond.
pub fn draw_arrow(svg: &mut Svg, at: (f64, f64), (right, down): (f64, f64)) {
    const LENGTH: f64 = 10.0;
    const HALF: f64 = 4.5;
    let corners = [
        (at.0 + right * LENGTH, at.1 + down * LENGTH),
        (at.0 + down * HALF, at.1 + right * HALF),
        (at.0 - down * HALF, at.1 - right * HALF),
    ];
    let shaft = (at.0 - right * 7.0, at.1 - down * 7.0);
    svg.segment(shaft, at, "stroke=\"currentColor\" stroke-width=\"1.8\"");
    svg.polygon(&corners, &format!("{} stroke=\"currentColor\" stroke-width=\"1.4\"", svg::GROUND.fill()));
}

/// The label of a line that ends at `end`, at the height `place`, with a leader from the one to the other.
fn draw_label(svg: &mut Svg, plot: Area, end: (f64, f64), place: f64, label: &str, style: &Style) {
    let leader = [end, (plot.right, end.1), (plot.right + 11.0, place)];
    svg.polyline(&leader, "stroke=\"currentColor\" stroke-width=\"0.8\" stroke-opacity=\"0.7\"");
    style.draw_marker(svg, (plot.right + 17.0, place), MARKER_RADIUS, false);
    svg.text((plot.right + LABEL_LEAD, place + 4.5), Text::new(label, TEXT_SIZE));
}
