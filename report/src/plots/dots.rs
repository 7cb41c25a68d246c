//! A picture of dots: a row a candidate, where nothing varies but who it is.

use super::axis::Axis;
use super::chart::{Area, LINE, MARKER_RADIUS, SMALL_SIZE, TEXT_SIZE};
use super::lines::{Mark, Series, draw_whisker, draw_x_axis};
use super::style::Styles;
use super::svg::{self, Anchor, Svg, Text};

const ROW: f64 = 24.0;
const HEAD: f64 = 6.0;
const FOOT: f64 = 2.0 * SMALL_SIZE * LINE + 8.0;
/// The most of its width that a picture gives to names, and to values.
const NAMES_SHARE: f64 = 0.35;

/// One figure of several candidates, along a horizontal axis.
#[derive(Debug)]
pub struct Dots {
    /// What the axis is.
    pub title: String,
    pub axis: Axis,
    /// Each with one point, of which `y` is the figure; the label is written to the right.
    pub series: Vec<Series>,
}

impl Dots {
    /// What the picture takes.
    pub fn height(&self) -> f64 {
        HEAD + FOOT + self.series.len() as f64 * ROW
    }

    /// Draws it, from the top: as high as it need be and not as its neighbours.
    pub fn draw(&self, svg: &mut Svg, styles: &Styles, slot: Area) {
        let most = (slot.right - slot.left) * NAMES_SHARE;
        let widest = |text: &dyn Fn(&Series) -> String| {
            let widths = self.series.iter().map(|series| svg::width(&text(series), TEXT_SIZE, false));
            widths.fold(0.0, f64::max).min(most)
        };
        let (names, values) =
            (widest(&|series| series.mechanism.clone()), widest(&|series| series.label.clone()));
        let plot = Area {
            left: slot.left + names + 10.0,
            top: slot.top + HEAD,
            right: slot.right - values - 12.0,
            bottom: slot.top + HEAD + self.series.len() as f64 * ROW,
        };
        draw_x_axis(svg, plot, &self.axis, &self.title);
        for (index, series) in self.series.iter().enumerate() {
            let y = plot.top + (index as f64 + 0.5) * ROW;
            self.draw_row(svg, styles, plot, (y, names, values), series);
        }
    }

    fn draw_row(
        &self,
        svg: &mut Svg,
        styles: &Styles,
        plot: Area,
        (y, names, values): (f64, f64, f64),
        series: &Series,
    ) {
        let Some(point) = series.end() else { return };
        let style = styles.get(&series.mechanism);
        let x_of = |value: f64| plot.left + self.axis.share(value) * (plot.right - plot.left);
        svg.open_group(&style.group("series", &series.mechanism));
        let name = svg::shortened(&series.mechanism, TEXT_SIZE, false, names);
        svg.text((plot.left - 10.0, y + 4.5), Text::new(&name, TEXT_SIZE).anchored(Anchor::End));
        svg.open_group("class=\"point\"");
        svg.element(&format!("<title>{}</title>", svg::escaped(&point.hover)));
        if let Some((low, high)) = point.interval {
            draw_whisker(svg, [(x_of(low), y), (x_of(high), y)], [true; 2]);
        }
        let hollow = point.mark == Mark::Hollow;
        style.draw_marker(svg, (x_of(point.y), y), MARKER_RADIUS + if hollow { 1.5 } else { 0.5 }, hollow);
        svg.close_group();
        let label = svg::shortened(&series.label, TEXT_SIZE, false, values);
        svg.text((plot.right + 12.0, y + 4.5), Text::new(&label, TEXT_SIZE));
        svg.close_group();
    }
}
