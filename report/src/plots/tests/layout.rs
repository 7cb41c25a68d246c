//! Of every figure: what is written lies inside and does not overlap, axes have units, series and points say what they are.

use std::sync::LazyLock;

use roxmltree::{Document, Node};

use super::campaigns;
use crate::plots::axis::{Axis, Scale};
use crate::plots::chart::{Body, Figure};
use crate::plots::{Drawing, drawn, figures, svg};
use crate::rounds::{Analysis, Unit};
use crate::testing;
use model::schema::{ReproducedFigure, Reproduction, Reproductions};

/// A drawing of each kind of figure, with the name of what it is of.
fn every_drawing() -> Vec<(String, Drawing)> {
    every_figure().iter().map(|(name, figure)| (name.clone(), drawn(figure))).collect()
}

/// A figure of each kind, drawn once for all tests.
fn every_figure() -> &'static [(String, Figure)] {
    static FIGURES: LazyLock<Vec<(String, Figure)>> = LazyLock::new(|| {
        let mut all = Vec::new();
        for (name, (campaign, histograms)) in campaigns::all() {
            let analysis = Analysis::of(campaign, histograms);
            all.extend(
                figures::of_campaign(&analysis).into_iter().map(|figure| ((*name).to_owned(), figure)),
            );
        }
        let mut others: Vec<Figure> =
            [testing::bench(), bench_of_one_size()].iter().filter_map(figures::bench).collect();
        others.extend(figures::of_load(&campaigns::load_with_series()).expect("sound histograms"));
        others.extend(figures::reproductions(&published()));
        all.extend(others.into_iter().map(|figure| ("other".to_owned(), figure)));
        all
    });
    &FIGURES
}

fn bench_of_one_size() -> model::schema::BenchGroup {
    let mut group = testing::bench();
    group.group = "wakeup".into();
    group.points.retain(|point| point.watched == 100);
    group
}

fn published() -> Reproductions {
    let figure = |mechanism: &str, watched, published, median: f64| ReproducedFigure {
        mechanism: mechanism.to_owned(),
        watched,
        published,
        median,
        low: median * 0.9,
        high: median * 1.1,
        repeats: 6,
    };
    Reproductions {
        schema_version: 1,
        started: "2026-01-02T03:04:05Z".into(),
        command: "muxbench run reproductions".into(),
        environment: testing::environment(),
        tables: vec![Reproduction {
            name: "tlpi".into(),
            title: "A table".into(),
            source: "A book".into(),
            what: "Processor time of 100,000 waits.".into(),
            differs: "The machine.".into(),
            unit: "s".into(),
            figures: vec![
                figure("poll", 10, Some(0.61), 0.03),
                figure("poll", 10_000, Some(990.0), 9.0),
                figure("epoll", 10, Some(0.41), 0.04),
                figure("epoll", 10_000, None, 0.05),
            ],
        }],
    }
}

/// A line of text and its place, by the widths that the layout uses.
#[derive(Debug)]
struct Written {
    text: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

fn written(node: Node<'_, '_>) -> Written {
    let number = |name: &str| node.attribute(name).expect(name).parse::<f64>().expect("a number");
    let text = node.text().unwrap_or_default().to_owned();
    let (x, y, size) = (number("x"), number("y"), number("font-size"));
    let width = svg::width(&text, size, node.attribute("font-weight") == Some("bold"));
    let left = match node.attribute("text-anchor") {
        Some("middle") => x - width / 2.0,
        Some("end") => x - width,
        _ => x,
    };
    Written { text, left, right: left + width, top: y - 0.75 * size, bottom: y + 0.2 * size }
}

/// Pairs of texts that overlap by more than half a pixel, and texts that leave the picture.
fn faults(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).expect("well-formed");
    let root = document.root_element();
    let size = |name: &str| root.attribute(name).expect(name).parse::<f64>().expect("a number");
    let (width, height) = (size("width"), size("height"));
    let texts: Vec<Written> =
        root.descendants().filter(|node| node.has_tag_name("text")).map(written).collect();
    let mut faults = Vec::new();
    for (index, one) in texts.iter().enumerate() {
        if one.left < 0.0 || one.right > width + 0.5 || one.top < 0.0 || one.bottom > height {
            faults.push(format!("{:?} leaves the picture: {one:?}", one.text));
        }
        for other in &texts[index + 1..] {
            let across = one.right.min(other.right) - one.left.max(other.left);
            let down = one.bottom.min(other.bottom) - one.top.max(other.top);
            if across > 0.5 && down > 0.5 {
                faults.push(format!("overlap: {one:?} and {other:?}"));
            }
        }
    }
    faults
}

