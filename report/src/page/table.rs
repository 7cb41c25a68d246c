//! Tables and figures as they stand in a page.

use minijinja::context;
use minijinja::value::Value;

use super::sources::Drawing;
use crate::grid::Grid;

/// A table in the order of its rows; `caption` is unlike that of any other table of the page.
pub fn table(caption: &str, grid: &Grid) -> Value {
    context! { caption, sortable => false, rows => grid.rows.len(), html => grid.html() }
}

/// The same, which a reader may want in another order.
pub fn sortable(caption: &str, grid: &Grid) -> Value {
    context! { caption, sortable => true, rows => grid.rows.len(), html => grid.html() }
}

/// `drawing` of the campaign in `folder`, an element of the page, without the white space that indents it.
pub fn inlined(drawing: &Drawing, folder: &str) -> Value {
    let svg = drawing.svg.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
    let Drawing { name, title, .. } = drawing;
    context! { id => id(&["figure", folder, name]), name, title, svg }
}

/// Names as an identifier of the page, which has letters, digits and dashes alone.
pub fn id(names: &[&str]) -> String {
    let names: Vec<&str> = names.iter().copied().filter(|name| !name.is_empty()).collect();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    names.join("-").chars().map(plain).collect()
}
