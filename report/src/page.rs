//! `report.html`: results as one page, which needs nothing but a browser.
//!
//! What stands in it is gathered into plain structures first (`view` and its neighbours), in words and numbers as a reader
//! sees them; the template then only puts them in their places, and escapes every one but tables and figures.

mod beside;
mod evidence;
mod view;

use minijinja::value::Value;
use serde::Serialize;

use crate::rounds::Analysis;
use crate::templates;
use model::schema::{BenchGroup, Claims, LoadReport, Reproductions};

use self::view::Page;

/// The most that a page may have: what a browser shows at once, and a mail or a CI artefact takes.
pub const MOST_BYTES: usize = 3 << 20;

/// How many figures each campaign but the first may have: all, or, where the page would be too big, fewer and fewer.
const FIGURES_EACH: [usize; 4] = [usize::MAX, 3, 1, 0];

/// The page could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the page: {0:#}")]
pub struct PageError(#[from] minijinja::Error);

/// A figure that has been drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drawing {
    /// The name of its files, without extension, which those of micro-benchmarks begin with `bench-`: `ratios`.
    pub name: String,
    /// What it shows, in a sentence.
    pub title: String,
    /// The names that something is drawn of.
    pub drawn: Vec<String>,
    /// The figure itself: the same bytes for the same data.
    pub svg: String,
}

/// A campaign with its figures.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// What it says.
    pub analysis: &'a Analysis<'a>,
    /// Where it is below the folder that the page is about: `crossover`; empty for the one in that folder itself.
    pub folder: &'a str,
    /// The main one first.
    pub figures: &'a [Drawing],
}

/// All that a page is made from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The campaigns, of which the first is what the page is about.
    pub parts: &'a [Part<'a>],
    /// Micro-benchmarks; their figures are among those of the first campaign.
    pub benches: &'a [BenchGroup],
    /// Single runs of the generator.
    pub loads: &'a [LoadReport],
    /// Published figures, measured again.
    pub reproductions: Option<&'a Reproductions>,
    /// What all of it says of the claims.
    pub claims: &'a Claims,
}

/// The page. The same sources give the same bytes; where these would be more than [`MOST_BYTES`], the campaigns but the first get
/// fewer figures, and say so.
///
/// # Errors
///
/// When the template fails, which is a defect of this crate.
pub fn render(sources: &Sources<'_>) -> Result<String, PageError> {
    let mut page = String::new();
    for figures_each in FIGURES_EACH {
        page = html(&Page::of(sources, figures_each))?;
        if page.len() <= MOST_BYTES {
            break;
        }
    }
    Ok(page)
}

fn html(page: &Page) -> Result<String, PageError> {
    let context = minijinja::context! {
        page => Value::from_serialize(page),
        style => include_str!("../templates/page.css"),
        script => include_str!("../templates/page.js"),
    };
    Ok(templates::filled("page.html", context)?)
}

#[cfg(test)]
mod tests;
