//! Tables and figures as they stand in a page.

use serde::Serialize;

use super::sources::Drawing;
use crate::grid::Grid;

/// A table of the page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// What it shows; unlike that of any other table of the page.
    pub caption: String,
    /// Whether a reader may want it in another order.
    pub sortable: bool,
    /// How many rows it has.
    pub rows: usize,
    /// The table itself.
    pub html: String,
}

/// A figure of the page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inlined {
    /// Its identifier in the page.
    pub id: String,
    /// The name of its files.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The picture: an element of the page, not a text in it.
    pub svg: String,
}

impl Table {
    /// A table in the order of its rows.
    pub fn of(caption: impl Into<String>, grid: &Grid) -> Self {
        Self { caption: caption.into(), sortable: false, rows: grid.rows.len(), html: grid.html() }
    }

    /// The same, which a reader may sort.
    #[must_use]
    pub fn sortable(self) -> Self {
        Self { sortable: true, ..self }
    }
}

impl Inlined {
    /// `drawing` of the campaign in `folder`, without the white space that indents it.
    pub fn of(drawing: &Drawing, folder: &str) -> Self {
        let svg = drawing.svg.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
        let (name, title) = (drawing.name.clone(), drawing.title.clone());
        Self { id: id(&["figure", folder, &name]), name, title, svg }
    }
}

/// Names as an identifier of the page, which has letters, digits and dashes alone.
pub fn id(names: &[&str]) -> String {
    let names: Vec<&str> = names.iter().copied().filter(|name| !name.is_empty()).collect();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    names.join("-").chars().map(plain).collect()
}
