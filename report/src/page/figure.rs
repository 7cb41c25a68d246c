//! A figure as it stands in the page.

use serde::Serialize;

use super::table::id;
use super::{Figure, Part};

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

impl Inlined {
    /// `figure` of the campaign in `folder`.
    pub fn of(figure: &Figure, folder: &str) -> Self {
        let id = id(if folder.is_empty() { "figure" } else { folder }, &figure.name);
        let id = if folder.is_empty() { id } else { self::id("figure", &id) };
        let svg = inlined(&figure.svg, &id);
        Self { id, name: figure.name.clone(), title: figure.title.clone(), svg }
    }
}

/// What micro-benchmarks draw.
pub fn of_benches<'a>(part: &Part<'a>) -> impl Iterator<Item = &'a Figure> {
    part.figures.iter().filter(|figure| is_of_benches(figure))
}

/// What the campaign itself draws.
pub fn of_campaign<'a>(part: &Part<'a>) -> impl Iterator<Item = &'a Figure> {
    part.figures.iter().filter(|figure| !is_of_benches(figure))
}

fn is_of_benches(figure: &Figure) -> bool {
    figure.name.starts_with("bench-")
}

/// An SVG as an element of a page, without the white space that indents it, its identifiers apart from those of all others.
///
/// In SVG as it is written here a quotation mark stands at the ends of attributes alone; in text it is `&quot;`.
fn inlined(svg: &str, prefix: &str) -> String {
    let lines: Vec<&str> = svg.lines().map(str::trim_start).collect();
    let svg = lines.join("\n");
    if !svg.contains(" id=\"") {
        return svg;
    }
    svg.replace(" id=\"", &format!(" id=\"{prefix}-"))
        .replace("url(#", &format!("url(#{prefix}-"))
        .replace("href=\"#", &format!("href=\"#{prefix}-"))
        .replace("aria-labelledby=\"", &format!("aria-labelledby=\"{prefix}-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_two_figures_never_clash() {
        let svg = "<svg>\n  <clipPath id=\"a\"/>\n  <g clip-path=\"url(#a)\"/><use href=\"#a\"/>\n</svg>\n"
            .to_owned();
        let figure = Figure { name: "cost".into(), title: "Cost".into(), svg };
        let [main, other] = ["", "few-and-busy"].map(|folder| Inlined::of(&figure, folder));
        assert_eq!((main.id.as_str(), other.id.as_str()), ("figure-cost", "figure-few-and-busy-cost"));
        let expected = "<svg>\n<clipPath id=\"figure-cost-a\"/>\n<g clip-path=\"url(#figure-cost-a)\"/><use href=\"#figure-cost-a\"/>\n</svg>";
        assert_eq!(main.svg, expected);
        assert!(other.svg.contains("id=\"figure-few-and-busy-cost-a\""), "{}", other.svg);
    }
}
