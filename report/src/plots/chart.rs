//! A figure as data, and how it is laid out: a title, rows of panels, a caption.

use super::fields::Fields;
use super::heat::Heat;
use super::layout::{Area, LINE, MARKER_RADIUS, SMALL_SIZE, TEXT_SIZE};
use super::lines::Lines;
use super::ratios::Ratios;
use super::rows::Rows;
use super::style::Styles;
use super::svg::{self, Svg, Text};

/// Width of every figure, in pixels.
pub const WIDTH: f64 = 960.0;

const MARGIN: f64 = 18.0;
const TITLE_SIZE: f64 = 18.0;
const PANEL_GAP: f64 = 22.0;
const ROW_GAP: f64 = 14.0;
/// From the begin of a line in the legend to its name.
const LEGEND_LEAD: f64 = 30.0;
const HEADING: f64 = TEXT_SIZE * LINE + 2.0;

/// A whole figure.
#[derive(Debug, Default)]
pub struct Figure {
    /// The name of its files.
    pub name: String,
    /// Its title: the finding, where there is one.
    pub title: String,
    /// Its subtitle: what is drawn.
    pub subtitle: String,
    /// The names of its lines, where these do not name themselves.
    pub legend: Vec<String>,
    /// Its panels, from the top.
    pub rows: Vec<Row>,
    /// The style of each mechanism.
    pub styles: Styles,
    /// The warnings that a reader must not miss, in bold.
    pub warnings: Vec<String>,
    /// The text below it: how to read it, and where it was measured.
    pub caption: Vec<String>,
}

/// Panels side by side.
#[derive(Debug, Default)]
pub struct Row {
    /// The heading of the row: what its panels have in common that other rows have not.
    pub heading: Option<String>,
    /// From the left.
    pub panels: Vec<Panel>,
}

/// One picture of a figure.
#[derive(Debug)]
pub struct Panel {
    /// The heading of the panel: what is measured in it.
    pub heading: String,
    /// The picture.
    pub body: Body,
}

/// The kinds of pictures.
#[derive(Debug)]
pub enum Body {
    Lines(Lines),
    Fields(Fields),
    Heat(Heat),
    Ratios(Ratios),
    Rows(Rows),
}

/// A line of the head or the caption: its text, its size, whether it is bold.
type Written = (String, f64, bool);

impl Figure {
    /// Draws the figure.
    pub fn svg(&self) -> String {
        let (head, caption) = (self.head(), self.foot());
        let height_of = |lines: &[Written]| lines.iter().map(|(_, size, _)| size * LINE).sum::<f64>();
        let legend = self.legend_places();
        let legend_height = legend.last().map_or(0.0, |(_, (_, y))| y + 8.0);
        let (head_height, caption_height) = (height_of(&head) + 8.0, height_of(&caption) + 6.0);
        let alone = self.rows.len() == 1;
        let rows: Vec<f64> = self.rows.iter().map(|row| row.height(alone)).collect();
        let gaps = (rows.len() - 1) as f64 * ROW_GAP;
        let panels_height = rows.iter().sum::<f64>() + gaps;
        let height = (2.0 * MARGIN + head_height + legend_height + caption_height + panels_height).ceil();

        let mut svg =
            Svg::new(&self.name, (WIDTH, height), &self.title, &self.subtitle, &self.styles.rules());
        write(&mut svg, &head, MARGIN);
        let mut top = MARGIN + head_height;
        for (name, (x, y)) in legend {
            let style = self.styles.get(name);
            svg.group(&style.group("series", name), |svg| {
                svg.polyline(&[(x, top + y - 4.5), (x + 24.0, top + y - 4.5)], &style.stroke());
                style.draw_marker(svg, (x + 12.0, top + y - 4.5), MARKER_RADIUS, false);
                svg.text((x + LEGEND_LEAD, top + y), Text::new(name, TEXT_SIZE));
            });
        }
        top += legend_height;
        for (row, height) in self.rows.iter().zip(rows) {
            row.draw(&mut svg, &self.styles, top, top + height);
            top += height + ROW_GAP;
        }
        write(&mut svg, &caption, height - MARGIN - caption_height + 6.0);
        svg.finish()
    }

