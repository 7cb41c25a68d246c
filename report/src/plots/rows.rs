//! A picture of rows, one for each candidate, where nothing varies but who it is: dots with intervals, or bars of two parts.

use super::axis::Axis;
use super::layout::{Area, FOOT, LINE, MARKER_RADIUS, SMALL_SIZE, TEXT_SIZE};
use super::lines::{Series, draw_whisker, draw_x_axis};
use super::style::{Style, Styles};
use super::svg::{self, Anchor, Svg, Text};

const ROW: f64 = 24.0;
const BAR: f64 = 15.0;
/// The opacity of each part of a bar.
const OPACITY: [f64; 2] = [0.95, 0.4];

/// One figure of several candidates, along a horizontal axis.
#[derive(Debug)]
pub struct Rows {
    /// The title of the axis.
    pub title: String,
    pub axis: Axis,
    /// Each with one point, of which `y` is the figure, or with a point for each part; the label is written to the right.
    pub series: Vec<Series>,
    /// The names of the parts of bars; `None` for dots.
    pub parts: Option<[&'static str; 2]>,
}

impl Rows {
    /// The height of the picture.
    pub fn height(&self) -> f64 {
        self.head() + FOOT + self.series.len() as f64 * ROW
    }

    /// Above the rows: the key to the parts.
    fn head(&self) -> f64 {
        if self.parts.is_some() { SMALL_SIZE * LINE + 8.0 } else { 6.0 }
    }

    /// Draws it, from the top: as high as it need be and not as its neighbours.
    pub fn draw(&self, svg: &mut Svg, styles: &Styles, slot: Area) {
        // The most of its width that a picture gives to names, and to values.
        let most = slot.width() * if self.parts.is_some() { 0.3 } else { 0.35 };
        let widest = |text: fn(&Series) -> &String| {
            let widths = self.series.iter().map(|series| svg::width(text(series), TEXT_SIZE, false));
            widths.fold(0.0, f64::max).min(most)
        };
        let (names, labels) = (widest(|series| &series.mechanism), widest(|series| &series.label));
        let top = slot.top + self.head();
        let plot = Area {
            left: slot.left + names + 10.0,
            top,
            right: slot.right - labels - 12.0,
            bottom: top + self.series.len() as f64 * ROW,
        };
        self.draw_key(svg, plot.left, slot.top + SMALL_SIZE);
        draw_x_axis(svg, plot, &self.axis, &self.title);
        for (at, series) in self.series.iter().enumerate() {
            let y = plot.top + (at as f64 + 0.5) * ROW;
            let style = styles.get(&series.mechanism);
            let [name, label] = [(&series.mechanism, names), (&series.label, labels)]
                .map(|(text, most)| svg::shortened(text, TEXT_SIZE, false, most));
            svg.group(&style.group("series", &series.mechanism), |svg| {
                let name = Text::new(&name, TEXT_SIZE).anchored(Anchor::End);
                svg.text((plot.left - 10.0, y + 4.5), name);
                svg.point(&series.points[0].hover, |svg| match self.parts {
                    Some(_) => self.draw_bar(svg, plot, y, series),
                    None => self.draw_dot(svg, plot, y, series, style),
                });
                svg.text((plot.right + 12.0, y + 4.5), Text::new(&label, TEXT_SIZE));
            });
        }
    }

    fn draw_dot(&self, svg: &mut Svg, plot: Area, y: f64, series: &Series, style: Style) {
        let point = &series.points[0];
        if let Some((low, high)) = point.interval {
            draw_whisker(svg, [low, high].map(|end| (self.axis.x(plot, end), y)), [true; 2]);
        }
        style.draw_marker(svg, (self.axis.x(plot, point.y), y), MARKER_RADIUS + 0.5, false);
    }

    fn draw_bar(&self, svg: &mut Svg, plot: Area, y: f64, series: &Series) {
        let mut from = 0.0;
        for (part, opacity) in series.points.iter().zip(OPACITY) {
            let to = from + part.y.max(0.0);
            let [left, right] = [from, to].map(|end| self.axis.x(plot, end));
            draw_part(svg, Area { left, top: y - BAR / 2.0, right, bottom: y + BAR / 2.0 }, opacity);
            from = to;
        }
    }

    /// Draws the key to the shades.
    fn draw_key(&self, svg: &mut Svg, left: f64, baseline: f64) {
        let mut left = left;
        for (part, opacity) in self.parts.into_iter().flatten().zip(OPACITY) {
            let shade = Area { left, top: baseline - 10.0, right: left + 12.0, bottom: baseline + 2.0 };
            svg.group("class=\"key\" color=\"#808080\"", |svg| draw_part(svg, shade, opacity));
            svg.text((left + 18.0, baseline), Text::new(part, SMALL_SIZE).quiet());
            left += 18.0 + svg::width(part, SMALL_SIZE, false) + 20.0;
        }
    }
}

fn draw_part(svg: &mut Svg, area: Area, opacity: f64) {
    svg.rect(area, &format!("fill=\"currentColor\" fill-opacity=\"{opacity}\""));
}
