//! Micro-benchmarks.

use super::panels::{self, fd_setsize, label, number};
use super::{file_name, machine, mitigations};
use crate::format;
use crate::plots::axis::{Axis, Unit};
use crate::plots::chart::{Body, Figure, Panel, Row};
use crate::plots::dots::Dots;
use crate::plots::lines::{Lines, Mark, Series, SeriesPoint};
use crate::plots::style::{self, Styles};
use model::schema::{BenchGroup, BenchPoint};

const HEADING: &str = "wall time of a call";

/// What varies within a group: a word, and the count.
type Varying = Option<(&'static str, fn(&BenchPoint) -> u32)>;

/// One group: wall time of a call over the descriptors watched, over those ready where as many are watched everywhere, or
/// where neither varies one below the other. Nothing of a group without points.
pub fn bench(group: &BenchGroup) -> Option<Figure> {
    let varying = varying(group);
    let series = series(group, varying);
    let mut caption = vec![
        if varying.is_some() {
            "Line: median of batches. Upright line: its 95% interval."
        } else {
            "Dot: median of batches. Line: its 95% interval."
        }
        .to_owned(),
    ];
    let (body, over) = match varying {
        Some((what, _)) => {
            // Only what is watched is a number of descriptors in a set.
            let rules = if what == "watched" { fd_setsize(&series) } else { Vec::new() };
            caption.extend((!rules.is_empty()).then(panels::rule_note));
            let measured = panels::measured(&series);
            let lines = Lines {
                x_title: format!("descriptors {what} (logarithmic)"),
                x: Axis::around(measured.iter().copied(), 0.04, Unit::Count),
                measured,
                y: panels::log_axis(&series, Unit::Duration),
                series: series.clone(),
                rules,
            };
            (Body::Lines(lines), format!(" over the descriptors {what}"))
        }
        None => {
            let axis = panels::log_axis(&series, Unit::Duration);
            let title = format!("{HEADING} (logarithmic)");
            (Body::Dots(Dots { title, axis, series: series.clone() }), String::new())
        }
    };
    caption.push(format!("{}; measured {}", machine(&group.environment), group.started));
    caption.push(mitigations(&group.environment));
    // Without a finding the title says what was measured, and the subtitle does not say it again.
    let finding = finding(group, varying);
    let title = format!("{}: {}", group.group, finding.as_ref().unwrap_or(&group.what));
    let what = if finding.is_some() { format!(": {}", group.what) } else { String::new() };
    let panel = Panel { heading: HEADING.to_owned(), body };
    (!series.is_empty()).then(|| Figure {
        name: format!("bench-{}", file_name(&group.group)),
        title,
        subtitle: format!("Wall time{over}{what}; less is better"),
        styles: Styles::of(series.iter().map(|series| series.mechanism.as_str())),
        legend: Vec::new(),
        rows: vec![Row { heading: None, panels: vec![panel] }],
        warnings: Vec::new(),
        caption,
    })
}

fn is_drawable(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

fn varying(group: &BenchGroup) -> Varying {
    let varies = |count: fn(&BenchPoint) -> u32| {
        let drawn = group.points.iter().filter(|point| is_drawable(point.median_ns)).map(count);
        drawn.clone().min() < drawn.max()
    };
    if varies(|point| point.watched) {
        Some(("watched", |point| point.watched))
    } else if varies(|point| point.ready) {
        Some(("ready", |point| point.ready))
    } else {
        None
    }
}

fn series(group: &BenchGroup, varying: Varying) -> Vec<Series> {
    let mut series: Vec<Series> = Vec::new();
    let has_place = |point: &&BenchPoint| {
        is_drawable(point.median_ns) && varying.is_none_or(|(_, count)| count(point) > 0)
    };
    for point in group.points.iter().filter(has_place) {
        let drawn = drawn(point, varying);
        match series.iter_mut().find(|series| series.mechanism == point.mechanism) {
            Some(series) => series.points.push(drawn),
            None => {
                let (mechanism, label) = (point.mechanism.clone(), String::new());
                series.push(Series { mechanism, label, points: vec![drawn] });
            }
        }
    }
    for series in &mut series {
        series.points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let value = series.points.last().map_or(0.0, |point| point.y);
        let value = number(value, Unit::Duration);
        series.label = if varying.is_some() { label(&series.mechanism, &value) } else { value };
    }
    series
}

fn drawn(point: &BenchPoint, varying: Varying) -> SeriesPoint {
    let place = varying.map(|(what, count)| format!(", {} {what}", format::thousands(count(point).into())));
    let [median, low, high] =
        [point.median_ns, point.low_ns, point.high_ns].map(|value| number(value, Unit::Duration));
    let hover = format!("{}{}: {median} ({low}–{high})", point.mechanism, place.unwrap_or_default());
    let interval =
        Some((point.low_ns, point.high_ns)).filter(|(low, high)| is_drawable(*low) && is_drawable(*high));
    let x = varying.map_or(1.0, |(_, count)| f64::from(count(point)));
    SeriesPoint { x, y: point.median_ns, interval, mark: Mark::Solid, hover }
}

/// The fastest mechanism against the slowest where most are watched or ready, if their intervals lie apart. Times of different
/// things (of calls that add and of calls that remove, say) are no race, so names that are no mechanisms' have none.
fn finding(group: &BenchGroup, varying: Varying) -> Option<String> {
    let count = |point: &BenchPoint| varying.map_or(0, |(_, count)| count(point));
    let most = group.points.iter().map(count).max()?;
    let there: Vec<&BenchPoint> =
        group.points.iter().filter(|point| count(point) == most && is_drawable(point.low_ns)).collect();
    if !there.iter().all(|point| style::is_known(&point.mechanism)) {
        return None;
    }
    let best = there.iter().min_by(|a, b| a.median_ns.total_cmp(&b.median_ns))?;
    let worst = there.iter().max_by(|a, b| a.median_ns.total_cmp(&b.median_ns))?;
    // Batches have no partners to form ratios with; from end to end, two intervals bound the ratio more widely than one would.
    let [low, high] = [worst.low_ns / best.high_ns, worst.high_ns / best.low_ns];
    let place =
        varying.map(|(what, _)| format!("with {} descriptors {what}, ", format::thousands(most.into())));
    let place = place.unwrap_or_default();
    if low <= 1.0 {
        return Some(format!("{place}no difference that the intervals carry"));
    }
    let [factor, low, high] = format::ratio_and_ends(worst.median_ns / best.median_ns, low, high);
    Some(format!("{place}{} is {factor}× faster than {} ({low}–{high})", best.mechanism, worst.mechanism))
}