    /// The place of each name of the legend, in lines, by the left end and the foot of its text.
    fn legend_places(&self) -> Vec<(&str, (f64, f64))> {
        let (mut x, mut y) = (MARGIN, TEXT_SIZE);
        let place = |name: &'_ String| {
            let width = LEGEND_LEAD + svg::width(name, TEXT_SIZE, false);
            if x > MARGIN && x + width > WIDTH - MARGIN {
                (x, y) = (MARGIN, y + TEXT_SIZE * LINE);
            }
            let place = (x, y);
            x += width + 16.0;
            place
        };
        let places: Vec<(f64, f64)> = self.legend.iter().map(place).collect();
        self.legend.iter().map(String::as_str).zip(places).collect()
    }

    /// The lines of the title and the subtitle.
    fn head(&self) -> Vec<Written> {
        [written(&self.title, TITLE_SIZE, true), written(&self.subtitle, TEXT_SIZE, false)].concat()
    }

    /// The lines below the panels.
    fn foot(&self) -> Vec<Written> {
        let warnings = self.warnings.iter().flat_map(|text| written(text, SMALL_SIZE, true));
        warnings.chain(self.caption.iter().flat_map(|text| written(text, SMALL_SIZE, false))).collect()
    }
}

/// A text as lines that fit the figure.
fn written(text: &str, size: f64, bold: bool) -> Vec<Written> {
    let lines = svg::wrapped(text, size, bold, WIDTH - 2.0 * MARGIN);
    lines.into_iter().map(|line| (line, size, bold)).collect()
}

/// Writes lines below each other, from `top` on; what is not bold is quiet.
fn write(svg: &mut Svg, lines: &[Written], top: f64) {
    let mut y = top;
    for (line, size, bold) in lines {
        y += size * LINE;
        let text = Text::new(line, *size);
        svg.text((MARGIN, y - 0.25 * size), if *bold { text.bold() } else { text.quiet() });
    }
}

impl Row {
    /// A picture alone, under `heading` unless that is empty.
    pub fn of(heading: impl Into<String>, body: Body) -> Self {
        Self { heading: None, panels: vec![Panel { heading: heading.into(), body }] }
    }

    /// The height of the row; one that is alone is higher than necessary.
    fn height(&self, alone: bool) -> f64 {
        let tallest = self.panels.iter().map(|panel| panel.body.height(alone)).fold(0.0, f64::max);
        let headings = if self.panels.iter().any(|panel| !panel.heading.is_empty()) { HEADING } else { 0.0 };
        tallest + headings + if self.heading.is_some() { HEADING } else { 0.0 }
    }

    fn draw(&self, svg: &mut Svg, styles: &Styles, top: f64, bottom: f64) {
        let mut top = top;
        if let Some(heading) = &self.heading {
            svg.text((MARGIN, top + TEXT_SIZE), Text::new(heading, TEXT_SIZE).bold());
            top += HEADING;
        }
        let headed = self.panels.iter().any(|panel| !panel.heading.is_empty());
        let count = self.panels.len() as f64;
        let slot = (WIDTH - 2.0 * MARGIN - (count - 1.0) * PANEL_GAP) / count;
        for (index, panel) in self.panels.iter().enumerate() {
            let left = MARGIN + index as f64 * (slot + PANEL_GAP);
            if headed {
                let heading = svg::shortened(&panel.heading, TEXT_SIZE, true, slot);
                let text = Text::new(&heading, TEXT_SIZE);
                let text = if self.heading.is_some() { text } else { text.bold() };
                svg.text((left, top + TEXT_SIZE), text);
            }
            let below = if headed { top + HEADING } else { top };
            panel.body.draw(svg, styles, Area { left, top: below, right: left + slot, bottom });
        }
    }
}

impl Body {
    fn height(&self, alone: bool) -> f64 {
        match self {
            Self::Lines(lines) => lines.height(alone),
            Self::Fields(fields) => fields.height(),
            Self::Heat(heat) => heat.height(),
            Self::Ratios(ratios) => ratios.height(),
            Self::Rows(rows) => rows.height(),
        }
    }

    fn draw(&self, svg: &mut Svg, styles: &Styles, area: Area) {
        match self {
            Self::Lines(lines) => lines.draw(svg, styles, area),
            Self::Fields(fields) => fields.draw(svg, styles, area),
            Self::Heat(heat) => heat.draw(svg, styles, area),
            Self::Ratios(ratios) => ratios.draw(svg, styles, area),
            Self::Rows(rows) => rows.draw(svg, styles, area),
        }
    }
}