#[test]
fn no_text_overlaps_another_or_leaves_the_picture() {
    for (of, drawing) in every_drawing() {
        assert_eq!(faults(&drawing.svg), [""; 0], "{of} {}", drawing.name);
        // Names of any length are cut rather than drawn over something; our own words have to fit.
        assert!(of == "crowded" || !drawing.svg.contains('…'), "{of} {}", drawing.name);
    }
}

#[test]
fn texts_that_overlap_are_found() {
    let text = |x: u32, y: u32| format!("<text x=\"{x}\" y=\"{y}\" font-size=\"12\">12345</text>");
    let svg = |other: String| format!("<svg width=\"100\" height=\"50\">{}{other}</svg>", text(5, 20));
    assert_eq!(faults(&svg(text(5, 40))), [""; 0]);
    assert_eq!(faults(&svg(text(20, 22))).len(), 1);
    assert_eq!(faults(&svg(text(80, 40))).len(), 1);
}

#[test]
fn every_kind_of_figure_is_drawn() {
    let all = every_drawing();
    let expected = [
        "ratios",
        "twin",
        "map",
        "memory",
        "scaling-idle-scaling",
        "scaling-all-active",
        "scaling-rate",
        "scaling-churn",
        "scaling-threads",
        "bench-wait",
        "bench-wakeup",
        "heat-map",
        "load-spectrum",
        "reproduction-tlpi",
    ];
    for name in expected {
        assert!(all.iter().any(|(_, drawing)| drawing.name == name), "{name}");
    }
}

#[test]
fn within_a_figure_every_line_is_a_series_and_every_point_says_its_value() {
    for (of, drawing) in every_drawing() {
        let document = Document::parse(&drawing.svg).expect("well-formed");
        let with_class = |class: &'static str| {
            document.descendants().filter(move |node| node.attribute("class") == Some(class))
        };
        for series in with_class("series") {
            assert!(series.attribute("data-mechanism").is_some(), "{of} {}", drawing.name);
        }
        for point in with_class("point").chain(with_class("field")) {
            let title =
                point.children().find(|child| child.has_tag_name("title")).and_then(|node| node.text());
            assert!(title.is_some_and(|title| title.contains(": ")), "{of} {}: {title:?}", drawing.name);
        }
        let shown =
            ["series", "field", "heat"].into_iter().map(|class| with_class(class).count()).sum::<usize>();
        assert!(shown > 0, "{of} {}", drawing.name);
        assert!(with_class("point").count() + with_class("field").count() > 0, "{of} {}", drawing.name);
    }
}

#[test]
fn several_figures_can_stand_in_one_page() {
    for (of, drawing) in every_drawing() {
        let document = Document::parse(&drawing.svg).expect("well-formed");
        assert!(document.descendants().all(|node| node.attribute("id").is_none()), "{of} {}", drawing.name);
        let style =
            document.descendants().find(|node| node.has_tag_name("style")).and_then(|node| node.text());
        let rules = style.expect("rules for a dark ground").split_once('{').expect("a block").1;
        for selector in rules.trim_end_matches('}').split('}').filter_map(|rule| rule.split('{').next()) {
            assert!(selector.starts_with(".muxbench-figure "), "{of} {}: {selector}", drawing.name);
        }
    }
}

#[test]
fn every_axis_has_a_unit() {
    for (_, figure) in every_figure() {
        for panel in figure.rows.iter().flat_map(|row| &row.panels) {
            let axes: Vec<(&Axis, &str)> = match &panel.body {
                Body::Lines(lines) => vec![(&lines.x, &lines.x_title), (&lines.y, &panel.heading)],
                Body::Rows(rows) => vec![(&rows.axis, &rows.title)],
                Body::Heat(heat) => vec![(&heat.x, &heat.x_title), (&heat.y, &panel.heading)],
                Body::Fields(fields) => {
                    assert!(fields.column_title.contains("connections") && !fields.row_title.is_empty());
                    continue;
                }
                // A ratio has none.
                Body::Ratios(_) => continue,
            };
            for (axis, title) in axes {
                assert!(!title.is_empty(), "{}", figure.name);
                let labels: Vec<String> =
                    axis.ticks(400.0, 40.0).into_iter().filter_map(|tick| tick.label).collect();
                let has_unit = |label: &String| match axis.unit {
                    // What is counted stands in the title.
                    _ if axis.scale == Scale::Percentiles => label.ends_with('%'),
                    Unit::Count => title.split_whitespace().count() > 1 || title.contains(", "),
                    Unit::Nanoseconds => label.ends_with('s'),
                    Unit::Bytes => label.ends_with('B'),
                    Unit::PerSecond => label.ends_with("/s"),
                    Unit::Share => label.ends_with('%'),
                };
                let wrong: Vec<&String> =
                    labels.iter().filter(|label| *label != "0" && !has_unit(label)).collect();
                assert!(labels.len() > 1 && wrong.is_empty(), "{}: {title}: {labels:?}", figure.name);
            }
        }
    }
}
