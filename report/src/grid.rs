//! A table as a value, printed as plain text, as Markdown and as HTML.

use std::fmt::Write as _;

use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};
use minijinja::HtmlEscape;

use crate::format;

/// A table: columns with titles, and rows of as many cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grid {
    /// The columns, from left to right.
    pub columns: Vec<Column>,
    /// The rows, from top to bottom. A row that is short ends in empty cells.
    pub rows: Vec<Vec<Cell>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The title. A line break in it is a break in plain text only.
    pub title: String,
    /// The side that its cells lean on.
    pub align: Align,
}

/// The side that the cells of a column lean on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// As words do.
    Left,
    /// As numbers do.
    Right,
}

/// A cell of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// The weight that the text is given where the printer has any.
    pub tone: Tone,
    /// The number that it is sorted by where a reader can sort; without one, its text is.
    pub key: Option<String>,
}

/// The weight of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// In grey: nothing that can be told from nothing.
    Muted,
    /// In bold: the heading of the rows below.
    Strong,
    /// As good news is.
    Good,
    /// As news is that is good in part.
    Partly,
    /// As bad news is.
    Bad,
}

impl Column {
    /// A column of words.
    pub fn words(title: impl Into<String>) -> Self {
        Self { title: title.into(), align: Align::Left }
    }

    /// A column of numbers.
    pub fn numbers(title: impl Into<String>) -> Self {
        Self { title: title.into(), align: Align::Right }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Cell {
    /// The same text in another weight.
    #[must_use]
    pub fn with(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// The same text, sorted by a number, to a thousandth: the last bits of a logarithm, which differ between machines, must not
    /// reach a file. Without a number it is sorted behind all others.
    #[must_use]
    pub fn sorted_by(self, number: Option<f64>) -> Self {
        Self { key: number.map(|number| format::shortest(number, 3)), ..self }
    }
}

impl Grid {
    /// The table for a terminal: columns kept apart by spaces, a line for each row. Ends with a newline.
    pub fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(self.columns.iter().map(|column| column.title.clone()));
        for row in &self.rows {
            table.add_row(self.texts(row).map(one_line));
        }
        for (at, column) in self.columns.iter().enumerate() {
            let align = match column.align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            };
            if let Some(column) = table.column_mut(at) {
                column.set_cell_alignment(align);
                column.set_padding((0, 2));
            }
        }
        table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    /// The table for a terminal of `width` columns, in a frame, long cells on several lines; `first` is the width of the first column. Ends with a
    /// newline.
    pub fn boxed(&self, width: u16, first: Option<u16>) -> String {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_width(width);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(self.columns.iter().map(|column| column.title.clone()));
        table.add_rows(self.rows.iter().map(|row| self.texts(row)));
        if let Some((column, width)) = table.column_mut(0).zip(first) {
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        }
        table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    /// The table in GitHub's Markdown. Ends with a newline.
    pub fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let titles = self.columns.iter().map(|column| markdown(&column.title));
        let rules = self.columns.iter().map(|column| match column.align {
            Align::Left => "---".to_owned(),
            Align::Right => "---:".to_owned(),
        });
        let mut out = line(titles.collect()) + &line(rules.collect());
        for row in &self.rows {
            let tones = row.iter().map(|cell| cell.tone).chain(std::iter::repeat(Tone::Plain));
            let cells = self.texts(row).zip(tones).map(|(text, tone)| match tone {
                Tone::Strong if !text.is_empty() => format!("**{}**", markdown(&text)),
                _ => markdown(&text),
            });
            out += &line(cells.collect());
        }
        out
    }

    /// The table in HTML: tones are classes of cells, `number` is that of cells of numbers. Ends with a newline.
    pub fn html(&self) -> String {
        let mut out = String::from("<table>\n<thead><tr>");
        for column in &self.columns {
            // Writing into a String cannot fail.
            let _ = write!(
                out,
                "<th scope=\"col\"{}>{}</th>",
                class(column.align, Tone::Plain),
                html(&column.title)
            );
        }
        out += "</tr></thead>\n<tbody>\n";
        for row in &self.rows {
            out += "<tr>";
            let cells = row.iter().cloned().chain(std::iter::repeat(Cell::default()));
            for (cell, column) in cells.zip(&self.columns) {
                let key = cell.key.map(|key| format!(" data-v=\"{key}\"")).unwrap_or_default();
                let _ = write!(out, "<td{}{key}>{}</td>", class(column.align, cell.tone), html(&cell.text));
            }
            out += "</tr>\n";
        }
        out + "</tbody>\n</table>\n"
    }

    /// The texts of a row, one for each column.
    fn texts(&self, row: &[Cell]) -> impl Iterator<Item = String> {
        let texts = row.iter().map(|cell| cell.text.clone()).chain(std::iter::repeat(String::new()));
        texts.take(self.columns.len())
    }
}

fn one_line(text: String) -> String {
    text.replace('\n', " ")
}

/// A text as GitHub's Markdown has it, in a line.
pub(crate) fn markdown(text: &str) -> String {
    one_line(text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*"))
}

fn html(text: &str) -> String {
    HtmlEscape(text).to_string()
}

fn class(align: Align, tone: Tone) -> String {
    let align = (align == Align::Right).then_some("number");
    let tone = match tone {
        Tone::Plain => None,
        Tone::Muted => Some("muted"),
        Tone::Strong => Some("strong"),
        Tone::Good => Some("good"),
        Tone::Partly => Some("partly"),
        Tone::Bad => Some("bad"),
    };
    let classes: Vec<&str> = align.into_iter().chain(tone).collect();
    if classes.is_empty() { String::new() } else { format!(" class=\"{}\"", classes.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid {
            columns: vec![Column::words("candidate"), Column::numbers("response\np50")],
            rows: vec![
                vec![Cell::from("a|b").sorted_by(Some(1.0 / 3.0)), Cell::from("35.1 µs").with(Tone::Muted)],
                vec![Cell::from("<c>").with(Tone::Strong)],
            ],
        }
    }

    #[test]
    fn text_has_a_line_for_each_row_and_no_blank_at_its_end() {
        let text = grid().text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, ["candidate  response", "                p50", "a|b         35.1 µs", "<c>"]);
    }

    #[test]
    fn markdown_escapes_what_would_end_a_cell() {
        let lines = "| candidate | response p50 |\n| --- | ---: |\n| a\\|b | 35.1 µs |\n| **&lt;c>** |  |\n";
        assert_eq!(grid().markdown(), lines);
    }

    #[test]
    fn html_escapes_what_comes_from_a_result() {
        let html = grid().html();
        assert!(
            html.contains("<td data-v=\"0.333\">a|b</td><td class=\"number muted\">35.1 µs</td>"),
            "{html}"
        );
        assert!(html.contains("<td class=\"strong\">&lt;c&gt;</td><td class=\"number\"></td>"), "{html}");
    }
}
