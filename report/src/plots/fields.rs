//! A picture of fields: who wins where, over two things that vary.

use super::layout::{Area, LINE, MARKER_RADIUS, SMALL_SIZE, TEXT_SIZE};
use super::style::Styles;
use super::svg::{self, Anchor, Svg, Text};

/// Above and below the lines of a field.
const ROW_PADDING: f64 = 10.0;
/// Lines that a field has room for, at least.
const LINES_AT_LEAST: usize = 3;
const HEAD: f64 = 2.0 * SMALL_SIZE * LINE + 8.0;
const GAP: f64 = 3.0;
const PADDING: f64 = 8.0;

/// Rows and columns of fields.
#[derive(Debug)]
pub struct Fields {
    /// The title of the columns.
    pub column_title: String,
    /// The title of the rows.
    pub row_title: String,
    pub columns: Vec<String>,
    /// The name of each row, and a field a column; `None` where nothing was measured.
    pub rows: Vec<(String, Vec<Option<Field>>)>,
}

/// The field at one row and column.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Whose colour it has; nobody's where several are as good.
    pub mechanism: Option<String>,
    /// The strength of that colour, 0 to 1; a greater value is drawn as 1.
    pub strength: f64,
    /// The lines that are written in it, the first one in bold.
    pub lines: Vec<String>,
    /// The text that a browser shows on hovering.
    pub hover: String,
}

impl Fields {
    /// The height of the picture.
    pub fn height(&self) -> f64 {
        HEAD + self.rows.len() as f64 * self.row()
    }

    /// The height of a row: room for the field with the most lines.
    fn row(&self) -> f64 {
        let fields = self.rows.iter().flat_map(|(_, fields)| fields).flatten();
        let lines = fields.map(|field| field.lines.len()).fold(LINES_AT_LEAST, usize::max);
        lines as f64 * SMALL_SIZE * LINE + ROW_PADDING
    }

    /// Draws it.
    pub fn draw(&self, svg: &mut Svg, styles: &Styles, slot: Area) {
        let names = self.rows.iter().map(|(name, _)| svg::width(name, TEXT_SIZE, true));
        let names = names.fold(svg::width(&self.row_title, SMALL_SIZE, false), f64::max) + PADDING;
        let area = Area { left: slot.left + names, top: slot.top + HEAD, ..slot };
        let width = (area.right - area.left) / self.columns.len() as f64;
        let middle = f64::midpoint(area.left, area.right);
        let quiet = |text| Text::new(text, SMALL_SIZE).anchored(Anchor::Middle).quiet();
        svg.text((middle, slot.top + SMALL_SIZE), quiet(&self.column_title));
        svg.text((slot.left, area.top - 6.0), Text::new(&self.row_title, SMALL_SIZE).quiet());
        for (index, column) in self.columns.iter().enumerate() {
            let x = area.left + (index as f64 + 0.5) * width;
            svg.text((x, area.top - 6.0), Text::new(column, TEXT_SIZE).anchored(Anchor::Middle).bold());
        }
        let height = self.row();
        for (index, (name, fields)) in self.rows.iter().enumerate() {
            let top = area.top + index as f64 * height;
            let text = Text::new(name, TEXT_SIZE).anchored(Anchor::End).bold();
            svg.text((area.left - PADDING, top + height / 2.0 + 4.0), text);
            for (index, field) in fields.iter().enumerate() {
                let left = area.left + index as f64 * width;
                let place = Area { left, top, right: left + width - GAP, bottom: top + height - GAP };
                match field {
                    Some(field) => draw_field(svg, styles, place, field),
                    None => svg.text(
                        (f64::midpoint(place.left, place.right), top + height / 2.0 + 4.0),
                        quiet("not measured"),
                    ),
                }
            }
        }
    }
}

fn draw_field(svg: &mut Svg, styles: &Styles, place: Area, field: &Field) {
    let winner = field.mechanism.as_deref().map(|name| (name, styles.get(name)));
    let group = winner.map_or_else(
        || "class=\"field\" color=\"#767676\"".to_owned(),
        |(name, style)| style.group("field", name),
    );
    svg.titled(&group, &field.hover, |svg| {
        let strength = winner.map_or(0.0, |_| field.strength.clamp(0.0, 1.0));
        svg.rect(
            place,
            &format!(
                "rx=\"3\" fill=\"currentColor\" fill-opacity=\"{:.2}\" stroke=\"currentColor\" stroke-width=\"1\"",
                0.08 + 0.3 * strength
            ),
        );
        let mut lead = 0.0;
        if let Some((_, style)) = winner {
            let marker = (place.left + PADDING + MARKER_RADIUS, place.top + TEXT_SIZE + 0.5);
            style.draw_marker(svg, marker, MARKER_RADIUS, false);
            lead = 2.0 * MARKER_RADIUS + 5.0;
        }
        for (index, line) in field.lines.iter().enumerate() {
            let (size, lead) = if index == 0 { (TEXT_SIZE, lead) } else { (SMALL_SIZE, 0.0) };
            let line = svg::shortened(line, size, index == 0, place.width() - 1.5 * PADDING - lead);
            let text = Text::new(&line, size);
            let baseline = place.top + TEXT_SIZE + 5.0 + index as f64 * SMALL_SIZE * LINE;
            svg.text((place.left + PADDING + lead, baseline), if index == 0 { text.bold() } else { text });
        }
    });
}
