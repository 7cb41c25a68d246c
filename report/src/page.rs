//! `report.html`: results as one page, which needs nothing but a browser.
//!
//! What stands in it is gathered first (`view` and its neighbours), in words and numbers as a reader sees them; the template then only
//! puts them in their places, and escapes every one but tables and figures.

mod beside;
mod evidence;
mod sources;
mod table;
mod view;

use crate::templates;

pub use self::sources::{Drawing, Part, Sources};

/// The most that a page may have: what a browser shows at once, and a mail or a CI artefact takes.
pub const MOST_BYTES: usize = 3 << 20;

/// The number of figures of each campaign but the first: all, or fewer and fewer where the page would be too big.
const FIGURES_EACH: [usize; 4] = [usize::MAX, 3, 1, 0];

/// The page could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the page: {0:#}")]
pub struct PageError(#[from] minijinja::Error);

/// The page. The same sources give the same bytes; where these would be more than [`MOST_BYTES`], the campaigns but the first get
/// fewer figures, and say so.
///
/// # Errors
///
/// When the template fails, which is a defect of this crate.
pub fn render(sources: &Sources<'_>) -> Result<String, PageError> {
    let mut page = String::new();
    for figures_each in FIGURES_EACH {
        let context = minijinja::context! {
            page => view::page(sources, figures_each),
            style => include_str!("../templates/page.css"),
            script => include_str!("../templates/page.js"),
        };
        page = templates::filled("page.html", context)?;
        if page.len() <= MOST_BYTES {
            break;
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests;
