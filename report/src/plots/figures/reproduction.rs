//! Published tables beside ours.

use super::panels;
use super::provenance::{file_name, machine, mitigations};
use crate::format;
use crate::plots::axis::Axis;
use crate::plots::chart::{Body, Figure, Panel, Row};
use crate::plots::lines::Series;
use crate::plots::rows::Rows;
use crate::plots::style::Styles;
use crate::rounds::Unit;
use model::schema::{ReproducedFigure, Reproduction, Reproductions};

/// A figure for each table: ours and what was published, on one scale.
pub fn reproductions(all: &Reproductions) -> Vec<Figure> {
    all.tables.iter().filter_map(|table| figure(all, table)).collect()
}

/// The unit of a table's figures on an axis, and the factor that converts them to it.
fn unit(table: &Reproduction) -> (Unit, f64) {
    match table.unit.as_str() {
        "s" => (Unit::Nanoseconds, 1e9),
        "ms" => (Unit::Nanoseconds, 1e6),
        "µs" => (Unit::Nanoseconds, 1e3),
        "ns" => (Unit::Nanoseconds, 1.0),
        "ops/s" | "requests/s" | "echoes/s" => (Unit::PerSecond, 1.0),
        _ => (Unit::Count, 1.0),
    }
}

fn figure(all: &Reproductions, table: &Reproduction) -> Option<Figure> {
    let (unit, scale) = unit(table);
    let varies = table.figures.iter().any(|figure| figure.watched != table.figures[0].watched);
    let ours = |figure: &ReproducedFigure| Some((figure.median, Some((figure.low, figure.high))));
    let published = |figure: &ReproducedFigure| figure.published.map(|value| (value, None));
    let columns = [
        ("ours", series(table, (unit, scale), varies, &ours)),
        ("published", series(table, (unit, scale), varies, &published)),
    ];
    let drawn = || columns.iter().flat_map(|(_, series)| series);
    let y = Axis::holding(panels::extent(drawn()), unit);
    let measured = panels::measured(drawn());
    let panel = |(heading, series): (&str, Vec<Series>)| {
        let title = format!("{} (logarithmic)", table.unit);
        let body = match varies {
            true => panels::over_descriptors("watched", measured.clone(), y, series, Vec::new()),
            false => Body::Rows(Rows { title, axis: y, series, parts: None }),
        };
        Panel { heading: format!("{heading}, {}", table.unit), body }
    };
    let drawn_columns = columns.into_iter().filter(|(_, series)| !series.is_empty());
    let panels: Vec<Panel> = drawn_columns.map(panel).collect();
    (!panels.is_empty()).then(|| Figure {
        name: format!("reproduction-{}", file_name(&table.name)),
        title: table.title.clone(),
        subtitle: table.what.clone(),
        rows: vec![Row { heading: None, panels }],
        styles: Styles::of(table.figures.iter().map(|figure| figure.mechanism.as_str())),
        caption: vec![
            format!("Ours: the repeats' median and its 95% interval. Published: {}.", table.source),
            format!("{}; measured {}", machine(&all.environment), all.started),
            mitigations(&all.environment),
        ],
        ..Figure::default()
    })
}

type Shown = Option<(f64, Option<(f64, f64)>)>;

fn series(
    table: &Reproduction,
    (unit, scale): (Unit, f64),
    varies: bool,
    value: &dyn Fn(&ReproducedFigure) -> Shown,
) -> Vec<Series> {
    let point = |figure: &ReproducedFigure| {
        let (y, interval) = value(figure)?;
        let interval = interval.map(|(low, high)| (low * scale, high * scale)).filter(|(low, _)| *low > 0.0);
        let what = format!("{}, {} watched", figure.mechanism, format::thousands(figure.watched.into()));
        panels::point(figure.watched.into(), &what, y * scale, interval, unit)
    };
    let drawn = table.figures.iter().filter_map(|figure| Some((figure.mechanism.as_str(), point(figure)?)));
    panels::series(drawn, unit, varies)
}
