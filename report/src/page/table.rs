//! A table of the page.

use serde::Serialize;

/// Rows under a caption.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// What it shows; unlike that of any other table of the page.
    pub caption: String,
    /// Whether a reader may want it in another order.
    pub sortable: bool,
    /// The column whose cells name their rows, from 0.
    pub header: usize,
    /// What its columns are.
    pub columns: Vec<Column>,
    /// Its rows, a cell a column.
    pub rows: Vec<Vec<Cell>>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// Whether it has figures, which are set to the right.
    pub numeric: bool,
}

/// Columns of the names given; those that begin with `#` have figures.
pub fn columns(names: &[&str]) -> Vec<Column> {
    let column = |name: &&str| match name.strip_prefix('#') {
        Some(name) => Column { name: name.to_owned(), numeric: true },
        None => Column { name: (*name).to_owned(), numeric: false },
    };
    names.iter().map(column).collect()
}

/// A cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cell {
    /// What stands in it.
    pub text: String,
    /// The number that it is sorted by; without one, its text is.
    pub key: Option<String>,
    /// How it is set off: a class of the style sheet, or empty.
    pub class: &'static str,
    /// Where it leads within the page, by name.
    pub link: Option<String>,
}

impl Cell {
    /// A cell with a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A cell with a figure, sorted by it; without a value, behind all others.
    pub fn figure(text: impl Into<String>, value: Option<f64>) -> Self {
        Self { key: value.map(key), ..Self::text(text) }
    }

    /// The same, set off.
    #[must_use]
    pub fn class(self, class: &'static str) -> Self {
        Self { class, ..self }
    }

    /// The same, leading to the part of the page called `id`.
    #[must_use]
    pub fn to(self, id: impl Into<String>) -> Self {
        Self { link: Some(id.into()), ..self }
    }
}

/// A number as it is sorted by, to a thousandth: the last bits of a logarithm, which differ between machines, must not reach the file.
fn key(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A name as part of an identifier of the page, which has letters, digits and dashes alone.
pub fn id(prefix: &str, name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    format!("{prefix}-{}", plain.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_plain_numbers() {
        for (value, text) in [(46_500.0, "46500"), (1.0 / 3.0, "0.333"), (0.0, "0"), (1e9, "1000000000")] {
            assert_eq!(key(value), text);
        }
    }

    #[test]
    fn identifiers_are_free_of_what_a_name_may_hold() {
        assert_eq!(id("campaign", "Deep/a b<c>"), "campaign-deep-a-b-c-");
    }
}
