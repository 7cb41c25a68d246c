//! Published tables beside ours.

use super::panels::{self, label, number};
use super::{file_name, machine, mitigations};
use crate::format;
use crate::plots::axis::{Axis, Unit};
use crate::plots::chart::{Body, Figure, Panel, Row};
use crate::plots::dots::Dots;
use crate::plots::lines::{Lines, Mark, Series, SeriesPoint};
use crate::plots::style::Styles;
use model::schema::{ReproducedFigure, Reproduction, Reproductions};

/// A figure for each table: ours and what was published, on one scale.
pub fn reproductions(all: &Reproductions) -> Vec<Figure> {
    all.tables.iter().filter_map(|table| figure(all, table)).collect()
}

/// What a figure counts, as an axis has it: its unit, and by what it is multiplied.
fn unit(table: &Reproduction) -> (Unit, f64) {
    match table.unit.as_str() {
        "s" => (Unit::Duration, 1e9),
        "ms" => (Unit::Duration, 1e6),
        "µs" => (Unit::Duration, 1e3),
        "ns" => (Unit::Duration, 1.0),
        "ops/s" | "requests/s" | "echoes/s" => (Unit::Rate, 1.0),
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
    let xs: Vec<f64> = drawn().flat_map(|series| series.points.iter().map(|point| point.x)).collect();
    let panel = |(heading, series): (&str, Vec<Series>)| {
        let title = format!("{} (logarithmic)", table.unit);
        let body = if varies {
            let x = Axis::around(xs.iter().copied(), 0.04, Unit::Count);
            let x_title = "descriptors watched (logarithmic)".to_owned();
            Body::Lines(Lines { x_title, x, y, measured: xs.clone(), series, rules: Vec::new() })
        } else {
            Body::Dots(Dots { title, axis: y, series })
        };
        Panel { heading: format!("{heading}, {}", table.unit), body }
    };
    let styles = Styles::of(table.figures.iter().map(|figure| figure.mechanism.as_str()));
    let drawn_columns = columns.into_iter().filter(|(_, series)| !series.is_empty());
    let panels: Vec<Panel> = drawn_columns.map(panel).collect();
    (!panels.is_empty()).then(|| Figure {
        name: format!("reproduction-{}", file_name(&table.name)),
        title: table.title.clone(),
        subtitle: table.what.clone(),
        legend: Vec::new(),
        rows: vec![Row { heading: None, panels }],
        styles,
        warnings: Vec::new(),
        caption: vec![
            format!("Ours: the repeats' median and its 95% interval. Published: {}.", table.source),
            format!("{}; measured {}", machine(&all.environment), all.started),
            mitigations(&all.environment),
        ],
    })
}

type Shown = Option<(f64, Option<(f64, f64)>)>;

fn series(
    table: &Reproduction,
    (unit, scale): (Unit, f64),
    varies: bool,
    value: &dyn Fn(&ReproducedFigure) -> Shown,
) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for figure in &table.figures {
        let Some((y, band)) = value(figure).filter(|(y, _)| y.is_finite() && *y > 0.0) else { continue };
        let band = band.map(|(low, high)| (low * scale, high * scale)).filter(|(low, _)| *low > 0.0);
        let range = band.map(|(low, high)| format!(" ({}–{})", number(low, unit), number(high, unit)));
        let hover = format!(
            "{}, {} watched: {}{}",
            figure.mechanism,
            format::thousands(figure.watched.into()),
            number(y * scale, unit),
            range.unwrap_or_default()
        );
        let point =
            SeriesPoint { x: figure.watched.into(), y: y * scale, interval: band, mark: Mark::Solid, hover };
        match all.iter_mut().find(|series| series.mechanism == figure.mechanism) {
            Some(series) => series.points.push(point),
            None => {
                all.push(Series {
                    mechanism: figure.mechanism.clone(),
                    label: String::new(),
                    points: vec![point],
                });
            }
        }
    }
    for series in &mut all {
        series.points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let end = number(series.points.last().map_or(0.0, |point| point.y), unit);
        series.label = if varies { label(&series.mechanism, &end) } else { end };
    }
    all
}
