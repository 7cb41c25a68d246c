//! The sources of a page.

use model::schema::{BenchGroup, Claims, LoadReport, Reproductions};

use crate::rounds::Analysis;

/// A figure that has been drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// The name of its files, without extension, which those of micro-benchmarks begin with `bench-`: `ratios`.
    pub name: String,
    /// Its title: what it shows, in a sentence.
    pub title: String,
    /// The names that something is drawn of.
    pub drawn: Vec<String>,
    /// The figure itself: the same bytes for the same data.
    pub svg: String,
}

/// A campaign with its figures.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The analysis of the campaign.
    pub analysis: &'a Analysis<'a>,
    /// The path of its folder below the one that the page is about: `crossover`; empty for that folder itself.
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
    /// The claims, with the verdicts from all of these.
    pub claims: &'a Claims,
}

/// Returns whether a figure is one of micro-benchmarks.
pub fn is_of_benches(drawing: &Drawing) -> bool {
    drawing.name.starts_with("bench-")
}
