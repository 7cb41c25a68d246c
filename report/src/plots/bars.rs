//! A picture of bars: a row for each candidate, whose bar has parts.

use super::axis::Axis;
use super::chart::{Area, LINE, SMALL_SIZE, TEXT_SIZE};
use super::lines::draw_x_axis;
use super::style::Styles;
use super::svg::{self, Anchor, Svg, Text, coordinate};

const ROW: f64 = 24.0;
const BAR: f64 = 15.0;
const HEAD: f64 = SMALL_SIZE * LINE + 8.0;
const FOOT: f64 = 2.0 * SMALL_SIZE * LINE + 8.0;
/// The most of its width that a picture gives to names, and to values.
const SHARE: f64 = 0.3;
/// How much each part covers its ground.
const OPACITY: [f64; 2] = [0.95, 0.4];

/// Bars of two parts, along a horizontal axis from zero.
#[derive(Debug)]
pub struct Bars {
    /// What the axis is.
    pub title: String,
    pub axis: Axis,
    /// What the parts are.
    pub parts: [&'static str; 2],
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug)]
pub struct Bar {
    pub mechanism: String,
    pub parts: [f64; 2],
    /// What stands behind it.
    pub label: String,
    /// What a browser shows on hovering.
    pub hover: String,
}

impl Bars {
    /// What the picture takes.
    pub fn height(&self) -> f64 {
        HEAD + FOOT + self.bars.len() as f64 * ROW
    }

    /// Draws it, from the top.
    pub fn draw(&self, svg: &mut Svg, styles: &Styles, slot: Area) {
        let most = (slot.right - slot.left) * SHARE;
        let widest = |text: fn(&Bar) -> &String| {
            let widths = self.bars.iter().map(|bar| svg::width(text(bar), TEXT_SIZE, false));
            widths.fold(0.0, f64::max).min(most)
        };
        let (names, labels) = (widest(|bar| &bar.mechanism), widest(|bar| &bar.label));
        let top = slot.top + HEAD;
        let plot = Area {
            left: slot.left + names + 10.0,
            top,
            right: slot.right - labels - 12.0,
            bottom: top + self.bars.len() as f64 * ROW,
        };
        self.draw_key(svg, plot.left, slot.top + SMALL_SIZE);
        draw_x_axis(svg, plot, &self.axis, &self.title);
        let x_of = |value: f64| plot.left + self.axis.share(value) * (plot.right - plot.left);
        for (at, bar) in self.bars.iter().enumerate() {
            let y = plot.top + (at as f64 + 0.5) * ROW;
            svg.open_group(&styles.get(&bar.mechanism).group("series", &bar.mechanism));
            let name = svg::shortened(&bar.mechanism, TEXT_SIZE, false, names);
            svg.text((plot.left - 10.0, y + 4.5), Text::new(&name, TEXT_SIZE).anchored(Anchor::End));
            svg.open_group("class=\"point\"");
            svg.element(&format!("<title>{}</title>", svg::escaped(&bar.hover)));
            let mut from = 0.0;
            for (part, opacity) in bar.parts.into_iter().zip(OPACITY) {
                let to = from + part.max(0.0);
                draw_part(svg, (x_of(from), y - BAR / 2.0), (x_of(to) - x_of(from), BAR), opacity);
                from = to;
            }
            svg.close_group();
            let label = svg::shortened(&bar.label, TEXT_SIZE, false, labels);
            svg.text((plot.right + 12.0, y + 4.5), Text::new(&label, TEXT_SIZE));
            svg.close_group();
        }
    }

    /// What the shades mean.
    fn draw_key(&self, svg: &mut Svg, left: f64, baseline: f64) {
        let mut x = left;
        for (part, opacity) in self.parts.into_iter().zip(OPACITY) {
            svg.open_group("class=\"key\" color=\"#808080\"");
            draw_part(svg, (x, baseline - 10.0), (12.0, 12.0), opacity);
            svg.close_group();
            svg.text((x + 18.0, baseline), Text::new(part, SMALL_SIZE).quiet());
            x += 18.0 + svg::width(part, SMALL_SIZE, false) + 20.0;
        }
    }
}

fn draw_part(svg: &mut Svg, (x, y): (f64, f64), (width, height): (f64, f64), opacity: f64) {
    let [x, y, width, height] = [x, y, width, height].map(coordinate);
    svg.element(&format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"currentColor\" fill-opacity=\"{opacity}\"/>"
    ));
}
